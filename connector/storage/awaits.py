"""Awaits: which documents name an order that may not be in ServiceNow yet, as rows ``w|ORDER NUMBER|id`` beside the orders'
ledger rows. ServiceNow links a document to its order when the document is staged, so what was too early has to be staged, or
staged again, once the order is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector.errors import RowConflict
from connector.model.documents import Entity
from connector.storage import keys
from connector.storage.ledger import TABLE
from connector.storage.ports import MAX_OPERATIONS, Delete, TableStore, Upsert


@dataclass(frozen=True, slots=True)
class Await:
    """One document that waits for one order."""

    order_number: str
    id: str
    entity: Entity
    row: str = ""
    etag: str = ""


class Awaits:
    """The awaits of the orders of one partition (`where`)."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def add(self, where: str, awaits: Iterable[Await]) -> None:
        """Puts them on record."""
        operations = [
            Upsert(
                keys.join("w", one.order_number, one.id),
                {"order_number": one.order_number, "id": one.id, "entity": one.entity.value},
            )
            for one in awaits
        ]
        for start in range(0, len(operations), MAX_OPERATIONS):
            self._tables.write(TABLE, where, operations[start : start + MAX_OPERATIONS])

    def all(self, where: str) -> list[Await]:
        """All that are on record."""
        start, stop = keys.below("w")
        return [
            Await(
                str(row.properties["order_number"]),
                str(row.properties["id"]),
                Entity(str(row.properties["entity"])),
                row.row,
                row.etag,
            )
            for row in self._tables.query(TABLE, where, start=start, stop=stop)
        ]

    def remove(self, where: str, awaits: Iterable[Await]) -> None:
        """Takes them off record; one that is gone already is no matter."""
        for one in awaits:
            try:
                self._tables.write(TABLE, where, [Delete(one.row, one.etag)])
            except RowConflict:
                continue
