"""The mapping: which cost centre of ServiceNow is which value of a company's dimension, and what both were called when they
were last the same.

One partition per company and dimension. A row ``m|SYS_ID`` for each pair; the row ``head``, which every transaction writes
anew, so that of two runs that plan at the same time one loses and has to look again; and the row ``checked``, written when a
run has compared everything. Stamps are the storage server's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connector.model.alignment import MappingRow
from connector.storage import keys
from connector.storage.ports import (
    MAX_OPERATIONS,
    Condition,
    Delete,
    Entity,
    Insert,
    Operation,
    Property,
    Replace,
    TableStore,
    Upsert,
)

TABLE = "mappings"
_HEAD, _CHECKED = "head", "checked"
Status = Literal["aligned", "conflict", "gone"]
_STATUSES: Mapping[str, Status] = {"aligned": "aligned", "conflict": "conflict", "gone": "gone"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A pair on record. `checked_at`: when it was last written, or found as it is by a run that compared everything; `run`: the
    correlation id of that run."""

    row: MappingRow
    checked_at: datetime
    run: str
    etag: str


@dataclass(slots=True)
class Agreed:
    """The pairs of one dimension of one company as they were read, by sys_id, and the version they have together. `checked_at`,
    `run`: the last run that compared everything (None: no run has yet)."""

    where: str
    rows: dict[str, Kept]
    version: str
    checked_at: datetime | None = None
    run: str = ""


class Mappings:
    """Reads and writes mappings."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def all(self, company: str, dimension: str) -> Agreed:
        """Every pair of the company's dimension."""
        where = keys.join(company, dimension)
        # The version first: whoever writes while the rows are read changes it, so that what was read half is never built upon.
        head = self._tables.read(TABLE, where, _HEAD)
        checked = self._tables.read(TABLE, where, _CHECKED)
        start, stop = keys.below("m")
        rows = {
            kept.row.sys_id: kept
            for kept in (_kept(entity, checked) for entity in self._tables.query(TABLE, where, start=start, stop=stop))
        }
        agreed = Agreed(where, rows, head.etag if head else "")
        if checked is not None:
            agreed.checked_at, agreed.run = checked.modified, str(checked.properties["run"])
        return agreed

    def by_code(self, company: str, dimension: str, code: str) -> tuple[Kept, ...]:
        """The pairs with this value; more than one only while a run that moves it has not come to its end."""
        where = keys.join(company, dimension)
        checked = self._tables.read(TABLE, where, _CHECKED)
        start, stop = keys.below("m")
        found = self._tables.query(TABLE, where, start=start, stop=stop, where=[Condition("code", "eq", code)])
        return tuple(_kept(entity, checked) for entity in found)

    def write(self, agreed: Agreed, put: Iterable[MappingRow], remove: Collection[str], run: str) -> None:
        """Puts pairs on record and takes others (by sys_id) off it. What is removed goes first, so that a run that ends half
        way never leaves a value to two cost centres. `agreed` keeps the rows as they were read, and may be written again.

        Raises `RowConflict` when somebody else wrote since: what was written until then stays, and a new plan has to be made
        from what is there.
        """
        rows = {row.sys_id: row for row in put}
        gone = sorted(set(remove) & agreed.rows.keys() - rows.keys())
        changes: list[Operation] = [Delete(keys.join("m", sys_id), agreed.rows[sys_id].etag) for sys_id in gone]
        changes += [Upsert(keys.join("m", sys_id), _columns(row, run)) for sys_id, row in sorted(rows.items())]
        for start in range(0, len(changes), MAX_OPERATIONS - 1):
            self._write(agreed, changes[start : start + MAX_OPERATIONS - 1], run)

    def confirm(self, agreed: Agreed, run: str) -> None:
        """Puts on record that the run has compared everything, and that what is there is so: every pair counts as checked now.
        Raises `RowConflict` as `write` does."""
        self._write(agreed, [Upsert(_CHECKED, {"run": run})], run)

    def _write(self, agreed: Agreed, operations: list[Operation], run: str) -> None:
        head = Replace(_HEAD, {"run": run}, agreed.version) if agreed.version else Insert(_HEAD, {"run": run})
        agreed.version = self._tables.write(TABLE, agreed.where, [head, *operations])[0]


def _columns(row: MappingRow, run: str) -> Mapping[str, Property]:
    return {
        "sys_id": row.sys_id,
        "code": row.code,
        "account_number": row.account_number,
        "name": row.name,
        "parent": row.parent,
        "blocked": row.blocked,
        "status": row.status,
        "run": run,
    }


def _kept(entity: Entity, checked: Entity | None) -> Kept:
    columns = entity.properties
    row = MappingRow(
        sys_id=str(columns["sys_id"]),
        code=str(columns["code"]),
        account_number=str(columns["account_number"]),
        name=str(columns["name"]),
        parent=str(columns["parent"]),
        blocked=columns["blocked"] is True,
        status=_STATUSES[str(columns["status"])],
    )
    later = checked if checked is not None and checked.modified >= entity.modified else entity
    return Kept(row, later.modified, str(later.properties["run"]), entity.etag)
