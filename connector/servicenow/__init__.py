"""ServiceNow: session, master data, and the doors through which staging rows go in. Answers are judged by their body."""
