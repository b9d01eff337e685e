"""The insertMultiple door: one import set a call and table, transformed later, so its rows are read back before they count.

Headers go first. The lines of those that were taken follow in import sets of the same group that run after the headers' own. A
set that is still being worked when time is up leaves its documents to a later run. Before a document is sent once more, it is
asked whether such a set still holds rows of it: those would be transformed after the newer ones and overwrite them. Where the
fate of an earlier try is not known, its rows are looked for, and what is there as it would be sent counts: so a document that
takes longer than one run goes on where the run before it ended.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from connector.decisions.answers import RowResult
from connector.decisions.imports import FIELDS, PENDING, WORKING, judge_import, settled
from connector.decisions.mapping import MappedDocument, StagingRow
from connector.decisions.queries import any_of, portions
from connector.errors import Ambiguous, Outage, Refused
from connector.model.staging import StagingTable
from connector.ports import Clock
from connector.servicenow.doors.delivery import Delivery, out_of_time, outage_of, stopping
from connector.servicenow.doors.pace import LONGEST_PAUSE, SHORTEST_PAUSE, Pace
from connector.servicenow.record_keys import RecordKeys
from connector.servicenow.session import SYSTEM, ServiceNowSession
from connector.servicenow.staged_rows import StagedRows

SERVER_LIMIT = 60.0
TIMEOUT = 70.0
PAGE = 1000
"""Rows a read."""
DOCUMENTS_A_QUERY = 200
OUT_OF_TIME = "did not get to all rows in time"
SYS_ID = re.compile(r"[0-9A-Fa-f]{32}")


class _Item(NamedTuple):
    document: int
    row: int


class InsertMultipleDoor:
    """Writes mapped documents into staging tables by insertMultiple and tells, row by row, what their transformation made of
    them. `tables`: the staging tables of the profile, by name."""

    settles_after = SERVER_LIMIT

    def __init__(self, session: ServiceNowSession, tables: Mapping[str, StagingTable], clock: Clock) -> None:
        self.session = session
        self.tables = tables
        self.clock = clock
        self.keys = RecordKeys(session, tables.values())
        self.staged = StagedRows(session, tables, clock)
        self.pace = Pace()

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        return _Call(self, documents, may_go_on).run()


class _Call:
    """One call of the door: its documents, what became of them, and the group of import sets it has made."""

    def __init__(
        self, door: InsertMultipleDoor, documents: Sequence[MappedDocument], may_go_on: Callable[[], bool]
    ) -> None:
        self._door = door
        self._documents = documents
        self._may_go_on = may_go_on
        self._deliveries = [Delivery() for _ in documents]
        self._group = ""
        self._last = ""
        self._went_on: set[int] = set()

    def run(self) -> list[Delivery]:
        """Table by table, in the order in which rows must arrive: nothing follows a row that was not taken."""
        fitting = self._fitting()
        for delivery in self._deliveries[fitting:]:
            delivery.outage = Outage(SYSTEM, OUT_OF_TIME)
        levels: dict[str, list[_Item]] = defaultdict(list)
        for number, document in enumerate(self._documents[:fitting]):
            for row, staged in enumerate(document.rows):
                levels[staged.table].append(_Item(number, row))
        looked_for = self._look_for(item for items in levels.values() for item in items)
        for name, items in levels.items():
            self._hold_back(self._door.tables[name], [item for item in items if item.document not in looked_for])
        for name, items in levels.items():
            table, waiting = self._door.tables[name], deque(items)
            while waiting:
                # No more than is transformed soon: what is posted and not done when time is up has to be waited for.
                part = [waiting.popleft() for _ in range(min(len(waiting), self._door.pace.rows_in_a_go()))]
                self._verify(table, self._post(table, [item for item in part if self._to_be_sent(item)]))
        return self._deliveries

    def _look_for(self, items: Iterable[_Item]) -> set[int]:
        """Takes for done what is there as it would be sent; the documents all of whose rows were looked for."""
        in_doubt = (item for item in items if self._documents[item.document].in_doubt)
        found = self._door.staged.find(self._documents, in_doubt, self._may_go_on)
        for (number, row), result in found.results.items():
            self._deliveries[number].results[row] = result
        said = "still has rows to transform that were sent earlier"
        for number in found.pending:
            self._leave([_Item(number, 0)], Ambiguous(SYSTEM, said, settles_after=SERVER_LIMIT))
        for number, outage in found.outages.items():
            self._leave([_Item(number, 0)], outage)
        return found.looked_for

    def _follows(self, item: _Item) -> bool:
        delivery = self._deliveries[item.document]
        return delivery.outage is None and all(one.disposition == "accept" for one in delivery.results.values())

    def _to_be_sent(self, item: _Item) -> bool:
        return self._follows(item) and item.row not in self._deliveries[item.document].results

    def _leave(self, items: Iterable[_Item], outage: Outage) -> None:
        for item in items:
            delivery = self._deliveries[item.document]
            delivery.outage = delivery.outage or outage

    # -- what is left out

    def _fitting(self) -> int:
        """How many of the documents are transformed in good time; one at least, or nothing would ever be done."""
        rows = 0
        for number, document in enumerate(self._documents):
            rows += len(document.rows)
            if number and rows > self._door.pace.rows_in_time():
                return number
        return len(self._documents)

    def _hold_back(self, table: StagingTable, items: Sequence[_Item]) -> None:
        """Leaves out the documents of which an earlier set still holds rows."""
        by_document: dict[int, list[_Item]] = defaultdict(list)
        for item in items:
            if self._follows(item) and self._documents[item.document].earlier is not None:
                by_document[item.document].append(item)
        keys = [self._documents[number].header.key for number in by_document]
        for numbers in portions(list(by_document), keys, DOCUMENTS_A_QUERY):
            portion = [item for number in numbers for item in by_document[number]]
            try:
                waiting = self._door.staged.waiting(table, [self._row(item) for item in portion], self._may_go_on)
            except Outage as outage:
                self._leave(portion, outage)
                if stopping([outage]):
                    self._leave((item for mine in by_document.values() for item in mine), outage)
                    return
                continue
            said = f"{table.table} still holds an earlier version that is to be transformed"
            held = [item for item in portion if waiting is None or self._row(item).key in waiting]
            self._leave(held, Ambiguous(SYSTEM, said, settles_after=SERVER_LIMIT))

    # -- sending

    def _post(self, table: StagingTable, items: Sequence[_Item]) -> dict[str, list[_Item]]:
        """Sends the rows, perhaps in several calls; the import sets made, with their rows."""
        sets: dict[str, list[_Item]] = {}
        door, position, before = self._door, 0, self._last
        while position < len(items):
            part = [item for item in items[position : position + door.pace.size] if self._follows(item)]
            position += door.pace.size
            if not part:
                continue
            if not self._may_go_on():
                for item in [*part, *items[position:]]:
                    self._leave([item], out_of_time(went_on=item.document in self._went_on))
                break
            try:
                sets[self._insert(table, part, before)] = part
            except Outage as outage:
                if isinstance(outage, Ambiguous | Refused):
                    door.pace.failed(len(part))
                self._leave(part, outage)
                if stopping([outage]):
                    self._leave(items[position:], outage)
                    break
        return sets

    def _insert(self, table: StagingTable, items: Sequence[_Item], before: str) -> str:
        """One call; the import set it made."""
        door = self._door
        keys = door.keys.of(table)
        records = [
            {keys[name]: text for name, text in self._row(item).columns.items() if name in keys} for item in items
        ]
        wishes = {"multi_import_set_id": self._group, "run_after": before}
        query = urlencode({name: value for name, value in wishes.items() if value})
        started = door.clock.monotonic()
        answer = door.session.post(
            f"/api/now/import/{table.table}/insertMultiple" + (f"?{query}" if query else ""),
            {"records": records},
            timeout=TIMEOUT,
            settles_after=SERVER_LIMIT,
        )
        door.pace.posted(len(items), door.clock.monotonic() - started)
        made, group = answer.get("import_set_id"), answer.get("multi_import_set_id")
        if not isinstance(made, str) or not SYS_ID.fullmatch(made):
            raise Ambiguous(SYSTEM, "took rows without naming their import set", settles_after=SERVER_LIMIT)
        self._last = made
        if isinstance(group, str) and SYS_ID.fullmatch(group):
            self._group = group
        return made

    # -- reading back

    def _verify(self, table: StagingTable, sets: Mapping[str, list[_Item]]) -> None:
        """Waits for the transformation of the sets, and gives each of their rows its result."""
        pace, clock, started = self._door.pace, self._door.clock, self._door.clock.monotonic()
        if not sets:
            return
        count = sum(map(len, sets.values()))
        results: dict[_Item, RowResult] = {
            item: RowResult("ambiguous", PENDING, OUT_OF_TIME) for items in sets.values() for item in items
        }
        try:
            if self._pause(pace.first_pause(count)):
                results |= self._read(table, sets)
                unsettled = {name: items for name, items in sets.items() if not settled(results[one] for one in items)}
                if not unsettled:
                    pace.transformed(count, clock.monotonic() - started, at_once=True)
                elif self._worked(unsettled):
                    pace.transformed(count, clock.monotonic() - started, at_once=False)
                    results |= self._read(table, unsettled)
                else:
                    done = sum(result.disposition != "ambiguous" for result in results.values())
                    pace.transformed(max(1, done), clock.monotonic() - started, at_once=False)
        except Outage as outage:
            # The rows are there. What becomes of them is seen by the next run, which sends nothing before they are done.
            self._leave((item for item, result in results.items() if result.disposition == "ambiguous"), outage)
        for item, result in results.items():
            delivery = self._deliveries[item.document]
            delivery.results[item.row] = result
            delivery.outage = delivery.outage or outage_of(result, SERVER_LIMIT)
            if result.disposition == "refused":
                self._door.keys.forget()
            elif result.disposition == "accept":
                self._went_on.add(item.document)

    def _pause(self, seconds: float) -> bool:
        """Waits; whether there is time for another request."""
        if self._may_go_on():
            self._door.clock.sleep(seconds)
        return self._may_go_on()

    def _worked(self, sets: Collection[str]) -> bool:
        """Waits until none of the sets is worked any more; False when time is up before."""
        pause = SHORTEST_PAUSE
        while self._pause(pause):
            rows = self._door.session.rows(
                "sys_import_set",
                query=f"{any_of('sys_id', sets)}^ORDERBYsys_id",
                fields="sys_id,state",
                limit=len(sets),
            )
            if not any(row.get("sys_id") in sets and row.get("state") in WORKING for row in rows):
                return self._may_go_on()
            pause = min(LONGEST_PAUSE, pause * 2)
        return False

    def _read(self, table: StagingTable, sets: Mapping[str, list[_Item]]) -> dict[_Item, RowResult]:
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for names in _pages(sets):
            if not self._may_go_on():
                break
            rows = self._door.session.rows(
                table.table,
                query=f"{any_of('sys_import_set', names)}^ORDERBYsys_id",
                fields=",".join([*FIELDS, *table.key]),
                limit=sum(len(sets[name]) for name in names),
            )
            for row in rows:
                found[str(row.get("sys_import_set"))].append(row)
        results: dict[_Item, RowResult] = {}
        for name, items in sets.items():
            sent = [self._row(item).key for item in items]
            results |= zip(items, judge_import(table.table, table.key, sent, found[name]), strict=True)
        return results

    def _row(self, item: _Item) -> StagingRow:
        return self._documents[item.document].rows[item.row]


def _pages(sets: Mapping[str, Sequence[_Item]]) -> Iterator[list[str]]:
    """The sets in groups whose rows fit on a page."""
    page: list[str] = []
    rows = 0
    for name, items in sets.items():
        if page and rows + len(items) > PAGE:
            yield page
            page, rows = [], 0
        page.append(name)
        rows += len(items)
    if page:
        yield page
