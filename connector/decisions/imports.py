"""Imports: what the rows of an import set say became of the rows that were sent. A row counts only with the record it made.

Source: "Import Set API" (insertMultiple answers with the set's id and nothing about rows) and "Import set row" of ServiceNow's
documentation.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connector.decisions.answers import RowResult, judge_result

FIELDS = (
    "sys_id sys_import_set sys_import_state sys_import_state_comment sys_target_table sys_target_sys_id sys_transform_map "
    "sys_row_error.message"
).split()
"""What to read of a staging row, besides its key."""
WAITING_FIELDS = ("sys_created_on", "sys_import_state", "sys_import_set.state")
"""What to read of rows that may still be waiting from an earlier try, besides their key."""
PENDING, MISSING = "pending", "missing"
WORKING = frozenset({"loading", "loaded"})
"""States of an import set whose rows are still to be transformed. Whatever else a set says, its rows will not change."""
BY_NAME = (
    "create a record for {table} in sys_rest_insert_multiple with the column mapping 'Column name', and let the integration "
    "user read it"
)
"""The remedy when the keys of insertMultiple's records and the table's columns do not come together."""


def judge_import(
    table: str, key: Sequence[str], sent: Sequence[tuple[str, ...]], found: Iterable[Mapping[str, Any]]
) -> list[RowResult]:
    """One result for each sent row, in order. `key`: the columns that say which row is which, `sent`: their values; `found`:
    the rows of the import set as they were read.

    What is ``pending`` or ``missing`` is `ambiguous`: it may still be transformed. Rows without their key mean that the
    instance did not take the records' keys for columns, so nothing of that set is believed.
    """
    rows: dict[tuple[str, ...], deque[Mapping[str, Any]]] = defaultdict(deque)
    trap: RowResult | None = None
    for row in found:
        values = [row.get(name) for name in key]
        if any(value is None for value in values):
            hidden = ", ".join(name for name in key if row.get(name) is None)
            trap = RowResult("refused", "unreadable", f"{table}: {hidden} cannot be read back; check column and access")
        elif not any(values):
            said = f"{table} stored rows without their key: it did not take the records' keys for its columns; "
            trap = RowResult("refused", "empty row", said + BY_NAME.format(table=table))
        else:
            rows[tuple(map(str, values))].append(row)
    results = []
    for values_sent in sent:
        mine = rows.get(values_sent)
        if mine:
            results.append(judge_staged(mine.popleft(), table))
        else:
            results.append(trap or RowResult("ambiguous", MISSING, f"{table} does not have the row that was sent"))
    return results


def judge_staged(row: Mapping[str, Any], table: str) -> RowResult:
    """What became of one staging row."""
    state = str(row.get("sys_import_state", ""))
    if state == PENDING:
        return RowResult("ambiguous", PENDING, f"the row of {table} is still to be transformed")
    unread = [name for name in ("sys_import_state", "sys_target_sys_id") if row.get(name) is None]
    if unread:
        return RowResult("refused", "unreadable", f"{table}: {', '.join(unread)} cannot be read; give read access")
    comment = row.get("sys_import_state_comment") or row.get("sys_row_error.message") or ""
    result = judge_result(
        {
            "transform_map": row.get("sys_transform_map"),
            "status": state,
            "status_message": comment,
            "table": row.get("sys_target_table"),
            "sys_id": row["sys_target_sys_id"],
        },
        table,
    )
    if result.disposition == "accept" and not result.sys_id:
        return RowResult("park", state, result.message or "no record is named", target=result.target)
    return result


def settled(results: Iterable[RowResult]) -> bool:
    """Whether no row's fate is open any more."""
    return not any(result.disposition == "ambiguous" for result in results)


def still_waiting(
    key: Sequence[str], found: Iterable[Mapping[str, Any]], *, dead_before: str
) -> frozenset[tuple[str, ...]]:
    """The keys of which a row is still to be transformed. One that was created before `dead_before` never will be."""
    return frozenset(
        tuple(str(row.get(name, "")) for name in key)
        for row in found
        if row.get("sys_import_state") == PENDING
        and row.get("sys_import_set.state") in WORKING
        and str(row.get("sys_created_on", "")) >= dead_before
    )
