"""``digest``: what the daily digest would say now."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from connector.commands.terminal import guarded
from connector.decisions.digest import as_data
from connector.decisions.digest_text import subject, text
from connector.flows.digest import digest_now
from connector.flows.parts import Parts


def digest(
    as_json: Annotated[bool, typer.Option("--json", help="as one JSON object, nothing left out")] = False,
) -> None:
    """What is parked and why, what is new since the last daily digest, where all documents stand. Sends nothing."""

    def show(parts: Parts) -> None:
        found = digest_now(parts)
        if as_json:
            typer.echo(json.dumps(as_data(found), ensure_ascii=False, indent=1))
        else:
            typer.echo(f"{subject(found)}\n\n{text(found)}", nl=False)

    guarded(show)
