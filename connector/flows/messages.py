"""Messages between runs: units and poll requests onto the documents queue, parked notes onto the poison queue.

A queue that somebody deleted while the app runs is made anew, as at its start. What was in it comes back by the ledger: the
rescue sends open documents again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from connector.decisions.turns import overdue
from connector.errors import SettingsFault
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.units import Origin, ParkedNote, PollRequest, Reference, units
from connector.setting_words import Company
from connector.storage.cursors import POLLS
from connector.storage.ledger import Change, partition
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
        _put(parts, parts.settings.documents_queue, unit.encode(), delay_seconds)


def ask_for_poll(parts: Parts, company: Company, feed: Feed) -> None:
    """Asks for a poll of the feed now, whatever the timer does."""
    _put(parts, parts.settings.documents_queue, PollRequest(company.key, feed).encode())


def ask_for_overdue_poll(parts: Parts, company: Company, feed: Feed) -> None:
    """Asks for a poll of the feed when its timer seems to stand still."""
    _, last = parts.cursors.read(POLLS, partition(company.key, feed))
    if overdue(last, parts.settings.interval(company, feed)):
        ask_for_poll(parts, company, feed)


def send_note(parts: Parts, company: Company, entity: Entity, state: State) -> Sent:
    """Puts the small message of a parked document on the poison queue."""
    note = ParkedNote(company.key, entity, state.id, state.generation)
    return _put(parts, parts.settings.poison_queue, note.encode())


def delete_note(parts: Parts, state: State) -> None:
    """Removes exactly the message that an earlier parking left; one that is gone already is no matter."""
    if state.poison_id:
        with suppress(SettingsFault):  # the whole queue is gone
            parts.queues.delete(parts.settings.poison_queue, Sent(state.poison_id, state.poison_receipt))


def pointing(state: State, note: Sent | None) -> State:
    """The state with a pointer to this message on the poison queue, or to none."""
    message_id, receipt = (note.message_id, note.pop_receipt) if note else ("", "")
    return replace(state, poison_id=message_id, poison_receipt=receipt)


def record_pointers(parts: Parts, company: Company, entity: Entity, pointers: Sequence[Change]) -> Mapping[str, State]:
    """Writes which message on the poison queue is whose; the new states. Where somebody else changed the document meanwhile,
    the message is taken back: nobody would ever know of it."""
    recorded = parts.ledger.record(partition(company.key, entity), pointers)
    for change in pointers:
        if change.after.id in recorded.lost:
            delete_note(parts, change.after)
    return recorded.saved


def waiting_messages(parts: Parts) -> int:
    """About how many messages are on the documents queue."""
    queue = parts.settings.documents_queue
    try:
        return parts.queues.count(queue)
    except SettingsFault:
        parts.queues.ensure(queue)
        return parts.queues.count(queue)


def queue_full(parts: Parts) -> bool:
    """Whether so much work waits already that detection should pause."""
    return waiting_messages(parts) >= parts.settings.max_waiting_units


def _put(parts: Parts, queue: str, text: str, delay_seconds: float = 0) -> Sent:
    try:
        return parts.queues.send(queue, text, delay_seconds=delay_seconds)
    except SettingsFault:
        parts.queues.ensure(queue)
        return parts.queues.send(queue, text, delay_seconds=delay_seconds)
