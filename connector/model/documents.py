"""Canonical documents: what an order, invoice, credit memo or receipt is, whatever transport it came by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Entity(StrEnum):
    """The kinds of BC record that are carried as documents. The value is the API v2.0 entity set's name."""

    PURCHASE_ORDER = "purchaseOrders"
    PURCHASE_INVOICE = "purchaseInvoices"
    CREDIT_MEMO = "purchaseCreditMemos"
    RECEIPT = "purchaseReceipts"

    @property
    def belongs_to_order(self) -> bool:
        """Whether its documents name an order by its number, and are tied to that order in ServiceNow."""
        return self in (Entity.PURCHASE_INVOICE, Entity.RECEIPT)


@dataclass(frozen=True, slots=True)
class DimensionValue:
    """One analysis code of a document or line, such as DEPARTMENT = ADM."""

    dimension: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Amounts are in the document's currency and exclude tax unless their name says otherwise.

    `unit_cost` is as entered in BC (with tax when the document's prices include it); `amount` is after the line's own
    discount; `net_amount` is `amount` less the line's share of the header discount.
    """

    id: str
    sequence: int
    type: str
    object_number: str
    description: str
    unit: str
    quantity: Decimal
    unit_cost: Decimal
    amount: Decimal
    header_discount_share: Decimal
    net_amount: Decimal
    tax_code: str
    tax_percent: Decimal
    tax_amount: Decimal
    expected_receipt: date | None
    location: str
    dimensions: tuple[DimensionValue, ...]

    def dimension(self, code: str) -> str:
        """The line's value of the dimension, or ""."""
        return next((pair.value for pair in self.dimensions if pair.dimension == code), "")


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its lines. `id` never changes; `number` does, when a draft is posted.

    `vendor_invoice_number`: the vendor's own number of an invoice or credit memo. `order_number`: of an invoice or receipt.
    `applies_to_id`, `applies_to_number`: the invoice that a credit memo takes back. A receipt has no amounts.
    """

    entity: Entity
    company: str
    id: str
    number: str
    status: str
    modified: datetime
    document_date: date | None
    posting_date: date | None
    due_date: date | None
    vendor_number: str
    vendor_name: str
    vendor_invoice_number: str
    currency: str
    prices_include_tax: bool
    payment_terms: str
    order_number: str
    discount_amount: Decimal
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal
    dimensions: tuple[DimensionValue, ...]
    lines: tuple[Line, ...]
    applies_to_id: str = ""
    applies_to_number: str = ""

    def dimension(self, code: str) -> str:
        """The header's value of the dimension, or ""."""
        return next((pair.value for pair in self.dimensions if pair.dimension == code), "")


POSTED = "Posted"
"""The status of a receipt, which BC does not give one: there are posted ones only."""
COMMENT = "Comment"
"""The line type of a text line: no object, no quantity, no amount."""
