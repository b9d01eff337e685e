"""HTTP as both remote systems need it: one exchange with bounded answers and honest errors, and OAuth tokens."""
