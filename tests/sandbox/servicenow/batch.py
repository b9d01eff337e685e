"""Batch API: several calls in one, in order, without a transaction, within 30 seconds.

Source: REST API reference, Batch API.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.sandbox.servicenow.answers import Refusal, json_answer
from tests.sandbox.servicenow.instance import Call

BUDGET_SECONDS = 30.0
MAX_INPUT, MAX_OUTPUT, LARGEST_INPUT = 5_242_880, 10_485_760, 10_485_760
Dispatch = Callable[[Call], httpx.Response]
# The virtual seconds a call will take, known before it runs.
Forecast = Callable[[Call], float]
# Whether the batch ends at a call, ``before`` or ``after`` it took effect.
Cut = Callable[[Call], str]
Body = dict[str, Any]


class Batch:
    """Runs the items of a batch one after the other as the batch's own user.

    The item that would pass the time budget, or is larger than its limit, ends the batch: its id and all later ones are
    listed as unserviced. Whether the item at the cut-off has still taken effect is a switch.
    """

    def __init__(self, dispatch: Dispatch, forecast: Forecast, cut: Cut) -> None:
        self._dispatch = dispatch
        self._forecast = forecast
        self._cut = cut

    def posted(self, call: Call) -> httpx.Response:
        """``POST /api/now/v1/batch``."""
        body = _envelope(call.content)
        items: list[Body] = body["rest_requests"]
        serviced: list[Body] = []
        spent, properties = 0.0, call.instance.properties
        max_input = min(properties.number("glide.rest.batch.max.inputSize", MAX_INPUT), LARGEST_INPUT)
        max_output = properties.number("glide.rest.batch.max.outputSize", MAX_OUTPUT)
        wanted = call.headers.get("X-BATCHREQUEST-MAX-OUTPUT-SIZE", "")
        if wanted.isascii() and wanted.isdigit():
            max_output = min(max_output, int(wanted))
        for item in items:
            if len(_content(item) or b"") > max_input:
                break
            inner = _call(call, item)
            if isinstance(inner, Refusal):
                serviced.append(_serviced(item, inner.answer(), 0.0))
                continue
            cut = self._cut(inner)
            if cut or spent + self._forecast(inner) > BUDGET_SECONDS:
                if cut == "after" or (not cut and call.instance.switches.commit_at_cutoff):
                    self._answer(inner)
                break
            answer = self._answer(inner)
            spent += inner.seconds
            if len(answer.content) > max_output or spent > BUDGET_SECONDS:
                break
            serviced.append(_serviced(item, answer, inner.seconds))
        unserviced = [str(item["id"]) for item in items[len(serviced) :]]
        call.seconds += spent
        answer_body = {"serviced_requests": serviced, "unserviced_requests": unserviced}
        return json_answer(200, {"batch_request_id": str(body.get("batch_request_id", "")), **answer_body})

    def _answer(self, inner: Call) -> httpx.Response:
        try:
            return self._dispatch(inner)
        except Refusal as refusal:
            return refusal.answer()


def _envelope(content: bytes) -> Body:
    try:
        body = json.loads(content)
    except ValueError as fault:
        raise Refusal(400, "Exception while reading request", str(fault)) from fault
    items = body.get("rest_requests") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
        raise Refusal(400, "Exception while reading request", "rest_requests must be a list of requests with an id")
    return dict(body)


def _content(item: Body) -> bytes | None:
    try:
        return base64.b64decode(item.get("body") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def _call(call: Call, item: Body) -> Call | Refusal:
    content = _content(item)
    if content is None:
        return Refusal(400, "Exception while reading request", "The body of a batch item must be base64")
    address = str(item.get("url", ""))
    no_resource = Refusal(400, "Requested URI does not represent any resource", address)
    if not address.startswith("/") or address.startswith("//"):
        return no_resource
    try:
        url = httpx.URL(f"http://batch.invalid{address}")
    except httpx.InvalidURL:
        return no_resource
    if url.path.rstrip("/").endswith("/batch") and not call.instance.switches.nested_batches:
        return Refusal(400, "Not simulated", "A batch inside a batch: the vendor does not say what happens")
    pairs = item.get("headers") or []
    headers = httpx.Headers([(str(pair.get("name", "")), str(pair.get("value", ""))) for pair in pairs])
    return Call(call.instance, str(item.get("method", "GET")).upper(), url, headers, content, call.user)


def _serviced(item: Body, answer: httpx.Response, seconds: float) -> Body:
    pairs = [] if item.get("exclude_response_headers") else answer.headers.multi_items()
    return {
        "id": str(item["id"]),
        "body": base64.b64encode(answer.content).decode(),
        "status_code": answer.status_code,
        "status_text": answer.reason_phrase,
        "headers": [{"name": name, "value": value} for name, value in pairs],
        "execution_time": round(seconds * 1000),
    }
