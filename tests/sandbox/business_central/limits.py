"""What the service lets a user do: requests at once, in the queue, in five minutes, and how large pages and bodies may be.

Source: "Operational limits in Business Central online". All waiting and counting goes by the simulator's clock. Off until
switched on, apart from the sizes of pages and bodies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.sandbox.business_central.errors import Refusal

# How often a waiting request looks at the clock, in real seconds: nobody tells it when a clock of the tests is moved.
_LOOK = 0.005


@dataclass
class _User:
    """What is known of one user: requests in work and in the queue, and when its recent ones were let in."""

    working: int = 0
    waiting: int = 0
    recent: deque[datetime] = field(default_factory=deque)


class Limits:
    """The limits of one environment; each number may be changed at any time.

    `work` is called while a request holds its place, before it is answered: a test's way to let requests take long.
    `peak_working` and `peak_waiting` are the most there ever were of any user.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.on = False
        self.at_once = 5
        self.queue = 95
        self.connections = 100
        self.longest_wait = timedelta(minutes=8)
        self.in_window = 6_000
        self.window = timedelta(minutes=5)
        self.page_size = 20_000
        self.body_bytes = 350 * 1024 * 1024
        self.retry_after_on_503 = 30
        self.work: Callable[[], None] | None = None
        self.peak_working = 0
        self.peak_waiting = 0
        self._now = now
        self._users: dict[str, _User] = {}
        self._turn = threading.Condition()

    @contextmanager
    def place(self, user: str) -> Iterator[None]:
        """A place among those worked on, held for the length of the block, or `Refusal`."""
        if not self.on:
            yield
            return
        known = self._enter(user)
        try:
            if self.work is not None:
                self.work()
            yield
        finally:
            with self._turn:
                known.working -= 1
                self._turn.notify_all()

    def count(self, user: str, requests: int) -> None:
        """Counts further requests of a user towards the window, or `Refusal`."""
        if self.on:
            with self._turn:
                for _ in range(requests):
                    self._count(self._users.setdefault(user, _User()))

    def _enter(self, user: str) -> _User:
        with self._turn:
            known = self._users.setdefault(user, _User())
            there = known.working + known.waiting
            if there >= min(self.connections, self.at_once + self.queue):
                raise _too_many(there + 1, min(self.connections, self.at_once + self.queue))
            self._count(known)
            since = self._now()
            known.waiting += 1
            try:
                while known.working >= self.at_once:
                    self.peak_waiting = max(self.peak_waiting, known.waiting)
                    self._turn.wait(_LOOK)
                    if self._now() - since >= self.longest_wait:
                        raise Refusal(
                            503,
                            "Unknown",
                            "The request waited too long for its turn.",
                            headers={"Retry-After": str(self.retry_after_on_503)},
                        )
            finally:
                known.waiting -= 1
            known.working += 1
            self.peak_working = max(self.peak_working, known.working)
            return known

    def _count(self, known: _User) -> None:
        now = self._now()
        while known.recent and known.recent[0] <= now - self.window:
            known.recent.popleft()
        if len(known.recent) >= self.in_window:
            raise _too_many(len(known.recent) + 1, self.in_window)
        known.recent.append(now)


def _too_many(actual: int, maximum: int) -> Refusal:
    return Refusal(
        429,
        "Application_TooManyRequests",
        f"Too many requests reached. Actual ({actual}). Maximum ({maximum}).",
        correlated=False,
    )
