"""Detect: find what changed in Business Central and queue references to it.

Order: ledger rows, then messages, then the cursor. A crash between any two repeats work and loses nothing: rows without a
message are found by the rescue timer, messages without a moved cursor are queued again and skipped by their ledger row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.business_central.changes import Changes, numbers_of
from connector.business_central.stretches import Change as BcChange
from connector.decisions.admission import admit
from connector.decisions.states import Status
from connector.decisions.watermark import advance, fresh, read_from, stay
from connector.errors import RowConflict, StorageUnavailable
from connector.flows.courtesy import asking_business_central
from connector.flows.liveness import expectation
from connector.flows.messages import queue_full, send_units
from connector.flows.parts import Parts
from connector.flows.rounds import ROUND_LIMIT, everywhere
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.stamps import stamp_text
from connector.model.units import Origin, PollRequest, Reference
from connector.setting_words import Company
from connector.storage.cursors import POLLS, PollRecord, Turn
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

NO_TURN = {"held": "another poll is under way", "not due": "not due yet"}
FULL, LOST, TIME_UP, UNLISTED = (
    "the documents queue is full",
    "another poll took the turn",
    "time is up",
    "records that cannot be listed",
)


@dataclass(frozen=True, slots=True)
class Detected:
    """What a poll did: changes read, references queued, and why it is not complete (it goes on next time)."""

    read: int = 0
    queued: int = 0
    stopped: str = ""


def poll_all(parts: Parts) -> None:
    """Polls every feed of every company that is due."""

    def turn(company: Company, feed: Feed, may_go_on: Callable[[], bool]) -> None:
        poll(parts, company, feed, may_go_on)

    everywhere(parts, "poll", parts.feeds(), turn)


def poll_asked(parts: Parts, request: PollRequest) -> None:
    """Polls one feed because a message asks for it. Raises `Outage`."""
    company = parts.settings.company(request.company)
    if company is not None and (company, request.feed) in parts.feeds():
        end = parts.clock.monotonic() + ROUND_LIMIT
        poll(parts, company, request.feed, lambda: parts.clock.monotonic() < end, asked=True)


def poll(parts: Parts, company: Company, feed: Feed, may_go_on: Callable[[], bool], *, asked: bool = False) -> Detected:
    """Queues what changed in one feed of one company since the cursor, when it is due or asked for and nobody else is at it.

    `may_go_on` is asked after each page; what is left is the next turn's. Raises `Outage` when BC or storage cannot serve.
    """
    interval = parts.settings.interval(company, feed)
    taken = parts.cursors.take(POLLS, partition(company.key, feed), parts.randomness.token(), interval, asked=asked)
    if not isinstance(taken, Turn):
        return Detected(stopped=NO_TURN[taken])
    detected = _Poll(parts, company, feed, taken).run(may_go_on)
    if detected.queued or detected.stopped:
        parts.telemetry.event(
            "polled", company=company.key, entity=feed.value, count=detected.queued, outcome=detected.stopped or "all"
        )
    return detected


class _Poll:
    """One turn of one feed."""

    def __init__(self, parts: Parts, company: Company, feed: Feed, taken: Turn[PollRecord]) -> None:
        self._parts = parts
        self._company = company
        self._feed = feed
        self._taken = taken
        self._read = self._queued = 0

    def run(self, may_go_on: Callable[[], bool]) -> Detected:
        """Reads on until the end, or something stops it; the turn is given back either way."""
        began: list[datetime] = []
        try:
            with asking_business_central(self._parts):
                stopped = self._pages(may_go_on, began)
            record = self._taken.record
            if not stopped:
                record = replace(record, complete=began[0])
            self._parts.cursors.end(POLLS, self._taken, record)
        except RowConflict:
            stopped = LOST
        except StorageUnavailable:
            raise  # the turn ends by itself
        except Exception:
            self._parts.cursors.give_back(POLLS, self._taken)
            raise
        return Detected(self._read, self._queued, stopped)

    def _pages(self, may_go_on: Callable[[], bool], began: list[datetime]) -> str:
        overlap = self._parts.settings.poll_overlap
        stopped = ""
        for page in self._parts.changes.changes(
            self._company, self._feed, read_from(self._taken.record.cursor, overlap)
        ):
            began.append(page.at)
            self._read += len(page.changes)
            record = self._taken.record
            seen = [Reference(change.id, change.modified) for change in page.changes]
            news = fresh(record.cursor, seen)
            if news:
                if queue_full(self._parts):
                    return FULL
                found = self._queue(page, news)
                if found:
                    record = replace(record, expected=expectation(self._parts, self._company, self._feed, record))
            if not page.whole:
                # The cursor stays before what could not be listed; what is behind it is queued all the same.
                stopped = UNLISTED
            move = stay if stopped else advance
            moved = replace(record, cursor=move(record.cursor, seen, overlap, page.at))
            self._taken.record = moved
            if page.more:
                # Also without news: the turn lasts as long as it is heard of. After the last page the end of the turn says it.
                self._parts.cursors.save(POLLS, self._taken, moved)
                if not may_go_on():
                    return stopped or TIME_UP
        return stopped

    def _queue(self, page: Changes, news: Sequence[Reference]) -> int:
        """Queues what is new; how much of it the ledger did not know yet."""
        ids = {reference.id for reference in news}
        changes = [change for change in page.changes if change.id in ids]
        entity = self._parts.carried(self._feed)
        wanted = self._queue_carried(entity, changes, news) if entity is not None else 0
        self._queue_concerned(changes)
        return wanted

    def _queue_carried(self, entity: Entity, changes: Sequence[BcChange], news: Sequence[Reference]) -> int:
        where = partition(self._company.key, entity)
        correlation = self._parts.randomness.token()
        states = self._parts.ledger.states(where, [reference.id for reference in news])
        by_id = {change.id: change for change in changes}
        self._parts.ledger.record(
            where,
            [_seen(by_id[reference.id], correlation) for reference in news if reference.id not in states],
        )
        wanted = [
            reference
            for reference in news
            if reference.id not in states or admit(reference, Origin.POLL, states[reference.id].standing) != "known"
        ]
        send_units(self._parts, self._company, entity, Origin.POLL, correlation, wanted)
        self._queued += len(wanted)
        return len(wanted)

    def _queue_concerned(self, changes: Sequence[BcChange]) -> None:
        """Documents known already that the changes concern are looked at again, whatever their stamp says."""
        numbers = numbers_of(changes)
        if not numbers:
            return
        for entity in self._feed.concerns:
            if entity.value not in self._parts.profile.routes:
                continue
            where = partition(self._company.key, entity)
            states = self._parts.ledger.states(where, self._parts.ledger.find(where, numbers)).values()
            references = [
                Reference(state.id, state.seen, state.generation) for state in states if self._concerned(state)
            ]
            send_units(self._parts, self._company, entity, Origin.SWEEP, self._parts.randomness.token(), references)
            self._queued += len(references)

    def _concerned(self, state: State) -> bool:
        if self._feed is Feed.VENDORS:
            return state.status is Status.PARKED
        return state.status in (Status.DONE, Status.WAITING, Status.PARKED)


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
