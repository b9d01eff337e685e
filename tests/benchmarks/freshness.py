"""Freshness: how long a change in Business Central takes to its row in ServiceNow, on the virtual clock.

Every request takes 0.3 s, a storage call 0.01 s; the queue trigger looks every 0.1 to 1 s, as the host does when it was idle.
Timers tick every ten seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from connector.bootstrap import Ports, build
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.renew import renew_all
from connector.ports import SeededRandomness
from connector.settings import load_settings
from tests.benchmarks.reference import reference_company
from tests.sandbox.business_central import Document
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape
from tests.sandbox.servicenow.store import Row
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.simulation.random_history import WEBHOOKS

ORDERS = 40
REQUEST, STORAGE = 0.3, 0.01
TICK = 10.0
MOST_P50, MOST_P99 = 7, 13


class Slow(httpx.BaseTransport):
    """A transport whose exchanges take their time."""

    def __init__(self, inner: httpx.BaseTransport, clock: VirtualClock) -> None:
        self._inner = inner
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        self._clock.sleep(REQUEST)
        return self._inner.handle_request(request)


class SlowStore:
    """A store whose calls take their time."""

    def __init__(self, inner: Any, clock: VirtualClock) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def slow(*arguments: Any, **keywords: Any) -> Any:
            self._clock.sleep(STORAGE)
            return method(*arguments, **keywords)

        return slow


@dataclass(frozen=True)
class Freshness:
    """The seconds that each change took, in ascending order."""

    seconds: list[float]

    def percentile(self, percent: int) -> float:
        """The time within which so many per cent arrived."""
        return self.seconds[min(len(self.seconds) - 1, len(self.seconds) * percent // 100)]


def measure(changes: int, *, seed: int = 1, webhooks: bool = False) -> Freshness:
    """Makes the changes at random moments, one at a time in each order; how long each took. `webhooks`: subscriptions exist,
    and every notification is lost."""
    return _Run(seed, webhooks=webhooks).run(changes)


class _Run:
    def __init__(self, seed: int, *, webhooks: bool) -> None:
        self._chance = random.Random(seed)
        self._clock = clock = VirtualClock()
        self._company = reference_company(ORDERS)
        self._landscape = Landscape(clock.now, data=[self._company])
        bc = self._landscape.business_central
        bc.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
        tables = MemoryTables(clock)
        self._queues = MemoryQueues(clock)
        environment = self._landscape.environment() | {"POLL_SECONDS": '{"purchaseOrders": 10, "purchaseInvoices": 10}'}
        transport = Slow(self._landscape.transport(), clock)
        chance = SeededRandomness(random.Random(seed))
        ports: Any = (transport, SlowStore(tables, clock), SlowStore(self._queues, clock), clock, chance)
        self._parts = build(load_settings(environment | (WEBHOOKS if webhooks else {})), Ports(*ports))
        if webhooks:
            bc.webhooks.post.carrier = lambda request: httpx.Response(
                200, text=request.url.params.get("validationToken", "")
            )
            bc.webhooks.post.stopwatch = clock.monotonic
            renew_all(self._parts)
        self._changed: dict[str, tuple[Decimal, datetime]] = {}
        self._seconds: list[float] = []
        self._landscape.servicenow.tables.watch("sn_shop_purchase_order_line", self._staged)

    def run(self, changes: int) -> Freshness:
        self._round(self._clock.now())
        self._clock.advance(60)
        # Changes come at any moment, also while a poll is under way.
        moment = self._clock.now()
        for count in range(changes):
            moment += timedelta(seconds=self._chance.expovariate(1 / 4))
            self._clock.at(moment, lambda count=count: self._change(count))
        tick_at = self._clock.now()
        while self._clock.now() < moment + timedelta(seconds=3 * TICK):
            tick_at = self._round(tick_at)
            self._clock.advance_to(tick_at)
        return Freshness(sorted(self._seconds))

    def _round(self, due: datetime) -> datetime:
        """One tick of the timer and the work that follows; the moment of the next tick."""
        poll_all(self._parts)
        while self._queues.next_visible("documents"):
            self._clock.sleep(self._chance.uniform(0.1, 1.0))
            for message in self._queues.receive("documents", 1, 600):
                deliver(self._parts, message.text, message.dequeue_count)
                self._queues.delete("documents", message.sent)
        while due <= self._clock.now():
            due += timedelta(seconds=TICK)
        return due

    def _change(self, count: int) -> None:
        number = next(order.number for order in self._orders() if order.number not in self._changed)
        quantity = Decimal(100 + count)
        self._changed[number] = (quantity, self._clock.now())
        self._landscape.business_central.edit_line(self._company.name, number, 10000, quantity=quantity)

    def _orders(self) -> list[Document]:
        return self._chance.sample(self._company.orders, len(self._company.orders))

    def _staged(self, row: Row) -> None:
        header = self._landscape.servicenow.tables.get("sn_shop_purchase_order", row["purchase_order"])
        number = header["erp_number"] if header else ""
        if row["erp_line_number"] != "10000" or number not in self._changed:
            return
        quantity, changed = self._changed[number]
        if Decimal(row["purchased_quantity"] or 0) == quantity:
            del self._changed[number]
            self._seconds.append((self._clock.now() - changed).total_seconds())


def run(console: Console, changes: int) -> bool:
    """Runs the benchmark and prints it; whether it stayed within its limits."""
    table = Table(title=f"{changes} changes, polls every {TICK:.0f} s: seconds from BC to the row in ServiceNow")
    for heading in ("", "p50", "p99", "longest"):
        table.add_column(heading, justify="right" if heading else "left")
    held = True
    for name, webhooks in (("polling alone", False), ("every notification lost", True)):
        measured = measure(changes, webhooks=webhooks)
        p50, p99 = measured.percentile(50), measured.percentile(99)
        table.add_row(name, f"{p50:.1f}", f"{p99:.1f}", f"{measured.seconds[-1]:.1f}")
        held = held and len(measured.seconds) == changes and p50 <= MOST_P50 and p99 <= MOST_P99
    console.print(table)
    return held
