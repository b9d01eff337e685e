"""Query terms about other rows: related lists, joins, and the text search over a row's columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.sandbox.servicenow.conditions import Conditions, Test
from tests.sandbox.servicenow.query import Join, Query, Related, TextSearch
from tests.sandbox.servicenow.schema import Schema
from tests.sandbox.servicenow.store import Row, Store

COUNTED: dict[str, Callable[[int, int], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}
Select = Callable[[str, Query], list[Row]]


def related_test(conditions: Conditions, schema: Schema, select: Select, term: Related) -> Test | None:
    """Whether enough rows of the related table point at a row."""
    if term.table not in schema:
        return None
    read = conditions.reader(term.table, term.field)
    if read is None:
        return None
    pointing = Counter(read(row) for row in select(term.table, term.query))
    if term.operator == "BETWEEN":
        return lambda row: term.count <= pointing[row["sys_id"]] <= term.high
    compare = COUNTED[term.operator]
    return lambda row: compare(pointing[row["sys_id"]], term.count)


def join_test(conditions: Conditions, schema: Schema, select: Select, table: str, term: Join) -> Test | None:
    """Whether the joined table holds a row of the same value."""
    if term.table != table or term.other not in schema:
        return None
    here, there = conditions.reader(table, term.field), conditions.reader(term.other, term.other_field)
    if here is None or there is None:
        return None
    values = {there(row) for row in select(term.other, term.query)} - {""}
    return lambda row: here(row) in values


def text_test(store: Store, table: str, term: TextSearch) -> Test:
    """Whether all words occur in the row's texts."""
    columns = [name for name, column in store.schema.columns(table).items() if column.type == "string"]
    words = [word.casefold() for word in term.words]

    def test(row: Row) -> bool:
        text = "\n".join(row[name] for name in columns).casefold()
        return all(word in text for word in words)

    return test
