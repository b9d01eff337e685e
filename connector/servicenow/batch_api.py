"""The Batch API: many requests carried by one, each with an answer of its own.

The server works them one after another, for 30 s in all; what it did not reach has no answer here, though the one it was at may
have taken effect. How many go into one batch is learnt from the server's own times.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.decisions.batching import next_size
from connector.errors import Ambiguous
from connector.servicenow.session import ServiceNowSession

SERVER_LIMIT = 30.0
TIMEOUT = 45.0


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch; `url` is relative to the instance and may carry a query."""

    id: str
    method: str
    url: str
    body: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to one request. `body`: its parsed JSON; {} when there was none, None when it cannot be read."""

    status: int
    body: Any


class BatchApi:
    """Sends batches. `size` is how many items the next one should hold, never more than `largest`."""

    def __init__(self, session: ServiceNowSession, *, largest: int) -> None:
        self._session = session
        self._largest = self.size = largest

    def send(self, items: Sequence[Item], *, settles_after: float = SERVER_LIMIT) -> dict[str, ItemAnswer]:
        """The answers by item id. Items that were not reached have none. Raises `Outage` when the batch as a whole has none."""
        requests = [_request(item) for item in items]
        try:
            answer = self._session.post(
                "/api/now/v1/batch",
                {"batch_request_id": "1", "rest_requests": requests},
                timeout=TIMEOUT,
                settles_after=settles_after,
            )
        except Ambiguous:
            self.size = next_size(self.size, self._largest, (), len(items))
            raise
        entries = _entries(answer)
        times = [entry.get("execution_time") for entry in entries.values()]
        self.size = next_size(self.size, self._largest, times, len(items))
        return {id_: ItemAnswer(_status(entry), _body(entry)) for id_, entry in entries.items()}


def _request(item: Item) -> dict[str, Any]:
    body = json.dumps(dict(item.body), ensure_ascii=False).encode()
    return {
        "id": item.id,
        "method": item.method,
        "url": item.url,
        "headers": [
            {"name": "Content-Type", "value": "application/json"},
            {"name": "Accept", "value": "application/json"},
        ],
        "exclude_response_headers": True,
        "body": base64.b64encode(body).decode("ascii"),
    }


def _entries(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
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


def _body(entry: Mapping[str, Any]) -> Any:
    if entry.get("body") == "":
        return {}  # 201 without a body: taken, but the user lacks the role that transforms
    try:
        return json.loads(base64.b64decode(entry["body"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        return None
