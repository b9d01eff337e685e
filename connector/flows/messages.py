"""Messages between runs: units and poll requests onto the documents queue, parked notes onto the poison queue."""

from __future__ import annotations

from collections.abc import Sequence

from connector.decisions.turns import overdue
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.units import Origin, ParkedNote, PollRequest, Reference, units
from connector.settings import Company
from connector.storage.cursors import POLLS
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State
from connector.storage.ports import Sent


def send_units(
    parts: Parts,
    company: Company,
    entity: Entity,
    origin: Origin,
    correlation: str,
    references: Sequence[Reference],
    *,
    delay_seconds: float = 0,
) -> None:
    """Puts the references on the documents queue, in units of up to 200."""
    for unit in units(company.key, entity, origin, correlation, list(references)):
        parts.queues.send(parts.settings.documents_queue, unit.encode(), delay_seconds=delay_seconds)


def ask_for_poll(parts: Parts, company: Company, feed: Feed) -> None:
    """Asks for a poll of the feed now, whatever the timer does."""
    parts.queues.send(parts.settings.documents_queue, PollRequest(company.key, feed).encode())


def ask_for_overdue_poll(parts: Parts, company: Company, feed: Feed) -> None:
    """Asks for a poll of the feed when its timer seems to stand still."""
    _, last = parts.cursors.read(POLLS, partition(company.key, feed))
    if overdue(last, parts.settings.interval(company, feed)):
        ask_for_poll(parts, company, feed)


def send_note(parts: Parts, company: Company, entity: Entity, state: State) -> Sent:
    """Puts the small message of a parked document on the poison queue."""
    note = ParkedNote(company.key, entity, state.id, state.generation)
    return parts.queues.send(parts.settings.poison_queue, note.encode())


def delete_note(parts: Parts, state: State) -> None:
    """Removes exactly the message that an earlier parking left; one that is gone already is no matter."""
    if state.poison_id:
        parts.queues.delete(parts.settings.poison_queue, Sent(state.poison_id, state.poison_receipt))


def queue_full(parts: Parts) -> bool:
    """Whether so much work waits already that detection should pause."""
    return parts.queues.count(parts.settings.documents_queue) >= parts.settings.max_waiting_units
