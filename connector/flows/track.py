"""Track: how far the records have come in ServiceNow that documents became (approved, paid), found out table by table.

One table may hold the documents of several companies and entities; it is read once for all of them, in the order in which its
records were changed. Each record is looked for in the ledger by its sys_id; one that is not ours is passed over. A state that
is new goes on record as an event ``tracked`` with the document's row; a state that is not new writes nothing. What was held
back while its record was frozen is sent again when the record is no longer.

Cost: a call for each thousand changed records, those of others included, at least one a table and tick; to find them, one
query of the ledger's index per partition, or one for each record where they lie far apart; per document whose state is new,
its share of a transaction of two rows.

A document that a worker has is left alone: a write to its row would take the worker's outcome from it. The watermark stays
behind such a record, and so it does when somebody else changed the row first. Order: ledger, then messages, then the cursor; a
crash between any two repeats reading and loses nothing (documents to be sent again are pending, and the rescue finds them).

A record that was deleted in ServiceNow is not seen: a document that was held back for it goes on with its next change in BC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from connector.decisions.findings import Finding, warn
from connector.decisions.frozen import REASON
from connector.decisions.retry import wait_seconds
from connector.decisions.states import Status
from connector.decisions.tracking import Mark, Progress, advanced, beginning, following, stamp_of
from connector.decisions.tracking_findings import about_tracking
from connector.errors import Ambiguous, Outage, RowConflict, StorageUnavailable, Throttled
from connector.flows.messages import send_units
from connector.flows.parts import Parts
from connector.flows.rounds import in_turn
from connector.model.documents import Entity
from connector.model.profile import Tracking
from connector.model.units import Origin, Reference
from connector.servicenow.session import SYSTEM
from connector.servicenow.tracking import PAGE, Tracked
from connector.setting_words import Company
from connector.storage.cursors import TRACKS, Turn, tracked_table
from connector.storage.ledger import Change, partition
from connector.storage.ledger_rows import State

APART = timedelta(seconds=30)
"""The schedule says how often to read; this only keeps two timers from reading at the same time."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is followed, its column of states, and whose documents' records it holds."""

    name: str
    column: str
    places: tuple[tuple[Company, Entity, Tracking], ...]


def track_all(parts: Parts) -> None:
    """Reads what changed in every table that the profile follows."""
    in_turn(parts, "track", [({"table": table.name}, partial(track, parts, table)) for table in tables(parts)])


def tables(parts: Parts) -> list[Table]:
    """Each table that a route follows, once."""
    places: dict[tuple[str, str], list[tuple[Company, Entity, Tracking]]] = {}
    for company, entity in parts.entities():
        tracking = parts.profile.routes[entity.value].tracking
        if tracking is not None:
            places.setdefault((tracking.table, tracking.state), []).append((company, entity, tracking))
    return [Table(name, column, tuple(found)) for (name, column), found in places.items()]


def check_tracking(parts: Parts) -> Iterator[Finding]:
    """Whether what the profile follows can be followed."""
    followed = list(dict.fromkeys(route.tracking for route in parts.profile.routes.values() if route.tracking))
    try:
        known = parts.preflight.catalog.described(sorted({one.table for one in followed})) if followed else {}
        for one in followed:
            yield from about_tracking(one, known[one.table], parts.tracking.visible(one.table, one.state))
    except Outage as outage:
        yield warn("TRACKING_UNREADABLE", "", str(outage)[:300], "Look again later.")


def track(parts: Parts, table: Table, may_go_on: Callable[[], bool], limit: int = PAGE) -> None:
    """Reads one table from where the last run stopped, to the end or until it may not go on (asked before each further page).
    Raises `Outage` when ServiceNow or storage cannot serve."""
    taken = parts.cursors.take(TRACKS, tracked_table(table.name, table.column), parts.randomness.token(), APART)
    if not isinstance(taken, Turn):
        return
    run = _Track(parts, table, taken, limit)
    try:
        run.go(may_go_on)
        parts.cursors.end(TRACKS, taken, taken.record)
    except RowConflict:
        return  # somebody else took the turn; what is on record is on record
    except StorageUnavailable:
        raise  # the turn ends by itself
    except Exception as fault:
        parts.cursors.give_back(TRACKS, taken)
        if isinstance(fault, Outage) and fault.retry_after is not None and not isinstance(fault, Ambiguous):
            parts.gate.close_for(wait_seconds(1, 0.0, told=fault.retry_after))
        raise
    finally:
        run.tell()


