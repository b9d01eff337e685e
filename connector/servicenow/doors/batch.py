"""The batch door: Import Set posts of single rows, carried many at a time by the Batch API.

Each row has its own result in the answer, and a repeated row is harmless because the transform maps match on the row's key.
A header goes before its lines; the lines of a header that was not taken are not sent. Rows that a batch did not reach are sent
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from connector.decisions.answers import RowResult, judge_row
from connector.decisions.mapping import MappedDocument
from connector.errors import Outage
from connector.servicenow.batch_api import SERVER_LIMIT, BatchApi, Item
from connector.servicenow.doors.delivery import Delivery, outage_of, stopping
from connector.servicenow.session import SYSTEM, ServiceNowSession

ROUNDS = 3
"""How often rows left unserviced are sent again within one call."""


@dataclass(frozen=True, slots=True, order=True)
class _Item:
    document: int
    row: int


class BatchDoor:
    """Writes mapped documents into staging tables and tells, row by row, what ServiceNow made of them."""

    settles_after = SERVER_LIMIT

    def __init__(self, session: ServiceNowSession, *, rows_a_batch: int) -> None:
        self._api = BatchApi(session, largest=rows_a_batch)

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        deliveries = [Delivery() for _ in documents]
        waiting = [_Item(number, row) for number, document in enumerate(documents) for row in range(len(document.rows))]
        for _ in range(ROUNDS):
            waiting = self._round(documents, deliveries, waiting, may_go_on)
            if not waiting:
                break
        for item in waiting:
            delivery = deliveries[item.document]
            delivery.outage = delivery.outage or Outage(SYSTEM, "did not get to all rows in time")
        return deliveries

    def _round(
        self,
        documents: Sequence[MappedDocument],
        deliveries: Sequence[Delivery],
        waiting: Sequence[_Item],
        may_go_on: Callable[[], bool],
    ) -> list[_Item]:
        """Sends the waiting rows in batches; returns those to send again."""
        again: list[_Item] = []
        position = 0
        while position < len(waiting):
            batch: list[_Item] = []
            while position < len(waiting) and len(batch) < self._api.size:
                item = waiting[position]
                position += 1
                fate = self._fate(item, deliveries, batch)
                if fate != "skip":
                    (batch if fate == "send" else again).append(item)
            if not batch:
                continue
            if not may_go_on():
                return sorted([*again, *batch, *waiting[position:]])
            again += self._send(documents, deliveries, batch)
            stopped = stopping(deliveries[item.document].outage for item in batch)
            if stopped is not None:
                # A refusal or throttle is about the user or the instance: what has not been sent yet would meet it too.
                for item in [*again, *waiting[position:]]:
                    delivery = deliveries[item.document]
                    delivery.outage = delivery.outage or stopped
                return []
        return sorted(again)

    def _fate(
        self, item: _Item, deliveries: Sequence[Delivery], batch: Sequence[_Item]
    ) -> Literal["send", "wait", "skip"]:
        """A line goes with or after its header: it waits for a header that is to be sent again, and is skipped when the
        header was not taken."""
        delivery = deliveries[item.document]
        if delivery.outage is not None:
            return "skip"
        if item.row == 0 or _Item(item.document, 0) in batch[-item.row :]:
            return "send"
        header = delivery.results.get(0)
        if header is None:
            return "wait"
        return "send" if header.disposition == "accept" else "skip"

    def _send(
        self, documents: Sequence[MappedDocument], deliveries: Sequence[Delivery], batch: Sequence[_Item]
    ) -> list[_Item]:
        items = []
        for item in batch:
            row = documents[item.document].rows[item.row]
            items.append(Item(_id(item), "POST", f"/api/now/import/{row.table}", row.columns))
        try:
            answered = self._api.send(items)
        except Outage as outage:
            for item in batch:
                deliveries[item.document].outage = outage
            return []
        again = []
        for item in batch:
            answer = answered.get(_id(item))
            if answer is None:
                again.append(item)  # unserviced; perhaps committed all the same, which its key makes harmless
                continue
            row = documents[item.document].rows[item.row]
            result = judge_row(answer.status, answer.body, row.table)
            if self._retry_line(item, result, deliveries):
                again.append(item)
                continue
            delivery = deliveries[item.document]
            delivery.results[item.row] = result
            delivery.outage = delivery.outage or outage_of(result, self.settles_after)
        return again

    def _retry_line(self, item: _Item, result: RowResult, deliveries: Sequence[Delivery]) -> bool:
        """A row that was not executed is sent again; so is, once, a line that failed before its header was there."""
        if result.disposition == "again":
            return True
        delivery = deliveries[item.document]
        if result.disposition != "park" or item.row == 0 or item.row in delivery.results:
            return False
        return 0 not in delivery.results


def _id(item: _Item) -> str:
    return f"{item.document}.{item.row}"
