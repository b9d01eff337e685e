"""Decisions: pure functions. No input or output, no clock, no chance; whatever they need is an argument."""
