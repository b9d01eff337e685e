"""Sound documents, a company and the shipped rules, for tests that change one thing in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connector.decisions.mapping import Rules
from connector.model.documents import DimensionValue, Document, Entity, Line
from connector.model.profile import Profile, Translations
from connector.named_files import load_profile
from connector.setting_words import Company

COMPANY = Company(
    key="us",
    id="22222222-2222-2222-2222-222222222222",
    erp_source="BC-US",
    legal_entity="US01",
    local_currency="USD",
    invoice_source="Business Central US",
    cost_centre_dimension="DEPARTMENT",
)

SUPPLIERS: Mapping[str, tuple[str, ...]] = {"20000": ("First Up Consultants",)}

TRANSLATIONS = Translations(
    payment_terms={"1M(8D)": "Net 30"},
    cost_centres={"ADM": "CC-100", "PROD": "CC-200", "SALES": "CC-300"},
    tax_codes={"FURNITURE": "US-FURN"},
    units={"PCS": "Each"},
)


def line(sequence: int = 10000, **changes: Any) -> Line:
    """One item line of 100.00 with 6 % tax; its net amount follows its amount unless it is given."""
    sound = Line(
        id=f"8d46f200-9580-f111-8070-{sequence:012d}",
        sequence=sequence,
        type="Item",
        object_number="1896-S",
        description="ATHENS Desk",
        unit="PCS",
        quantity=Decimal(4),
        unit_cost=Decimal(25),
        amount=Decimal(100),
        header_discount_share=Decimal(0),
        net_amount=Decimal(100),
        tax_code="FURNITURE",
        tax_percent=Decimal(6),
        tax_amount=Decimal(6),
        expected_receipt=date(2026, 7, 22),
        location="MAIN",
        dimensions=(DimensionValue("DEPARTMENT", "ADM"),),
    )
    if "amount" in changes and "net_amount" not in changes:
        share = changes.get("header_discount_share")
        # Not a needless subtraction of nothing: it would round to the default context's 28 digits.
        changes["net_amount"] = changes["amount"] - share if share else changes["amount"]
    return replace(sound, **changes)


def comment(sequence: int) -> Line:
    """A text line: no object, no amount."""
    return line(
        sequence,
        type="Comment",
        object_number="",
        description="Deliver to the back door",
        unit="",
        quantity=Decimal(0),
        unit_cost=Decimal(0),
        amount=Decimal(0),
        tax_code="",
        tax_percent=Decimal(0),
        tax_amount=Decimal(0),
        expected_receipt=None,
        location="",
        dimensions=(),
    )


def order(*lines: Line, **changes: Any) -> Document:
    """A released order with these lines (one line without any); its totals follow the lines unless they are given."""
    lines = lines or (line(),)
    net = sum((each.net_amount for each in lines), Decimal(0))
    tax = sum((each.tax_amount for each in lines), Decimal(0))
    sound = Document(
        entity=Entity.PURCHASE_ORDER,
        company="us",
        id="7c46f200-9580-f111-8070-0022483430dd",
        number="106001",
        status="Open",
        modified=datetime(2026, 7, 15, 21, 34, 51, 827000, tzinfo=UTC),
        document_date=date(2026, 7, 15),
        posting_date=date(2026, 7, 15),
        due_date=None,
        vendor_number="20000",
        vendor_name="First Up Consultants",
        vendor_invoice_number="",
        currency="USD",
        prices_include_tax=False,
        payment_terms="1M(8D)",
        order_number="",
        discount_amount=Decimal(0),
        net_total=net,
        tax_total=tax,
        gross_total=net + tax,
        dimensions=(DimensionValue("DEPARTMENT", "ADM"),),
        lines=lines,
    )
    return replace(sound, **changes)


def invoice(*lines: Line, **changes: Any) -> Document:
    """A posted invoice with these lines."""
    posted: dict[str, Any] = {
        "entity": Entity.PURCHASE_INVOICE,
        "id": "1773153c-6329-f111-8340-000d3a11d3d8",
        "number": "108029",
        "payment_terms": "",
        "vendor_invoice_number": "INV-2026-77",
        "due_date": date(2026, 8, 15),
    }
    return replace(order(*lines), **posted | changes)


def rules(profile: Profile | None = None, translations: Translations = TRANSLATIONS) -> Rules:
    """The shipped profile's rules for the company, or those of another profile."""
    return Rules(COMPANY, profile or load_profile("source_to_pay"), translations)
