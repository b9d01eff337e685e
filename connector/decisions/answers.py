"""What an answer of ServiceNow means. Status alone never decides: 201 can carry an error, 200 a login page.

One table for whole answers (`judge_envelope`), one for the row results inside (`judge_row`).
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


def judge_envelope(status: int, *, is_json: bool, body: Any) -> Disposition:
    """What an answer as a whole means; `body` is its parsed JSON, or None when it cannot be parsed."""
    if status == 401:
        return "refused"
    if status == 429:
        return "throttled"
    if status == 202:
        return "again"  # the session's queue overflowed: not executed
    if 300 <= status < 400:
        return "retry"  # a login redirect
    if status in (200, 201):
        if not is_json:
            return "retry"  # login, hibernation or maintenance page
        # A transaction cut off by its time limit leaves half an answer, or one with an error inside.
        return "ambiguous" if not isinstance(body, Mapping) or "error" in body else "accept"
    if status in (403, 404, 405, 406, 415):
        return "refused"
    if status == 400:
        return "refused"  # unknown table or address, or a body over the size limit: the set-up, never the document
    return "ambiguous"  # 500 can follow a commit; 502, 503 and the rest are no better


def judge_row(status: int, body: Any, staging_table: str) -> RowResult:
    """What became of one row, from the answer of its own Import Set request (single, or an item of a batch)."""
    disposition = judge_envelope(status, is_json=True, body=body)
    said = _error_text(body)
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
        verdict = _judge_result(result, staging_table)
        if verdict.disposition != "accept":
            return verdict
    return _judge_result(results[0], staging_table)


_REFUSED_DATA = ("Data Policy Exception", "aborted by Business Rule")
"""A 403 with one of these speaks of the row's own data, not of the user's rights."""

_ACCEPTED = ("inserted", "updated", "ignored")


def _judge_result(result: Any, staging_table: str) -> RowResult:
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


def _error_text(body: Any) -> str:
    if not isinstance(body, Mapping) or not isinstance(body.get("error"), Mapping):
        return ""
    error = body["error"]
    return " / ".join(str(part) for part in (error.get("message"), error.get("detail")) if part)[:500]
