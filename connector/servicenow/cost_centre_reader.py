"""All cost centres of ServiceNow, and those that changed: what the alignment with dimension values starts from.

A cost centre that is not in the answer would look gone. Access rules take rows out of a page after it was cut, and columns out
of rows; ServiceNow drops a condition that it does not understand, or that a rule forbids, and runs the rest. So each page is
held against the count of matching rows (X-Total-Count, which does not subtract hidden ones) and against what was asked, and
what does not fit is refused: the alignment stands still rather than build upon half a list. Rows hidden before anything is
counted (by another domain, or by a business rule on queries) cannot be told from rows that do not exist.

Sources: "Table API", "Cost center" and "Access control rules" of ServiceNow's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connector.decisions.tracking import (
    UPDATED,
    Mark,
    Position,
    Progress,
    advanced,
    as_asked,
    beginning,
    condition,
    following,
    moment_of,
)
from connector.errors import Refused
from connector.model.alignment import CostCentre
from connector.model.profile import CostCentres
from connector.servicenow.readings import flag
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, Json, Listed, ServiceNowSession

PAGE = 1000
MOST_PAGES = 100
ID, CODE, NUMBER, NAME, PARENT = "sys_id", "code", "account_number", "name", "parent"
"""The platform's own columns of cost centres."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Cost centres that changed, each as it is now, in the order of their changes. `since`: what to ask with next time."""

    cost_centres: tuple[CostCentre, ...]
    since: datetime | None


