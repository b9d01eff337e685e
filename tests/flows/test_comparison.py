"""The test of the test: the expectation against plain facts, and the comparison against the smallest mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.flows.comparison import differences, supplier_differences, target_differences
from tests.flows.expectation import Expected, Row, expectations, staged_rows
from tests.flows.figures import money, plain
from tests.flows.pipeline import Pipeline, some


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The first documents of both companies, carried once."""
    carried = Pipeline(data=some())
    carried.run()
    return carried


@pytest.fixture(scope="module")
def expected(pipeline: Pipeline) -> dict[str, Expected]:
    """What must have become of them."""
    return expectations(pipeline.landscape)


# -- the expectation's own words, held against plain facts


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("506.6", "USD", "506.60"),
        ("12.345", "EUR", "12.345"),
        ("14.37525", "USD", "14.37525"),
        ("14.37500", "USD", "14.375"),
        ("1250", "EUR", "1250.00"),
        ("1250", "JPY", "1250"),
        ("1250.50", "JPY", "1250.5"),
        ("7.5", "KWD", "7.500"),
        ("-0.4", "GBP", "-0.40"),
        ("-0.00", "USD", "0.00"),
        ("1E+3", "JPY", "1000"),
        ("1E-7", "USD", "0.0000001"),
    ],
)
def test_an_expected_amount_is_plain_text_with_the_currencys_decimals(amount: str, currency: str, text: str) -> None:
    assert money(Decimal(amount), currency) == text


@pytest.mark.parametrize(("number", "text"), [("10000", "10000"), ("2.500", "2.5"), ("0.000", "0"), ("-1.0", "-1")])
def test_an_expected_number_has_no_needless_zeros(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_two_orders_of_the_sample_are_expected_as_a_person_would_write_them(expected: dict[str, Expected]) -> None:
    by_number = {(each.kind, each.erp_source, each.number): each.rows for each in expected.values()}
    dinars, with_tax = by_number["order", "BC-US", "106001"], by_number["order", "BC-DE", "106003"]
    assert dinars[0].columns == {
        "u_erp_source": "BC-US",
        "u_erp_po_number": "106001",
        "u_legal_entity": "US01",
        "u_supplier_company_name": "Gulf Office Supplies W.L.L.",
        "u_order_type": "Standard",
        "u_payment_term": "Net 30",
        "u_po_amount": "3284.496",
        "u_po_amount_currency": "KWD",
        "u_cost_center": "2000-PRD",
    }
    assert dinars[1].columns == {
        "u_erp_source": "BC-US",
        "u_erp_po_number": "106001",
        "u_erp_po_line_number": "10000",
        "u_erp_line_id": "47faa9a2-fbc3-57fe-b1f8-8f8e68cb1b9e",
        "u_short_description": 'Copy paper "A4" 80 g/m²',
        "u_supplier_part_number": "2110-S",
        "u_quantity": "25",
        "u_unit_price": "10.773",
        "u_uom": "BX",
        "u_line_amount": "269.325",
        "u_currency": "KWD",
        "u_tax_code": "US-SUPPLIES",
        "u_tax_amount": "22.219",
        "u_expected_delivery_date": "2025-07-06",
        "u_cost_center": "2000-PRD",
        "u_location": "West warehouse",
    }
    # Prices with 19 % tax: 36.84 / 1.19 and 66.02 / 1.19.
    assert [row.columns["u_unit_price"] for row in with_tax[1:]] == ["30.95798", "55.47899"]
    assert [row.columns["u_line_amount"] for row in with_tax[1:]] == ["117.64", "69.35"]
    assert [row.columns.get("u_cost_center") for row in with_tax] == ["5000-WHS", "3000-PUR", None]


# -- the comparison notices


Mistake = Callable[[list[Row]], list[Row]]


def changed(row: Row, **columns: str) -> Row:
    return replace(row, columns=dict(row.columns) | columns)


def one_cent(rows: list[Row]) -> list[Row]:
    amount = Decimal(rows[1].columns["u_line_amount"]) + Decimal("0.01")
    return [rows[0], changed(rows[1], u_line_amount=str(amount)), *rows[2:]]


def one_character(rows: list[Row]) -> list[Row]:
    name = rows[0].columns["u_supplier_company_name"]
    return [changed(rows[0], u_supplier_company_name=name[:-1] + "!"), *rows[1:]]


def one_digit_less(rows: list[Row]) -> list[Row]:
    return [changed(rows[0], u_po_amount=rows[0].columns["u_po_amount"][:-1]), *rows[1:]]


def a_column_less(rows: list[Row]) -> list[Row]:
    columns = {name: text for name, text in rows[2].columns.items() if name != "u_tax_code"}
    return [*rows[:2], replace(rows[2], columns=columns), *rows[3:]]


def an_empty_column(rows: list[Row]) -> list[Row]:
    return [changed(rows[0], u_po_status=""), *rows[1:]]


def a_line_less(rows: list[Row]) -> list[Row]:
    return [*rows[:2], *rows[3:]]


def a_header_less(rows: list[Row]) -> list[Row]:
    return rows[1:]


def a_line_twice(rows: list[Row]) -> list[Row]:
    return [*rows, rows[1]]


def a_document_less(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.document != rows[0].document]


def a_line_of_another_order(rows: list[Row]) -> list[Row]:
    return [rows[0], changed(rows[1], u_erp_po_number="999999"), *rows[2:]]


def the_other_companys_order(rows: list[Row]) -> list[Row]:
    return [changed(rows[0], u_erp_source="BC-DE"), *rows[1:]]


MISTAKES: list[Mistake] = [
    one_cent,
    one_character,
    one_digit_less,
    a_column_less,
    an_empty_column,
    a_line_less,
    a_header_less,
    a_line_twice,
    a_document_less,
    a_line_of_another_order,
    the_other_companys_order,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_the_comparison_reports(mistake: Mistake, pipeline: Pipeline, expected: dict[str, Expected]) -> None:
    wanted, sent = staged_rows(expected.values()), pipeline.sent_rows()
    assert len(wanted[0].columns) >= 8
    assert differences(mistake(wanted), sent)
    assert differences(wanted, mistake(sent))


def test_one_changed_cent_is_reported_once_and_by_name(pipeline: Pipeline, expected: dict[str, Expected]) -> None:
    wanted = staged_rows(expected.values())
    (report,) = differences(one_cent(wanted), pipeline.sent_rows())
    amount = wanted[1].columns["u_line_amount"]
    assert f"order BC-US {wanted[1].columns['u_erp_po_number']} line 10000: u_line_amount is '{amount}'" in report


@pytest.mark.parametrize("mistake", [one_cent, a_line_less, a_document_less, one_digit_less], ids=lambda m: m.__name__)
def test_the_look_at_the_records_reports_too(
    mistake: Mistake, pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    (first,) = [each for each in expected.values() if each.number == "106001" and each.erp_source == "BC-US"]
    mistaken = replace(first, rows=tuple(mistake(list(first.rows))))
    others = [each for each in expected.values() if each.id != first.id]
    assert target_differences([mistaken, *others], pipeline.servicenow.tables)


def test_the_look_at_the_suppliers_reports_a_wrong_one(pipeline: Pipeline, expected: dict[str, Expected]) -> None:
    (first,) = [each for each in expected.values() if each.number == "106001" and each.erp_source == "BC-US"]
    for mistaken in (replace(first, vendor="10000"), replace(first, rows=())):
        report = supplier_differences([mistaken], pipeline.servicenow.tables)
        assert any(text.startswith("order BC-US 106001 has the supplier ('BC-US', '72000')") for text in report)
