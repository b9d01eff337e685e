"""Export: every event of what is chosen, once, as it was sealed; readable by programs, and harmless to those that calculate."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from typer.testing import CliRunner

from connector.__main__ import cli
from connector.commands import terminal
from connector.decisions.states import Status
from connector.errors import StorageUnavailable
from connector.flows.export import COLUMNS, Row, Wanted, as_csv, as_json, export
from connector.flows.retention import retain
from connector.flows.verify import verify
from connector.model.stamps import parse_stamp
from connector.storage.ledger import TABLE, Change
from connector.storage.ledger_columns import CUT
from connector.storage.ledger_events import Event
from connector.storage.ledger_rows import State
from connector.storage.ledger_trails import TOGETHER, TRIMMED, sealed
from connector.storage.ports import Condition, Delete, Entity, Replace
from tests.flows.pipeline import DE, INVOICES, ORDERS, US, Pipeline, some, where
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.storage import MemoryTables

HERE = where(US, ORDERS)
EVERYTHING = Wanted()
Shell = Callable[..., Result]


class Tables(MemoryTables):
    """Storage that counts the rows it gives out, and of which one partition can be lost."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.given = 0
        self.lost = ""

    def query(
        self,
        table: str,
        partition: str,
        *,
        start: str,
        stop: str,
        where: Sequence[Condition] = (),
        limit: int | None = None,
    ) -> Iterator[Entity]:
        for row in super().query(table, partition, start=start, stop=stop, where=where, limit=limit):
            self.given += 1
            yield row
        if partition == self.lost:
            raise StorageUnavailable("the connection was lost")


@pytest.fixture
def pipeline() -> Pipeline:
    clock = VirtualClock()
    settings = {"RETENTION_DAYS": "90"}
    data = some(orders=3, invoices=2, posted=False)
    there = Pipeline(data=data, settings=settings, clock=clock, tables=Tables(clock))
    there.run()
    return there


