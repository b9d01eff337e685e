"""Choice lists: which stored values a column offers, and the label of each."""

from __future__ import annotations

from tests.sandbox.servicenow.store import Row, Store


def choices_of(store: Store, table: str, element: str) -> list[Row]:
    """The active choices of a column, looked for under the table and then its ancestors; none means free text."""
    name = table
    while name:
        rows = [
            row for row in store.find("sys_choice", {"name": name, "element": element}) if row["inactive"] != "true"
        ]
        if rows:
            return rows
        name = store.schema.table(name).extends
    return []


def value_of(choices: list[Row], text: str, *, by_label: bool) -> str | None:
    """The stored value a text means, or None when the list has none such."""
    for row in choices:
        if row["value"] == text or (by_label and row["label"].casefold() == text.casefold()):
            return row["value"]
    return None
