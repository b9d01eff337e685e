"""Data policies and business rules: what a write must fulfil, and what happens to it on its way.

Source: the vendor's "Data policies" and "Business rules" pages. Of rules, the small set is understood that needs no script
engine: a filter condition, "Abort action" (or a script that only aborts), and set field values.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.sandbox.servicenow.query import parse
from tests.sandbox.servicenow.selection import Selection
from tests.sandbox.servicenow.store import Row, Store

ABORT = re.compile(r"\bcurrent\.setAbortAction\(\s*true\s*\)")
ASSIGNMENT = re.compile(r"\bcurrent\.(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")\s*;?")
TEMPLATE = re.compile(r"(\w+)=(.*)")
Selections = Callable[[], Selection]


class Rejected(Exception):
    """A policy or a rule rejects the write; the text is the one the caller sees."""


class Policies:
    """Applies the rows of the policy and rule tables to one write at a time."""

    def __init__(self, store: Store, selection: Selections) -> None:
        self._store = store
        self._selection = selection

    def prepare(
        self,
        table: str,
        action: str,
        current: Row,
        values: dict[str, str],
        *,
        importing: bool = False,
        rules: bool = True,
    ) -> dict[str, str]:
        """The values to write, changed by rules; raises `Rejected`.

        `action` is ``insert``, ``update`` or ``delete``, `current` the row before the write (empty for an insert).
        """
        blank = {name: column.default for name, column in self._store.schema.columns(table).items()}
        values = dict(values)
        if rules:
            for rule in self._rules(table, action):
                values |= self._run(rule, table, {**blank, **current, **values})
        if action != "delete":
            self._check_mandatory(table, {**blank, **current, **values}, importing=importing)
        return values

    def _rules(self, table: str, action: str) -> list[Row]:
        found = [
            rule
            for name in self._ancestry(table)
            for rule in self._store.find("sys_script", {"collection": name, "active": "true", "when": "before"})
            if rule[f"action_{action}"] == "true"
        ]
        return sorted(found, key=lambda rule: int(rule["order"] or 0))

    def _run(self, rule: Row, table: str, row: Row) -> dict[str, str]:
        if not self._matches(table, rule["filter_condition"], row):
            return {}
        if rule["abort_action"] == "true" or ABORT.search(rule["script"]):
            name = rule["name"]
            raise Rejected(
                f"Operation against file '{table}' was aborted by Business Rule '{name}^{rule['sys_id']}'. "
                f"Business Rule Stack:{name}"
            )
        columns = self._store.schema.columns(table)
        changes = {found[1]: found[2] or found[3] or "" for found in ASSIGNMENT.finditer(rule["script"])}
        for clause in rule["template"].split("^"):
            found = TEMPLATE.fullmatch(clause)
            if found is not None:
                changes[found[1]] = found[2]
        return {name: value for name, value in changes.items() if name in columns}

    def _check_mandatory(self, table: str, row: Row, *, importing: bool) -> None:
        empty: dict[str, None] = {}
        columns = self._store.schema.columns(table)
        for name in self._ancestry(table):
            for policy in self._store.find("sys_data_policy2", {"model_table": name, "active": "true"}):
                if importing and policy["apply_import_set"] != "true":
                    continue
                if not self._matches(table, policy["conditions"], row):
                    continue
                for rule in self._store.find("sys_data_policy_rule", {"sys_data_policy": policy["sys_id"]}):
                    column = columns.get(rule["field"])
                    if rule["mandatory"] == "true" and column is not None and not row[column.name].strip():
                        empty[column.title] = None
        if empty:
            raise Rejected(f"Data Policy Exception: The following fields are mandatory: {', '.join(empty)}")

    def _matches(self, table: str, encoded: str, row: Row) -> bool:
        return not encoded or self._selection().test(table, parse(encoded))(row)

    def _ancestry(self, table: str) -> list[str]:
        names = [table]
        while parent := self._store.schema.table(names[-1]).extends:
            names.append(parent)
        return names
