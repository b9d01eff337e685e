"""Preparing: from the documents of a unit that are to be carried to the rows that must be sent.

What cannot be carried as it is gets its outcome here, and so does what ServiceNow has already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connector.decisions.mapping import MappedDocument, map_document
from connector.decisions.receipts import by_order_lines
from connector.decisions.states import OPEN
from connector.decisions.versions import emptying, with_removals
from connector.errors import DocumentFault, Outage
from connector.flows.liability import UNDER_WAY, settle_liability
from connector.flows.links import announce, staged_orders
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.settings import Company
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
    entity = documents[0].entity
    if entity is Entity.CREDIT_MEMO:
        documents = _with_original(parts, company, outcomes, documents)
    ordered = _order_lines(parts, company, documents) if entity is Entity.RECEIPT else {}
    rules = parts.rules(company)
    names: Mapping[str, Sequence[str]] = {}
    shared: frozenset[str] = frozenset()
    if entity is not Entity.RECEIPT:
        names = parts.suppliers.names(company.erp_source, (one.vendor_number for one in documents if one.vendor_number))
        if parts.profile.routes[entity.value].names_supplier:
            shared = parts.suppliers.shared(found[0] for found in names.values() if len(found) == 1)
    changed = []
    for document in documents:
        try:
            if entity is Entity.RECEIPT:
                if document.order_number not in ordered:
                    outcomes.held(document.id, f"the order {document.order_number} is not in ServiceNow")
                    continue
                document = by_order_lines(document, ordered[document.order_number])
            mapped = map_document(document, rules, names, shared)
            state = outcomes.state(document.id)
            if state.payload_hash == mapped.payload_hash or not mapped.rows:
                outcomes.unchanged(document.id)
                continue
            if not state.first:
                mapped = emptying(mapped, parts.profile.clear_with)
                mapped = with_removals(mapped, document, rules, state.lines, state.taxes)
                mapped = replace(mapped, earlier=state.lines)
            changed.append(mapped)
        except DocumentFault as fault:
            outcomes.parked(document.id, fault.reasons)
        except Exception as error:  # noqa: BLE001 - one document's unforeseen fault must not hold up the others
            unforeseen([document.id], error)
    return changed


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
