"""Links: an invoice that names an order belongs to it in ServiceNow too, whichever of the two was staged first.

Whoever comes second sees the other: the invoice's run puts its await on record before it looks for the order, the order's run
records that the order is staged before it looks for awaits. An invoice found so is staged once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from connector.decisions.states import Status
from connector.flows.messages import send_units
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.model.units import Origin, Reference
from connector.settings import Company
from connector.storage.awaits import Await
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State


def announce(parts: Parts, company: Company, documents: Iterable[Document]) -> None:
    """Before invoices are staged: each that names an order goes on record, until its order is seen to be there."""
    awaits = [Await(document.order_number, document.id) for document in documents if document.order_number]
    if awaits:
        parts.awaits.add(partition(company.key, Entity.PURCHASE_ORDER), awaits)


def restage(
    parts: Parts,
    company: Company,
    *,
    orders: Collection[str] = (),
    invoices: Sequence[Document] = (),
    in_time: Collection[str] = (),
) -> None:
    """After an order (by number) or an invoice was staged: sends the invoices again that were staged before their order.

    `in_time`: invoices whose order was seen staged before they were sent; they only leave the record.
    """
    if orders or any(invoice.order_number for invoice in invoices):
        ids = {invoice.id for invoice in invoices}
        awaits = parts.awaits.all(partition(company.key, Entity.PURCHASE_ORDER))
        found = [one for one in awaits if one.order_number in orders or one.invoice_id in ids]
        _settle(parts, company, found, known=orders, in_time=in_time)


def recover(parts: Parts, company: Company) -> None:
    """What a run that died after staging could not do any more."""
    awaits = parts.awaits.all(partition(company.key, Entity.PURCHASE_ORDER))
    _settle(parts, company, awaits, known=(), in_time=())


def _settle(
    parts: Parts, company: Company, awaits: Sequence[Await], *, known: Collection[str], in_time: Collection[str]
) -> None:
    if not awaits:
        return
    where = partition(company.key, Entity.PURCHASE_ORDER)
    there = set(known) | staged_orders(parts, company, {one.order_number for one in awaits} - set(known))
    due = [one for one in awaits if one.order_number in there]
    invoices = parts.ledger.states(
        partition(company.key, Entity.PURCHASE_INVOICE),
        [one.invoice_id for one in due if one.invoice_id not in in_time],
    )
    _send_again(parts, company, [state for state in invoices.values() if state.status is Status.DONE])
    # A claimed invoice may have been sent just before its order: its own run, or the rescue, comes back to it.
    claimed = {state.id for state in invoices.values() if state.status is Status.CLAIMED}
    parts.awaits.remove(where, [one for one in due if one.invoice_id not in claimed])


def staged_orders(parts: Parts, company: Company, numbers: Iterable[str]) -> set[str]:
    """Those of the order numbers whose order is in ServiceNow."""
    where = partition(company.key, Entity.PURCHASE_ORDER)
    wanted = set(numbers)
    states = parts.ledger.states(where, parts.ledger.find(where, sorted(wanted))) if wanted else {}
    return {state.number for state in states.values() if state.number in wanted and state.sys_id}


def _send_again(parts: Parts, company: Company, invoices: Sequence[State]) -> None:
    if not invoices:
        return
    where = partition(company.key, Entity.PURCHASE_INVOICE)
    correlation = parts.randomness.token()
    steps = [
        Change(
            state,
            replace(state, status=Status.PENDING, payload_hash="", correlation=correlation),
            "order arrived",
            {"was": state.status.value},
        )
        for state in invoices
    ]
    saved = parts.ledger.record(where, steps).saved
    references = [Reference(state.id, state.seen, state.generation) for state in saved.values()]
    send_units(parts, company, Entity.PURCHASE_INVOICE, Origin.RETRY, correlation, references)
