"""The batch door: Import Set posts of single rows, carried many at a time by the Batch API.

Each row has its own result in the answer, and a repeated row is harmless because the transform maps match on the row's key.
A header goes before its lines; the lines of a header that was not taken are not sent. Limits of the Batch API: 30 s for all
items together, which run one after another; what was not reached is listed as unserviced.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connector.decisions.answers import RowResult, judge_row
from connector.decisions.batching import next_size
from connector.decisions.mapping import MappedDocument, StagingRow
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.servicenow.doors.delivery import Delivery
from connector.servicenow.session import SYSTEM, ServiceNowSession

SERVER_LIMIT = 30.0
TIMEOUT = 45.0
ROUNDS = 3
"""How often rows left unserviced are sent again within one call."""


@dataclass(frozen=True, slots=True, order=True)
class _Item:
    document: int
    row: int


class BatchDoor:
    """Writes mapped documents into staging tables and tells, row by row, what ServiceNow made of them."""

    def __init__(self, session: ServiceNowSession, *, rows_a_batch: int) -> None:
        self._session = session
        self._largest = self._rows_a_batch = rows_a_batch

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
            while position < len(waiting) and len(batch) < self._rows_a_batch:
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
            stopped = self._stopped(deliveries, batch)
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
        requests = [_request(f"{item.document}.{item.row}", documents[item.document].rows[item.row]) for item in batch]
        try:
            answer = self._session.post(
                "/api/now/v1/batch",
                {"batch_request_id": "1", "rest_requests": requests},
                timeout=TIMEOUT,
                settles_after=SERVER_LIMIT,
            )
        except Outage as outage:
            if isinstance(outage, Ambiguous):
                self._rows_a_batch = next_size(self._rows_a_batch, self._largest, (), len(batch))
            for item in batch:
                deliveries[item.document].outage = outage
            return []
        answered = _answered(answer)
        times = [entry.get("execution_time") for entry in answered.values()]
        self._rows_a_batch = next_size(self._rows_a_batch, self._largest, times, len(batch))
        again = []
        for item in batch:
            entry = answered.get(f"{item.document}.{item.row}")
            if entry is None:
                again.append(item)  # unserviced; perhaps committed all the same, which its key makes harmless
                continue
            row = documents[item.document].rows[item.row]
            result = judge_row(_status(entry), _item_body(entry), row.table)
            if self._retry_line(item, result, deliveries):
                again.append(item)
                continue
            delivery = deliveries[item.document]
            delivery.results[item.row] = result
            delivery.outage = delivery.outage or _outage(result)
        return again

    def _retry_line(self, item: _Item, result: RowResult, deliveries: Sequence[Delivery]) -> bool:
        """A row that was not executed is sent again; so is, once, a line that failed before its header was there."""
        if result.disposition == "again":
            return True
        delivery = deliveries[item.document]
        if result.disposition != "park" or item.row == 0 or item.row in delivery.results:
            return False
        return 0 not in delivery.results

    def _stopped(self, deliveries: Sequence[Delivery], batch: Sequence[_Item]) -> Outage | None:
        for item in batch:
            outage = deliveries[item.document].outage
            if isinstance(outage, Refused | Throttled):
                return outage
        return None


def _request(id_: str, row: StagingRow) -> dict[str, Any]:
    body = json.dumps(dict(row.columns), ensure_ascii=False).encode()
    return {
        "id": id_,
        "method": "POST",
        "url": f"/api/now/import/{row.table}",
        "headers": [
            {"name": "Content-Type", "value": "application/json"},
            {"name": "Accept", "value": "application/json"},
        ],
        "exclude_response_headers": True,
        "body": base64.b64encode(body).decode("ascii"),
    }


def _answered(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = answer.get("serviced_requests")
    if not isinstance(entries, list):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), str):
            found[entry["id"]] = entry
    return found


def _status(entry: Mapping[str, Any]) -> int:
    try:
        return int(entry["status_code"])
    except (KeyError, TypeError, ValueError):
        return 500


def _item_body(entry: Mapping[str, Any]) -> Any:
    if entry.get("body") == "":
        return {}  # 201 without a body: taken, but the user lacks the role that transforms
    try:
        return json.loads(base64.b64decode(entry["body"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        return None


def _outage(result: RowResult) -> Outage | None:
    said = f"a row answered {result.outcome}: {result.message}"
    if result.disposition == "refused":
        return Refused(SYSTEM, said)
    if result.disposition == "throttled":
        return Throttled(SYSTEM, said)
    if result.disposition == "ambiguous":
        return Ambiguous(SYSTEM, said, settles_after=SERVER_LIMIT)
    if result.disposition == "retry":
        return Outage(SYSTEM, said)
    return None
