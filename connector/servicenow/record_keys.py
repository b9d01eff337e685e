"""Keys of insertMultiple's records: column labels, unless the instance's own configuration says column names.

A label that fits no column leaves that column empty, and the answer is a success all the same; so nothing is sent before every
column's label was read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from connector.decisions.imports import BY_NAME
from connector.decisions.queries import any_of
from connector.errors import Refused
from connector.model.staging import StagingTable
from connector.servicenow.session import SYSTEM, ServiceNowSession

MOST_COLUMNS = 1000


class RecordKeys:
    """The key by which each column of these staging tables goes into a record; read once and kept."""

    def __init__(self, session: ServiceNowSession, tables: Iterable[StagingTable]) -> None:
        self._session = session
        self._tables = tuple(tables)
        self._read: tuple[frozenset[str], Mapping[str, Mapping[str, str]]] | None = None

    def of(self, table: StagingTable) -> Mapping[str, str]:
        """Per column name, its key; an optional column that the instance lacks has none.

        Raises `Refused` when a key cannot be told, and what any read raises.
        """
        if self._read is None:
            by_name = self._keyed_by_name()
            labelled = [each.table for each in self._tables if each.table not in by_name]
            self._read = by_name, self._labels(labelled) if labelled else {}
        by_name, labels = self._read
        if table.table in by_name:
            return {name: name for name in table.columns}
        try:
            return _unmistakable(table, labels.get(table.table, {}))
        except Refused:
            self.forget()
            raise

    def forget(self) -> None:
        """These keys did not work: they are read again before the next use."""
        self._read = None

    def _keyed_by_name(self) -> frozenset[str]:
        tables = {each.table for each in self._tables}
        try:
            rows = self._session.rows(
                "sys_rest_insert_multiple",
                query=f"{any_of('source_table', tables)}^active=true^ORDERBYsys_id",
                fields="source_table,active,column_mapping",
                limit=MOST_COLUMNS,
            )
        except Refused:
            return frozenset()  # not to be read: the default then, and the rows are looked at before they count
        return frozenset(
            str(row.get("source_table"))
            for row in rows
            if row.get("active") == "true" and row.get("column_mapping") == "column_name"
        )

    def _labels(self, tables: list[str]) -> Mapping[str, Mapping[str, str]]:
        rows: list[dict[str, Any]] = self._session.rows(
            "sys_dictionary",
            query=f"{any_of('name', tables)}^internal_type!=collection^ORDERBYsys_id",
            fields="name,element,column_label",
            limit=MOST_COLUMNS,
        )
        labels: dict[str, dict[str, str]] = defaultdict(dict)
        for row in rows:
            if row.get("element"):
                labels[str(row.get("name"))][str(row["element"])] = str(row.get("column_label") or "")
        return labels


def _unmistakable(table: StagingTable, labels: Mapping[str, str]) -> Mapping[str, str]:
    remedy = BY_NAME.format(table=table.table)
    if not labels:
        raise Refused(
            SYSTEM, f"the labels of {table.table} cannot be read; let the user read sys_dictionary, or {remedy}"
        )
    times = Counter(label.casefold() for label in labels.values())
    names = [name for name, column in table.columns.items() if name in labels or not column.optional]
    unfit = [name for name in names if not labels.get(name) or times[labels[name].casefold()] > 1]
    if unfit:
        raise Refused(SYSTEM, f"{table.table} has no column with a label of its own for {', '.join(unfit)}; {remedy}")
    return {name: labels[name] for name in names}