@pytest.fixture
def shell(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command on the pipeline's parts."""
    monkeypatch.setattr(terminal, "Application", lambda _environment: SimpleNamespace(parts=pipeline.parts))
    monkeypatch.setattr(terminal, "environment", dict)
    return lambda *arguments: CliRunner().invoke(cli, list(arguments))


def exported(pipeline: Pipeline, wanted: Wanted = EVERYTHING) -> list[Row]:
    return list(export(pipeline.parts, wanted))


def from_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def from_json(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.split("\n")[:-1]]


def add(pipeline: Pipeline, id_: str, action: str, detail: Mapping[str, object], **changes: str) -> State:
    """One more event of an order."""
    state = pipeline.states()[id_]
    return pipeline.parts.ledger.record(HERE, [Change(state, replace(state, **changes), action, detail)]).saved[id_]


def an_order(pipeline: Pipeline) -> State:
    state = pipeline.parts.ledger.states(HERE, [pipeline.find(US, "106001")])
    return next(iter(state.values()))


# -- what is in it


def test_every_event_on_record_is_there_once_document_by_document_in_order(pipeline: Pipeline) -> None:
    found = exported(pipeline)
    stored = [row for row in pipeline.tables.rows(TABLE) if row.row.startswith("e|")]
    assert len(found) == len(stored) > 20
    ours = {(f"{row.company}|{row.entity}", row.id, row.seq) for row in found}
    assert ours == {(row.partition, row.properties["id"], row.properties["seq"]) for row in stored}
    places = [(row.company, row.entity, row.id) for row in found]
    assert len(set(places)) == sum(before != after for before, after in zip([None, *places], places, strict=False))
    assert all(
        after.seq == before.seq + 1 for before, after in zip(found, found[1:], strict=False) if before.id == after.id
    )
    states = pipeline.states()
    assert all((row.number, row.vendor) == (states[row.id].number, states[row.id].vendor) for row in found)
    assert all(row.intact for row in found)


def test_whoever_has_the_key_can_check_the_seals_of_an_export_and_nobody_can_change_it_unseen(
    pipeline: Pipeline, shell: Shell
) -> None:
    rows = [row for row in from_csv(shell("export").stdout) if row["entity"] == ORDERS]
    rows += [
        {name: str(value) for name, value in row.items()}
        for row in from_json(shell("export", "--format", "json").stdout)
    ]
    for row in rows:
        event = Event(
            id=row["id"],
            seq=int(row["seq"]),
            action=row["action"],
            at=parse_stamp(row["at"]),
            by=row["by"],
            status=Status(row["status"]),
            correlation=row["correlation"],
            detail=row["detail"],
            previous=row["previous"],
            key_id=row["key_id"],
        )
        place, key = f"{row['company']}|{row['entity']}", pipeline.settings.ledger_key_bytes
        assert sealed(key, place, event).hash == row["hash"]
        assert sealed(key, place, replace(event, by="somebody")).hash != row["hash"]


def test_who_why_and_the_codes_of_what_happened_have_columns_of_their_own(pipeline: Pipeline) -> None:
    order = an_order(pipeline)
    reasons = [{"code": code, "message": "m", "remedy": "r", "where": ""} for code in ("B", "A", "B")]
    add(
        pipeline,
        order.id,
        "noted",
        {"who": "clerk@example.com", "why": "the supplier is there now", "reasons": reasons},
    )
    row = exported(pipeline, Wanted(companies=["us"], entities=[ORDERS]))
    (last,) = [one for one in row if one.id == order.id and one.action == "noted"]
    assert (last.who, last.why, last.codes) == ("clerk@example.com", "the supplier is there now", ("B", "A"))
    (as_row,) = from_csv(",".join(COLUMNS) + "\r\n" + as_csv(last))
    assert as_row["codes"] == "B A"
    assert json.loads(as_json(last))["codes"] == ["B", "A"]


@pytest.mark.parametrize(
    "detail", [{"who": 5, "why": None, "reasons": {"code": "X"}}, {"reasons": [1, {"code": 2}, {}]}]
)
def test_a_detail_of_another_shape_is_exported_as_it_is(pipeline: Pipeline, detail: Mapping[str, object]) -> None:
    order = an_order(pipeline)
    add(pipeline, order.id, "noted", detail)
    (last,) = [one for one in exported(pipeline) if one.action == "noted"]
    assert (last.who, last.why, last.codes, json.loads(last.detail)) == ("", "", (), detail)


def test_no_more_than_some_hundred_documents_are_read_ahead(pipeline: Pipeline) -> None:
    assert isinstance(pipeline.tables, Tables)
    ledger = pipeline.parts.ledger
    new = [State(f"many-{number:04d}", Status.CLAIMED) for number in range(4 * TOGETHER)]
    saved = ledger.record(HERE, [Change(None, state, "seen") for state in new]).saved
    ledger.record(HERE, [Change(state, replace(state, status=Status.DONE), "staged") for state in saved.values()])
    rows = export(pipeline.parts, Wanted(("us",), (ORDERS,)))
    pipeline.tables.given = number = 0
    for number, _ in enumerate(rows, start=1):
        # So many rows of events and states for each event that came out already, and those of the next documents.
        assert pipeline.tables.given <= 2 * number + 3 * TOGETHER + 50
    assert number > 8 * TOGETHER


# -- what is chosen


def test_only_the_companies_entities_and_vendors_that_were_named_are_there(pipeline: Pipeline) -> None:
    every = exported(pipeline)
    vendor = an_order(pipeline).vendor
    chosen = {
        Wanted(companies=("de",)): [row for row in every if row.company == "de"],
        Wanted(companies=("DE", "us"), entities=(INVOICES.upper(),)): [row for row in every if row.entity == INVOICES],
        Wanted(vendors=(f" {vendor} ",)): [row for row in every if row.vendor == vendor],
        Wanted(vendors=("nobody",)): [],
    }
    for wanted, expected in chosen.items():
        assert exported(pipeline, wanted) == expected
    assert 0 < len(chosen[Wanted(vendors=(f" {vendor} ",))]) < len(every)


def test_days_choose_events_by_their_own_stamp_the_first_day_with_and_the_last_without(pipeline: Pipeline) -> None:
    order = an_order(pipeline)
    midnight = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=1)
    for at in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1)):
        pipeline.clock.advance_to(at)
        add(pipeline, order.id, "noted", {})
    every = [row for row in exported(pipeline) if row.action == "noted"]
    inside = exported(pipeline, Wanted(since=midnight, until=midnight + timedelta(days=1)))
    assert inside == every[1:2]
    assert exported(pipeline, Wanted(since=midnight)) == every[1:]
    assert [row for row in exported(pipeline, Wanted(until=midnight)) if row.action == "noted"] == every[:1]


# -- what was trimmed, touched or cut


