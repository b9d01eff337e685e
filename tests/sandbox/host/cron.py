"""NCRONTAB schedules as timer triggers take them: the check the worker does not make, and the next occurrence.

Six fields, {second} {minute} {hour} {day} {month} {day-of-week}, or five with the second 0 ("Timer trigger for Azure
Functions", NCRONTAB expressions). Stricter than croniter, which also takes forms the real host refuses.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from croniter import croniter  # type: ignore[import-untyped]

MONTHS = "january february march april may june july august september october november december".split()
DAYS = "sunday monday tuesday wednesday thursday friday saturday".split()
FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of week", 0, 6, DAYS),
)


class InvalidSchedule(ValueError):
    """The text is no schedule; the message names the field."""


class Schedule:
    """A checked schedule; `InvalidSchedule` on construction when the real host would refuse it or it never fires."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        fields = expression.split()
        if len(fields) == 5:
            fields.insert(0, "0")
        if len(fields) != 6:
            raise InvalidSchedule(f"{expression!r} has {len(fields)} fields, not 6 (or 5)")
        numbers = []
        for text, (name, low, high, names) in zip(fields, FIELDS, strict=True):
            parts = [_in_numbers(part.lower(), low, high, names) for part in text.split(",")]
            if None in parts:
                raise InvalidSchedule(f"{expression!r}: {text!r} is no {name}")
            numbers.append(",".join(filter(None, parts)))
        self._fields = " ".join(numbers)
        try:
            self.next_after(datetime(2024, 1, 1).astimezone())
        except ValueError as error:
            raise InvalidSchedule(f"{expression!r} never fires") from error

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`, which must be aware; day and weekday must both fit."""
        steps = croniter(self._fields, moment, second_at_beginning=True, day_or=False)
        occurrence: datetime = steps.get_next(datetime)
        return occurrence

    def several_a_minute(self, now: datetime) -> bool:
        """Whether more than one occurrence falls into the next minute: such a schedule is not monitored."""
        first = self.next_after(now)
        return self.next_after(first) <= now + timedelta(minutes=1)


def _in_numbers(part: str, low: int, high: int, names: list[str]) -> str | None:
    """One part of a field (``*``, ``a`` or ``a-b``, each perhaps with ``/step``) without names; None when it is wrong."""
    match = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
    if match is None or match[4] is not None and int(match[4]) == 0:
        return None
    values = [_value(word, low, names) for word in (match[2], match[3]) if word is not None]
    if values != sorted(values) or any(not low <= value <= high for value in values):
        return None
    return (match[1] or "-".join(map(str, values))) + (f"/{int(match[4])}" if match[4] else "")


def _value(word: str, low: int, names: list[str]) -> int:
    if word.isdecimal():
        return int(word)
    fitting = [number for number, name in enumerate(names, low) if len(word) >= 3 and name.startswith(word)]
    return fitting[0] if fitting else -1
