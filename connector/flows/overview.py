"""Overview: where everything stands, and the trail of one document. Reads only."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from connector.decisions.states import Status
from connector.flows.alignment_record import alignment_partition
from connector.flows.parts import Parts
from connector.flows.record_places import record_places
from connector.flows.unreadable import count_unreadable
from connector.flows.watch import Watched, watched_feeds
from connector.model.documents import Entity
from connector.setting_words import Company
from connector.storage.cursors import POLLS
from connector.storage.ledger import partition
from connector.storage.ledger_events import Event
from connector.storage.ledger_rows import State


@dataclass(frozen=True, slots=True)
class EntityOverview:
    """One entity of one company: documents by state and by outcome, how far detection has come, and how far their records have
    in ServiceNow (`there`: by the state's name there)."""

    company: Company
    entity: Entity
    counts: Counter[Status]
    outcomes: Counter[str]
    causes: Counter[str]
    watermark: datetime | None
    there: Counter[str] = field(default_factory=Counter)

    @property
    def seen(self) -> int:
        """All documents ever seen: each is in exactly one state."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class AlignmentOverview:
    """How a company's cost centres are aligned. `pairs`: how many are agreed; `checked`: when a run last found both sides the
    same (None: never); `refused`: how many cost centres a system would not have as they should be."""

    company: Company
    pairs: int
    checked: datetime | None
    refused: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All entities, all feeds, the depth of the queues, and how many messages could not be read and wait for somebody."""

    entities: tuple[EntityOverview, ...]
    feeds: tuple[Watched, ...]
    alignments: tuple[AlignmentOverview, ...]
    waiting_units: int
    poison_messages: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Trail:
    """One document: its state, its events oldest first, and whether the chain of events is whole."""

    company: Company
    kind: str
    state: State
    events: tuple[Event, ...]
    intact: bool


def overview(parts: Parts) -> Overview:
    """Where everything stands now."""
    return Overview(
        entities=tuple(_entity(parts, company, entity) for company, entity in parts.entities()),
        feeds=tuple(watched_feeds(parts)),
        alignments=tuple(_alignment(parts, one) for one in parts.settings.companies if one.key in parts.alignment),
        waiting_units=parts.queues.count(parts.settings.documents_queue),
        poison_messages=parts.queues.count(parts.settings.poison_queue),
        unreadable=count_unreadable(parts),
    )


def _alignment(parts: Parts, company: Company) -> AlignmentOverview:
    agreed = parts.mappings.all(company.key, company.cost_centre_dimension)
    refused = sum(1 for _ in parts.ledger.all_states(alignment_partition(company), Status.PARKED))
    return AlignmentOverview(company, len(agreed.rows), agreed.checked_at, refused)


def _entity(parts: Parts, company: Company, entity: Entity) -> EntityOverview:
    where = partition(company.key, entity)
    counts: Counter[Status] = Counter()
    outcomes: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for state in parts.ledger.all_states(where):
        counts[state.status] += 1
        outcomes[state.outcome or state.status.value] += 1
        if state.there:
            there[state.there_label or state.there] += 1
        if state.status is Status.PARKED:
            causes.update({reason["code"] for reason in json.loads(state.reasons)})
    record, _ = parts.cursors.read(POLLS, where)
    return EntityOverview(company, entity, counts, outcomes, causes, record.cursor.watermark, there)


def trails(parts: Parts, text: str) -> list[Trail]:
    """What is found by a number (a document's, its order's, its vendor's), a cost centre's code, an id or a sys_id."""
    found = []
    for place in record_places(parts):
        ids = {*parts.ledger.find(place.where, [text]), *parts.ledger.states(place.where, [text.strip().lower()])}
        for one in (parts.ledger.trail(place.where, id_) for id_ in sorted(ids)):
            if one.state is not None:
                found.append(Trail(place.company, place.kind, one.state, tuple(one.events), not one.fault))
    return found