class CostCentreReader:
    """Reads cost centres. `rules`: the profile's table, and its columns of validity and availability ("": not asked for)."""

    def __init__(self, session: ServiceNowSession, rules: CostCentres, *, page: int = PAGE) -> None:
        self._session = session
        self._rules = rules
        self._page = page
        more = (rules.valid_from, rules.valid_to, rules.available)
        self._fields = ",".join((ID, CODE, NUMBER, NAME, PARENT, *filter(None, more), UPDATED))

    def all(self) -> list[CostCentre]:
        """Every cost centre, by sys_id; a call for each thousand. Raises `Outage`; `Refused`, naming the table, when some are
        hidden, or it cannot be told that none is."""
        found: list[CostCentre] = []
        last, left = "", 0
        for _ in range(MOST_PAGES):
            listed = self._listed(f"{ID}>{last}^ORDERBY{ID}" if last else f"ORDERBY{ID}")
            left = self._left(listed, left)
            page = [self._cost_centre(row) for row in listed.rows]
            ids = [one.casefold() for one in (last, *(each.sys_id for each in page))]
            if any(earlier >= later for earlier, later in zip(ids, ids[1:], strict=False)):
                raise self._strange(ID)
            found += page
            if not left:
                self._none_kept_back(found)
                return found
            last = page[-1].sys_id
        raise self._refused("there are more of them than can be aligned")

    def changed(self, since: datetime | None) -> Changed:
        """Those that changed since then, and some minutes before, since a change may appear later than its stamp; None: all of
        them. Deleted ones are not among them. Raises what `all` raises."""
        changed = self._changed(Progress(since))
        if since is not None and not changed.cost_centres:
            # The last one that changed is met every time, unless it was deleted: or the query is not let through.
            changed = self._changed(Progress())
        self._none_kept_back(changed.cost_centres)
        return changed

    def _changed(self, progress: Progress) -> Changed:
        position: Position | None = beginning(progress)
        found: dict[str, CostCentre] = {}
        left = 0
        for _ in range(MOST_PAGES):
            if position is None:
                return Changed(tuple(found.values()), progress.watermark)
            listed = self._listed(condition(position))
            # A page of further records of one second counts only these.
            left = max(0, left - len(listed.rows)) if position.id else self._left(listed, left)
            page = [self._cost_centre(row) for row in listed.rows]
            marks = [Mark(one.updated, one.sys_id) for one in page if one.updated is not None]
            if not as_asked(position, marks):
                raise self._strange(f"{ID} and {UPDATED}")
            for one in page:
                # Changed again while it was read: it is met once more, at its new place.
                found.pop(one.sys_id, None)
                found[one.sys_id] = one
            more = _total(listed) > len(listed.rows)
            position = following(position, marks, more=more, limit=self._page)
            progress = advanced(progress, marks, [], listed.at, position)
        raise self._refused("there are more changes than can be read")

    def _listed(self, query: str) -> Listed:
        """One page, of which nothing is hidden."""
        listed = self._session.listed(
            self._rules.table, query=query, fields=self._fields, limit=self._page, timeout=READ_TIMEOUT
        )
        if listed.total is None:
            raise self._refused("the answer does not say how many there are (X-Total-Count)")
        hidden = min(_total(listed), self._page) - len(listed.rows)
        if hidden > 0:
            raise self._refused(f"{hidden} of them are hidden; let the user read every row")
        if hidden < 0:
            raise self._refused("the answer holds more of them than it says there are")
        return listed

    def _none_kept_back(self, found: Sequence[CostCentre]) -> None:
        """An instance may answer a query that a rule forbids with nothing: then there are rows without the query."""
        if not found:
            plain = self._session.listed(self._rules.table, query="", fields=ID, limit=1, timeout=READ_TIMEOUT)
            if plain.rows or plain.total:
                raise self._strange(f"{ID} and {UPDATED}")

    def _left(self, listed: Listed, expected: int) -> int:
        """How many are left to read after this page, on which `expected` were still to come."""
        missing = expected - _total(listed)
        if missing > 0:
            raise self._refused(f"{missing} of them did not come (or were deleted meanwhile)")
        return _total(listed) - len(listed.rows)

    def _cost_centre(self, row: Json) -> CostCentre:
        rules = self._rules
        return CostCentre(
            sys_id=self._known(row, ID),
            code=self._text(row, CODE),
            account_number=self._text(row, NUMBER),
            name=self._text(row, NAME),
            parent=self._text(row, PARENT),
            valid_from=self._day(row, rules.valid_from),
            valid_to=self._day(row, rules.valid_to),
            available=self._flag(row, rules.available),
            updated=self._moment(row),
        )

    def _known(self, row: Json, column: str) -> str:
        text = self._text(row, column)
        if not text:
            raise self._refused(f"one has no {column}")
        return text

    def _text(self, row: Json, column: str) -> str:
        """A value as text, of a reference the sys_id. A column that is not in the row does not mean that it is empty."""
        value = row.get(column)
        text = value.get("value") if isinstance(value, Mapping) else value
        if not isinstance(text, str):
            raise self._refused(f"the column {column} cannot be read in all of them")
        return text

    def _day(self, row: Json, column: str) -> date | None:
        text = self._text(row, column) if column else ""
        if not text:
            return None
        moment = moment_of(text)
        try:
            return date.fromisoformat(text) if moment is None else moment.date()
        except ValueError:
            raise self._refused(f"{column} holds something that is no date") from None

    def _flag(self, row: Json, column: str) -> bool | None:
        """None where nobody says, or may say: only the finance applications bring this column."""
        if not column or not row.get(column):
            return None
        told = flag(row, column)
        if told is None:
            raise self._refused(f"{column} holds something that is neither true nor false")
        return told

    def _moment(self, row: Json) -> datetime:
        moment = moment_of(self._text(row, UPDATED))
        if moment is None:
            raise self._refused(f"{UPDATED} holds something that is no date and time")
        return moment

    def _strange(self, columns: str) -> Refused:
        return self._refused(
            f"the answer is not what was asked for, or not in that order; let the user query and sort by {columns} "
            "(query_range rules)"
        )

    def _refused(self, what: str) -> Refused:
        return Refused(SYSTEM, f"cost centres cannot be read from {self._rules.table}: {what}")


def _total(listed: Listed) -> int:
    return listed.total or 0
