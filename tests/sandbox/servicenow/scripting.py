"""The few server-side expressions a query value may hold after ``javascript:``: the caller, and literal date calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from tests.sandbox.servicenow.periods import end_of, moved, start_of
from tests.sandbox.servicenow.query import NotSimulated

CALL = re.compile(r"gs\.(\w+)\((.*)\);?")
ARGUMENT = re.compile(r"'([^']*)'|\"([^\"]*)\"|(-?\d+)")
ARGUMENTS = re.compile(rf"\s*(?:(?:{ARGUMENT.pattern})\s*(?:,\s*(?!$)|$))*")
AGO = re.compile(r"(minute|hour|day|week|month|quarter|year)s(Ago|FromNow)(Start|End)?")
PERIOD = re.compile(r"(beginning|end)Of(This|Last|Next)(Week|Month|Quarter|Year)")
NEAR = re.compile(r"(beginning|end)Of(Yesterday|Today|Tomorrow)")
STAMP = "%Y-%m-%d %H:%M:%S"
OFFSETS = {"Yesterday": -1, "Today": 0, "Tomorrow": 1, "Last": -1, "This": 0, "Next": 1}
EDGES = {"start": "00:00:00", "end": "23:59:59"}


@dataclass(frozen=True)
class Scripting:
    """Evaluates expressions as one user at one moment (UTC); days begin where the user lives, results are UTC."""

    user_id: str
    user_name: str
    moment: datetime
    zone: tzinfo = UTC

    def evaluate(self, value: str) -> str:
        """The value itself, or what its ``javascript:`` expression stands for."""
        if not value.startswith("javascript:"):
            return value
        name, arguments = self.called(value)
        if name == "getUserID":
            return self.user_id
        if name == "getUserName":
            return self.user_name
        found = self._moment(name, arguments)
        if found is None:
            raise NotSimulated(value)
        return found.astimezone(UTC).strftime(STAMP)

    def called(self, value: str) -> tuple[str, list[str]]:
        """The function and the literal arguments of an expression; anything but one call of literals is refused."""
        call = CALL.fullmatch(value.removeprefix("javascript:").strip())
        if call is None or ARGUMENTS.fullmatch(call[2]) is None:
            raise NotSimulated(value)
        return call[1], [first or second or third for first, second, third in ARGUMENT.findall(call[2])]

    def _moment(self, name: str, arguments: list[str]) -> datetime | None:
        here = self.moment.astimezone(self.zone)
        if name == "nowDateTime" and not arguments:
            return here
        if name == "dateGenerate" and len(arguments) == 2:
            return self._generated(*arguments)
        if (ago := AGO.fullmatch(name)) and len(arguments) == 1 and re.fullmatch(r"-?\d+", arguments[0]):
            unit, direction, edge = ago.groups()
            there = moved(here, unit, int(arguments[0]) * (-1 if direction == "Ago" else 1))
            if there is None or edge is None:
                return there
            return start_of(there, unit) if edge == "Start" else end_of(there, unit)
        if (period := PERIOD.fullmatch(name)) and not arguments:
            edge, which, unit = period[1], period[2], period[3].lower()
            there = moved(start_of(here, unit), unit, OFFSETS[which])
            return there and (there if edge == "beginning" else end_of(there, unit))
        if (near := NEAR.fullmatch(name)) and not arguments:
            there = here + timedelta(days=OFFSETS[near[2]])
            return start_of(there, "day") if near[1] == "beginning" else end_of(there, "day")
        return None

    def _generated(self, date: str, time: str) -> datetime | None:
        try:
            moment = datetime.strptime(f"{date} {EDGES.get(time, time)}", STAMP)  # noqa: DTZ007 - the zone follows
        except ValueError:
            return None
        return moment.replace(tzinfo=self.zone)