class _Track:
    """One run over one table."""

    def __init__(self, parts: Parts, table: Table, taken: Turn[Progress], limit: int) -> None:
        self._parts = parts
        self._table = table
        self._taken = taken
        self._limit = limit
        self._correlation = parts.randomness.token()
        self._read = self._changed = self._hidden = 0

    def go(self, may_go_on: Callable[[], bool]) -> None:
        """Reads page after page; the cursor is saved after each."""
        progress = self._taken.record
        position = beginning(progress)
        while True:
            # One request at a time, beside the slots that are for writers.
            closed = self._parts.gate.closed_for()
            if closed > 0:
                raise Throttled(SYSTEM, "asked for patience a moment ago", retry_after=closed)
            page = self._parts.tracking.page(self._table.name, self._table.column, position, self._limit)
            left = self._put_on_record(page.records)
            marks = [record.mark for record in page.records]
            then = following(position, marks, more=page.more, limit=self._limit)
            progress = advanced(progress, marks, left, page.at, then)
            self._parts.cursors.save(TRACKS, self._taken, progress)
            self._read += len(marks)
            self._hidden += page.hidden
            if then is None or not may_go_on():
                return
            position = then

    def tell(self) -> None:
        """One line of telemetry, when there is something to say."""
        if self._changed or self._hidden:
            self._parts.telemetry.event(
                "tracked", table=self._table.name, count=self._read, changed=self._changed, hidden=self._hidden
            )

    def _put_on_record(self, records: Sequence[Tracked]) -> list[Mark]:
        """Records the states that are new; the marks of those records that have to be looked at again."""
        by_id = {record.mark.id.casefold(): record for record in records}
        left: list[Mark] = []
        for company, entity, tracking in self._table.places if records else ():
            where = partition(company.key, entity)
            ids = self._parts.ledger.find(where, list(by_id))
            states = [one for one in self._parts.ledger.states(where, ids).values() if one.sys_id.casefold() in by_id]
            changes = []
            for state in states:
                record = by_id[state.sys_id.casefold()]
                change = self._change(state, record, tracking)
                if change is not None and state.status is Status.CLAIMED:
                    left.append(record.mark)
                elif change is not None:
                    changes.append(change)
            recorded = self._parts.ledger.record(where, changes)
            left += [by_id[one.sys_id.casefold()].mark for one in states if one.id in recorded.lost]
            again = [
                saved
                for change in changes
                if (saved := recorded.saved.get(change.after.id)) is not None and _thawed(change)
            ]
            references = [Reference(state.id, state.seen, state.generation) for state in again]
            send_units(self._parts, company, entity, Origin.RETRY, self._correlation, references)
            self._changed += len(recorded.saved)
        return left

    def _change(self, state: State, record: Tracked, tracking: Tracking) -> Change | None:
        """The step of a document whose record was read; None when there is nothing new."""
        standing = record.standing
        thaws = standing.state not in tracking.frozen and _held_back(state)
        if not thaws and (standing.state, standing.label) == (state.there, state.there_label):
            return None
        after = replace(state, there=standing.state, there_label=standing.label)
        detail = {"state": standing.state, "label": standing.label, "updated": stamp_of(record.mark.at)}
        if thaws:
            after = replace(after, status=Status.PENDING, correlation=self._correlation)
            detail["then"] = "the newest version is sent"
        return Change(state, after, "tracked", detail)


def _held_back(state: State) -> bool:
    """Whether the document has a newer version that was not sent because its record was frozen, and nothing else is wrong."""
    if state.status is Status.PARKED:
        return {reason["code"] for reason in json.loads(state.reasons or "[]")} == {REASON}
    return state.status is Status.DONE and bool(state.drift)


def _thawed(change: Change) -> bool:
    return change.before is not None and change.after.status is not change.before.status
