"""``verify``: whether the audit trail is as it was written."""

from __future__ import annotations

import typer
from rich.text import Text

from connector.commands.terminal import console, guarded
from connector.flows.parts import Parts
from connector.flows.verify import verify as verify_trails


def verify() -> None:
    """Holds every event of every document against its seal. Ends with 1 when one was changed, removed, added or moved."""

    def run(parts: Parts) -> None:
        found = verify_trails(parts)
        for one in found.broken:
            line = f"{one.company.key} {one.entity.value} {one.id}: {one.fault}"
            console.print(Text(line, style="red"), soft_wrap=True)
        console.print(f"{found.documents} documents with {found.events} events, {len(found.broken)} broken trails.")
        if found.broken:
            raise typer.Exit(1)

    guarded(run)
