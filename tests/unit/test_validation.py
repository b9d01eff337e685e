"""Validation: each fault alone gives its own code, a near miss gives none, and all of them come at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.validation import document_faults, shared_name_faults
from connector.model.documents import Document, Line
from tests.unit.builders import SUPPLIERS, comment, invoice, line, order


def codes(document: Document, suppliers: dict[str, tuple[str, ...]] | None = None) -> list[str]:
    """The codes of the document's faults."""
    return [reason.code for reason in document_faults(document, SUPPLIERS if suppliers is None else suppliers)]


def taxed(*taxes: str, codes: tuple[str, ...] = ("A",), percent: str = "6") -> tuple[Line, ...]:
    """Lines of 100.00 with these taxes, over these tax codes in turn."""
    return tuple(
        line(
            10000 * number,
            tax_amount=Decimal(tax),
            tax_percent=Decimal(percent),
            tax_code=codes[number % len(codes)],
        )
        for number, tax in enumerate(taxes, 1)
    )


@pytest.mark.parametrize(
    "document",
    [
        order(),
        invoice(),
        order(line(10000), comment(20000), line(30000)),
        order(comment(10000)),
        order(line(amount=Decimal(-100), tax_amount=Decimal(-6))),
        order(line(amount=Decimal(0), tax_amount=Decimal(0), quantity=Decimal(0))),
        order(line(amount=Decimal("0.001"), tax_amount=Decimal("0.000")), currency="KWD"),
        order(line(amount=Decimal("999999999999999.99"), tax_amount=Decimal("60000000000000.00"))),
    ],
    ids=["order", "invoice", "with a comment", "only a comment", "credit", "nothing", "dinar", "very large"],
)
def test_a_sound_document_has_no_fault(document: Document) -> None:
    assert codes(document) == []


def test_a_document_without_lines_is_sound_when_it_amounts_to_nothing() -> None:
    nothing: dict[str, Any] = {"net_total": Decimal(0), "tax_total": Decimal(0), "gross_total": Decimal(0)}
    assert codes(order(lines=(), **nothing)) == []
    assert codes(order(lines=(), **nothing | {"net_total": Decimal(1), "gross_total": Decimal(1)})) == [
        "NET_DOES_NOT_ADD_UP"
    ]


@pytest.mark.parametrize("currency", ["", "EURO", "usd", "XXX", "US"])
def test_a_currency_that_does_not_exist_is_a_fault(currency: str) -> None:
    (reason,) = document_faults(order(currency=currency), SUPPLIERS)
    assert reason.code == "CURRENCY_UNKNOWN"
    assert repr(currency) in reason.message


@pytest.mark.parametrize("cent", ["0.01", "-0.01", "0.00001", "100"])
def test_net_amounts_must_agree_exactly(cent: str) -> None:
    document = order(line(), net_total=Decimal(100) + Decimal(cent), gross_total=Decimal(106) + Decimal(cent))
    assert codes(document) == ["NET_DOES_NOT_ADD_UP"]


def test_the_amounts_that_do_not_agree_are_in_the_message() -> None:
    document = order(line(), line(20000), net_total=Decimal("199.99"), gross_total=Decimal("211.99"))
    (reason,) = document_faults(document, SUPPLIERS)
    assert "106001" in reason.message
    assert "200" in reason.message
    assert "199.99" in reason.message
    assert reason.where == ""


@pytest.mark.parametrize(
    ("lines", "header", "sound"),
    [
        (taxed("6.00"), "6.01", True),
        (taxed("6.00"), "5.99", True),
        (taxed("6.00"), "6.011", False),
        (taxed("6.00"), "6.02", False),
        (taxed("6.00", "6.00"), "12.01", True),
        (taxed("6.00", "6.00"), "12.02", False),
        (taxed("6.00", "6.00", codes=("A", "B")), "12.02", True),
        (taxed("6.00", "6.00", codes=("A", "B")), "12.03", False),
        (taxed("6.00", "6.00", "6.00", codes=("A", "B")), "18.02", True),
        (taxed("6.00", "6.00", "6.00", codes=("A", "B")), "18.03", False),
        (taxed("6.00"), "6.00", True),
    ],
)
def test_tax_may_differ_by_a_cent_per_group(lines: tuple[Line, ...], header: str, sound: bool) -> None:
    net = Decimal(100) * len(lines)
    document = order(*lines, tax_total=Decimal(header), gross_total=net + Decimal(header))
    assert codes(document) == ([] if sound else ["TAX_DOES_NOT_ADD_UP"])


def test_two_rates_of_one_code_are_two_groups() -> None:
    lines = (taxed("6.00", percent="6")[0], line(20000, tax_code="A", tax_percent=Decimal(7), tax_amount=Decimal(7)))
    assert codes(order(*lines, tax_total=Decimal("13.02"), gross_total=Decimal("213.02"))) == []


def test_a_comment_line_does_not_widen_the_tolerance() -> None:
    # It has no tax that could have been rounded.
    document = order(line(), comment(20000), tax_total=Decimal("6.02"), gross_total=Decimal("106.02"))
    assert codes(document) == ["TAX_DOES_NOT_ADD_UP"]


@pytest.mark.parametrize("cent", ["0.01", "-0.01"])
def test_net_and_tax_must_give_the_total(cent: str) -> None:
    assert codes(order(gross_total=Decimal(106) + Decimal(cent))) == ["GROSS_DOES_NOT_ADD_UP"]


