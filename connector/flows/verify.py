"""Verify: whether every document's trail is whole, and whether every document ever seen is in exactly one state. Reads only.

Who may write the table but does not hold the key cannot change, remove, add or reorder an event without its being found here,
nor cut off the end of a trail. Where a state vanished together with all its events, the texts it was found by still tell.
Only who kept an older copy of the rows can put a document back to it as a whole: the seals in the daily digest show that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.decisions.states import Status
from connector.flows.parts import Parts
from connector.flows.record_places import record_places
from connector.flows.unreadable import PARTITION as UNREADABLE
from connector.setting_words import Company


@dataclass(frozen=True, slots=True)
class BrokenTrail:
    """A document or cost centre whose trail is not whole, and how."""

    company: Company
    kind: str
    id: str
    fault: str


@dataclass(frozen=True, slots=True)
class Conservation:
    """One kind of thing of one company. `seen`: the distinct documents that have a state, an event or a text to be found by;
    `counts`: the documents in each state."""

    company: Company
    kind: str
    seen: int
    counts: Counter[Status]

    @property
    def holds(self) -> bool:
        """Whether every document ever seen is in exactly one state."""
        return self.seen == sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, what is broken, and how many documents stand where. `unreadable`: the unreadable messages whose
    trails are not whole, and how."""

    documents: int
    events: int
    broken: Sequence[BrokenTrail]
    places: Sequence[Conservation]
    unreadable: Mapping[str, str]

    @property
    def sound(self) -> bool:
        """Whether nothing is broken, and no document is in no state."""
        return not self.broken and not self.unreadable and all(place.holds for place in self.places)


def verify(parts: Parts) -> Verified:
    """Every trail of every company, and of every unreadable message."""
    documents = events = 0
    broken: list[BrokenTrail] = []
    places: list[Conservation] = []
    for place in record_places(parts):
        counts: Counter[Status] = Counter()
        seen = 0
        for one in parts.ledger.documents(place.where):
            seen += 1
            events += len(one.stored)
            if one.state is not None:
                counts[one.state.status] += 1
            if one.fault:
                broken.append(BrokenTrail(place.company, place.kind, one.id, one.fault))
        documents += seen
        places.append(Conservation(place.company, place.kind, seen, counts))
    unreadable = {one.id: one.fault for one in parts.ledger.documents(UNREADABLE) if one.fault}
    return Verified(documents, events, broken, places, unreadable)
