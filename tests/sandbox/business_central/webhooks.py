"""Webhooks of one simulator, put together: the way out, the subscriptions, the log; and what their addresses mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeGuard

import httpx

from tests.sandbox.business_central.errors import unknown_segment
from tests.sandbox.business_central.notifications import Delivery, Notifications
from tests.sandbox.business_central.post import Post
from tests.sandbox.business_central.routing import ApiRoute, Target, TokenRoute, find_company
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.subscriptions import SUBSCRIPTIONS, Subscriptions

_SEGMENT = re.compile(r"subscriptions(?:\((.*)\))?")


class Webhooks:
    """Everything about webhooks: `post`, `subscriptions` and `notifications` have the switches."""

    def __init__(
        self,
        companies: Sequence[CompanyState],
        *,
        apis: Collection[str],
        now: Callable[[], datetime],
        fresh_guid: Callable[[], str],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.post = Post(now=now)
        self.subscriptions = Subscriptions(companies, self.post, apis=apis, now=now, fresh_guid=fresh_guid, lock=lock)
        self.notifications = Notifications(self.subscriptions, self.post, now=now, fresh_guid=fresh_guid, lock=lock)
        self._companies = companies
        self._lock = lock
        for state in companies:
            state.observers.append(self.notifications.observe)

    def deliver_due(self) -> list[Delivery]:
        """Sends the notifications that are due; to be called as the simulator's time passes."""
        return self.notifications.deliver_due()

    def save_unchanged(self, company: str, number_or_id: str, *, entity: str = "purchaseOrders") -> None:
        """Somebody saves a record without changing anything: it is logged, but the record's stamp stays."""
        with self._lock:
            state = find_company(self._companies, company)
            self.notifications.unchanged(state, state.find(entity, number_or_id))

    @contextmanager
    def delivering(self, *, every: float = 0.05) -> Iterator[None]:
        """Delivers what is due in the background, looking every so many real seconds, for the length of the block."""
        stop = Event()

        def work() -> None:
            while not stop.wait(every):
                self.deliver_due()

        thread = Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def target(self, segments: Sequence[str]) -> Target:
        """What the address of a read names, or `Refusal`."""
        key = _key(segments)
        if key is not None:
            return self.shown(self.subscriptions.named(key).row)
        rows = [each.row for each in self.subscriptions.all()]
        return Target(SUBSCRIPTIONS, SUBSCRIPTIONS.name, self._companies[0], rows)

    def write(self, request: httpx.Request, route: ApiRoute) -> Target | None:
        """Carries out a write; what to show of it, None after a deletion, or `Refusal`."""
        record = self.subscriptions.write(request, route.api, _key(route.segments))
        return None if record is None else self.shown(record)

    def shown(self, record: Record) -> Target:
        """One subscription as something to show."""
        return Target(SUBSCRIPTIONS, SUBSCRIPTIONS.name, self._companies[0], record=record)


class ScaledClock:
    """A clock that runs `speed` times as fast as the real one."""

    def __init__(self, speed: float, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._speed = speed
        self._began = monotonic()

    def __call__(self) -> datetime:
        """The time it shows."""
        return datetime.fromtimestamp(self._start.timestamp() + (monotonic() - self._began) * self._speed, UTC)


def names_subscriptions(route: ApiRoute | TokenRoute | None) -> TypeGuard[ApiRoute]:
    """Whether the address is about subscriptions."""
    return isinstance(route, ApiRoute) and bool(route.segments) and _SEGMENT.fullmatch(route.segments[0]) is not None


def _key(segments: Sequence[str]) -> str | None:
    if len(segments) > 1:
        raise unknown_segment(segments[1])
    match = _SEGMENT.fullmatch(segments[0])
    if match is None:
        raise unknown_segment(segments[0])
    return match.group(1)
