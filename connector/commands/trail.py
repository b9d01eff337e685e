"""``trail``: everything that happened to a document."""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import chain
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.rows import Format, write_rows
from connector.commands.terminal import console, fail, guarded
from connector.flows.export import rows
from connector.flows.overview import Trail, trails
from connector.flows.parts import Parts
from connector.storage.ledger_rows import State


class Shown(StrEnum):
    """The forms in which a trail is shown."""

    TABLE = "table"
    JSON = Format.JSON
    CSV = Format.CSV


def trail(
    number: Annotated[str, typer.Argument(help="number of an order, invoice or vendor, id, or sys_id")],
    form: Annotated[Shown, typer.Option("--format", help="table, or the rows of an export: json, csv")] = Shown.TABLE,
) -> None:
    """Everything that happened to a document."""

    def show(parts: Parts) -> None:
        found = trails(parts, number)
        if not found:
            fail(f"Nothing is known under {number}. Use the number exactly as in Business Central.")
        if form is not Shown.TABLE:
            every = (rows(one.company, one.kind, one.state, one.events, intact=one.intact) for one in found)
            write_rows(chain.from_iterable(every), Format(form))
            return
        for one in found:
            _print(one)

    guarded(show)


def _print(one: Trail) -> None:
    state = one.state
    amount = f", {state.amount} {state.currency}" if state.amount else ""
    console.print(
        f"\n[bold]{one.kind} {escape(state.number)}[/bold] in {one.company.key}{amount}: {state.status.value}"
    )
    console.print(
        f"id {state.id}" + (f", ServiceNow {escape(state.target)} {escape(state.sys_id)}" if state.sys_id else "")
    )
    if state.there:
        console.print(f"in ServiceNow: {escape(state.there_label or state.there)}" + _drift(state))
    table = Table()
    for heading in ("#", "When (UTC)", "Step", "State", "Details"):
        table.add_column(heading)
    for event in one.events:
        table.add_row(
            str(event.seq),
            event.at.strftime("%Y-%m-%d %H:%M:%S"),
            event.action,
            event.status.value,
            Text(_details(event.detail)),
        )
    console.print(table)
    console.print("The chain of events is whole." if one.intact else "[red]The chain of events is broken.[/red]")


def _drift(state: State) -> str:
    return "; it was changed in BC since, and that was not sent" if state.drift else ""


def _details(text: str) -> str:
    try:
        detail = json.loads(text)
    except (ValueError, RecursionError):
        return text  # it was too long for the ledger, and was cut
    if not isinstance(detail, dict):
        return text
    lines = []
    for name, value in detail.items():
        if name == "reasons":
            lines += [f"{reason['code']}: {reason['message']} {reason['remedy']}" for reason in value]
        elif name == "results":
            lines.append("rows: " + ", ".join(f"{count} {outcome}" for outcome, count in value.items()))
        elif name in ("payload", "payload there"):
            lines.append(f"{name}: {value[:12]}")
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)
