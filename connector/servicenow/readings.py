"""Readings of the instance's own tables: which rows there are, and whether that is all of them.

An ordinary user may often not read these tables, and the instance does not say so: it answers 200 with fewer rows, with none,
or with columns left out (access rules filter a page after it was cut, as the Table API's page says). So a reading tells what
it saw, and calls itself complete only when nothing was hidden; what an incomplete one lacks is unknown, not absent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from connector.errors import Outage, Refused, Throttled
from connector.model.catalog import Access
from connector.ports import Clock
from connector.servicenow.session import SYSTEM, AnsweredRefusal, Json, ServiceNowSession

PAGE = 1000
MAX_PAGES = 20
TIMEOUT = 20.0
TIME_FOR_ALL = 30.0
"""Seconds after which no further request begins: together with the last one it ends before a slot's lease of 90 s does."""


@dataclass(slots=True)
class Reading:
    """What a query found. `complete`: nothing that matches was hidden or left unread. `refused`: the status that refused the
    table as such, 0 for none; `invalid`: the instance knows no such table."""

    rows: list[Json] = field(default_factory=list)
    complete: bool = False
    total: int | None = None
    refused: int = 0
    invalid: bool = False

    @property
    def access(self) -> Access:
        """Whether the caller may read rows of the table."""
        if self.rows:
            return "open"
        hidden = self.refused == 403 or bool(self.total)
        return "closed" if hidden else "unknown"


class Readings:
    """The readings of one look at the instance. `unread` says what could not be read, `calls` how many requests it took, `skew`
    by how many seconds the instance's clock is ahead of this machine's."""

    def __init__(self, session: ServiceNowSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._started = clock.monotonic()
        self._given_up = False
        self.throttled: Throttled | None = None
        self.unread: list[str] = []
        self.calls = 0
        self.skew: float | None = None

    def read(self, table: str, query: str, fields: str, asked: Callable[[Json], bool]) -> Reading:
        """Every row that matches. `asked` tells whether a row is one of those asked for: ServiceNow drops a part of a query
        that it does not understand, and such an answer is worth nothing.

        Refusals of this one table and outages are in the reading. Raises `Refused` when the caller is refused whatever he asks.
        """
        found = Reading()
        last = ""
        for _ in range(MAX_PAGES):
            page = self._page(
                table, f"{query}^sys_id>{last}^ORDERBYsys_id" if last else f"{query}^ORDERBYsys_id", fields
            )
            if page.total is None and not page.rows:
                return Reading(found.rows, refused=page.refused, invalid=page.invalid)
            if not all(asked(row) for row in page.rows):
                self.unread.append(f"{table}: the answer holds rows nobody asked for")
                return Reading()
            found.rows += page.rows
            if not last:
                found.total = page.total
            ids = [str(row.get("sys_id", "")) for row in page.rows]
            # Rules may hide rows of a page, so that only the count tells whether another follows.
            if page.total is None or page.total <= PAGE or not ids or not ids[-1] or ids[-1] <= last:
                break
            last = ids[-1]
        found.complete = found.total == len(found.rows)
        if not found.complete:
            self.unread.append(f"{table}: {len(found.rows)} of {found.total} rows can be read")
        return found

    def probe(self, table: str, fields: str, query: str = "") -> Reading:
        """One row of a table, whichever: does it exist, may the caller read it?"""
        return self._page(table, f"{query}^ORDERBYsys_id" if query else "ORDERBYsys_id", fields, limit=1)

    def _page(self, table: str, query: str, fields: str, limit: int = PAGE) -> Reading:
        if self._given_up or self._clock.monotonic() - self._started > TIME_FOR_ALL:
            self.unread.append(f"{table}: not asked for, the instance answers too badly")
            return Reading()
        self.calls += 1
        try:
            listed = self._session.listed(table, query=query, fields=f"sys_id,{fields}", limit=limit, timeout=TIMEOUT)
        except AnsweredRefusal as refusal:
            if refusal.status == 401:
                raise
            self.unread.append(f"{table}: {refusal}"[:300])
            return Reading(refused=refusal.status, invalid=refusal.status == 400 and "Invalid table" in str(refusal))
        except Refused:
            raise
        except Throttled as throttled:
            self.throttled = throttled
            return self._give_up(table, throttled)
        except Outage as outage:
            return self._give_up(table, outage)
        self.skew = (listed.at - self._clock.now()).total_seconds()
        return Reading(listed.rows, total=listed.total)

    def _give_up(self, table: str, outage: Outage) -> Reading:
        """After one read that failed for good, the others would only add to the instance's trouble."""
        self._given_up = True
        self.unread.append(f"{table}: {str(outage).removeprefix(f'{SYSTEM}: ')}"[:300])
        return Reading()


def flag(row: Json, name: str) -> bool | None:
    """A true/false column; None when it was left out or is empty."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(row.get(name, "")).lower())


def whole(row: Json, name: str) -> int | None:
    """A column with a whole number; None when it was left out or holds something else."""
    text = str(row.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def among(column: str, values: Collection[str]) -> Callable[[Json], bool]:
    """Tells whether a row was asked for by one of the values of this column."""
    asked = frozenset(values)
    return lambda row: text(row, column) in asked


def text(row: Json, name: str) -> str:
    """A text column, or the sys_id of a reference; "" when it was left out."""
    value = row.get(name, "")
    return value if isinstance(value, str) else ""
