"""Mapping: whole documents against rows written out by hand, every fault at once, equal hash for equal rows only."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.decisions.mapping import MappedDocument, Rules, clean, map_document
from connector.errors import DocumentFault, Reason
from connector.model.documents import DimensionValue, Document
from connector.model.profile import Profile, Translations
from connector.named_files import load_profile
from tests.unit.builders import SUPPLIERS, comment, invoice, line, order, rules

ALLOCATION: dict[str, Any] = {
    "table": "u_imp_allocation",
    "key": ["u_line", "u_cost_center"],
    "columns": {
        "u_line": {"value": "line.sequence"},
        "u_cost_center": {"value": "allocation.cost_centre", "translate": "cost_centres"},
        "u_percent": {"value": "allocation.percent", "format": "number"},
        "u_amount": {"value": "allocation.amount", "format": "money"},
    },
}


def mapped(document: Document, with_rules: Rules | None = None) -> MappedDocument:
    """The document mapped by the shipped rules, or by others."""
    return map_document(document, with_rules or rules(), SUPPLIERS)


def reasons(document: Document, with_rules: Rules | None = None) -> list[Reason]:
    """Why the document cannot be mapped."""
    with pytest.raises(DocumentFault) as fault:
        mapped(document, with_rules)
    return list(fault.value.reasons)


def faults(document: Document, with_rules: Rules | None = None) -> list[tuple[str, str]]:
    """Code and place of every reason why the document cannot be mapped."""
    return [(reason.code, reason.where) for reason in reasons(document, with_rules)]


def changed(route: str, table: str, column: str, **changes: Any) -> Profile:
    """The shipped profile with one column's rule changed."""
    data = load_profile("source_to_pay").model_dump()
    data["routes"][route][table]["columns"][column] |= changes
    # A key that is unknown once the document is gone does not go with a way to cancel it.
    data["routes"][route]["cancelled"] = {}
    return Profile.model_validate(data)


def allocating(**keys: dict[str, Decimal]) -> Rules:
    """Rules that write allocation rows, with these allocation keys."""
    data = load_profile("source_to_pay").model_dump()
    data["routes"]["purchaseOrders"]["allocation"] = ALLOCATION
    data["allocation_keys"] = keys
    return rules(Profile.model_validate(data))


