"""The three shapes of a record in an answer, dotted columns and reference links.

Source: REST API reference, Table API, sysparm_display_value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.sandbox.servicenow.access import Access, User
from tests.sandbox.servicenow.choices import choices_of
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.store import Row, Store

STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Shape:
    """How values are shown: `values` is ``false``, ``true`` or ``all``; `links` whether references carry a link."""

    values: str = "false"
    links: bool = True


@dataclass(frozen=True)
class _Field:
    key: str
    steps: tuple[Column, ...]
    column: Column
    labels: dict[str, str]
    blank: bool


class Renderer:
    """Shows rows of one table to one user, with the columns asked for (none asked: all)."""

    def __init__(
        self,
        store: Store,
        access: Access,
        user: User,
        table: str,
        fields: Sequence[str],
        shape: Shape,
        instance_url: str,
        *,
        blank_unreadable: bool = False,
    ) -> None:
        self._store = store
        self._blank_unreadable = blank_unreadable
        self._shape = shape
        self._instance_url = instance_url
        self._zone = ZoneInfo(user.time_zone)
        paths = [path for path in fields if path] or list(store.schema.columns(table))
        self._fields = [field for path in paths if (field := self._field(access, user, table, path)) is not None]

    def record(self, row: Row) -> dict[str, Any]:
        """The row as a JSON object."""
        return {field.key: self._value(field, row) for field in self._fields}

    def _field(self, access: Access, user: User, table: str, path: str) -> _Field | None:
        columns = self._store.schema.walk(table, path)
        if columns is None:
            return None
        *steps, last = columns
        owner = table
        for column in columns:
            if not access.column_allowed(user, "read", owner, column.name):
                return None
            holder, owner = owner, column.reference
        labels = {row["value"]: row["label"] for row in choices_of(self._store, holder, last.name)}
        # What the caller may not read shows empty, and so does everything behind it.
        blank = self._blank_unreadable and any(
            column.reference and not access.allowed(user, "read", column.reference) for column in columns
        )
        return _Field(path, tuple(steps), last, labels, blank)

    def _value(self, field: _Field, row: Row) -> Any:
        current: Row | None = None if field.blank else row
        for step in field.steps:
            current = self._store.get(step.reference, current[step.name]) if current is not None else None
        value = current[field.column.name] if current is not None else ""
        if field.column.type == "password":
            value = ""
        if field.column.type == "reference":
            return self._reference(field.column, value)
        if self._shape.values == "false":
            return value
        shown = self._shown(field, value)
        return shown if self._shape.values == "true" else {"display_value": shown, "value": value}

    def _reference(self, column: Column, value: str) -> Any:
        shape = self._shape
        if not value:
            return {"display_value": "", "value": ""} if shape.values == "all" else ""
        link = {"link": f"{self._instance_url}/api/now/table/{column.reference}/{value}"} if shape.links else {}
        if shape.values == "false":
            return {**link, "value": value} if link else value
        shown = self._store.display(column.reference, value)
        if shape.values == "all":
            return {"display_value": shown, **link, "value": value}
        return {"display_value": shown, **link} if link else shown

    def _shown(self, field: _Field, value: str) -> str:
        if field.column.type == "glide_date_time" and value:
            return in_zone(value, UTC, self._zone)
        return field.labels.get(value, value)


def in_zone(value: str, source: Any, target: Any) -> str:
    """A date-time text moved from one time zone to another."""
    return datetime.strptime(value, STAMP).replace(tzinfo=source).astimezone(target).strftime(STAMP)
