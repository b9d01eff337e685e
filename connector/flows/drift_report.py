"""The drift report: where both sides' cost centres differ as they are now, and which documents that are still to come would be
stopped by it. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.decisions.alignment_report import Demands, OpenDocument, Report, report
from connector.decisions.states import OPEN, Status
from connector.flows.align import look
from connector.flows.courtesy import asking_business_central
from connector.flows.parts import Parts
from connector.model.documents import COMMENT, Document, Entity
from connector.model.units import MAX_REFERENCES
from connector.setting_words import Company
from connector.storage.ledger import partition

TO_COME = {*OPEN, Status.WAITING, Status.PARKED}


def drift_report(parts: Parts, company: Company) -> Report | None:
    """The report of one company; None for one that is not aligned. Raises `Outage`."""
    sides = look(parts, company)
    if sides is None:
        return None
    rules = parts.profile.cost_centres
    demands = Demands(
        warehouses=parts.checks.of(company.key).warehouses,
        words=parts.rules(company).translations.cost_centres,
        found_by="account_number" if rules is not None and rules.code == "account_number" else "code",
    )
    mapping = [kept.row for kept in sides.agreed.rows.values()]
    today = parts.clock.now().date()
    return report(sides.centres, sides.values, mapping, sides.rules, today, _to_come(parts, company), demands)


def _to_come(parts: Parts, company: Company) -> Iterator[OpenDocument]:
    """What the documents that are not yet carried name. Receipts name nothing of their own."""
    for place, entity in parts.entities():
        if place.key == company.key and entity is not Entity.RECEIPT:
            states = parts.ledger.all_states(partition(company.key, entity))
            ids = [state.id for state in states if state.status in TO_COME]
            for start in range(0, len(ids), MAX_REFERENCES):
                yield from _named(_read(parts, company, entity, ids[start : start + MAX_REFERENCES]), company)


def _read(parts: Parts, company: Company, entity: Entity, ids: list[str]) -> Iterable[Document]:
    with asking_business_central(parts):
        return parts.reader.documents(company, entity, ids, may_go_on=lambda: True).documents.values()


def _named(documents: Iterable[Document], company: Company) -> Iterator[OpenDocument]:
    dimension = company.cost_centre_dimension
    for document in documents:
        named = {(document.dimension(dimension), "")}
        named |= {(line.dimension(dimension), line.location) for line in document.lines if line.type != COMMENT}
        for cost_centre, warehouse in sorted(named):
            if cost_centre or warehouse:
                yield OpenDocument(document.number, cost_centre, warehouse)
