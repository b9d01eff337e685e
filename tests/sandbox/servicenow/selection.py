"""Which rows a query means, and in which order: conditions bound to typed columns, dot-walked paths, index look-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from tests.sandbox.servicenow.query import Condition, Order, Query
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.scripting import Scripting
from tests.sandbox.servicenow.store import Row, Store
from tests.sandbox.servicenow.values import number

Test = Callable[[Row], bool]
Read = Callable[[Row], str]
COMPARISONS: dict[str, Callable[[str | Decimal, str | Decimal], bool]] = {
    "<": lambda left, right: left < right,  # type: ignore[operator]
    "<=": lambda left, right: left <= right,  # type: ignore[operator]
    ">": lambda left, right: left > right,  # type: ignore[operator]
    ">=": lambda left, right: left >= right,  # type: ignore[operator]
}
FIELD_COMPARISONS = {
    "SAMEAS": lambda left, right: left == right,
    "NSAMEAS": lambda left, right: left != right,
    "GT_FIELD": COMPARISONS[">"],
    "LT_FIELD": COMPARISONS["<"],
    "GT_OR_EQUALS_FIELD": COMPARISONS[">="],
    "LT_OR_EQUALS_FIELD": COMPARISONS["<="],
}


class Selection:
    """Evaluates queries over one store on behalf of one caller.

    `no_rows_when_invalid` is the instance's property for queries with a part that makes no sense; without it such parts
    are dropped and the rest runs. Strings compare case-insensitively unless `case_sensitive`.
    """

    def __init__(
        self, store: Store, scripting: Scripting, *, no_rows_when_invalid: bool = False, case_sensitive: bool = False
    ) -> None:
        self._store = store
        self._scripting = scripting
        self._no_rows_when_invalid = no_rows_when_invalid
        self._case_sensitive = case_sensitive

    def select(self, table: str, query: Query) -> list[Row]:
        """The live rows that match, sorted; without an order, oldest first."""
        test = self.test(table, query)
        rows = [row for row in self._candidates(table, query) if test(row)]
        for order in reversed(query.orders):
            self._sort(table, rows, order)
        return rows

    def test(self, table: str, query: Query) -> Test:
        """Whether a row of the table matches, as a function."""
        alternatives: list[list[list[Test]]] = []
        dropped = bool(query.invalid)
        for conjunction in query.alternatives:
            bound: list[list[Test]] = []
            for disjunction in conjunction:
                tests = [self._bind(table, condition) for condition in disjunction]
                dropped = dropped or None in tests
                kept = [test for test in tests if test is not None]
                if kept:
                    bound.append(kept)
            alternatives.append(bound)
        dropped = dropped or any(self._store.schema.walk(table, order.field) is None for order in query.orders)
        if dropped and self._no_rows_when_invalid:
            return lambda _row: False
        return lambda row: any(
            all(any(test(row) for test in disjunction) for disjunction in conjunction) for conjunction in alternatives
        )

    def reader(self, table: str, path: str) -> Read | None:
        """How to read a dotted path from a row of the table, or None when the path leads nowhere."""
        columns = self._store.schema.walk(table, path)
        if columns is None:
            return None
        *steps, last = columns

        def read(row: Row) -> str:
            current = row
            for step in steps:
                following = self._store.get(step.reference, current[step.name])
                if following is None:
                    return ""
                current = following
            return current[last.name]

        return read

    def _candidates(self, table: str, query: Query) -> Iterable[Row]:
        if len(query.alternatives) == 1 and not self._case_sensitive:
            columns = self._store.schema.columns(table)
            for disjunction in query.alternatives[0]:
                if len(disjunction) != 1:
                    continue
                (condition,) = disjunction
                column = columns.get(condition.field)
                if column is None or column.numeric or condition.operator not in {"=", "IN"}:
                    continue
                if column.type == "boolean" or not condition.value:
                    continue
                value = self._scripting.evaluate(condition.value)
                wanted = value.split(",") if condition.operator == "IN" else [value]
                found = {
                    row["sys_id"]: row for text in wanted for row in self._store.find(table, {condition.field: text})
                }
                return found.values() if len(wanted) == 1 else self._oldest_first(table, found)
        return self._store.scan(table)

    def _oldest_first(self, table: str, found: dict[str, Row]) -> Iterable[Row]:
        return [row for row in self._store.scan(table) if row["sys_id"] in found]

    def _sort(self, table: str, rows: list[Row], order: Order) -> None:
        read = self.reader(table, order.field)
        columns = self._store.schema.walk(table, order.field)
        if read is None or columns is None:
            return
        column = columns[-1]

        def key(row: Row) -> tuple[bool, str | Decimal]:
            text = read(row)
            if column.type == "reference":
                text = self._store.display(column.reference, text)
            value = self._comparable(column, text)
            return (value is not None, value if value is not None else "")

        rows.sort(key=key, reverse=order.descending)

    def _bind(self, table: str, condition: Condition) -> Test | None:
        read = self.reader(table, condition.field)
        columns = self._store.schema.walk(table, condition.field)
        if read is None or columns is None:
            return None
        column, operator = columns[-1], condition.operator
        if operator in FIELD_COMPARISONS:
            return self._between_fields(table, read, column, condition)
        value = self._scripting.evaluate(condition.value)
        if operator == "ANYTHING":
            return lambda _row: True
        if operator in {"ISEMPTY", "EMPTYSTRING"}:
            return lambda row: not read(row)
        if operator == "ISNOTEMPTY":
            return lambda row: bool(read(row))
        if operator in COMPARISONS or operator == "BETWEEN":
            return self._range(read, column, operator, value)
        if operator in {"=", "!=", "IN", "NOT IN"}:
            wanted = {self._equal_form(column, text) for text in (value.split(",") if "IN" in operator else [value])}
            negated = operator in {"!=", "NOT IN"}
            return lambda row: (self._equal_form(column, read(row)) in wanted) != negated
        return self._textual(read, column, operator, self._folded(value))

    def _between_fields(self, table: str, read: Read, column: Column, condition: Condition) -> Test | None:
        other = self.reader(table, condition.value)
        if other is None:
            return None
        compare = FIELD_COMPARISONS[condition.operator]

        def test(row: Row) -> bool:
            left, right = self._comparable(column, read(row)), self._comparable(column, other(row))
            if left is None or right is None:
                return (
                    (left is right)
                    if condition.operator == "SAMEAS"
                    else condition.operator == "NSAMEAS" and left != right
                )
            return bool(compare(left, right))

        return test

    def _range(self, read: Read, column: Column, operator: str, value: str) -> Test:
        if operator == "BETWEEN":
            low, _, high = value.partition("@")
            at_least = self._range(read, column, ">=", self._scripting.evaluate(low))
            at_most = self._range(read, column, "<=", self._scripting.evaluate(high))
            return lambda row: at_least(row) and at_most(row)
        compare, limit = COMPARISONS[operator], self._comparable(column, value)

        def test(row: Row) -> bool:
            held = self._comparable(column, read(row))
            return held is not None and limit is not None and compare(held, limit)

        return test

    def _textual(self, read: Read, column: Column, operator: str, value: str) -> Test:
        def text(row: Row) -> str:
            held = read(row)
            # Text operators on a reference look at what people see, not at the sys_id.
            return self._folded(self._store.display(column.reference, held) if column.type == "reference" else held)

        if operator == "STARTSWITH":
            return lambda row: text(row).startswith(value)
        if operator == "ENDSWITH":
            return lambda row: text(row).endswith(value)
        if operator == "NOT LIKE":
            return lambda row: value not in text(row)
        return lambda row: value in text(row)

    def _folded(self, text: str) -> str:
        return text if self._case_sensitive else text.casefold()

    def _comparable(self, column: Column, text: str) -> str | Decimal | None:
        if not text:
            return None
        return number(text) if column.numeric else self._folded(text)

    def _equal_form(self, column: Column, text: str) -> str | Decimal | None:
        if column.type == "boolean":
            return {"1": "true", "0": "false", "": "false"}.get(text, text.casefold())
        comparable = self._comparable(column, text)
        return comparable if comparable is not None else (text and f"\0{text}")
