"""The pool of transactions a node works on at once, and the queue before it.

Source: the vendor's article on API semaphores: four at work, fifty waiting, then "429 Too Many Requests".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.sandbox.servicenow.states import HTML
from tests.sandbox.servicenow.switches import Switches

FULL = "<html><head><title>429 Too Many Requests</title></head><body><h1>Too Many Requests</h1></body></html>"


class Exhausted(Exception):
    """The queue is full; the answer carries none of the headers of a rate rule."""

    def __init__(self, *, html: bool) -> None:
        super().__init__("semaphore queue full")
        self._html = html

    def answer(self) -> httpx.Response:
        """The answer as the client sees it."""
        return httpx.Response(429, headers=HTML if self._html else {}, text=FULL if self._html else "")


class Semaphores:
    """Lets so many requests in as there are semaphores, in the order the operating system wakes them."""

    def __init__(self, switches: Switches) -> None:
        self.in_flight = 0
        self.queued = 0
        self._switches = switches
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A semaphore for the length of the block; `Exhausted` when neither one nor a place in the queue is free."""
        with self._changed:
            self._wait()
            self.in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

    def _wait(self) -> None:
        switches = self._switches
        taken = switches.others_in_flight + self.in_flight + self.queued
        if taken >= switches.semaphores + switches.semaphore_queue:
            raise Exhausted(html=switches.semaphore_body == "html")
        # Transactions of other clients end of themselves: one place always comes free.
        places = max(switches.semaphores - switches.others_in_flight, 1)
        self.queued += 1
        try:
            self._changed.wait_for(lambda: self.in_flight < places)
        finally:
            self.queued -= 1
