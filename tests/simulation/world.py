"""A whole world for fault simulation: the real flows, with every effect on a stage, going through a history until it rests.

A process that dies is started anew with nothing in memory; timers tick every five minutes of virtual time; messages come
back by the Functions host's rules. What must hold after every single effect is in `Invariants`, what must hold at the end in
`World.differences`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

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
from connector.storage.ledger_rows import State
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations, vanished
from tests.sandbox.business_central import CompanyData
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import KEYS, Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.simulation.conservation import astray
from tests.simulation.queue_host import QueueHost
from tests.simulation.stage import Plan, Stage, Turns, WorldStopped, only_reads, undisturbed
from tests.simulation.staged import StagedClock, StagedQueues, StagedTables, StagedTransport

TICK = 300.0
MOST_TICKS = 60
DISTURBED_TICKS = 20
TARGETS = {
    "sn_shop_purchase_order": ("erp_source", "erp_number"),
    "sn_shop_purchase_order_line": ("purchase_order", "erp_line_number"),
    "sn_shop_invoice": ("erp_source", "external_invoice_number"),
    "sn_shop_invoice_line": ("invoice", "erp_line_number"),
    "sn_shop_receipt": ("erp_source", "erp_gr_number", "purchase_order_line"),
}


class World:
    """One simulated world. `plan` says what goes wrong at which effect."""

    def __init__(
        self,
        data: Sequence[CompanyData],
        plan: Plan,
        *,
        seed: int = 1,
        turns: Turns | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.landscape = Landscape(self.clock.now, data=data)
        self.tables = MemoryTables(self.clock)
        self.queues = MemoryQueues(self.clock)
        self.stage = Stage(plan, invariants=Invariants(self).check, turns=turns)
        self.settings = load_settings(self.landscape.environment() | dict(settings or {}))
        self._chance = random.Random(seed)
        self._parts: dict[str, Parts] = {}
        self.host = QueueHost(self.queues, self.clock, stage=self.stage)
        self.errors: list[Exception] = []
        self._skews: dict[str, float] = {}
        # Every order's number with its id, also of orders that are gone.
        self.order_ids = {document.number: document.id for company in data for document in company.orders}
        # Documents whose stamp may lie before the moment at which it could be seen: the cursor may pass them.
        self.late: set[str] = set()

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
                    StagedClock(self.clock, stage, skew_seconds=self._skews.get(name, 0.0)),
                    SeededRandomness(self._chance),
                ),
            )
        return self._parts[name]

    def begin(self, plan: Plan) -> None:
        """From here on the plan holds, and effects are counted anew: what was before is no part of an exploration."""
        self.stage.effects.clear()
        self.stage.invariants = Invariants(self).check
        self.stage.plan = plan

    def tick(self) -> None:
        """The timers fire, and every message that is visible is worked."""
        self.attempt(lambda: poll_all(self.process()))
        self.work()
        self.attempt(lambda: rescue_all(self.process()))
        self.work()

    def rest(self) -> None:
        """Ticks until nothing is left to do after a tick in which nothing went wrong."""
        for number in range(MOST_TICKS):
            if number == DISTURBED_TICKS:
                # With faults at every twentieth effect a tick without any is rare: they end, so that the world can.
                self.stage.plan = undisturbed
            # Long enough for every turn that a dead process has taken to be over, and for every interval.
            self.clock.advance(TICK)
            disturbed = len(self.stage.met)
            self.tick()
            if self.resting() and len(self.stage.met) == disturbed:
                # The sweep has a longer interval than the other timers: it comes when they have nothing to do.
                self.clock.advance(TICK)
                self.attempt(lambda: sweep_all(self.process()))
                self.work()
                if self.resting() and len(self.stage.met) == disturbed:
                    return
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

    def work(self) -> None:
        """Works every message that is visible."""
        for _ in range(500):
            worked = self.attempt(
                lambda: self.host.run_once(
                    self.settings.documents_queue, lambda text, count: deliver(self.process(), text, count)
                )
            )
            if worked is False:
                return
        raise AssertionError("messages without an end")

    def skew(self, name: str, seconds: float) -> None:
        """From now on that process sees the time wrong by so many seconds."""
        self._skews[name] = seconds
        if name in self._parts:
            clock = self._parts[name].clock
            assert isinstance(clock, StagedClock)
            clock.skew = seconds

    def restart(self) -> None:
        """The calling process is started anew, with nothing in memory."""
        self._parts.pop(self.stage.turns.process(), None)
        self.stage.restart()

    def attempt(self, act: Callable[[], object]) -> object:
        """One run of a function; an error is the host's business, a death ends the process and its memory."""
        try:
            return act()
        except WorldStopped:
            self.restart()
            return True
        except Exception as error:  # noqa: BLE001 - the host survives whatever a function raises
            self.errors.append(error)
            return None

    def differences(self) -> list[str]:
        """How ServiceNow and the ledger differ from Business Central; nothing, at the end."""
        expected, gone = expectations(self.landscape), vanished(self.landscape)
        documents = [*expected.values(), *gone.values()]
        store = self.landscape.servicenow.tables
        report = target_differences(documents, store) + supplier_differences(documents, store)
        report += order_differences(documents, store)
        fates = {Status.DONE: "staged", Status.WAITING: "waiting", Status.PARKED: "parked"}
        states = self.states()
        for id_, document in expected.items():
            status = states.get(id_)
            if document.fate == "held" and status in (Status.DONE, Status.WAITING):
                continue
            if status is None or fates.get(status) != document.fate:
                report.append(f"{document.number} is {status} instead of {document.fate}")
        rows = self.ledger_states() if gone else {}
        for id_, document in gone.items():
            found = (rows[id_].status, rows[id_].outcome) if id_ in rows else None
            if found != (Status.CLOSED, document.fate):
                report.append(f"{document.number} is {found} instead of closed as {document.fate}")
        parked = sum(1 for status in states.values() if status is Status.PARKED)
        notes = len(self.queues.messages(self.settings.poison_queue))
        if notes < parked:
            report.append(f"{parked} documents are parked, {notes} notes are on the poison queue")
        return report + self.broken_trails() + astray(self)

    def ledger_states(self) -> dict[str, State]:
        """The ledger's row of each document."""
        ledger, wheres = self._ledger()
        return {state.id: state for where in wheres for state in ledger.all_states(where)}

    def broken_trails(self) -> list[str]:
        """The documents whose trail is not whole."""
        ledger, wheres = self._ledger()
        return [
            f"the trail of {state.number} is broken"
            for where in wheres
            for state in ledger.all_states(where)
            if not ledger.intact(where, state.id)
        ]

    def looked_at(self) -> int:
        """How often documents were looked at because they may have changed: intents and outcomes on record."""
        words = ("staged", "unchanged", "waiting", "parked", "invoiced", "deleted", "received", "cancelled")
        return sum(row.properties.get("action") in words for row in self.tables.rows("ledger"))

    def _ledger(self) -> tuple[Ledger, list[str]]:
        # A ledger of its own, off the stage: looking is no effect.
        ledger = Ledger(self.tables, self.clock, key=self.settings.ledger_key_bytes, by="simulation")
        return ledger, [partition(company.key, entity) for company in self.settings.companies for entity in Entity]

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
        self._checked = 0

    def check(self) -> None:
        """Raises AssertionError with what does not hold."""
        world = self._world
        if only_reads(world.stage.effects[-1]) or "ledger" not in world.tables.tables():
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
        ids = self._world.order_ids
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
                if not watermark:
                    continue
                passed = parse_stamp(watermark)
                for id_, stamp in self._world.landscape.business_central.stamps(company.name, entity.value).items():
                    if stamp <= passed and id_ not in self._world.late:
                        assert id_ in known, f"the cursor passed {id_}"

    def _nothing_written_to_business_central(self) -> None:
        """All that is sent there but reads are requests for tokens, the renewal of subscriptions, and dimension values where
        cost centres are aligned."""
        for name in self._world.stage.effects[self._checked :]:
            _, is_http, exchange = name.partition("http ")
            method, _, address = exchange.partition(" ")
            if is_http and address.startswith("api.businesscentral.") and method != "GET":
                value = "/erpbridge/sourceToPay/v1.0/" in address and "/dimensionValues" in address
                allowed = "/api/v2.0/subscriptions" in address or (value and self._world.settings.alignment)
                assert allowed, f"Business Central received {method} {address}"
        self._checked = len(self._world.stage.effects)
