"""The dictionary tables' rows, derived from the schema, so that description and behaviour cannot disagree."""

from __future__ import annotations

import hashlib

from tests.sandbox.servicenow.schema import Column, Schema, Table

# Rows of these tables are derived: nobody can write them, not even an administrator.
DERIVED = frozenset({"sys_db_object", "sys_dictionary", "sys_documentation"})
Rows = list[dict[str, str]]


def describe(schema: Schema, table: Table) -> dict[str, Rows]:
    """The rows of each dictionary table about one table (its choices included)."""
    columns = schema.own_columns(table.name)
    return {
        "sys_db_object": [_object(table)],
        "sys_dictionary": [_collection(table), *(_entry(table, column) for column in columns)],
        "sys_documentation": [
            _label(table, "", table.title),
            *(_label(table, column.name, column.title) for column in columns),
        ],
        "sys_choice": [row for column in columns for row in _choices(table, column)],
    }


def identity(*parts: str) -> str:
    """A sys_id that depends on the parts only."""
    return hashlib.md5("/".join(parts).encode(), usedforsecurity=False).hexdigest()


def _object(table: Table) -> dict[str, str]:
    return {
        "sys_id": identity("sys_db_object", table.name),
        "name": table.name,
        "label": table.title,
        "super_class": identity("sys_db_object", table.extends) if table.extends else "",
        "sys_scope": identity("sys_scope", table.scope),
    }


def _collection(table: Table) -> dict[str, str]:
    return {
        "sys_id": identity("sys_dictionary", table.name, ""),
        "name": table.name,
        "column_label": table.title,
        "internal_type": "collection",
    }


def _entry(table: Table, column: Column) -> dict[str, str]:
    return {
        "sys_id": identity("sys_dictionary", table.name, column.name),
        "name": table.name,
        "element": column.name,
        "column_label": column.title,
        "internal_type": column.type,
        "max_length": str(column.max_length),
        "mandatory": _flag(column.mandatory),
        "reference": column.reference,
        "unique": _flag(column.unique or column.name == "sys_id"),
        "display": _flag(column.display),
        "default_value": column.default,
    }


def _label(table: Table, element: str, label: str) -> dict[str, str]:
    return {
        "sys_id": identity("sys_documentation", table.name, element),
        "name": table.name,
        "element": element,
        "language": "en",
        "label": label,
        "plural": f"{label}s",
    }


def _choices(table: Table, column: Column) -> Rows:
    return [
        {
            "sys_id": identity("sys_choice", table.name, column.name, value),
            "name": table.name,
            "element": column.name,
            "value": value,
            "label": label,
            "sequence": str(sequence),
        }
        for sequence, (value, label) in enumerate(column.choices)
    ]


def _flag(value: bool) -> str:
    return "true" if value else "false"
