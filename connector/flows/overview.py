"""Overview: where everything stands, and the trail of one document. Reads only."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from connector.decisions.states import Status
from connector.flows.parts import Parts
from connector.flows.unreadable import count_unreadable
from connector.flows.watch import Watched, watched_feeds
from connector.model.documents import Entity
from connector.settings import Company
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
class Overview:
    """All entities, all feeds, the depth of the queues, and how many messages could not be read and wait for somebody."""

    entities: tuple[EntityOverview, ...]
    feeds: tuple[Watched, ...]
    waiting_units: int
    poison_messages: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Trail:
    """One document: its state, its events oldest first, and whether the chain of events is whole."""

    company: Company
    entity: Entity
    state: State
    events: tuple[Event, ...]
    intact: bool


def overview(parts: Parts) -> Overview:
    """Where everything stands now."""
    return Overview(
        entities=tuple(_entity(parts, company, entity) for company, entity in parts.entities()),
        feeds=tuple(watched_feeds(parts)),
        waiting_units=parts.queues.count(parts.settings.documents_queue),
        poison_messages=parts.queues.count(parts.settings.poison_queue),
        unreadable=count_unreadable(parts),
    )


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
    """The documents found by a number (their own, their order's, their vendor's), an id or a ServiceNow sys_id."""
    found = []
    for company, entity in parts.entities():
        where = partition(company.key, entity)
        ids = {*parts.ledger.find(where, [text]), *parts.ledger.states(where, [text.strip().lower()])}
        for one in (parts.ledger.trail(where, id_) for id_ in sorted(ids)):
            if one.state is not None:
                found.append(Trail(company, entity, one.state, tuple(one.events), not one.fault))
    return found
