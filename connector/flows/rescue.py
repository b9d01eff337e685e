"""Rescue: documents whose work is due but does not move are sent again. So a message that vanished, or a worker that died, is
found by the ledger and not by luck. The third rescue parks the document: whatever kills its workers, a person must look."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from connector.decisions.states import Status
from connector.errors import Reason
from connector.flows.liability import release_invoices
from connector.flows.links import recover
from connector.flows.messages import (
    delete_note,
    pointing,
    record_pointers,
    send_note,
    send_units,
    waiting_messages,
)
from connector.flows.parts import Parts
from connector.flows.release import release
from connector.flows.rounds import everywhere
from connector.model.documents import Entity
from connector.model.units import Origin, Reference
from connector.setting_words import Company
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

MAX_RESCUES = 3
BACKLOG = 8
"""From so many messages on, a message may be waiting its turn: the host takes this many at a time."""
LONGEST_WAIT = timedelta(hours=6)
"""No message is ever delayed longer."""

_WORKER_DIED = Reason(
    "WORKER_DIED",
    "Three times this document was taken up and nothing more was heard of it.",
    "Look for crashes of the function app at these times, then replay.",
)


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did."""

    sent: int
    parked: int
    notes: int


def rescue(parts: Parts, company: Company, entity: Entity) -> Rescued:
    """Sends what stands still, parks what stood still three times, and puts the poison queue right."""
    where = partition(company.key, entity)
    backlog = waiting_messages(parts) >= BACKLOG
    patience = timedelta(seconds=parts.settings.rescue_after_seconds)
    still = [state for state in parts.ledger.open_states(where) if _stands_still(state, patience, backlog=backlog)]
    hopeless = [state for state in still if _rescues(state, backlog=backlog) >= MAX_RESCUES]
    others = [state for state in still if _rescues(state, backlog=backlog) < MAX_RESCUES]
    correlation = parts.randomness.token()
    references = [Reference(state.id, state.seen, state.generation) for state in others]
    # Message first: a crash before the row is written repeats a harmless message instead of counting a rescue that never was.
    send_units(parts, company, entity, Origin.RESCUE, correlation, references)
    steps = [
        Change(
            state,
            replace(
                state,
                status=Status.PENDING,
                claim="",
                due=None,
                rescues=_rescues(state, backlog=backlog),
                correlation=correlation,
            ),
            "rescued",
            {"was": state.status.value, "rescues": _rescues(state, backlog=backlog)},
        )
        for state in others
    ]
    steps += [Change(state, _parked(state), "parked", {"reasons": [asdict(_WORKER_DIED)]}) for state in hopeless]
    recorded = parts.ledger.record(where, steps)
    parked = [state for state in hopeless if state.id in recorded.saved]
    for state in parked:
        delete_note(parts, state)
    notes = _complete_notes(parts, company, entity)
    _take_back_notes(parts, company, entity)
    if references or parked or notes:
        parts.telemetry.warning(
            "rescued",
            company=company.key,
            entity=entity.value,
            count=len(references),
            parked=len(parked),
            correlation=correlation,
        )
    return Rescued(len(references), len(parked), notes)


def rescue_all(parts: Parts) -> None:
    """Rescues in every entity of every company."""

    def turn(company: Company, entity: Entity, _may_go_on: Callable[[], bool]) -> None:
        rescue(parts, company, entity)
        release(parts, company, entity)
        if entity is Entity.PURCHASE_ORDER:
            recover(parts, company)
            release_invoices(parts, company)

    everywhere(parts, "rescue", parts.entities(), turn)


def _stands_still(state: State, patience: timedelta, *, backlog: bool) -> bool:
    """Whether nothing was heard of the document for too long. One that no worker has may just be waiting in a long queue."""
    if backlog and state.status is Status.PENDING:
        patience += LONGEST_WAIT
    due = state.due or state.modified
    return state.age >= patience and state.read_at - due >= patience


def _rescues(state: State, *, backlog: bool) -> int:
    """How often it was rescued, with this time. A long queue is nobody's death, so it does not count."""
    return state.rescues if backlog and state.status is Status.PENDING else state.rescues + 1


def _parked(state: State) -> State:
    return replace(
        state,
        status=Status.PARKED,
        outcome="parked",
        claim="",
        due=None,
        rescues=0,
        settled=state.seen,
        generation=state.generation + 1,
        reasons=json.dumps([asdict(_WORKER_DIED)]),
        poison_id="",
        poison_receipt="",
    )


def _complete_notes(parts: Parts, company: Company, entity: Entity) -> int:
    """A crash between the ledger row and the poison message leaves a parked document without one: send it now. It may also have
    left one that nobody heard of, so the new one is of the next generation, which makes that one void."""
    pointers = []
    try:
        for state in parts.ledger.all_states(partition(company.key, entity), Status.PARKED):
            if not state.poison_id:
                renewed = replace(state, generation=state.generation + 1)
                sent = send_note(parts, company, entity, renewed)
                pointers.append(Change(state, pointing(renewed, sent)))
    finally:
        saved = record_pointers(parts, company, entity, pointers)
    return len(saved)


def _take_back_notes(parts: Parts, company: Company, entity: Entity) -> None:
    """The same crash leaves a document that went on with the message of its parking: take it back now."""
    pointers = []
    try:
        for state in parts.ledger.with_note_left(partition(company.key, entity)):
            delete_note(parts, state)
            pointers.append(Change(state, pointing(state, None)))
    finally:
        record_pointers(parts, company, entity, pointers)
