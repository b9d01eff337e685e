"""``parked``, ``replay``, ``discard``: the desk of whoever looks after what could not be carried."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.choosing import (
    Codes,
    Companies,
    Entities,
    Everything,
    From,
    Numbers,
    Until,
    Vendors,
    Who,
    act,
    selection,
)
from connector.commands.rehearsing import show_rehearsal
from connector.commands.terminal import console, fail, guarded, rehearsed
from connector.decisions.selection import Selection
from connector.flows.desk import Done, Parked, parked_documents
from connector.flows.desk import discard as discard_documents
from connector.flows.desk import replay as replay_documents
from connector.flows.parts import Parts
from connector.flows.rehearse import Rehearsal
from connector.model.stamps import stamp_text

MOST_NUMBERS = 5
"""Numbers that a line of the overview names."""


def parked(
    numbers: Numbers = None,
    code: Codes = None,
    vendor: Vendors = None,
    company: Companies = None,
    entity: Entities = None,
    since: From = "",
    until: Until = "",
    as_json: Annotated[bool, typer.Option("--json", help="every document with its reasons, as a JSON list")] = False,
) -> None:
    """What could not be carried, by cause: how many, how much, how long already. With numbers: each reason and what to do."""
    chosen = selection(numbers, code, vendor, company, entity, since, until)

    def show(parts: Parts) -> None:
        found = parked_documents(parts, chosen)
        if as_json:
            typer.echo(json.dumps([_as_data(one) for one in found], ensure_ascii=False, indent=1))
        elif not found:
            console.print("Nothing is parked." if chosen.is_empty else "Nothing that is parked fits.")
        elif numbers:
            _print_documents(found)
        else:
            _print_causes(found)

    guarded(show)


def replay(
    numbers: Numbers = None,
    code: Codes = None,
    vendor: Vendors = None,
    company: Companies = None,
    entity: Entities = None,
    since: From = "",
    until: Until = "",
    everything: Everything = False,
    why: Annotated[str, typer.Option("--why", help="why it should go now; stands in the trail")] = "",
    who: Who = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only show whether it would pass now, and the rows that would be sent")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --dry-run: as a JSON list")] = False,
) -> None:
    """Sends parked documents again, after their causes were mended: read, mapped and checked anew, under the same key."""
    chosen = selection(numbers, code, vendor, company, entity, since, until)
    _insist(chosen, everything=everything, command="replay")
    if as_json and not dry_run:
        fail("--json shows what --dry-run finds; give both, or neither.")

    def rehearse(rehearsal: Rehearsal) -> None:
        show_rehearsal(rehearsal, _found(rehearsal.parts, chosen), as_json=as_json)

    if dry_run:
        rehearsed(rehearse)
        return

    def run(parts: Parts) -> None:
        found = _found(parts, chosen)
        done = replay_documents(parts, found, act(who, why))
        _tell(done, "is on its way." if done.count == 1 else "are on their way.")

    guarded(run)


def discard(
    why: Annotated[str, typer.Option("--why", help="why it is given up; stands in the trail")],
    numbers: Numbers = None,
    code: Codes = None,
    vendor: Vendors = None,
    company: Companies = None,
    entity: Entities = None,
    since: From = "",
    until: Until = "",
    everything: Everything = False,
    who: Who = "",
) -> None:
    """Gives parked documents up as they are. A later change in Business Central brings one back."""
    chosen = selection(numbers, code, vendor, company, entity, since, until)
    _insist(chosen, everything=everything, command="discard")
    if not why.strip():
        fail("--why must say something: it stands in the trail for whoever asks later.")

    def run(parts: Parts) -> None:
        done = discard_documents(parts, _found(parts, chosen), act(who, why))
        _tell(done, "is discarded." if done.count == 1 else "are discarded.")

    guarded(run)


def _insist(chosen: Selection, *, everything: bool, command: str) -> None:
    if chosen.is_empty and not everything:
        fail(
            f"Say which documents to {command}: numbers, --code, --vendor, --company, --entity, --from, --until, or --all."
        )
    if everything and not chosen.is_empty:
        fail("--all means every parked document; leave it out, or leave the other conditions out.")


def _found(parts: Parts, chosen: Selection) -> list[Parked]:
    found = parked_documents(parts, chosen)
    if not found:
        fail("Nothing that is parked fits.")
    known = {text.strip().casefold() for one in found for text in (one.state.number, one.state.id)}
    missing = [number for number in chosen.numbers if number.strip().casefold() not in known]
    if missing:
        fail(f"Not parked: {', '.join(missing)}. Nothing was done.")
    return found


def _tell(done: Done, what: str) -> None:
    console.print(f"{done.count} {'document' if done.count == 1 else 'documents'} {what}", soft_wrap=True)
    if done.lost:
        console.print(
            Text(f"Changed by somebody else meanwhile, and left alone: {', '.join(done.lost)}", style="yellow")
        )


def _print_causes(found: Sequence[Parked]) -> None:
    causes: dict[tuple[str, str, str], list[Parked]] = defaultdict(list)
    for one in found:
        for code in {reason["code"] for reason in one.reasons}:
            causes[code, one.company.key, one.entity.value].append(one)
    table = Table(title="Parked documents by cause")
    for heading in ("Cause", "Company", "Entity"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Count", justify="right")
    for heading in ("Amount", "Oldest", "Documents"):
        table.add_column(heading)
    for (code, company, entity), ones in sorted(causes.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = [one.state.number or one.state.id for one in ones[:MOST_NUMBERS]]
        more = f" and {len(ones) - MOST_NUMBERS} more" if len(ones) > MOST_NUMBERS else ""
        oldest = _age(max(one.age for one in ones))
        table.add_row(code, company, entity, str(len(ones)), _amounts(ones), oldest, escape(", ".join(shown) + more))
    console.print(table)
    console.print(f"{len(found)} parked in all. Each reason, and what to do: python -m connector parked NUMBER")


def _print_documents(found: Sequence[Parked]) -> None:
    for one in found:
        state = one.state
        amount = f", {state.amount} {state.currency}" if state.amount else ""
        console.print(
            f"\n[bold]{one.entity.value} {escape(state.number)}[/bold] in {one.company.key}{amount}, vendor "
            f"{escape(state.vendor)}, parked {_age(one.age)} ago",
            soft_wrap=True,
        )
        for reason in one.reasons:
            where = f" (line {reason['where']})" if reason["where"] else ""
            console.print(Text(f"  {reason['code']}{where}: {reason['message']} {reason['remedy']}"), soft_wrap=True)


def _as_data(one: Parked) -> dict[str, object]:
    state = one.state
    return {
        "company": one.company.key,
        "entity": one.entity.value,
        "number": state.number,
        "id": state.id,
        "vendor": state.vendor,
        "amount": state.amount,
        "currency": state.currency,
        "parked_since": stamp_text(state.modified),
        "hours": round(one.age.total_seconds() / 3600, 1),
        "reasons": list(one.reasons),
    }


def _amounts(found: Iterable[Parked]) -> str:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for one in found:
        if one.state.amount:
            total[one.state.currency] += Decimal(one.state.amount)
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(total.items()))


def _age(age: timedelta) -> str:
    hours, rest = divmod(int(age.total_seconds()), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60} min"
