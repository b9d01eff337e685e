"""Sweep: all documents that are carried are read and compared with what was read last, by content and not by stamp.

It finds what no stamp tells: edits of a line's dimension, location or description, documents that are gone, and a change that
was committed so late that the poll had passed it. A sweep goes through the ids in order and remembers how far it came, so that
a large company is swept over several runs; when it has come round, it puts on record when it began, how many documents it
compared, how many differed and what that took.

Where the tenant offers a cheap fingerprint of all order lines, orders whose fingerprint has not changed are not read; now and
then a full sweep reads every one all the same, for what the fingerprint does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connector.business_central.fingerprints import NO_LINES, shown_by_fingerprint
from connector.decisions.content import content_hash
from connector.decisions.states import OPEN, Status
from connector.decisions.watermark import read_from
from connector.errors import RowConflict, StorageUnavailable
from connector.flows.courtesy import asking_business_central
from connector.flows.messages import queue_full, send_units
from connector.flows.parts import Parts
from connector.flows.rounds import everywhere
from connector.model.documents import Entity
from connector.model.stamps import NEVER, stamp_text
from connector.model.units import MAX_REFERENCES, Origin, Reference
from connector.setting_words import Company
from connector.storage.cursors import POLLS, SWEEPS, SweepRecord, Turn
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State

APART = timedelta(seconds=30)
"""The schedule says how often to sweep; this only keeps two timers from sweeping at the same time."""


def sweep_all(parts: Parts) -> None:
    """Sweeps every entity of every company."""

    def turn(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        sweep(parts, company, entity, may_go_on)

    everywhere(parts, "sweep", parts.entities(), turn)


def sweep(parts: Parts, company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> SweepRecord | None:
    """One run of the sweep; the record as it stands after it, None when somebody else is at it. `may_go_on` is asked before
    each 200 documents. Raises `Outage` when BC or storage cannot serve."""
    where = partition(company.key, entity)
    taken = parts.cursors.take(SWEEPS, where, parts.randomness.token(), APART)
    if not isinstance(taken, Turn):
        return None
    run = _Sweep(parts, company, entity, taken)
    try:
        with asking_business_central(parts):
            run.go(may_go_on)
        parts.cursors.end(SWEEPS, taken, taken.record)
    except RowConflict:
        return None  # somebody else took the turn; what was sent is sent
    except StorageUnavailable:
        raise  # the turn ends by itself
    except Exception:
        parts.cursors.give_back(SWEEPS, taken)
        raise
    return taken.record


class _Sweep:
    """One run over one entity of one company."""

    def __init__(self, parts: Parts, company: Company, entity: Entity, taken: Turn[SweepRecord]) -> None:
        self._parts = parts
        self._company = company
        self._entity = entity
        self._taken = taken
        self._where = partition(company.key, entity)
        self._traffic = parts.bc_traffic()

    def go(self, may_go_on: Callable[[], bool]) -> None:
        """Compares from where the last run stopped, to the end or until it may not go on."""
        self._passed = self._passed_by_polls()
        self._listing = listing = self._parts.changes.listing(self._company, self._entity)
        record = self._begun(self._taken.record)
        # After the listing and before any document: a fingerprint must not be newer than the content it is kept for.
        self._prints = self._fingerprints()
        self._kept = self._parts.fingerprints.all(self._where) if self._prints is not None else {}
        self._states = {state.id: state for state in self._parts.ledger.all_states(self._where)}
        full = record.full == record.began
        left = (id_ for id_ in listing.statuses if id_ > record.position)
        due = sorted(id_ for id_ in left if self._is_to_be_compared(id_, full=full))
        group: list[str] = []
        for place, id_ in enumerate(due, start=1):
            spared = not full and self._is_spared(id_)
            record = replace(record, position=id_, compared=record.compared + 1, cheap=record.cheap + spared)
            if not spared:
                group.append(id_)
            if group and (len(group) == MAX_REFERENCES or place == len(due)):
                if not may_go_on() or queue_full(self._parts):
                    return
                record = self._saved(replace(record, changed=record.changed + self._compare(group)))
                group = []
        self._finish(record)

    def _passed_by_polls(self) -> datetime:
        """The stamp that polls do not look behind any more."""
        record, _ = self._parts.cursors.read(POLLS, self._where)
        return read_from(record.cursor, self._parts.settings.poll_overlap) or NEVER

    def _begun(self, record: SweepRecord) -> SweepRecord:
        if record.position:
            return record
        at = self._listing.at
        cheap = self._entity is Entity.RECEIPT or (
            self._entity is Entity.PURCHASE_ORDER and self._parts.settings.sweep_fingerprint == "auto"
        )
        full_due = record.full is None or at - record.full >= self._parts.settings.sweep_full_after
        return replace(
            record,
            began=at,
            full=record.full if cheap and not full_due else at,
            compared=0,
            changed=0,
            cheap=0,
            calls=0,
            size=0,
        )

    def _fingerprints(self) -> Mapping[str, str] | None:
        if self._entity is not Entity.PURCHASE_ORDER or self._parts.settings.sweep_fingerprint == "off":
            return None
        return self._parts.prints.read(self._company)

    def _is_to_be_compared(self, id_: str, *, full: bool) -> bool:
        """Documents that are carried, and those that were until their status changed without a stamp that was seen."""
        state = self._states.get(id_)
        if self._entity is Entity.RECEIPT and state is not None and not full:
            return False  # only undoing changes one, which is rare: there are too many to read them all each time
        route = self._parts.profile.routes[self._entity.value]
        eligible = self._listing.statuses[id_] in (*route.eligible, *route.with_original)
        return eligible or state is None or state.status is Status.DONE

    def _is_spared(self, id_: str) -> bool:
        """Whether the fingerprint says that nothing has changed since the content was compared."""
        state = self._states.get(id_)
        if state is None or state.status is Status.CLOSED or id_ not in self._kept:
            return False
        return self._kept[id_] == self._print(id_)

    def _print(self, id_: str) -> str:
        """The lines' fingerprint with what the listing says of the header."""
        lines = (self._prints or {}).get(self._listing.numbers[id_], NO_LINES)
        return f"{lines}|{self._listing.statuses[id_]}|{stamp_text(self._listing.stamps[id_])}"

    def _compare(self, ids: Sequence[str]) -> int:
        """Reads the documents and sends those that differ; how many. Their fingerprints are kept after that."""
        # One that is stamped later is the poll's.
        unknown = [id_ for id_ in ids if id_ not in self._states and self._listing.stamps[id_] < self._passed]
        changed = [Reference(id_, NEVER) for id_ in unknown]
        known = [id_ for id_ in ids if id_ in self._states and self._states[id_].status not in OPEN]
        reading = self._parts.reader.documents(self._company, self._entity, known, may_go_on=lambda: True)
        for id_, document in reading.documents.items():
            state = self._states[id_]
            # One that was on record as gone has come back (BC was restored from a backup, say).
            if state.status is Status.CLOSED or state.content_hash != content_hash(document):
                changed.append(Reference(id_, document.modified, state.generation))
        self._send(changed)
        if self._prints is not None:
            shown = [id_ for id_, document in reading.documents.items() if shown_by_fingerprint(document)]
            prints = {id_: self._print(id_) for id_ in shown}
            news = {id_: text for id_, text in prints.items() if self._kept.get(id_) != text}
            self._parts.fingerprints.keep(self._where, news)
        return len(changed)

    def _finish(self, record: SweepRecord) -> None:
        there = self._listing.statuses
        record = replace(record, position="")
        if self._listing.whole:
            gone = [
                _reference(state) for id_, state in self._states.items() if id_ not in there and _may_be_gone(state)
            ]
            self._send(gone)
            self._parts.fingerprints.forget(self._where, [id_ for id_ in self._kept if id_ not in there])
            record = replace(record, completed=record.began, changed=record.changed + len(gone))
        else:
            # What is not in the listing may be there all the same: it is neither gone nor compared.
            self._parts.telemetry.warning("unlisted", company=self._company.key, entity=self._entity.value)
        record = self._saved(record)
        self._parts.telemetry.event(
            "swept",
            company=self._company.key,
            entity=self._entity.value,
            count=record.compared,
            changed=record.changed,
            spared=record.cheap,
            calls=record.calls,
            size=record.size,
        )

    def _saved(self, record: SweepRecord) -> SweepRecord:
        """The record with what it has cost so far, written."""
        now = self._parts.bc_traffic()
        spent, self._traffic = now - self._traffic, now
        record = replace(record, calls=record.calls + spent.calls, size=record.size + spent.size)
        self._parts.cursors.save(SWEEPS, self._taken, record)
        return record

    def _send(self, references: Sequence[Reference]) -> None:
        token = self._parts.randomness.token()
        send_units(self._parts, self._company, self._entity, Origin.SWEEP, token, references)


def _may_be_gone(state: State) -> bool:
    return state.status in (Status.DONE, Status.WAITING, Status.PARKED)


def _reference(state: State) -> Reference:
    return Reference(state.id, state.seen, state.generation)
