"""The operator's command line: ``python -m connector``. Reads the same settings as the app, from the environment or from
local.settings.json in the current folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.bootstrap import Application
from connector.decisions.states import Status
from connector.errors import ConnectorError, SettingsFault
from connector.flows.overview import Overview, Trail, overview, trails
from connector.flows.parts import Parts
from connector.model.stamps import NEVER

cli = typer.Typer(
    help="Business Central to ServiceNow: see where documents stand.", no_args_is_help=True, add_completion=False
)
console = Console()
SHOWN = (Status.DONE, Status.WAITING, Status.PENDING, Status.CLAIMED, Status.PARKED)


@cli.callback()
def _commands() -> None:
    """Shows the list of commands even while there are few."""


@cli.command()
def status() -> None:
    """How many documents stand where, and how far change detection has come."""
    _guarded(lambda parts: _print_overview(overview(parts)))


@cli.command()
def trail(number: Annotated[str, typer.Argument(help="number of an order, invoice or vendor, id, or sys_id")]) -> None:
    """Everything that happened to a document."""

    def show(parts: Parts) -> None:
        found = trails(parts, number)
        if not found:
            _fail(f"Nothing is known under {number}. Use the number exactly as in Business Central.")
        for one in found:
            _print_trail(one)

    _guarded(show)


def _print_overview(seen: Overview) -> None:
    table = Table(title="Documents")
    table.add_column("Company")
    table.add_column("Entity")
    for heading in ("Seen", *(status.value.capitalize() for status in SHOWN), "Other"):
        table.add_column(heading, justify="right")
    table.add_column("Up to (BC time, UTC)")
    for one in seen.entities:
        counts = [one.counts[status] for status in SHOWN]
        watermark = one.watermark.strftime("%Y-%m-%d %H:%M:%S") if one.watermark not in (None, NEVER) else "-"
        table.add_row(
            one.company.key,
            one.entity.value,
            *(str(count) for count in (one.seen, *counts, one.seen - sum(counts))),
            watermark,
        )
    console.print(table)
    for one in seen.entities:
        for cause, count in one.causes.most_common():
            console.print(f"parked, {one.company.key} {one.entity.value}: {count} x {cause}")
    console.print(f"queue: {seen.waiting_units} units waiting, {seen.poison_messages} parked notes and poison messages")


def _print_trail(one: Trail) -> None:
    state = one.state
    amount = f", {state.amount} {state.currency}" if state.amount else ""
    console.print(
        f"\n[bold]{one.entity.value} {escape(state.number)}[/bold] in {one.company.key}{amount}: {state.status.value}"
    )
    console.print(
        f"id {state.id}" + (f", ServiceNow {escape(state.target)} {escape(state.sys_id)}" if state.sys_id else "")
    )
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


def _details(text: str) -> str:
    try:
        detail = json.loads(text)
    except ValueError:
        return text
    lines = []
    for name, value in detail.items():
        if name == "reasons":
            lines += [f"{reason['code']}: {reason['message']} {reason['remedy']}" for reason in value]
        elif name == "results":
            lines.append("rows: " + ", ".join(f"{count} {outcome}" for outcome, count in value.items()))
        elif name == "payload":
            lines.append(f"payload: {value[:12]}")
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _guarded(command: Callable[[Parts], None]) -> None:
    try:
        command(Application(_environment()).parts)
    except ConnectorError as error:
        _fail(str(error))


def _environment() -> dict[str, str]:
    file = Path("local.settings.json")
    try:
        values = json.loads(file.read_text("utf-8"))["Values"] if file.is_file() else {}
        return dict(values) | dict(os.environ)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsFault(
            f"{file} cannot be read ({type(error).__name__}); compare it with local.settings.sample.json"
        ) from None


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(Text(message, style="red"))
    raise typer.Exit(1)


if __name__ == "__main__":
    cli()
