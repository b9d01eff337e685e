"""Severity: which faults set a document aside and which are only noted, by code, as a checks file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.errors import Reason
from connector.model.checks import Checks, Severity

SEVERITY: Mapping[str, Severity] = {
    "NET_DOES_NOT_ADD_UP": "park",
    "TAX_DOES_NOT_ADD_UP": "park",
    "GROSS_DOES_NOT_ADD_UP": "park",
    "DIMENSION_UNKNOWN": "park",
    "DIMENSION_VALUE_MISSING": "park",
    "DIMENSION_VALUE_BLOCKED": "park",
    "DIMENSION_VALUE_NOT_FOR_POSTING": "park",
    "DIMENSION_MANDATORY": "park",
    "DIMENSIONS_FORBIDDEN_TOGETHER": "park",
    "DEFAULT_DIMENSION_BROKEN": "park",
    "WAREHOUSE_WITHOUT_RULE": "park",
    "WAREHOUSE_COST_CENTRE_WRONG": "park",
    "COST_CENTRE_UNKNOWN": "park",
    "COST_CENTRE_INACTIVE": "park",
    "COST_CENTRE_NOT_VALID": "park",
    "ACCOUNT_UNKNOWN": "park",
    "ACCOUNT_BLOCKED": "park",
    "ACCOUNT_NOT_FOR_POSTING": "park",
    "ACCOUNT_NO_DIRECT_POSTING": "park",
    "VENDOR_UNKNOWN": "park",
    "VENDOR_BLOCKED": "park",
    # The vendor may be invoiced, and the payment is stopped where it is made.
    "VENDOR_BLOCKED_FOR_PAYMENT": "warn",
    "VENDOR_INVOICE_TWICE": "park",
    # Periods are closed after what was posted in them; an invoice that comes late is owed all the same.
    "POSTING_DATE_OUTSIDE_WINDOW": "warn",
}
"""The faults with which a document could be carried all the same, and what becomes of it unless a checks file says otherwise.
All other faults leave a row that cannot be written, and always park."""


def severity(code: str, checks: Checks) -> Severity:
    """What becomes of a document with this fault."""
    return checks.severity.get(code, SEVERITY.get(code, "park"))


def any_asked(codes: Iterable[str], checks: Checks) -> bool:
    """Whether any of these faults matters at all."""
    return any(severity(code, checks) != "off" for code in codes)


def weighed(reasons: Iterable[Reason], checks: Checks) -> tuple[list[Reason], list[Reason]]:
    """The reasons that park, and those that are only noted."""
    kept = [(severity(reason.code, checks), reason) for reason in reasons]
    return [one for level, one in kept if level == "park"], [one for level, one in kept if level == "warn"]
