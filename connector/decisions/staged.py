"""Staged: what the rows that stand in a staging table say of rows that may have been sent to it before.

A staging row holds the text as it was sent, and what its transformation made of it. The newest row of a key decides: it counts
for a row that is to be sent if it holds the very same and was taken, because sending that once more would change nothing.

Sources: "Import set row" and "Import set mode" of ServiceNow's documentation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.decisions.answers import RowResult
from connector.decisions.imports import PENDING, WORKING, judge_staged
from connector.decisions.mapping import StagingRow
from connector.model.staging import StagingTable

CREATED, UPDATED, SET_STATE, SET_MODE = (
    "sys_created_on",
    "sys_updated_on",
    "sys_import_set.state",
    "sys_import_set.mode",
)
FIELDS = (
    "sys_id",
    CREATED,
    UPDATED,
    "sys_import_state",
    "sys_import_state_comment",
    "sys_target_table",
    "sys_target_sys_id",
    "sys_transform_map",
    SET_STATE,
    SET_MODE,
)
"""What to read of staged rows, besides their key and the columns that are compared."""
DEAD_AFTER = timedelta(minutes=30)
"""When nothing has moved for so long among a document's rows, those still not transformed never will be."""

Row = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    """What was seen of one key, which rows of `documents` have. `result`: that of the newest rows, if it counts; `absent`: the
    columns that are to be emptied and hold nothing in these; `held`: those in which a row of this key, however old, holds
    something."""

    documents: set[int] = field(default_factory=set)
    newest: str = ""
    result: RowResult | None = None
    absent: frozenset[str] = frozenset()
    held: set[str] = field(default_factory=set)
    pending: bool = False


class Sightings:
    """Gathers the staged rows of one table, in any order, and keeps no more than what they come to for `wanted`: rows that are
    to be sent, each with the number of its document."""

    def __init__(self, table: StagingTable, wanted: Sequence[tuple[int, StagingRow]]) -> None:
        self._table = table
        self._keys = [self._folded(row.columns) for _, row in wanted]
        self._seen: dict[Key, _Seen] = {}
        self._wanted: dict[Key, StagingRow] = {}
        self._moved: dict[int, str] = {}
        times = Counter(self._keys)
        for key, (document, row) in zip(self._keys, wanted, strict=True):
            if key is not None:
                self._seen.setdefault(key, _Seen()).documents.add(document)
                # Of two rows with one key nobody can tell which one a staged row is.
                if times[key] == 1:
                    self._wanted[key] = row

    def add(self, row: Row) -> None:
        """One staged row."""
        key = self._folded(row)
        seen = self._seen.get(key) if key is not None else None
        if key is None or seen is None:
            return
        moved = str(row.get(UPDATED) or row.get(CREATED) or "")
        for document in seen.documents:
            self._moved[document] = max(self._moved.get(document, ""), moved)
        # A set that is transformed with each insert leaves nothing for later: a row of it that is pending was cut off.
        if (
            row.get("sys_import_state") == PENDING
            and row.get(SET_STATE) in WORKING
            and row.get(SET_MODE) != "synchronous"
        ):
            seen.pending = True
        wanted = self._wanted.get(key)
        if wanted is None:
            return
        seen.held.update(name for name in wanted.empty if row.get(name) not in (None, "", wanted.columns.get(name)))
        result, absent = self._judged(row, wanted)
        # Without its moment a row may be the newest.
        created = str(row.get(CREATED) or "~")
        if created > seen.newest:
            seen.newest, seen.result, seen.absent = created, result, absent
        elif created == seen.newest:
            seen.result = result if seen.result is not None else None
            seen.absent |= absent
        if created == "~":
            seen.result = None

    def pending(self, dead_before: str) -> set[int]:
        """The documents with a row that is still to be transformed. Where none of a document's rows has moved since
        `dead_before`, none ever will be."""
        waiting = {document for seen in self._seen.values() if seen.pending for document in seen.documents}
        return {document for document in waiting if self._moved[document] >= dead_before}

    def results(self) -> list[RowResult | None]:
        """For each wanted row, in order: what became of it; None when it is not there as it would be sent."""
        return [None if key is None or key not in self._wanted else self._result(self._seen[key]) for key in self._keys]

    @staticmethod
    def _result(seen: _Seen) -> RowResult | None:
        # A first version leaves out what is empty. That empties nothing that an earlier row has brought.
        return None if seen.absent & seen.held else seen.result

    def _judged(self, row: Row, wanted: StagingRow) -> tuple[RowResult | None, frozenset[str]]:
        absent = set()
        for name in wanted.names:
            held, text = row.get(name), wanted.columns.get(name, "")
            if held == text or (held is None and self._optional(name)):
                continue
            if held != "" or name not in wanted.empty:
                return None, frozenset()
            absent.add(name)
        result = judge_staged(row, self._table.table)
        return (result if result.disposition == "accept" else None), frozenset(absent)

    def _optional(self, name: str) -> bool:
        """Whether the instance may lack the column."""
        column = self._table.columns.get(name)
        return column is not None and column.optional

    def _folded(self, columns: Row) -> Key | None:
        """The key as transform maps compare it; None when a part of it is missing."""
        parts = [columns.get(name) for name in self._table.key]
        return tuple(str(part).casefold() for part in parts) if all(parts) else None
