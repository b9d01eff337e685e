"""The operator's commands as a person runs them: own processes, on the storage emulator, in a folder with their settings."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient

from connector.bootstrap import Ports, build, real_ports
from connector.decisions.states import Status
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.overview import Overview, overview
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.units import decode_unit
from connector.ports import SeededRandomness, SystemClock
from connector.settings import load_settings
from connector.storage import cursors
from connector.storage.cursors import BackfillRecord, Cursors, Turn, backfills
from connector.storage.ledger import Change
from connector.storage.ports import Delete, TableStore
from tests.flows.pipeline import ORDERS, US, some, where
from tests.sandbox.emulator import azurite
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues
from tests.sandbox.wire import Exchange, Fault, serve

pytestmark = pytest.mark.azurite

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Desk:
    """A folder with settings, and what is on record behind them."""

    folder: Path
    settings: dict[str, str]
    seen: Overview

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if name.lower() not in map(str.lower, self.settings)}
        environment = clean | {
            "PYTHONPATH": str(REPOSITORY),
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "connector", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    landscape = Landscape(lambda: datetime.now(UTC), data=some(orders=36, invoices=4)[:1])
    with azurite() as storage:
        environment = landscape.environment(storage=storage.connection_string)
        settings = load_settings(environment)
        real = real_ports(settings)
        queues = MemoryQueues(SystemClock())
        chance = SeededRandomness(random.Random(1))
        parts = build(settings, Ports(landscape.transport(), real.tables, queues, SystemClock(), chance))
        poll_all(parts)
        while messages := queues.receive(settings.documents_queue, 1, 600):
            deliver(parts, messages[0].text, messages[0].dequeue_count)
            queues.delete(settings.documents_queue, messages[0].sent)
        odd = next(state for state in parts.ledger.all_states(where(US, ORDERS), Status.WAITING))
        renamed = Change(odd, replace(odd, number="[red]PO/1"), "renamed", {}, ("[red]PO/1",))
        assert parts.ledger.record(where(US, ORDERS), [renamed]).saved
        folder = tmp_path_factory.mktemp("desk")
        (folder / "local.settings.json").write_text(json.dumps({"Values": environment}), "utf-8")
        yield Desk(folder, environment, overview(build(settings, real)))


def test_status_shows_every_document_in_its_state_and_why_some_are_parked(desk: Desk) -> None:
    done = desk.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    rows, feeds = [row for row in cells if len(row) == 8], [row for row in cells if len(row) == 4]
    shown = {(row[0], row[1]): [int(cell) for cell in row[2:]] for row in rows}
    open_ = (Status.PENDING, Status.CLAIMED)
    assert shown == {
        (one.company.key, one.entity.value): [
            one.seen,
            one.counts[Status.DONE],
            one.counts[Status.WAITING],
            sum(one.counts[status] for status in open_),
            one.counts[Status.PARKED],
            0,
        ]
        for one in desk.seen.entities
    }
    assert sum(row[0] for row in shown.values()) == 50
    assert [row[:2] for row in feeds] == [["us", feed.value] for feed in Feed]
    for row, one in zip(feeds, desk.seen.feeds, strict=True):
        assert row[2] == (one.known_up_to.strftime("%Y-%m-%d %H:%M:%S") if one.known_up_to else "-")
        assert row[3] == "polls: webhooks are off"
    assert done.stdout.count("not yet compared to the end") == len(Entity)
    causes = {(one.entity.value, cause): count for one in desk.seen.entities for cause, count in one.causes.items()}
    assert causes
    for (entity, cause), count in causes.items():
        assert f"parked, us {entity}: {count} x {cause}" in done.stdout


def test_the_trail_of_a_number_shows_each_step_and_that_the_chain_is_whole(desk: Desk) -> None:
    done = desk.run("trail", "106001")
    assert done.returncode == 0, done.stderr
    order, *others = re.split(f"{Entity.PURCHASE_INVOICE}|{Entity.RECEIPT}", done.stdout)
    assert "purchaseOrders 106001 in us" in order
    steps = [line.split("│")[3].strip() for line in order.splitlines() if line.count("│") == 6]
    assert [step for step in steps if step] == ["seen", "intent", "staged"]
    assert len(others) == 2, "the invoice and the receipt of the order are found by the order's number"
    assert done.stdout.count("The chain of events is whole.") == 1 + len(others)


def test_a_number_with_brackets_is_shown_as_it_is(desk: Desk) -> None:
    done = desk.run("trail", "[red]PO/1")
    assert "purchaseOrders [red]PO/1 in us" in done.stdout, done.stderr


def test_another_key_shows_that_the_chain_is_not_whole(desk: Desk, tmp_path: Path) -> None:
    other = desk.settings | {"LEDGER_KEY": base64.b64encode(b"?" * 32).decode()}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": other}), "utf-8")
    done = replace(desk, folder=tmp_path).run("trail", "106001")
    assert "The chain of events is broken." in done.stdout


def test_a_number_nobody_knows_is_an_error_with_a_remedy(desk: Desk) -> None:
    done = desk.run("trail", "nothing")
    assert done.returncode == 1
    assert "Nothing is known under nothing. Use the number exactly as in Business Central." in done.stderr


@pytest.mark.parametrize("text", ["not json", "[]", '{"Values": 5}', "{}"])
def test_a_settings_file_that_cannot_be_read_is_named(desk: Desk, tmp_path: Path, text: str) -> None:
    (tmp_path / "local.settings.json").write_text(text, "utf-8")
    done = replace(desk, folder=tmp_path).run("status")
    assert done.returncode == 1
    assert "local.settings.json cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_settings_every_missing_one_is_named(desk: Desk, tmp_path: Path) -> None:
    done = replace(desk, folder=tmp_path).run("status")
    assert done.returncode == 1
    for name in ("BC_URL", "BC_CLIENT_SECRET", "SN_URL", "COMPANIES", "LEDGER_KEY", "ConnectorStorage"):
        assert name in done.stderr


# -- backfill

COMMAND = ("backfill", "--entity", "purchaseOrders", "--from", "2025-07-20")
WHERE = where(US, ORDERS)


@dataclass(frozen=True)
class Office:
    """A desk that reaches a running Business Central and storage; nobody works the queue."""

    desk: Desk
    business_central: Exchange
    queue: QueueClient
    tables: TableStore
    newest_first: list[str]

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.desk.run(*COMMAND, *more)

    def queued(self) -> list[str]:
        """The ids on the documents queue, in their order."""
        texts = [base64.b64decode(message.content).decode() for message in self.queue.peek_messages(max_messages=32)]
        return [reference.id for text in texts for reference in decode_unit(text).references]


@pytest.fixture(scope="module")
def running_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    landscape = Landscape(lambda: datetime.now(UTC), data=some(orders=36, invoices=0)[:1])
    orders = {one.id: str(one.header["lastModifiedDateTime"]) for one in landscape.data[0].orders}
    newest = sorted((stamp, id_) for id_, stamp in orders.items() if stamp >= "2025-07-20")
    folder = tmp_path_factory.mktemp("office")
    with azurite() as storage, serve(landscape.bc_exchange) as bc:
        environment = landscape.environment(bc_url=bc.url, login_url=bc.url, storage=storage.connection_string)
        (folder / "local.settings.json").write_text(json.dumps({"Values": environment}), "utf-8")
        settings = load_settings(environment)
        real = real_ports(settings)
        desk = Desk(folder, environment, overview(build(settings, real)))
        with QueueClient.from_connection_string(storage.connection_string, settings.documents_queue) as queue:
            yield Office(desk, landscape.bc_exchange, queue, real.tables, [id_ for _, id_ in reversed(newest)])


@pytest.fixture
def office(running_office: Office) -> Office:
    """The office with an empty queue, no backfill on record, and nothing wrong."""
    running_office.queue.clear_messages()
    running_office.business_central.faults = []
    row = running_office.tables.read(cursors.TABLE, WHERE, cursors.BACKFILL)
    if row is not None:
        running_office.tables.write(cursors.TABLE, WHERE, [Delete(row.row, row.etag)])
    return running_office


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    """Reads lines until one holds the text."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"ended without saying {text!r}")


