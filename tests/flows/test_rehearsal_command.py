"""``replay --dry-run``: what it shows, and, as a clerk runs it (an own process, both systems and storage over the wire), that
it leaves everything as it was."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

import connector.commands.rehearsing as rehearsing
import connector.commands.terminal as terminal
from connector.__main__ import cli
from connector.bootstrap import Ports, build, real_ports
from connector.flows.deliver import deliver
from connector.flows.desk import Parked, parked_documents
from connector.flows.detect import poll_all
from connector.flows.overview import overview
from connector.flows.rehearse import Rehearsal
from connector.ports import SeededRandomness, SystemClock
from connector.settings import load_settings
from tests.flows.pipeline import ORDERS, Pipeline, some
from tests.flows.rehearsed import EVERYTHING, give_suppliers_back, room, take_suppliers_away
from tests.flows.test_command_line import Desk
from tests.sandbox.emulator import azurite
from tests.sandbox.landscape import Landscape
from tests.sandbox.storage import MemoryQueues
from tests.sandbox.wire import serve

# -- what is shown


@pytest.fixture(scope="module")
def mended() -> Pipeline:
    """Orders that were parked; every second of their suppliers is there now."""
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    take_suppliers_away(pipeline)
    pipeline.run()
    give_suppliers_back(pipeline, every=2)
    return pipeline


def shown(
    there: Rehearsal,
    documents: list[Parked],
    monkeypatch: pytest.MonkeyPatch,
    *,
    width: int = 100,
    colour: bool = False,
) -> str:
    """What a terminal of that width shows."""
    paper = io.StringIO()
    system = "standard" if colour else None
    console = Console(file=paper, width=width, force_terminal=colour, color_system=system)
    monkeypatch.setattr(rehearsing, "console", console)
    rehearsing.show_rehearsal(there, documents, as_json=False)
    return paper.getvalue()


def data(there: Rehearsal, documents: list[Parked], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    rehearsing.show_rehearsal(there, documents, as_json=True)
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return listed


@pytest.mark.parametrize("width", [100, 160])
def test_one_document_is_shown_with_each_column_of_each_row_however_wide_the_terminal(
    mended: Pipeline, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = room(mended)
    found = data(there, parked_documents(there.parts, EVERYTHING), capsys)
    staged = max((one for one in found if one["verdict"] == "staged"), key=lambda one: len(one["rows"]))
    there = room(mended)
    (document,) = (one for one in parked_documents(there.parts, EVERYTHING) if one.state.id == staged["id"])
    text = shown(there, [document], monkeypatch, width=width)
    assert f"purchaseOrders {staged['number']} in us" in text
    assert f"It would be staged: {len(staged['rows'])} rows." in text
    assert max(map(len, text.splitlines())) <= width
    for row in staged["rows"]:
        for name, value in row["columns"].items():
            beginning = value.split()[0][: rehearsing.WIDEST]
            assert any(line.startswith(f"  {name} ") and beginning in line for line in text.splitlines())
    assert text.count("Column ") == 1 + ceil((len(staged["rows"]) - 1) / {100: 2, 160: 5}[width])
    assert "Nothing was changed." in text


def test_of_several_documents_each_row_has_one_line_with_its_key(
    mended: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = room(mended)
    found = data(there, parked_documents(there.parts, EVERYTHING), capsys)
    there = room(mended)
    text = shown(there, parked_documents(there.parts, EVERYTHING), monkeypatch)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for one in found:
        for number, row in enumerate((row for row in one["rows"] if row["line"]), start=1):
            assert lines.count(" ".join([str(number), *row["key"].values()])) == 1
    parked = [one for one in found if one["verdict"] == "parked"]
    assert len(parked) > 1
    for one in parked:
        assert any(one["reasons"][0]["code"] in line and one["reasons"][0]["remedy"] in line for line in lines)
    assert f"{len(parked)} would be parked again" in lines
    assert f"{len(found) - len(parked)} would be staged" in lines


def test_the_verdict_has_its_colour(mended: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    there = room(mended)
    text = shown(there, parked_documents(there.parts, EVERYTHING), monkeypatch, colour=True)
    assert re.search(r"\x1b\[32mIt would be staged: \d+ rows\.", text)
    assert "\x1b[1;31mIt would be parked again.\x1b[0m" in text


def test_a_door_with_a_form_of_its_own_and_files_that_follow_are_named(
    mended: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = room(mended)
    route = there.profile.routes[ORDERS]
    told = {"door": "insert_multiple", "files": route.files or {"pdf": True}}
    routes = there.profile.routes | {ORDERS: route.model_copy(update=told)}
    there = replace(there, profile=there.profile.model_copy(update={"routes": routes}))
    text = shown(there, parked_documents(there.parts, EVERYTHING), monkeypatch)
    staged = text.count("It would be staged")
    assert text.count("Its files would follow. They were not looked at here.") == staged
    assert text.count("These rows go table by table") == staged


# -- how it is asked


def asked(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The command in this process, with the pipeline's surroundings."""
    monkeypatch.setattr(terminal, "environment", dict)
    monkeypatch.setattr(terminal, "load_settings", lambda _environment: pipeline.settings)
    monkeypatch.setattr(terminal, "rehearsal", lambda _settings: room(pipeline))
    return CliRunner().invoke(cli, ["replay", *arguments])


