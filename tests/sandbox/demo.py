"""The demo: the sample companies' documents travel through the running Functions app into ServiceNow staging.

``make demo`` shows progress, then what became of every document and what it cost, polls once more to show that nothing is
written twice, and stops by itself. ``make serve`` leaves the same sandbox running until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from connector.bootstrap import build, real_ports
from connector.commands.status import print_feeds
from connector.decisions.states import Status
from connector.flows.overview import Overview, overview
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.settings import POLL_SECONDS, load_settings
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State
from connector.telemetry import quiet_libraries
from tests.sandbox.page import Site, serve_page
from tests.sandbox.running import Sandbox, running_sandbox

PATIENCE = 120.0
SETTLED = (Status.DONE, Status.WAITING, Status.PARKED)

console = Console()


def main() -> int:
    """Runs the demo; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="leave the sandbox running until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="port of the Functions host (default: any free one)")
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        with _interruptible():
            return _run(serve=arguments.serve, port=arguments.port or (7071 if arguments.serve else 0))
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing is left running.")
        return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and a polite kill both unwind in order, and a second one does not disturb the unwinding."""

    def interrupt(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    yield


def _run(*, serve: bool, port: int) -> int:
    started = time.monotonic()
    console.print("Starting the storage emulator, both simulators and the Functions host ...")
    with running_sandbox(port=port) as sandbox:
        parts = build(settings := load_settings(sandbox.environment), real_ports(settings))
        total = sum(
            len((company.documents | company.history).get(entity.value, ()))
            for company in sandbox.landscape.data
            for entity in Entity
        )
        companies = len(sandbox.landscape.data)
        console.print(f"Up after {time.monotonic() - started:.1f} s. {total} documents in {companies} companies.")
        _poll(sandbox)  # the timer would do it within 15 s
        first = _progress(sandbox, parts, total)
        if first is None:
            console.print(f"[red]Not done within {PATIENCE:.0f} s. The host's log ends with:[/red]")
            console.print(sandbox.host.log_text()[-3000:], markup=False)
            return 1
        calls = Counter(sandbox.business_central.exchange.counts)
        writes = Counter(sandbox.servicenow.exchange.counts)
        written_again = _poll_again(sandbox)
        parked = [
            state
            for company, entity in parts.entities()
            for state in parts.ledger.all_states(partition(company.key, entity), Status.PARKED)
        ]
        watched = _watch(sandbox, parts)
        _report(first, parked, calls, writes, written_again)
        print_feeds(watched)
        console.print(f"Whole run: {time.monotonic() - started:.1f} s.")
        if serve:
            _serve(sandbox, parts)
        return 0 if written_again == 0 else 1


def _progress(sandbox: Sandbox, parts: Parts, total: int) -> Overview | None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    deadline = time.monotonic() + PATIENCE
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("documents with an outcome", total=total)
        while time.monotonic() < deadline and sandbox.host.process.poll() is None:
            seen = overview(parts)
            settled = sum(one.counts[status] for one in seen.entities for status in SETTLED)
            progress.update(task, completed=settled)
            if settled >= total and seen.waiting_units == 0:
                return seen
            time.sleep(0.3)
    return None


def _poll(sandbox: Sandbox) -> None:
    httpx.post(f"{sandbox.host.url}/admin/functions/poll", json={"input": ""}, trust_env=False)


def _poll_again(sandbox: Sandbox) -> int:
    """One more poll by the running app; how many requests that write ServiceNow received during it."""
    before = sandbox.servicenow.exchange.counts["POST"]
    reads = sandbox.business_central.exchange.counts["GET"]
    _poll(sandbox)
    deadline = time.monotonic() + 20
    # The other feeds are not due again so soon.
    due = sum(POLL_SECONDS[feed] <= 15 for feed in Feed) * len(sandbox.landscape.data)
    while sandbox.business_central.exchange.counts["GET"] < reads + due and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.5)  # long enough for the queue trigger to pick up a message, had there been one
    return sandbox.servicenow.exchange.counts["POST"] - before


def _watch(sandbox: Sandbox, parts: Parts) -> Overview:
    """Lets the app subscribe to notifications and sweep once, which its timers would do within the hour."""
    for function in ("renew", "sweep"):
        httpx.post(f"{sandbox.host.url}/admin/functions/{function}", json={"input": ""}, trust_env=False)
    deadline = time.monotonic() + 20
    while True:
        seen = overview(parts)
        done = all(one.state and (one.sweep is None or one.sweep.completed) for one in seen.feeds)
        if done or time.monotonic() > deadline:
            return seen
        time.sleep(0.2)


def _report(seen: Overview, parked: list[State], bc: Counter[str], sn: Counter[str], written_again: int) -> None:
    outcomes = sum((one.outcomes for one in seen.entities), Counter[str]())
    documents = sum(one.seen for one in seen.entities)
    per_thousand = [f"{1000 * counts['requests'] / documents:.0f} ({counts['requests']} in all)" for counts in (bc, sn)]
    table = Table(
        title="What became of the documents",
        caption="API calls per 1,000 documents: Business Central {}, ServiceNow {}".format(*per_thousand),
    )
    for heading in ("Company", "Entity", "Seen", "Staged", "Unchanged", "Waiting", "Parked"):
        table.add_column(heading, justify="left" if heading in ("Company", "Entity") else "right")
    for one in seen.entities:
        table.add_row(one.company.key, one.entity.value, str(one.seen), *(str(one.outcomes[word]) for word in WORDS))
    table.add_section()
    table.add_row("all", "", str(documents), *(str(outcomes[word]) for word in WORDS))
    console.print(table)
    console.print("\nParked, with every reason; all else that is eligible is staged and verified:")
    for state in parked:
        for reason in json.loads(state.reasons):
            line = f", line {reason['where']}" if reason["where"] else ""
            console.print(
                f"  {state.number}{line}: {reason['message']} {reason['remedy']}", markup=False, highlight=False
            )
    console.print(f"\nSecond poll: {written_again} writes to ServiceNow.\n")


WORDS = ("staged", "unchanged", "waiting", "parked")


def _serve(sandbox: Sandbox, parts: Parts) -> None:
    with serve_page(Site(sandbox.landscape, documents=lambda: overview(parts))) as page:
        console.print("\nThe sandbox stays up. Ctrl-C stops it.")
        console.print(f"  Sandbox page      {page}  (rows, requests, faults)")
        console.print(f"  Functions host    {sandbox.host.url}/api/health")
        console.print(f"  Business Central  {sandbox.business_central.url}  (control: /_control/counts)")
        console.print(f"  ServiceNow        {sandbox.servicenow.url}  (user connector; control: /_control/counts)")
        while sandbox.host.process.poll() is None:
            time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
