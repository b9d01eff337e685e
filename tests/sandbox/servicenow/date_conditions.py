"""The date operators of the query language: on a day, relative to now, a part of the date, a distance between two columns.

Source: the vendor's "Operators available for filters and queries", date and time fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from tests.sandbox.servicenow.periods import end_of, moved, named_part, part_of, start_of
from tests.sandbox.servicenow.scripting import STAMP, Scripting
from tests.sandbox.servicenow.store import Row

Test = Callable[[Row], bool]
Read = Callable[[Row], str]
COMPARE: dict[str, Callable[[int | datetime, int | datetime], bool]] = {
    "GT": lambda left, right: left > right,  # type: ignore[operator]
    "LT": lambda left, right: left < right,  # type: ignore[operator]
    "GE": lambda left, right: left >= right,  # type: ignore[operator]
    "LE": lambda left, right: left <= right,  # type: ignore[operator]
    "EE": lambda left, right: left == right,
}
RELATIVE = frozenset(f"RELATIVE{operator}" for operator in COMPARE)
DATE_OPERATORS = frozenset({"ON", "NOTON", "DATEPART"}) | RELATIVE
SPAN = re.compile(r"@(\w+)@(ago|ahead|before|after)@(\d+)")


def moment_test(operator: str, value: str, read: Read, scripting: Scripting) -> Test | None:
    """A test of one date column, or None when the value makes no sense."""
    if operator in RELATIVE:
        return _relative(operator.removeprefix("RELATIVE"), value, read, scripting)
    label, _, rest = value.partition("@")
    if operator == "DATEPART":
        return _part(rest, read, scripting)
    low_text, _, high_text = rest.partition("@")
    low, high = (_moment(scripting.evaluate(text)) for text in (low_text, high_text))
    if not label or low is None or high is None:
        return None
    wanted = operator == "ON"

    def on(row: Row) -> bool:
        held = _moment(read(row))
        return held is not None and (low <= held <= high) == wanted

    return on


def distance_test(operator: str, value: str, read: Read, other: Read) -> Test | None:
    """``MORETHAN`` and ``LESSTHAN``: how far the column lies before or after the other one."""
    span = SPAN.fullmatch(value[value.find("@") :]) if "@" in value else None
    if span is None or moved(datetime.now(UTC), span[1], 0) is None:
        return None
    after = span[2] in {"after", "ahead"}
    count = int(span[3]) * (1 if after else -1)

    def test(row: Row) -> bool:
        held, base = _moment(read(row)), _moment(other(row))
        edge = moved(base, span[1], count) if base is not None else None
        if held is None or base is None or edge is None:
            return False
        if operator == "MORETHAN":
            return held > edge if after else held < edge
        return base < held < edge if after else edge < held < base

    return test


def _relative(operator: str, value: str, read: Read, scripting: Scripting) -> Test | None:
    span = SPAN.fullmatch(value)
    if span is None:
        return None
    unit, count = span[1], int(span[3]) * (1 if span[2] in {"ahead", "after"} else -1)
    edge = moved(scripting.moment, unit, count)
    if edge is None:
        return None
    edge = edge.astimezone(UTC)
    if operator == "EE":
        first, last = start_of(edge, "day"), end_of(edge, "day")
        return lambda row: (held := _moment(read(row))) is not None and first <= held <= last
    compare = COMPARE[operator]
    return lambda row: (held := _moment(read(row))) is not None and compare(held, edge)


def _part(value: str, read: Read, scripting: Scripting) -> Test | None:
    if not value.startswith("javascript:"):
        return None
    name, arguments = scripting.called(value)
    if name != "datePart" or len(arguments) != 3 or arguments[2] not in COMPARE:
        return None
    part, written, operator = arguments
    wanted = named_part(part, written)
    if wanted is None or part_of(scripting.moment, part) is None:
        return None

    def test(row: Row) -> bool:
        held = _moment(read(row))
        found = part_of(held.astimezone(scripting.zone), part) if held is not None else None
        return found is not None and COMPARE[operator](found, wanted)

    return test


def _moment(text: str) -> datetime | None:
    """A stored date or date-time as a moment."""
    try:
        return datetime.strptime(text if len(text) > 10 else f"{text} 00:00:00", STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
