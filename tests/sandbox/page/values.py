"""How values look on the page: exact numbers that line up, times in UTC, a dash for what is blank."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from tests.sandbox.business_central import NO_ID

NOTHING = "–"


def shown(value: object) -> str:
    """A raw value of Business Central as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return amount(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat() if value.year > 1 else NOTHING
    return NOTHING if blank(value) else str(value)


def blank(value: object) -> bool:
    """Whether a value says nothing: empty, the zero id, or the first day of year one."""
    if isinstance(value, date):
        return value.year == 1
    return isinstance(value, str) and value.strip() in {"", NO_ID}


def amount(value: Decimal) -> str:
    """The exact number with at least two decimals."""
    whole, _, fraction = format(value, ",f").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def quantity(value: object) -> str:
    """The exact number with no more decimals than it needs."""
    text = format(value, ",f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(value: datetime) -> str:
    """A time in UTC, to the millisecond where there are any."""
    if value.year == 1:
        return NOTHING
    whole = value.astimezone(UTC)
    return whole.strftime("%Y-%m-%d %H:%M:%S") + (f".{whole.microsecond // 1000:03d}" if whole.microsecond else "")


def count(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"
