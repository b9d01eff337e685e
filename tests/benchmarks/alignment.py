"""Alignment: what keeping thousands of cost centres and dimension values the same costs. Counts, not seconds."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from connector.bootstrap import Ports, build
from connector.flows.align import align
from connector.ports import SeededRandomness
from connector.settings import load_settings
from tests.benchmarks.orders import Counted
from tests.benchmarks.reference import reference_company
from tests.sandbox.business_central.webhook_resources import EXTENSION
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables

RENAMED = 20
MOST_IDLE = 20
"""Calls to both systems that a run may take which finds both sides the same."""


def run(console: Console, count: int) -> bool:
    """Runs the benchmark and prints it; whether a run that finds nothing to do stays within its limit and writes nothing."""
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=[reference_company(1)])
    landscape.business_central.apis.available.add(EXTENSION)
    tables = landscape.servicenow.tables
    ids = [
        tables.insert(
            "cmn_cost_center",
            {"code": f"CC{number:05d}", "account_number": f"{number:05d}", "name": f"Centre {number}"},
        )
        for number in range(count)
    ]
    storage: Counter[str] = Counter()
    chance = SeededRandomness(random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "alignment.toml"
        file.write_text("[companies.us]\n", "utf-8")
        settings = load_settings(landscape.environment() | {"ALIGNMENT": str(file)})
        stores = Counted(MemoryTables(clock), storage), MemoryQueues(clock)
        parts = build(settings, Ports(landscape.transport(), *stores, clock, chance))
    (company,) = settings.companies
    table = Table(title=f"Alignment of {count} cost centres of ServiceNow with one dimension of Business Central")
    for heading in ("", "BC reads", "BC writes", "ServiceNow calls", "Storage transactions"):
        table.add_column(heading, justify="right" if heading else "left")
    held = True
    for name, renamed in (
        ("the first run: all are new", 0),
        ("nothing has changed", 0),
        (f"{RENAMED} were renamed", RENAMED),
    ):
        for sys_id in ids[:renamed]:
            tables.update("cmn_cost_center", sys_id, {"name": "Renamed"})
        before, stored = (
            (landscape.bc_exchange.counts.copy(), landscape.sn_exchange.counts.copy()),
            sum(storage.values()),
        )
        came_to = align(parts, company)
        bc, sn = landscape.bc_exchange.counts - before[0], landscape.sn_exchange.counts - before[1]
        writes = bc["POST"] + bc["PATCH"]
        table.add_row(name, str(bc["GET"]), str(writes), str(sn["requests"]), str(sum(storage.values()) - stored))
        held = held and came_to is not None and came_to.settled
        if name == "nothing has changed":
            held = held and writes == 0 and bc["requests"] + sn["requests"] <= MOST_IDLE
    console.print(table)
    return held
