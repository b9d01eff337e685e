"""What ``replay --dry-run`` shows: for each document whether it would pass now, why not, and the rows that would be sent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.terminal import console
from connector.decisions.mapping import StagingRow
from connector.flows.desk import Parked
from connector.flows.rehearse import PASSING, Rehearsal, Rehearsed, Verdict, rehearse
from connector.model.profile import DoorName, Route

STYLES: Mapping[Verdict, str] = {**dict.fromkeys(PASSING, "green"), "parked": "bold red"}
OTHERWISE = "yellow"
WORDS: Mapping[Verdict, str] = {
    "staged": "would be staged",
    "cancelled": "would be cancelled in ServiceNow",
    "unchanged": "is there already",
    "superseded": "is carried by its order",
    "closed": "is gone from Business Central",
    "parked": "would be parked again",
    "drifted": "would be left as it is",
    "waiting": "would wait",
    "changed": "was taken up by somebody else",
    "unknown": "cannot be told now",
}
DOORS: Mapping[DoorName, str] = {
    "insert_multiple": "These rows go table by table, the headers of all documents first.",
    "ap_invoice": "A new invoice goes as a whole, in the AP Invoice API's own form; later versions go as these rows.",
    "table": "These are records: of one that is there already, only what differs is written.",
}
"""How doors carry rows otherwise than as they stand here."""
WIDEST = 22
"""Characters of a value on one line where rows stand side by side; a longer one goes on below."""


def show_rehearsal(rehearsal: Rehearsal, documents: Sequence[Parked], *, as_json: bool) -> None:
    """Rehearses the documents and prints what came of it. Raises what `rehearse` raises."""
    found = rehearse(rehearsal, documents)
    if as_json:
        data = [_as_data(one, _route(rehearsal, one)) for one in found]
        typer.echo(json.dumps(data, ensure_ascii=False, indent=1))
        return
    for one in found:
        _print(one, _route(rehearsal, one), alone=len(found) == 1)
    counts = Counter(one.verdict for one in found)
    console.print()
    for verdict in WORDS:
        if verdict in counts:
            console.print(Text(f"{counts[verdict]:>5} {WORDS[verdict]}", style=STYLES.get(verdict, OTHERWISE)))
    console.print("Nothing was changed. What ServiceNow itself says to rows, only the replay shows.", soft_wrap=True)


def _route(rehearsal: Rehearsal, one: Rehearsed) -> Route:
    return rehearsal.profile.routes[one.document.entity.value]


def _print(one: Rehearsed, route: Route, *, alone: bool) -> None:
    state = one.document.state
    amount = f", {state.amount} {state.currency}" if state.amount else ""
    console.print(
        f"\n[bold]{one.document.entity.value} {escape(state.number)}[/bold] in {one.document.company.key}{amount}, "
        f"vendor {escape(state.vendor)}",
        soft_wrap=True,
    )
    console.print(Text(one.said, style=STYLES.get(one.verdict, OTHERWISE)), soft_wrap=True)
    for reason in one.reasons:
        console.print(Text(f"  {_sentence(reason)}"), soft_wrap=True)
    for noted in one.noted:
        console.print(Text(f"  Sent all the same: {_sentence(asdict(noted))}", style=OTHERWISE), soft_wrap=True)
    for remark in _remarks(one, route):
        console.print(f"  {remark}", soft_wrap=True)
    for part, rows in _by_table(one.rows).items():
        if alone:
            _print_whole(part, rows)
        else:
            _print_keys(part, rows, _key(route, part))


def _sentence(reason: Mapping[str, Any]) -> str:
    where = f" (line {reason['where']})" if reason["where"] else ""
    return f"{reason['code']}{where}: {reason['message']} {reason['remedy']}"


def _remarks(one: Rehearsed, route: Route) -> Iterator[str]:
    if one.rows and route.door in DOORS:
        yield DOORS[route.door]
    if one.in_doubt:
        yield "An earlier try was not heard of to its end: rows of it that are found there would not be sent again."
    if route.files is not None and one.verdict in ("staged", "unchanged"):
        yield "Its files would follow. They were not looked at here."


def _by_table(rows: Sequence[StagingRow]) -> Mapping[str, list[StagingRow]]:
    tables: dict[str, list[StagingRow]] = defaultdict(list)
    for row in rows:
        tables[row.table].append(row)
    return tables


def _key(route: Route, table: str) -> Sequence[str]:
    return next((each.key for each in route.tables if each.table == table), ())


def _titled(table: str, rows: Sequence[StagingRow]) -> Table:
    title = Text(f"{table}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}")
    return Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD)


def _print_keys(name: str, rows: Sequence[StagingRow], key: Sequence[str]) -> None:
    """One line a row, with what ServiceNow finds it by."""
    table = _titled(name, rows)
    table.add_column("#", justify="right")
    for heading in key:
        table.add_column(heading, overflow="fold")
    removed = any(row.removed for row in rows)
    if removed:
        table.add_column("")
    for number, row in enumerate(rows, start=1):
        cells = [str(number), *row.key, *(["taken back" if row.removed else ""] if removed else [])]
        table.add_row(*map(Text, cells))
    console.print(table)


def _print_whole(name: str, rows: Sequence[StagingRow]) -> None:
    """Every column of every row: columns go down, rows across, as many side by side as the terminal takes."""
    names = list(dict.fromkeys(column for row in rows for column in row.columns))
    room = console.width - max(map(len, names)) - 4
    position = 0
    while position < len(rows):
        part = [rows[position]]
        while position + len(part) < len(rows) and sum(map(_width, [*part, rows[position + len(part)]])) <= room:
            part.append(rows[position + len(part)])
        table = _titled(name, rows) if position == 0 else Table(box=box.SIMPLE_HEAD)
        table.add_column("Column", no_wrap=True)
        for number, row in enumerate(part, start=position + 1):
            if len(rows) > 1:
                table.add_column(_heading(number, row), overflow="fold", max_width=WIDEST)
            else:
                table.add_column("Value" if not row.where else _heading(number, row), overflow="fold")
        for column in names:
            table.add_row(column, *(Text(row.columns.get(column, "")) for row in part))
        console.print(table)
        position += len(part)


def _heading(number: int, row: StagingRow) -> str:
    if not row.where:
        return f"row {number}"
    return f"line {row.where}" + (", taken back" if row.removed else "")


def _width(row: StagingRow) -> int:
    """The characters that a row takes side by side with others, with its border."""
    texts = [_heading(0, row), *row.columns.values()]
    return min(WIDEST, max(map(len, texts))) + 3


def _as_data(one: Rehearsed, route: Route) -> dict[str, object]:
    state = one.document.state
    return {
        "company": one.document.company.key,
        "entity": one.document.entity.value,
        "number": state.number,
        "id": state.id,
        "vendor": state.vendor,
        "amount": state.amount,
        "currency": state.currency,
        "verdict": one.verdict,
        "passes": one.passes,
        "said": one.said,
        "reasons": list(one.reasons),
        "noted": [asdict(reason) for reason in one.noted],
        "remarks": list(_remarks(one, route)),
        "rows": [
            {
                "table": row.table,
                "line": row.where,
                "removed": row.removed,
                "key": dict(zip(_key(route, row.table), row.key, strict=True)),
                "columns": dict(row.columns),
            }
            for row in one.rows
        ],
    }
