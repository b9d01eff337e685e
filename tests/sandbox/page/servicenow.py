"""ServiceNow on the page: the tables of the instance, the rows of one in the dictionary's columns, one row."""

from __future__ import annotations

from tests.sandbox.page.frame import Missing, View, cut, heading
from tests.sandbox.page.markup import Html, Number, badge, card, code, element, facts, joined, short, table
from tests.sandbox.page.values import NOTHING, count
from tests.sandbox.servicenow import ServiceNow
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.store import Row

PLACE = "servicenow"
# In a list: what needs room to be read, and what is cut.
LONG, LONGEST = 24, 160
STATES = frozenset({"sys_import_state", "state", "status"})
MOODS = {
    "inserted": "good",
    "updated": "good",
    "processed": "good",
    "ignored": "warn",
    "pending": "warn",
    "error": "bad",
}


class ServiceNowPages:
    """The pages of one instance."""

    def __init__(self, simulator: ServiceNow) -> None:
        self._tables = simulator.tables

    def body(self, view: View) -> tuple[str, Html]:
        """Title and content of the page at this address; `Missing` when there is none."""
        match view.segments[1:]:
            case ():
                return "ServiceNow", self._all_tables(view)
            case (name,):
                return name, self._rows(view, self._known(name))
            case (name, sys_id):
                return self._one(view, self._known(name), sys_id)
            case _:
                raise Missing("no such page")

    def _all_tables(self, view: View) -> Html:
        store = self._tables
        with store.lock:
            counted = {one.name: sum(1 for _ in store.scan(one.name)) for one in store.schema}
            writes = [(Number("Inserted"), store.inserts), (Number("Updated"), store.updates)]
            rows = [
                [
                    view.link(one.name, PLACE, one.name),
                    one.title,
                    one.extends or NOTHING,
                    *(count(kind[one.name]) if kind[one.name] else NOTHING for _, kind in writes),
                    count(counted[one.name]),
                ]
                for one in sorted(store.schema, key=lambda one: (_rank(one.name, counted[one.name]), one.name))
            ]
        filled = sum(1 for number in counted.values() if number)
        said = (
            f"{filled} of {len(counted)} tables have rows. Application tables come first, then the platform's own, then "
            "the empty ones. Inserted and updated: rows written since the start, the sample data not counted."
        )
        headings = ["Table", "Label", "Extends", *(title for title, _ in writes), Number("Rows")]
        return joined(
            (heading(view, "ServiceNow"), element("section", element("p", said, class_="quiet"), table(headings, rows)))
        )

    def _rows(self, view: View, name: str) -> Html:
        store = self._tables
        with store.lock:
            held = list(store.scan(name))[::-1]
            part = cut(view, len(held))
            rows = held[part.start : part.end]
            columns = list(store.schema.columns(name).values())
            used = (
                columns
                if view.query.get("all") == "1"
                else [one for one in columns if any(row[one.name] for row in rows if one.name in row)]
            )
            key = self._key(name)
            ordered = [one for one in _ordered(used) if one.name not in {"sys_id", key}]
            shown = [
                [
                    view.link(_name(row, key), PLACE, name, row["sys_id"]),
                    *(self._value(view, one, row, brief=True) for one in ordered),
                ]
                for row in rows
            ]
        headings = [Number(one.title) if one.numeric else one.title for one in ordered]
        hidden = len(columns) - len(used)
        more = None
        if hidden and rows:
            more = element(
                "p",
                f"{hidden} columns without a value here are left out. ",
                element("a", "Show all", href=view.same(all=1)),
                class_="quiet",
            )
        elif view.query.get("all") == "1":
            more = element(
                "p", element("a", "Leave out columns without a value", href=view.same(all="")), class_="quiet"
            )
        top = heading(view, joined((store.schema.table(name).title, " ", code(name))), ("ServiceNow", (PLACE,)))
        listed = table([store.schema.columns(name)[key].title, *headings], shown, empty="No row.")
        return joined((top, element("section", part.pager, more, listed, part.pager)))

    def _one(self, view: View, name: str, sys_id: str) -> tuple[str, Html]:
        store = self._tables
        with store.lock:
            row = store.get(name, sys_id)
            if row is None:
                raise Missing(f"{name} has no row {sys_id}")
            owner = store.owner(name, sys_id) or name
            columns = _ordered(list(store.schema.columns(owner).values()))
            label = row.get(self._key(owner)) or sys_id
            pairs = [
                (joined((one.title, " ", code(one.name))), self._value(view, one, row, brief=False)) for one in columns
            ]
        top = heading(view, label, ("ServiceNow", (PLACE,)), (owner, (PLACE, owner)))
        return f"{label}, {owner}", joined((top, card("Columns", facts(pairs))))

    def _known(self, name: str) -> str:
        if name not in self._tables.schema:
            raise Missing(f"no table {name}")
        return name

    def _key(self, name: str) -> str:
        columns, display = self._tables.schema.columns(name), self._tables.schema.display_column(name)
        return next((one for one in (display, "number", "name") if one != "sys_id" and one in columns), "sys_id")

    def _value(self, view: View, column: Column, row: Row, *, brief: bool) -> object:
        text = row.get(column.name, "")
        if not text:
            return "" if brief else NOTHING
        if column.type.startswith("password"):
            return "not shown"
        if column.type == "reference" and column.reference in self._tables.schema:
            if self._tables.get(column.reference, text) is None:
                return joined((code(text), " ", badge("gone", "bad")))
            named = self._tables.display(column.reference, text)
            named = short(text) if brief and named in {"", text} else named or text
            return view.link(named, PLACE, column.reference, text)
        if column.name in STATES:
            return badge(dict(column.choices).get(text, text), MOODS.get(text, ""))
        if text in dict(column.choices):
            return joined((dict(column.choices)[text], " ", element("span", text, class_="quiet")))
        if column.type == "glide_date_time":
            return element("span", text, class_="nowrap")
        if brief and len(text) > LONG:
            return element("span", text if len(text) <= LONGEST else f"{text[:LONGEST]}…", class_="broad")
        return text


def _name(row: Row, key: str) -> str:
    named = row.get(key) if key != "sys_id" else ""
    return named or short(row["sys_id"])


def _ordered(columns: list[Column]) -> list[Column]:
    """The dictionary's order, the columns that every table has at the end."""
    return sorted(columns, key=lambda one: one.name.startswith("sys_") and not one.name.startswith("sys_import"))


def _rank(name: str, rows: int) -> int:
    if not rows:
        return 2
    return 1 if name.startswith(("sys_", "v_", "oauth_")) else 0
