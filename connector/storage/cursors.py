"""The cursors: how far change detection has come, one row per company and entity, moved by compare-and-set."""

from __future__ import annotations

import json

from connector.decisions.watermark import Cursor
from connector.model.stamps import parse_stamp, stamp_text
from connector.storage.ports import Insert, Replace, TableStore

TABLE = "cursors"
ROW = "poll"


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
