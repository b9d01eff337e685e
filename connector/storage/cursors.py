"""The cursors: how far change detection has come, one row per company and entity, moved by compare-and-set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from connector.decisions.watermark import Cursor
from connector.model.stamps import parse_stamp, stamp_text
from connector.storage.ports import Insert, Property, Replace, TableStore

TABLE = "cursors"
ROW = "poll"
SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """How a sweep stands. `position`: the last id compared, "" between two sweeps; `began`: when the present or last one began;
    `completed`: when the last whole one began: everything that was in BC then has been compared since."""

    position: str = ""
    began: datetime | None = None
    completed: datetime | None = None
    compared: int = 0
    changed: int = 0


class Cursors:
    """Reads and moves cursors. `where` is the ledger's partition name."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def read(self, where: str) -> tuple[Cursor, str]:
        """The cursor and its ETag ("" when there is none yet)."""
        entity = self._tables.read(TABLE, where, ROW)
        if entity is None:
            return Cursor(), ""
        recent = json.loads(str(entity.properties["recent"]))
        return (
            Cursor(
                watermark=parse_stamp(str(entity.properties["watermark"])),
                recent={id_: parse_stamp(text) for id_, text in recent.items()},
            ),
            entity.etag,
        )

    def read_sweep(self, where: str) -> tuple[SweepRecord, str]:
        """The record of the sweep and its ETag ("" when there is none yet)."""
        entity = self._tables.read(TABLE, where, SWEEP)
        if entity is None:
            return SweepRecord(), ""
        columns = entity.properties
        return (
            SweepRecord(
                position=str(columns["position"]),
                began=_moment(columns["began"]),
                completed=_moment(columns["completed"]),
                compared=int(str(columns["compared"])),
                changed=int(str(columns["changed"])),
            ),
            entity.etag,
        )

    def move_sweep(self, where: str, record: SweepRecord, etag: str) -> None:
        """Writes the record if nobody else has since `etag`. Raises `RowConflict`."""
        properties: dict[str, Property] = {
            "position": record.position,
            "began": stamp_text(record.began) if record.began else "",
            "completed": stamp_text(record.completed) if record.completed else "",
            "compared": record.compared,
            "changed": record.changed,
        }
        operation = Replace(SWEEP, properties, etag) if etag else Insert(SWEEP, properties)
        self._tables.write(TABLE, where, [operation])

    def move(self, where: str, cursor: Cursor, etag: str) -> str:
        """Writes the cursor if nobody else has since `etag`; the new ETag. Raises `RowConflict`."""
        assert cursor.watermark is not None, "a cursor moves to a stamp"  # noqa: S101
        recent = {id_: stamp_text(seen) for id_, seen in cursor.recent.items()}
        properties = {
            "watermark": stamp_text(cursor.watermark),
            "recent": json.dumps(recent, separators=(",", ":")),
        }
        operation = Replace(ROW, properties, etag) if etag else Insert(ROW, properties)
        return self._tables.write(TABLE, where, [operation])[0]


def _moment(value: Property) -> datetime | None:
    return parse_stamp(str(value)) if value else None
