"""A whole world for fault simulation: the real flows, with every effect on a stage, going through a history until it rests.

A process that dies is started anew with nothing in memory; timers tick every five minutes of virtual time; messages come
back by the Functions host's rules. What must hold after every single effect is in `Invariants`, what must hold at the end in
`World.differences`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from connector.bootstrap import Ports, build
from connector.decisions.states import Status
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.parts import Parts
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from connector.model.documents import Entity
from connector.model.stamps import parse_stamp
from connector.ports import SeededRandomness
from connector.settings import load_settings
from connector.storage.ledger import Ledger, partition
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations
from tests.sandbox.business_central import CompanyData
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import KEYS, Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.simulation.queue_host import QueueHost
from tests.simulation.stage import Plan, Stage, Turns, WorldStopped
from tests.simulation.staged import StagedClock, StagedQueues, StagedTables, StagedTransport

TICK = 300.0
MOST_TICKS = 60
TARGETS = {
    "sn_shop_purchase_order": ("erp_source", "erp_number"),
    "sn_shop_purchase_order_line": ("purchase_order", "erp_line_number"),
    "sn_shop_invoice": ("erp_source", "external_invoice_number"),
    "sn_shop_invoice_line": ("invoice", "erp_line_number"),
}


class World:
    """One simulated world. `plan` says what goes wrong at which effect."""

    def __init__(self, data: Sequence[CompanyData], plan: Plan, *, seed: int = 1, turns: Turns | None = None) -> None:
        self.clock = VirtualClock()
        self.landscape = Landscape(self.clock.now, data=data)
        self.tables = MemoryTables(self.clock)
        self.queues = MemoryQueues(self.clock)
        self.stage = Stage(plan, invariants=Invariants(self).check, turns=turns)
        self.settings = load_settings(self.landscape.environment())
        self._chance = random.Random(seed)
        self._parts: dict[str, Parts] = {}
        self._host = QueueHost(self.queues, self.clock, stage=self.stage)
        self.errors: list[Exception] = []

    def process(self) -> Parts:
        """The parts of the calling process; new ones, with nothing in memory, when it has none."""
        stage = self.stage
        name = stage.turns.process()
        if name not in self._parts:
            self._parts[name] = build(
                self.settings,
                Ports(
                    StagedTransport(self.landscape.transport(), stage),
                    StagedTables(self.tables, stage),
                    StagedQueues(self.queues, stage),
                    StagedClock(self.clock, stage),
                    SeededRandomness(self._chance),
                ),
            )
        return self._parts[name]

    def tick(self) -> None:
        """The timers fire, and every message that is visible is worked."""
        self._run(lambda: poll_all(self.process()))
        self._work()
        self._run(lambda: rescue_all(self.process()))
        self._work()

    def rest(self) -> None:
        """Ticks until nothing is left to do after a tick in which nothing went wrong."""
        for _ in range(MOST_TICKS):
            disturbed = len(self.stage.met)
            self.tick()
            if self.resting() and len(self.stage.met) == disturbed:
                # The sweep has a longer interval than the other timers: it comes when they have nothing to do.
                self._run(lambda: sweep_all(self.process()))
                self._work()
                if self.resting() and len(self.stage.met) == disturbed:
                    return
            self.clock.advance(TICK)
        raise AssertionError(f"no rest after {MOST_TICKS} ticks: {self.unrest()}")

    def resting(self) -> bool:
        """Whether no message is left and no document has work due."""
        return not self.unrest()

    def unrest(self) -> list[str]:
        """What is left to do."""
        left = [f"message {message.text[:80]}" for message in self.queues.messages(self.settings.documents_queue)]
        rows = self.tables.rows("ledger") if "ledger" in self.tables.tables() else ()
        left += [
            f"{row.properties['number']} is {row.properties['status']}" for row in rows if row.properties.get("open")
        ]
        return left

    def _work(self) -> None:
        for _ in range(500):
            worked = self._run(
                lambda: self._host.run_once(
                    self.settings.documents_queue, lambda text, count: deliver(self.process(), text, count)
                )
            )
            if worked is False:
                return
        raise AssertionError("messages without an end")

    def _run(self, act: Callable[[], bool | None]) -> bool | None:
        """One run of a function; an error is the host's business, a death ends the process and its memory."""
        try:
            return act()
        except WorldStopped:
            self._parts.pop(self.stage.turns.process(), None)
            self.stage.restart()
            return True
        except Exception as error:  # noqa: BLE001 - the host survives whatever a function raises
            self.errors.append(error)
            return None

    def differences(self) -> list[str]:
        """How ServiceNow and the ledger differ from Business Central; nothing, at the end."""
        expected = expectations(self.landscape)
        store = self.landscape.servicenow.tables
        report = target_differences(list(expected.values()), store) + supplier_differences(expected.values(), store)
        report += order_differences(expected.values(), store)
        fates = {Status.DONE: "staged", Status.WAITING: "waiting", Status.PARKED: "parked"}
        states = self.states()
        for id_, document in expected.items():
            status = states.get(id_)
            if status is None or fates.get(status) != document.fate:
                report.append(f"{document.number} is {status} instead of {document.fate}")
        parked = sum(1 for status in states.values() if status is Status.PARKED)
        notes = len(self.queues.messages(self.settings.poison_queue))
        if notes < parked:
            report.append(f"{parked} documents are parked, {notes} notes are on the poison queue")
        # A ledger of its own, off the stage: looking is no effect.
        ledger = Ledger(self.tables, self.clock, key=self.settings.ledger_key_bytes, by="simulation")
        for company in self.settings.companies:
            for entity in Entity:
                where = partition(company.key, entity)
                for state in ledger.all_states(where):
                    if not ledger.intact(where, state.id):
                        report.append(f"the trail of {state.number} is broken")
        return report

    def states(self) -> dict[str, Status]:
        """The state of each document in the ledger."""
        return {
            str(row.properties["id"]): Status(str(row.properties["status"]))
            for row in self.tables.rows("ledger")
            if row.row.startswith("s|")
        }


