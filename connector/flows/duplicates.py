"""Duplicates: no debt is staged twice because it was entered twice under the vendor's same number.

Whoever comes second sees the other: a document's number goes on record before the ledger is asked who else has it, and of two
that see each other the one with the lower id goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.decisions.duplicates import Twin, Verdict, twin_verdict
from connector.decisions.severity import severity
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.setting_words import Company
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State

NUMBERED = (Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO)
CODE = "VENDOR_INVOICE_TWICE"


def twin_verdicts(
    parts: Parts, company: Company, outcomes: Outcomes, documents: Sequence[Document]
) -> Mapping[str, Verdict]:
    """Of each document of one entity that has a vendor's number, whether it may go; of the others nothing."""
    numbered = [one for one in documents if one.entity in NUMBERED and one.vendor_invoice_number and one.vendor_number]
    if not numbered or severity(CODE, parts.checks) == "off":
        return {}
    where = partition(company.key, numbered[0].entity)
    texts = {one.id: one.vendor_invoice_number for one in numbered}
    parts.ledger.name(where, texts)
    others = set(parts.ledger.find(where, list(texts.values()))) - set(texts)
    twins = [_twin(state) for state in parts.ledger.states(where, sorted(others)).values()]
    own = [_twin(outcomes.state(one.id)) for one in numbered]
    return {one.id: twin_verdict(one, twins + [twin for twin in own if _same(twin, one)]) for one in numbered}


def _same(twin: Twin, document: Document) -> bool:
    return (twin.vendor, twin.vendor_invoice) == (document.vendor_number, document.vendor_invoice_number)


def _twin(state: State) -> Twin:
    return Twin(
        id=state.id,
        number=state.number,
        vendor=state.vendor,
        vendor_invoice=state.vendor_invoice,
        status=state.status,
        bc_status=state.bc_status,
        staged=bool(state.sys_id),
        sent=not state.first,
    )
