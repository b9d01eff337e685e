"""Tracking: how far the records have come that documents became, read from ServiceNow's own tables.

Every row is held against what was asked, since ServiceNow drops a condition that it does not understand, or that a rule
forbids, and runs the rest.

Access rules take rows out of a page after it was cut, so a short page is no end; the count of matching rows tells. A hidden
row shows neither itself nor its stamp: it cannot be tracked, and once a visible row with a later stamp was seen, it is passed.
It is read like any other from its next change on. Hidden rows behind the last visible one are never passed: the next pass
meets them again, so that a user who sees little of a large table pays a call for each thousand hidden rows, every time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from connector.decisions.queries import any_of, portions
from connector.decisions.tracking import BEGINNING, UPDATED, Mark, Position, as_asked, condition, moment_of
from connector.decisions.tracking_findings import Visible
from connector.errors import Refused
from connector.servicenow.session import SYSTEM, AnsweredRefusal, Json, ServiceNowSession

PAGE = 1000
IDS_A_CALL = 100
TIMEOUT = 70.0
"""Above the instance's own limit of 60 s a request, so that the server's word comes before ours."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a record stands: the state as stored, and as ServiceNow shows it."""

    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Tracked:
    """A record in the order of changes."""

    mark: Mark
    standing: Standing


@dataclass(frozen=True, slots=True)
class TrackedPage:
    """A page of records. `more`: records match that are not in it; `hidden`: how many of it the user may not see; `at`: the
    instance's clock."""

    records: tuple[Tracked, ...]
    more: bool
    hidden: int
    at: datetime


class TrackingReader:
    """Reads the states of records."""

    def __init__(self, session: ServiceNowSession) -> None:
        self._session = session

    def page(self, table: str, column: str, position: Position, limit: int = PAGE) -> TrackedPage:
        """The records from this position on, in the order in which they were changed. Raises `Outage`; `Refused` when the
        answer is not what was asked for, or does not show the state."""
        listed = self._session.listed(
            table,
            query=condition(position),
            fields=f"sys_id,{column},{UPDATED}",
            limit=limit,
            timeout=TIMEOUT,
            skip=position.skip,
            labels=True,
        )
        records = tuple(_tracked(table, column, row) for row in listed.rows)
        if not as_asked(position, [record.mark for record in records]):
            raise Refused(
                SYSTEM,
                f"{table} gave records that were not asked for, or not in the order asked for; let the user query and sort by "
                f"sys_id and {UPDATED} (query_range rules)",
            )
        reached = position.skip + limit
        more = len(records) >= limit if listed.total is None else listed.total > reached
        matching = len(records) if listed.total is None else max(0, min(limit, listed.total - position.skip))
        return TrackedPage(records, more, max(0, matching - len(records)), listed.at)

    def standings(self, table: str, column: str, sys_ids: Collection[str]) -> dict[str, Standing | None]:
        """Where these records stand now; None for one that is not there, as far as the instance tells: it was deleted, or
        hidden so well that it is not even counted. Raises `Outage`; `Refused` when records are counted and not shown, or the
        state is hidden."""
        found: dict[str, Standing | None] = {}
        wanted = sorted(set(sys_ids))
        for part in portions(wanted, [[one] for one in wanted], IDS_A_CALL):
            listed = self._session.listed(
                table,
                query=f"{any_of('sys_id', part)}^ORDERBYsys_id",
                fields=f"sys_id,{column}",
                limit=len(part),
                timeout=TIMEOUT,
                labels=True,
            )
            seen = {_value(row, "sys_id"): _standing(table, column, row) for row in listed.rows}
            if not seen.keys() <= set(part) or len(seen) != len(listed.rows):
                raise Refused(SYSTEM, f"{table} gave records that were not asked for; let the user query by sys_id")
            if listed.total != len(seen) and len(seen) < len(part):
                raise Refused(
                    SYSTEM,
                    f"some of the records of {table} are hidden from the user; let the user read all of them, so that none is "
                    "changed that must not be",
                )
            found |= {sys_id: seen.get(sys_id) for sys_id in part}
        return found

    def visible(self, table: str, column: str) -> Visible:
        """Whether the user may follow the column: sees a record of the table, in the order of changes, and its state. Raises
        `Outage`."""
        query = condition(Position(BEGINNING))
        try:
            listed = self._session.listed(
                table, query=query, fields=f"sys_id,{column},{UPDATED}", limit=1, timeout=TIMEOUT, labels=True
            )
        except AnsweredRefusal as refusal:
            if refusal.status == 400 and "Invalid table" in str(refusal):
                return "no table"
            if refusal.status != 403:
                raise
            return "closed"
        if not listed.rows:
            return "closed" if listed.total else "empty"
        row = listed.rows[0]
        return "open" if _value(row, column) is not None and _value(row, UPDATED) is not None else "no column"


def _tracked(table: str, column: str, row: Json) -> Tracked:
    at, sys_id = moment_of(_value(row, UPDATED) or ""), _value(row, "sys_id")
    if at is None or not sys_id:
        raise Refused(SYSTEM, f"{table} does not show {UPDATED}; let the user read this column")
    return Tracked(Mark(at, sys_id), _standing(table, column, row))


def _standing(table: str, column: str, row: Json) -> Standing:
    state = _value(row, column)
    if state is None:
        raise Refused(
            SYSTEM, f"{table} does not show {column}; correct tracking.state, or let the user read this column"
        )
    return Standing(state, _value(row, column, "display_value") or state)


def _value(row: Json, name: str, part: str = "value") -> str | None:
    """The stored value of a column, or how it is shown; None when the row does not have it."""
    value = row.get(name)
    text = value.get(part) if isinstance(value, dict) else None
    return text if isinstance(text, str) else None
