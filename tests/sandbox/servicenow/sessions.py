"""Sessions: requests of one cookie run one at a time, too many waiting are dropped, and nodes restore foreign sessions.

Source: the vendor's articles on session reuse queues (HTTP 202) and on REST calls after a node switch.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

import httpx

from tests.sandbox.servicenow.switches import Switches

SESSION, ROUTE = "JSESSIONID", "glide_user_route"
KEPT = 10_000


class Dropped(Exception):
    """Too many requests wait on the session: this one is answered 202 and never runs."""


@dataclass
class Session:
    """One session. `token` is the bearer token it was made with, if any."""

    name: str
    node: int
    user_id: str = ""
    token: str = ""
    busy: bool = False
    waiting: int = 0
    restored: bool = False
    calls: int = 0


class Sessions:
    """The sessions of one instance, and the node that serves them at the moment."""

    def __init__(self, switches: Switches) -> None:
        self.node = 1
        self._switches = switches
        self._made = 0
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, request: httpx.Request) -> Iterator[Session]:
        """The session of the request, for this request alone; a request without one gets a new session."""
        with self._changed:
            session = self._sessions.get(cookie(request, SESSION))
            if session is None:
                session = self._fresh()
            else:
                self._queue(session)
            session.busy = True
            session.calls += 1
            if session.node != self.node:
                session.node, session.restored = self.node, True
        try:
            yield session
        finally:
            with self._changed:
                session.busy = False
                self._changed.notify_all()

    def waiting(self) -> int:
        """How many requests wait on sessions now."""
        with self._changed:
            return sum(session.waiting for session in self._sessions.values())

    def switch_node(self) -> None:
        """The load balancer moves everybody to another node."""
        with self._changed:
            self.node += 1

    def cookies(self, request: httpx.Request, session: Session) -> list[tuple[str, str]]:
        """The Set-Cookie headers of the answer: what the client does not have yet."""
        wanted = {SESSION: session.name, ROUTE: f"glide.node{session.node}"}
        return [
            ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly")
            for name, value in wanted.items()
            if cookie(request, name) != value
        ]

    def _fresh(self) -> Session:
        self._made += 1
        session = Session(f"{self._made:032X}", self.node)
        self._sessions[session.name] = session
        if len(self._sessions) > KEPT:
            self._sessions.popitem(last=False)
        return session

    def _queue(self, session: Session) -> None:
        others = self._switches.others_on_session
        if others + session.waiting >= self._switches.session_queue and (session.busy or others):
            raise Dropped
        if not session.busy:
            return
        session.waiting += 1
        try:
            self._changed.wait_for(lambda: not session.busy)
        finally:
            session.waiting -= 1


def cookie(request: httpx.Request, name: str) -> str:
    """The value of a cookie of the request; empty when it has none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(request.headers.get("Cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""
