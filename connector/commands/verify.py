"""``verify``: whether the audit trail is as it was written, and whether no document is missing from the count."""

from __future__ import annotations

import typer
from rich.text import Text

from connector.commands.terminal import console, guarded
from connector.decisions.states import Status
from connector.flows.parts import Parts
from connector.flows.verify import Conservation
from connector.flows.verify import verify as verify_trails


def verify() -> None:
    """Holds every event of every document against its seal, and counts the documents: all that were ever seen are in one state
    each. Ends with 1 when an event was changed, removed, added or moved, or the numbers differ."""

    def run(parts: Parts) -> None:
        found = verify_trails(parts)
        for place in found.places:
            style = "" if place.holds else "red"
            console.print(Text(conservation(place), style=style), soft_wrap=True, highlight=False)
        for one in found.broken:
            line = f"{one.company.key} {one.kind} {one.id}: {one.fault}"
            console.print(Text(line, style="red"), soft_wrap=True)
        for id_, fault in found.unreadable.items():
            console.print(Text(f"unreadable message {id_}: {fault}", style="red"), soft_wrap=True)
        broken = len(found.broken) + len(found.unreadable)
        console.print(f"{found.documents} documents with {found.events} events, {broken} broken trails.")
        if not found.sound:
            raise typer.Exit(1)

    guarded(run)


def conservation(place: Conservation) -> str:
    """The line that shows where every document of a place is."""
    parts = " + ".join(f"{place.counts[status]} {status.value}" for status in Status)
    sign = "=" if place.holds else "is not"
    return f"{place.company.key} {place.kind}: {place.seen} seen {sign} {parts}"
