"""The way of a request to its API: instance state, session, semaphore, credentials, gates, rate rules, time limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from tests.sandbox.servicenow import gates, states, time_limits, xml_answers
from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.apis import BATCH, TABLE, name_of
from tests.sandbox.servicenow.credentials import Credentials
from tests.sandbox.servicenow.injected import Injected
from tests.sandbox.servicenow.instance import Call, Instance
from tests.sandbox.servicenow.rates import Rates
from tests.sandbox.servicenow.semaphores import Exhausted, Semaphores
from tests.sandbox.servicenow.sessions import Dropped, Session, Sessions
from tests.sandbox.servicenow.tiny_urls import TinyUrls

Dispatch = Callable[[Call], httpx.Response]
Forecast = Callable[[Call], float]
LOGGED_IN = "X-Is-Logged-In"


class Front:
    """Leads requests, and the items of batches, to `dispatch`. `forecast` tells the virtual seconds of a call beforehand.

    `working` is called within each transaction, while it holds its session and its semaphore.
    """

    def __init__(self, instance: Instance, credentials: Credentials, dispatch: Dispatch, forecast: Forecast) -> None:
        self.sessions = Sessions(instance.switches)
        self.semaphores = Semaphores(instance.switches)
        self.rates = Rates(instance)
        self.injected = Injected(instance.store)
        self.tiny_urls = TinyUrls()
        self.working: Callable[[httpx.Request], None] = self._hold
        self._instance = instance
        self._credentials = credentials
        self._dispatch = dispatch
        self._forecast = forecast

    def _hold(self, _request: httpx.Request) -> None:
        # Even a sleep of nothing gives the processor away, which costs more than a simple read.
        if self._instance.switches.held_seconds:
            time.sleep(self._instance.switches.held_seconds)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        absent = states.answer(self._instance.switches.state, self._instance.url)
        if absent is not None:
            return absent
        if request.url.path == "/oauth_token.do" and request.method == "POST":
            with self._instance.store.lock:
                return self._credentials.tokens.answer(request)
        if not request.url.path.startswith("/api/"):
            return states.login(self._instance.url)
        try:
            with self.sessions.turn(request) as session, self.semaphores.place():
                self.working(request)
                answer = self._served(request, session)
                cookies = self.sessions.cookies(request, session)
        except Dropped:
            return httpx.Response(202)
        except Exhausted as full:
            return full.answer()
        answer.headers = httpx.Headers([*answer.headers.multi_items(), *cookies])
        return xml_answers.converted(answer) if _wants_xml(request) else answer

    def item(self, call: Call) -> httpx.Response:
        """The answer to an item of a batch."""
        call.url = self.tiny_urls.expanded(call.url)
        return self._passed(call, counted=self._instance.switches.rate_counts_batch_items)

    def _served(self, request: httpx.Request, session: Session) -> httpx.Response:
        instance = self._instance
        logged_in = {LOGGED_IN: "false"}
        try:
            with instance.store.lock:
                caller = self._credentials.caller(request, session)
            logged_in = {LOGGED_IN: "true"}
            url = self.tiny_urls.expanded(request.url)
            call = Call(instance, request.method, url, request.headers, request.content, caller.user)
            gates.check_caller(call, caller, session)
            answer = self._passed(call, counted=True)
        except Refusal as refusal:
            answer = refusal.answer()
        answer.headers.update(logged_in)
        return answer

    def _passed(self, call: Call, *, counted: bool) -> httpx.Response:
        limits: dict[str, str] = {}
        try:
            with self._instance.store.lock:
                gates.check(call)
                limits = self.rates.count(call) if counted else {}
            answer = self._faulted(call)
        except Refusal as refusal:
            answer = refusal.answer()
        answer.headers.update(limits)
        return answer

    def _faulted(self, call: Call) -> httpx.Response:
        # A batch takes the lock item by item, so that a long one does not hold up everybody else.
        if name_of(call.url.path) == BATCH:
            return self.injected.around(call, self._dispatch)
        with self._instance.store.lock:
            return self.injected.around(call, self._within_time)

    def _within_time(self, call: Call) -> httpx.Response:
        switches = self._instance.switches
        if time_limits.limited(call) and self._forecast(call) > switches.time_limit:
            if switches.commit_at_cutoff:
                self._dispatch(call)
            raise time_limits.cancelled()
        return time_limits.timed(call, self._dispatch(call))


def _wants_xml(request: httpx.Request) -> bool:
    names = xml_answers.accepts(request.headers.get("Accept", ""))
    wanted = names & xml_answers.XML_NAMES and not names & {"application/json", "application/*", "*/*"}
    return bool(wanted) and name_of(request.url.path) == TABLE
