"""Exact numbers: what is taken, what is refused, and that writing and reading an amount never changes it."""

from __future__ import annotations

import ast
import json
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import connector
from connector.model.money import MINOR_UNITS, decimals, exact, loads, money_text, plain_text, rounded

PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
CURRENCIES = ("JPY", "USD", "KWD", "CLF")


@st.composite
def amounts(draw: st.DrawFn) -> Decimal:
    """Amounts up to 10^17 smallest units with 0 to 5 decimals, negative ones and zeros too."""
    unscaled = draw(st.integers(-(10**17), 10**17))
    return Decimal(unscaled).scaleb(-draw(st.integers(0, 5)))


accepted = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.sampled_from((0, 1)),
    st.integers(0, 10**38 - 1),
    st.integers(-10, 18),
)


@given(amounts())
@example(Decimal("1E+15"))
@example(Decimal("1234567890123456.78"))
@example(Decimal("12345678901234567.89"))
@example(Decimal("-0.00"))
def test_an_amount_survives_writing_and_reading_unchanged(amount: Decimal) -> None:
    text = plain_text(amount)
    assert PLAIN.fullmatch(text)
    assert Decimal(text) == amount
    assert exact(loads(text)) == amount
    assert plain_text(exact(loads(text))) == text


@given(accepted, st.integers(0, 6))
def test_plain_text_has_the_decimals_asked_for_and_no_needless_ones(number: Decimal, at_least: int) -> None:
    text = plain_text(number, at_least=at_least)
    assert PLAIN.fullmatch(text)
    fraction = text.partition(".")[2]
    assert len(fraction) >= at_least
    assert len(fraction) == at_least or not fraction.endswith("0")
    assert Decimal(text) == number


@given(amounts(), st.sampled_from(CURRENCIES))
def test_money_text_has_at_least_the_decimals_of_its_currency(amount: Decimal, currency: str) -> None:
    text = money_text(amount, currency)
    assert Decimal(text) == amount
    assert len(text.partition(".")[2]) >= decimals(currency)


@pytest.mark.parametrize(
    ("number", "currency", "text"),
    [
        ("1234567890123456.78", "USD", "1234567890123456.78"),
        ("1E+15", "USD", "1000000000000000.00"),
        ("5066", "USD", "5066.00"),
        ("506.6", "USD", "506.60"),
        ("506.600", "USD", "506.60"),
        ("780.71234", "USD", "780.71234"),
        ("-0.005", "USD", "-0.005"),
        ("-0.00", "USD", "0.00"),
        ("1500", "JPY", "1500"),
        ("1500.00", "JPY", "1500"),
        ("-12.5", "KWD", "-12.500"),
        ("0", "KWD", "0.000"),
        ("1", "CLF", "1.0000"),
    ],
)
def test_money_is_written_as_plain_text(number: str, currency: str, text: str) -> None:
    assert money_text(Decimal(number), currency) == text


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e999999999",
        "-1e-400",
        "1e99999999999999999999",
        "0e99999999999999999999",
        "1" * 10**6,
        "0." + "1" * 10**6,
        "1" * 39,
        "true",
        "false",
        "null",
        "[]",
        "{}",
        '"1"',
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"1_000"',
        '"1.234,56"',
        '"１２３"',  # noqa: RUF001 - full-width digits are the case
        "1_000",
        "１２３",  # noqa: RUF001
        "0x10",
        "+1",
        ".5",
        "01",
        "",
    ],
    ids=lambda text: text[:24] or "empty",
)
def test_what_is_no_plain_number_is_refused_in_bounded_time(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        exact(loads(text))
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("value", [1.5, "1", None, True, b"1", Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_only_whole_numbers_and_decimals_are_numbers(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        exact(value)


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        ("9" * 38, True),
        ("9" * 39, False),
        ("1E+18", True),
        ("1E+19", False),
        ("1E-10", True),
        ("1E-11", False),
        ("0E+18", True),
        ("0E+19", False),
    ],
)
def test_the_limits_are_38_digits_and_exponents_from_minus_10_to_18(number: str, taken: bool) -> None:
    if taken:
        assert exact(Decimal(number)) == Decimal(number)
    else:
        with pytest.raises(ValueError, match="out of range"):
            exact(Decimal(number))


@pytest.mark.parametrize("text", ["-0", "-0.00", "0.00", "0"])
def test_negative_zero_becomes_zero(text: str) -> None:
    number = exact(loads(text))
    assert not number.is_signed()
    assert plain_text(number, at_least=2) == "0.00"


def test_json_that_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads("[" * 100_000)


def test_a_byte_order_mark_before_json_is_no_obstacle() -> None:
    assert loads(b'\xef\xbb\xbf{"amount":0.10}') == {"amount": Decimal("0.10")}


@pytest.mark.parametrize("text", [b"\xff\xfe\xff", b'{"a":"\xff"}', b"<html>", b""])
def test_bytes_that_are_no_json_are_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - decoding and parsing have their own subclasses
        loads(text)


@given(amounts())
def test_no_fraction_passes_through_binary_floating_point(amount: Decimal) -> None:
    body = loads(json.dumps({"amount": 0}).replace("0", plain_text(amount, at_least=1)))
    assert isinstance(body["amount"], Decimal)
    assert body["amount"] == amount


@pytest.mark.parametrize(
    ("number", "places", "expected"),
    [
        ("0.005", 2, "0.01"),
        ("-0.005", 2, "-0.01"),
        ("0.0049", 2, "0.00"),
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("999999999999999.995", 2, "1000000000000000.00"),
        ("1.0005", 3, "1.001"),
    ],
)
def test_rounding_goes_half_away_from_zero(number: str, places: int, expected: str) -> None:
    assert rounded(Decimal(number), places) == Decimal(expected)


@given(accepted, st.integers(0, 5))
def test_every_accepted_number_can_be_rounded_to_within_half_a_unit(number: Decimal, places: int) -> None:
    result = rounded(number, places)
    # In whole numbers, because the default decimal context would round the check itself.
    numerator, denominator = number.as_integer_ratio()
    top, bottom = result.as_integer_ratio()
    assert 2 * abs(numerator * bottom - top * denominator) * 10**places <= denominator * bottom


def test_a_currency_that_does_not_exist_has_no_decimals() -> None:
    with pytest.raises(KeyError):
        decimals("EURO")


@pytest.mark.parametrize(
    ("currency", "expected"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("UYW", 4)]
)
def test_currencies_have_their_iso_4217_decimals(currency: str, expected: int) -> None:
    assert decimals(currency) == expected


def test_the_caribbean_guilder_of_2025_is_a_currency() -> None:
    assert "XCG" in MINOR_UNITS


def test_money_paths_hold_no_binary_floating_point() -> None:
    root = Path(connector.__file__).parent
    paths = [
        root / "model" / "money.py",
        root / "model" / "documents.py",
        root / "decisions" / "allocation.py",
        root / "decisions" / "mapping.py",
        root / "decisions" / "validation.py",
        root / "business_central" / "wire.py",
    ]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = isinstance(node, ast.Name) and node.id == "float"
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            assert not named, f"{path.name}:{getattr(node, 'lineno', 0)} uses float"
            assert not literal, f"{path.name}:{getattr(node, 'lineno', 0)} holds a float literal"
