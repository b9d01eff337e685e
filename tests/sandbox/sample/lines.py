"""The lines of sample documents: every line type, discounts, decimals, and the odd ones that real documents have."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tests.sandbox.business_central.amounts import decimal_of, discount_from_percent, percent_from_discount, rounded
from tests.sandbox.business_central.records import NO_ID, Document, Line, Row
from tests.sandbox.sample.catalogue import CURRENCIES, Article, Blueprint
from tests.sandbox.sample.masters import record_id

# ServiceNow's column for line descriptions holds 40 characters; this one has 57.
TOO_LONG = "ATHENS Conference Table with cable tray and 12 power unit"
COMMENTS = ("Please deliver before noon", "Gate 4, ring twice ☎", "As agreed on the phone", "Bitte avisieren")
COST_PRECISION = Decimal("0.00001")
KINDS = {"Item": 62, "Account": 13, "Resource": 6, "Fixed Asset": 2, "Charge": 6, "Comment": 9}


def billable_lines(order: Document) -> list[Line]:
    """The lines that an invoice can be for. An order of which all are billed would no longer exist."""
    return [line for line in order.lines if decimal_of(line.values, "quantity") > 0]


@dataclass
class LineMaker:
    """Makes the lines of one document; `kind` is ``order`` or ``invoice``."""

    blueprint: Blueprint
    rng: random.Random
    kind: str
    precision: Decimal

    def lines(self, document: Document, count: int) -> list[Line]:
        """So many lines, the first one never a comment."""
        lines = []
        for index in range(count):
            kinds = dict(KINDS) if index else KINDS | {"Comment": 0}
            kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
            lines.append(self._comment(document, index) if kind == "Comment" else self._line(document, index, kind))
        if count >= 4 and self.rng.random() < 0.1:
            self._give_back(lines[-1].values, lines[0].values)
        return lines

    def billed(self, document: Document, order: Document) -> list[Line]:
        """Invoice lines for a part of an order's lines; the order's received and invoiced quantities follow."""
        lines: list[Line] = []
        candidates = billable_lines(order)
        for ordered in candidates[: len(candidates) // 2]:
            quantity = ordered.values["quantity"]
            values = self._start(document, len(lines))
            for name in (
                "itemId accountId lineType lineObjectNumber description unitOfMeasureId unitOfMeasureCode "
                "discountPercent taxCode taxPercent expectedReceiptDate locationId"
            ).split():
                values[name] = ordered.values[name]
            values["quantity"] = quantity
            values["unitCost"] = ordered.values["directUnitCost"]
            discount_from_percent(values, self.precision)
            ordered.values |= {"receivedQuantity": quantity, "invoicedQuantity": quantity}
            ordered.values |= {"receiveQuantity": Decimal(0), "invoiceQuantity": Decimal(0)}
            lines.append(Line(values, dict(ordered.dimensions)))
        return lines

    def _line(self, document: Document, index: int, kind: str) -> Line:
        article = self.rng.choice([article for article in self.blueprint.articles if article.kind == kind])
        quantity = self._quantity(article)
        values = self._start(document, index)
        key = self.blueprint.key
        values |= {
            "itemId": record_id(key, "item", article.number) if kind == "Item" else NO_ID,
            "accountId": record_id(key, "account", article.number) if kind == "Account" else NO_ID,
            "lineType": kind,
            "lineObjectNumber": article.number,
            "description": article.description,
            "unitOfMeasureId": record_id(key, "unit", article.unit) if article.unit else NO_ID,
            "unitOfMeasureCode": article.unit,
            "quantity": quantity,
            self._cost_name: self._cost(article, document),
            "taxCode": article.tax_code,
            "taxPercent": self.blueprint.tax_percents[article.tax_code],
            "expectedReceiptDate": self._receipt_date(document),
            "locationId": self._location() if kind == "Item" else NO_ID,
        }
        self._discount(values)
        if self.kind == "order":
            values |= {"receiveQuantity": quantity, "invoiceQuantity": quantity}
        return Line(values, self._dimensions(document))

    def _comment(self, document: Document, index: int) -> Line:
        values = self._start(document, index)
        values |= {"lineType": "Comment", "description": self.rng.choice(COMMENTS)}
        return Line(values)

    def _start(self, document: Document, index: int) -> Row:
        sequence = (index + 1) * 10000
        values: Row = {
            "id": record_id(self.blueprint.key, self.kind, document.number, str(sequence)),
            "documentId": document.id,
            "sequence": sequence,
            "itemId": NO_ID,
            "accountId": NO_ID,
            "lineObjectNumber": "",
            "description2": "",
            "unitOfMeasureId": NO_ID,
            "unitOfMeasureCode": "",
            "quantity": Decimal(0),
            self._cost_name: Decimal(0),
            "discountAmount": Decimal(0),
            "discountPercent": Decimal(0),
            "discountAppliedBeforeTax": False,
            "taxCode": "",
            "taxPercent": Decimal(0),
            "expectedReceiptDate": date(1, 1, 1),
            "itemVariantId": NO_ID,
            "locationId": NO_ID,
        }
        if self.kind == "order":
            for name in ("receivedQuantity", "invoicedQuantity", "invoiceQuantity", "receiveQuantity"):
                values[name] = Decimal(0)
        return values

    @property
    def _cost_name(self) -> str:
        return "directUnitCost" if self.kind == "order" else "unitCost"

    def _quantity(self, article: Article) -> Decimal:
        if self.rng.random() < 0.02:
            return Decimal(0)
        if article.kind in {"Fixed Asset", "Charge"}:
            return Decimal(1)
        if article.unit in {"KG", "M"}:
            return Decimal(self.rng.randint(1_000, 90_000)) / 1000
        if article.unit == "HOUR":
            return Decimal(self.rng.randint(1, 64)) / 4
        return Decimal(self.rng.choice((1, 1, 2, 3, 4, 5, 6, 8, 10, 12, 25, 40)))

    def _cost(self, article: Article, document: Document) -> Decimal:
        cost = article.cost * Decimal(self.rng.randint(90, 115)) / 100
        currency = str(document.header["currencyCode"])
        if currency != self.blueprint.currency:
            cost *= CURRENCIES[currency].rate
        if document.header["pricesIncludeTax"]:
            cost *= 1 + self.blueprint.tax_percents[article.tax_code] / 100
        return rounded(cost, COST_PRECISION if self.rng.random() < 0.4 else self.precision)

    def _discount(self, values: Row) -> None:
        chance = self.rng.random()
        if chance < 0.2:
            values["discountPercent"] = self.rng.choice((Decimal(2), Decimal(5), Decimal("7.5"), Decimal("12.5")))
            discount_from_percent(values, self.precision)
        elif chance < 0.24 and values["quantity"]:
            values["discountAmount"] = self.precision * self.rng.randint(1, 150)
            percent_from_discount(values, self.precision)

    def _location(self) -> str:
        return record_id(self.blueprint.key, "location", self.rng.choice(("EAST", "WEST", "MAIN")))

    def _receipt_date(self, document: Document) -> date:
        posting = document.header["postingDate"]
        return posting + timedelta(days=self.rng.randint(3, 40)) if isinstance(posting, date) else date(1, 1, 1)

    def _dimensions(self, document: Document) -> dict[str, str]:
        dimensions = dict(document.dimensions)
        chance = self.rng.random()
        if chance < 0.25:
            dimensions["DEPARTMENT"] = self.rng.choice(("ADM", "PROD", "PURCHASING", "SALES", "WAREHOUSE"))
        elif chance < 0.28:
            dimensions.pop("DEPARTMENT", None)
        if self.rng.random() < 0.15:
            dimensions["PROJECT"] = self.rng.choice(self.blueprint.projects)[0]
        return dimensions

    def _give_back(self, values: Row, first: Row) -> None:
        """Turns the last line into a returned piece of the first."""
        if first["quantity"] == 0 or values["lineType"] == "Comment":
            return
        for name in (
            "itemId accountId lineType lineObjectNumber unitOfMeasureId unitOfMeasureCode taxCode taxPercent locationId "
            f"{self._cost_name}"
        ).split():
            values[name] = first[name]
        quantity = first["quantity"]
        returned = -min(Decimal(1), quantity) if isinstance(quantity, Decimal) else Decimal(-1)
        values |= {"description": "Returned", "quantity": returned, "discountPercent": Decimal(0)}
        values["discountAmount"] = Decimal(0)
        if self.kind == "order":
            values |= {"receiveQuantity": returned, "invoiceQuantity": returned}