def test_of_a_trimmed_document_the_tombstone_is_exported_and_the_trail_is_whole(pipeline: Pipeline) -> None:
    pipeline.clock.advance(91 * 86_400)
    retain(pipeline.parts)
    rows = [row for row in exported(pipeline) if row.status == Status.DONE]
    assert {row.action for row in rows} == {TRIMMED}
    assert all(row.intact for row in rows)
    assert {row.number for row in rows} == {
        one.number for one in pipeline.states().values() if one.status is Status.DONE
    }


def test_rows_of_a_document_that_somebody_touched_say_so_and_the_others_do_not(pipeline: Pipeline) -> None:
    order = an_order(pipeline)
    key = f"e|{order.id}|00000002"
    row = pipeline.tables.read(TABLE, HERE, key)
    assert row is not None
    pipeline.tables.write(TABLE, HERE, [Replace(key, {**row.properties, "status": "paid"}, row.etag)])
    found = exported(pipeline)
    assert {one.id for one in found if not one.intact} == {order.id}
    assert [one.seq for one in found if one.id == order.id] == [1, 3], "what cannot be read is left out"
    row = pipeline.tables.read(TABLE, HERE, f"s|{order.id}")
    assert row is not None
    pipeline.tables.write(TABLE, HERE, [Delete(row.row, row.etag)])
    without = [one for one in exported(pipeline) if one.id == order.id]
    assert [(one.number, one.vendor, one.intact) for one in without] == [("", "", False)] * 2


def test_a_detail_that_nobody_here_wrote_is_shown_and_exported_as_it_stands(pipeline: Pipeline, shell: Shell) -> None:
    order = an_order(pipeline)
    key = f"e|{order.id}|00000002"
    for detail in ("[]", "5", '"who"', "", "[" * 9000, '{"who": {}, "why": []}'):
        row = pipeline.tables.read(TABLE, HERE, key)
        assert row is not None
        pipeline.tables.write(TABLE, HERE, [Replace(key, {**row.properties, "detail": detail}, row.etag)])
        (found,) = [one for one in exported(pipeline) if (one.id, one.seq) == (order.id, 2)]
        assert (found.detail, found.who, found.why, found.codes, found.intact) == (detail, "", "", (), False)
        shown = shell("trail", order.id)
        assert (shown.exit_code, "The chain of events is broken." in shown.output) == (0, True)


@pytest.mark.parametrize("text", ["\U0001f600" * 16_000, "é" * 40_000, "a\ud83d" * 20_000, '"\n' * 20_000])
def test_a_detail_that_was_cut_leaves_a_whole_trail_that_can_be_shown_and_exported(
    pipeline: Pipeline, shell: Shell, text: str
) -> None:
    order = an_order(pipeline)
    add(pipeline, order.id, "noted", {"why": text})
    assert verify(pipeline.parts).sound
    shown = shell("trail", order.number)
    assert shown.exit_code == 0, shown.output
    assert "[cut]" in shown.output
    assert "The chain of events is broken." not in shown.output
    (row,) = [one for one in from_json(shell("export", "--format", "json").stdout) if one["action"] == "noted"]
    (cell,) = [one for one in from_csv(shell("export").stdout) if one["action"] == "noted"]
    assert (row["intact"], cell["intact"]) == (True, "yes")
    assert row["detail"] == cell["detail"]
    assert str(row["detail"]).endswith(CUT)
    assert row["why"] == ""


# -- the commands


def test_the_command_writes_rows_and_nothing_else_to_standard_output(pipeline: Pipeline, shell: Shell) -> None:
    done = shell("export")
    assert done.exit_code == 0
    assert done.stdout_bytes.decode().startswith(",".join(COLUMNS) + "\r\n")
    assert done.stdout_bytes.count(b"\r\r\n") == 0
    assert len(from_csv(done.stdout_bytes.decode())) == len(exported(pipeline))
    assert done.stderr == f"{len(exported(pipeline))} events written.\n"
    assert len(from_json(shell("export", "--format", "json").stdout)) == len(exported(pipeline))


def test_options_choose_as_they_say(pipeline: Pipeline, shell: Shell) -> None:
    vendor = an_order(pipeline).vendor
    day = f"{START:%Y-%m-%d}"
    options = ("--company", "US", "--entity", ORDERS, "--vendor", vendor, "--from", day, "--until", "2026-03-03")
    found = from_csv(shell("export", *options).stdout)
    assert len(found) == len(exported(pipeline, Wanted(("us",), (ORDERS,), (vendor,)))) > 0
    assert from_csv(shell("export", "--until", day).stdout) == []


