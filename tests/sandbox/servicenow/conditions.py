"""One condition of a query, bound to a typed column: what it compares, and how."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tests.sandbox.servicenow.date_conditions import DATE_OPERATORS, distance_test, moment_test
from tests.sandbox.servicenow.query import Condition
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
DISTANCES = frozenset({"MORETHAN", "LESSTHAN"})
# The operators that one query rule governs; the other one governs all the rest and sorting.
MATCHING = frozenset(
    {"=", "!=", "IN", "NOT IN", "SAMEAS", "NSAMEAS", "ISEMPTY", "ISNOTEMPTY", "EMPTYSTRING", "ANYTHING", "DYNAMIC"}
)


class Conditions:
    """Binds conditions to the columns of one store on behalf of one caller."""

    def __init__(self, store: Store, scripting: Scripting, *, case_sensitive: bool) -> None:
        self._store = store
        self._scripting = scripting
        self._case_sensitive = case_sensitive

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

    def bind(self, table: str, condition: Condition) -> Test | None:
        """Whether a row meets the condition, as a function; None when the condition makes no sense."""
        read = self.reader(table, condition.field)
        columns = self._store.schema.walk(table, condition.field)
        if read is None or columns is None:
            return None
        column, operator = columns[-1], condition.operator
        if operator in FIELD_COMPARISONS:
            return self._between_fields(table, read, column, condition)
        if operator in DISTANCES:
            other = self.reader(table, condition.value.partition("@")[0])
            return other and distance_test(operator, condition.value, read, other)
        if operator in DATE_OPERATORS:
            return moment_test(operator, condition.value, read, self._scripting)
        if operator == "INSTANCEOF":
            return self._instance_of(read, condition.value)
        value = self._dynamic(condition.value) if operator == "DYNAMIC" else condition.value
        if value is None:
            return None
        return self._by_value(read, column, operator, self._scripting.evaluate(value))

    def comparable(self, column: Column, text: str) -> str | Decimal | None:
        """The form in which values of the column are put in order; None for what is empty or no number."""
        if not text:
            return None
        return number(text) if column.numeric else self.folded(text)

    def folded(self, text: str) -> str:
        """The form in which texts are compared."""
        return text if self._case_sensitive else text.casefold()

    def _by_value(self, read: Read, column: Column, operator: str, value: str) -> Test:
        if operator == "ANYTHING":
            return lambda _row: True
        if operator in {"ISEMPTY", "EMPTYSTRING"}:
            return lambda row: not read(row)
        if operator == "ISNOTEMPTY":
            return lambda row: bool(read(row))
        if operator in COMPARISONS or operator == "BETWEEN":
            return self._range(read, column, operator, value)
        if operator in {"=", "!=", "IN", "NOT IN", "DYNAMIC"}:
            wanted = {self._equal_form(column, text) for text in (value.split(",") if "IN" in operator else [value])}
            negated = operator in {"!=", "NOT IN"}
            return lambda row: (self._equal_form(column, read(row)) in wanted) != negated
        return self._textual(read, column, operator, self.folded(value))

    def _dynamic(self, option: str) -> str | None:
        """The expression behind a dynamic filter option, named by its sys_id."""
        row = self._store.get("sys_filter_option_dynamic", option)
        return row["script"] if row is not None else None

    def _instance_of(self, read: Read, table: str) -> Test | None:
        schema = self._store.schema
        if table not in schema:
            return None
        family = frozenset(schema.family(table))
        return lambda row: read(row) in family

    def _between_fields(self, table: str, read: Read, column: Column, condition: Condition) -> Test | None:
        other = self.reader(table, condition.value)
        if other is None:
            return None
        compare = FIELD_COMPARISONS[condition.operator]

        def test(row: Row) -> bool:
            left, right = self.comparable(column, read(row)), self.comparable(column, other(row))
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
        compare, limit = COMPARISONS[operator], self.comparable(column, value)

        def test(row: Row) -> bool:
            held = self.comparable(column, read(row))
            return held is not None and limit is not None and compare(held, limit)

        return test

    def _textual(self, read: Read, column: Column, operator: str, value: str) -> Test:
        def text(row: Row) -> str:
            held = read(row)
            # Text operators on a reference look at what people see, not at the sys_id.
            return self.folded(self._store.display(column.reference, held) if column.type == "reference" else held)

        if operator == "STARTSWITH":
            return lambda row: text(row).startswith(value)
        if operator == "ENDSWITH":
            return lambda row: text(row).endswith(value)
        if operator == "NOT LIKE":
            return lambda row: value not in text(row)
        return lambda row: value in text(row)

    def _equal_form(self, column: Column, text: str) -> str | Decimal | None:
        if column.type == "boolean":
            return {"1": "true", "0": "false", "": "false"}.get(text, text.casefold())
        comparable = self.comparable(column, text)
        return comparable if comparable is not None else (text and f"\0{text}")
