"""What an answer of ServiceNow means. Status alone never decides: 201 can carry an error, 200 a login page.

One table for whole answers (`judge_envelope`), one for the row results inside (`judge_row`). Sources, by row:

    200/201 JSON object          "REST API HTTP response codes"; an ``error`` inside: KB0546297 (cut off by a quota)
    200/201 not JSON             login, hibernation and maintenance pages, as seen on instances
    202                          "Session reuse queue overflow" (KB3047080): not executed; of the AP Invoice API: accepted
    3xx                          to the login page or the developer site, as seen on instances
    400                          "REST API HTTP response codes", KB0747638 (body over the size limit): unknown table or address
    401                          "REST API HTTP response codes": credentials
    403 Failed API level ACL Validation   KB2466644: also after a switch of nodes, see `fresh_try`
    403 Data Policy, Business Rule        as seen on instances: in a row's own answer it is about the row
    403 else                     KB0546297, KB2697679: an insert can have taken place all the same
    404, 405, 406, 415           "REST API HTTP response codes": the set-up
    413                          the body is too large: not executed
    429                          "Inbound REST API rate limiting" (with headers), KB0635398 (semaphores, without)
    500, 502, 503, 504 and rest  KB0546297: the transaction may have been committed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Disposition = Literal["accept", "park", "retry", "throttled", "refused", "ambiguous", "again"]
"""What to do: ``accept`` it; ``park`` the document; ``retry`` later (it did not take effect); ``throttled``: retry when told;
``refused``: credentials or roles stand in the way; ``ambiguous``: it may have taken effect; ``again``: at once on a new
session (it did not take effect)."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one staged row. `sys_id` and `target` name the record it made or found."""

    disposition: Disposition
    outcome: str
    message: str = ""
    sys_id: str = ""
    target: str = ""


ACL_FAILED = "Failed API level ACL Validation"


def judge_envelope(status: int, *, is_json: bool, body: Any, asynchronous: bool = False) -> Disposition:
    """What an answer as a whole means; `body` is its parsed JSON, or None when it cannot be parsed. `asynchronous`: this API
    accepts work with 202 and a JSON body; everywhere else a 202 says that nothing was executed."""
    if status == 401:
        return "refused"
    if status == 429:
        return "throttled"
    if status == 202 and not (asynchronous and is_json):
        return "again"  # the session's queue overflowed: not executed
    if 300 <= status < 400:
        return "retry"  # a login redirect
    if status in (200, 201, 202):
        if not is_json:
            return "retry"  # login, hibernation or maintenance page
        # A transaction cut off by its time limit leaves half an answer, or one with an error inside.
        return "ambiguous" if not isinstance(body, Mapping) or "error" in body else "accept"
    if status in (403, 404, 405, 406, 413, 415):
        return "refused"
    if status == 400:
        return "refused"  # unknown table or address, or a body over the size limit: the set-up, never the document
    return "ambiguous"  # 500 can follow a commit; 502, 503 and the rest are no better


def fresh_try(status: int, body: Any, disposition: Disposition) -> bool:
    """Whether one more try with a fresh request is due at once: nothing was executed, and it may well go through now.

    The check of an API's access rule fails now and then when the load balancer has moved to another node; it comes before
    everything else. Any other 403 is a refusal.
    """
    return disposition == "again" or (status == 403 and error_text(body).endswith(ACL_FAILED))


def judge_row(status: int, body: Any, staging_table: str) -> RowResult:
    """What became of one row, from the answer of its own Import Set request (single, or an item of a batch)."""
    disposition = judge_envelope(status, is_json=True, body=body)
    said = error_text(body)
    if status == 403 and any(sign in said for sign in _REFUSED_DATA):
        return RowResult("park", "refused", said)
    if disposition != "accept":
        return RowResult(disposition, f"status {status}", said)
    results = body.get("result")
    if not isinstance(results, list) or not results:
        return RowResult(
            "refused", "empty", "the row was taken but no transform ran; give the user the role import_transformer"
        )
    for result in results:
        verdict = judge_result(result, staging_table)
        if verdict.disposition != "accept":
            return verdict
    return judge_result(results[0], staging_table)


_REFUSED_DATA = ("Data Policy Exception", "aborted by Business Rule")
"""A 403 with one of these speaks of the row's own data, not of the user's rights."""

_NOT_UNIQUE = "Unique Key violation"

_ACCEPTED = ("inserted", "updated", "ignored")


def judge_record(status: int, body: Any) -> RowResult:
    """What became of one record written by the Table API, from the answer of its own request. `accept`: the answer holds the
    record. A 403 or 500 does not tell that nothing was written: look for the record."""
    disposition = judge_envelope(status, is_json=True, body=body)
    said = error_text(body)
    if status == 403 and any(sign in said for sign in (*_REFUSED_DATA, _NOT_UNIQUE)):
        return RowResult("park", "refused", said)
    if status == 404:
        return RowResult("retry", "gone", said)
    if disposition == "accept" and not isinstance(body.get("result"), Mapping):
        return RowResult("ambiguous", "unreadable", "the answer does not hold the record")
    return RowResult(disposition, "written" if disposition == "accept" else f"status {status}", said)


def judge_result(result: Any, staging_table: str) -> RowResult:
    """What became of a staged row, from one entry of its results (one a transform map)."""
    if not isinstance(result, Mapping):
        return RowResult("ambiguous", "unreadable", "the row's result is not an object")
    outcome = str(result.get("status", ""))
    message = str(result.get("error_message") or result.get("status_message") or "").strip()
    target = str(result.get("table", ""))
    if target == staging_table:
        return RowResult(
            "refused", "asynchronous", f"{staging_table} transforms later; set its import sets to synchronous mode"
        )
    if outcome == "error" and not result.get("transform_map") and message == "Invalid table":
        return RowResult(
            "refused", "not transformed", f"rows of {staging_table} are not transformed at once; switch it on"
        )
    if outcome == "ignored" and not result.get("sys_id"):
        return RowResult("park", outcome, message or "a script of the transform map dropped the row", target=target)
    if outcome in _ACCEPTED:
        return RowResult("accept", outcome, message, str(result.get("sys_id", "")), target)
    if outcome in ("error", "skipped"):
        return RowResult("park", outcome, message or "no reason given", target=target)
    return RowResult("ambiguous", outcome or "unknown", f"unknown row status {outcome!r}")


def error_text(body: Any) -> str:
    """Message and detail of an error envelope; empty without one."""
    if not isinstance(body, Mapping) or not isinstance(body.get("error"), Mapping):
        return ""
    error = body["error"]
    return " / ".join(str(part) for part in (error.get("message"), error.get("detail")) if part)[:500]
