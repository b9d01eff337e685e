"""Rows of Azure Table Storage: the port's operations, values and conditions as the SDK takes them, and back.

What storage would refuse or silently change is refused here, before the wire.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from azure.data.tables import EdmType, EntityProperty, TableEntity

from connector.errors import StorageUnavailable
from connector.storage.keys import require_legal
from connector.storage.ports import Delete, Entity, Operation, Property, Replace

_OLDEST = datetime(1601, 1, 1, tzinfo=UTC)
_SYSTEM_COLUMNS = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def to_row(partition: str, operation: Operation) -> dict[str, Any]:
    """The operation's row for the SDK; `ValueError` for a column, key or ETag that storage does not take."""
    row: dict[str, Any] = {}
    if isinstance(operation, Replace | Delete) and operation.etag in ("", "*"):
        raise ValueError("a conditional write needs the ETag that was read")
    if not isinstance(operation, Delete):
        row = {column(name): _stored(value) for name, value in operation.properties.items()}
    if not _SYSTEM_COLUMNS.isdisjoint(row):
        raise ValueError(f"columns {', '.join(sorted(_SYSTEM_COLUMNS))} are storage's own")
    return row | {"PartitionKey": require_legal(partition), "RowKey": require_legal(operation.row)}


def column(name: str) -> str:
    """The name itself; `ValueError` when no column can have it."""
    if not _COLUMN.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a column: letters, digits and _, at most 255")
    return name


def _stored(value: Property) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} does not fit 64 bits")
        return EntityProperty(int(value), EdmType.INT64)
    if isinstance(value, datetime):
        return _utc(value)
    value.encode("utf-8")  # half a surrogate pair has no place in a JSON body: an error here, not at the server
    return str.__str__(value)  # the SDK takes no subclass of str


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time in storage is aware")
    if value < _OLDEST:
        raise ValueError("the oldest time in storage is 1601-01-01")
    return value.astimezone(UTC)


def literal(value: Property) -> str:
    """The value as a filter of a query writes it."""
    stored = _stored(value)
    if isinstance(stored, bool):
        return str(stored).lower()
    if isinstance(stored, EntityProperty):
        return f"{stored.value}L"
    if isinstance(stored, datetime):
        return f"datetime'{stored:%Y-%m-%dT%H:%M:%S.%fZ}'"
    quoted = stored.replace("'", "''")
    return f"'{quoted}'"


def to_entity(row: TableEntity, read_at: datetime) -> Entity:
    """The row as the port shows it."""
    etag, modified = row.metadata["etag"], row.metadata["timestamp"]
    if etag is None or modified is None:
        raise StorageUnavailable("a row came without its ETag or Timestamp")
    columns = {name: _property(value) for name, value in row.items() if name not in _SYSTEM_COLUMNS}
    return Entity(row["PartitionKey"], row["RowKey"], columns, etag, _plain_time(modified), read_at)


def _property(value: Any) -> Property:
    if isinstance(value, EntityProperty):
        return int(value.value)
    if isinstance(value, datetime):
        return _plain_time(value)
    # Other types come only from other programs: shown as text.
    return value if isinstance(value, str | int | bool) else str(value)


def _plain_time(value: datetime) -> datetime:
    return datetime.combine(value.date(), value.timetz())
