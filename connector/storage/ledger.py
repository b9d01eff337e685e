"""The ledger: where every document stands, every step it took, and how to find it by a number.

One partition per company and entity. Three kinds of rows side by side, so that they move in one transaction:
``s|id`` state, ``e|id|seq`` event, ``i|TEXT|id`` index. A state row changes only by compare-and-set, each event goes with the
state row that carries its sequence number and hash, and states move only along `decisions.states.MOVES`. What becomes of the
events of a document that is long finished, `trim` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from connector.decisions.chain import GENESIS, end_seal, key_id
from connector.decisions.states import Status, legal
from connector.errors import RowConflict
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.ports import Clock
from connector.storage import keys
from connector.storage.ledger_events import Event, event_from, event_properties
from connector.storage.ledger_rows import State, state_from, state_properties
from connector.storage.ledger_trails import TRIMMED, CheckedTrail, Trails, sealed, tombstone
from connector.storage.ports import MAX_OPERATIONS, Condition, Delete, Insert, Operation, Replace, TableStore, Upsert

TABLE = "ledger"
DOCUMENTS_A_TRANSACTION = 50
POINT_READS = 3
Detail = Mapping[str, object]
"""What an event says besides its action."""
MOST_TRIMMED = MAX_OPERATIONS - 2
"""Events that go in one transaction, beside the state and the tombstone."""
ROWS_PER_ID = 10
"""A range read may pass over this many rows per row it looks for, before single reads are cheaper."""


@dataclass(frozen=True, slots=True)
class Change:
    """One document's step: its state before (None: new), after, perhaps an event, perhaps texts to find it by."""

    before: State | None
    after: State
    action: str = ""
    detail: Detail = field(default_factory=dict)
    index: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call wrote: the new states by id, and the ids that somebody else changed first."""

    saved: Mapping[str, State]
    lost: tuple[str, ...]


def partition(company: str, entity: Entity | Feed) -> str:
    """The partition of one company's entity; a feed's cursor has the same name."""
    return keys.join(company, entity.value)


class Ledger:
    """The record of all documents. `key` seals the event chain, `by` names who acts in each event."""

    def __init__(self, tables: TableStore, clock: Clock, *, key: bytes, by: str) -> None:
        self._tables = tables
        self._clock = clock
        self._key = key
        self._key_id = key_id(key)
        self._by = by
        self._trails = Trails(tables, TABLE, key)

    def states(self, where: str, ids: Sequence[str]) -> dict[str, State]:
        """The states of these documents, those that exist, with as few transactions as the partition allows."""
        wanted = sorted(set(ids))
        found: dict[str, State] = {}
        passed = ""
        if len(wanted) > POINT_READS:
            limit = ROWS_PER_ID * len(wanted)
            start, stop = keys.join("s", wanted[0]), keys.below("s", wanted[-1])[1]
            states = [state_from(row) for row in self._tables.query(TABLE, where, start=start, stop=stop, limit=limit)]
            asked = set(wanted)
            found = {state.id: state for state in states if state.id in asked}
            if len(states) < limit:
                return found
            passed = states[-1].id
        for id_ in wanted:
            if id_ > passed and (entity := self._tables.read(TABLE, where, keys.join("s", id_))) is not None:
                found[id_] = state_from(entity)
        return found

    def open_states(self, where: str) -> Iterator[State]:
        """The states in which work is due."""
        return self._scan(where, [Condition("open", "eq", True)])

    def all_states(self, where: str, status: Status | None = None) -> Iterator[State]:
        """All states of the partition, or those of one status."""
        return self._scan(where, [Condition("status", "eq", status.value)] if status else [])

    def with_note_left(self, where: str) -> Iterator[State]:
        """The states of documents that went on from where they were parked, whose poison message may still be there."""
        moved_on = [Condition("open", "eq", False), Condition("status", "ne", Status.PARKED.value)]
        return self._scan(where, [*moved_on, Condition("poison_id", "ne", "")])

    def _scan(self, where: str, conditions: Sequence[Condition]) -> Iterator[State]:
        start, stop = keys.below("s")
        for entity in self._tables.query(TABLE, where, start=start, stop=stop, where=conditions):
            yield state_from(entity)

    def events(self, where: str, id_: str) -> list[Event]:
        """The trail of one document, oldest first."""
        start, stop = keys.below("e", id_)
        return [event_from(entity) for entity in self._tables.query(TABLE, where, start=start, stop=stop)]

    def find(self, where: str, texts: Sequence[str]) -> list[str]:
        """Ids of the documents found by any of these numbers (of the document, its order, its vendor) or sys_ids, with as few
        transactions as the partition allows."""
        wanted = sorted({keys.below("i", _index_text(text)) for text in texts})
        found: list[str] = []
        passed = ""
        if len(wanted) > POINT_READS:
            limit = ROWS_PER_ID * len(wanted)
            rows = list(self._tables.query(TABLE, where, start=wanted[0][0], stop=wanted[-1][1], limit=limit))
            ranges = {start for start, _ in wanted}
            found = [keys.split(row.row)[-1] for row in rows if f"{row.row.rpartition('|')[0]}|" in ranges]
            if len(rows) < limit:
                return sorted(set(found))
            passed = rows[-1].row
        for start, stop in wanted:
            if stop > passed:
                rows = list(self._tables.query(TABLE, where, start=start, stop=stop))
                found += [keys.split(entity.row)[-1] for entity in rows]
        return sorted(set(found))

    def name(self, where: str, texts: Mapping[str, str]) -> None:
        """Makes each document, by its id, known under the text as well, from now on."""
        rows = [
            Upsert(keys.join("i", _index_text(text), id_), {"id": id_}) for id_, text in texts.items() if text.strip()
        ]
        for start in range(0, len(rows), MAX_OPERATIONS):
            self._tables.write(TABLE, where, rows[start : start + MAX_OPERATIONS])

    def record(self, where: str, changes: Iterable[Change]) -> Recorded:
        """Writes the changes, each whole or not at all. Those that lose their compare-and-set are reported, not raised."""
        saved: dict[str, State] = {}
        lost: list[str] = []
        for group in self._groups(where, list(changes)):
            self._write(where, group, saved, lost)
        return Recorded(saved, tuple(lost))

    def trim(self, where: str, state: State) -> Literal["trimmed", "lost", "broken"]:
        """Removes the events of the document for good, but for a sealed one that says how many are gone: its tombstone. The
        oldest go first, as many as a transaction holds, and each transaction leaves a whole trail.

        ``lost``: somebody else changed the document first, and goes on with a whole trail. ``broken``: its trail is not whole,
        and stays as it is, for whoever finds out why.
        """
        while state.seq - state.gone > 1:
            trail = self._trails.against(where, state)
            if trail.fault:
                now = self._trails.one(where, state.id)
                return "broken" if now.fault else "lost"
            gone = trail.events[:MOST_TRIMMED]
            after = replace(state, trimmed=state.seq + 1, gone=gone[-1].seq)
            prepared = self._prepared(where, Change(state, after, TRIMMED, tombstone(gone)))
            deletions = [Delete(row.row, row.etag) for row in trail.stored[:MOST_TRIMMED]]
            try:
                etags = self._tables.write(TABLE, where, [*prepared.operations, *deletions])
            except RowConflict:
                return "lost"
            state = replace(prepared.state, etag=etags[0])
        return "trimmed"

    def trails(self, where: str) -> Iterator[CheckedTrail]:
        """What is on record of each document that has events, held against its seals, in one pass."""
        return self._trails.with_events(where)

    def documents(self, where: str) -> Iterator[CheckedTrail]:
        """The same, and then of each other document that has a state or can be found by a text."""
        return self._trails.every(where)

    def trail(self, where: str, id_: str) -> CheckedTrail:
        """What is on record of this document, held against its seals."""
        return self._trails.one(where, id_)

    def intact(self, where: str, id_: str) -> bool:
        """Whether the document's trail is complete, in order and unchanged, up to its state's head."""
        return not self.trail(where, id_).fault

    def _groups(self, where: str, changes: list[Change]) -> Iterator[list[_Prepared]]:
        group: list[_Prepared] = []
        size = 0
        for change in changes:
            prepared = self._prepared(where, change)
            if group and (len(group) == DOCUMENTS_A_TRANSACTION or size + len(prepared.operations) > MAX_OPERATIONS):
                yield group
                group, size = [], 0
            group.append(prepared)
            size += len(prepared.operations)
        if group:
            yield group

    def _prepared(self, where: str, change: Change) -> _Prepared:
        before, after = change.before, change.after
        if before is not None and not legal(before.status, after.status):
            raise ValueError(f"a document cannot go from {before.status} to {after.status}")
        head, seq = (before.head, before.seq) if before else (GENESIS, 0)
        operations: list[Operation] = []
        if change.action:
            event = Event(
                id=after.id,
                seq=seq + 1,
                action=change.action,
                at=self._clock.now(),
                by=self._by,
                status=after.status,
                correlation=after.correlation,
                detail=json.dumps(dict(change.detail), ensure_ascii=False, separators=(",", ":")),
                previous=head,
                key_id=self._key_id,
            )
            event = sealed(self._key, where, event)
            head, seq = event.hash, event.seq
            operations.append(Insert(keys.join("e", after.id, f"{seq:08d}"), event_properties(event)))
        after = replace(after, head=head, seq=seq, seal=end_seal(self._key, where, after.id, seq, head))
        row, properties = keys.join("s", after.id), state_properties(after)
        state = Insert(row, properties) if before is None else Replace(row, properties, before.etag)
        operations.insert(0, state)
        for text in dict.fromkeys(_index_text(text) for text in change.index if text.strip()):
            operations.append(Upsert(keys.join("i", text, after.id), {"id": after.id}))
        return _Prepared(after, tuple(operations))

    def _write(self, where: str, group: list[_Prepared], saved: dict[str, State], lost: list[str]) -> None:
        while group:
            operations = [operation for prepared in group for operation in prepared.operations]
            try:
                etags = self._tables.write(TABLE, where, operations)
            except RowConflict as conflict:
                loser = _owner(group, conflict.index)
                lost.append(group[loser].state.id)
                group = group[:loser] + group[loser + 1 :]
                continue
            position = 0
            for prepared in group:
                saved[prepared.state.id] = replace(prepared.state, etag=etags[position])
                position += len(prepared.operations)
            return


@dataclass(frozen=True, slots=True)
class _Prepared:
    state: State
    operations: tuple[Operation, ...]


def _owner(group: Sequence[_Prepared], index: int) -> int:
    for number, prepared in enumerate(group):
        if index < len(prepared.operations):
            return number
        index -= len(prepared.operations)
    raise ValueError("a conflict outside the transaction")


def _index_text(text: str) -> str:
    return text.strip().upper()
