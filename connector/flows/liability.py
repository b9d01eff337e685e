"""Liability: one debt is carried once. Where a profile lets orders stand for their invoices (`carries_invoices`), an invoice
whose order is carried is superseded by it.

Whoever comes second sees the other: an invoice's run puts its await on record before it looks for the order, and an order's run
looks for awaits when the order is on record. An order whose invoice was faster is parked. When an order ends without having
been carried, its invoices are, with the next rescue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from connector.decisions.states import Status
from connector.errors import Outage, Reason
from connector.flows.links import announce, orders_named
from connector.flows.messages import send_units
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.model.units import Origin, Reference
from connector.setting_words import Company
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

UNDER_WAY = 5.0
"""Seconds until a document looks again what became of another one that is just being worked on."""
ENDED = (Status.CLOSED, Status.DISCARDED)


def settle_liability(
    parts: Parts, company: Company, outcomes: Outcomes, documents: Sequence[Document]
) -> list[Document]:
    """Gives an outcome to the documents (of one entity) whose debt another one carries; returns the others."""
    route = parts.profile.routes.get(Entity.PURCHASE_ORDER.value)
    if route is None or not route.carries_invoices or not documents:
        return list(documents)
    if documents[0].entity is Entity.PURCHASE_INVOICE:
        return _invoices(parts, company, outcomes, documents)
    if documents[0].entity is Entity.PURCHASE_ORDER:
        return _orders(parts, company, outcomes, documents)
    return list(documents)


def _invoices(parts: Parts, company: Company, outcomes: Outcomes, invoices: Sequence[Document]) -> list[Document]:
    # One of which rows may be in ServiceNow, whatever was heard of them, is brought to its end there.
    new = [one for one in invoices if one.order_number and outcomes.state(one.id).first]
    announce(parts, company, new)
    carrying = {
        state.number for state in orders_named(parts, company, {one.order_number for one in new}) if _carries(state)
    }
    superseded = {one.id for one in new if one.order_number in carrying}
    for one in new:
        if one.id in superseded:
            outcomes.superseded(one.id, one.order_number)
    return [one for one in invoices if one.id not in superseded]


def _orders(parts: Parts, company: Company, outcomes: Outcomes, orders: Sequence[Document]) -> list[Document]:
    new = {one.number for one in orders if not outcomes.state(one.id).sys_id}
    invoices = _invoices_of(parts, company, new)
    free = []
    for order in orders:
        states = invoices.get(order.number, []) if order.number in new else []
        sent = [state for state in states if not state.first and state.status is not Status.DISCARDED]
        if any(
            state.status is Status.CLAIMED or (state.status is Status.PENDING and not state.first) for state in states
        ):
            busy = Outage("The connector", "is working on an invoice of this order", retry_after=UNDER_WAY)
            outcomes.rescheduled([order.id], busy)
        elif sent:
            outcomes.parked(order.id, [_carried_by_invoice(order, sorted(state.number for state in sent))])
        else:
            free.append(order)
    return free


def release_invoices(parts: Parts, company: Company) -> None:
    """Sends superseded invoices again whose order has ended without having been carried."""
    route = parts.profile.routes.get(Entity.PURCHASE_ORDER.value)
    if route is None or not route.carries_invoices:
        return
    numbers = {one.order_number for one in parts.awaits.all(partition(company.key, Entity.PURCHASE_ORDER))}
    known: dict[str, list[State]] = defaultdict(list)
    for state in orders_named(parts, company, numbers):
        known[state.number].append(state)
    _release(parts, company, [number for number, states in known.items() if not any(map(_carries, states))])


def _release(parts: Parts, company: Company, numbers: Collection[str]) -> None:
    where = partition(company.key, Entity.PURCHASE_INVOICE)
    correlation = parts.randomness.token()
    found = _invoices_of(parts, company, numbers)
    steps = [
        Change(
            state,
            replace(state, status=Status.PENDING, correlation=correlation),
            "released",
            {"was": state.status.value, "order": number},
        )
        for number, states in found.items()
        for state in states
        if state.status is Status.SUPERSEDED
    ]
    saved = parts.ledger.record(where, steps).saved
    references = [Reference(state.id, state.seen, state.generation) for state in saved.values()]
    send_units(parts, company, Entity.PURCHASE_INVOICE, Origin.RETRY, correlation, references)


def _carries(order: State) -> bool:
    """Whether the order is in ServiceNow, or may still come there."""
    return bool(order.sys_id) or order.status not in ENDED


def _invoices_of(parts: Parts, company: Company, numbers: Collection[str]) -> dict[str, list[State]]:
    """The invoices that announced themselves, by the order they name."""
    awaits = parts.awaits.all(partition(company.key, Entity.PURCHASE_ORDER)) if numbers else []
    wanted = {
        one.id: one.order_number
        for one in awaits
        if one.order_number in numbers and one.entity is Entity.PURCHASE_INVOICE
    }
    states = parts.ledger.states(partition(company.key, Entity.PURCHASE_INVOICE), sorted(wanted))
    found: dict[str, list[State]] = defaultdict(list)
    for id_, state in states.items():
        found[wanted[id_]].append(state)
    return found


def _carried_by_invoice(order: Document, invoices: Iterable[str]) -> Reason:
    return Reason(
        "CARRIED_BY_INVOICE",
        f"Invoices of {order.number} went to ServiceNow already ({', '.join(invoices)}); with it they would be owed twice.",
        "Discard the order: its invoices carry the debt. Where ServiceNow refused these, discard them, then replay the order.",
    )
