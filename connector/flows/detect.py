"""Detect: find what changed in Business Central and queue references to it.

Order: ledger rows, then messages, then the cursor. A crash between any two repeats work and loses nothing: rows without a
message are found by the rescue timer, messages without a moved cursor are queued again and skipped by their ledger row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.business_central.api_v2 import Change as BcChange
from connector.decisions.admission import admit
from connector.decisions.states import Status
from connector.decisions.watermark import advance, fresh, read_from
from connector.errors import RowConflict
from connector.flows.messages import queue_full, send_units
from connector.flows.parts import Parts
from connector.flows.rounds import every_entity
from connector.model.documents import Entity
from connector.model.stamps import stamp_text
from connector.model.units import Origin, Reference
from connector.settings import Company
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State


@dataclass(frozen=True, slots=True)
class Detected:
    """What a poll did: changes read, references queued, and whether it stopped before the end (it goes on next time)."""

    read: int
    queued: int
    stopped: str = ""


def poll(parts: Parts, company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> Detected:
    """Queues what changed in one entity of one company since the cursor. `may_go_on` is asked after each page; what is left
    is the next tick's. Raises `Outage` when BC or storage cannot serve."""
    where = partition(company.key, entity)
    cursor, etag = parts.cursors.read(where)
    overlap = parts.settings.poll_overlap
    read = queued = 0
    for page in parts.reader.changes(company, entity, read_from(cursor, overlap)):
        read += len(page)
        seen = [Reference(change.id, change.modified) for change in page]
        news = fresh(cursor, seen)
        if news:
            if queue_full(parts):
                return Detected(read, queued, "the documents queue is full")
            queued += _queue(parts, company, entity, page, news)
        moved = advance(cursor, seen, overlap)
        if moved != cursor:
            try:
                etag = parts.cursors.move(where, moved, etag)
            except RowConflict:
                return Detected(read, queued, "another poll moved the cursor")
            cursor = moved
        if not may_go_on():
            return Detected(read, queued, "time is up")
    return Detected(read, queued)


def poll_all(parts: Parts) -> None:
    """Polls every entity of every company."""

    def turn(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        detected = poll(parts, company, entity, may_go_on)
        if detected.queued or detected.stopped:
            parts.telemetry.event(
                "polled",
                company=company.key,
                entity=entity.value,
                count=detected.queued,
                outcome=detected.stopped or "all",
            )

    every_entity(parts, "poll", turn)


def _queue(parts: Parts, company: Company, entity: Entity, page: Sequence[BcChange], news: Sequence[Reference]) -> int:
    where = partition(company.key, entity)
    correlation = parts.randomness.token()
    states = parts.ledger.states(where, [reference.id for reference in news])
    changes = {change.id: change for change in page}
    parts.ledger.record(
        where,
        [_seen(changes[reference.id], correlation) for reference in news if reference.id not in states],
    )
    wanted = [
        reference
        for reference in news
        if reference.id not in states or admit(reference, Origin.POLL, states[reference.id].standing) != "known"
    ]
    send_units(parts, company, entity, Origin.POLL, correlation, wanted)
    return len(wanted)


def _seen(change: BcChange, correlation: str) -> Change:
    state = State(
        id=change.id,
        status=Status.PENDING,
        number=change.number,
        vendor=change.vendor_number,
        seen=change.modified,
        correlation=correlation,
    )
    detail = {"number": change.number, "modified": stamp_text(change.modified), "origin": Origin.POLL.value}
    return Change(None, state, "seen", detail, index=(change.number, change.vendor_number))
