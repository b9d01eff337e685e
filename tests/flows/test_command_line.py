"""The operator's commands as a person runs them: own processes, on the storage emulator, in a folder with their settings."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.bootstrap import Ports, build, real_ports
from connector.decisions.states import Status
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.overview import Overview, overview
from connector.ports import SeededRandomness, SystemClock
from connector.settings import load_settings
from connector.storage.ledger import Change
from tests.flows.pipeline import ORDERS, US, some, where
from tests.sandbox.emulator import azurite
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues

pytestmark = pytest.mark.azurite

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Desk:
    """A folder with settings, and what is on record behind them."""

    folder: Path
    settings: dict[str, str]
    seen: Overview

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name.lower() not in map(str.lower, self.settings)}
        environment = clean | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "connector", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
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
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    shown = {(row[0], row[1]): [int(cell) for cell in row[2:-1]] for row in rows}
    states = (Status.DONE, Status.WAITING, Status.PENDING, Status.CLAIMED, Status.PARKED)
    assert shown == {
        (one.company.key, one.entity.value): [one.seen, *(one.counts[status] for status in states), 0]
        for one in desk.seen.entities
    }
    assert sum(row[0] for row in shown.values()) == 40
    causes = {(one.entity.value, cause): count for one in desk.seen.entities for cause, count in one.causes.items()}
    assert causes
    for (entity, cause), count in causes.items():
        assert f"parked, us {entity}: {count} x {cause}" in done.stdout


def test_the_trail_of_a_number_shows_each_step_and_that_the_chain_is_whole(desk: Desk) -> None:
    done = desk.run("trail", "106001")
    assert done.returncode == 0, done.stderr
    order, *invoices = done.stdout.split("purchaseInvoices")
    assert "purchaseOrders 106001 in us" in order
    steps = [line.split("│")[3].strip() for line in order.splitlines() if line.count("│") == 6]
    assert [step for step in steps if step] == ["seen", "intent", "staged"]
    assert invoices, "the invoice of the order is found by the order's number"
    assert done.stdout.count("The chain of events is whole.") == 1 + len(invoices)


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
