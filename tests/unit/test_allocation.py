"""Cost allocation: parts are exact to the last unit, near their ideal, and the left-over goes where it should."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connector.decisions.allocation import spread, with_discount_shares
from tests.unit.builders import line, order


def numbers(*texts: str) -> list[Decimal]:
    """Decimals of these texts."""
    return [Decimal(text) for text in texts]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Decimal, list[Decimal], int]:
    """An amount, weights that do not cancel (all zero is allowed), decimals."""
    places = draw(st.sampled_from((0, 2, 3, 4)))
    amount = Decimal(draw(st.integers(-(10**12), 10**12))).scaleb(-places)
    weight = st.integers(-(10**8), 10**8).map(lambda cents: Decimal(cents).scaleb(-2))
    weights = draw(st.lists(weight, min_size=1, max_size=12))
    assume(sum(weights) or not any(weights))
    return amount, weights, places


@given(cases())
@example((Decimal("0.01"), numbers("33.33", "33.33", "33.33"), 2))
@example((Decimal("-0.01"), numbers("1", "1", "1"), 2))
@example((Decimal("100"), numbers("0", "0", "0"), 2))
@example((Decimal("0"), numbers("5", "-3"), 2))
def test_the_parts_sum_exactly_to_the_amount(case: tuple[Decimal, list[Decimal], int]) -> None:
    amount, weights, places = case
    parts = spread(amount, weights, places)
    assert len(parts) == len(weights)
    assert sum(map(Fraction, parts)) == Fraction(amount)
    unit = Fraction(1, 10**places)
    assert all(Fraction(part) % unit == 0 for part in parts)


@given(cases())
def test_each_part_is_within_one_unit_of_its_ideal(case: tuple[Decimal, list[Decimal], int]) -> None:
    amount, weights, places = case
    total = sum(map(Fraction, weights))
    ideal = (
        [Fraction(amount) * Fraction(weight) / total for weight in weights]
        if total
        else [Fraction(amount) / len(weights)] * len(weights)
    )
    for part, wanted in zip(spread(amount, weights, places), ideal, strict=True):
        assert abs(Fraction(part) - wanted) < Fraction(1, 10**places)


@given(cases(), st.integers(2, 1000))
def test_only_the_proportion_of_the_weights_counts(case: tuple[Decimal, list[Decimal], int], factor: int) -> None:
    amount, weights, places = case
    assert spread(amount, weights, places) == spread(amount, [weight * factor for weight in weights], places)


@given(cases())
def test_a_negative_amount_is_spread_as_the_positive_one(case: tuple[Decimal, list[Decimal], int]) -> None:
    amount, weights, places = case
    assert spread(-amount, weights, places) == [-part for part in spread(amount, weights, places)]


@pytest.mark.parametrize(
    ("amount", "weights", "places", "parts"),
    [
        ("100.00", ("33.33", "33.33", "33.33"), 2, ("33.34", "33.33", "33.33")),
        ("100.00", ("33.34", "33.33", "33.33"), 2, ("33.34", "33.33", "33.33")),
        ("0.01", ("1", "1", "1"), 2, ("0.01", "0.00", "0.00")),
        ("0.02", ("1", "1", "1"), 2, ("0.01", "0.01", "0.00")),
        ("-1.00", ("1", "1", "1"), 2, ("-0.34", "-0.33", "-0.33")),
        # Ideals 0.00714, 0.01428, 0.02857: the third has the largest remainder, then the first.
        ("0.05", ("1", "2", "4"), 2, ("0.01", "0.01", "0.03")),
        ("10.00", ("0", "1", "0"), 2, ("0.00", "10.00", "0.00")),
        ("10.00", ("0", "0", "0"), 2, ("3.34", "3.33", "3.33")),
        ("-10.00", ("0", "0"), 2, ("-5.00", "-5.00")),
        ("0.00", ("1", "2"), 2, ("0.00", "0.00")),
        ("10", ("1", "1", "1"), 0, ("4", "3", "3")),
        ("1.000", ("1", "1", "1"), 3, ("0.334", "0.333", "0.333")),
        # A credit line takes its share with the opposite sign.
        ("90.00", ("200", "-100"), 2, ("180.00", "-90.00")),
        ("10.00", ("-1", "-1", "-1"), 2, ("3.34", "3.33", "3.33")),
        ("7.25", ("12.5",), 2, ("7.25",)),
    ],
)
def test_the_left_over_goes_to_the_largest_remainders_first(
    amount: str, weights: Sequence[str], places: int, parts: Sequence[str]
) -> None:
    assert spread(Decimal(amount), numbers(*weights), places) == numbers(*parts)


@pytest.mark.parametrize(
    ("amount", "weights", "places", "said"),
    [
        ("1.00", (), 2, "nothing to spread over"),
        ("0.005", ("1", "1"), 2, "more than 2 decimals"),
        ("0.5", ("1",), 0, "more than 0 decimals"),
        ("1.00", ("5", "-5"), 2, "cancel"),
    ],
)
def test_what_cannot_be_spread_is_a_value_error(amount: str, weights: Sequence[str], places: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        spread(Decimal(amount), numbers(*weights), places)


@pytest.mark.parametrize(
    ("amount", "weights"),
    [
        ("999999999999999.99", ("999999999999999.99", "-999999999999999.98")),
        ("99999999999999999999.99", ("1", "1", "1")),
        ("999999999999999999999999999.99", ("3", "7")),
    ],
)
def test_amounts_and_weights_of_any_accepted_size_are_spread_exactly(amount: str, weights: Sequence[str]) -> None:
    # The default decimal context has 28 digits; amounts and products of amounts have more.
    parts = spread(Decimal(amount), numbers(*weights), 2)
    assert sum(map(Fraction, parts)) == Fraction(Decimal(amount))


def test_a_header_discount_that_is_on_no_line_is_spread_by_amount() -> None:
    lines = (line(10000, amount=Decimal(100)), line(20000, amount=Decimal(200)))
    document = order(*lines, discount_amount=Decimal("10.00"), net_total=Decimal("290.00"))
    spread_out = with_discount_shares(document)
    assert [(each.header_discount_share, each.net_amount) for each in spread_out.lines] == [
        (Decimal("3.33"), Decimal("96.67")),
        (Decimal("6.67"), Decimal("193.33")),
    ]
    assert sum(each.net_amount for each in spread_out.lines) == document.net_total


def test_a_header_discount_counts_the_currencys_decimals() -> None:
    lines = (line(10000, amount=Decimal(100)), line(20000, amount=Decimal(200)))
    document = order(*lines, currency="JPY", discount_amount=Decimal(10), net_total=Decimal(290))
    assert [each.header_discount_share for each in with_discount_shares(document).lines] == [3, 7]


def test_a_credit_line_gets_its_share_with_the_opposite_sign() -> None:
    lines = (line(10000, amount=Decimal(300)), line(20000, amount=Decimal(-100)))
    document = order(*lines, discount_amount=Decimal("20.00"), net_total=Decimal("180.00"))
    assert [each.header_discount_share for each in with_discount_shares(document).lines] == [30, -10]


def test_a_discount_that_bc_has_spread_stays_as_it_is() -> None:
    lines = (
        line(10000, amount=Decimal(100), header_discount_share=Decimal(4)),
        line(20000, amount=Decimal(200), header_discount_share=Decimal(6)),
    )
    document = order(*lines, discount_amount=Decimal(10))
    assert with_discount_shares(document) is document


def test_a_document_without_a_header_discount_stays_as_it_is() -> None:
    document = order()
    assert with_discount_shares(document) is document


def test_a_discount_that_does_not_explain_the_total_is_left_to_validation() -> None:
    document = order(line(amount=Decimal(100)), discount_amount=Decimal(10), net_total=Decimal(95))
    assert with_discount_shares(document) is document
