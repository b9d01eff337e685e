"""How the drift report is shown: what differs between both sides, what one of them lacks, and which documents that stops."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.terminal import console
from connector.decisions.alignment_report import Report
from connector.setting_words import Company

SIDES = {"servicenow": "ServiceNow", "business_central": "BC", "": ""}


def show_drift(company: Company, found: Report, *, as_json: bool) -> None:
    """Prints the report of one company."""
    if as_json:
        typer.echo(json.dumps({"company": company.key, **asdict(found)}, ensure_ascii=False, default=str))
        return
    dimension = escape(company.cost_centre_dimension)
    if found.aligned:
        console.print(
            f"\n[bold]{company.key}[/bold], dimension {dimension}: both sides know the same, and nothing is stopped."
        )
        return
    console.print(f"\n[bold]{company.key}[/bold], dimension {dimension}")
    if found.differences:
        table = Table(title="What differs")
        for heading in ("Code", "What", "ServiceNow", "BC", "Changed in", "Since"):
            table.add_column(heading)
        for one in found.differences:
            table.add_row(
                Text(one.code),
                one.attribute,
                Text(one.servicenow),
                Text(one.business_central),
                SIDES[one.changed],
                _day(one.since),
            )
        console.print(table)
    if found.missing:
        table = Table(title="What one side lacks")
        for heading in ("Code", "Name", "Missing in", "Since"):
            table.add_column(heading)
        for lacking in found.missing:
            table.add_row(Text(lacking.code), Text(lacking.name), SIDES[lacking.missing_in], _day(lacking.since))
        console.print(table)
    for conflict in found.conflicts:
        console.print(
            Text(f"  {conflict.kind} {conflict.code}: {conflict.what} {conflict.remedy}", style="yellow"),
            soft_wrap=True,
        )
    _show_stopped(found)


def _show_stopped(found: Report) -> None:
    numbers: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for one in found.stopped:
        listed = numbers[one.document.cost_centre, one.document.warehouse, one.codes]
        if one.document.number not in listed:
            listed.append(one.document.number)
    if not numbers:
        console.print("No document is stopped by it.")
        return
    table = Table(title="Documents that are stopped")
    for heading in ("Cost centre", "Warehouse", "Reason", "Documents"):
        table.add_column(heading)
    for (cost_centre, warehouse, codes), documents in sorted(numbers.items()):
        table.add_row(Text(cost_centre), Text(warehouse), " ".join(codes), Text(", ".join(documents)))
    console.print(table)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""
