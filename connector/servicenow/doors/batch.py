"""The batch door: Import Set posts of single rows, carried many at a time by the Batch API.

Each row has its own result in the answer, and a repeated row is harmless because the transform maps match on the row's key.
A header goes before its lines; the lines of a header that was not taken are not sent. Rows that a batch did not reach are sent
again. Where an answer was lost, rows are looked for before they are sent once more, and what is there counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from connector.decisions.answers import RowResult, judge_row
from connector.decisions.mapping import MappedDocument
from connector.errors import Ambiguous, Outage
from connector.model.staging import StagingTable
from connector.ports import Clock
from connector.servicenow.batch_api import SERVER_LIMIT, BatchApi, Item
from connector.servicenow.doors.delivery import Delivery, out_of_time, outage_of, stopping
from connector.servicenow.session import SYSTEM, ServiceNowSession
from connector.servicenow.staged_rows import StagedRows

ROUNDS = 3
"""How often rows left unserviced are sent again within one call."""


class _Item(NamedTuple):
    document: int
    row: int


class BatchDoor:
    """Writes mapped documents into staging tables and tells, row by row, what ServiceNow made of them. `tables`: the staging
    tables of the profile, by name."""

    settles_after = SERVER_LIMIT

    def __init__(
        self, session: ServiceNowSession, tables: Mapping[str, StagingTable], clock: Clock, *, rows_a_batch: int
    ) -> None:
        self.api = BatchApi(session, largest=rows_a_batch)
        self.staged = StagedRows(session, tables, clock)

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        return _Call(self, documents, may_go_on).run()


class _Call:
    """One call of the door: its documents, and what became of them."""

    def __init__(self, door: BatchDoor, documents: Sequence[MappedDocument], may_go_on: Callable[[], bool]) -> None:
        self._door = door
        self._documents = documents
        self._may_go_on = may_go_on
        self._deliveries = [Delivery() for _ in documents]
        self._went_on: set[int] = set()

    def run(self) -> list[Delivery]:
        """What is in doubt is looked for; what is not there is sent, in rounds."""
        items = [_Item(number, row) for number, one in enumerate(self._documents) for row in range(len(one.rows))]
        self._look_for(item for item in items if self._documents[item.document].in_doubt)
        waiting = [item for item in items if item.row not in self._deliveries[item.document].results]
        for _ in range(ROUNDS):
            waiting = self._round(waiting)
            if not waiting:
                break
        for item in waiting:
            self._leave([item], out_of_time(went_on=item.document in self._went_on))
        return self._deliveries

    def _look_for(self, items: Iterable[_Item]) -> None:
        """Takes for done what is there as it would be sent; leaves out documents of which that is still to be seen."""
        found = self._door.staged.find(self._documents, items, self._may_go_on)
        for (number, row), result in found.results.items():
            self._deliveries[number].results[row] = result
        said = "still holds rows that are to be transformed; set the import sets to synchronous mode"
        for number in found.pending:
            self._leave([_Item(number, 0)], Ambiguous(SYSTEM, said, settles_after=SERVER_LIMIT))
        for number, outage in found.outages.items():
            self._leave([_Item(number, 0)], outage)

    def _leave(self, items: Iterable[_Item], outage: Outage) -> None:
        for item in items:
            delivery = self._deliveries[item.document]
            delivery.outage = delivery.outage or outage

    def _round(self, waiting: Sequence[_Item]) -> list[_Item]:
        """Sends the waiting rows in batches; returns those to send again."""
        again: list[_Item] = []
        position = 0
        while position < len(waiting):
            batch: list[_Item] = []
            while position < len(waiting) and len(batch) < self._door.api.size:
                item = waiting[position]
                position += 1
                fate = self._fate(item, batch)
                if fate != "skip":
                    (batch if fate == "send" else again).append(item)
            if not batch:
                continue
            if not self._may_go_on():
                return sorted([*again, *batch, *waiting[position:]])
            again += self._send(batch)
            stopped = stopping(self._deliveries[item.document].outage for item in batch)
            if stopped is not None:
                # A refusal or throttle is about the user or the instance: what has not been sent yet would meet it too.
                self._leave([*again, *waiting[position:]], stopped)
                return []
        return sorted(again)

    def _fate(self, item: _Item, batch: Sequence[_Item]) -> Literal["send", "wait", "skip"]:
        """A line goes with or after its header: it waits for a header that is to be sent again, and is skipped when the
        header was not taken."""
        delivery = self._deliveries[item.document]
        if delivery.outage is not None:
            return "skip"
        if item.row == 0 or _Item(item.document, 0) in batch[-item.row :]:
            return "send"
        header = delivery.results.get(0)
        if header is None:
            return "wait"
        return "send" if header.disposition == "accept" else "skip"

    def _send(self, batch: Sequence[_Item]) -> list[_Item]:
        items = []
        for item in batch:
            row = self._documents[item.document].rows[item.row]
            items.append(Item(_id(item), "POST", f"/api/now/import/{row.table}", row.columns))
        try:
            answered = self._door.api.send(items)
        except Outage as outage:
            self._leave(batch, outage)
            return []
        again = []
        unserviced = []
        for item in batch:
            answer = answered.get(_id(item))
            if answer is None:
                unserviced.append(item)
                continue
            row = self._documents[item.document].rows[item.row]
            result = judge_row(answer.status, answer.body, row.table)
            if self._retry_line(item, result):
                again.append(item)
                continue
            delivery = self._deliveries[item.document]
            delivery.results[item.row] = result
            delivery.outage = delivery.outage or outage_of(result, SERVER_LIMIT)
            if result.disposition == "accept":
                self._went_on.add(item.document)
        return again + self._cleared_up(unserviced)

    def _cleared_up(self, unserviced: Sequence[_Item]) -> list[_Item]:
        """The rows of an ended batch that are to be sent again. It works them in order: only the one it was at may be there."""
        self._look_for(item for item in unserviced[:1] if self._may_count(item))
        return [item for item in unserviced if item.row not in self._deliveries[item.document].results]

    def _may_count(self, item: _Item) -> bool:
        """Whether a row that is found can only be one that counts, and not the same one of an earlier version."""
        document = self._documents[item.document]
        return self._deliveries[item.document].outage is None and (document.in_doubt or document.earlier is None)

    def _retry_line(self, item: _Item, result: RowResult) -> bool:
        """A row that was not executed is sent again; so is, once, a line that failed before its header was there."""
        if result.disposition == "again":
            return True
        delivery = self._deliveries[item.document]
        if result.disposition != "park" or item.row == 0 or item.row in delivery.results:
            return False
        return 0 not in delivery.results


def _id(item: _Item) -> str:
    return f"{item.document}.{item.row}"
