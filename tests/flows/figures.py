"""How the expectation writes amounts, numbers and days: its own arithmetic, none of the connector's."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from tests.sandbox.business_central.records import Row as Values

DECIMALS = {"JPY": 0, "KWD": 3}
NO_DATE = date(1, 1, 1)


def money(value: object, currency: str) -> str:
    """An amount as plain text with at least its currency's decimals, further ones kept while they are not zero."""
    whole, _, fraction = plain(value).partition(".")
    fraction = fraction.ljust(DECIMALS.get(currency, 2), "0")
    return f"{whole}.{fraction}" if fraction else whole


def plain(value: object) -> str:
    """A number without exponent and needless zeros."""
    sign, digits, exponent = decimal(value).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    if exponent >= 0:
        whole, fraction = text + "0" * exponent, ""
    else:
        text = text.rjust(1 - exponent, "0")
        whole, fraction = text[:exponent], text[exponent:].rstrip("0")
    whole = whole.lstrip("0") or "0"
    text = f"{whole}.{fraction}" if fraction else whole
    return f"-{text}" if sign and text != "0" else text


def unit_price(line: Values, cost: str, header: Values) -> Decimal:
    """The unit cost, without tax where prices include it."""
    price = decimal(line[cost])
    if not header["pricesIncludeTax"]:
        return price
    # In hundred-thousandths; costs are never below zero, so half up is half away from zero.
    return (price * 100 / (100 + decimal(line["taxPercent"]))).quantize(Decimal("0.00001"), ROUND_HALF_UP)


def decimal(value: object) -> Decimal:
    """A raw value that must be a number."""
    assert isinstance(value, Decimal | int)
    return Decimal(value)


def day(value: object) -> str:
    """An ISO day; empty when it is blank."""
    assert isinstance(value, date)
    return "" if value == NO_DATE else f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
