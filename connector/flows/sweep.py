"""Sweep: all documents that are carried are read and compared with what was read last, by content and not by stamp.

It finds what no stamp tells: edits of a line's dimension, location or description, and documents that are gone. A sweep goes
through the ids in order and remembers how far it came, so that a large company is swept over several runs; when it has come
round, it puts on record when it began, how many documents it compared and how many differed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connector.decisions.content import content_hash
from connector.decisions.states import OPEN, Status
from connector.errors import RowConflict
from connector.flows.messages import queue_full, send_units
from connector.flows.parts import Parts
from connector.flows.rounds import every_entity
from connector.model.documents import Entity
from connector.model.units import MAX_REFERENCES, Origin, Reference
from connector.settings import Company
from connector.storage.cursors import SweepRecord
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State


def sweep_all(parts: Parts) -> None:
    """Sweeps every entity of every company."""

    def turn(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        record = sweep(parts, company, entity, may_go_on)
        if record.changed:
            parts.telemetry.event("swept", company=company.key, entity=entity.value, count=record.changed)

    every_entity(parts, "sweep", turn)


def sweep(parts: Parts, company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> SweepRecord:
    """One run of the sweep; the record as it stands after it. `may_go_on` is asked before each 200 documents. Raises `Outage`
    when BC or storage cannot serve."""
    where = partition(company.key, entity)
    record, etag = parts.cursors.read_sweep(where)
    if not record.position:
        record = replace(record, began=parts.clock.now(), compared=0, changed=0)
    route = parts.profile.routes[entity.value]
    listed = parts.reader.listing(company, entity)
    states = {state.id: state for state in parts.ledger.all_states(where)}
    carried = sorted(id_ for id_, status in listed.items() if status in route.eligible and id_ > record.position)
    for begin in range(0, len(carried), MAX_REFERENCES):
        if not may_go_on() or queue_full(parts):
            return _saved(parts, where, record, etag)
        ids = carried[begin : begin + MAX_REFERENCES]
        changed = _changed(parts, company, entity, ids, states)
        _send(parts, company, entity, changed)
        record = replace(
            record, position=ids[-1], compared=record.compared + len(ids), changed=record.changed + len(changed)
        )
    gone = [_reference(state) for id_, state in states.items() if id_ not in listed and _may_be_gone(state)]
    _send(parts, company, entity, gone)
    record = replace(record, position="", completed=record.began, changed=record.changed + len(gone))
    return _saved(parts, where, record, etag)


def _saved(parts: Parts, where: str, record: SweepRecord, etag: str) -> SweepRecord:
    try:
        parts.cursors.move_sweep(where, record, etag)
    except RowConflict:
        return parts.cursors.read_sweep(where)[0]  # another run swept at the same time; what it compared counts
    return record


def _changed(
    parts: Parts, company: Company, entity: Entity, ids: Sequence[str], states: Mapping[str, State]
) -> list[Reference]:
    reading = parts.reader.documents(company, entity, ids, may_go_on=lambda: True)
    changed = []
    for id_, document in reading.documents.items():
        state = states.get(id_)
        if state is None:
            continue  # the poll has it: it is newer than the cursor
        if state.status not in OPEN and state.content_hash != content_hash(document):
            changed.append(Reference(id_, document.modified, state.generation))
    return changed


def _may_be_gone(state: State) -> bool:
    return state.status in (Status.DONE, Status.WAITING, Status.PARKED)


def _reference(state: State) -> Reference:
    return Reference(state.id, state.seen, state.generation)


def _send(parts: Parts, company: Company, entity: Entity, references: Sequence[Reference]) -> None:
    send_units(parts, company, entity, Origin.SWEEP, parts.randomness.token(), references)
