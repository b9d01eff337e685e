"""Retention: documents that have been finished for long enough lose their events, all but a sealed one that says how many.

What stays is where the document stands, what it can be found by, and the tombstone: so it never looks new again, and when it
changes after all, its trail goes on from there. A document that stands at its tombstone already costs nothing but the reading
of its state; the events of a document are read only when they go.

Order: the oldest events go first, in the same transaction as the tombstone that counts them. A run that is cut short leaves a
whole trail with its newest tombstone at the end, and the next run goes on there whatever the age of the row, which that
tombstone has made young. A run does what it has time for; the next one finds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from connector.decisions.states import FINISHED
from connector.flows.parts import Parts
from connector.flows.rounds import everywhere
from connector.model.documents import Entity
from connector.setting_words import Company
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State


def retain(parts: Parts) -> None:
    """Trims what is due in every entity of every company; nothing where everything is kept."""
    if not parts.settings.retention_days:
        return
    limit = timedelta(days=parts.settings.retention_days)

    def turn(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        _retain(parts, company, entity, limit, may_go_on)

    everywhere(parts, "retain", parts.entities(), turn)


def _retain(parts: Parts, company: Company, entity: Entity, limit: timedelta, may_go_on: Callable[[], bool]) -> None:
    where = partition(company.key, entity)
    came_to: Counter[str] = Counter()
    try:
        for state in parts.ledger.all_states(where):
            if not may_go_on():
                break
            if _due(state, limit):
                came_to[parts.ledger.trim(where, state)] += 1
    finally:
        if count := came_to["trimmed"]:
            parts.telemetry.event("trimmed", company=company.key, entity=entity.value, count=count)
        if count := came_to["broken"]:
            parts.telemetry.warning("trail_broken", company=company.key, entity=entity.value, count=count)


def _due(state: State, limit: timedelta) -> bool:
    """Whether the document has events to lose, and is finished for longer than the limit or was being trimmed last."""
    stored = state.seq - state.gone
    return state.status in FINISHED and stored > 1 and (state.age > limit or state.trimmed == state.seq)
