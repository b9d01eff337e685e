"""The XML side of the Table API: when it is asked for, bodies in, answers out. Source: REST API reference, Table API."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from tests.sandbox.servicenow.answers import Refusal

XML_NAMES = frozenset({"application/xml", "text/xml"})
XML_TYPE = "application/xml;charset=UTF-8"


def accepts(header: str) -> frozenset[str]:
    """The media types of an Accept header, without their weights."""
    return frozenset(part.split(";")[0].strip().casefold() for part in (header or "*/*").split(","))


def read(content: bytes) -> bytes:
    """The JSON form of ``<request><entry>..</entry></request>``; of several entries only the first counts."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise Refusal(400, "Exception while reading request", "Document type declarations are not allowed")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - declarations are refused above
    except ElementTree.ParseError as fault:
        raise Refusal(400, "Exception while reading request", str(fault)) from fault
    entry = root.find("entry")
    return json.dumps({child.tag: child.text or "" for child in (root if entry is None else entry)}).encode()


def converted(answer: httpx.Response) -> httpx.Response:
    """The answer as XML, its status and other headers kept."""
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        return answer
    text = '<?xml version="1.0" encoding="UTF-8"?>' + _element("response", json.loads(answer.content))
    kept = [pair for pair in answer.headers.multi_items() if pair[0].lower() not in {"content-length", "content-type"}]
    return httpx.Response(answer.status_code, headers=[*kept, ("Content-Type", XML_TYPE)], content=text.encode())


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(_element(key, item) for key, item in value.items())
    else:
        inner = escape("" if value is None else str(value))
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"
