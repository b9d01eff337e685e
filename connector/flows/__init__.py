"""Flows: one module a verb. Each gathers, lets a decision decide, and applies."""