def test_a_backfill_queues_newest_first_shows_its_progress_and_is_finished_then(office: Office) -> None:
    done = office.run()
    assert (done.returncode, done.stderr) == (0, "")
    count = len(office.newest_first)
    assert count > 10
    assert office.queued() == office.newest_first
    assert f"purchaseOrders in us: 0 of {count}, 0/s, 0 queued, 0 units waiting" in done.stdout
    assert f"purchaseOrders in us: finished. {count} documents looked at, {count} queued by this run." in done.stdout
    done = office.run("--company", "us")
    assert done.returncode == 0
    assert f"finished before, {count} documents looked at. --restart begins anew." in done.stdout
    assert office.queued() == office.newest_first
    office.queue.clear_messages()
    done = office.run("--restart")
    assert office.queued() == office.newest_first, done.stdout


def test_a_backfill_goes_on_where_an_earlier_one_stopped_and_says_so(office: Office) -> None:
    since, stopped = datetime(2025, 7, 20, tzinfo=UTC), datetime(2025, 7, 30, tzinfo=UTC)
    form = backfills(since, again=False)
    kept = Cursors(office.tables)
    taken = kept.take(form, WHERE, "an earlier run", timedelta(0))
    assert isinstance(taken, Turn)
    kept.end(form, taken, BackfillRecord(since, position=stopped, read=7, total=20))
    done = office.run()
    assert "goes on at 2025-07-30 00:00:00 UTC, 7 of " in done.stdout, done.stderr
    assert 0 < len(office.queued()) < len(office.newest_first)
    assert office.queued() == office.newest_first[-len(office.queued()) :]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_backfill_that_waits_is_stopped_by_ctrl_c_and_goes_on_with_the_command_it_names(
    office: Office, number: signal.Signals
) -> None:
    for _ in range(4):
        office.queue.send_message("")
    process = office.desk.start(*COMMAND, "--again")
    wait_for_line(process, "0 queued, 0 units waiting")
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    named = "python -m connector backfill --entity purchaseOrders --from 2025-07-20 --again"
    assert f"Stopped; what was done is kept. To go on from there: {named}" in output
    office.queue.clear_messages()
    done = office.desk.run(*named.split()[3:])
    assert done.returncode == 0, done.stderr
    assert office.queued() == office.newest_first


