"""Conservation: every document ever seen is in exactly one state. Counted from the stored rows of the ledger and from Business
Central's own list of all documents that it ever had, not through the connector's readers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from connector.decisions.states import Status
from connector.model.documents import Entity
from connector.storage.ledger import TABLE, partition
from tests.sandbox.landscape import KEYS

if TYPE_CHECKING:
    from tests.simulation.world import World


def astray(world: World) -> list[str]:
    """What breaks the law when all is at rest: documents that the ledger lost, never saw, holds twice or made up."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    statuses: Counter[str] = Counter()
    told: dict[str, set[str]] = defaultdict(set)
    for row in world.tables.rows(TABLE) if TABLE in world.tables.tables() else ():
        kind, id_ = row.row.split("|")[0], str(row.properties["id"])
        if kind == "s":
            states[row.partition][id_] += 1
            statuses[str(row.properties["status"])] += 1
        elif kind == "e":
            told[row.partition].add(id_)
    bc = world.landscape.business_central
    report = []
    for company in world.landscape.data:
        for entity in Entity:
            where = partition(KEYS[company.name][0], entity)
            here, ever = states[where], bc.documents_ever(company.name, entity.value)
            report += [f"{where}: {id_} has events and no state" for id_ in sorted(told[where] - here.keys())]
            report += [f"{where}: {id_} has {count} states" for id_, count in here.items() if count > 1]
            report += [f"{where}: {id_} never existed" for id_ in sorted(here.keys() - ever)]
            there = set(bc.document_ids(company.name, entity.value))
            report += [f"{where}: {id_} was never seen" for id_ in sorted(there - here.keys())]
    seen = sum(len(here) for here in states.values())
    if seen != sum(statuses[status] for status in Status):
        report.append(f"{seen} documents were seen, and these are in a state: {dict(statuses)}")
    return report
