"""The cursors: how far the poll and the sweep of each company's entities have come, and the reading of each tracked table of
ServiceNow; and whose turn it is.

One row for the poll and one for the sweep of each place, one for each tracked table. A turn is taken by writing one's name into
the row; every later write is conditional on the row as one left it. So whoever lost the turn (it took too long, somebody else
took it) cannot move the cursor any more, however late it wakes up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from connector.decisions.tracking import Position, Progress
from connector.decisions.turns import LastTurn, turn
from connector.decisions.watermark import Cursor
from connector.errors import RowConflict, StorageUnavailable
from connector.model.stamps import parse_stamp, stamp_text
from connector.storage import keys
from connector.storage.ports import Entity, Insert, Property, Replace, TableStore

TABLE = "cursors"
POLL, SWEEP, BACKFILL, TRACK = "poll", "sweep", "backfill", "track"

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class PollRecord:
    """How the poll of a feed stands.

    `complete`: BC's clock when the last poll began that read to the end; `expected`: since when (by the storage server's
    clock) changes are found of which no notification told.
    """

    cursor: Cursor = field(default_factory=Cursor)
    complete: datetime | None = None
    expected: datetime | None = None


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """How a sweep stands. `position`: the last id compared, "" between two sweeps; `began`: BC's clock when the present or last
    one began; `completed`: when the last whole one began: everything that was in BC then has been compared since.

    `compared`, `changed`, `calls`, `size` (bytes received) and `cheap` (how many the fingerprint spared) are of the present or
    last sweep; `full`: when the last began that compared every document itself.
    """

    position: str = ""
    began: datetime | None = None
    completed: datetime | None = None
    full: datetime | None = None
    compared: int = 0
    changed: int = 0
    cheap: int = 0
    calls: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class BackfillRecord:
    """How a backfill stands: documents stamped from `since` on, newest first, done down to `position` (None: just begun)."""

    since: datetime
    again: bool = False
    position: datetime | None = None
    read: int = 0
    total: int = 0
    done: bool = False


@dataclass(slots=True)
class Turn(Generic[Record]):
    """A turn that was taken. `record` is the row as it stands; `etag` that of the last write; `previous`: when the turn before
    it began."""

    where: str
    record: Record
    etag: str
    owner: str
    began: datetime | None
    previous: datetime | None = None


@dataclass(frozen=True, slots=True)
class Form(Generic[Record]):
    """How a kind of record is kept: the row's name, its columns, and back."""

    row: str
    empty: Callable[[], Record]
    columns: Callable[[Record], Mapping[str, Property]]
    parse: Callable[[Mapping[str, Property]], Record]


class Cursors:
    """Reads records and takes turns. `where` is the ledger's partition name of the company's entity or feed, or
    `tracked_table`."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def read(self, form: Form[Record], where: str) -> tuple[Record, LastTurn | None]:
        """The record as it stands, and when it was last somebody's turn (None: never)."""
        entity = self._tables.read(TABLE, where, form.row)
        return (form.empty(), None) if entity is None else (form.parse(entity.properties), _last(entity))

    def take(
        self, form: Form[Record], where: str, owner: str, interval: timedelta, *, asked: bool = False
    ) -> Turn[Record] | Literal["held", "not due"]:
        """Takes the turn when it is due or asked for, and nobody has it."""
        entity = self._tables.read(TABLE, where, form.row)
        last = None if entity is None else _last(entity)
        verdict = turn(last, interval, asked=asked)
        if verdict != "take":
            return verdict
        record = form.empty() if entity is None else form.parse(entity.properties)
        began = entity.read_at if entity else None
        taken = Turn(where, record, entity.etag if entity else "", owner, began, last.began if last else None)
        try:
            self.save(form, taken, record)
        except RowConflict:
            return "held"
        if entity is None and (first := self._tables.read(TABLE, where, form.row)) is not None:
            taken.began = first.read_at
        return taken

    def save(self, form: Form[Record], taken: Turn[Record], record: Record) -> None:
        """Writes the record and keeps the turn. Raises `RowConflict` when the turn was lost."""
        self._write(form, taken, record, taken.owner)

    def end(self, form: Form[Record], taken: Turn[Record], record: Record) -> None:
        """Writes the record and gives the turn back. Raises `RowConflict` when the turn was lost."""
        self._write(form, taken, record, "")

    def give_back(self, form: Form[Record], taken: Turn[Record]) -> None:
        """Gives the turn back after a fault, as if it had not begun: the next tick tries again, however long the interval is.

        That it was lost, or that storage does not answer, is no matter: the fault that is under way says more.
        """
        taken.began = taken.previous
        try:
            self.end(form, taken, taken.record)
        except (RowConflict, StorageUnavailable):
            return

    def _write(self, form: Form[Record], taken: Turn[Record], record: Record, owner: str) -> None:
        columns: dict[str, Property] = {
            "owner": owner,
            "turn_began": _text(taken.began),
            **form.columns(record),
        }
        operation = Replace(form.row, columns, taken.etag) if taken.etag else Insert(form.row, columns)
        taken.etag = self._tables.write(TABLE, taken.where, [operation])[0]
        taken.record = record


