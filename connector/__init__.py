"""Business Central / NAV to ServiceNow Source-to-Pay: the connector."""

__version__ = "0.1.0"
