"""The table door: records of target tables by the Table API, for an instance without staging tables and their maps.

There is no matching on the other side, so the door matches itself: it looks up by key before it writes, changes only what
differs, and gives a new record an id that follows from its key, so that a create whose answer was lost cannot make a second
record. Writes travel in batches. A refusal or an error does not tell that nothing was written: such records are looked up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connector.decisions.answers import RowResult, judge_record
from connector.decisions.mapping import MappedDocument
from connector.decisions.queries import any_of, askable, portions
from connector.decisions.records import judge_kept, record_id, shown, unlike, wanted_values
from connector.errors import Ambiguous, Outage, Refused
from connector.model.profile import Route
from connector.model.staging import StagingTable
from connector.servicenow.batch_api import BatchApi
from connector.servicenow.doors.delivery import Delivery, outage_of, stopping
from connector.servicenow.doors.record_write import Write, fields
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, ServiceNowSession

SERVER_LIMIT = 60.0
ROUNDS = 3
"""How often records that a batch did not reach are sent again within one call."""
HEADERS_A_QUERY = 100
RECORDS_A_KEY = 5
PARENTS_A_QUERY = 50
PAGE = 1000
OUT_OF_TIME = "did not get to all records in time"


class TableDoor:
    """Writes mapped documents as records and tells, row by row, what became of them. `routes`: those of the profile that lead
    here."""

    settles_after = SERVER_LIMIT

    def __init__(self, session: ServiceNowSession, routes: Iterable[Route], *, rows_a_batch: int) -> None:
        self.session = session
        self.routes = {route.head.table: route for route in routes}
        self.api = BatchApi(session, largest=rows_a_batch)

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        return _Call(self, documents, may_go_on).run()


class _Call:
    """One call of the door: the documents of one route, and what became of them."""

    def __init__(self, door: TableDoor, documents: Sequence[MappedDocument], may_go_on: Callable[[], bool]) -> None:
        self._door = door
        self._documents = documents
        self._may_go_on = may_go_on
        self._deliveries = [Delivery() for _ in documents]
        self._new_headers: set[int] = set()

    def run(self) -> list[Delivery]:
        """Headers, then the lines of those that were taken."""
        if self._documents:
            route = self._door.routes[self._documents[0].header.table]
            headers = self._headers(route)
            self._existing_headers(route.head, headers)
            self._bring(headers)
            lines = self._lines(route)
            self._existing_lines(route, lines)
            self._bring(lines)
        return self._deliveries

    # -- what is wanted

    def _headers(self, route: Route) -> list[Write]:
        headers = []
        for number, document in enumerate(self._documents):
            key = document.header.key
            unfit = [name for name, text in zip(route.head.key, key, strict=True) if not text or not askable(text)]
            if unfit:
                said = (
                    f"{', '.join(unfit)} is part of the key and holds nothing, or characters that cannot be looked up"
                )
                self._deliveries[number].results[0] = RowResult("park", "not looked up", said)
                continue
            own_id = record_id(route.head.table, key)
            headers.append(Write(number, 0, route.head, wanted_values(document.header), own_id))
        return headers

    def _lines(self, route: Route) -> list[Write]:
        lines = []
        for number, document in enumerate(self._documents):
            header = self._deliveries[number].results.get(0)
            if self._deliveries[number].outage is not None or header is None or header.disposition != "accept":
                continue
            for row, line in enumerate(document.rows[1:], start=1):
                own_id = record_id(route.line.table, (header.sys_id, *line.key))
                wanted = wanted_values(line) | {route.parent: header.sys_id}
                lines.append(Write(number, row, route.line, wanted, own_id))
        return lines

    # -- what is there

    def _existing_headers(self, table: StagingTable, headers: Sequence[Write]) -> None:
        keys = [[header.wanted[name] for name in table.key] for header in headers]
        for portion in portions(headers, keys, HEADERS_A_QUERY):
            asked = {name: {header.wanted[name] for header in portion} for name in table.key}
            limit = len(portion) * RECORDS_A_KEY
            try:
                rows = self._rows(table, asked, fields(portion), limit)
                if len(rows) >= limit:
                    raise Refused(SYSTEM, f"{table.table} has too many records with the same {', '.join(table.key)}")
            except Outage as outage:
                self._leave(portion, outage)
                continue
            self._match(portion, rows, table.key)

    def _existing_lines(self, route: Route, lines: Sequence[Write]) -> None:
        parents: dict[str, list[Write]] = defaultdict(list)
        for line in lines:
            if line.document not in self._new_headers:
                parents[line.wanted[route.parent]].append(line)
        for portion in portions(list(parents), [[parent] for parent in parents], PARENTS_A_QUERY):
            mine = [line for parent in portion for line in parents[parent]]
            # A line to be taken back is not written when it is not there, so nothing else would tell that it is.
            gone = any(self._documents[line.document].rows[line.row].removed for line in mine)
            shows = route.line.key if gone else ()
            try:
                page = rows = self._rows(route.line, {route.parent: set(portion)}, fields(mine), PAGE, shows=shows)
                while len(page) >= PAGE:
                    last, asked = str(page[-1]["sys_id"]), {route.parent: set(portion)}
                    page = self._rows(route.line, asked, fields(mine), PAGE, after=last, shows=shows)
                    rows = rows + page
            except Outage as outage:
                self._leave(mine, outage)
                continue
            self._match(mine, rows, (route.parent, *route.line.key))

    def _match(self, writes: Sequence[Write], rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> None:
        """Gives each write the record that is there. Two with one key are for a person to look at."""
        found: dict[tuple[str | None, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            found[tuple(shown(row, name) for name in key)].append(row)
        for write in writes:
            mine = found[tuple(write.wanted[name] for name in key)]
            write.existing = mine[0] if mine else None
            if len(mine) > 1:
                said = f"{len(mine)} records have this key: {', '.join(str(row.get('sys_id')) for row in mine)}"
                self._deliveries[write.document].results[write.row] = RowResult("park", "not unique", said)

    def _rows(
        self,
        table: StagingTable,
        asked: Mapping[str, set[str]],
        fields: str,
        limit: int,
        *,
        after: str = "",
        shows: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Records by their values. ServiceNow drops a condition that it does not understand and answers the rest, so a record
        that was not asked for says that the answer is about something else. `shows`: columns that have to be shown, and then of
        every record: what access rules hide must not look as if it were not there. The count of what matches tells."""
        if not self._may_go_on():
            raise Outage(SYSTEM, OUT_OF_TIME)
        conditions = [any_of(name, values) for name, values in asked.items()]
        conditions += [f"sys_id>{after}"] if after else []
        query = "^".join([*conditions, "ORDERBYsys_id"])
        listed = self._door.session.listed(table.table, query=query, fields=fields, limit=limit, timeout=READ_TIMEOUT)
        rows = listed.rows
        hidden = listed.total is not None and len(rows) < min(listed.total, limit)
        if shows and (hidden or any(shown(row, name) is None for row in rows for name in shows)):
            raise Refused(SYSTEM, f"shows only a part of {table.table}; give the user read access to its records")
        for name, values in asked.items():
            folded = {value.casefold() for value in values}
            if not all((shown(row, name) or "").casefold() in folded for row in rows):
                raise Refused(
                    SYSTEM, f"{table.table} was asked by {name} and answered with others; check column and read access"
                )
        return rows

    # -- writing

    def _bring(self, writes: Sequence[Write]) -> None:
        """Writes what differs, in rounds: what a batch did not reach goes again."""
        waiting = []
        for write in writes:
            if write.row in self._deliveries[write.document].results or self._deliveries[write.document].outage:
                continue
            removed = self._documents[write.document].rows[write.row].removed
            if write.existing is None and removed:
                self._settle(write, RowResult("accept", "ignored", "nothing to take back", "", write.table.table))
            elif write.existing is not None and not write.changes:
                self._settle(write, RowResult("accept", "ignored", "", write.sys_id, write.table.table))
            else:
                waiting.append(write)
        for _ in range(ROUNDS):
            if not waiting:
                return
            waiting = self._round(waiting)
        self._leave(waiting, Outage(SYSTEM, OUT_OF_TIME))

    def _round(self, waiting: Sequence[Write]) -> list[Write]:
        again: list[Write] = []
        position = 0
        while position < len(waiting):
            part = [write for write in waiting[position : position + self._door.api.size] if self._open(write)]
            position += self._door.api.size
            if not part:
                continue
            if not self._may_go_on():
                return [*again, *part, *waiting[position:]]
            again += self._send(part)
            stopped = stopping(self._deliveries[write.document].outage for write in part)
            if stopped is not None:
                self._leave([*again, *waiting[position:]], stopped)
                return []
        return again

    def _send(self, part: Sequence[Write]) -> list[Write]:
        """Sends one batch; returns what has to go again."""
        try:
            answers = self._door.api.send([write.item() for write in part], settles_after=SERVER_LIMIT)
        except Outage as outage:
            self._leave(part, outage)
            return []
        again: list[Write] = []
        doubtful: dict[str, tuple[Write, RowResult | None]] = {}
        for write in part:
            answer = answers.get(write.id)
            if answer is None:
                doubtful[write.sys_id] = write, None  # perhaps written all the same
                continue
            result = judge_record(answer.status, answer.body)
            if result.disposition == "accept":
                self._settle(write, judge_kept(write.changes, answer.body["result"], write.table, write.outcome))
                if write.row == 0 and write.existing is None:
                    self._new_headers.add(write.document)
            elif result.disposition == "again":
                again.append(write)
            elif answer.status == 403 or result.disposition == "ambiguous":
                doubtful[write.sys_id] = write, result
            else:
                self._settle(write, result)
        return again + self._cleared_up(doubtful)

    def _cleared_up(self, doubtful: Mapping[str, tuple[Write, RowResult | None]]) -> list[Write]:
        """Looks at records of which the answer does not tell whether they were written; returns what has to go again."""
        if not doubtful:
            return []
        writes = [write for write, _ in doubtful.values()]
        found: dict[str, Mapping[str, Any]] = {}
        try:
            for portion in portions(writes, [[write.sys_id] for write in writes], HEADERS_A_QUERY):
                ids = {write.sys_id for write in portion}
                for row in self._rows(portion[0].table, {"sys_id": ids}, fields(portion), len(portion)):
                    found[str(row["sys_id"])] = row
        except Outage as outage:
            self._leave(
                writes, Ambiguous(SYSTEM, f"did not tell what was written ({outage})", settles_after=SERVER_LIMIT)
            )
            return []
        again = []
        for sys_id, (write, result) in doubtful.items():
            record = found.get(sys_id)
            if record is not None and not unlike(write.changes, record, write.table):
                self._settle(write, judge_kept(write.changes, record, write.table, write.outcome))
            elif record is not None and write.existing is None:
                write.existing = record  # made by an earlier run, which the first look did not show
                again.append(write)
            elif result is None:
                again.append(write)
            elif result.disposition == "park" and sys_id in result.message:
                said = f"a record of {write.table.table} with this key is there and cannot be read; give read access"
                self._settle(write, RowResult("refused", "hidden", said))
            else:
                self._settle(write, result)
        return again

    def _settle(self, write: Write, result: RowResult) -> None:
        delivery = self._deliveries[write.document]
        delivery.results[write.row] = result
        delivery.outage = delivery.outage or outage_of(result, SERVER_LIMIT)

    def _open(self, write: Write) -> bool:
        return self._deliveries[write.document].outage is None

    def _leave(self, writes: Iterable[Write], outage: Outage) -> None:
        for write in writes:
            delivery = self._deliveries[write.document]
            delivery.outage = delivery.outage or outage
