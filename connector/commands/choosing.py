"""How commands are told which parked documents they are about, and who acts."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from connector.commands.terminal import fail
from connector.decisions.selection import Selection
from connector.flows.desk import Act

Numbers = Annotated[list[str] | None, typer.Argument(help="numbers or ids of documents")]
Codes = Annotated[list[str] | None, typer.Option("--code", help="parked for this reason; may be repeated")]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="of this vendor (BC's number); may be repeated")]
Companies = Annotated[list[str] | None, typer.Option("--company", help="of this company (its key); may be repeated")]
Entities = Annotated[list[str] | None, typer.Option("--entity", help="of this entity; may be repeated")]
From = Annotated[str, typer.Option("--from", help="parked on this day (UTC) or later")]
Until = Annotated[str, typer.Option("--until", help="parked before this day (UTC)")]
Everything = Annotated[bool, typer.Option("--all", help="every parked document")]
Who = Annotated[str, typer.Option("--who", help="who acts; default: the user of this machine")]


def selection(
    numbers: Sequence[str] | None,
    codes: Sequence[str] | None,
    vendors: Sequence[str] | None,
    companies: Sequence[str] | None,
    entities: Sequence[str] | None,
    parked_from: str,
    parked_until: str,
) -> Selection:
    """What the options choose; ends the command when a day is none."""
    return Selection(
        numbers or (),
        codes or (),
        vendors or (),
        companies or (),
        entities or (),
        day(parked_from, "--from"),
        day(parked_until, "--until"),
    )


def act(who: str, why: str) -> Act:
    """Who acts, and why."""
    return Act(who.strip() or getpass.getuser(), why.strip())


def day(text: str, option: str) -> datetime | None:
    """The beginning of the day (UTC) that an option names, None for no day; ends the command when the text is none."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fail(f"{option}: {text} is no day. Give it as year-month-day, such as 2026-01-31.")
