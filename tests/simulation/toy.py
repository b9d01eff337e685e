"""A toy protocol for the harness's own tests: amounts go from rows of a table through a queue into a balance.

`detect` sends a message for every row past the cursor, then moves the cursor; `deliver` adds the amount once. Each has
wrong versions that the harness must catch.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.errors import RowConflict, StorageUnavailable
from connector.storage.ports import Entity, Insert, Operation, Replace, Upsert
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.simulation.queue_host import QueueHost
from tests.simulation.stage import Plan, Stage, Turns, WorldStopped, undisturbed
from tests.simulation.staged import StagedClock, StagedQueues, StagedTables

AMOUNTS = {"s|1": 5, "s|2": 7, "s|3": 11}
HOUR = 3_600


class World:
    """The toy's tables and queue, staged for the code and bare for the invariants."""

    def __init__(self, plan: Plan = undisturbed, turns: Turns | None = None, *, checked: bool = True) -> None:
        self.clock = VirtualClock()
        self.bare_tables = MemoryTables(self.clock)
        self.bare_queues = MemoryQueues(self.clock)
        self.stage = Stage(plan, invariants=self.check if checked else lambda: None, turns=turns)
        self.tables = StagedTables(self.bare_tables, self.stage)
        self.queues = StagedQueues(self.bare_queues, self.stage)
        self.waits = StagedClock(self.clock, self.stage)
        self.bare_tables.ensure("toy")
        self.bare_queues.ensure("amounts")
        rows = [Insert(row, {"amount": amount}) for row, amount in AMOUNTS.items()]
        start = [Insert("balance", {"amount": 0}), Insert("cursor", {"seen": ""})]
        self.bare_tables.write("toy", "p", [*rows, *start])

    def host(self) -> QueueHost:
        """A host on the toy's queue."""
        return QueueHost(self.bare_queues, self.clock, stage=self.stage)

    def balance(self) -> int:
        """What arrived so far, read past the stage."""
        found = self.bare_tables.read("toy", "p", "balance")
        assert found is not None
        return amount_of(found)

    def check(self) -> None:
        """The balance is the sum of the rows marked done, at every moment."""
        done = [row.row.removeprefix("done|") for row in self.bare_tables.rows("toy") if row.row.startswith("done|")]
        assert self.balance() == sum(AMOUNTS[row] for row in done), "the balance is not what is marked done"

    def detect(self) -> None:
        """Right: queue before cursor."""
        cursor = self.row("cursor")
        for found in self.fresh(cursor):
            self.queues.send("amounts", found.row)
            cursor = self.move(cursor, found.row)

    def detect_cursor_first(self) -> None:
        """Wrong: the acknowledgement (the cursor) before the work (the message)."""
        cursor = self.row("cursor")
        for found in self.fresh(cursor):
            cursor = self.move(cursor, found.row)
            self.queues.send("amounts", found.row)

    def deliver(self, row: str, _runs: int) -> None:
        """Right: the mark and the balance in one transaction, conditional on what was read."""
        while self.tables.read("toy", "p", f"done|{row}") is None:
            balance = self.row("balance")
            total = amount_of(balance) + amount_of(self.row(row))
            operations: list[Operation] = [
                Insert(f"done|{row}", {}),
                Replace("balance", {"amount": total}, balance.etag),
            ]
            try:
                self.tables.write("toy", "p", operations)
            except RowConflict:
                self.waits.sleep(1)

    def deliver_without_mark(self, row: str, _runs: int) -> None:
        """Wrong: a message that comes twice counts twice."""
        balance = self.row("balance")
        total = amount_of(balance) + amount_of(self.row(row))
        self.tables.write("toy", "p", [Replace("balance", {"amount": total}, balance.etag)])

    def deliver_unconditionally(self, row: str, _runs: int) -> None:
        """Wrong: what another worker wrote since the read is overwritten."""
        if self.tables.read("toy", "p", f"done|{row}") is None:
            total = amount_of(self.row("balance")) + amount_of(self.row(row))
            self.tables.write("toy", "p", [Upsert(f"done|{row}", {}), Upsert("balance", {"amount": total})])

    def row(self, name: str) -> Entity:
        """A row that is there."""
        found = self.tables.read("toy", "p", name)
        assert found is not None
        return found

    def fresh(self, cursor: Entity) -> list[Entity]:
        """The rows past the cursor."""
        after = str(cursor.properties["seen"]) or "s"
        return [found for found in self.tables.query("toy", "p", start=after + "!", stop="t")]

    def move(self, cursor: Entity, seen: str) -> Entity:
        """The cursor, moved by compare-and-set."""
        self.tables.write("toy", "p", [Replace("cursor", {"seen": seen}, cursor.etag)])
        return self.row("cursor")


def amount_of(row: Entity) -> int:
    """A row's amount."""
    return int(str(row.properties["amount"]))


def run_to_rest(world: World, detect: Callable[[], None], deliver: Callable[[str, int], None]) -> None:
    """Detects and delivers until all is quiet; what died is started anew, what failed is tried again."""
    while True:
        try:
            detect()
            world.host().drain("amounts", deliver, seconds=HOUR)
        except WorldStopped:
            world.stage.restart()
        except StorageUnavailable:
            world.clock.sleep(60)
        else:
            return
