"""Preparing: from the documents of a unit that are to be carried to the rows that must be sent.

Mapped first, then held against master data: what cannot be carried as it is gets its outcome here, with every fault, and so
does what ServiceNow has already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.decisions.mapping import MappedDocument, Rules, map_document
from connector.decisions.receipts import by_order_lines
from connector.decisions.severity import weighed
from connector.decisions.states import OPEN
from connector.decisions.versions import emptying, with_removals
from connector.decisions.warehouses import with_warehouse_cost_centres
from connector.errors import DocumentFault, Outage, Reason
from connector.flows.duplicates import twin_verdicts
from connector.flows.liability import UNDER_WAY, settle_liability
from connector.flows.links import announce, staged_orders
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.flows.references import reference_reasons
from connector.model.documents import Document, Entity
from connector.setting_words import Company
from connector.storage.ledger import partition


def prepare(
    parts: Parts,
    company: Company,
    outcomes: Outcomes,
    documents: Sequence[Document],
    unforeseen: Callable[[Sequence[str], Exception], None],
) -> list[MappedDocument]:
    """The rows of those documents of one entity that ServiceNow does not have in this version. `unforeseen` takes the
    documents, by id, that met a fault which nobody foresaw. Raises `Outage`."""
    documents = settle_liability(parts, company, outcomes, documents)
    if not documents:
        return []
    rules = parts.rules(company)
    documents = [with_warehouse_cost_centres(document, rules) for document in documents]
    if documents[0].entity is Entity.CREDIT_MEMO:
        documents = _with_original(parts, company, outcomes, documents)
    if documents and documents[0].entity is Entity.RECEIPT:
        documents = _with_order(parts, company, outcomes, documents)
    drafts = _drafts(parts, rules, outcomes, documents, unforeseen)
    return _sound(parts, company, outcomes, drafts)


@dataclass(slots=True)
class _Draft:
    """A document on its way to its rows: `mapped`, or the `faults` for which it has none."""

    document: Document
    mapped: MappedDocument | None = None
    faults: list[Reason] = field(default_factory=list)


def _drafts(
    parts: Parts,
    rules: Rules,
    outcomes: Outcomes,
    documents: Sequence[Document],
    unforeseen: Callable[[Sequence[str], Exception], None],
) -> list[_Draft]:
    """The documents that ServiceNow does not have in this version, each with its rows or its own faults."""
    names, shared = _suppliers(parts, rules, documents)
    drafts = []
    for document in documents:
        draft = _Draft(document)
        try:
            mapped = map_document(document, rules, names, shared)
            state = outcomes.state(document.id)
            if state.payload_hash == mapped.payload_hash or not mapped.rows:
                outcomes.unchanged(document.id)
                continue
            if not state.first:
                mapped = emptying(mapped, parts.profile.clear_with)
                mapped = with_removals(mapped, document, rules, state.lines, state.taxes)
                mapped = replace(mapped, earlier=state.lines)
            draft.mapped = mapped
        except DocumentFault as fault:
            draft.faults += fault.reasons
        except Exception as error:  # noqa: BLE001 - one document's unforeseen fault must not hold up the others
            unforeseen([document.id], error)
            continue
        drafts.append(draft)
    return drafts


def _sound(parts: Parts, company: Company, outcomes: Outcomes, drafts: Sequence[_Draft]) -> list[MappedDocument]:
    """The rows of those documents whose references hold as well; the others get their outcome, with every fault of both kinds.

    After the mapping, because what ServiceNow has already in this version is not held against anything any more.
    """
    documents = [draft.document for draft in drafts]
    references = reference_reasons(parts, company, documents)
    twins = twin_verdicts(parts, company, outcomes, documents)
    sound = []
    for draft in drafts:
        id_ = draft.document.id
        twin = twins.get(id_, "free")
        parking, noted = weighed(
            [*references.get(id_, ()), *([twin] if isinstance(twin, Reason) else [])], parts.checks
        )
        parking = draft.faults + parking
        if parking or draft.mapped is None:
            outcomes.parked(id_, parking)
        elif twin == "busy":
            outcomes.rescheduled([id_], Outage("The connector", "is working on its twin", retry_after=UNDER_WAY))
        else:
            sound.append(replace(draft.mapped, noted=(*draft.mapped.noted, *noted)))
    return sound


def _suppliers(
    parts: Parts, rules: Rules, documents: Sequence[Document]
) -> tuple[Mapping[str, Sequence[str]], frozenset[str]]:
    """Per vendor number the names that ServiceNow knows, and which of these several suppliers carry."""
    if not documents or documents[0].entity is Entity.RECEIPT:
        return {}, frozenset()
    vendors = (document.vendor_number for document in documents if document.vendor_number)
    names = parts.suppliers.names(rules.company.erp_source, vendors)
    if not rules.route(documents[0]).names_supplier:
        return names, frozenset()
    return names, parts.suppliers.shared(found[0] for found in names.values() if len(found) == 1)


def _with_order(parts: Parts, company: Company, outcomes: Outcomes, receipts: Sequence[Document]) -> list[Document]:
    """The receipts, by the lines of their orders. Those whose order ServiceNow does not have are held, those of which it does
    not have a line are parked."""
    ordered = _order_lines(parts, company, receipts)
    found = []
    for receipt in receipts:
        if receipt.order_number not in ordered:
            outcomes.held(receipt.id, f"the order {receipt.order_number} is not in ServiceNow")
            continue
        try:
            found.append(by_order_lines(receipt, ordered[receipt.order_number]))
        except DocumentFault as fault:
            outcomes.parked(receipt.id, fault.reasons)
    return found


def _order_lines(parts: Parts, company: Company, receipts: Sequence[Document]) -> dict[str, set[int]]:
    """The numbers of the lines that ServiceNow has of the receipts' orders, by order number; no entry for an order that it
    does not have."""
    # The awaits first: an order that is staged right after this look finds them.
    announce(parts, company, receipts)
    found: dict[str, set[int]] = {}
    for state in staged_orders(parts, company, {receipt.order_number for receipt in receipts}):
        found.setdefault(state.number, set()).update(state.lines)
    return found


def _with_original(parts: Parts, company: Company, outcomes: Outcomes, memos: Sequence[Document]) -> list[Document]:
    """The credit memos without those that take back an invoice which ServiceNow does not have; these get their outcome."""
    bound = parts.profile.routes[Entity.CREDIT_MEMO.value].with_original
    asked = {memo.applies_to_id for memo in memos if memo.status in bound and memo.applies_to_id}
    invoices = parts.ledger.states(partition(company.key, Entity.PURCHASE_INVOICE), sorted(asked))
    free = []
    for memo in memos:
        invoice = invoices.get(memo.applies_to_id)
        if memo.status not in bound or (invoice is not None and invoice.sys_id):
            free.append(memo)
        elif invoice is not None and invoice.status in OPEN:
            busy = Outage("The connector", "is working on the invoice of this credit memo", retry_after=UNDER_WAY)
            outcomes.rescheduled([memo.id], busy)
        else:
            outcomes.held(memo.id, f"the invoice {memo.applies_to_number} is not in ServiceNow")
    return free
