"""The ledger's trails: how events are sealed, what makes a trail whole, and the tombstone that stands for trimmed events.

Every event is sealed together with the one before it. A trail begins with event 1, or, once it was trimmed, with the event
after those that its newest tombstone counts as gone; from there on each event follows the one before, up to the one that the
document's state speaks of, under a seal of its own. A tombstone is an event like the others: nobody makes or moves one
without the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

from connector.decisions.chain import GENESIS, end_seal, event_hash
from connector.model.stamps import stamp_text
from connector.storage import keys
from connector.storage.ledger_events import Event, event_from, event_properties
from connector.storage.ledger_rows import State, state_from
from connector.storage.ports import Entity, TableStore

TRIMMED = "trimmed"
"""The action of a tombstone."""
TOGETHER = 100
"""Documents whose states are read in one go while all trails are read."""
READINGS = 3
"""How often a trail is read that somebody adds to at the same moment."""
_UNREADABLE = (KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class CheckedTrail:
    """What is on record of one document. `stored`: its events' rows, oldest first; `events`: those of them that can be read;
    `fault`: what is wrong with the trail ("": it is whole)."""

    id: str
    state: State | None
    events: Sequence[Event]
    stored: Sequence[Entity]
    fault: str


def sealed(key: bytes, where: str, event: Event) -> Event:
    """The event with its seal: its hash covers its place, its content as it is stored, and the hash of the one before it."""
    content = {name: _plain(value) for name, value in event_properties(event).items() if name != "hash"}
    return replace(event, hash=event_hash(key, event.previous, {"partition": where} | content))


def fault(key: bytes, where: str, id_: str, state: State | None, events: Sequence[Event]) -> str:
    """What is wrong with the trail of this document; "" when it is whole."""
    tomb = next((event for event in reversed(events) if event.action == TRIMMED), None)
    if tomb is not None and tomb.hash != sealed(key, where, tomb).hash:
        return f"event {tomb.seq} is not as it was written"
    gone = gone_before(tomb) if tomb else 0
    # The hash of an event that is gone is held by the seal of the one that followed it.
    head, seq = events[0].previous if gone else GENESIS, gone
    for event in events:
        if event.seq != seq + 1:
            return f"event {seq + 1} is missing, event {event.seq} is there instead"
        if event.id != id_ or event.previous != head or event.hash != sealed(key, where, event).hash:
            return f"event {event.seq} is not as it was written"
        head, seq = event.hash, event.seq
    if state is None:
        return "its events are there, and its state is not"
    if (state.head, state.seq) != (head, seq):
        return f"its state speaks of {state.seq} events with another end, and {seq} are there"
    if state.seal != end_seal(key, where, id_, seq, head):
        return "its state was written by somebody else"
    if (state.trimmed, state.gone) != (tomb.seq if tomb else 0, gone):
        return f"its state speaks of {state.gone} trimmed events, and {gone} are"
    return ""


def tombstone(oldest: Sequence[Event]) -> dict[str, object]:
    """What a tombstone says of the oldest events of a trail, which it stands for: how many are gone with them in all, and the
    stamps of the first and the last. An earlier tombstone among them hands on what it says itself."""
    from_ = next((json.loads(event.detail)["from"] for event in oldest if event.action == TRIMMED), "")
    return {
        "events": oldest[-1].seq,
        "from": from_ or stamp_text(oldest[0].at),
        "until": stamp_text(oldest[-1].at),
    }


def gone_before(tomb: Event) -> int:
    """How many events, counted from the first, a tombstone says are gone. Its seal must have been looked at before."""
    return int(json.loads(tomb.detail)["events"])


class Trails:
    """Reads whole trails and holds them against their seals, also while others go on writing."""

    def __init__(self, tables: TableStore, table: str, key: bytes) -> None:
        self._tables = tables
        self._table = table
        self._key = key

    def against(self, where: str, state: State) -> CheckedTrail:
        """The document's events, held against its state as the caller knows it."""
        return self._checked(where, state.id, state, self._rows(where, state.id))

    def one(self, where: str, id_: str) -> CheckedTrail:
        """What is on record of this document: state and events of the same moment, as far as that can be had."""
        row, stored = self._state_row(where, id_), self._rows(where, id_)
        for _ in range(READINGS - 1):
            now = self._state_row(where, id_)
            if (now and now.etag) == (row and row.etag):
                break
            row, stored = now, self._rows(where, id_)
        return self._found(where, id_, row, stored)

    def with_events(self, where: str) -> Iterator[CheckedTrail]:
        """Every document that has events, in one pass over them."""
        start, stop = keys.below("e")
        rows = self._tables.query(self._table, where, start=start, stop=stop)
        # By its key, which cannot be changed: what stands in a row may have been.
        trails = ((id_, list(group)) for id_, group in groupby(rows, key=lambda row: keys.split(row.row)[1]))
        while together := dict(islice(trails, TOGETHER)):
            states = self._state_rows(where, together)
            for id_, events in together.items():
                checked = self._found(where, id_, states.get(id_), events)
                # Its state was read later than its events: what looks broken may only have gone on.
                yield self.one(where, id_) if checked.fault else checked

    def every(self, where: str) -> Iterator[CheckedTrail]:
        """Every document that has events, then each other one that has a state, then those that a text alone still finds."""
        known: set[str] = set()
        for trail in self.with_events(where):
            known.add(trail.id)
            yield trail
        for kind in ("s", "i"):
            start, stop = keys.below(kind)
            for row in self._tables.query(self._table, where, start=start, stop=stop):
                id_ = keys.split(row.row)[-1]
                if id_ not in known:
                    known.add(id_)
                    yield self.one(where, id_)

    def _found(self, where: str, id_: str, row: Entity | None, stored: Sequence[Entity]) -> CheckedTrail:
        try:
            state = None if row is None else state_from(row)
        except _UNREADABLE:
            return CheckedTrail(id_, None, list(_readable(stored)), stored, "its state cannot be read")
        return self._checked(where, id_, state, stored)

    def _checked(self, where: str, id_: str, state: State | None, stored: Sequence[Entity]) -> CheckedTrail:
        events = list(_readable(stored))
        if len(events) < len(stored):
            wrong = "an event cannot be read"
        elif state is None and not stored:
            wrong = "it can be found by its number, and has neither state nor events"
        elif state is not None and state.id != id_:
            wrong = "its state names another document"
        else:
            wrong = fault(self._key, where, id_, state, events)
        return CheckedTrail(id_, state, events, stored, wrong)

    def _rows(self, where: str, id_: str) -> list[Entity]:
        start, stop = keys.below("e", id_)
        return list(self._tables.query(self._table, where, start=start, stop=stop))

    def _state_row(self, where: str, id_: str) -> Entity | None:
        return self._tables.read(self._table, where, keys.join("s", id_))

    def _state_rows(self, where: str, ids: Iterable[str]) -> dict[str, Entity]:
        rows = sorted(keys.join("s", id_) for id_ in ids)
        last = keys.below("s", keys.split(rows[-1])[1])[1]
        return {keys.split(row.row)[1]: row for row in self._tables.query(self._table, where, start=rows[0], stop=last)}


def _readable(rows: Iterable[Entity]) -> Iterator[Event]:
    for row in rows:
        try:
            yield event_from(row)
        except _UNREADABLE:
            continue


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)
