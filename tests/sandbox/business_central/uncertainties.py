"""What the public sources leave open about Business Central's answers: one switch for each, set to the likeliest reading.

A client that is right must work under every setting. Tests flip single switches; nothing else depends on a particular one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.sandbox.business_central.errors import Refusal


@dataclass
class Uncertainties:
    """The switches; each may be set at any time."""

    retry_after_on_429: int | None = None
    """Seconds named by ``Retry-After`` with status 429; the header is documented for 502 and 503 only."""

    unknown_company_status: Literal[400, 404] = 404
    """The status with which a company id that does not exist is answered."""

    unknown_record_status: Literal[400, 404] = 404
    """The status with which a record id that does not exist is answered."""

    malformed_key_status: Literal[400, 404] = 404
    """The status for a key in the address that is no guid."""

    unknown_environment: Literal["html", "empty", "json"] = "html"
    """The body with which an environment or tenant that does not exist is answered 404."""

    unauthorized_as_xml: bool = False
    """Whether the answer to a missing or unreadable Authorization header is XML; both forms have been reported."""

    authorization_code: str = "Authorization_AccessDenied"
    """The code of a 403; only its beginning ``Authorization_`` is documented."""

    permission_status: Literal[400, 401, 403] = 400
    """The status of a permission error that the application raises."""

    permission_code: Literal["Internal_ServerError", "Application_DialogException"] = "Internal_ServerError"
    """The code of a missing permission on a table."""

    basic_challenge: str | None = 'Basic realm=""'
    """The ``WWW-Authenticate`` value of an on-premises server that wants Basic authentication; None: no such header."""

    missing_tenant_status: Literal[400, 401, 404, 503] = 503
    """The status of a multitenant on-premises server for a request that names no tenant, or an unknown one."""

    context_names_selection: bool = False
    """Whether ``@odata.context`` lists the selected properties, as the OData standard has it."""

    answers_not_modified: bool = False
    """Whether a read of one record with its present ETag in ``If-None-Match`` is answered 304."""

    batch_parts_count: bool = False
    """Whether each part of a ``$batch`` counts as a request towards the rate limit."""

    snapshot_batch_goes_on: bool = True
    """Whether parts behind a failed one are still carried out in a batch of one transaction."""

    plain_enum_words: bool = False
    """Whether a filter or body may name an enum member by its plain word (``'In Review'``)."""

    large_top_continues: bool = True
    """Whether ``$top`` beyond the page size is continued by a next link; else the rows simply end with the page."""

    oversized_pages_are_clamped: bool = True
    """Whether a wish for pages above the maximum is cut to it (seen) or answered 413 (documented)."""

    posted_id_is_ignored: bool = False
    """Whether an ``id`` in the body of a POST is ignored; else it is refused."""

    delete_needs_token: bool = False
    """Whether DELETE without ``If-Match`` is refused: documented as required, reported to be checked only when sent."""

    new_records_header: bool = True
    """Whether a POST with ``Prefer: return-no-content`` still names the new record's address in ``Location``."""

    def settled(self, refusal: Refusal) -> Refusal:
        """The refusal with the status and code that the switches give it."""
        status, code, headers = refusal.status, refusal.code, refusal.headers
        if code == "Internal_CompanyNotFound":
            status = self.unknown_company_status
        elif code == "Internal_RecordNotFound" and "SystemId=" in refusal.message:
            status = self.unknown_record_status
        elif code == "BadRequest_NotFound" and status == 404:
            status = self.malformed_key_status
        elif code == "Internal_TenantUnavailable":
            status = self.missing_tenant_status
        elif status == 429 and self.retry_after_on_429 is not None:
            headers = {"Retry-After": str(self.retry_after_on_429)}
        elif status == 403:
            code = self.authorization_code
        elif "current permissions prevented the action" in refusal.message:
            status, code = self.permission_status, self.permission_code
        elif refusal.message.startswith("You do not have permissions to read"):
            status = self.permission_status
        return Refusal(status, code, refusal.message, correlated=refusal.correlated, headers=headers)
