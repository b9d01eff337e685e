"""Documents for golden rows: every line type, taxes, discounts and currencies, from a company with three warehouses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from connector.decisions.mapping import Rules
from connector.decisions.receipts import by_order_lines
from connector.model.documents import DimensionValue, Document, Entity, Line
from connector.model.profile import Profile, Translations
from tests.unit.builders import COMPANY, TRANSLATIONS, comment, invoice, line, order

WEB_CLIENT = "https://businesscentral.dynamics.com/22222222-2222-2222-2222-222222222222/Production"
TAX_TYPES = {"FURNITURE": "Sales tax", "VAT19": "VAT standard", "VAT7": "VAT reduced"}
EVERY = TRANSLATIONS.model_copy(
    update={"tax_types": TAX_TYPES, "locations": {"EAST": "East warehouse", "WEST": "West warehouse", "MAIN": "Main"}}
)


def rules(profile: Profile, translations: Translations = EVERY) -> Rules:
    """The company's rules with links into Business Central."""
    company = COMPANY.model_copy(update={"name": "CRONUS USA, Inc."})
    return Rules(company, profile, translations, WEB_CLIENT)


def _at(location: str, department: str, **more: Any) -> dict[str, Any]:
    return {"location": location, "dimensions": (DimensionValue("DEPARTMENT", department),), **more}


def _taxed(code: str, percent: str, amount: str) -> dict[str, Any]:
    return {"tax_code": code, "tax_percent": Decimal(percent), "tax_amount": Decimal(amount)}


def _amounts(quantity: str, unit_cost: str, amount: str, share: str = "0") -> dict[str, Any]:
    return {
        "quantity": Decimal(quantity),
        "unit_cost": Decimal(unit_cost),
        "amount": Decimal(amount),
        "header_discount_share": Decimal(share),
    }


def three_warehouses() -> Document:
    """An order with a line of every type: desks for three warehouses, each on its own cost centre; freight, work, a truck, a
    charge, a text, goods that go back, and a line without a quantity. A header discount of 10.00 lies on the desks."""
    return order(
        line(10000, **_at("EAST", "ADM"), **_amounts("4", "25", "100", "5"), **_taxed("FURNITURE", "6", "5.70")),
        line(20000, **_at("WEST", "PROD"), **_amounts("2", "25", "50", "2.50"), **_taxed("FURNITURE", "6", "2.85")),
        line(30000, **_at("MAIN", "SALES"), **_amounts("2", "25", "50", "2.50"), **_taxed("FURNITURE", "6", "2.85")),
        _other(40000, "Account", "61300", "Freight in", "1", "30.005", "30.01"),
        _other(50000, "Resource", "LIFT", "Fork lift, by the hour", "1.5", "40", "60"),
        _other(60000, "Fixed Asset", "FA000010", "Truck", "1", "1999.99", "1999.99"),
        _other(70000, "Charge", "FREIGHT", "Freight charge", "1", "12.5", "12.50"),
        comment(80000),
        _other(90000, "Item", "1896-S", "ATHENS Desk, returned", "-1", "25", "-25"),
        _other(100000, "Item", "1900-S", "PARIS Chair, later", "0", "120", "0"),
        discount_amount=Decimal(10),
    )


def _other(sequence: int, kind: str, number: str, text: str, quantity: str, cost: str, amount: str) -> Line:
    return line(
        sequence,
        type=kind,
        object_number=number,
        description=text,
        expected_receipt=None,
        **_at("", "ADM"),
        **_amounts(quantity, cost, amount),
        **_taxed("", "0", "0"),
    )


def in_currency(code: str, price: str, amount: str, tax: str) -> Document:
    """An order of one line in another currency."""
    return order(
        line(**_amounts("3", price, amount), **_taxed("FURNITURE", "6", tax)), currency=code, number=f"106-{code}"
    )


def order_invoice() -> Document:
    """A posted invoice of an order, with two taxes, in euros, its prices with tax."""
    return invoice(
        line(10000, **_at("EAST", "ADM"), **_amounts("2", "119", "200"), **_taxed("VAT19", "19", "38")),
        line(20000, **_at("WEST", "PROD"), **_amounts("1", "53.5", "50"), **_taxed("VAT7", "7", "3.50")),
        line(30000, **_at("MAIN", "SALES"), **_amounts("1", "11.9", "10"), **_taxed("VAT19", "19", "1.90")),
        currency="EUR",
        prices_include_tax=True,
        order_number="106001",
    )


def plain_invoice() -> Document:
    """A posted invoice without an order, in a currency without decimals."""
    billed = line(**_amounts("3", "1200", "3600"), **_taxed("VAT19", "19", "684"))
    return invoice(billed, currency="JPY", number="108030", vendor_invoice_number="")


def credit_memo() -> Document:
    """A posted credit memo for one line of the order's invoice."""
    return invoice(
        line(10000, **_at("EAST", "ADM"), **_amounts("1", "100", "100"), **_taxed("VAT19", "19", "19")),
        entity=Entity.CREDIT_MEMO,
        id="2773153c-6329-f111-8340-000d3a11d3d8",
        number="109001",
        currency="EUR",
        document_date=date(2026, 8, 20),
        vendor_invoice_number="CM-77",
        applies_to_id="1773153c-6329-f111-8340-000d3a11d3d8",
        applies_to_number="108029",
    )


def partial_receipt() -> Document:
    """A receipt of part of the order for three warehouses: two of the four desks in the east; the two in the west, of which one
    was sent back with a line of its own; nothing yet in the main warehouse."""
    received = order(
        _received(10000, "2"),
        _received(20000, "2"),
        _received(25000, "-2"),
        comment(80000),
        entity=Entity.RECEIPT,
        id="3773153c-6329-f111-8340-000d3a11d3d8",
        number="107031",
        status="Posted",
        order_number="106001",
    )
    return by_order_lines(received, {each.sequence for each in three_warehouses().lines})


def _received(sequence: int, quantity: str) -> Line:
    return line(sequence, **_amounts(quantity, "25", "0"), **_taxed("", "0", "0"))


def documents() -> Mapping[str, Document]:
    """All of them by name."""
    return {
        "order: every line type, three warehouses": three_warehouses(),
        "order: no decimals": in_currency("JPY", "1200", "3600", "216"),
        "order: three decimals": in_currency("KWD", "1.2345", "3.704", "0.222"),
        "invoice: of an order, two taxes, prices with tax": order_invoice(),
        "invoice: without an order, no decimals": plain_invoice(),
        "credit memo: for an invoice": credit_memo(),
        "receipt: partial, one line undone": partial_receipt(),
    }
