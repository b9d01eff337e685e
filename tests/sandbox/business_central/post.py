"""How webhook requests leave the simulator, and what can happen to them on the way.

A carrier takes a request to the receiver: a transport (a test's own, or a real one), or a function. Between the simulator
and the carrier, mishaps lose, double, delay or swap notifications; a forged one can be sent that nothing caused.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx

Carrier = httpx.BaseTransport | Callable[[httpx.Request], httpx.Response]
Effect = Literal["lose", "duplicate", "delay", "swap", "lose_answer"]


@dataclass
class Mishap:
    """What befalls a notification whose body the pattern is found in; `skip` pass first, then `times` are met (None: all).

    ``lose``: never arrives, and the sender believes it did. ``duplicate``: arrives twice. ``delay``: arrives `seconds`
    later, the sender believes at once. ``swap``: arrives behind the next one. ``lose_answer``: arrives, but the sender
    sees a time-out, and so will send it again.
    """

    effect: Effect
    skip: int = 0
    times: int | None = 1
    seconds: float = 0.0
    body: str = ""


@dataclass(frozen=True)
class Sent:
    """A request as the receiver saw it, and the status of its answer (None when there was no answer)."""

    moment: datetime
    request: httpx.Request
    status: int | None


class Post:
    """Carries handshakes and notifications.

    Switches: `carrier`, `mishaps`, and `stopwatch`, which measures in seconds how long a receiver takes.
    """

    def __init__(
        self,
        carrier: Carrier | None = None,
        *,
        now: Callable[[], datetime],
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self.carrier = carrier
        self.mishaps: list[Mishap] = []
        self.sent: list[Sent] = []
        self._now = now
        self.stopwatch = stopwatch
        self._delayed: list[tuple[datetime, httpx.Request]] = []
        self._swapped: list[httpx.Request] = []
        self._lock = threading.Lock()

    def carry(self, request: httpx.Request) -> httpx.Response:
        """Takes the request to its receiver; `httpx.TransportError` when no answer comes in time."""
        started = self.stopwatch()
        try:
            response = self._carried(request)
            patience = request.extensions.get("timeout", {}).get("read")
            if patience is not None and self.stopwatch() - started > patience:
                raise httpx.ReadTimeout("the receiver took too long", request=request)
        except httpx.TransportError:
            self.sent.append(Sent(self._now(), request, None))
            raise
        self.sent.append(Sent(self._now(), request, response.status_code))
        return response

    def notify(self, request: httpx.Request) -> httpx.Response:
        """Like `carry`, with what befalls notifications."""
        with self._lock:
            mishap = self._befalling(request)
            waiting, self._swapped = self._swapped, []
        believed = httpx.Response(200, request=request)
        if mishap is None:
            response = self.carry(request)
        elif mishap.effect == "lose":
            response = believed
        elif mishap.effect == "swap":
            waiting, response = [*waiting, request], believed
            with self._lock:
                self._swapped, waiting = waiting, []
        elif mishap.effect == "delay":
            self._delayed.append((self._now() + timedelta(seconds=mishap.seconds), request))
            response = believed
        else:
            response = self.carry(request)
            if mishap.effect == "lose_answer":
                raise httpx.ReadTimeout("the answer was lost", request=request)
            self._stray(request)
        for swapped in waiting:
            self._stray(swapped)
        return response

    def carry_delayed(self) -> None:
        """Takes to their receivers the delayed notifications whose time has come, whatever they answer."""
        now = self._now()
        with self._lock:
            due = [request for moment, request in self._delayed if moment <= now]
            self._delayed = [(moment, request) for moment, request in self._delayed if moment > now]
        for request in due:
            self._stray(request)

    def next_delayed(self) -> datetime | None:
        """When the next delayed notification is due."""
        return min((moment for moment, _ in self._delayed), default=None)

    def forge(self, url: str, entries: Sequence[Mapping[str, Any]]) -> httpx.Response:
        """Sends a notification that no change has caused, as anyone who knows the address could."""
        return self.carry(httpx.Request("POST", url, json={"value": list(entries)}))

    def _stray(self, request: httpx.Request) -> None:
        """Carries a request whose sender no longer waits for the answer."""
        with suppress(httpx.TransportError):
            self.carry(request)

    def _carried(self, request: httpx.Request) -> httpx.Response:
        if self.carrier is None:
            raise httpx.ConnectError("nothing carries requests out of this simulator", request=request)
        if isinstance(self.carrier, httpx.BaseTransport):
            response = self.carrier.handle_request(request)
        else:
            response = self.carrier(request)
        response.read()
        response.close()
        return response

    def _befalling(self, request: httpx.Request) -> Mishap | None:
        text = request.content.decode("utf-8")
        for mishap in self.mishaps:
            if mishap.times == 0 or not re.search(mishap.body, text):
                continue
            if mishap.skip > 0:
                mishap.skip -= 1
                continue
            if mishap.times is not None:
                mishap.times -= 1
            return mishap
        return None
