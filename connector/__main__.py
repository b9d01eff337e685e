"""The operator's command line: ``python -m connector``. Reads the same settings as the app, from the environment or from
local.settings.json in the current folder."""

from __future__ import annotations

import typer

from connector.commands.backfill import backfill
from connector.commands.check import check
from connector.commands.status import status
from connector.commands.subscriptions import subscriptions
from connector.commands.trail import trail

cli = typer.Typer(
    help="Business Central to ServiceNow: see where documents stand.", no_args_is_help=True, add_completion=False
)
for command in (check, status, trail, backfill):
    cli.command()(command)
cli.add_typer(subscriptions, name="subscriptions")

if __name__ == "__main__":
    cli()