def test_an_order_becomes_the_rows_a_person_would_write() -> None:
    document = order(
        line(
            10000,
            id="8d46f200-9580-f111-8070-0022483430dd",
            quantity=Decimal(4),
            unit_cost=Decimal("780.7"),
            amount=Decimal("3122.8"),
            tax_amount=Decimal("187.37"),
        ),
        comment(20000),
        line(
            30000,
            id="30000000-9580-f111-8070-0022483430dd",
            type="Account",
            object_number="8240",
            description="Freight",
            unit="",
            quantity=Decimal(1),
            unit_cost=Decimal(100),
            amount=Decimal(100),
            tax_code="NOTAX",
            tax_percent=Decimal(0),
            tax_amount=Decimal(0),
            expected_receipt=None,
            location="",
            dimensions=(DimensionValue("AREA", "10"), DimensionValue("DEPARTMENT", "SALES")),
        ),
        line(
            40000,
            id="40000000-9580-f111-8070-0022483430dd",
            type="Charge",
            object_number="JB-FREIGHT",
            description="Customs",
            quantity=Decimal("0.5"),
            unit_cost=Decimal("25.12345"),
            amount=Decimal("12.56"),
            tax_amount=Decimal("0.75"),
            dimensions=(),
        ),
        line(
            50000,
            id="50000000-9580-f111-8070-0022483430dd",
            type="Fixed Asset",
            object_number="FA000010",
            description="Truck",
            quantity=Decimal(1),
            unit_cost=Decimal(20000),
            amount=Decimal(20000),
            tax_amount=Decimal(1200),
        ),
        line(
            60000,
            id="60000000-9580-f111-8070-0022483430dd",
            type="Resource",
            object_number="LINA",
            description="Fitting",
            unit="HOUR",
            quantity=Decimal(-2),
            unit_cost=Decimal(50),
            amount=Decimal(-100),
            tax_amount=Decimal(-6),
        ),
    )
    result = mapped(document)
    assert result.id == "7c46f200-9580-f111-8070-0022483430dd"
    key = ("BC-US", "106001")
    assert [(row.table, row.key, row.where) for row in result.rows] == [
        ("sn_fcms_intg_imp_order", key, ""),
        ("sn_fcms_intg_imp_order_line", (*key, "10000"), "10000"),
        ("sn_fcms_intg_imp_order_line", (*key, "30000"), "30000"),
        ("sn_fcms_intg_imp_order_line", (*key, "40000"), "40000"),
        ("sn_fcms_intg_imp_order_line", (*key, "50000"), "50000"),
        ("sn_fcms_intg_imp_order_line", (*key, "60000"), "60000"),
    ]
    assert result.header is result.rows[0]
    of_order = {"u_erp_source": "BC-US", "u_erp_po_number": "106001"}
    assert [dict(row.columns) for row in result.rows] == [
        of_order
        | {
            "u_legal_entity": "US01",
            "u_supplier_company_name": "First Up Consultants",
            "u_order_type": "Standard",
            "u_payment_term": "Net 30",
            "u_po_amount": "23135.36",
            "u_po_amount_currency": "USD",
            "u_cost_center": "CC-100",
        },
        of_order
        | {
            "u_erp_po_line_number": "10000",
            "u_erp_line_id": "8d46f200-9580-f111-8070-0022483430dd",
            "u_short_description": "ATHENS Desk",
            "u_supplier_part_number": "1896-S",
            "u_quantity": "4",
            "u_unit_price": "780.70",
            "u_uom": "Each",
            "u_line_amount": "3122.80",
            "u_currency": "USD",
            "u_tax_code": "US-FURN",
            "u_tax_amount": "187.37",
            "u_expected_delivery_date": "2026-07-22",
            "u_cost_center": "CC-100",
            "u_location": "MAIN",
        },
        of_order
        | {
            "u_erp_po_line_number": "30000",
            "u_erp_line_id": "30000000-9580-f111-8070-0022483430dd",
            "u_short_description": "Freight",
            "u_quantity": "1",
            "u_unit_price": "100.00",
            "u_line_amount": "100.00",
            "u_currency": "USD",
            "u_tax_code": "NOTAX",
            "u_tax_amount": "0.00",
            "u_cost_center": "CC-300",
            "u_gl_account": "8240",
        },
        of_order
        | {
            "u_erp_po_line_number": "40000",
            "u_erp_line_id": "40000000-9580-f111-8070-0022483430dd",
            "u_short_description": "Customs",
            "u_quantity": "0.5",
            "u_unit_price": "25.12345",
            "u_uom": "Each",
            "u_line_amount": "12.56",
            "u_currency": "USD",
            "u_tax_code": "US-FURN",
            "u_tax_amount": "0.75",
            "u_expected_delivery_date": "2026-07-22",
            "u_location": "MAIN",
        },
        of_order
        | {
            "u_erp_po_line_number": "50000",
            "u_erp_line_id": "50000000-9580-f111-8070-0022483430dd",
            "u_short_description": "Truck",
            "u_quantity": "1",
            "u_unit_price": "20000.00",
            "u_uom": "Each",
            "u_line_amount": "20000.00",
            "u_currency": "USD",
            "u_tax_code": "US-FURN",
            "u_tax_amount": "1200.00",
            "u_expected_delivery_date": "2026-07-22",
            "u_cost_center": "CC-100",
            "u_location": "MAIN",
        },
        of_order
        | {
            "u_erp_po_line_number": "60000",
            "u_erp_line_id": "60000000-9580-f111-8070-0022483430dd",
            "u_short_description": "Fitting",
            "u_quantity": "-2",
            "u_unit_price": "50.00",
            "u_uom": "HOUR",
            "u_line_amount": "-100.00",
            "u_currency": "USD",
            "u_tax_code": "US-FURN",
            "u_tax_amount": "-6.00",
            "u_expected_delivery_date": "2026-07-22",
            "u_cost_center": "CC-100",
            "u_location": "MAIN",
        },
    ]


