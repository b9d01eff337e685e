"""The operator's command line: ``python -m connector``. Reads the same settings as the app, from the environment or from
local.settings.json in the current folder."""

from __future__ import annotations

import typer

from connector.commands.align import align
from connector.commands.backfill import backfill
from connector.commands.check import check
from connector.commands.digest import digest
from connector.commands.export import export
from connector.commands.parked import discard, parked, replay
from connector.commands.status import status
from connector.commands.subscriptions import subscriptions
from connector.commands.trail import trail
from connector.commands.unreadable import unreadable
from connector.commands.verify import verify

cli = typer.Typer(
    help="Business Central to ServiceNow: see where documents stand, and look after those that do not fit.",
    no_args_is_help=True,
    add_completion=False,
)
for command in (check, status, parked, trail, replay, discard, digest, verify, export, align, backfill):
    cli.command()(command)
cli.add_typer(subscriptions, name="subscriptions")
cli.add_typer(unreadable, name="unreadable")

if __name__ == "__main__":
    cli()
