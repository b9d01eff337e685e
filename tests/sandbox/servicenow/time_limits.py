"""The time one transaction may take, in virtual seconds, and the two forms a cancelled one answers in.

Source: the vendor's "Default transaction quota rules"; the forms are those client libraries look for.
"""

from __future__ import annotations

import json

import httpx

from tests.sandbox.servicenow.answers import JSON_TYPE, Refusal, json_answer
from tests.sandbox.servicenow.apis import AGGREGATE, ATTACHMENT, IMPORT, TABLE, name_of
from tests.sandbox.servicenow.instance import Call

LIMITED = frozenset({TABLE, IMPORT, AGGREGATE, ATTACHMENT})
CANCELLED = "Transaction cancelled: maximum execution time exceeded"
DETAIL = f"{CANCELLED}. Check logs for error trace."
READ_DETAIL = (
    f"{CANCELLED}. Check logs for error trace or enable glide.rest.debug property to verify REST request processing"
)


def cancelled() -> Refusal:
    """A transaction that was cancelled."""
    return Refusal(500, CANCELLED, DETAIL)


def limited(call: Call) -> bool:
    """Whether the limit of single calls binds this one."""
    return name_of(call.url.path) in LIMITED


def timed(call: Call, answer: httpx.Response) -> httpx.Response:
    """The answer, or what is left of it when its rows took too long."""
    switches = call.instance.switches
    rows = _rows(answer) if call.method == "GET" and switches.read_row_seconds else None
    if rows is not None:
        call.seconds += len(rows) * switches.read_row_seconds
    if not limited(call) or call.seconds <= switches.time_limit:
        return answer
    if rows is None or switches.cancelled_reads == "500":
        raise cancelled()
    done = rows[: int(switches.time_limit // switches.read_row_seconds)]
    return _broken(done, rows[len(done)], answer, closed=switches.cancelled_reads == "closed")


def _rows(answer: httpx.Response) -> list[object] | None:
    """The rows of a list answer."""
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        return None
    body = json.loads(answer.content)
    rows = body.get("result") if isinstance(body, dict) else None
    return rows if isinstance(rows, list) else None


def _broken(done: list[object], following: object, answer: httpx.Response, *, closed: bool) -> httpx.Response:
    error = {"message": CANCELLED, "detail": READ_DETAIL}
    if closed:
        return json_answer(200, {"result": done, "error": error, "status": "failure"})
    row = json.dumps(following, ensure_ascii=False, separators=(",", ":"))
    text = json.dumps([*done, 0], ensure_ascii=False, separators=(",", ":")).removesuffix("0]")
    end = json.dumps({"error": error, "status": "failure"}, separators=(",", ":")).removeprefix("{")
    content = f'{{"result":{text}{row[: len(row) // 2]},{end}'
    headers = {"Content-Type": JSON_TYPE}
    if "Link" in answer.headers:
        headers["Link"] = answer.headers["Link"]
    return httpx.Response(200, headers=headers, content=content.encode())
