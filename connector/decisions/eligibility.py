"""Which documents are carried now, by status. The rule is the profile's."""

from __future__ import annotations

from typing import Literal

from connector.errors import DocumentFault, Reason
from connector.model.documents import Document
from connector.model.profile import Route


def eligibility(document: Document, route: Route) -> Literal["eligible", "waiting"]:
    """Whether the document goes to ServiceNow or waits in BC.

    Raises `DocumentFault` for a status the profile does not know: passing it or dropping it would be a guess.
    """
    if document.status in (*route.eligible, *route.with_original):
        return "eligible"
    if document.status in route.waiting:
        return "waiting"
    raise DocumentFault(
        [
            Reason(
                "STATUS_UNKNOWN",
                f"{document.number} has the status {document.status!r}, which the profile does not know.",
                "Name the status under eligible or waiting in the profile, then replay.",
            )
        ]
    )
