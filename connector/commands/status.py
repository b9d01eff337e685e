"""``status``: where documents stand, how each feed is watched, and up to which moment nothing is missing."""

from __future__ import annotations

from datetime import datetime

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.commands.terminal import console, guarded
from connector.decisions.states import Status
from connector.flows.overview import Overview, overview
from connector.flows.watch import Watched
from connector.model.stamps import NEVER
from connector.storage.cursors import SweepRecord

SHOWN = {
    "Done": (Status.DONE,),
    "Wait": (Status.WAITING,),
    "Open": (Status.PENDING, Status.CLAIMED),
    "Parked": (Status.PARKED,),
}
"""The columns: which states each of them counts."""


def status() -> None:
    """How many documents stand where, how they are watched, and up to which moment nothing is missing."""
    guarded(lambda parts: _print(overview(parts)))


def _print(seen: Overview) -> None:
    _print_documents(seen)
    print_feeds(seen)
    console.print(f"queue: {seen.waiting_units} units waiting, {seen.poison_messages} parked notes and poison messages")
    for one in seen.alignments:
        checked = f"{one.checked:%Y-%m-%d %H:%M:%S}" if one.checked else "never"
        refused = f", {one.refused} refused: python -m connector align --dry-run" if one.refused else ""
        console.print(
            f"cost centres, {one.company.key}: {one.pairs} agreed, last found the same {checked}{refused}",
            soft_wrap=True,
        )
    if seen.unreadable:
        console.print(
            f"unreadable messages on record: {seen.unreadable}; see them with: python -m connector unreadable",
            style="yellow",
            soft_wrap=True,
        )


def _print_documents(seen: Overview) -> None:
    table = Table(title="Documents by state")
    table.add_column("Company", no_wrap=True)
    table.add_column("Entity", no_wrap=True)
    for heading in ("Seen", *SHOWN, "Other"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in seen.entities:
        counts = [sum(one.counts[status] for status in statuses) for statuses in SHOWN.values()]
        numbers = (one.seen, *counts, one.seen - sum(counts))
        table.add_row(one.company.key, one.entity.value, *map(str, numbers))
    console.print(table)
    for one in seen.entities:
        for cause, count in one.causes.most_common():
            console.print(f"parked, {one.company.key} {one.entity.value}: {count} x {cause}")
    for one in seen.entities:
        if one.there:
            states = ", ".join(f"{count} x {escape(label)}" for label, count in one.there.most_common())
            console.print(f"in ServiceNow, {one.company.key} {one.entity.value}: {states}", soft_wrap=True)
        if drifted := one.outcomes["drifted"]:
            console.print(
                f"drifted, {one.company.key} {one.entity.value}: {drifted} changed in BC after ServiceNow had approved or paid "
                "them, and not sent",
                style="yellow",
                soft_wrap=True,
            )


def print_feeds(seen: Overview) -> None:
    """How each feed is watched, up to which moment nothing in it is missing, and the evidence."""
    table = Table(title="Change detection (BC time, UTC)")
    for heading in ("Company", "Feed", "No gap up to"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Watched by")
    for one in seen.feeds:
        table.add_row(one.company.key, one.feed.value, moment(one.known_up_to), Text(_watched(one), style=_style(one)))
    console.print(table)
    console.print("No gap: all that BC stamped until then is queued or recorded. Contents, whatever their stamp:")
    for one in seen.feeds:
        if one.sweep is not None:
            console.print(f"  {one.company.key} {one.feed.value}: {_sweep(one.sweep)}", soft_wrap=True, highlight=False)


def _sweep(record: SweepRecord) -> str:
    if record.completed is None:
        return "not yet compared to the end"
    if record.position:
        return f"compared as of {moment(record.completed)}, the next sweep is under way ({record.compared} so far)"
    spared = f" ({record.cheap} by fingerprint)" if record.cheap else ""
    cost = f"{record.calls} calls, {record.size / 1e6:.1f} MB"
    return f"{record.compared} compared as of {moment(record.completed)}{spared}, {record.changed} changed; {cost}"


def _watched(one: Watched) -> str:
    text = "notifications and polls" if one.live.mode == "notified" else f"polls: {one.live.why}"
    if one.live.alarm and one.hours is not None:
        text += f"; the subscription ends in {one.hours:.0f} h" if one.hours > 0 else ""
    return f"{text}; polls are overdue" if one.overdue else text


def _style(one: Watched) -> str:
    return "red" if one.overdue or one.live.alarm else ""


def moment(at: datetime | None) -> str:
    """The moment to the second; "-" for none."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at is not None and at != NEVER else "-"
