"""Verify: whether every document's trail is whole, and whether every document ever seen is in exactly one state. Reads only.

Who may write the table but does not hold the key cannot change, remove, add or reorder an event without its being found here.
Where a state vanished together with all its events, the texts it was found by still tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.settings import Company
from connector.storage.ledger import partition


@dataclass(frozen=True, slots=True)
class BrokenTrail:
    """A document whose trail is not whole, and how."""

    company: Company
    entity: Entity
    id: str
    fault: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is broken."""

    documents: int
    events: int
    broken: Sequence[BrokenTrail]


def verify(parts: Parts) -> Verified:
    """Every trail of every company and entity."""
    documents = events = 0
    broken = []
    for company, entity in parts.entities():
        where = partition(company.key, entity)
        for id_, count, fault in parts.ledger.trails(where):
            documents += 1
            events += count
            if fault:
                broken.append(BrokenTrail(company, entity, id_, fault))
        broken += [
            BrokenTrail(company, entity, id_, "it can be found by its number, and has neither state nor events")
            for id_ in parts.ledger.lost(where)
        ]
    return Verified(documents, events, broken)
