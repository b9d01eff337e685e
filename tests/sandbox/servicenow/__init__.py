"""A stand-in for one ServiceNow instance with Source-to-Pay: Table API, Import Set API, Batch API and OAuth."""

from tests.sandbox.servicenow.shipped import (
    ADMIN_PASSWORD,
    ADMIN_USER,
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECTOR_PASSWORD,
    CONNECTOR_USER,
)
from tests.sandbox.servicenow.simulator import ServiceNow

__all__ = [
    "ADMIN_PASSWORD",
    "ADMIN_USER",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CONNECTOR_PASSWORD",
    "CONNECTOR_USER",
    "ServiceNow",
]
