"""Pages of the application as web services, for OData and SOAP alike: which there are, their fields, and their rows.

Source: the pages of the same numbers in Microsoft's public source (50 "Purchase Order" with part "PurchLines", 51 "Purchase
Invoice", 138 "Posted Purchase Invoice", 26 and 27 vendors, 16 and 17 accounts, 537 "Dimension Values", 15 and 5703 locations,
4 "Payment Terms"), named as "Publish a web service" has it. Values are Python values in the order of the fields: blank dates
are 0001-01-01, blank codes are empty, options are plain words. Nothing is kept: rows are made on every read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tests.sandbox.business_central import page_layouts as layouts
from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.records import Row, Value
from tests.sandbox.business_central.store import CompanyState, Record


@dataclass(frozen=True)
class LinePart:
    """The part of a page that holds a document's lines: a page of its own, filled by the lines of the shown document.

    `element` is the name that SOAP gives to each line, whatever the service is called.
    """

    name: str
    page: int
    fields: tuple[PageField, ...]
    key: tuple[str, ...]
    element: str


@dataclass(frozen=True)
class PageService:
    """A page published under a name; `entity` and `statuses` say which records it shows, `table` is the caption of theirs."""

    name: str
    page: int
    fields: tuple[PageField, ...]
    key: tuple[str, ...]
    lines: LinePart | None = None
    writable: bool = False
    entity: str = ""
    table: str = ""
    statuses: frozenset[str] = frozenset()

    @cached_property
    def field_by_name(self) -> dict[str, PageField]:
        """The fields by their names."""
        return {each.name: each for each in self.fields}

    @property
    def lines_name(self) -> str:
        """The name of the lines as a set and as a navigation; blank without lines."""
        return f"{self.name}{self.lines.name}" if self.lines is not None else ""


@dataclass(frozen=True)
class PageRow:
    """One row of a page: its values in the order of the fields, its lines, its key, and the record behind it."""

    values: Row
    lines: list[PageRow]
    key: tuple[Value, ...]
    record: Record = field(compare=False)


def rows(state: CompanyState, service: PageService) -> list[PageRow]:
    """All rows of a page service, by key."""
    found = [row_of(state, service, record) for record in records_of(state, service)]
    return sorted(found, key=lambda row: [str(part) for part in row.key])


def records_of(state: CompanyState, service: PageService) -> list[Record]:
    """The records that a page shows, in no order."""
    wanted = service.statuses
    return [record for record in state.all_of(service.entity) if not wanted or str(record.values["status"]) in wanted]


def row_of(state: CompanyState, service: PageService, record: Record) -> PageRow:
    """The row of one record."""
    part = service.lines
    lines = [] if part is None else [_row(state, part.fields, part.key, line) for line in record.lines]
    return replace(_row(state, service.fields, service.key, record), lines=lines)


def find(state: CompanyState, service: PageService, key: Sequence[Value]) -> PageRow | None:
    """The row with this key, the values in key order, None when there is none."""
    wanted = tuple(key)
    return next((row for row in rows(state, service) if row.key == wanted), None)


def _row(state: CompanyState, fields: Sequence[PageField], key: Sequence[str], record: Record) -> PageRow:
    values: Row = {each.name: each.read(state, record) for each in fields}
    return PageRow(values, [], tuple(values[name] for name in key), record)


_PURCHASE_KEY = ("Document_Type", "No")
_LINE_KEY = ("Document_Type", "Document_No", "Line_No")

PURCHASE_ORDER = PageService(
    "PurchaseOrder",
    50,
    layouts.PURCHASE_ORDER,
    _PURCHASE_KEY,
    LinePart("PurchLines", 54, layouts.PURCHASE_ORDER_LINES, _LINE_KEY, "Purchase_Order_Line"),
    entity="purchaseOrders",
    table="Purchase Header",
)
PURCHASE_INVOICES = PageService(
    "PurchaseInvoices",
    51,
    layouts.PURCHASE_INVOICE,
    _PURCHASE_KEY,
    LinePart("PurchLines", 55, layouts.PURCHASE_INVOICE_LINES, _LINE_KEY, "Purch_Invoice_Line"),
    entity="purchaseInvoices",
    table="Purchase Header",
    statuses=frozenset({"Draft", "In Review"}),
)
POSTED_PURCHASE_INVOICES = PageService(
    "PostedPurchaseInvoices",
    138,
    layouts.POSTED_INVOICE,
    ("No",),
    LinePart(
        "PurchInvLines", 139, layouts.POSTED_INVOICE_LINES, ("Document_No", "Line_No"), "Posted_Purch_Invoice_Line"
    ),
    entity="purchaseInvoices",
    table="Purch. Inv. Header",
    statuses=frozenset({"Open", "Paid", "Canceled", "Corrective"}),
)
VENDOR_CARD = PageService("VendorCard", 26, layouts.VENDOR_CARD, ("No",), entity="vendors", table="Vendor")
VENDORS = PageService("Vendors", 27, layouts.VENDOR_LIST, ("No",), entity="vendors", table="Vendor")
G_L_ACCOUNTS = PageService("G_L_Accounts", 16, layouts.ACCOUNTS, ("No",), entity="accounts", table="G/L Account")
ACCOUNT_CARD = PageService(
    "G_L_Account_Card", 17, layouts.ACCOUNT_CARD, ("No",), entity="accounts", table="G/L Account"
)
DIMENSION_VALUES = PageService(
    "DimensionValues",
    537,
    layouts.DIMENSION_VALUES,
    ("Dimension_Code", "Code"),
    writable=True,
    entity="dimensionValues",
    table="Dimension Value",
)
LOCATIONS = PageService("Locations", 15, layouts.LOCATIONS, ("Code",), entity="locations", table="Location")
LOCATION_CARD = PageService(
    "LocationCard", 5703, layouts.LOCATION_CARD, ("Code",), entity="locations", table="Location"
)
PAYMENT_TERMS = PageService(
    "PaymentTerms", 4, layouts.PAYMENT_TERMS, ("Code",), entity="paymentTerms", table="Payment Terms"
)

PAGES: dict[int, PageService] = {
    service.page: service
    for service in (
        PURCHASE_ORDER,
        PURCHASE_INVOICES,
        POSTED_PURCHASE_INVOICES,
        VENDOR_CARD,
        VENDORS,
        G_L_ACCOUNTS,
        ACCOUNT_CARD,
        DIMENSION_VALUES,
        LOCATIONS,
        LOCATION_CARD,
        PAYMENT_TERMS,
    )
}