def test_while_one_runs_or_just_after_it_was_killed_a_second_is_told_so(office: Office) -> None:
    for _ in range(4):
        office.queue.send_message("")
    process = office.desk.start(*COMMAND)
    wait_for_line(process, "0 queued, 0 units waiting")
    during = office.run()
    process.kill()
    process.communicate()
    after = office.run()
    for refused in (during, after):
        assert refused.returncode == 1
        assert "A backfill of purchaseOrders in us is running already." in refused.stderr
        assert "its turn ends 3 minutes after its last sign of life" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--entity", "purchaseOrders", "--from", "yesterday"), "yesterday is no day. Give it as year-month-day"),
        (("--entity", "purchaseOrders", "--from", "2026-02-30"), "2026-02-30 is no day"),
        (
            ("--entity", "orders", "--from", "2026-01-01"),
            "it has purchaseCreditMemos, purchaseInvoices, purchaseOrders, purchaseReceipts.",
        ),
        (
            ("--entity", "purchaseOrders", "--from", "2026-01-01", "--company", "fr"),
            "There is no company fr in the settings; they have us.",
        ),
    ],
)
def test_a_backfill_of_what_does_not_exist_names_what_there_is(
    office: Office, arguments: tuple[str, ...], said: str
) -> None:
    done = office.desk.run("backfill", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert office.queued() == []


def test_a_backfill_that_business_central_refuses_says_why_and_how_to_go_on(office: Office) -> None:
    office.business_central.faults = [Fault("answer", path="purchaseOrders", times=None, status=403)]
    done = office.run()
    assert done.returncode == 1
    assert "give the application's user a permission set that reads purchases" in done.stderr
    assert "To go on from there: python -m connector backfill --entity purchaseOrders --from 2025-07-20" in done.stderr
    assert "Traceback" not in done.stderr
