"""Feeds: the record sets of Business Central that are watched for changes, and what a change in each of them means."""

from __future__ import annotations

from enum import StrEnum

from connector.model.documents import Entity


class Feed(StrEnum):
    """A watched record set. The value is its name in API v2.0.

    Each but vendors brings documents of an entity of its own, which are carried where the profile has a route for it. A change
    may also mean that documents known already should be looked at again: a receipt moves its order, a credit memo the invoice
    it applies to, a vendor the documents that are parked for it.
    """

    ORDERS = Entity.PURCHASE_ORDER.value
    INVOICES = Entity.PURCHASE_INVOICE.value
    RECEIPTS = Entity.RECEIPT.value
    CREDIT_MEMOS = Entity.CREDIT_MEMO.value
    VENDORS = "vendors"

    @property
    def carried(self) -> Entity | None:
        """The entity whose documents this feed brings; None for a feed that only points to others."""
        return None if self is Feed.VENDORS else Entity(self.value)

    @property
    def concerns(self) -> tuple[Entity, ...]:
        """The entities whose known documents a change may concern."""
        return _CONCERNS[self]


_CONCERNS: dict[Feed, tuple[Entity, ...]] = {
    Feed.ORDERS: (),
    # Posting its last invoice removes an order.
    Feed.INVOICES: (Entity.PURCHASE_ORDER,),
    Feed.RECEIPTS: (Entity.PURCHASE_ORDER,),
    Feed.CREDIT_MEMOS: (Entity.PURCHASE_INVOICE,),
    Feed.VENDORS: (Entity.PURCHASE_ORDER, Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO),
}
