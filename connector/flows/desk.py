"""Desk: what an operator does with parked documents: look at them, replay them, discard them.

A replay puts the document back as pending, with who asked for it and why, and then sends a message; should that message never
be sent, the rescue finds the document. It is read from BC anew, mapped and validated anew, and goes under the same key, so
however often it is replayed there is one record. A discarded document goes into the next generation: messages that still speak
of it, those somebody puts back by hand included, are void.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from connector.decisions.selection import ParkedFacts, Selection
from connector.decisions.states import Status
from connector.flows.messages import delete_note, send_units
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.units import Origin, Reference
from connector.setting_words import Company
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked document. `reasons`: each with code, message, remedy and where; `age`: how long it has been so."""

    company: Company
    entity: Entity
    state: State
    reasons: tuple[Mapping[str, Any], ...]

    @property
    def age(self) -> timedelta:
        """By the storage server's clock alone."""
        return self.state.age


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and why. Both go into the trail of each document concerned."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """What an act came to: the documents it was done to, and the numbers of those that somebody else changed first."""

    count: int
    lost: tuple[str, ...]


def parked_documents(parts: Parts, selection: Selection) -> list[Parked]:
    """The parked documents that are meant, the oldest first."""
    every = (one for company, entity in parts.entities() for one in parked_in(parts, company, entity))
    return sorted((one for one in every if selection.covers(_facts(one))), key=lambda one: one.state.modified)


def parked_in(parts: Parts, company: Company, entity: Entity) -> list[Parked]:
    """The parked documents of one entity of one company."""
    states = parts.ledger.all_states(partition(company.key, entity), Status.PARKED)
    return [Parked(company, entity, state, tuple(json.loads(state.reasons or "[]"))) for state in states]


def codes_of(one: Parked) -> frozenset[str]:
    """Why it is parked, by code."""
    return frozenset(reason["code"] for reason in one.reasons)


def _facts(one: Parked) -> ParkedFacts:
    state = one.state
    return ParkedFacts(
        state.id, state.number, state.vendor, codes_of(one), one.company.key, one.entity.value, state.modified
    )


def replay(parts: Parts, documents: Iterable[Parked], act: Act, origin: Origin = Origin.REPLAY) -> Done:
    """Sends the documents again. Raises `StorageUnavailable`; what was done until then stays done. `origin`: another one where
    nobody has decided that they should go, whatever stands in the way in ServiceNow."""
    count, lost = 0, []
    for (company, entity), group in _by_place(documents).items():
        correlation = parts.randomness.token()
        steps = [
            Change(
                one.state,
                replace(
                    one.state,
                    status=Status.PENDING,
                    attempt=0,
                    rescues=0,
                    releases=0 if origin is Origin.REPLAY else one.state.releases + 1,
                    due=None,
                    correlation=correlation,
                ),
                "replayed",
                {"who": act.who, "why": act.why, "was": sorted(codes_of(one))},
            )
            for one in group
        ]
        recorded = parts.ledger.record(partition(company.key, entity), steps)
        references = [Reference(state.id, state.seen, state.generation) for state in recorded.saved.values()]
        send_units(parts, company, entity, origin, correlation, references)
        count += len(references)
        lost += _numbers(group, recorded.lost)
    return Done(count, tuple(lost))


def discard(parts: Parts, documents: Iterable[Parked], act: Act) -> Done:
    """Gives the documents up as they are. What changes in BC later is looked at again. Raises `StorageUnavailable`."""
    count, lost = 0, []
    for (company, entity), group in _by_place(documents).items():
        steps = [
            Change(
                one.state,
                replace(
                    one.state,
                    status=Status.DISCARDED,
                    outcome="discarded",
                    generation=one.state.generation + 1,
                ),
                "discarded",
                {"who": act.who, "why": act.why},
            )
            for one in group
        ]
        recorded = parts.ledger.record(partition(company.key, entity), steps)
        for one in group:
            if one.state.id in recorded.saved:
                delete_note(parts, one.state)
        count += len(recorded.saved)
        lost += _numbers(group, recorded.lost)
    return Done(count, tuple(lost))


def _by_place(documents: Iterable[Parked]) -> Mapping[tuple[Company, Entity], list[Parked]]:
    groups: dict[tuple[Company, Entity], list[Parked]] = defaultdict(list)
    for one in documents:
        groups[one.company, one.entity].append(one)
    return groups


def _numbers(group: Sequence[Parked], ids: Iterable[str]) -> list[str]:
    numbers = {one.state.id: one.state.number or one.state.id for one in group}
    return [numbers[id_] for id_ in ids]
