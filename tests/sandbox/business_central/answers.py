"""Answers around the data: refusals in their forms, unknown environments, and services that are switched off."""

from __future__ import annotations

import httpx

from tests.sandbox.business_central.encoding import string_json
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.language import in_language
from tests.sandbox.business_central.uncertainties import Uncertainties

_JSON = {"Content-Type": "application/json; odata.metadata=minimal"}
_XML = {"Content-Type": "application/xml"}
_HTML = {"Content-Type": "text/html"}
_NAMESPACE = "http://docs.oasis-open.org/odata/ns/metadata"


def refusal_text(
    refusal: Refusal, request: httpx.Request, unsure: Uncertainties, guid: str
) -> tuple[str, dict[str, str]]:
    """The body of a refusal and its headers; `guid` becomes the correlation id."""
    message = in_language(refusal.message, request.headers.get("Accept-Language", ""))
    if refusal.correlated:
        message += f"  CorrelationId:  {guid}."
    if refusal.code == "Unauthorized" and unsure.unauthorized_as_xml:
        text = f'<error xmlns="{_NAMESPACE}"><code>{refusal.code}</code><message>{message}</message></error>'
        return text, _XML | refusal.headers
    return f'{{"error":{{"code":"{refusal.code}","message":{string_json(message)}}}}}', _JSON | refusal.headers


def unknown_place(unsure: Uncertainties) -> httpx.Response:
    """What an environment or tenant that does not exist is answered with: no OData, as it never got that far."""
    if unsure.unknown_environment == "empty":
        return httpx.Response(404)
    if unsure.unknown_environment == "json":
        text = '{"error":{"code":"NoEnvironment","message":"The environment does not exist."}}'
        return httpx.Response(404, headers=_JSON, content=text.encode())
    return httpx.Response(404, headers=_HTML, text="<h1>404 Not Found</h1>")


def too_large() -> httpx.Response:
    """What a body above the limit is answered with, long before anybody reads it."""
    return httpx.Response(413, headers=_HTML, text="<h1>413 Request Entity Too Large</h1>")


def switched_off() -> httpx.Response:
    """What a server answers whose API services are not enabled."""
    return httpx.Response(405, headers={"Content-Length": "0"})


def challenge(unsure: Uncertainties) -> httpx.Response:
    """What a server with Basic authentication answers to a request without a right name and key."""
    headers = {} if unsure.basic_challenge is None else {"WWW-Authenticate": unsure.basic_challenge}
    return httpx.Response(401, headers=headers)
