"""Orders: what a thousand reference orders cost, in API calls and storage transactions. Counts, not seconds.

Everything runs in process on the simulators and the in-memory storage; queue receives and deletes of the Functions host are
not counted, as they are not ours.
"""

from __future__ import annotations

import random
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from connector.bootstrap import Ports, build
from connector.decisions.states import Status
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.overview import overview
from connector.ports import SeededRandomness
from connector.settings import load_settings
from tests.benchmarks.reference import reference_company
from tests.sandbox.clock import VirtualClock
from tests.sandbox.doors import by_door, open_doors
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables

DOORS = {"batch": 100, "insert_multiple": 55, "table": 120}
"""The write doors, and how many ServiceNow calls a thousand orders may cost through each, verification and start included."""


MASTER_DATA = ("dimensions", "dimensionValues", "accounts", "generalLedgerSetup", "locations", "paymentTerms")


class Counted:
    """A store whose calls are counted; a query counts once for each page of a thousand rows begun."""

    def __init__(self, inner: Any, counts: Counter[str]) -> None:
        self._inner = inner
        self._counts = counts

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def counted(*arguments: Any, **keywords: Any) -> Any:
            self._counts[name] += 1
            if name != "query":
                return method(*arguments, **keywords)
            return self._paged(method(*arguments, **keywords))

        return counted

    def _paged(self, rows: Any) -> Any:
        for number, row in enumerate(rows):
            if number and number % 1000 == 0:
                self._counts["query"] += 1
            yield row


class Watched(httpx.BaseTransport):
    """A transport that counts what is asked for, by the last part of the address."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.asked: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Passes the request on."""
        self.asked[request.url.path.rpartition("/")[2]] += 1
        return self._inner.handle_request(request)


def run(console: Console, orders: int, door: str = "batch") -> bool:
    """Runs the benchmark through one write door and prints it; whether all is staged at no more calls than it may cost."""
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=[reference_company(orders)], sleep=clock.sleep)
    open_doors(landscape)
    counts: Counter[str] = Counter()
    tables, queues = MemoryTables(clock), MemoryQueues(clock)
    watched = Watched(landscape.transport())
    ports = Ports(
        watched,
        Counted(tables, counts),
        Counted(queues, counts),
        clock,
        SeededRandomness(random.Random(1)),
    )
    with tempfile.TemporaryDirectory() as folder:
        parts = build(load_settings(landscape.environment() | dict(by_door(door, Path(folder)))), ports)
    counts.clear()
    poll_all(parts)
    while messages := queues.receive("documents", 1, 600):
        deliver(parts, messages[0].text, messages[0].dequeue_count)
        queues.delete("documents", messages[0].sent)
    storage = counts.copy()
    calls = landscape.sn_exchange.counts["requests"]
    staged = sum(one.counts[Status.DONE] for one in overview(parts).entities)
    table = Table(title=f"{orders} purchase orders of 8 lines, 2 dimensions a line, by the door {door}")
    for heading in ("", "In all", "Per order"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, number in (
        ("Business Central calls", landscape.bc_exchange.counts["requests"]),
        ("  of which master data, once in an hour", sum(watched.asked[name] for name in MASTER_DATA)),
        ("ServiceNow calls", calls),
        ("  of which one look at the instance, once in 15 minutes", parts.preflight.catalog.facts().calls),
        ("Storage transactions", sum(storage.values())),
        ("  of which " + ", ".join(f"{count} {name}" for name, count in storage.most_common()), 0),
    ):
        table.add_row(name, str(number or ""), f"{number / orders:.4f}" if number else "")
    console.print(table)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    console.print(f"{staged} of {orders} staged and verified. Peak memory with both simulators {memory} MiB.")
    return staged == orders and (orders != 1000 or calls <= DOORS[door])
