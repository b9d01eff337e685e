"""Particulars: what the trail says of the version of a document that a step is about, and the words it can be found by."""

from __future__ import annotations

from connector.decisions.endings import Ending
from connector.model.documents import Document
from connector.model.stamps import stamp_text


def version(document: Document | None, ending: Ending | None, number: str) -> dict[str, object]:
    """Which version it is; `number` is what the document was called before BC lost it."""
    if ending is not None:
        return {"number": number, "gone": True, "archived": ending.archived}
    if document is None:
        return {}
    return {"number": document.number, "modified": stamp_text(document.modified), "status": document.status}


def index(document: Document | None) -> tuple[str, ...]:
    """What people look for it by."""
    if document is None:
        return ()
    return (document.number, document.vendor_number, document.vendor_invoice_number, document.order_number)
