"""The fingerprints of documents as the last sweep saw them: rows ``f|id`` beside their ledger rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.errors import RowConflict
from connector.storage import keys
from connector.storage.ledger import TABLE
from connector.storage.ports import MAX_OPERATIONS, Delete, Operation, TableStore, Upsert


class Fingerprints:
    """The fingerprints of one partition (`where`)."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def all(self, where: str) -> dict[str, str]:
        """By document id."""
        start, stop = keys.below("f")
        rows = self._tables.query(TABLE, where, start=start, stop=stop)
        return {str(row.properties["id"]): str(row.properties["hash"]) for row in rows}

    def keep(self, where: str, prints: Mapping[str, str]) -> None:
        """Puts them on record, whatever was there."""
        rows = [Upsert(keys.join("f", id_), {"id": id_, "hash": text}) for id_, text in sorted(prints.items())]
        for start in range(0, len(rows), MAX_OPERATIONS):
            operations: list[Operation] = list(rows[start : start + MAX_OPERATIONS])
            self._tables.write(TABLE, where, operations)

    def forget(self, where: str, ids: Iterable[str]) -> None:
        """Takes those off record whose documents are gone."""
        for id_ in ids:
            row = self._tables.read(TABLE, where, keys.join("f", id_))
            if row is None:
                continue
            try:
                self._tables.write(TABLE, where, [Delete(row.row, row.etag)])
            except RowConflict:
                continue
