"""Faults inside the instance: they meet single API calls, the items of a batch included, where no network fault reaches."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx

from tests.sandbox.fault_table import take
from tests.sandbox.servicenow.access import IMPORT_ROLES
from tests.sandbox.servicenow.answers import Refusal, json_answer
from tests.sandbox.servicenow.apis import table_of
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.store import Store

Act = Literal[
    "answer",
    "answer_after",
    "import_error",
    "import_empty",
    "import_asynchronous",
    "drop_rows",
    "drop_field",
    "ignore_field",
    "reverse",
    "unserviced",
    "unserviced_committed",
]
Serve = Callable[[Call], httpx.Response]
CUTS = frozenset({"unserviced", "unserviced_committed"})


@dataclass
class Injection:
    """One row of the inner fault table; it chooses calls as a `Fault` of the wire does.

    ``answer`` and ``answer_after``: the given error envelope instead of acting, or after it. ``import_error``: the row is
    staged, its transform fails with `answer`. ``import_empty`` and ``import_asynchronous``: the row stays pending.
    ``drop_rows``: the page lacks its last `count` rows (0: all). ``drop_field``: rows come without `field`.
    ``ignore_field``: the written `field` is dropped. ``reverse``: the page's rows come in another order. ``unserviced`` and
    ``unserviced_committed``: a batch ends before, or after, this item took effect.
    """

    act: Act
    method: str = ".*"
    path: str = ".*"
    body: str = ""
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    status: int = 500
    message: str = "Operation Failed"
    answer: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    field: str = ""
    count: int = 0


class Injected:
    """The inner fault table of one instance. `counts` says how often each act happened."""

    def __init__(self, store: Store) -> None:
        self.rows: list[Injection] = []
        self.counts: dict[str, int] = {}
        self.chance = random.Random(0)
        self._store = store

    def seed(self, number: int) -> None:
        """Starts chance anew."""
        self.chance = random.Random(number)

    def cut(self, call: Call) -> str:
        """Whether a batch ends at this item: ``before`` or ``after`` it took effect; empty when it goes on."""
        found = self._take(call, [row for row in self.rows if row.act in CUTS])
        return {"unserviced": "before", "unserviced_committed": "after"}[found.act] if found is not None else ""

    def around(self, call: Call, serve: Serve) -> httpx.Response:
        """The answer to the call, with the fault that meets it."""
        found = self._take(call, [row for row in self.rows if row.act not in CUTS])
        if found is None:
            return serve(call)
        if found.act in {"answer", "answer_after"}:
            if found.act == "answer_after":
                serve(call)
            raise Refusal(found.status, found.message, found.answer, headers=found.headers)
        if found.act.startswith("import"):
            return self._import(found, call, serve)
        if found.act == "ignore_field":
            return serve(replace(call, content=_without(call.content, found.field)))
        return _altered(found, serve(call))

    def _take(self, call: Call, rows: list[Injection]) -> Injection | None:
        if not rows:
            return None
        found = take(rows, httpx.Request(call.method, call.url, content=call.content), self.chance)
        if found is not None:
            self.counts[found.act] = self.counts.get(found.act, 0) + 1
        return found

    def _import(self, found: Injection, call: Call, serve: Serve) -> httpx.Response:
        # A user without import roles stages the row and no more.
        user = replace(call.user, roles=call.user.roles - IMPORT_ROLES)
        answer = serve(replace(call, user=user))
        if answer.status_code != 201 or found.act == "import_empty":
            return answer
        body: dict[str, Any] = answer.json()
        table = table_of(call.url.path)
        maps = self._store.find("sys_transform_map", {"source_table": table, "active": "true"})
        name = maps[0]["name"] if maps else ""
        if found.act == "import_asynchronous":
            body["result"] = [{"transform_map": name, "table": table, "status": "pending"}]
        else:
            row = next(reversed(list(self._store.scan(table))))
            state = {"sys_import_state": "error", "sys_import_state_comment": found.answer}
            self._store.update(table, row["sys_id"], state)
            body["result"] = [{"transform_map": name, "status": "error", "error_message": found.answer}]
        return json_answer(201, body)


def _without(content: bytes, name: str) -> bytes:
    try:
        body = json.loads(content)
    except ValueError:
        return content
    if isinstance(body, dict):
        body.pop(name, None)
    return json.dumps(body).encode()


def _altered(found: Injection, answer: httpx.Response) -> httpx.Response:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return answer
    result = body.get("result") if isinstance(body, dict) else None
    rows = result if isinstance(result, list) else [result] if isinstance(result, dict) else []
    if found.act == "drop_field":
        for row in rows:
            row.pop(found.field, None)
    elif found.act == "drop_rows" and isinstance(result, list):
        body["result"] = result[: -found.count] if found.count else []
    elif found.act == "reverse" and isinstance(result, list):
        body["result"] = result[::-1]
    headers = {name: value for name, value in answer.headers.items() if name not in {"content-length", "content-type"}}
    return json_answer(answer.status_code, body, headers)
