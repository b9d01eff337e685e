"""Exact numbers: what may become an amount, and how an amount is written. No binary floating point anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from typing import Annotated, Any

from pydantic import BeforeValidator

MAX_DIGITS = 38
MIN_EXPONENT = -10
MAX_EXPONENT = 18

_CONTEXT = Context(prec=200)
"""Python's default context rounds to 28 digits, silently. This one holds any product of two accepted numbers whole."""

MINOR_UNITS: Mapping[str, int] = {
    # ISO 4217: active currencies and their decimals.
    **dict.fromkeys(
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
        "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
        "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
        "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
        "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UZS VED VES WST XCD XCG YER ZAR ZMW ZWG".split(),
        2,
    ),
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


def decimals(currency: str) -> int:
    """How many decimals amounts in this ISO 4217 currency have. Raises KeyError for a code that is none."""
    return MINOR_UNITS[currency]


def exact(value: object) -> Decimal:
    """The number as a Decimal, unchanged.

    Takes what `loads` yields for a JSON number (Decimal or int). Raises ValueError for anything else: text, booleans,
    null, NaN, infinities, more than 38 digits, exponents outside [-10, 18] (a formatter would build gigabytes from those).
    Negative zero becomes zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not a finite number")
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - finite numbers have one; for the type checker
    if len(digits) > MAX_DIGITS or not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        raise ValueError("number out of range")
    return number if number else abs(number)


Exact = Annotated[Decimal, BeforeValidator(exact)]
"""A model field that holds an exact number."""


def loads(text: bytes | str) -> Any:
    """Parses JSON with numbers exact: fractions as Decimal, whole numbers as int, NaN and infinities refused.

    Raises ValueError for anything that is not JSON, nested too deeply, or holds a whole number of over 4,300 digits.
    """
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("number out of range") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def exact_arithmetic() -> AbstractContextManager[Context]:
    """Within this block sums and products of accepted numbers are exact."""
    return localcontext(_CONTEXT)


def rounded(number: Decimal, places: int) -> Decimal:
    """Rounded half away from zero, the rule of invoices, to the given number of decimals."""
    with exact_arithmetic():
        return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def money_text(amount: Decimal, currency: str) -> str:
    """An amount as plain decimal text with at least the currency's decimals; further decimals are kept, never cut."""
    return plain_text(amount, at_least=decimals(currency))


def plain_text(number: Decimal, *, at_least: int = 0) -> str:
    """Plain decimal text: ASCII digits, a point, no exponent, no needless zeros beyond `at_least` decimals."""
    text = format(number, "f")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(at_least, "0")
    text = f"{whole}.{fraction}" if fraction else whole
    return text if number else text.lstrip("-")
