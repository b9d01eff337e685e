"""Which API a path belongs to, which methods it takes, and the checks every API shares (Accept, Content-Type, size)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.apis import TABLE, name_of
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.xml_answers import XML_NAMES, accepts, read

VERSION = r"(?:(?P<version>v[12])/)?"
BODIES = frozenset({"POST", "PUT", "PATCH"})
JSON_NAMES = frozenset({"application/json", "application/*", "*/*"})
MAX_CONTENT = 10_485_760

Handle = Callable[..., httpx.Response]


@dataclass(frozen=True)
class Route:
    """One resource: its path and the function behind each method. Groups of the path become arguments.

    `json_only`: the checks every API of JSON documents shares apply; others look at headers and size themselves.
    """

    path: re.Pattern[str]
    methods: dict[str, Handle]
    json_only: bool = True


class Routes:
    """Finds the function behind a call and runs it."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(self, path: str, *, space: str = "now", json_only: bool = True, **methods: Handle) -> None:
        """Registers a resource under ``/api/SPACE/[version/]`` (``{name}`` stands for one path part)."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path).replace("VERSION/", VERSION)
        self._routes.append(Route(re.compile(f"/api/{space}/{pattern}/?"), methods, json_only))

    def dispatch(self, call: Call) -> httpx.Response:
        """The answer of the API behind the path, or a refusal."""
        route, handle, arguments = self._find(call)
        if route.json_only:
            _check_headers(call)
        call.version = arguments.pop("version", None) or ""
        answer = handle(call, **{name: value for name, value in arguments.items() if value is not None})
        if call.method == "HEAD":
            return httpx.Response(answer.status_code, headers=_without_length(answer.headers))
        return answer

    def _find(self, call: Call) -> tuple[Route, Handle, dict[str, str | None]]:
        method = call.method
        override = call.headers.get("X-HTTP-Method-Override", "").upper()
        if method == "POST" and override:
            method = call.method = override
        for route in self._routes:
            found = route.path.fullmatch(call.url.path)
            if found is None:
                continue
            handle = route.methods.get("GET" if method == "HEAD" else method)
            if handle is None:
                raise Refusal(405, "Method not supported", f"{method} is not supported by {call.url.path}")
            return route, handle, found.groupdict()
        raise Refusal(400, "Requested URI does not represent any resource", call.url.path)


def _check_headers(call: Call) -> None:
    accepted = accepts(call.headers.get("Accept", ""))
    with_xml = XML_NAMES if name_of(call.url.path) == TABLE else frozenset()
    if not accepted & (JSON_NAMES | with_xml):
        raise Refusal(406, "Not Acceptable", f"Accept {', '.join(sorted(accepted))} is not supported")
    if call.method not in BODIES:
        return
    sent = call.headers.get("Content-Type", "application/json").split(";")[0].strip().casefold()
    if sent != "application/json" and sent not in with_xml:
        raise Refusal(415, "Unsupported Media Type", f"Content-Type {sent} is not supported")
    if len(call.content) > MAX_CONTENT:
        raise Refusal(
            400,
            "Exception while reading request",
            f"Rejected large REST payload with content-length = {len(call.content)} bytes. Max allowed: {MAX_CONTENT} bytes.",
        )
    if sent in with_xml:
        call.content = read(call.content)


def _without_length(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "content-length"}