def test_a_line_number_that_occurs_twice_is_a_fault_of_that_line() -> None:
    (reason,) = document_faults(order(line(10000), line(20000), line(20000), line(20000)), SUPPLIERS)
    assert (reason.code, reason.where) == ("LINE_NUMBER_TWICE", "20000")
    assert "3 times" in reason.message


def test_a_document_without_a_vendor_is_a_fault() -> None:
    assert codes(order(vendor_number="")) == ["VENDOR_MISSING"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ["SUPPLIER_MISSING"]),
        (("First Up Consultants",), []),
        (("First Up Consultants", "First Up"), ["SUPPLIER_AMBIGUOUS"]),
        (("Same Name", "Same Name"), ["SUPPLIER_AMBIGUOUS"]),
    ],
)
def test_a_vendor_has_exactly_one_supplier(names: tuple[str, ...], expected: list[str]) -> None:
    assert codes(order(), {"20000": names}) == expected


def test_a_supplier_whose_name_is_shared_is_a_fault_where_names_find_suppliers() -> None:
    shared = {"First Up Consultants"}
    (reason,) = shared_name_faults(order(), SUPPLIERS, shared)
    assert reason.code == "SUPPLIER_NAME_NOT_UNIQUE"
    assert "First Up Consultants" in reason.message
    assert shared_name_faults(order(), SUPPLIERS, {"Fabrikam, Inc."}) == []
    assert shared_name_faults(order(), {"20000": ("First Up Consultants",) * 2}, shared) == []
    assert shared_name_faults(order(), {}, shared) == []


@pytest.mark.parametrize(("percent", "possible"), [("-99.99", True), ("-100", False), ("-101", False)])
def test_a_tax_that_leaves_no_price_is_a_fault_of_its_line(percent: str, possible: bool) -> None:
    found = [(each.code, each.where) for each in document_faults(order(line(tax_percent=Decimal(percent))), SUPPLIERS)]
    assert found == ([] if possible else [("TAX_PERCENT_IMPOSSIBLE", "10000")])


def test_a_vendor_that_was_not_looked_up_has_no_supplier() -> None:
    (reason,) = document_faults(order(), {"10000": ("Fabrikam, Inc.",)})
    assert reason.code == "SUPPLIER_MISSING"
    assert "20000" in reason.message
    assert "106001" in reason.message


def test_all_faults_of_a_document_come_at_once() -> None:
    document = order(
        line(10000),
        line(10000, id="8d46f200-9580-f111-8070-0022483430de"),
        currency="",
        vendor_number="",
        net_total=Decimal(1),
        tax_total=Decimal(1),
        gross_total=Decimal(3),
    )
    assert sorted(codes(document)) == [
        "CURRENCY_UNKNOWN",
        "GROSS_DOES_NOT_ADD_UP",
        "LINE_NUMBER_TWICE",
        "NET_DOES_NOT_ADD_UP",
        "TAX_DOES_NOT_ADD_UP",
        "VENDOR_MISSING",
    ]


def test_every_fault_says_what_to_do() -> None:
    document = order(line(), line(), currency="", net_total=Decimal(0), tax_total=Decimal(0))
    for reason in document_faults(document, {}):
        assert reason.message.endswith(".")
        # What is about something outside the document goes on by itself once that is mended.
        assert reason.remedy.endswith(", then replay.") is not bool(reason.about)


cents = st.integers(-(10**17), 10**17).map(lambda number: Decimal(number).scaleb(-2))


@given(st.lists(st.tuples(cents, cents), min_size=1, max_size=8))
def test_totals_that_follow_the_lines_are_always_sound(amounts: list[tuple[Decimal, Decimal]]) -> None:
    lines = [line(10000 * number, amount=net, tax_amount=tax) for number, (net, tax) in enumerate(amounts, start=1)]
    assert codes(order(*lines)) == []


@given(st.lists(cents, min_size=1, max_size=8), cents.filter(bool))
def test_a_net_total_that_is_off_by_anything_is_a_fault(amounts: list[Decimal], off: Decimal) -> None:
    lines = [line(10000 * number, amount=net) for number, net in enumerate(amounts, start=1)]
    net = sum(amounts, Decimal(0)) + off
    document = order(*lines, net_total=net)
    assert codes(order(*lines, net_total=net, gross_total=net + document.tax_total)) == ["NET_DOES_NOT_ADD_UP"]


def test_sums_are_exact_beyond_the_28_digits_of_the_default_context() -> None:
    # Numbers of up to 38 digits are accepted, so a sum of them may not be rounded.
    nothing = Decimal(0)
    wide = line(10000, amount=Decimal("12345678901234567890123456789.01"), tax_amount=nothing)
    lines = (wide, line(20000, tax_amount=nothing))
    net, off = Decimal("12345678901234567890123456889.01"), Decimal("12345678901234567890123456889.02")
    assert codes(order(*lines, net_total=net, tax_total=nothing, gross_total=net)) == []
    assert codes(order(*lines, net_total=off, tax_total=nothing, gross_total=off)) == ["NET_DOES_NOT_ADD_UP"]


def test_a_document_of_fifty_thousand_lines_is_held() -> None:
    many = tuple(line(number) for number in range(1, 50_001))
    assert codes(order(*many)) != []


def test_a_document_of_five_thousand_lines_is_carried() -> None:
    assert codes(order(*(line(number) for number in range(1, 5_001)))) == []
