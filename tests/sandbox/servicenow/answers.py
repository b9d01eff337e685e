"""Bodies and statuses an instance answers with: JSON results and the error envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

JSON_TYPE = "application/json;charset=UTF-8"


class Refusal(Exception):
    """An answer with an error envelope, raised from wherever the fault was found."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.status = status
        self.message = message
        self.detail = detail
        self.headers = dict(headers or {})

    def answer(self) -> httpx.Response:
        """The answer as the client sees it."""
        body = {"error": {"message": self.message, "detail": self.detail}, "status": "failure"}
        return json_answer(self.status, body, self.headers)


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """A JSON answer."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return httpx.Response(status, headers={"Content-Type": JSON_TYPE, **(headers or {})}, content=content)


def no_such_record() -> Refusal:
    """The record is missing, or the caller may not see it: the instance does not tell which."""
    return Refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def forbidden(operation: str) -> Refusal:
    """An access rule stands in the way of a write (`operation`: Insert, Update or Delete)."""
    return Refusal(403, "Operation Failed", f"ACL Exception {operation} Failed due to security constraints")


def parsed_object(content: bytes) -> dict[str, Any]:
    """The JSON object of a request; of an array only the first object counts."""
    try:
        body = json.loads(content or b"{}")
    except ValueError as fault:
        raise Refusal(400, "Exception while reading request", f"Exception while reading request: {fault}") from fault
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        raise Refusal(400, "Exception while reading request", "The payload is not valid JSON.")
    return body
