"""Digest: gathers what is parked and why, and once a day says so: in telemetry, and on the queue of digests where there is one.

Order: message, then the row that says it was sent. A crash between the two repeats a message and never loses one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from connector.decisions.digest import Digest, Parked, Place, causes_of, due, head_line, mark_of
from connector.decisions.digest_text import message
from connector.decisions.states import Status
from connector.errors import RowConflict, StorageUnavailable
from connector.flows.parts import Parts
from connector.flows.unreadable import count_unreadable
from connector.model.documents import Entity
from connector.setting_words import Company
from connector.storage.cursors import Turn
from connector.storage.digests import DIGESTS, WHERE, DigestRecord
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State

RECENT = timedelta(hours=24)
"""What counts as newly parked as long as there was no digest."""


def digest_now(parts: Parts) -> Digest:
    """Where everything stands now, held against the last daily digest. Reads only. Raises `StorageUnavailable`."""
    last, _ = parts.cursors.read(DIGESTS, WHERE)
    return _gathered(parts, last, lambda: None)


def daily_digest(parts: Parts) -> bool:
    """Sends the day's digest and says in telemetry how things stand, unless that was done; whether it did so now. Raises
    `StorageUnavailable`; the next run of the timer then makes up for it."""
    taken = parts.cursors.take(DIGESTS, WHERE, parts.randomness.token(), timedelta(0))
    if not isinstance(taken, Turn):
        return False
    try:
        now = taken.began or parts.clock.now()
        if not due(taken.record.at, now):
            parts.cursors.end(DIGESTS, taken, taken.record)
            return False
        # Saved after each place: a turn lasts as long as it is heard of.
        digest = _gathered(parts, taken.record, lambda: parts.cursors.save(DIGESTS, taken, taken.record))
        if parts.settings.digest_queue:
            parts.queues.send(parts.settings.digest_queue, message(digest))
        parts.cursors.end(DIGESTS, taken, _remembered(digest, now))
    except RowConflict:
        return False  # somebody else took the turn
    except StorageUnavailable:
        raise  # the turn ends by itself
    except Exception:
        parts.cursors.give_back(DIGESTS, taken)
        raise
    _tell(parts, digest)
    return True


def _gathered(parts: Parts, last: DigestRecord, heard: Callable[[], None]) -> Digest:
    places = []
    for company, entity in parts.entities():
        places.append(_place(parts, company, entity, last))
        heard()
    return Digest(parts.clock.now(), last.at, tuple(places), count_unreadable(parts))


def _place(parts: Parts, company: Company, entity: Entity, last: DigestRecord) -> Place:
    counts: Counter[str] = Counter()
    resolved: Counter[str] = Counter()
    parked, fresh = [], 0
    known = last.marks if last.at is not None else None
    seal = hashlib.sha256()
    for state in parts.ledger.all_states(partition(company.key, entity)):
        counts[state.status.value] += 1
        seal.update(head_line(state.id, state.seq, state.head))
        # Whatever was parked once has a generation; the others need no further look.
        was_parked = bool(state.generation) and mark_of(company.key, entity.value, state.id) in (known or ())
        if state.status is Status.PARKED:
            reasons = json.loads(state.reasons or "[]")
            parked.append(Parked(state.id, state.number, state.amount, state.currency, state.age, reasons))
            fresh += not was_parked if known is not None else _is_new(state, last.at)
        elif was_parked:
            resolved[state.status.value] += 1
    gone = None if known is None else dict(resolved)
    causes = causes_of(company.key, entity.value, parked)
    return Place(company.key, entity.value, dict(counts), tuple(parked), causes, fresh, gone, seal.hexdigest())


def _is_new(state: State, last: datetime | None) -> bool:
    return state.age < RECENT if last is None else state.modified > last


def _remembered(digest: Digest, at: datetime) -> DigestRecord:
    marks = {mark_of(place.company, place.entity, one.id) for place in digest.places for one in place.parked}
    return DigestRecord(at, frozenset(marks))


def _tell(parts: Parts, digest: Digest) -> None:
    for place in digest.places:
        parts.telemetry.event("heads", company=place.company, entity=place.entity, count=place.seen, head=place.head)
    parts.telemetry.event(
        "digest",
        count=sum(place.seen for place in digest.places),
        parked=digest.parked,
        fresh=digest.fresh,
        resolved=sum((digest.resolved or {}).values()),
        unreadable=digest.unreadable,
    )
