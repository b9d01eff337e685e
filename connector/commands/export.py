"""``export``: what is on record of documents, for those who examine or keep it elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connector.commands.choosing import Companies, Entities, Vendors, day
from connector.commands.rows import Format, write_rows
from connector.commands.terminal import fail, guarded
from connector.flows import export as flow
from connector.flows.parts import Parts
from connector.flows.record_places import record_places


def export(
    company: Companies = None,
    entity: Entities = None,
    vendor: Vendors = None,
    since: Annotated[str, typer.Option("--from", help="events of this day (UTC) or later")] = "",
    until: Annotated[str, typer.Option("--until", help="events before this day (UTC)")] = "",
    form: Annotated[Format, typer.Option("--format", help="csv, or json: one object a line")] = Format.CSV,
    out: Annotated[Path | None, typer.Option(help="write to this file; it appears when it is complete")] = None,
) -> None:
    """Every event of the documents that are chosen, one row each, with its seal and whether the document's trail is whole."""
    days = day(since, "--from"), day(until, "--until")
    wanted = flow.Wanted(company or (), entity or (), vendor or (), *days)

    def run(parts: Parts) -> None:
        places = record_places(parts)
        _insist_known("company", wanted.companies, [one.company.key for one in places])
        _insist_known("entity", wanted.entities, [one.kind for one in places])
        count = write_rows(flow.export(parts, wanted), form, out)
        # Beside the rows, so that what is piped on holds nothing else.
        Console(stderr=True).print(f"{count} {'event' if count == 1 else 'events'} written.", highlight=False)

    guarded(run)


def _insist_known(what: str, wanted: Collection[str], known: Sequence[str]) -> None:
    there = {name.casefold() for name in known}
    for name in wanted:
        if name.strip().casefold() not in there:
            fail(f"There is no {what} {name}; there are {', '.join(dict.fromkeys(known))}.")
