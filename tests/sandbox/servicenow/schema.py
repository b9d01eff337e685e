"""What tables and columns exist: the one description that drives storage, coercion, queries and the dictionary tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

UPPER_CASE_WORDS = {"erp": "ERP", "po": "PO", "gl": "GL", "id": "ID", "uom": "UOM"}
NUMERIC_TYPES = frozenset({"integer", "decimal"})


@cache
def label_of(name: str) -> str:
    """The label a column name stands for: ``u_erp_po_number`` is "ERP PO number"."""
    words = [UPPER_CASE_WORDS.get(word, word) for word in name.removeprefix("u_").split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


@dataclass(frozen=True)
class Column:
    """One column. `choices` are (value, label) pairs; `display` marks the column that names the record.

    `calculated` columns are worked out by the instance: what a client or a map sends for them is dropped.
    """

    name: str
    type: str = "string"
    max_length: int = 40
    label: str = ""
    mandatory: bool = False
    reference: str = ""
    unique: bool = False
    default: str = ""
    display: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    calculated: bool = False

    @property
    def title(self) -> str:
        """The label shown to people."""
        return self.label or label_of(self.name)

    @property
    def numeric(self) -> bool:
        """Whether values compare as numbers."""
        return self.type in NUMERIC_TYPES


@dataclass(frozen=True)
class Table:
    """One table with its own columns (not the inherited ones). `prefix` starts its automatic numbers."""

    name: str
    columns: tuple[Column, ...]
    label: str = ""
    extends: str = ""
    prefix: str = ""
    scope: str = "global"

    @property
    def title(self) -> str:
        """The label shown to people."""
        return self.label or label_of(self.name)

    def with_column(self, column: Column) -> Table:
        """The same table with the column added, or replaced where one of that name exists."""
        others = [known for known in self.columns if known.name != column.name]
        return replace(self, columns=(*others, column))


def reference(name: str, table: str, *, label: str = "") -> Column:
    """A reference column."""
    return Column(name, type="reference", max_length=32, reference=table, label=label)


SYSTEM_COLUMNS = (
    Column("sys_id", type="GUID", max_length=32, label="Sys ID"),
    Column("sys_created_on", type="glide_date_time", label="Created"),
    Column("sys_created_by", label="Created by"),
    Column("sys_updated_on", type="glide_date_time", label="Updated"),
    Column("sys_updated_by", label="Updated by"),
    Column("sys_mod_count", type="integer", label="Updates", default="0"),
    Column("sys_tags", label="Tags"),
)
CLASS_COLUMN = Column("sys_class_name", max_length=80, label="Class")


class Schema:
    """All tables, with inheritance worked out. A table's definition may be replaced while the sandbox runs."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._columns: dict[str, dict[str, Column]] = {}
        self._families: dict[str, list[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[Table]:
        return iter(list(self._tables.values()))

    def table(self, name: str) -> Table:
        """The definition of a table that exists."""
        return self._tables[name]

    def define(self, table: Table) -> None:
        """Adds a table or replaces its definition."""
        self._tables[table.name] = table
        self._columns.clear()
        self._families.clear()

    def remove(self, name: str) -> None:
        """Takes a table away."""
        del self._tables[name]
        self._columns.clear()
        self._families.clear()

    def own_columns(self, name: str) -> tuple[Column, ...]:
        """The columns the dictionary lists under this table's own name."""
        table = self._tables[name]
        if table.extends:
            return table.columns
        parents = {other.extends for other in self._tables.values()}
        return (*SYSTEM_COLUMNS, *((CLASS_COLUMN,) if name in parents else ()), *table.columns)

    def columns(self, name: str) -> dict[str, Column]:
        """Every column of a table by name, inherited ones first."""
        known = self._columns.get(name)
        if known is None:
            parent = self._tables[name].extends
            known = dict(self.columns(parent)) if parent else {}
            known |= {column.name: column for column in self.own_columns(name)}
            self._columns[name] = known
        return known

    def family(self, name: str) -> list[str]:
        """The table and every table that extends it, at any depth."""
        known = self._families.get(name)
        if known is None:
            children = [table.name for table in self._tables.values() if table.extends == name]
            known = self._families[name] = [name, *(member for child in children for member in self.family(child))]
        return known

    def extends(self, name: str, ancestor: str) -> bool:
        """Whether the table is a descendant of `ancestor`."""
        parent = self._tables[name].extends
        return bool(parent) and (parent == ancestor or self.extends(parent, ancestor))

    def display_column(self, name: str) -> str:
        """The column that names a record of the table; without one, its sys_id does."""
        return next((column.name for column in self.columns(name).values() if column.display), "sys_id")

    def walk(self, name: str, path: str) -> list[Column] | None:
        """The columns along a dotted path, or None when the path leads nowhere."""
        columns: list[Column] = []
        table = name
        for step in path.split("."):
            column = self.columns(table).get(step) if table in self._tables else None
            if column is None:
                return None
            columns.append(column)
            table = column.reference
        return columns
