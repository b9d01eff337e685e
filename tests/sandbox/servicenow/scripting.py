"""The few server-side expressions a query value may hold after ``javascript:``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.sandbox.servicenow.query import NotSimulated

CALL = re.compile(r"gs\.(\w+)\((.*)\);?")
ARGUMENT = re.compile(r"'([^']*)'|\"([^\"]*)\"|(-?\d+)")
STAMP = "%Y-%m-%d %H:%M:%S"
# The hour, minute and second each date call pins; None keeps the current time of day.
DAYS = {
    "beginningOfToday": (0, (0, 0, 0)),
    "endOfToday": (0, (23, 59, 59)),
    "beginningOfYesterday": (-1, (0, 0, 0)),
    "endOfYesterday": (-1, (23, 59, 59)),
    "nowDateTime": (0, None),
}


@dataclass(frozen=True)
class Scripting:
    """Evaluates expressions as one user at one moment (UTC)."""

    user_id: str
    user_name: str
    moment: datetime

    def evaluate(self, value: str) -> str:
        """The value itself, or what its ``javascript:`` expression stands for."""
        if not value.startswith("javascript:"):
            return value
        call = CALL.fullmatch(value.removeprefix("javascript:").strip())
        if call is None:
            raise NotSimulated(value)
        arguments = [first or second or third for first, second, third in ARGUMENT.findall(call[2])]
        return self._call(call[1], arguments, value)

    def _call(self, name: str, arguments: list[str], value: str) -> str:
        if name == "getUserID":
            return self.user_id
        if name == "getUserName":
            return self.user_name
        if name == "dateGenerate" and len(arguments) == 2:
            return f"{arguments[0]} {arguments[1]}"
        if name in {"daysAgo", "hoursAgo", "minutesAgo"} and len(arguments) == 1:
            unit = name.removesuffix("Ago")
            return (self.moment - timedelta(**{unit: int(arguments[0])})).strftime(STAMP)
        if name in DAYS:
            offset, time_of_day = DAYS[name]
            day = self.moment + timedelta(days=offset)
            if time_of_day is not None:
                day = day.replace(hour=time_of_day[0], minute=time_of_day[1], second=time_of_day[2])
            return day.strftime(STAMP)
        raise NotSimulated(value)