class Invariants:
    """What must hold after each effect of a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._quantities: dict[str, Decimal] = {}

    def check(self) -> None:
        """Raises AssertionError with what does not hold."""
        world = self._world
        if "ledger" not in world.tables.tables():
            return
        self._trails()
        self._written_ahead()
        self._no_duplicates()
        self._cursor()
        self._nothing_written_to_business_central()

    def _trails(self) -> None:
        """States and events move together: a state's sequence number is the number of its events."""
        seqs: dict[str, int] = {}
        events: dict[str, int] = defaultdict(int)
        for row in self._world.tables.rows("ledger"):
            kind, *_ = row.row.split("|")
            if kind == "s":
                seqs[str(row.properties["id"])] = int(str(row.properties["seq"]))
            elif kind == "e":
                events[str(row.properties["id"])] += 1
        assert dict(events) == {id_: seq for id_, seq in seqs.items() if seq}, "a state and its events are apart"

    def _written_ahead(self) -> None:
        """Nothing is in ServiceNow without an intent on record."""
        intended = {
            str(row.properties["id"])
            for row in self._world.tables.rows("ledger")
            if row.properties.get("action") == "intent"
        }
        ids = {document.number: document.id for company in self._world.landscape.data for document in company.orders}
        rows = self._world.landscape.servicenow.tables.rows
        sent = {ids[row["erp_number"]] for row in rows("sn_shop_purchase_order")}
        sent |= {row["external_invoice_number"] for row in rows("sn_shop_invoice")}
        assert sent <= intended, "a document is in ServiceNow without an intent"

    def _no_duplicates(self) -> None:
        for table, key in TARGETS.items():
            found = [tuple(row[name] for name in key) for row in self._world.landscape.servicenow.tables.rows(table)]
            assert len(found) == len(set(found)), f"{table} holds a record twice"

    def _cursor(self) -> None:
        """The cursor never passes a document that is not on record."""
        known = self._world.states()
        polls = [row for row in self._world.tables.rows("cursors") if row.row == "poll"]
        watermarks = {row.partition: str(row.properties["watermark"]) for row in polls}
        for company in self._world.landscape.data:
            for entity in Entity:
                watermark = watermarks.get(partition(KEYS[company.name][0], entity))
                if watermark is None:
                    continue
                for document in company.documents[entity.value]:
                    stamp = document.header["lastModifiedDateTime"]
                    assert isinstance(stamp, datetime)
                    passed = stamp <= parse_stamp(watermark)
                    assert not passed or document.id in known, f"the cursor passed {document.number}"

    def _nothing_written_to_business_central(self) -> None:
        world = self._world
        counts = world.landscape.bc_exchange.counts
        others = {name for name in counts if name.isupper()} - {"GET", "POST"}
        assert not others, f"Business Central received {others}"
        path = f"/{world.landscape.business_central.tenant}/oauth2/v2.0/token"
        tokens = sum(name.endswith(f"http POST login.microsoftonline.com{path}") for name in world.stage.effects)
        assert counts["POST"] <= tokens, "Business Central received a POST that is no request for a token"
