"""How a text becomes a stored value: type coercion, silent cuts, and the text a non-string JSON value turns into."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation

from tests.sandbox.servicenow.schema import Column

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
JAVA_DATE_PARTS = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))
CUT_TYPES = frozenset({"string", "password"})


def stored(column: Column, text: str) -> str:
    """The value the column keeps of a text: too long is cut, not parseable is emptied, neither with any report."""
    if column.type == "boolean":
        return "true" if text.casefold() in {"true", "1", "yes", "on"} else "false" if text else ""
    if column.numeric:
        return stored_number(text)
    if column.type == "glide_date":
        return text[:10] if DATE.fullmatch(text[:10]) and real_date(text[:10]) else ""
    if column.type == "glide_date_time":
        if DATE.fullmatch(text):
            text = f"{text} 00:00:00"
        return text if DATE_TIME.fullmatch(text) and real_date(text[:10]) else ""
    return text[: column.max_length] if column.type in CUT_TYPES else text


def stored_number(text: str) -> str:
    """A number's text, accounting negatives ``(1.00)`` included; anything else is emptied."""
    plain = text.strip().replace(",", "")
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1]}"
    return plain if number(plain) is not None else ""


def number(text: str) -> Decimal | None:
    """The text as a finite number, or None."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def real_date(text: str) -> bool:
    """Whether the calendar has this day."""
    try:
        datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - only the calendar is asked
    except ValueError:
        return False
    return True


def same(column: Column, old: str, new: str) -> bool:
    """Whether two stored values of the column are the same to the instance (10.0 and 10.00 are)."""
    if old == new:
        return True
    if not column.numeric:
        return False
    left, right = number(old), number(new)
    return left is not None and left == right


def reformatted_date(text: str, java_format: str) -> str:
    """A date written in a field map's format as ISO text; empty when it does not fit."""
    pattern = java_format
    for java, python in JAVA_DATE_PARTS:
        pattern = pattern.replace(java, python)
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - staging dates carry no zone
    except ValueError:
        return ""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if "%H" in pattern else moment.strftime("%Y-%m-%d")


def changed_form(value: object) -> str:
    """The text that reaches a staging column when a client sends something that is no string: Java's own spelling of it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_double(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={changed_form(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(changed_form(item) for item in value) + "]"
    return str(value)


def _java_double(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        return repr(value)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = exponent + len(digits) - 1
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"