def test_as_json_it_is_what_a_program_can_work_with(mended: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    done = asked(mended, monkeypatch, "--all", "--dry-run", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert {one["id"] for one in found} == set(mended.parked())
    for one in found:
        assert one["passes"] is (one["verdict"] == "staged") is not bool(one["reasons"])
        assert bool(one["rows"]) is one["passes"]
        for row in one["rows"]:
            assert row["key"].items() <= row["columns"].items()
            assert row["key"]["u_erp_po_number"] == one["number"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--all", "--json"), "--json shows what --dry-run finds"),
        (("--dry-run",), "Say which documents to replay"),
        (("--code", "NO_SUCH_CODE", "--dry-run"), "Nothing that is parked fits."),
        (("nothing-of-the-kind", "--code", "SUPPLIER_MISSING", "--dry-run"), "Nothing that is parked fits."),
    ],
)
def test_what_is_not_said_clearly_is_not_shown(
    mended: Pipeline, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    done = asked(mended, monkeypatch, *arguments)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stdout == ""


# -- as a clerk runs it


@dataclass(frozen=True)
class Office:
    """A desk with parked documents of which some would pass by now, and what is behind it."""

    desk: Desk
    landscape: Landscape
    tables: TableServiceClient
    queues: QueueServiceClient

    def everything(self) -> list[object]:
        """Every row of every table, every message, every record of ServiceNow, and the tokens asked for."""
        found: list[object] = []
        for table in self.tables.list_tables():
            rows = self.tables.get_table_client(table.name).list_entities()
            found += [(table.name, dict(row), row.metadata["etag"]) for row in rows]
        for queue in self.queues.list_queues():
            messages = self.queues.get_queue_client(queue.name).peek_messages(max_messages=32)
            found += [(queue.name, one.id, one.content, one.dequeue_count) for one in messages]
        store = self.landscape.servicenow.tables
        return [*found, *((table.name, store.rows(table.name)) for table in store.schema)]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    landscape = Landscape(lambda: datetime.now(UTC), data=some(orders=4, invoices=0, posted=False)[:1])
    tables = landscape.servicenow.tables
    (vendor,) = {one.header["vendorNumber"] for one in landscape.data[0].orders if one.number == "106003"}
    suppliers = [row["sys_id"] for row in tables.find("sn_fin_supplier", {"erp_supplier_code": str(vendor)})]
    for sys_id in suppliers:
        tables.update("sn_fin_supplier", sys_id, {"erp_supplier_code": "NOT YET"})
    with azurite() as storage, serve(landscape.bc_exchange) as bc, serve(landscape.sn_exchange) as sn:
        text = storage.connection_string
        environment = landscape.environment(bc_url=bc.url, login_url=bc.url, sn_url=sn.url, storage=text)
        settings = load_settings(environment)
        real = real_ports(settings)
        taken = MemoryQueues(SystemClock())
        chance = SeededRandomness(random.Random(1))
        parts = build(settings, Ports(real.transport, real.tables, taken, SystemClock(), chance))
        poll_all(parts)
        while messages := taken.receive(settings.documents_queue, 1, 600):
            deliver(parts, messages[0].text, messages[0].dequeue_count)
            taken.delete(settings.documents_queue, messages[0].sent)
        parts = build(settings, real)
        for sys_id in suppliers:
            tables.update("sn_fin_supplier", sys_id, {"erp_supplier_code": str(vendor)})
        folder = tmp_path_factory.mktemp("office")
        (folder / "local.settings.json").write_text(json.dumps({"Values": environment}), "utf-8")
        with (
            TableServiceClient.from_connection_string(text) as rows,
            QueueServiceClient.from_connection_string(text) as queues,
        ):
            yield Office(Desk(folder, environment, overview(parts)), landscape, rows, queues)
        real.transport.close()


@pytest.mark.azurite
def test_a_clerk_sees_the_rows_and_everything_stays_as_it_was(office: Office) -> None:
    before, counts = office.everything(), dict(office.landscape.sn_exchange.counts)
    done = office.desk.run("replay", "106003", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "purchaseOrders 106003 in us" in done.stdout
    assert re.search(r"It would be staged: \d+ rows\.", done.stdout)
    assert re.search(r"u_erp_po_number +106003", done.stdout)
    assert office.everything() == before
    assert office.landscape.sn_exchange.counts["POST"] - counts["POST"] == 1  # for a token
