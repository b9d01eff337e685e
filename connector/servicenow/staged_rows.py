"""Staged rows: reading back, by their keys, rows that may have been sent before, so that a lost answer doubles none of them.

Only a complete reading says that a row is there: ServiceNow drops a part of a query that it does not understand, and leaves out
rows that access rules hide, without a word. Whatever cannot be told is sent once more, which its key makes harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.decisions.answers import RowResult
from connector.decisions.imports import PENDING, WAITING_FIELDS, WORKING, still_waiting
from connector.decisions.mapping import MappedDocument, StagingRow
from connector.decisions.queries import MOST_CHARACTERS, any_of, askable, portions
from connector.decisions.staged import DEAD_AFTER, FIELDS, Sightings
from connector.errors import Outage, Refused, Throttled
from connector.model.staging import StagingTable
from connector.ports import Clock
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, Json, ServiceNowSession

KEYS_A_QUERY = 100
PAGE, MOST_PAGES = 1000, 50
"""Rows a read, and reads for one query: enough for the longest document in several versions."""
OUT_OF_TIME = "did not get to all rows in time"
PATIENCE = 3
"""After so many readings in a row that failed, what is in doubt is sent without one: a table that cannot be read in time must
not hold anything up for ever."""

Item = tuple[int, int]
"""A row that is to be sent: the number of its document, and its own number in there."""


@dataclass(slots=True)
class Found:
    """What a look brought. `results`: of the rows that are there as they would be sent, and were taken. `pending`: the
    documents of which rows are still to be transformed. `looked_for`: the documents all of whose rows were asked about;
    `outages`: those that have to wait until a look is possible."""

    results: dict[Item, RowResult] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)
    looked_for: set[int] = field(default_factory=set)
    outages: dict[int, Outage] = field(default_factory=dict)


class _OutOfTime(Exception):
    """There is no time for another request."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that are asked for together, by the values of these columns: all of one document, or a single one."""

    items: tuple[Item, ...]
    asked: Mapping[str, str]


