"""Selection: which parked documents an operator means."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ParkedFacts:
    """What a parked document is chosen by. `since`: when its row was last written, by the storage server's clock."""

    id: str
    number: str
    vendor: str
    codes: frozenset[str]
    company: str
    entity: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen: documents that fit every kind of condition that is given, and one of each kind's values.

    `numbers`: document numbers or ids; `parked_from` inclusively, `parked_until` exclusively.
    """

    numbers: Collection[str] = ()
    codes: Collection[str] = ()
    vendors: Collection[str] = ()
    companies: Collection[str] = ()
    entities: Collection[str] = ()
    parked_from: datetime | None = None
    parked_until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said at all: then every parked document is meant, which must be said in so many words."""
        lists = (self.numbers, self.codes, self.vendors, self.companies, self.entities)
        return not any(lists) and self.parked_from is None and self.parked_until is None

    def covers(self, parked: ParkedFacts) -> bool:
        """Whether the document is meant. Upper and lower case are the same, as in Business Central's codes."""
        return (
            _one_of(self.numbers, parked.number, parked.id)
            and _one_of(self.codes, *parked.codes)
            and _one_of(self.vendors, parked.vendor)
            and _one_of(self.companies, parked.company)
            and _one_of(self.entities, parked.entity)
            and (self.parked_from is None or parked.since >= self.parked_from)
            and (self.parked_until is None or parked.since < self.parked_until)
        )


def _one_of(wanted: Collection[str], *found: str) -> bool:
    return not wanted or bool(
        {text.strip().casefold() for text in wanted} & {text.strip().casefold() for text in found}
    )