def test_an_invoice_whose_prices_include_tax_becomes_the_rows_a_person_would_write() -> None:
    document = invoice(
        line(
            10000,
            id="8d46f200-9580-f111-8070-0022483430dd",
            quantity=Decimal(3),
            unit_cost=Decimal("11.90"),
            amount=Decimal("30.00"),
            header_discount_share=Decimal("1.50"),
            tax_code="VAT19",
            tax_percent=Decimal(19),
            tax_amount=Decimal("5.42"),
        ),
        comment(20000),
        currency="EUR",
        prices_include_tax=True,
        order_number="106001",
        discount_amount=Decimal("1.50"),
    )
    result = mapped(document)
    key = ("1773153c-6329-f111-8340-000d3a11d3d8", "Business Central US", "BC-US")
    assert [(row.table, row.key, row.where) for row in result.rows] == [
        ("sn_spend_intg_imp_invoice", key, ""),
        ("sn_spend_intg_imp_invoice_line", (*key, "10000"), "10000"),
    ]
    of_invoice = {
        "u_external_invoice_number": "1773153c-6329-f111-8340-000d3a11d3d8",
        "u_external_invoice_source": "Business Central US",
        "u_erp_source": "BC-US",
    }
    assert [dict(row.columns) for row in result.rows] == [
        of_invoice
        | {
            "u_erp_number": "108029",
            "u_supplier_invoice_number": "INV-2026-77",
            "u_supplier": "20000",
            "u_invoice_date": "2026-07-15",
            "u_invoice_type": "po_invoice",
            "u_legal_entity": "US01",
            "u_purchase_order": "106001",
            "u_subtotal": "28.50",
            "u_other_charges": "0.00",
            "u_discounts": "0.00",
            "u_tax_amount": "5.42",
            "u_amount_invoiced": "33.92",
            "u_currency": "EUR",
            "u_invoice_line_count": "1",
        },
        of_invoice
        | {
            "u_erp_line_number": "10000",
            "u_line_description": "ATHENS Desk",
            "u_line_quantity": "3",
            "u_line_unit_price": "10.00",
            "u_subtotal": "28.50",
            "u_line_amount_invoiced": "33.92",
            "u_tax_code": "VAT19",
            "u_tax_amount": "5.42",
            "u_currency": "EUR",
            "u_cost_center": "CC-100",
            "u_uom": "Each",
            "u_supplier_part_number": "1896-S",
        },
    ]


def test_an_invoice_without_an_order_is_a_non_po_invoice() -> None:
    columns = mapped(invoice()).header.columns
    assert columns["u_invoice_type"] == "non_po_invoice"
    assert "u_purchase_order" not in columns