REFUSED = {
    ("--company", "fr"): "There is no company fr; there are us, de.",
    ("--entity", "orders"): "There is no entity orders; there are",
    ("--from", "soon"): "--from: soon is no day.",
    ("--until", "2026-02-30"): "--until: 2026-02-30 is no day.",
    ("--out", "no/such/folder.csv"): "no/such/folder.csv cannot be written: No such file or directory.",
    ("--out", "."): ". cannot be written: ",
}


def test_what_is_not_there_is_said_and_nothing_is_written(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, said in REFUSED.items():
        done = shell("export", *arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert said in done.stderr.replace("\n", " ")
        assert list(tmp_path.iterdir()) == []


def test_a_file_is_there_when_it_is_complete_and_stays_as_it_was_until_then(
    pipeline: Pipeline, shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "trail.csv"
    done = shell("export", "--out", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    whole = file.read_bytes()
    assert whole == shell("export").stdout_bytes
    assert isinstance(pipeline.tables, Tables)
    pipeline.tables.lost = where(DE, ORDERS)
    done = shell("export", "--out", str(file))
    assert done.exit_code == 1
    assert "the connection was lost" in done.stderr
    assert file.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [file]


def test_a_trail_is_shown_as_a_table_or_as_the_rows_of_an_export(pipeline: Pipeline, shell: Shell) -> None:
    order = an_order(pipeline)
    expected = [row for row in exported(pipeline) if row.id == order.id]
    as_lines = from_csv(shell("trail", order.number, "--format", "csv").stdout)
    as_objects = from_json(shell("trail", order.id, "--format", "json").stdout)
    mine = [row for row in as_lines if row["id"] == order.id]
    assert [row["hash"] for row in mine] == [row.hash for row in expected]
    assert [row["hash"] for row in as_objects] == [row.hash for row in expected]
    assert shell("trail", order.number).stdout == shell("trail", order.number, "--format", "table").stdout
    assert "The chain of events is whole." in shell("trail", order.number).stdout
    assert shell("trail", "nothing", "--format", "json").exit_code == 1


def test_a_vendor_who_calls_himself_a_formula_is_text_in_the_table(pipeline: Pipeline, shell: Shell) -> None:
    order = an_order(pipeline)
    add(
        pipeline,
        order.id,
        "noted",
        {"who": "-1+1", "why": "\tx"},
        number='=HYPERLINK("http://example.com")',
        vendor="-42",
    )
    (row,) = [one for one in from_csv(shell("export").stdout) if one["action"] == "noted"]
    assert row["number"] == '\'=HYPERLINK("http://example.com")'
    assert (row["vendor"], row["who"], row["why"]) == ("-42", "'-1+1", "'\tx")
    (plain,) = [one for one in from_json(shell("export", "--format", "json").stdout) if one["action"] == "noted"]
    assert (plain["number"], plain["who"]) == ('=HYPERLINK("http://example.com")', "-1+1")


def test_the_conservation_line_of_every_place_is_printed_and_a_missing_state_ends_with_1(
    pipeline: Pipeline, shell: Shell
) -> None:
    done = shell("verify")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0, done.output
    places = [one for one in verify(pipeline.parts).places if one.company.key == "us"]
    counts = next(one.counts for one in places if one.kind == ORDERS)
    seen = sum(counts.values())
    assert (
        f"us {ORDERS}: {seen} seen = {counts[Status.WAITING]} waiting + 0 pending + 0 claimed + {counts[Status.DONE]} done"
        f" + {counts[Status.PARKED]} parked + 0 superseded + 0 closed + 0 discarded"
    ) in lines
    assert sum(" seen = " in line for line in lines) == len(pipeline.parts.entities())
    assert any(line.startswith(f"{where(DE, INVOICES).replace('|', ' ')}: ") for line in lines)
    row = pipeline.tables.read(TABLE, HERE, f"s|{an_order(pipeline).id}")
    assert row is not None
    pipeline.tables.write(TABLE, HERE, [Delete(row.row, row.etag)])
    done = shell("verify")
    assert done.exit_code == 1
    assert f"us {ORDERS}: {seen} seen is not " in done.stdout
