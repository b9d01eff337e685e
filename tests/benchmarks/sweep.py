"""Sweep: what comparing all open orders costs, with and without the fingerprint. Counts, not seconds."""

from __future__ import annotations

import random

from rich.console import Console
from rich.table import Table

from connector.bootstrap import Ports, build
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.parts import Parts
from connector.flows.sweep import sweep
from connector.model.documents import Entity
from connector.ports import SeededRandomness
from connector.settings import load_settings
from connector.storage.cursors import SweepRecord
from tests.benchmarks.reference import reference_company
from tests.sandbox.business_central import CompanyData
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables

CHANGED = 20
MOST_CALLS, MOST_WITH_FINGERPRINT = 100, 10


class Swept:
    """Orders that are carried already, and sweeps over them."""

    def __init__(self, orders: int) -> None:
        self._clock = VirtualClock()
        self.company: CompanyData = reference_company(orders, types=("Item", "Account", "Resource"))
        self.landscape = Landscape(self._clock.now, data=[self.company])
        self._queues = MemoryQueues(self._clock)
        ports = Ports(
            self.landscape.transport(),
            MemoryTables(self._clock),
            self._queues,
            self._clock,
            SeededRandomness(random.Random(1)),
        )
        self.parts: Parts = build(load_settings(self.landscape.environment()), ports)
        for _ in range(1 + orders // 4000):
            # Detection pauses while twenty units wait.
            poll_all(self.parts)
            self.work()
            self._clock.advance(300)

    def work(self) -> None:
        """Works off the queue."""
        while messages := self._queues.receive("documents", 1, 600):
            deliver(self.parts, messages[0].text, messages[0].dequeue_count)
            self._queues.delete("documents", messages[0].sent)

    def sweep(self) -> SweepRecord:
        """One whole sweep of the orders."""
        self._clock.advance(900)
        (company,) = self.parts.settings.companies
        record = sweep(self.parts, company, Entity.PURCHASE_ORDER, lambda: True)
        if record is None or record.position:
            raise RuntimeError("the sweep did not come round")
        return record


def run(console: Console, orders: int) -> bool:
    """Runs the benchmark and prints it; whether the sweeps stayed within their limits."""
    swept = Swept(orders)
    table = Table(title=f"Sweeps of {orders} open orders of 8 lines (items, accounts, resources)")
    for heading in ("", "Calls", "MB received", "Compared", "Spared", "Changed"):
        table.add_column(heading, justify="right" if heading else "left")
    records = {"every document": swept.sweep(), "with the fingerprint": swept.sweep()}
    for order in swept.company.orders[:: max(1, orders // CHANGED)][:CHANGED]:
        swept.landscape.business_central.edit_line(
            swept.company.name, order.number, 10000, description="Edited quietly"
        )
    records[f"with the fingerprint, {CHANGED} edited"] = swept.sweep()
    for name, record in records.items():
        size = f"{record.size / 1e6:.1f}"
        table.add_row(name, *map(str, (record.calls, size, record.compared, record.cheap, record.changed)))
    console.print(table)
    whole, cheap, edited = records.values()
    return (
        whole.calls <= MOST_CALLS
        and cheap.calls <= MOST_WITH_FINGERPRINT
        and (whole.compared, cheap.cheap) == (orders, orders)
        and edited.changed == min(CHANGED, orders)
    )
