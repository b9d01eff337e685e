"""``backfill``: brings what is in Business Central already, newest first, and goes on where it was stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connector.commands.terminal import console, fail, guarded
from connector.errors import Outage
from connector.flows import backfill as flow
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.stamps import stamp_text
from connector.setting_words import Company

LINE_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


def backfill(
    entity: Annotated[str, typer.Option(help="purchaseOrders or purchaseInvoices")],
    since: Annotated[str, typer.Option("--from", help="day, UTC: 2026-01-31; 0001-01-01 brings everything")],
    company: Annotated[str, typer.Option(help="key of one company; without it, every company")] = "",
    again: Annotated[bool, typer.Option("--again", help="bring known ones too, after a change of the profile")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="begin anew instead of going on")] = False,
) -> None:
    """Brings the documents modified in Business Central since a day, newest first; goes on where it was stopped."""
    command = f"python -m connector backfill --entity {entity} --from {since}"
    command += f"{f' --company {company}' * bool(company)}{' --again' * again}"

    def bring(parts: Parts) -> None:
        try:
            start = datetime.strptime(since, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            fail(f"{since} is no day. Give it as year-month-day: 2026-01-31, or 0001-01-01 for everything.")
        places = _places(parts, entity, company)
        try:
            with _interruptible() as may_go_on:
                for where, kind in places:
                    name = f"{kind.value} in {where.key}"
                    with _Meter(name) as meter:
                        done = flow.backfill(
                            parts, where, kind, start, show=meter, again=again, restart=restart, may_go_on=may_go_on
                        )
                    if not done.ended:
                        raise KeyboardInterrupt
                    _print_backfilled(name, done)
        except Outage as outage:
            fail(f"{outage}\nWhat was done is kept. To go on from there: {command}")
        except KeyboardInterrupt:
            console.print(f"Stopped; what was done is kept. To go on from there: {command}", markup=False)
            raise typer.Exit(130) from None

    guarded(bring)


def _places(parts: Parts, entity: str, company: str) -> list[tuple[Company, Entity]]:
    kinds, keys = {kind.value for _, kind in parts.entities()}, [one.key for one in parts.settings.companies]
    if entity not in kinds:
        fail(f"There is no entity {entity} in the profile; it has {', '.join(sorted(kinds))}.")
    if company and company not in keys:
        fail(f"There is no company {company} in the settings; they have {', '.join(keys)}.")
    return [(one, kind) for one, kind in parts.entities() if kind.value == entity and company in ("", one.key)]


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether to go on: not after Ctrl-C or a polite kill. A second one ends at once."""
    asked: list[int] = []

    def stop(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: not asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Meter:
    """Shows how far a backfill is: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, name: str) -> None:
        note = TextColumn("{task.fields[note]}", markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), note)
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(name, total=None, note="")
        self._name = name
        self._first: tuple[float, int] | None = None
        self._line_at = 0.0

    def __enter__(self) -> _Meter:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def __call__(self, seen: flow.Progress) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, seen.read)
            if seen.resumed:
                stamp = stamp_text(seen.resumed)[:19].replace("T", " ")
                console.print(f"{self._name}: goes on at {stamp} UTC, {seen.read} of {seen.total} were done before.")
        began, read = self._first
        rate = (seen.read - read) / max(now - began, 0.001)
        note = f"{rate:.0f}/s, {seen.queued} queued, {seen.waiting} units waiting{'; ' * bool(seen.pause)}{seen.pause}"
        self._bar.update(self._task, completed=seen.read, total=seen.total, note=note)
        if self._bar.disable and now >= self._line_at:
            self._line_at = now + LINE_EVERY
            console.print(f"{self._name}: {seen.read} of {seen.total}, {note}", markup=False, soft_wrap=True)


def _print_backfilled(name: str, done: flow.Backfilled) -> None:
    if done.earlier:
        console.print(f"{name}: finished before, {done.read} documents looked at. --restart begins anew.")
        return
    console.print(f"{name}: finished. {done.read} documents looked at, {done.queued} queued by this run.")
    if done.unstamped:
        console.print(
            f"{done.unstamped} documents more bear no stamp: nobody modified them since Business Central keeps stamps. "
            "--from 0001-01-01 brings them too."
        )
    if not done.whole:
        console.print("[red]Business Central could not list some records; these are not queued.[/red]")
