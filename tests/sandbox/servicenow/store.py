"""The tables' rows: insert, update, delete with system columns, automatic numbers, defaults, unique columns and indexes."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tests.sandbox.servicenow import dictionary
from tests.sandbox.servicenow.schema import Column, Schema, Table
from tests.sandbox.servicenow.values import same, stored

Row = dict[str, str]
SYS_ID = re.compile(r"[0-9a-fA-F]{32}")
WRITTEN_BY_THE_SYSTEM = frozenset(
    {
        "sys_created_on",
        "sys_created_by",
        "sys_updated_on",
        "sys_updated_by",
        "sys_mod_count",
        "sys_tags",
        "sys_class_name",
    }
)


class Duplicate(Exception):
    """A unique column already holds the value."""

    def __init__(self, column: str, value: str) -> None:
        super().__init__(f"Duplicate entry '{value}' for key '{column}'")


class Store:
    """All rows of an instance. Rows handed out are copies; every public method is safe to call from any thread.

    `inserts`, `updates` and `deletes` count per table, whoever writes; a write that changes nothing is not counted.
    """

    def __init__(self, schema: Schema, now: Callable[[], datetime]) -> None:
        self.schema = schema
        self.lock = threading.RLock()
        self.inserts: Counter[str] = Counter()
        self.updates: Counter[str] = Counter()
        self.deletes: Counter[str] = Counter()
        self._now = now
        self._rows: dict[str, dict[str, Row]] = {table.name: {} for table in schema}
        self._indexes: dict[str, dict[str, dict[str, dict[str, None]]]] = {table.name: {} for table in schema}
        self._numbers: Counter[str] = Counter()
        self._watchers: dict[str, list[Callable[[Row], None]]] = {}
        self._made = 0
        self._described: set[str] = set()
        for table in schema:
            self._describe(table)

    def rows(self, table: str) -> list[Row]:
        """Copies of all rows of the table and of the tables that extend it, oldest first."""
        with self.lock:
            return [dict(row) for row in self.scan(table)]

    def scan(self, table: str) -> Iterator[Row]:
        """The live rows of the table's family, for reading under the lock."""
        for member in self.schema.family(table):
            yield from self._rows[member].values()

    def get(self, table: str, sys_id: str) -> Row | None:
        """The live row with this sys_id in the table's family, for reading under the lock."""
        for member in self.schema.family(table):
            row = self._rows[member].get(sys_id)
            if row is not None:
                return row
        return None

    def owner(self, table: str, sys_id: str) -> str | None:
        """The very table of the family that holds the row."""
        return next((member for member in self.schema.family(table) if sys_id in self._rows[member]), None)

    def find(self, table: str, criteria: Mapping[str, str]) -> list[Row]:
        """The live rows whose columns equal the values, case-insensitively, oldest first."""
        found: list[Row] = []
        for member in self.schema.family(table):
            buckets = [self._index(member, column).get(value.casefold(), {}) for column, value in criteria.items()]
            smallest = min(buckets, key=len)
            rows = self._rows[member]
            found += [rows[sys_id] for sys_id in smallest if all(sys_id in bucket for bucket in buckets)]
        return found

    def insert(self, table: str, row: Mapping[str, str], *, by: str = "system") -> str:
        """Adds a row and returns its sys_id. A reference may be given as a sys_id or as the display value."""
        with self.lock:
            columns = self.schema.columns(table)
            for name in row:
                if name not in columns:
                    raise ValueError(f"{table} has no column {name}")
            values = {name: column.default for name, column in columns.items()}
            values |= {name: self._value(columns[name], text) for name, text in row.items()}
            values["sys_id"] = row.get("sys_id") or self._fresh_id(table)
            self._number(table, values)
            self._stamp(table, values, by, created=True)
            if self.owner(table, values["sys_id"]) is not None:
                raise Duplicate("PRIMARY", values["sys_id"])
            self._refuse_duplicates(table, values)
            self._rows[table][values["sys_id"]] = values
            for column, index in self._indexes[table].items():
                index.setdefault(values[column].casefold(), {})[values["sys_id"]] = None
            self.inserts[table] += 1
            self._tell(table, values)
            return values["sys_id"]

    def update(self, table: str, sys_id: str, changes: Mapping[str, str], *, by: str = "system") -> list[str]:
        """Changes columns of a row and returns those whose value really changed; none means nothing was written."""
        with self.lock:
            owner = self.owner(table, sys_id)
            if owner is None:
                raise KeyError(f"{table} has no row {sys_id}")
            columns, row = self.schema.columns(owner), self._rows[owner][sys_id]
            values = {name: self._value(columns[name], text) for name, text in changes.items()}
            values = {name: text for name, text in values.items() if not same(columns[name], row[name], text)}
            if not values:
                return []
            self._refuse_duplicates(owner, {**row, **values})
            changed = list(values)
            self._stamp(owner, values, by, created=False, mod_count=int(row["sys_mod_count"] or 0) + 1)
            self._assign(owner, row, values)
            self.updates[owner] += 1
            self._tell(owner, row)
            return changed

    def delete(self, table: str, sys_id: str) -> bool:
        """Removes a row; False when there is none."""
        with self.lock:
            owner = self.owner(table, sys_id)
            if owner is None:
                return False
            row = self._rows[owner].pop(sys_id)
            for column, index in self._indexes[owner].items():
                index[row[column].casefold()].pop(sys_id, None)
            self.deletes[owner] += 1
            self._tell(owner, row)
            return True

    def derive(self, table: str, sys_id: str, values: Mapping[str, str]) -> None:
        """Sets calculated columns: neither stamped nor counted, and no watcher is told."""
        with self.lock:
            owner = self.owner(table, sys_id)
            if owner is not None:
                self._assign(owner, self._rows[owner][sys_id], values)

    def watch(self, table: str, watcher: Callable[[Row], None]) -> None:
        """Hands the live row to the watcher after each insert, update or delete in this very table."""
        self._watchers.setdefault(table, []).append(watcher)

    def define(self, table: Table) -> None:
        """Adds a table, or gives an existing one other columns; the dictionary tables follow at once."""
        with self.lock:
            self.schema.define(table)
            self._rows.setdefault(table.name, {})
            for member in self.schema.family(table.name):
                self._indexes[member] = {}
                columns = self.schema.columns(member)
                for row in self._rows[member].values():
                    for name, column in columns.items():
                        row.setdefault(name, column.default)
            self._describe(table)

    def remove(self, table: str) -> None:
        """Takes a table away, its rows and what the dictionary tables say of it."""
        with self.lock:
            self.schema.remove(table)
            del self._rows[table], self._indexes[table]
            for name in ("sys_db_object", "sys_dictionary", "sys_documentation", "sys_choice"):
                known = self._rows[name]
                for sys_id in [sys_id for sys_id, row in known.items() if row["name"] == table]:
                    del known[sys_id]
                self._indexes[name] = {}
            self._described.discard(table)

    def display(self, table: str, sys_id: str) -> str:
        """The display value of a record; empty when it is not there."""
        row = self.get(table, sys_id)
        return row[self.schema.display_column(table)] if row else ""

    def seed(self, rows: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
        """Inserts rows table by table, in the given order."""
        for table, entries in rows.items():
            for row in entries:
                self.insert(table, row)

    def generation(self, tables: Iterable[str]) -> int:
        """A number that grows with every write to these tables."""
        return sum(self.inserts[table] + self.updates[table] + self.deletes[table] for table in tables)

    def _tell(self, table: str, row: Row) -> None:
        for watcher in self._watchers.get(table, ()):
            watcher(row)

    def _assign(self, table: str, row: Row, values: Mapping[str, str]) -> None:
        sys_id = row["sys_id"]
        for column, index in self._indexes[table].items():
            if column in values:
                index[row[column].casefold()].pop(sys_id, None)
                index.setdefault(values[column].casefold(), {})[sys_id] = None
        row.update(values)

    def _value(self, column: Column, text: str) -> str:
        if column.type != "reference" or not text:
            return stored(column, text)
        if self.get(column.reference, text) is not None or SYS_ID.fullmatch(text):
            return text
        named = self.find(column.reference, {self.schema.display_column(column.reference): text})
        if not named:
            raise ValueError(f"{column.name}: no record of {column.reference} is called {text!r}")
        return named[0]["sys_id"]

    def _fresh_id(self, table: str) -> str:
        self._made += 1
        return hashlib.md5(f"{table}/{self._made}".encode(), usedforsecurity=False).hexdigest()

    def _number(self, table: str, values: Row) -> None:
        prefix = self.schema.table(table).prefix
        if prefix and not values["number"]:
            self._numbers[table] += 1
            values["number"] = f"{prefix}{10000 + self._numbers[table]:07d}"

    def _stamp(self, table: str, values: Row, by: str, *, created: bool, mod_count: int = 0) -> None:
        moment = self._now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        values |= {"sys_updated_on": moment, "sys_updated_by": by, "sys_mod_count": str(mod_count)}
        if created:
            values |= {"sys_created_on": moment, "sys_created_by": by, "sys_tags": ""}
            if "sys_class_name" in values:
                values["sys_class_name"] = table

    def _refuse_duplicates(self, table: str, values: Row) -> None:
        for column in self.schema.columns(table).values():
            if column.unique and values[column.name]:
                holders = self._index(table, column.name).get(values[column.name].casefold(), {})
                if any(holder != values["sys_id"] for holder in holders):
                    raise Duplicate(column.name, values[column.name])

    def _index(self, table: str, column: str) -> dict[str, dict[str, None]]:
        index = self._indexes[table].get(column)
        if index is None:
            index = self._indexes[table][column] = {}
            for sys_id, row in self._rows[table].items():
                index.setdefault(row[column].casefold(), {})[sys_id] = None
        return index

    def _describe(self, table: Table) -> None:
        for name, rows in dictionary.describe(self.schema, table).items():
            moment = self._now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
            known = self._rows[name]
            if table.name in self._described:
                for sys_id in [sys_id for sys_id, row in known.items() if row["name"] == table.name]:
                    del known[sys_id]
            blank = {column: definition.default for column, definition in self.schema.columns(name).items()}
            stamps = {
                "sys_created_on": moment,
                "sys_updated_on": moment,
                "sys_created_by": "system",
                "sys_updated_by": "system",
            }
            for row in rows:
                known[row["sys_id"]] = {**blank, **stamps, **row}
            self._indexes[name] = {}
        self._described.add(table.name)
