"""The site: from a request to a page, with the headers that keep a browser from doing more than showing it.

A look (GET) changes nothing. The two forms are posted with a token that only a page of this very site holds.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import httpx

from connector.flows.overview import Overview
from tests.sandbox.landscape import Landscape
from tests.sandbox.page.business_central import BusinessCentralPages
from tests.sandbox.page.faults import MOST_FAULTS, Entered, faults_body, read_fault
from tests.sandbox.page.frame import STYLE_HASH, Missing, View, document, heading
from tests.sandbox.page.markup import Html, element, joined
from tests.sandbox.page.servicenow import ServiceNowPages
from tests.sandbox.page.traffic import overview_body, requests_body
from tests.sandbox.page.values import moment
from tests.sandbox.wire import Exchange

LARGEST_FORM = 64 * 1024
HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Site:
    """Shows one landscape. `documents` asks the connector where its documents stand; `now` is the sandbox's clock."""

    def __init__(
        self,
        landscape: Landscape,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        documents: Callable[[], Overview] | None = None,
    ) -> None:
        self.exchanges = {"Business Central": landscape.bc_exchange, "ServiceNow": landscape.sn_exchange}
        self._business_central = BusinessCentralPages(landscape.business_central, landscape.data)
        self._servicenow = ServiceNowPages(landscape.servicenow)
        self._now = now
        self._documents = documents
        self._token = secrets.token_urlsafe(32)
        self._lock = threading.Lock()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        if request.url.host not in HOSTS:
            # Another name for this address: a page of someone else's who points it here.
            return self.refusal(421, "This page is served under 127.0.0.1 only.")
        try:
            view = _view(request)
        except ValueError:
            return self.refusal(400, "The address cannot be read.")
        method = request.method
        if method not in {"GET", "POST"}:
            return self.refusal(405, f"{method} is not for this page.", allow="GET, POST")
        posts = {("faults",): self._add, ("faults", "clear"): self._clear}
        if method == "POST":
            action = posts.get(view.segments)
            if action is None:
                return self.refusal(405, "Nothing can be posted here.", allow="GET")
            return self._posted(request, view, action)
        if view.segments == ("faults", "clear"):
            return self.refusal(405, "This address takes a form only.", allow="POST")
        try:
            title, body = self._body(view)
        except Missing as missing:
            return self.refusal(404, f"There is nothing here: {missing}.", view=view)
        return self._page(view, title, body)

    def refusal(self, status: int, text: str, *, allow: str = "", view: View | None = None) -> httpx.Response:
        """An answer that says why there is no page."""
        view = view or View()
        phrase = httpx.codes.get_reason_phrase(status) or "No page"
        said = joined((heading(view, phrase), element("p", text)))
        standing = View(view.segments, {**view.query, "refresh": "0"})
        return self._page(standing, phrase, said, status=status, headers={"Allow": allow} if allow else {})

    def _body(self, view: View) -> tuple[str, Html]:
        match view.segments:
            case ():
                # One at a time: the connector's parts are built for one reader of the ledger.
                with self._lock:
                    return overview_body(view, self.exchanges, self._documents)
            case ("business-central", *_):
                return self._business_central.body(view)
            case ("servicenow", *_):
                return self._servicenow.body(view)
            case ("requests",):
                return requests_body(view, self.exchanges)
            case ("faults",):
                return faults_body(view, self.exchanges, self._token, Entered())
            case _:
                raise Missing("no such page")

    def _posted(
        self, request: httpx.Request, view: View, act: Callable[[View, dict[str, str], Exchange], httpx.Response]
    ) -> httpx.Response:
        if len(request.content) > LARGEST_FORM:
            return self.refusal(413, "The form is too large.")
        try:
            fields = _fields(request.content.decode("utf-8", "replace"))
        except ValueError:
            return self.refusal(400, "The form cannot be read.")
        if not secrets.compare_digest(fields.get("token", "").encode(), self._token.encode()):
            return self.refusal(403, "The form does not come from this page, or the sandbox was started anew since.")
        exchange = self.exchanges.get(fields.get("system", ""))
        if exchange is None:
            return self.refusal(404, "There is no such system.")
        with self._lock:
            return act(view, fields, exchange)

    def _add(self, view: View, fields: dict[str, str], exchange: Exchange) -> httpx.Response:
        fault, entered = read_fault(fields)
        if fault is not None and len(exchange.faults) >= MOST_FAULTS:
            entered.wrong.append(f"The table holds {MOST_FAULTS} faults already.")
        if fault is None or entered.wrong:
            title, body = faults_body(view, self.exchanges, self._token, entered)
            return self._page(view, title, body, status=400)
        # A new list, not a longer one: the exchange may be reading the old one at this moment.
        exchange.faults = [*exchange.faults, fault]
        return self._back(view)

    def _clear(self, view: View, _fields: dict[str, str], exchange: Exchange) -> httpx.Response:
        exchange.faults = []
        return self._back(view)

    def _back(self, view: View) -> httpx.Response:
        return httpx.Response(303, headers={**SECURITY_HEADERS, "Location": view.to("faults")})

    def _page(
        self, view: View, title: str, body: Html, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        text = document(view, title, body, clock=moment(self._now().replace(microsecond=0)))
        shown = {**SECURITY_HEADERS, "Content-Type": "text/html; charset=utf-8", **(headers or {})}
        return httpx.Response(status, headers=shown, content=text.encode("utf-8", "replace"))


def _view(request: httpx.Request) -> View:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    segments = tuple(unquote(part, errors="replace") for part in path.split("/") if part)
    return View(segments, _fields(query))


def _fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
