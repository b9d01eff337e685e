"""``align``: cost centres of ServiceNow and dimension values of Business Central brought to the same, or what that takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.choosing import Companies
from connector.commands.drift import show_drift
from connector.commands.terminal import console, fail, guarded
from connector.decisions.alignment_actions import Action, Conflict, Map, Unmap
from connector.flows.align import Aligned, Sides, look
from connector.flows.align import align as align_company
from connector.flows.drift_report import drift_report
from connector.flows.parts import Parts
from connector.setting_words import Company


def align(
    company: Companies = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and change nothing")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="print what differs now, and what it stops; change nothing")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, one object a company")] = False,
) -> None:
    """Aligns cost centres and dimension values now, as the timer does. With --dry-run: what would be written where, and why."""

    def run(parts: Parts) -> None:
        for one in _chosen(parts, company):
            if report:
                drift = drift_report(parts, one)
                if drift is not None:
                    show_drift(one, drift, as_json=as_json)
            elif dry_run:
                sides = look(parts, one)
                if sides is not None:
                    _show_plan(sides, as_json=as_json)
            else:
                came_to = align_company(parts, one)
                if came_to is not None:
                    _show_result(came_to, as_json=as_json)

    guarded(run)


def _chosen(parts: Parts, keys: Sequence[str] | None) -> list[Company]:
    aligned = [one for one in parts.settings.companies if one.key in parts.alignment]
    if not aligned:
        fail("No company is aligned: name a file with [companies.KEY] in the setting ALIGNMENT.")
    unknown = sorted(set(keys or ()) - {one.key for one in aligned})
    if unknown:
        fail(f"Not aligned: {', '.join(unknown)}; there are {', '.join(one.key for one in aligned)}.")
    return [one for one in aligned if not keys or one.key in keys]


def _show_plan(sides: Sides, *, as_json: bool) -> None:
    writes = [one for one in sides.plan.actions if not isinstance(one, Map | Unmap)]
    if as_json:
        shown = {
            "company": sides.company.key,
            "route": sides.route.why,
            "actions": [_as_data(one) for one in sides.plan.actions],
            "conflicts": [asdict(one) for one in sides.plan.conflicts],
        }
        typer.echo(json.dumps(shown, ensure_ascii=False, default=str))
        return
    console.print(
        f"\n[bold]{sides.company.key}[/bold], dimension {escape(sides.company.cost_centre_dimension)}: "
        f"{len(sides.centres)} cost centres, {len(sides.values)} values. {escape(sides.route.why)}",
        soft_wrap=True,
    )
    if writes:
        table = Table(title="What would be written")
        for heading in ("What", "Code", "To", "Why"):
            table.add_column(heading)
        for one in writes:
            table.add_row(type(one).__name__, escape(one.code), Text(_to(one)), Text(one.why))
        console.print(table)
    else:
        console.print("Nothing would be written.")
    _show_conflicts(sides.plan.conflicts)


def _show_result(came_to: Aligned, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "company": came_to.company.key,
            "done": [_as_data(one) for one in came_to.done],
            "refused": [{"about": about, **asdict(reason)} for about, reason in came_to.refused],
            "conflicts": [asdict(one) for one in came_to.conflicts],
            "settled": came_to.settled,
        }
        typer.echo(json.dumps(shown, ensure_ascii=False, default=str))
        return
    state = "aligned" if came_to.settled else "not yet aligned"
    console.print(f"\n[bold]{came_to.company.key}[/bold]: {len(came_to.done)} written, {state}.")
    for about, reason in came_to.refused:
        console.print(Text(f"  {about}: {reason.code}: {reason.message} {reason.remedy}", style="red"), soft_wrap=True)
    _show_conflicts(came_to.conflicts)


def _show_conflicts(conflicts: Sequence[Conflict]) -> None:
    for one in conflicts:
        console.print(Text(f"  {one.kind} {one.code}: {one.what} {one.remedy}", style="yellow"), soft_wrap=True)


def _to(action: Action) -> str:
    """What would be there then."""
    told = {
        name: value
        for name, value in asdict(action).items()
        if name not in ("code", "sys_id", "etag", "why") and value not in ("", None)
    }
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _as_data(action: Action) -> dict[str, object]:
    return {"action": type(action).__name__, **asdict(action)}
