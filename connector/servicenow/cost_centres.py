"""Cost centres read from ServiceNow: which there are for a code, when they are valid and whether they are open for use.

A cost centre counts as found when ServiceNow's own comparison finds it: without regard to case, as its transform maps compare
by default (Import sets, "Coalesce fields"). To insist on the very letters would hold up documents that ServiceNow takes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from connector.decisions.queries import any_of, askable, portions
from connector.errors import Refused
from connector.model.profile import CostCentres
from connector.model.references import CostCentreFacts
from connector.ports import Clock
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, Json, Listed, ServiceNowSession

CODES_A_CALL = 100
ROWS_A_CALL = 1000
MISSING_FOR = 60.0
"""Seconds for which a code that was not found is believed to be missing: somebody may be creating the cost centre."""
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?: \d\d:\d\d:\d\d)?", re.ASCII)
_FLAGS = {"true": True, "false": False}

Found = tuple[CostCentreFacts, ...]


class CostCentreBook:
    """Cost centres by the code that staging tables find them with."""

    def __init__(self, session: ServiceNowSession, rules: CostCentres, clock: Clock) -> None:
        self._session = session
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, tuple[Found, float]] = {}

    def found(self, codes: Iterable[str], at_most: float) -> Mapping[str, Found]:
        """Per code all cost centres that carry it, perhaps none; what was read within `at_most` seconds is used without a
        request (0: nothing), a code that was not found for a minute at most.

        Where access rules hide some of the rows that match, a code without a visible one may be theirs: it gets one cost centre
        of which nothing is told. Raises `Outage` when ServiceNow cannot serve, `Refused` when the table or its codes cannot be
        read or hold what they should not.
        """
        asked = self._clock.monotonic()
        wanted = sorted(set(codes))
        with self._lock:
            unknown = [code for code in wanted if _can_exist(code) and not self._known(code, asked, at_most)]
            for part in portions(unknown, [[code] for code in unknown], CODES_A_CALL):
                began = self._clock.monotonic()
                self._found |= {code: (found, began) for code, found in self._read(part).items()}
            return {code: self._found[code][0] if _can_exist(code) else () for code in wanted}

    def _known(self, code: str, asked: float, at_most: float) -> bool:
        if code not in self._found:
            return False
        found, began = self._found[code]
        return asked - began < (at_most if found else min(at_most, MISSING_FOR))

    def _read(self, codes: Sequence[str]) -> dict[str, Found]:
        rules = self._rules
        columns = [name for name in (rules.code, rules.valid_from, rules.valid_to, rules.available) if name]
        listed = self._session.listed(
            rules.table,
            query=f"{any_of(rules.code, codes)}^ORDERBYsys_id",
            fields=",".join(columns),
            limit=ROWS_A_CALL,
            timeout=READ_TIMEOUT,
        )
        cut_off = _matching(listed) > ROWS_A_CALL or len(listed.rows) >= ROWS_A_CALL
        if cut_off and len(codes) > 1:
            # A code that many carry must not make the others look missing.
            middle = len(codes) // 2
            return self._read(codes[:middle]) | self._read(codes[middle:])
        by_code: dict[str, list[CostCentreFacts]] = {}
        for row in listed.rows:
            if rules.code not in row:
                # The column does not exist, and the query was dropped, or it may not be read: no row says whose it is.
                raise self._refused(f"the column {rules.code} cannot be read")
            by_code.setdefault(_comparable(str(row[rules.code])), []).append(self._facts(row))
        found = {code: tuple(by_code.get(_comparable(code), ())) for code in codes}
        if cut_off and listed.rows and not all(found.values()):
            # Rows of others, and more of them than can be gone through: the query was dropped.
            raise self._refused(f"the rows cannot be told apart by {rules.code}")
        hidden = _matching(listed) > len(listed.rows)
        return {code: facts or ((CostCentreFacts(),) if hidden else ()) for code, facts in found.items()}

    def _facts(self, row: Json) -> CostCentreFacts:
        rules = self._rules
        return CostCentreFacts(
            self._day(row, rules.valid_from), self._day(row, rules.valid_to), self._flag(row, rules.available)
        )

    def _day(self, row: Json, column: str) -> date | None:
        text = _told(row, column)
        if not text:
            return None
        match = _DAY.fullmatch(text)
        try:
            if match:
                return date.fromisoformat(match[1])
        except ValueError:
            pass  # no day of the calendar
        raise self._refused(f"{column} holds something that is no date")

    def _flag(self, row: Json, column: str) -> bool | None:
        text = _told(row, column)
        if text and text not in _FLAGS:
            raise self._refused(f"{column} holds something that is neither true nor false")
        return _FLAGS.get(text)

    def _refused(self, what: str) -> Refused:
        advice = "check the section cost_centres of the profile and the user's access to the table"
        return Refused(SYSTEM, f"{what} in {self._rules.table}; {advice}")


def _can_exist(code: str) -> bool:
    return bool(code.strip()) and askable(code)


def _comparable(code: str) -> str:
    return code.strip().casefold()


def _matching(listed: Listed) -> int:
    """How many rows match, hidden ones included as far as that is told."""
    return len(listed.rows) if listed.total is None else listed.total


def _told(row: Json, column: str) -> str:
    """A value as text; "" for a column that was not asked for, or is not in the row because it does not exist or is hidden."""
    return str(row.get(column, "")) if column else ""
