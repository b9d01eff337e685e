"""A stand-in for Business Central online: token endpoint and API v2.0 on data held in memory."""

from tests.sandbox.business_central.records import NO_ID, CompanyData, Document, Line, Row, Value
from tests.sandbox.business_central.simulator import BusinessCentral

__all__ = ["NO_ID", "BusinessCentral", "CompanyData", "Document", "Line", "Row", "Value"]