@pytest.mark.parametrize(
    ("currency", "amount", "tax", "texts"),
    [
        ("JPY", "1500", "150", ("1500", "150")),
        ("JPY", "1500.00", "150.00", ("1500", "150")),
        ("KWD", "12.5", "0.625", ("12.500", "0.625")),
        ("USD", "1234567890123456.78", "0", ("1234567890123456.78", "0.00")),
        ("USD", "-100", "-6", ("-100.00", "-6.00")),
        ("USD", "0", "-0.00", ("0.00", "0.00")),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    currency: str, amount: str, tax: str, texts: tuple[str, str]
) -> None:
    document = order(line(amount=Decimal(amount), tax_amount=Decimal(tax)), currency=currency)
    _, row = mapped(document).rows
    assert (row.columns["u_line_amount"], row.columns["u_tax_amount"]) == texts


@pytest.mark.parametrize(
    ("cost", "percent", "price"),
    [("119", "19", "100.00"), ("100", "19", "84.03361"), ("100", "0", "100.00"), ("0.00001", "25", "0.00001")],
)
def test_a_price_that_includes_tax_is_written_without_it(cost: str, percent: str, price: str) -> None:
    document = order(line(unit_cost=Decimal(cost), tax_percent=Decimal(percent)), prices_include_tax=True)
    assert mapped(document).rows[1].columns["u_unit_price"] == price


def test_a_tax_of_minus_100_percent_cannot_be_taken_out_of_a_price() -> None:
    assert faults(order(line(tax_percent=Decimal(-100)), prices_include_tax=True))


def test_a_header_discount_that_bc_has_not_spread_is_spread_over_the_lines() -> None:
    lines = (line(10000, amount=Decimal(100)), line(20000, amount=Decimal(200)))
    document = order(
        *lines, discount_amount=Decimal("10.00"), net_total=Decimal("290.00"), gross_total=Decimal("302.00")
    )
    rows = mapped(document).rows
    assert [row.columns["u_line_amount"] for row in rows[1:]] == ["96.67", "193.33"]
    assert rows[0].columns["u_po_amount"] == "290.00"


@pytest.mark.parametrize(
    ("amounts", "discount"),
    [(("100", "200"), "10.005"), (("100", "-100"), "10")],
    ids=["more decimals than the currency", "lines that cancel"],
)
def test_a_header_discount_that_cannot_be_spread_parks(amounts: tuple[str, ...], discount: str) -> None:
    lines = [line(10000 * number, amount=Decimal(amount)) for number, amount in enumerate(amounts, start=1)]
    net = sum((each.net_amount for each in lines), Decimal(0)) - Decimal(discount)
    document = order(*lines, discount_amount=Decimal(discount), net_total=net, gross_total=net + 12)
    assert faults(document)


def test_an_allocation_amount_that_cannot_be_split_parks() -> None:
    document = order(line(amount=Decimal("100.005")))
    assert faults(document, allocating(ADM={"PROD": Decimal(50), "SALES": Decimal(50)}))


def test_the_cost_centre_carries_the_whole_line_without_an_allocation_key() -> None:
    rows = mapped(order(line(10000)), allocating()).rows
    assert [dict(row.columns) for row in rows if row.table == "u_imp_allocation"] == [
        {"u_line": "10000", "u_cost_center": "CC-100", "u_percent": "100", "u_amount": "100.00"}
    ]


def test_an_allocation_key_splits_each_line_exactly_and_its_rows_come_last() -> None:
    key = {"ADM": Decimal("33.34"), "PROD": Decimal("33.33"), "SALES": Decimal("33.33")}
    document = order(line(10000, amount=Decimal("0.01")), comment(15000), line(20000, amount=Decimal("-100.00")))
    rows = mapped(document, allocating(ADM=key)).rows
    assert [row.table for row in rows] == (
        ["sn_fcms_intg_imp_order"] + ["sn_fcms_intg_imp_order_line"] * 2 + ["u_imp_allocation"] * 6
    )
    parts = [(row.where, row.columns["u_cost_center"], row.columns["u_amount"]) for row in rows[3:]]
    assert parts == [
        ("10000", "CC-100", "0.01"),
        ("10000", "CC-200", "0.00"),
        ("10000", "CC-300", "0.00"),
        ("20000", "CC-100", "-33.34"),
        ("20000", "CC-200", "-33.33"),
        ("20000", "CC-300", "-33.33"),
    ]
    assert [row.columns["u_percent"] for row in rows[3:6]] == ["33.34", "33.33", "33.33"]


def test_a_line_whose_type_the_profile_skips_is_not_counted() -> None:
    document = invoice(line(10000), comment(20000), comment(30000))
    rows = mapped(document).rows
    assert len(rows) == 2
    assert rows[0].columns["u_invoice_line_count"] == "1"


def test_a_document_of_comments_only_is_a_header() -> None:
    assert [row.where for row in mapped(order(comment(10000))).rows] == [""]


def test_an_empty_value_leaves_its_column_out() -> None:
    header = mapped(order(payment_terms="", dimensions=())).header
    assert "u_payment_term" not in header.columns
    assert "u_cost_center" not in header.columns


def test_every_fault_of_the_columns_comes_at_once() -> None:
    document = invoice(
        line(10000, description="", dimensions=(DimensionValue("DEPARTMENT", "NEW"),)),
        line(20000, description="x" * 41, dimensions=(DimensionValue("DEPARTMENT", "NEW"),)),
        number="",
        document_date=None,
    )
    assert faults(document) == [
        ("VALUE_MISSING", ""),
        ("VALUE_MISSING", ""),
        ("VALUE_MISSING", "10000"),
        ("COST_CENTRE_NOT_TRANSLATED", "10000"),
        ("TEXT_TOO_LONG", "20000"),
        ("COST_CENTRE_NOT_TRANSLATED", "20000"),
    ]


def test_faults_of_the_document_and_of_its_columns_come_at_once() -> None:
    document = order(payment_terms="NEW", gross_total=Decimal(1))
    assert {code for code, _ in faults(document)} == {"GROSS_DOES_NOT_ADD_UP", "PAYMENT_TERM_NOT_TRANSLATED"}


def test_the_same_fault_of_two_columns_is_told_once() -> None:
    data = load_profile("source_to_pay").model_dump()
    columns = data["routes"]["purchaseOrders"]["header"]["columns"]
    columns["u_cost_center_too"] = columns["u_cost_center"]
    document = order(dimensions=(DimensionValue("DEPARTMENT", "NEW"),))
    assert faults(document, rules(Profile.model_validate(data))) == [("COST_CENTRE_NOT_TRANSLATED", "")]


def test_a_supplier_name_that_is_not_unique_parks_where_the_table_goes_by_names() -> None:
    with pytest.raises(DocumentFault) as fault:
        map_document(order(), rules(), SUPPLIERS, {"First Up Consultants"})
    assert [reason.code for reason in fault.value.reasons] == ["SUPPLIER_NAME_NOT_UNIQUE"]
    # Invoices go by the vendor's number.
    assert map_document(invoice(), rules(), SUPPLIERS, {"First Up Consultants"}).rows


def test_an_unknown_currency_stops_before_amounts_are_written() -> None:
    assert faults(order(currency="EURO")) == [("CURRENCY_UNKNOWN", "")]


@pytest.mark.parametrize(
    ("names", "code"), [((), "SUPPLIER_MISSING"), (("First Up", "First Up Ltd."), "SUPPLIER_AMBIGUOUS")]
)
def test_a_vendor_without_exactly_one_supplier_parks(names: tuple[str, ...], code: str) -> None:
    with pytest.raises(DocumentFault) as fault:
        map_document(order(), rules(), {"20000": names})
    assert [reason.code for reason in fault.value.reasons] == [code]


@pytest.mark.parametrize(("length", "fits"), [(40, True), (41, False)])
def test_a_text_is_held_and_never_cut_when_its_column_is_too_short(length: int, fits: bool) -> None:
    document = invoice(line(description="x" * length))
    if fits:
        assert mapped(document).rows[1].columns["u_line_description"] == "x" * 40
    else:
        (reason,) = reasons(document)
        assert (reason.code, reason.where) == ("TEXT_TOO_LONG", "10000")
        assert "41 characters" in reason.message
        assert "40" in reason.message


def test_a_text_is_measured_as_it_is_sent() -> None:
    # 20 letters with a combining accent each: 40 characters as typed, 20 composed.
    assert mapped(invoice(line(description="e\u0301" * 40))).rows[1].columns["u_line_description"] == "\u00e9" * 40


def test_a_translated_word_is_measured_too() -> None:
    long = Translations(payment_terms={"1M(8D)": "x" * 101}, cost_centres={"ADM": "CC-100"})
    assert faults(order(), rules(translations=long)) == [("TEXT_TOO_LONG", "")]


def test_a_translation_to_nothing_leaves_a_mandatory_column_empty() -> None:
    profile = changed("purchaseOrders", "header", "u_payment_term", mandatory=True)
    nothing = Translations(payment_terms={"1M(8D)": ""}, cost_centres={"ADM": "CC-100"})
    assert faults(order(), rules(profile, nothing)) == [("VALUE_MISSING", "")]


@pytest.mark.parametrize("column", ["u_erp_po_number", "u_legal_entity"])
def test_the_column_and_the_fact_that_is_missing_are_named(column: str) -> None:
    profile = changed("purchaseOrders", "header", column, value="document.vendor_invoice_number")
    (reason,) = reasons(order(), rules(profile))
    assert column in reason.message
    assert "document.vendor_invoice_number" in reason.message


def test_a_value_of_nothing_but_blanks_is_missing() -> None:
    # ServiceNow trims it, and skips a row without a mandatory value or key.
    assert faults(invoice(line(description="   "))) == [("VALUE_MISSING", "10000")]


def test_equal_documents_have_equal_hashes() -> None:
    assert mapped(order()).payload_hash == mapped(order()).payload_hash


def test_what_is_not_mapped_does_not_change_the_hash() -> None:
    same = replace(order(), posting_date=date(2030, 1, 1), vendor_name="Another Name", status="Open")
    assert mapped(same).payload_hash == mapped(order()).payload_hash


def test_the_same_amount_written_differently_does_not_change_the_hash() -> None:
    one = order(line(amount=Decimal("100"), tax_amount=Decimal("6.0")))
    other = order(line(amount=Decimal("100.000"), tax_amount=Decimal("6.00")))
    assert mapped(one).payload_hash == mapped(other).payload_hash


@pytest.mark.parametrize(
    "other",
    [
        order(line(description="ATHENS Desk.")),
        order(line(location="WEST")),
        order(line(dimensions=(DimensionValue("DEPARTMENT", "PROD"),))),
        order(line(10000), line(20000)),
        order(line(20000)),
        order(payment_terms=""),
        order(line(quantity=Decimal(5))),
        order(line(expected_receipt=None)),
    ],
    ids=["text", "location", "cost centre", "another line", "number", "emptied", "quantity", "no date"],
)
def test_a_change_of_any_mapped_value_changes_the_hash(other: Document) -> None:
    assert mapped(other).payload_hash != mapped(order()).payload_hash


def test_values_that_move_between_columns_change_the_hash() -> None:
    one = mapped(order(line(unit="A", location="B"))).payload_hash
    assert one != mapped(order(line(unit="B", location="A"))).payload_hash


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["A", "B", ""])), min_size=1, max_size=3))
def test_hashes_are_equal_exactly_when_rows_are(texts: list[tuple[str, str]]) -> None:
    lines = [line(10000 * n, unit=unit, location=place) for n, (unit, place) in enumerate(texts, start=1)]
    reference = mapped(order(line(10000, unit="A", location="B"), line(20000, unit="B", location="")))
    other = mapped(order(*lines))
    assert (other.rows == reference.rows) == (other.payload_hash == reference.payload_hash)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("NUL\x00 and \x1b[31m and \x7f", "NUL and [31m and "),
        ("tab\tand\nlines\r\n", "tab\tand\nlines\r\n"),
        ("cafe\u0301", "caf\u00e9"),
        ("\U0001f69a \u202edetrevni\u202c", "\U0001f69a \u202edetrevni\u202c"),
        ("e\x00\u0301", "\u00e9"),
        ("", ""),
    ],
)
def test_text_is_composed_and_free_of_control_characters(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("e\x00\u0301")
@example("\x00 ")
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(char) == "Cc" and char < "\x80" and char not in "\t\n\r" for char in cleaned)


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "=HYPERLINK(1)", "{{7*7}}", "%s %(x)s", "$100^OR", "{0}"]
)
def test_text_that_looks_like_code_passes_as_text(text: str) -> None:
    document = order(line(description=text))
    assert mapped(document).rows[1].columns["u_short_description"] == text
