"""``subscriptions``: how each feed is watched, renewing its webhook subscription, removing all of ours."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from connector.commands.status import moment
from connector.commands.terminal import console, fail, guarded
from connector.errors import Outage
from connector.flows.parts import Parts
from connector.flows.renew import OFF, renew_all
from connector.flows.subscriptions import foreign, remove_all
from connector.flows.watch import Watched, watched_feeds

subscriptions = typer.Typer(help="The webhook subscriptions: how each feed is watched, renewing them, removing them.")


@subscriptions.callback(invoke_without_command=True)
def _list_subscriptions(context: typer.Context) -> None:
    """How each feed is watched, and how long its subscription lives."""
    if context.invoked_subcommand is None:
        guarded(_print)


@subscriptions.command("renew")
def renew_subscriptions(
    everything: Annotated[bool, typer.Option("--all", help="renew all of ours, due or not")] = False,
) -> None:
    """Adopts, renews, creates and removes what is due, as the timer does every hour."""

    def renew(parts: Parts) -> None:
        stopped = renew_all(parts, everything=everything)
        if stopped == OFF:
            fail("Webhooks are off: give WEBHOOK_URL and WEBHOOK_KEY.")
        if stopped:
            fail(f"Nothing was done. {stopped}")
        _print(parts)

    guarded(renew)


@subscriptions.command("remove")
def remove_subscriptions(
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
) -> None:
    """Removes all of ours from Business Central; polling goes on."""

    def remove(parts: Parts) -> None:
        if not parts.settings.webhook_keys:
            fail("Webhooks are off: without WEBHOOK_URL and WEBHOOK_KEY ours cannot be told from others'.")
        if not yes:
            typer.confirm("Remove the connector's subscriptions from Business Central?", abort=True)
        removed, faults = remove_all(parts)
        console.print(f"{removed} removed. Unless WEBHOOK_URL is emptied, the next renewal makes them anew.")
        if faults:
            fail(f"{len(faults)} could not be removed. {faults[0]}")

    guarded(remove)


def _print(parts: Parts) -> None:
    table = Table(title="Subscriptions")
    for heading in ("Company", "Feed", "State", "Mode"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Ends in h", justify="right")
    table.add_column("Last notification (UTC)")
    table.add_column("Why")
    for one in watched_feeds(parts):
        table.add_row(*_subscription_row(one))
    console.print(table)
    try:
        console.print(f"{foreign(parts)} other subscriptions in this environment, not of this connector.")
    except Outage as outage:
        console.print(f"Other subscriptions cannot be counted now. {outage}", markup=False)


def _subscription_row(one: Watched) -> list[str | Text]:
    hours = "-" if one.hours is None else f"{one.hours:.1f}"
    mode = f"{one.live.mode}, ends soon" if one.live.alarm else one.live.mode
    return [one.company.key, one.feed.value, one.state or "-", mode, hours, moment(one.noticed), Text(one.why)]
