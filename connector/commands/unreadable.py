"""``unreadable``: messages on the documents queue that are none of the connector's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from connector.commands.choosing import Who, act
from connector.commands.status import moment
from connector.commands.terminal import console, fail, guarded
from connector.flows.parts import Parts
from connector.flows.unreadable import Unreadable, discard_unreadable, unreadable_messages
from connector.model.stamps import stamp_text

unreadable = typer.Typer(
    help="Messages on the documents queue that the connector cannot read: list them, discard them."
)


@unreadable.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    """What came over the documents queue and is none of the connector's."""
    if context.invoked_subcommand is None:
        list_unreadable()


@unreadable.command("list")
def list_unreadable(
    as_json: Annotated[bool, typer.Option("--json", help="each with its text, as a JSON list")] = False,
) -> None:
    """Each message: its id, when it came, why it cannot be read, and its text."""

    def show(parts: Parts) -> None:
        found = unreadable_messages(parts)
        if as_json:
            typer.echo(json.dumps([_as_data(one) for one in found], indent=1))
        elif not found:
            console.print("No unreadable message is on record.")
        for one in () if as_json else found:
            _print(one)

    guarded(show)


@unreadable.command("discard")
def discard(
    why: Annotated[str, typer.Option("--why", help="what was found out about it; stands in the trail")],
    ids: Annotated[list[str] | None, typer.Argument(help="ids of messages")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every message on the list")] = False,
    who: Who = "",
) -> None:
    """Takes messages off the list. What is on record of them stays; one that comes again is listed again."""
    if bool(ids) == everything:
        fail("Say which messages to discard: their ids, or --all.")
    if not why.strip():
        fail("--why must say something: it stands in the trail for whoever asks later.")

    def run(parts: Parts) -> None:
        done = discard_unreadable(parts, _chosen(unreadable_messages(parts), ids or ()), act(who, why))
        console.print(f"{done.count} {'message is' if done.count == 1 else 'messages are'} discarded.")
        if done.lost:
            console.print(Text(f"Changed by somebody else meanwhile: {', '.join(done.lost)}", style="yellow"))

    guarded(run)


def _chosen(found: Sequence[Unreadable], ids: Sequence[str]) -> list[Unreadable]:
    known = {one.state.id: one for one in found}
    wanted = dict.fromkeys(id_.strip().lower() for id_ in ids)
    missing = [id_ for id_ in wanted if id_ not in known]
    if missing:
        fail(f"Not on the list: {', '.join(missing)}. Nothing was done.")
    return [known[id_] for id_ in wanted] if ids else list(found)


def _print(one: Unreadable) -> None:
    console.print(Text(f"\n{one.state.id}  {moment(one.at)} UTC"), soft_wrap=True)
    console.print(Text(f"  why: {_visible(one.why)}"), soft_wrap=True)
    cut = f" ... ({one.length} characters in all)" if one.length > len(one.text) else ""
    console.print(Text(f"  text: {_visible(one.text)}{cut}"), soft_wrap=True)


def _visible(text: str) -> str:
    """The text with everything that could move the cursor, or turn the direction of writing, shown by its number."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _as_data(one: Unreadable) -> dict[str, object]:
    return {
        "id": one.state.id,
        "at": stamp_text(one.at),
        "why": one.why,
        "length": one.length,
        "text": one.text,
    }
