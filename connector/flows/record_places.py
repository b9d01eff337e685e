"""Where the ledger keeps its trails: a partition for each company and kind of thing."""

from __future__ import annotations

from dataclasses import dataclass

from connector.flows.alignment_record import alignment_partition
from connector.flows.parts import Parts
from connector.setting_words import Company
from connector.storage.ledger import partition

COST_CENTRES = "costCentres"
"""How the kind of what alignment has on record is called; the others are entities."""


@dataclass(frozen=True, slots=True)
class Place:
    """A partition of the ledger, and what is in it. `kind`: an entity, or `COST_CENTRES`."""

    company: Company
    kind: str
    where: str


def record_places(parts: Parts) -> list[Place]:
    """Every partition that holds trails of a company."""
    places = [Place(company, entity.value, partition(company.key, entity)) for company, entity in parts.entities()]
    aligned = [company for company in parts.settings.companies if company.key in parts.alignment]
    return places + [Place(company, COST_CENTRES, alignment_partition(company)) for company in aligned]
