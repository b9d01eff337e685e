"""``$batch`` in its JSON form: up to a hundred requests in one, carried out in their order.

Source: "Using OData batch calls". Each part is a transaction of its own; with ``Isolation: snapshot`` all share one, and a
failure takes back everything that the application has not committed itself, as its posting actions do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.store import CompanyState

MOST_OPERATIONS = 100
_PASSED_ON = ("Authorization", "Accept-Language", "Isolation")
_COMMITTING = "/Microsoft.NAV."
_METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}


def parts_of(request: httpx.Request) -> list[dict[str, Any]]:
    """The parts of a batch request, or `Refusal`."""
    try:
        body = json.loads(request.content)
    except ValueError as error:
        raise Refusal(400, "BadRequest", "Invalid Request Body") from error
    parts = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Refusal(400, "BadRequest", "Invalid Request Body")
    if len(parts) > MOST_OPERATIONS:
        raise Refusal(
            400,
            "BadRequest",
            f"The number of operations in the batch, {len(parts)}, is above the maximum of {MOST_OPERATIONS}.",
        )
    for part in parts:
        if str(part.get("method", "")).upper() not in _METHODS or not isinstance(part.get("url"), str):
            raise Refusal(400, "BadRequest", "Every operation of a batch needs a method and an url.")
    return parts


def carry_out(
    request: httpx.Request,
    parts: Sequence[dict[str, Any]],
    base: str,
    companies: Sequence[CompanyState],
    perform: Callable[[httpx.Request], httpx.Response],
    *,
    goes_on: bool,
) -> str:
    """Performs the parts and gives the body of the answer. `goes_on`: also behind a failed part of one transaction."""
    snapshot = request.headers.get("Isolation", "").lower() == "snapshot"
    saved = [state.twin() for state in companies] if snapshot else []
    failed = False
    answers = []
    for part in parts:
        response = perform(_part_request(request, part, base))
        answers.append(_answer_text(part, response))
        if response.status_code >= 400:
            failed = True
            if snapshot and not goes_on:
                break
        elif snapshot and _COMMITTING in part["url"]:
            saved = [state.twin() for state in companies]
    if failed:
        for state, earlier in zip(companies, saved, strict=False):
            state.go_back_to(earlier)
    return f'{{"responses":[{",".join(answers)}]}}'


def _part_request(request: httpx.Request, part: dict[str, Any], base: str) -> httpx.Request:
    address = str(part["url"])
    if not address.startswith(("http://", "https://")):
        address = f"{base}/{address.lstrip('/')}"
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    headers |= {str(name): str(value) for name, value in (part.get("headers") or {}).items()}
    content = json.dumps(part["body"]).encode() if "body" in part else b""
    return httpx.Request(str(part["method"]).upper(), address, headers=headers, content=content)


def _answer_text(part: dict[str, Any], response: httpx.Response) -> str:
    start = f'"id":{json.dumps(part.get("id"))},"status":{response.status_code}'
    if not response.content:
        return f'{{{start},"headers":{{}}}}'
    kind = response.headers["Content-Type"].replace("; odata.streaming=true", "")
    headers = {"content-type": kind, "odata-version": "4.0"}
    # The text of a JSON answer is taken over as it is: reading and writing it again could change its numbers.
    body = response.text if kind.startswith("application/json") else json.dumps(response.text)
    return f'{{{start},"headers":{json.dumps(headers)},"body":{body}}}'
