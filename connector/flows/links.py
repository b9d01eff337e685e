"""Links: what names an order belongs to it in ServiceNow too, whichever was there first.

An invoice that is staged before its order is staged once more after it. A receipt cannot be staged before its order at all: it
is held. Whoever comes second sees the other: the run of the invoice or receipt puts its await on record before it looks for the
order, the order's run records that the order is staged before it looks for awaits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from connector.decisions.states import Status
from connector.flows.messages import send_units
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.model.units import Origin, Reference
from connector.setting_words import Company
from connector.storage.awaits import Await
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

SENT_AGAIN = {
    Entity.PURCHASE_INVOICE: (Status.DONE,),
    # A line that the order did not have parks a receipt; the order's next version may have it.
    Entity.RECEIPT: (Status.WAITING, Status.PARKED),
}
"""In which states a document goes on when its order was staged."""


def announce(parts: Parts, company: Company, documents: Iterable[Document]) -> None:
    """Before they are staged: each document that names an order goes on record, until its order is seen to be there."""
    awaits = [Await(one.order_number, one.id, one.entity) for one in documents if one.order_number]
    if awaits:
        parts.awaits.add(partition(company.key, Entity.PURCHASE_ORDER), awaits)


def restage(
    parts: Parts,
    company: Company,
    *,
    orders: Collection[str] = (),
    documents: Sequence[Document] = (),
    in_time: Collection[str] = (),
) -> None:
    """After an order (by number), or documents that name one, were staged: sends again what was too early for its order.

    `in_time`: documents whose order was seen staged before they were sent; they only leave the record.
    """
    if orders or any(document.order_number for document in documents):
        ids = {document.id for document in documents}
        awaits = parts.awaits.all(partition(company.key, Entity.PURCHASE_ORDER))
        found = [one for one in awaits if one.order_number in orders or one.id in ids]
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
    staged = staged_orders(parts, company, {one.order_number for one in awaits} - set(known))
    there = set(known) | _numbers(staged)
    due = [one for one in awaits if one.order_number in there]
    kept: set[str] = set()
    for entity, statuses in SENT_AGAIN.items():
        concerned = [one for one in due if one.entity is entity and one.id not in in_time]
        states = parts.ledger.states(partition(company.key, entity), [one.id for one in concerned])
        # What was parked goes on with news of its order only: another try of the same would end the same way.
        stale = {
            one.id
            for one in concerned
            if one.id in states
            and states[one.id].status is Status.PARKED
            and not _has_news(one.order_number, states[one.id], known, staged)
        }
        again = [one for one in states.values() if one.status in statuses and one.id not in stale]
        kept |= _send_again(parts, company, entity, again) | (stale if Status.PARKED in statuses else set())
        # A claimed one may have been sent just before its order: its own run, or the rescue, comes back to it.
        kept |= {state.id for state in states.values() if state.status is Status.CLAIMED}
    parts.awaits.remove(where, [one for one in due if one.id not in kept])


def _has_news(number: str, parked: State, known: Collection[str], staged: Sequence[State]) -> bool:
    """Whether the order's row was written after the document was parked, by the storage server's clock."""
    return number in known or any(order.number == number and order.modified > parked.modified for order in staged)


def orders_named(parts: Parts, company: Company, numbers: Iterable[str]) -> list[State]:
    """What the ledger knows of the orders with these numbers."""
    where = partition(company.key, Entity.PURCHASE_ORDER)
    wanted = set(filter(None, numbers))
    states = parts.ledger.states(where, parts.ledger.find(where, sorted(wanted))) if wanted else {}
    return [state for state in states.values() if state.number in wanted]


def staged_orders(parts: Parts, company: Company, numbers: Iterable[str]) -> list[State]:
    """Those of the orders that are in ServiceNow."""
    return [state for state in orders_named(parts, company, numbers) if state.sys_id]


def in_time_for_their_order(parts: Parts, company: Company, documents: Sequence[Document]) -> set[str]:
    """The ids of the documents whose order is in ServiceNow now."""
    there = _numbers(staged_orders(parts, company, {document.order_number for document in documents}))
    return {document.id for document in documents if document.order_number in there}


def _numbers(orders: Iterable[State]) -> set[str]:
    return {order.number for order in orders}


def _send_again(parts: Parts, company: Company, entity: Entity, states: Sequence[State]) -> set[str]:
    """The ids of those whose row somebody else changed first: they are not sent, and stay on record."""
    if not states:
        return set()
    where = partition(company.key, entity)
    correlation = parts.randomness.token()
    steps = [
        Change(
            state,
            replace(state, status=Status.PENDING, payload_hash="", correlation=correlation),
            "order arrived",
            {"was": state.status.value},
        )
        for state in states
    ]
    recorded = parts.ledger.record(where, steps)
    references = [Reference(state.id, state.seen, state.generation) for state in recorded.saved.values()]
    send_units(parts, company, entity, Origin.RETRY, correlation, references)
    return set(recorded.lost)
