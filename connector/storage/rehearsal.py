"""Storage of a rehearsal: tables that are read through to the real ones and written in memory over them, and queues that keep
what they are given. Nothing reaches the real storage.

A rehearsal runs the very code of a real run, which must meet the same rules here: conflicts by ETag, transactions that happen
whole or not at all, and the limits of a row. What others write meanwhile shows, except where this rehearsal has written.
"""

from __future__ import annotations

import heapq
import itertools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from connector.errors import RowConflict, SettingsFault
from connector.ports import Clock
from connector.storage.azure_rows import column, literal, to_row
from connector.storage.ports import (
    MAX_OPERATIONS,
    Condition,
    Delete,
    Entity,
    Insert,
    Operation,
    Property,
    Replace,
    Sent,
    TableStore,
    Upsert,
)

MAX_CONDITIONS = 11
MAX_TRANSACTION = 4 * 1024 * 1024
MAX_ENTITY = 1024 * 1024
MAX_UNITS = 32 * 1024
"""UTF-16 units of one text."""
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}


class OverlayTables:
    """The tables of `under`, with whatever is written here over them: for one thread, and forgotten with this object.

    `clock` stamps the rows written here; rows of `under` keep their server's stamps. A table that is missing there is missing
    here as well, unless `ensure` was asked to make it.
    """

    def __init__(self, under: TableStore, clock: Clock) -> None:
        self._under = under
        self._clock = clock
        # None: deleted here.
        self._over: dict[tuple[str, str], dict[str, Entity | None]] = defaultdict(dict)
        self._made: set[str] = set()
        self._met: set[str] = set()
        self._numbers = itertools.count(1)

    def ensure(self, table: str) -> None:
        """Has the table here, wherever else it is missing."""
        self._made.add(table.lower())

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        """One row, or None."""
        over = self._over[table.lower(), partition]
        if row not in over:
            return self._read_under(table, partition, row)
        found = over[row]
        return None if found is None else replace(found, read_at=self._date())

    def query(
        self,
        table: str,
        partition: str,
        *,
        start: str,
        stop: str,
        where: Sequence[Condition] = (),
        limit: int | None = None,
    ) -> Iterator[Entity]:
        """Rows of one partition with start <= row key < stop, in row-key order, at most `limit` of them."""
        if len(where) > MAX_CONDITIONS:
            raise ValueError(f"a query holds {MAX_CONDITIONS} conditions, not {len(where)}")
        if limit is not None and limit < 1:
            raise ValueError(f"a query brings at least one row, not {limit}")
        for condition in where:
            column(condition.name)
            literal(condition.value)
        return itertools.islice(self._merged(table, partition, start, stop, where, limit), limit)

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """All operations or none, 1 to 100 of them, each row once; the new ETags in order ("" for a deletion).

        Raises `RowConflict` with the index of the operation that lost; `ValueError` for what storage cannot take.
        """
        if not 1 <= len(operations) <= MAX_OPERATIONS:
            raise ValueError(f"a transaction has 1 to {MAX_OPERATIONS} operations, not {len(operations)}")
        if len({operation.row for operation in operations}) < len(operations):
            raise ValueError("a row occurs once in a transaction")
        for operation in operations:
            _check(partition, operation)
        if sum(map(_wire_size, operations)) >= MAX_TRANSACTION:
            raise ValueError("a transaction stays below 4 MiB")
        for index, operation in enumerate(operations):
            if not self._holds(table, partition, operation):
                raise RowConflict(index, operation.row)
        return [self._apply(table, partition, operation) for operation in operations]

    def _merged(
        self, table: str, partition: str, start: str, stop: str, where: Sequence[Condition], limit: int | None
    ) -> Iterator[Entity]:
        low, high = _order(start), _order(stop)
        over = {row: found for row, found in self._over[table.lower(), partition].items() if low <= _order(row) < high}
        date = self._date()
        here = [replace(found, read_at=date) for found in over.values() if found is not None]
        here = sorted((found for found in here if _meets(found, where)), key=lambda found: _order(found.row))
        # Each row written here hides at most one of those below.
        most = None if limit is None else limit + len(over)
        below = self._query_under(table, partition, start, stop, where, most)
        below = (found for found in below if found.row not in over)
        return heapq.merge(below, here, key=lambda found: _order(found.row))

    def _read_under(self, table: str, partition: str, row: str) -> Entity | None:
        try:
            found = self._under.read(table, partition, row)
        except SettingsFault:
            if table.lower() in self._made:
                return None
            raise
        self._met.add(table.lower())
        return found

    def _query_under(
        self, table: str, partition: str, start: str, stop: str, where: Sequence[Condition], limit: int | None
    ) -> Iterator[Entity]:
        try:
            yield from self._under.query(table, partition, start=start, stop=stop, where=where, limit=limit)
        except SettingsFault:
            if table.lower() not in self._made:
                raise

    def _holds(self, table: str, partition: str, operation: Operation) -> bool:
        if isinstance(operation, Upsert) and table.lower() in self._made | self._met:
            return True
        current = self.read(table, partition, operation.row)
        match operation:
            case Upsert():
                return True
            case Insert():
                return current is None
            case Replace() | Delete():
                return current is not None and current.etag == operation.etag

    def _apply(self, table: str, partition: str, operation: Operation) -> str:
        over = self._over[table.lower(), partition]
        if isinstance(operation, Delete):
            over[operation.row] = None
            return ""
        etag = f'W/"rehearsal{next(self._numbers)}"'
        columns = {name: _kept(value) for name, value in operation.properties.items()}
        over[operation.row] = Entity(partition, operation.row, columns, etag, self._clock.now(), self._date())
        return etag

    def _date(self) -> datetime:
        # As the Date header of an answer, which has no fractions.
        return self._clock.now().replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that was to be sent."""

    queue: str
    text: str
    delay_seconds: float


class SilentQueues:
    """Takes messages and sends none. Nothing ever waits in them for others."""

    def __init__(self) -> None:
        self._kept: list[Kept] = []
        self._numbers = itertools.count(1)

    def ensure(self, queue: str) -> None:
        """Nothing has to be there."""

    def send(self, queue: str, text: str, *, delay_seconds: float = 0) -> Sent:
        """Keeps the message."""
        self._kept.append(Kept(queue, text, delay_seconds))
        number = next(self._numbers)
        return Sent(f"rehearsal{number}", f"receipt{number}")

    def delete(self, queue: str, sent: Sent) -> bool:  # noqa: ARG002 - the interface's
        """Says that the message is gone; the real one stays where it is."""
        return True

    def count(self, queue: str) -> int:  # noqa: ARG002 - the interface's
        """None."""
        return 0

    def take(self) -> list[Kept]:
        """The messages kept since this was last asked, the oldest first."""
        kept, self._kept = self._kept, []
        return kept


def _meets(row: Entity, where: Sequence[Condition]) -> bool:
    system: Mapping[str, Property] = {"PartitionKey": row.partition, "RowKey": row.row, "Timestamp": row.modified}
    for condition in where:
        there, asked = system.get(condition.name, row.properties.get(condition.name)), _kept(condition.value)
        if there is None or type(there) is not type(asked):
            return False
        pair = (_order(there), _order(asked)) if isinstance(there, str) and isinstance(asked, str) else (there, asked)
        if not _COMPARE[condition.comparison](*pair):
            return False
    return True


def _kept(value: Property) -> Property:
    """The value as storage gives it back."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return str.__str__(value) if isinstance(value, str) else value


def _order(text: str) -> bytes:
    # Storage orders and compares by UTF-16 units, not by code points.
    return text.encode("utf-16-be", "surrogatepass")


def _columns(operation: Operation) -> Mapping[str, Property]:
    return {} if isinstance(operation, Delete) else operation.properties


def _check(partition: str, operation: Operation) -> None:
    """Raises `ValueError` for a row that storage does not take."""
    to_row(partition, operation)
    size = 0
    for name, value in _columns(operation).items():
        units = len(_order(value)) // 2 if isinstance(value, str) else 4
        if units > MAX_UNITS:
            raise ValueError(f"the text in {name} is over 64 KiB")
        size += 8 + 2 * len(name) + 2 * units
    if size > MAX_ENTITY:
        raise ValueError("a row is over 1 MiB")


def _wire_size(operation: Operation) -> int:
    """About the operation's share of the request's body."""
    texts = [text for name, value in _columns(operation).items() for text in (name, str(value))]
    return 500 + sum(len(text.encode()) for text in texts)
