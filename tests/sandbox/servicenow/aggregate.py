"""Aggregate API: counts, sums, averages, least and greatest values of a table, grouped or not.

Source: REST API reference, Aggregate API. Like the total of a list, a count includes rows that rules hide from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from tests.sandbox.servicenow.answers import Refusal, json_answer
from tests.sandbox.servicenow.choices import choices_of
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.query import NotSimulated, parse
from tests.sandbox.servicenow.store import Row
from tests.sandbox.servicenow.table_reads import known_table
from tests.sandbox.servicenow.values import number

FUNCTIONS = ("avg", "min", "max", "sum")
COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
}
Read = Callable[[Row], str]
Stats = dict[str, Any]


@dataclass(frozen=True)
class _Group:
    """Rows with the same values in the columns grouped by."""

    key: tuple[str, ...]
    rows: list[Row]


def stats(call: Call, table: str) -> httpx.Response:
    """``GET /api/now/stats/{table}``. Unknown columns are left out; without a function asked for the stats are empty."""
    known_table(call, table)
    if not call.instance.access.allowed(call.user, "read", table):
        raise Refusal(403, "User Not Authorized", "Failed API level ACL Validation")
    selection = call.instance.selection(call.user)
    try:
        rows = selection.select(table, parse(call.parameters.get("sysparm_query", "")))
    except NotSimulated as fault:
        raise Refusal(400, "Not simulated", str(fault)) from fault
    asked = {name: _readers(call, table, f"sysparm_{name}_fields") for name in FUNCTIONS}
    by = _readers(call, table, "sysparm_group_by")
    counted = call.flag("sysparm_count")
    if not by:
        return json_answer(200, {"result": {"stats": _stats(rows, asked, counted=counted)}})
    groups = [group for group in _grouped(rows, list(by.values())) if _having(call, table, group.rows)]
    _sort(call, table, groups, list(by))
    result = [
        {
            "stats": _stats(group.rows, asked, counted=counted),
            "groupby_fields": [_field(call, table, *each) for each in zip(by, group.key, strict=True)],
        }
        for group in groups
    ]
    return json_answer(200, {"result": result})


def _readers(call: Call, table: str, parameter: str) -> dict[str, Read]:
    selection = call.instance.selection(call.user)
    names = [name.strip() for name in call.parameters.get(parameter, "").split(",")]
    return {name: read for name in names if name and (read := selection.reader(table, name)) is not None}


def _grouped(rows: Sequence[Row], reads: Sequence[Read]) -> list[_Group]:
    groups: dict[tuple[str, ...], _Group] = {}
    for row in rows:
        key = tuple(read(row) for read in reads)
        groups.setdefault(key, _Group(key, [])).rows.append(row)
    return [groups[key] for key in sorted(groups)]


def _stats(rows: Sequence[Row], asked: dict[str, dict[str, Read]], *, counted: bool) -> Stats:
    found: Stats = {"count": str(len(rows))} if counted else {}
    for function, reads in asked.items():
        if reads:
            found[function] = {name: _value(function, rows, read) for name, read in reads.items()}
    return found


def _value(function: str, rows: Sequence[Row], read: Read) -> str:
    texts = [text for row in rows if (text := read(row))]
    numbers = [value for text in texts if (value := number(text)) is not None]
    if function in {"min", "max"} and len(numbers) < len(texts):
        return min(texts) if function == "min" else max(texts)
    if not numbers:
        return ""
    if function == "sum":
        return str(sum(numbers, Decimal()))
    if function == "avg":
        return f"{sum(numbers, Decimal()) / len(numbers):.4f}"
    return str(min(numbers) if function == "min" else max(numbers))


def _measure(call: Call, table: str, rows: Sequence[Row], function: str, column: str) -> Decimal:
    if function.casefold() == "count":
        return Decimal(len(rows))
    read = call.instance.selection(call.user).reader(table, column)
    found = number(_value(function.casefold(), rows, read)) if read is not None else None
    return found if found is not None else Decimal()


def _having(call: Call, table: str, rows: Sequence[Row]) -> bool:
    """``count^priority^>^3``: function, column, operator, value; several are separated by commas and must all hold."""
    for clause in filter(None, call.parameters.get("sysparm_having", "").split(",")):
        parts = clause.split("^")
        limit = number(parts[3]) if len(parts) == 4 else None
        if limit is None or parts[2] not in COMPARE:
            raise Refusal(400, "Invalid parameter", f"sysparm_having {clause}")
        if not COMPARE[parts[2]](_measure(call, table, rows, parts[0], parts[1]), limit):
            return False
    return True


def _sort(call: Call, table: str, groups: list[_Group], by: list[str]) -> None:
    """``AVG^state``, ``state^DESC``, ``state``; the first of several decides first."""
    for clause in reversed([part for part in call.parameters.get("sysparm_order_by", "").split(",") if part]):
        parts = clause.split("^")
        descending = parts[-1].upper() == "DESC"
        parts = parts[:-1] if descending else parts
        if len(parts) == 2:
            function, column = parts
            groups.sort(key=lambda g: _measure(call, table, g.rows, function, column), reverse=descending)  # noqa: B023
        elif parts[0] in by:
            position = by.index(parts[0])
            groups.sort(key=lambda g: g.key[position], reverse=descending)  # noqa: B023


def _field(call: Call, table: str, name: str, value: str) -> dict[str, str]:
    asked = call.shape().values
    if asked == "false":
        return {"field": name, "value": value}
    shown = _displayed(call, table, name, value)
    return (
        {"field": name, "value": shown} if asked == "true" else {"field": name, "value": value, "display_value": shown}
    )


def _displayed(call: Call, table: str, name: str, value: str) -> str:
    store = call.instance.store
    columns = store.schema.walk(table, name) or []
    last = columns[-1]
    if last.type == "reference":
        return store.display(last.reference, value)
    holder = table if len(columns) == 1 else columns[-2].reference
    return next((row["label"] for row in choices_of(store, holder, last.name) if row["value"] == value), value)