class StagedRows:
    """Looks for rows in these staging tables, by name."""

    def __init__(self, session: ServiceNowSession, tables: Mapping[str, StagingTable], clock: Clock) -> None:
        self._session = session
        self._tables = tables
        self._clock = clock
        self._failures = 0

    def find(self, documents: Sequence[MappedDocument], items: Iterable[Item], may_go_on: Callable[[], bool]) -> Found:
        """What there is of these rows. `may_go_on` is asked before each request. Raises no outage: it is in what was found."""
        found = Found()
        by_table: dict[str, dict[int, list[Item]]] = {}
        for item in items:
            row = documents[item[0]].rows[item[1]]
            by_table.setdefault(row.table, {}).setdefault(item[0], []).append(item)
        found.looked_for = {number for by_document in by_table.values() for number in by_document}
        for name, by_document in by_table.items():
            groups: list[_Group] = []
            for number, mine in by_document.items():
                of_document = self._groups(documents[number], mine, name)
                if sum(len(group.items) for group in of_document) < len(mine):
                    found.looked_for.discard(number)
                groups += of_document
            for portion in portions(groups, [[*group.asked.values()] for group in groups], KEYS_A_QUERY):
                self._look(self._tables[name], documents, portion, may_go_on, found)
        return found

    def waiting(
        self, table: StagingTable, rows: Sequence[StagingRow], may_go_on: Callable[[], bool]
    ) -> frozenset[tuple[str, ...]] | None:
        """The keys of which a row is still to be transformed, whatever it holds; None when there are too many to tell."""
        if not may_go_on():
            raise Outage(SYSTEM, OUT_OF_TIME)
        dead_before = f"{self._clock.now() - DEAD_AFTER:%Y-%m-%d %H:%M:%S}"
        conditions = [f"sys_import_state={PENDING}", any_of("sys_import_set.state", WORKING)]
        conditions.append(f"sys_created_on>={dead_before}")
        for position, name in enumerate(table.key):
            values = {row.key[position] for row in rows}
            if all(map(askable, values)):
                conditions.append(any_of(name, values))
        fields = ",".join([*WAITING_FIELDS, *table.key])
        query = "^".join([*conditions, "ORDERBYsys_id"])
        found = self._session.rows(table.table, query=query, fields=fields, limit=PAGE)
        return None if len(found) >= PAGE else still_waiting(table.key, found, dead_before=dead_before)

    def _groups(self, document: MappedDocument, items: Sequence[Item], name: str) -> list[_Group]:
        """How to ask for these rows of a document; what cannot be asked for is in no group."""
        table, headers = self._tables.get(name), self._tables.get(document.header.table)
        if table is None or headers is None:
            return []
        rows = [document.rows[row] for _, row in items]
        each = [_values(row, table.key) for row in rows]
        common = {name: text for name, text in each[0].items() if all(one[name] == text for one in each)}
        if set(_values(document.header, headers.key).values()) <= set(common.values()):
            return [_Group(tuple(items), common)] if all(map(_usable, common.values())) else []
        return [
            _Group((item,), asked) for item, asked in zip(items, each, strict=True) if all(map(_usable, asked.values()))
        ]

    def _look(
        self,
        table: StagingTable,
        documents: Sequence[MappedDocument],
        portion: Sequence[_Group],
        may_go_on: Callable[[], bool],
        found: Found,
    ) -> None:
        """One query, for the groups of documents that still can be brought to an end."""
        waiting = found.pending | found.outages.keys()
        groups = [group for group in portion if group.items[0][0] not in waiting]
        numbers = {group.items[0][0] for group in groups}
        if not groups:
            return
        stopped = next((each for each in found.outages.values() if isinstance(each, Throttled)), None)
        items = [item for group in groups for item in group.items]
        rows = [documents[number].rows[row] for number, row in items]
        sightings = Sightings(table, [(item[0], row) for item, row in zip(items, rows, strict=True)])
        try:
            if stopped is not None:
                raise stopped
            complete = self._read(table, _conditions(groups, rows, table), rows, sightings, numbers, found, may_go_on)
            self._failures = 0
        except _OutOfTime:
            found.outages |= dict.fromkeys(numbers, Outage(SYSTEM, OUT_OF_TIME))
            return
        except Refused:
            found.looked_for -= numbers  # nobody may read here: it is sent, as its key allows
            return
        except Outage as outage:
            self._failures += not isinstance(outage, Throttled)
            if self._failures > PATIENCE:
                found.looked_for -= numbers
            else:
                found.outages |= dict.fromkeys(numbers, outage)
            return
        if complete:
            results = zip(items, sightings.results(), strict=True)
            found.results |= {item: result for item, result in results if result is not None}
        else:
            found.looked_for -= numbers - found.pending

    def _read(
        self,
        table: StagingTable,
        asked: Mapping[str, set[str]],
        rows: Sequence[StagingRow],
        sightings: Sightings,
        numbers: set[int],
        found: Found,
        may_go_on: Callable[[], bool],
    ) -> bool:
        """Reads page after page; whether nothing that matches is missing. Ends as soon as all documents have to wait anyway."""
        columns = {name for row in rows for name in row.names}
        query = "^".join(any_of(name, values) for name, values in asked.items())
        folded = {name: {value.casefold() for value in values} for name, values in asked.items()}
        total: int | None = None
        read, last = 0, ""
        for _ in range(MOST_PAGES):
            if not may_go_on():
                raise _OutOfTime
            page = self._session.listed(
                table.table,
                query=f"{query}^sys_id>{last}^ORDERBYsys_id" if last else f"{query}^ORDERBYsys_id",
                fields=",".join([*FIELDS, *sorted({*table.key, *columns})]),
                limit=PAGE,
                timeout=READ_TIMEOUT,
            )
            strange = False
            for row in page.rows:
                strange = strange or not _is(row, folded)
                sightings.add(row)
            found.pending |= sightings.pending(f"{page.at - DEAD_AFTER:%Y-%m-%d %H:%M:%S}")
            total = page.total if not last else total
            read += len(page.rows)
            ids = [str(row.get("sys_id") or "") for row in page.rows]
            if strange or total is None or numbers <= found.pending:
                return False
            if page.total is None or page.total <= PAGE or not ids or ids[-1] <= last:
                return read == total
            last = ids[-1]
        return False


def _conditions(groups: Sequence[_Group], rows: Sequence[StagingRow], table: StagingTable) -> dict[str, set[str]]:
    """The values to ask for, by column: those that tell documents apart, and of the rest of the key what fits as well."""
    names = [name for name in table.key if all(name in group.asked for group in groups)]
    asked = {name: {group.asked[name] for group in groups} for name in names}
    left = MOST_CHARACTERS - sum(len(value) + 3 for values in asked.values() for value in values)
    for name in table.key:
        values = {row.columns.get(name, "") for row in rows}
        needed = sum(len(value) + 3 for value in values)
        if name not in asked and needed <= left and all(map(_usable, values)):
            asked[name] = values
            left -= needed
    return asked


def _values(row: StagingRow, names: Iterable[str]) -> dict[str, str]:
    return {name: row.columns.get(name, "") for name in names}


def _usable(text: str) -> bool:
    return bool(text) and askable(text)


def _is(row: Json, folded: Mapping[str, set[str]]) -> bool:
    """Whether the row is one of those that were asked for."""
    return all(str(row.get(name, "")).casefold() in values for name, values in folded.items())
