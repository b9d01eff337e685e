"""`TableStore` in memory: ETags, all-or-nothing transactions, limits and the server's stamps as in Azure Table Storage.

Deterministic: ETags are counted. Limits are those of "Scalability and performance targets for Table storage" and
"Understanding the Table service data model"; they are written out here again, not taken from the product, so that a
mistake there shows.
"""

from __future__ import annotations

import bisect
import itertools
import operator
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connector.errors import RowConflict, SettingsFault
from connector.ports import Clock
from connector.storage.ports import Condition, Delete, Entity, Insert, Operation, Property, Replace

PAGE = 1_000
_MAX_TRANSACTION = 4 * 1024 * 1024
_MAX_ENTITY = 1024 * 1024
_MAX_UNITS = 32 * 1024
_MAX_KEY_UNITS = 512
_MAX_COLUMNS = 252
_MAX_COMPARISONS = 15
_OLDEST = datetime(1601, 1, 1, tzinfo=UTC)
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}


class _Partition:
    """Rows by key, and their keys in storage's order."""

    def __init__(self) -> None:
        self.rows: dict[str, Entity] = {}
        self.order: list[tuple[bytes, str]] = []

    def put(self, row: Entity) -> None:
        if row.row not in self.rows:
            bisect.insort(self.order, (_order(row.row), row.row))
        self.rows[row.row] = row

    def remove(self, row: str) -> None:
        del self.rows[row]
        del self.order[bisect.bisect_left(self.order, (_order(row), row))]

    def between(self, low: bytes, high: bytes) -> Iterator[Entity]:
        for place in range(bisect.bisect_left(self.order, (low, "")), len(self.order)):
            order, row = self.order[place]
            if order >= high:
                return
            yield self.rows[row]


_Table = dict[str, _Partition]


