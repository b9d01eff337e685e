"""Which rows a query means, and in which order: bound terms, query rules, dot-walked sorting, index look-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.conditions import MATCHING, Conditions, Read, Test
from tests.sandbox.servicenow.query import Condition, Join, Order, Query, Related, Term
from tests.sandbox.servicenow.related_rows import join_test, related_test, text_test
from tests.sandbox.servicenow.scripting import Scripting
from tests.sandbox.servicenow.store import Row, Store

# Whether the caller may use a column (table, column) in a query for this kind of question.
QueryRule = Callable[[str, str, str], bool]


class Selection:
    """Evaluates queries over one store on behalf of one caller.

    `no_rows_when_invalid` is the instance's property for queries with a part that makes no sense; without it such parts
    are dropped and the rest runs. Strings compare case-insensitively unless `case_sensitive`. `may_query` says which
    columns a query may use, `blocked` what becomes of one that uses another.
    """

    def __init__(
        self,
        store: Store,
        scripting: Scripting,
        *,
        no_rows_when_invalid: bool = False,
        case_sensitive: bool = False,
        may_query: QueryRule = lambda _table, _column, _kind: True,
        blocked: str = "empty",
    ) -> None:
        self._store = store
        self._scripting = scripting
        self._no_rows_when_invalid = no_rows_when_invalid
        self._case_sensitive = case_sensitive
        self._may_query = may_query
        self._blocked = blocked
        self._conditions = Conditions(store, scripting, case_sensitive=case_sensitive)

    def select(self, table: str, query: Query) -> list[Row]:
        """The live rows that match, sorted; without an order, oldest first."""
        test = self.test(table, query)
        rows = [row for row in self._candidates(table, query) if test(row)]
        for order in reversed(query.orders):
            self._sort(table, rows, order)
        return rows

    def test(self, table: str, query: Query) -> Test:
        """Whether a row of the table matches, as a function."""
        query = self._permitted(table, query)
        alternatives: list[list[list[Test]]] = []
        dropped = bool(query.invalid)
        for conjunction in query.alternatives:
            bound: list[list[Test]] = []
            for disjunction in conjunction:
                tests = [self._bind(table, term) for term in disjunction]
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
        return self._conditions.reader(table, path)

    def _bind(self, table: str, term: Term) -> Test | None:
        if isinstance(term, Condition):
            return self._conditions.bind(table, term)
        if isinstance(term, Related):
            return related_test(self._conditions, self._store.schema, self.select, term)
        if isinstance(term, Join):
            return join_test(self._conditions, self._store.schema, self.select, table, term)
        return text_test(self._store, table, term)

    def _permitted(self, table: str, query: Query) -> Query:
        """The query without what query rules block; blocked parts may also empty or refuse the whole."""
        orders = [order for order in query.orders if self._usable(table, order.field, "query_range")]
        alternatives = [
            [[term for term in disjunction if self._usable_term(table, term)] for disjunction in conjunction]
            for conjunction in query.alternatives
        ]
        if orders == query.orders and alternatives == query.alternatives:
            return query
        if self._blocked == "refused":
            raise Refusal(403, "Operation Failed", "ACL Exception Query Failed due to security constraints")
        if self._blocked == "empty":
            return Query(alternatives=[])
        query.orders[:] = orders
        return Query(alternatives, orders, query.invalid)

    def _usable_term(self, table: str, term: Term) -> bool:
        if not isinstance(term, Condition):
            return True
        return self._usable(table, term.field, "query_match" if term.operator in MATCHING else "query_range")

    def _usable(self, table: str, path: str, kind: str) -> bool:
        owner = table
        for column in self._store.schema.walk(table, path) or []:
            if not self._may_query(owner, column.name, kind):
                return False
            owner = column.reference
        return True

    def _candidates(self, table: str, query: Query) -> Iterable[Row]:
        if len(query.alternatives) == 1 and not self._case_sensitive:
            columns = self._store.schema.columns(table)
            for disjunction in query.alternatives[0]:
                if len(disjunction) != 1 or not isinstance(disjunction[0], Condition):
                    continue
                condition = disjunction[0]
                column = columns.get(condition.field)
                if column is None or column.numeric or condition.operator not in {"=", "IN"}:
                    continue
                if column.type == "boolean" or not condition.value:
                    continue
                if not self._usable(table, condition.field, "query_match"):
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
            value = self._conditions.comparable(column, text)
            return (value is not None, value if value is not None else "")

        rows.sort(key=key, reverse=order.descending)
