"""Duplicates: two documents of one vendor with the vendor's same number are one debt, entered twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from connector.decisions.states import Status
from connector.errors import Reason
from connector.model.documents import Document


@dataclass(frozen=True, slots=True)
class Twin:
    """Another document of the same entity that was found by the same vendor's number. `bc_status`: as BC calls it; `staged`:
    its record is in ServiceNow; `sent`: rows of it may be."""

    id: str
    number: str
    vendor: str
    vendor_invoice: str
    status: Status
    bc_status: str
    staged: bool
    sent: bool

    @property
    def stands(self) -> bool:
        """Whether it is the debt in ServiceNow. A paid one waits, as it is carried no further, and stands."""
        if not self.staged:
            return False
        paid = self.status is Status.WAITING and self.bc_status != CANCELLED
        return paid or self.under_way or self.status in (Status.DONE, Status.PARKED)

    @property
    def under_way(self) -> bool:
        """Whether somebody works on it, or rows of it were sent of which nobody knows the fate."""
        return self.status is Status.CLAIMED or (self.status is Status.PENDING and self.sent)

    @property
    def found(self) -> str:
        """What makes it a twin, as text."""
        return twin_text(self.status, self.bc_status, self.vendor, self.vendor_invoice)


def twin_text(status: Status, bc_status: str, vendor: str, vendor_invoice: str) -> str:
    """What is to be found about a document that stands in another one's way."""
    return f"{status.value}, {bc_status or 'without status'} in BC, number {vendor_invoice} of vendor {vendor}"


CANCELLED = "Canceled"
"""What BC calls an invoice that was taken back; its number is free again."""
Verdict = Literal["free", "busy"] | Reason


def twin_verdict(document: Document, twins: Iterable[Twin]) -> Verdict:
    """Whether the document may go: ``free``, ``busy`` (look again, another one is under way) or the reason to set it aside.

    What was cancelled, closed or discarded leaves its number free: BC takes it again as well. Of two that are under way at the
    same time the one with the lower id goes on.
    """
    busy = False
    for twin in sorted(twins, key=lambda one: one.id):
        if twin.id == document.id:
            continue
        same = twin.vendor_invoice == document.vendor_invoice_number and twin.vendor == document.vendor_number
        if same and twin.stands:
            return Reason(
                "VENDOR_INVOICE_TWICE",
                f"{twin.number} of vendor {document.vendor_number} carries the same vendor's number "
                f"{document.vendor_invoice_number} and is in ServiceNow already.",
                "Correct the vendor's number of one of them in BC; when it is the same document, cancel or discard one.",
                "",
                ("document", twin.id),
                twin.found,
            )
        # What a worker has just read of one it holds is not on record yet: its number may be the same by now.
        unsure = twin.status is Status.CLAIMED
        busy = busy or (twin.under_way and (same or unsure) and twin.id < document.id)
    return "busy" if busy else "free"
