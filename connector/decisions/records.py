"""Records: how a row becomes a record of the Table API, which id a new one gets, and whether one holds what was wanted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.decisions.answers import RowResult
from connector.decisions.mapping import StagingRow
from connector.model.staging import Column, StagingTable

_RECORDS = uuid.UUID("b1a64c1e-2f0e-5f6c-9a55-5d3f0c6a7e21")


def record_id(table: str, key: Sequence[str]) -> str:
    """The sys_id of a new record. It depends on the key alone, so a create that is repeated cannot make a second record."""
    return uuid.uuid5(_RECORDS, json.dumps([table, *key])).hex


def wanted_values(row: StagingRow) -> dict[str, str]:
    """What the record must hold; a column without a value must be empty."""
    return dict.fromkeys(row.empty, "") | dict(row.columns)


def unlike(wanted: Mapping[str, str], record: Mapping[str, Any], table: StagingTable) -> dict[str, str]:
    """The wanted values that the record does not hold, those of columns that it does not show included."""
    return {
        name: text for name, text in wanted.items() if not _same(text, shown(record, name), table.columns.get(name))
    }


def shown(record: Mapping[str, Any], name: str) -> str | None:
    """The value of a column as the record shows it, a reference with or without its link; None when it does not show it."""
    value = record.get(name)
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) else None


def judge_kept(sent: Mapping[str, str], record: Mapping[str, Any], table: StagingTable, outcome: str) -> RowResult:
    """Whether a record holds what was written to it. ServiceNow drops without a word what the user may not write, a choice it
    does not know, and a reference that leads nowhere."""
    hidden = sorted(name for name in sent if shown(record, name) is None)
    if hidden:
        return RowResult(
            "refused", "unreadable", f"{table.table}: {', '.join(hidden)} cannot be read back; check column and access"
        )
    lost = unlike(sent, record, table)
    if lost:
        said = "; ".join(
            f"{name} is {shown(record, name)!r} instead of {text!r}" for name, text in sorted(lost.items())
        )
        return RowResult("park", "not kept", said)
    return RowResult("accept", outcome, "", str(record.get("sys_id", "")), table.table)


def _same(text: str, found: str | None, column: Column | None) -> bool:
    if found is None or text == found:
        return text == found
    if column is not None and column.format in ("money", "number"):
        numbers = _number(text), _number(found)
        return None not in numbers and numbers[0] == numbers[1]
    # A date in a column of date and time is that day's beginning.
    return column is not None and column.format == "date" and found == f"{text} 00:00:00"


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