class MemoryTables:
    """Tables that live as long as this object; `clock` is the server's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: dict[str, _Table] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def ensure(self, table: str) -> None:
        """Creates the table when it is missing."""
        if not _TABLE.fullmatch(table):
            raise ValueError(f"{table!r} is no name for a table")
        with self._lock:
            # Names are kept as given but compared without case.
            self._tables.setdefault(table.lower(), {})

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        """One row, or None."""
        _key(partition)
        _key(row)
        with self._lock:
            found = self._partition(table, partition).rows.get(row)
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
        # Four comparisons are the keys': the port promises no more than eleven beside them.
        if len(where) + 4 > _MAX_COMPARISONS:
            raise ValueError(f"a filter with {len(where) + 4} comparisons")
        if limit is not None and limit < 1:
            raise ValueError(f"a query for {limit} rows")
        for condition in where:
            _column(condition.name)
            _value(condition.value)
        return self._pages(table, partition, start, stop, where, limit)

    def _pages(
        self, table: str, partition: str, start: str, stop: str, where: Sequence[Condition], limit: int | None
    ) -> Iterator[Entity]:
        # Page by page as the service does it: what is written between two pages shows in the second.
        low, high, left = _order(start), _order(stop), limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            with self._lock:
                rows = self._partition(table, partition).between(low, high)
                met = (found for found in rows if all(_meets(found, condition) for condition in where))
                page = [replace(found, read_at=self._date()) for found in itertools.islice(met, size)]
            yield from page
            if len(page) < PAGE:
                return
            # The smallest key after the last one sent.
            low = _order(page[-1].row + "\0")
            left = None if left is None else left - len(page)

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """All operations or none; the new ETags in order ("" for a deletion)."""
        if not 1 <= len(operations) <= 100:
            raise ValueError(f"{len(operations)} operations in a transaction")
        if len({operation.row for operation in operations}) < len(operations):
            raise ValueError("a row twice in a transaction")
        for operation in operations:
            _check(partition, operation)
        if sum(_wire_size(operation) for operation in operations) >= _MAX_TRANSACTION:
            raise ValueError("a transaction of 4 MiB or more")
        with self._lock:
            there = self._partition(table, partition)
            for index, operation in enumerate(operations):
                if not _holds(there.rows.get(operation.row), operation):
                    raise RowConflict(index, operation.row)
            return [self._apply(there, partition, operation) for operation in operations]

    def rows(self, table: str) -> tuple[Entity, ...]:
        """Every row of the table, by partition and row key; empty when there is no such table."""
        with self._lock:
            there = self._tables.get(table.lower(), {})
            partitions = [there[name] for name in sorted(there, key=_order)]
            return tuple(found.rows[row] for found in partitions for _, row in found.order)

    def tables(self) -> tuple[str, ...]:
        """The names of all tables, in small letters."""
        with self._lock:
            return tuple(sorted(self._tables))

    def _partition(self, table: str, partition: str) -> _Partition:
        if table.lower() not in self._tables:
            raise SettingsFault(f"table {table} does not exist")
        return self._tables[table.lower()].setdefault(partition, _Partition())

    def _apply(self, there: _Partition, partition: str, operation: Operation) -> str:
        if isinstance(operation, Delete):
            there.remove(operation.row)
            return ""
        etag = f'W/"{next(self._numbers):08d}"'
        columns = {name: _value(value) for name, value in operation.properties.items()}
        there.put(Entity(partition, operation.row, columns, etag, self._clock.now(), self._date()))
        return etag

    def _date(self) -> datetime:
        # The Date header has no fractions.
        return self._clock.now().replace(microsecond=0)


def _holds(current: Entity | None, operation: Operation) -> bool:
    match operation:
        case Insert():
            return current is None
        case Replace() | Delete():
            return current is not None and current.etag == operation.etag
        case _:
            return True


def _meets(row: Entity, condition: Condition) -> bool:
    system: Mapping[str, Property] = {"PartitionKey": row.partition, "RowKey": row.row, "Timestamp": row.modified}
    there = system.get(condition.name, row.properties.get(condition.name))
    asked = condition.value
    if there is None or type(there) is not type(asked):
        return False
    if isinstance(there, str) and isinstance(asked, str):
        return _COMPARE[condition.comparison](_order(there), _order(asked))
    return _COMPARE[condition.comparison](there, asked)


def _order(text: str) -> bytes:
    # Storage orders and compares by UTF-16 units, not by code points.
    return text.encode("utf-16-be", "surrogatepass")


def _units(text: str) -> int:
    return len(_order(text)) // 2


def _key(text: str) -> None:
    if any(character in "/\\#?" or ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F for character in text):
        raise ValueError(f"{text!r} is no key")
    text.encode("utf-8")
    if _units(text) > _MAX_KEY_UNITS:
        raise ValueError("a key over 1 KiB")


def _column(name: str) -> None:
    if not _COLUMN.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a column")


def _value(value: Property) -> Property:
    match value:
        case bool():
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"{value} does not fit 64 bits")
            return int(value)
        case datetime():
            if value.tzinfo is None or value < _OLDEST:
                raise ValueError(f"{value} is no time for storage")
            return value.astimezone(UTC)
        case _:
            value.encode("utf-8")
            if _units(value) > _MAX_UNITS:
                raise ValueError("a text over 64 KiB")
            return str.__str__(value)


def _check(partition: str, operation: Operation) -> None:
    _key(partition)
    _key(operation.row)
    if isinstance(operation, Replace | Delete) and operation.etag in ("", "*"):
        raise ValueError("a conditional write without an ETag")
    if isinstance(operation, Delete):
        return
    if len(operation.properties) > _MAX_COLUMNS:
        raise ValueError(f"{len(operation.properties)} columns in a row")
    # The formula of "How the size of an entity is calculated in Windows Azure table storage".
    size = 4 + 2 * (_units(partition) + _units(operation.row))
    for name, value in operation.properties.items():
        _column(name)
        if name in ("PartitionKey", "RowKey", "Timestamp"):
            raise ValueError(f"column {name} is storage's own")
        size += 8 + 2 * len(name) + _width(_value(value))
    if size > _MAX_ENTITY:
        raise ValueError("a row over 1 MiB")


def _width(value: Property) -> int:
    if isinstance(value, str):
        return 2 * _units(value) + 4
    return 1 if isinstance(value, bool) else 8


def _wire_size(operation: Operation) -> int:
    """About the operation's share of the request's body."""
    columns = {} if isinstance(operation, Delete) else operation.properties
    texts = [value if isinstance(value, str) else str(value) for value in columns.values()]
    return 500 + sum(len(text.encode("utf-8")) for text in (*columns, *texts))
