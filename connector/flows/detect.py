"""Detect: find what changed in Business Central and queue references to it.

Order: ledger rows, then messages, then the cursor. A crash between any two repeats work and loses nothing: rows without a
message are found by the rescue timer, messages without a moved cursor are queued again and skipped by their ledger row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.business_central.api_v2 import Change as BcChange
from connector.decisions.admission import admit
from connector.decisions.states import Status
from connector.decisions.watermark import advance, fresh, read_from
from connector.errors import Outage, RowConflict, SettingsFault
from connector.flows.messages import send_units, standing
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.stamps import stamp_text
from connector.model.units import Origin, Reference
from connector.settings import Company
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

RUN_LIMIT = 240.0
"""Seconds after which a poll stops and leaves the rest to the next tick, well inside the Functions time limit."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What a poll did: changes read, references queued, and whether it stopped before the end (it goes on next time)."""

    read: int
    queued: int
    stopped: str = ""


def poll(parts: Parts, company: Company, entity: Entity) -> Detected:
    """Queues what changed in one entity of one company since the cursor. Raises `Outage` when BC or storage cannot serve."""
    where = partition(company.key, entity)
    cursor, etag = parts.cursors.read(where)
    overlap = parts.settings.poll_overlap
    started = parts.clock.monotonic()
    read = queued = 0
    for page in parts.reader.changes(company, entity, read_from(cursor, overlap)):
        read += len(page)
        seen = [Reference(change.id, change.modified) for change in page]
        news = fresh(cursor, seen)
        if news:
            if parts.queues.count(parts.settings.documents_queue) >= parts.settings.max_waiting_units:
                return Detected(read, queued, "the documents queue is full")
            queued += _queue(parts, company, entity, page, news)
        moved = advance(cursor, seen, overlap)
        if moved != cursor:
            try:
                etag = parts.cursors.move(where, moved, etag)
            except RowConflict:
                return Detected(read, queued, "another poll moved the cursor")
            cursor = moved
        if parts.clock.monotonic() - started > RUN_LIMIT:
            return Detected(read, queued, "time is up")
    return Detected(read, queued)


def poll_all(parts: Parts) -> None:
    """Polls every entity of every company. What one cannot do now does not keep the others from being polled."""
    unforeseen: list[Exception] = []
    for company, entity in parts.entities():
        try:
            detected = poll(parts, company, entity)
        except SettingsFault:
            raise
        except Outage as outage:
            parts.telemetry.warning(
                "poll_postponed",
                company=company.key,
                entity=entity.value,
                system=outage.system,
                error=type(outage).__name__,
            )
            continue
        except Exception as error:  # noqa: BLE001 - raised below, after the others have had their turn
            unforeseen.append(error)
            continue
        if detected.queued or detected.stopped:
            parts.telemetry.event(
                "polled",
                company=company.key,
                entity=entity.value,
                count=detected.queued,
                outcome=detected.stopped or "all",
            )
    if unforeseen:
        raise unforeseen[0]


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
        if reference.id not in states or admit(reference, Origin.POLL, standing(states[reference.id])) != "known"
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