def tracked_table(table: str, column: str) -> str:
    """The partition of a tracked table's cursor. A company's key holds no blank, so that it is nobody else's."""
    return keys.join("tracked table", table, column)


def _last(entity: Entity) -> LastTurn:
    return LastTurn(
        began=_moment(entity.properties["turn_began"]),
        held=bool(entity.properties["owner"]),
        age=entity.read_at - entity.modified,
        now=entity.read_at,
    )


def _poll_columns(record: PollRecord) -> dict[str, Property]:
    recent = {id_: stamp_text(seen) for id_, seen in record.cursor.recent.items()}
    return {
        "watermark": _text(record.cursor.watermark),
        "recent": json.dumps(recent, separators=(",", ":")),
        "complete": _text(record.complete),
        "expected": _text(record.expected),
    }


def _poll_record(columns: Mapping[str, Property]) -> PollRecord:
    recent = json.loads(str(columns["recent"]))
    return PollRecord(
        Cursor(_moment(columns["watermark"]), {id_: parse_stamp(text) for id_, text in recent.items()}),
        _moment(columns["complete"]),
        _moment(columns["expected"]),
    )


def _sweep_columns(record: SweepRecord) -> dict[str, Property]:
    return {
        "position": record.position,
        "began": _text(record.began),
        "completed": _text(record.completed),
        "full": _text(record.full),
        "compared": record.compared,
        "changed": record.changed,
        "cheap": record.cheap,
        "calls": record.calls,
        "size": record.size,
    }


def _sweep_record(columns: Mapping[str, Property]) -> SweepRecord:
    return SweepRecord(
        position=str(columns["position"]),
        began=_moment(columns["began"]),
        completed=_moment(columns["completed"]),
        full=_moment(columns["full"]),
        compared=_number(columns["compared"]),
        changed=_number(columns["changed"]),
        cheap=_number(columns["cheap"]),
        calls=_number(columns["calls"]),
        size=_number(columns["size"]),
    )


def _backfill_columns(record: BackfillRecord) -> dict[str, Property]:
    return {
        "since": stamp_text(record.since),
        "again": record.again,
        "position": _text(record.position),
        "read": record.read,
        "total": record.total,
        "done": record.done,
    }


def _backfill_record(columns: Mapping[str, Property]) -> BackfillRecord:
    return BackfillRecord(
        since=parse_stamp(str(columns["since"])),
        again=columns["again"] is True,
        position=_moment(columns["position"]),
        read=_number(columns["read"]),
        total=_number(columns["total"]),
        done=columns["done"] is True,
    )


def _track_columns(progress: Progress) -> dict[str, Property]:
    position = progress.position
    return {
        "watermark": _text(progress.watermark),
        "position": _text(position.at if position else None),
        "position_id": position.id if position else "",
        "ceiling": _text(progress.ceiling),
    }


def _track_progress(columns: Mapping[str, Property]) -> Progress:
    at = _moment(columns["position"])
    position = None if at is None else Position(at, str(columns["position_id"]))
    return Progress(_moment(columns["watermark"]), position, _moment(columns["ceiling"]))


def _text(moment: datetime | None) -> str:
    return "" if moment is None else stamp_text(moment)


def _moment(value: Property) -> datetime | None:
    return parse_stamp(str(value)) if value else None


def _number(value: Property) -> int:
    return int(str(value))


POLLS = Form(POLL, PollRecord, _poll_columns, _poll_record)
SWEEPS = Form(SWEEP, SweepRecord, _sweep_columns, _sweep_record)
TRACKS = Form(TRACK, Progress, _track_columns, _track_progress)


def backfills(since: datetime, *, again: bool) -> Form[BackfillRecord]:
    """The form of backfill records; a new one begins with these."""
    return Form(BACKFILL, lambda: BackfillRecord(since, again), _backfill_columns, _backfill_record)
