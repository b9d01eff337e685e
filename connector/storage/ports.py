"""What the connector asks of Azure Table and Queue Storage, as two ports.

Two implementations exist: Azure's own services (`azure_tables`, `azure_queues`) and, in the tests' sandbox, an in-memory
one with the same semantics. One contract suite runs on both. Every limit named here is Azure's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Property = str | int | bool | datetime
"""A column's value. Text at most 32,768 UTF-16 units (64 KiB); int is stored as Int64; datetime is aware, UTC."""

MAX_OPERATIONS = 100
"""Operations in one entity-group transaction."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One stored row. `modified` is the server's own stamp of the last write, `read_at` the Date header (whole seconds)
    of the answer that brought it: their difference is the row's age by the server's clock alone."""

    partition: str
    row: str
    properties: Mapping[str, Property]
    etag: str
    modified: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Insert:
    """Creates the row; conflicts when it exists."""

    row: str
    properties: Mapping[str, Property]


@dataclass(frozen=True, slots=True)
class Replace:
    """Writes the whole row anew (columns left out are gone); conflicts when its ETag is another or it does not exist."""

    row: str
    properties: Mapping[str, Property]
    etag: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Writes the whole row, whether it exists or not."""

    row: str
    properties: Mapping[str, Property]


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes the row; conflicts when its ETag is another or it does not exist."""

    row: str
    etag: str


Operation = Insert | Replace | Upsert | Delete


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one column with a value; a row without the column does not match. Conditions are ANDed."""

    name: str
    comparison: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    value: Property


class TableStore(Protocol):
    """Tables. Keys are legal already (see `keys`). Any method raises `StorageUnavailable`; a table that does not exist
    is an error of the set-up, not an empty table."""

    def ensure(self, table: str) -> None:
        """Creates the table when it is missing."""
        ...

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        """One row, or None."""
        ...

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
        """Rows of one partition with start <= row key < stop, in row-key order, at most `limit` of them.

        At most 11 conditions (a filter holds 15 comparisons, four are the keys'). The server cuts pages at 1,000 rows;
        the iterator goes on by itself.
        """
        ...

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """All operations or none, 1 to 100 of them, each row once; the new ETags in order ("" for a deletion).

        Raises `RowConflict` with the index of the operation that lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in a queue, as the one who put it there can address it."""

    message_id: str
    pop_receipt: str


class QueueStore(Protocol):
    """Queues of text messages, base64 on the wire. Messages never expire. Any method raises `StorageUnavailable`."""

    def ensure(self, queue: str) -> None:
        """Creates the queue when it is missing."""
        ...

    def send(self, queue: str, text: str, *, delay_seconds: float = 0) -> Sent:
        """Adds a message that becomes visible after the delay (rounded up to seconds, at most 7 days), never expires."""
        ...

    def delete(self, queue: str, sent: Sent) -> bool:
        """Removes exactly that message; False when it is gone or was taken by somebody since."""
        ...

    def count(self, queue: str) -> int:
        """About how many messages are there, visible or not."""
        ...
