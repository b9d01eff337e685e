"""The gates: what all instances share about a remote system. How many may work there at once, and not before when.

A slot is a row with a lease of 90 seconds, judged by the storage server's clock alone: the row's age is the Date of the answer
that brought it less its own last-modified stamp. A worker renews it while it works; a dead worker's slot frees itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.errors import RowConflict
from connector.model.stamps import NEVER, parse_stamp, stamp_text
from connector.ports import Clock, Randomness
from connector.storage import keys
from connector.storage.ports import Entity, Insert, Operation, Property, Replace, TableStore, Upsert

TABLE = "gates"
LEASE = timedelta(seconds=90)
RENEW_AFTER = 30.0
BUSY_LOW, BUSY_HIGH = 5.0, 20.0
_NOT_BEFORE = "notbefore"


@dataclass(slots=True)
class Slot:
    """A held slot; `renewed_at` by the holder's monotonic clock."""

    row: str
    owner: str
    etag: str
    renewed_at: float


@dataclass(frozen=True, slots=True)
class Wait:
    """No slot now: look again after so many seconds."""

    seconds: float


class Gate:
    """The gate of one remote system."""

    def __init__(self, tables: TableStore, system: str, slots: int, clock: Clock, randomness: Randomness) -> None:
        self._tables = tables
        self._system = keys.key_part(system)
        self._slots = slots
        self._clock = clock
        self._randomness = randomness

    def enter(self, owner: str) -> Slot | Wait:
        """A slot for this owner, or how long to wait."""
        rows = {entity.row: entity for entity in self._tables.query(TABLE, self._system, start="a", stop="z")}
        closed = self._closed_for(rows.get(_NOT_BEFORE))
        if closed > 0:
            return Wait(closed)
        for number in range(self._slots):
            row = f"slot{number}"
            entity = rows.get(row)
            if entity is not None and entity.properties["owner"] and entity.read_at - entity.modified < LEASE:
                continue
            columns: dict[str, Property] = {"owner": owner}
            operation: Operation = Insert(row, columns) if entity is None else Replace(row, columns, entity.etag)
            try:
                etag = self._tables.write(TABLE, self._system, [operation])[0]
            except RowConflict:
                continue
            return Slot(row, owner, etag, self._clock.monotonic())
        return Wait(self._randomness.uniform(BUSY_LOW, BUSY_HIGH))

    def keep(self, slot: Slot) -> bool:
        """Renews the slot when it is time; False when it is lost."""
        now = self._clock.monotonic()
        if now - slot.renewed_at < RENEW_AFTER:
            return True
        try:
            slot.etag = self._tables.write(TABLE, self._system, [Replace(slot.row, {"owner": slot.owner}, slot.etag)])[
                0
            ]
        except RowConflict:
            return False
        slot.renewed_at = now
        return True

    def closed_for(self) -> float:
        """For how many seconds nobody is to ask the system; 0 when it may be asked."""
        return max(0.0, self._closed_for(self._tables.read(TABLE, self._system, _NOT_BEFORE)))

    def leave(self, slot: Slot) -> None:
        """Frees the slot, if it is still ours."""
        try:
            self._tables.write(TABLE, self._system, [Replace(slot.row, {"owner": ""}, slot.etag)])
        except RowConflict:
            return

    def close_for(self, seconds: float) -> None:
        """Nobody enters for so many seconds: the system said so. A longer wait already set stands."""
        until = self._not_before()
        wished = until.read_at + timedelta(seconds=seconds)
        if wished > parse_stamp(str(until.properties["until"])):
            self._tables.write(TABLE, self._system, [Upsert(_NOT_BEFORE, {"until": stamp_text(wished)})])

    def _not_before(self) -> Entity:
        """The row that says when the gate opens; made when there is none, since only a row read tells the server's time."""
        while (entity := self._tables.read(TABLE, self._system, _NOT_BEFORE)) is None:
            try:
                self._tables.write(TABLE, self._system, [Insert(_NOT_BEFORE, {"until": stamp_text(NEVER)})])
            except RowConflict:
                continue
        return entity

    def _closed_for(self, entity: Entity | None) -> float:
        if entity is None:
            return 0.0
        until: datetime = parse_stamp(str(entity.properties["until"]))
        return (until - entity.read_at).total_seconds()
