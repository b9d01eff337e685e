"""The purchase orders and invoices of a sample company: seeded, the same in every run, with a document for every rule.

Ordinary documents come from the generator. What must occur an exact number of times (long documents, a line description that
is too long, payment terms without a translation, a vendor unknown to ServiceNow) is placed by position.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from tests.sandbox.business_central.amounts import compute, currency_precision
from tests.sandbox.business_central.records import NO_ID, Document, Row
from tests.sandbox.sample.catalogue import UNTRANSLATED_TERMS, Blueprint, Vendor
from tests.sandbox.sample.lines import TOO_LONG, LineMaker, billable_lines
from tests.sandbox.sample.masters import currency_id, record_id

FIRST_DAY = date(2025, 7, 1)
# The first entries of each list are Open: the special documents below count on it.
ORDER_STATUSES = ("Open",) * 7 + ("Draft", "In Review", "Draft")
ORDER_STATUSES_LATER = ("Open",) * 7 + ("In Review", "Draft", "In Review")
INVOICE_STATUSES = ("Open",) * 5 + ("Draft", "Paid", "Draft", "Paid", "Canceled")


@dataclass(frozen=True)
class Special:
    """What sets one document, by its position, apart from the generated rest."""

    lines: int = 0
    vendor: str = ""
    terms: str = ""
    too_long: bool = False


SPECIAL_ORDERS: dict[tuple[str, int], Special] = {
    ("US", 11): Special(lines=60),
    ("US", 20): Special(vendor="50000"),
    ("US", 34): Special(terms=UNTRANSLATED_TERMS),
    ("US", 45): Special(vendor="50000"),
    ("US", 82): Special(lines=41),
    ("DE", 33): Special(lines=52),
    ("DE", 60): Special(terms=UNTRANSLATED_TERMS),
}
SPECIAL_INVOICES: dict[tuple[str, int], Special] = {("US", 20): Special(too_long=True)}
PRICES_INCLUDE_TAX_EVERY = 16
# Positions within each thirty whose goods are all there while the invoice is not.
FULLY_RECEIVED = (3, 16)
# Documents released by one batch job carry the very same stamp.
BATCH_RELEASED = range(100, 106)


@dataclass
class Maker:
    """Makes the documents of one company."""

    blueprint: Blueprint
    tables: dict[str, list[Row]]
    rng: random.Random
    orders: list[Document] = field(default_factory=list)

    def all_orders(self) -> list[Document]:
        """The purchase orders."""
        self.orders = [self._order(position) for position in range(self.blueprint.orders)]
        return self.orders

    def all_invoices(self) -> list[Document]:
        """The purchase invoices; every fourth posted one bills a part of an order."""
        billable = iter(self._billable_orders())
        return [self._invoice(position, billable) for position in range(self.blueprint.invoices)]

    def _order(self, position: int) -> Document:
        special = SPECIAL_ORDERS.get((self.blueprint.key, position), Special())
        statuses = ORDER_STATUSES if position // 10 % 2 == 0 else ORDER_STATUSES_LATER
        vendor = self._vendor(special)
        number = str(106001 + position)
        day = FIRST_DAY + timedelta(days=position * 160 // self.blueprint.orders)
        header = self._header("order", number, vendor, day)
        header |= {
            "orderDate": day,
            "paymentTermsId": record_id(self.blueprint.key, "terms", special.terms or vendor.terms),
            "requestedReceiptDate": day + timedelta(days=self.rng.randint(5, 30)),
            "pricesIncludeTax": self._includes_tax(position),
            "fullyReceived": False,
            "status": statuses[position % 10],
            "lastModifiedDateTime": self._stamp(position, day),
        }
        maker = self._lines("order", header)
        document = Document(header, [], self._dimensions(header))
        document.lines = maker.lines(document, special.lines or self._line_count())
        if position % 30 in FULLY_RECEIVED:
            _receive(document)
        self._finish(document)
        return document

    def _invoice(self, position: int, billable: Iterator[Document]) -> Document:
        special = SPECIAL_INVOICES.get((self.blueprint.key, position), Special())
        status = INVOICE_STATUSES[position % 10]
        # A draft takes its number from another series than a posted invoice.
        number = str((107200 if status == "Draft" else 108000) + position)
        order = None
        if position % 4 == 1 and status in {"Open", "Paid"} and not special.too_long:
            order = next(billable, None)
        vendor = self._vendor_of(order) if order is not None else self._vendor(special)
        day = FIRST_DAY + timedelta(days=10 + position * 150 // self.blueprint.invoices)
        header = self._header("invoice", number, vendor, day)
        header |= {
            "invoiceDate": day,
            "dueDate": day + timedelta(days=30),
            # Drafts are often entered before the paper is at hand.
            "vendorInvoiceNumber": ""
            if status == "Draft" and position % 20 == 5
            else f"INV-{vendor.number}-{position + 1}",
            "payToContact": "",
            "orderId": order.id if order else NO_ID,
            "orderNumber": order.number if order else "",
            "pricesIncludeTax": self._includes_tax(position) if order is None else order.header["pricesIncludeTax"],
            "status": status,
            "lastModifiedDateTime": self._stamp(position, day),
        }
        maker = self._lines("invoice", header)
        document = Document(header, [], dict(order.dimensions) if order else self._dimensions(header))
        if order is not None:
            for number_of_dimension in (1, 2):
                prop = f"shortcutDimension{number_of_dimension}Code"
                header[prop] = order.header[prop]
            document.lines = maker.billed(document, order)
        else:
            document.lines = maker.lines(document, self._line_count())
        if special.too_long:
            document.lines[0].values["description"] = TOO_LONG
        self._finish(document)
        return document

    def _header(self, kind: str, number: str, vendor: Vendor, day: date) -> Row:
        blueprint = self.blueprint
        currency = vendor.currency or blueprint.currency
        vendor_id = record_id(blueprint.key, "vendor", vendor.number)
        header: Row = {
            "id": record_id(blueprint.key, kind, number),
            "number": number,
            "postingDate": day,
            "vendorId": vendor_id,
            "vendorNumber": vendor.number,
            "vendorName": vendor.name,
            "payToName": vendor.name,
            "payToVendorId": vendor_id,
            "payToVendorNumber": vendor.number,
            "shipToName": blueprint.name,
            "shipToContact": "",
            "currencyId": currency_id(blueprint, currency),
            "currencyCode": currency,
            "purchaser": self.rng.choice(("EH", "OF", "HR", "")),
            "discountAmount": Decimal(0),
            "discountAppliedBeforeTax": False,
        }
        street, second, city, state, post_code = blueprint.address
        ours = (street, second, city, blueprint.country, state, post_code)
        theirs = (vendor.street, "", vendor.city, vendor.country, vendor.state, vendor.post_code)
        for prefix, values in (("buyFrom", theirs), ("payTo", theirs), ("shipTo", ours)):
            names = ("AddressLine1", "AddressLine2", "City", "Country", "State", "PostCode")
            header |= {prefix + name: value for name, value in zip(names, values, strict=True)}
        return header

    def _lines(self, kind: str, header: Row) -> LineMaker:
        precision = currency_precision(self.tables["currencies"], str(header["currencyCode"]))
        return LineMaker(self.blueprint, self.rng, kind, precision)

    def _finish(self, document: Document) -> None:
        precision = currency_precision(self.tables["currencies"], str(document.header["currencyCode"]))
        compute(document, precision)
        gets_discount = self.rng.random() < 0.15 and not document.header["pricesIncludeTax"]
        total = document.header["totalAmountExcludingTax"]
        if gets_discount and isinstance(total, Decimal) and total > 100 * precision:
            percent = self.rng.choice((Decimal("1.5"), Decimal(3), Decimal(5)))
            document.header["discountAmount"] = (total * percent / 100).quantize(precision)
            compute(document, precision)

    def _dimensions(self, header: Row) -> dict[str, str]:
        dimensions = {"DEPARTMENT": self.rng.choice(("ADM", "PROD", "PURCHASING", "SALES", "WAREHOUSE"))}
        if self.rng.random() < 0.5:
            dimensions["PROJECT"] = self.rng.choice(self.blueprint.projects)[0]
        if self.rng.random() < 0.3:
            dimensions["AREA"] = self.rng.choice(("30", "40", "70"))
        header["shortcutDimension1Code"] = dimensions["DEPARTMENT"]
        header["shortcutDimension2Code"] = dimensions.get("PROJECT", "")
        return dimensions

    def _vendor(self, special: Special) -> Vendor:
        if special.vendor:
            return next(vendor for vendor in self.blueprint.vendors if vendor.number == special.vendor)
        shares = [vendor.share for vendor in self.blueprint.vendors]
        return self.rng.choices(self.blueprint.vendors, shares)[0]

    def _vendor_of(self, order: Document) -> Vendor:
        return next(vendor for vendor in self.blueprint.vendors if vendor.number == order.header["vendorNumber"])

    def _billable_orders(self) -> list[Document]:
        special = {position for key, position in SPECIAL_ORDERS if key == self.blueprint.key}
        return [
            order
            for position, order in enumerate(self.orders)
            if order.header["status"] == "Open"
            and position not in special
            and not order.header["fullyReceived"]
            and len(billable_lines(order)) >= 2
        ]

    def _includes_tax(self, position: int) -> bool:
        # Sales tax is never part of a price, so only the company with value added tax has such documents.
        return self.blueprint.key == "DE" and position % PRICES_INCLUDE_TAX_EVERY == 2

    def _line_count(self) -> int:
        kind = self.rng.random()
        if kind < 0.08:
            return self.rng.randint(1, 2)
        return self.rng.randint(3, 12) if kind < 0.9 else self.rng.randint(13, 25)

    def _stamp(self, position: int, day: date) -> datetime:
        if position in BATCH_RELEASED:
            return datetime(2025, 12, 1, 6, 30, 0, 500000, tzinfo=UTC)
        moment = datetime.combine(day, time(7), UTC) + timedelta(milliseconds=self.rng.randrange(36_000_000))
        # Stamps of real systems often end in zeros, which the wire then cuts.
        return moment.replace(microsecond=moment.microsecond // 10_000 * 10_000) if position % 3 == 0 else moment


def _receive(order: Document) -> None:
    order.header["fullyReceived"] = True
    for line in order.lines:
        line.values |= {"receivedQuantity": line.values["quantity"], "receiveQuantity": Decimal(0)}
