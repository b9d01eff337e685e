"""Foreign messages on the documents queue, as they are on the wire: each is on record at once and once, nothing is tried again,
nothing else is disturbed; a person sees them and takes them off the list, and the trail stays."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import azure.functions as func
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import function_app
from connector.__main__ import cli
from connector.commands import terminal
from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.flows.desk import Act, parked_documents, replay
from connector.flows.overview import overview
from connector.flows.unreadable import MOST_TEXT, PARTITION, discard_unreadable, keep_unreadable, unreadable_messages
from connector.flows.verify import verify
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.units import Origin, PollRequest, Reference, Unit, decode_message, message_text
from connector.storage.ledger import TABLE, Change
from connector.storage.ports import Replace
from tests.flows.pipeline import US, Pipeline, some
from tests.flows.test_put_back import add_the_supplier, parked_for_want_of_a_supplier
from tests.sandbox.host.configuration import read_host_json
from tests.sandbox.host.queues import text_or_bytes
from tests.sandbox.host.storage import decode

ROOT = Path(__file__).parents[2]
ID = "00000000-0000-0000-0000-000000000001"
ACT = Act("admin@example.com", "sent by a test of another team")


def b64(body: str | bytes) -> str:
    return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()


def unit(company: str = "us", entity: str = "purchaseOrders", **more: object) -> str:
    body = {"v": 1, "company": company, "entity": entity, "origin": "poll", "correlation": "c"}
    return json.dumps(body | {"references": [[ID, "2026-03-02T08:00:00Z", 0]]} | more)


FOREIGN = {
    "not base64": "%%% not base64 %%%",
    "base64 cut off": b64(unit("nobody"))[:-3],
    "nothing": "",
    "base64 of nothing": b64("") + " ",
    "not JSON": b64("hello"),
    "a JSON list": b64("[]"),
    "a JSON number": b64("1"),
    "null": b64("null"),
    "an unknown version": b64(unit(v=2)),
    "a version that is true": b64(unit(v=True)),
    "an unknown company": b64(unit("elsewhere")),
    "an unknown entity": b64(unit(entity="salesOrders")),
    "no references": b64(unit(references=[])),
    "a note of an unknown company": b64(unit("elsewhere", parked=ID, generation=1)),
    "64 KiB of text": "x y " * (16 * 1024),
    "48 KiB in base64": b64("€" * 16 * 1024),
    "invalid UTF-8": b64(b"\xff\x00\xfe" * 9),
    "invalid UTF-8 in JSON": b64(unit("nobody").encode().replace(b"nobody", b"nob\xffdy")),
    "NUL": b64("a\x00b"),
    "NUL in JSON": b64(unit("a\x00b")),
    "a lone surrogate": b64('{"v": 1, "company": "\\ud800"}'),
    "a number of 5,000 digits": b64('{"v": ' + "1" * 5000 + "}"),
    "deeply nested": b64("[" * 40_000),
    "escape sequences": b64("\x1b[31m[red]red[/red]\x1b]0;title\x07\r\n‮"),
}


class Host:
    """The way of a message from the wire into the app, as host.json says: our own function, on a pipeline's parts."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        self._base64 = read_host_json(ROOT).queues.base64
        monkeypatch.setattr(function_app, "connector", SimpleNamespace(parts=pipeline.parts))
        self._run: Callable[[func.QueueMessage], None] = function_app.documents.build(None).get_user_function()

    def bring(self, wire: str) -> None:
        """Brings the text of a message, as it is on the wire."""
        body = text_or_bytes(decode(wire, base64_on=self._base64)).value
        self._run(func.QueueMessage(id="m", body=body, pop_receipt="p"))


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline(data=some(orders=2, invoices=0, posted=False)[:1])
    pipeline.run()
    return pipeline


@pytest.fixture
def host(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(pipeline, monkeypatch)


# -- on record


@pytest.mark.parametrize("wire", FOREIGN.values(), ids=list(FOREIGN))
def test_a_foreign_message_is_on_record_at_once_and_once_and_disturbs_nothing(
    pipeline: Pipeline, host: Host, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, requests = pipeline.states(), len(pipeline.wire.requests)
    for _ in range(2):
        host.bring(wire)
    (kept,) = unreadable_messages(pipeline.parts)
    (event,) = pipeline.parts.ledger.events(PARTITION, kept.state.id)
    assert (event.action, event.status) == ("unreadable", Status.PARKED)
    assert kept.why
    whole = message_text(wire.encode())
    assert (kept.text, kept.length) == (whole[:MOST_TEXT], len(whole))
    assert pipeline.parts.ledger.intact(PARTITION, kept.state.id)
    assert [record.levelno for record in caplog.records if "unreadable_message" in record.getMessage()] == (
        [logging.WARNING] * 2
    )
    assert (pipeline.states(), len(pipeline.wire.requests)) == (before, requests)
    assert pipeline.queues.messages("documents") == pipeline.queues.messages("documents-poison") == ()
    assert overview(pipeline.parts).unreadable == 1


def test_foreign_messages_do_not_hold_up_ours(pipeline: Pipeline, host: Host) -> None:
    pipeline.business_central.edit_line(US, pipeline.landscape.data[0].orders[0].number, 10000, quantity=5)
    pipeline.clock.advance(60)
    pipeline.poll()
    for wire in FOREIGN.values():
        host.bring(wire)
    pipeline.drain()
    assert pipeline.faults == []
    assert {state.outcome for state in pipeline.states().values()} <= {"staged", "waiting", "unchanged"}
    found = verify(pipeline.parts)
    assert (found.sound, found.unreadable) == (True, {})


# -- ours, however they were written

REFERENCE = Reference(ID, datetime(2026, 3, 2, 8, tzinfo=UTC))
OURS: list[tuple[str, Unit | PollRequest]] = [
    (one.encode(), one)
    for one in (
        PollRequest("us", Feed.ORDERS),
        Unit("us", Entity.PURCHASE_ORDER, Origin.POLL, "c", (REFERENCE,)),
    )
]


@pytest.mark.parametrize(("text", "expected"), OURS)
@pytest.mark.parametrize("written", [str, b64, lambda text: f"  {b64(text)}\r\n"], ids=["plain", "base64", "blanks"])
def test_a_message_of_ours_is_read_in_base64_and_in_plain_text(
    text: str, expected: Unit | PollRequest, written: Callable[[str], str]
) -> None:
    assert decode_message(message_text(written(text).encode())) == expected


@given(st.text())
def test_any_text_comes_back_from_base64(text: str) -> None:
    sound = text.encode("utf-8", "replace").decode()
    assert message_text(b64(sound).encode()) == sound


@given(st.binary())
def test_any_bytes_give_a_text(body: bytes) -> None:
    assert isinstance(message_text(body), str)


@pytest.mark.parametrize("plain", [True, False], ids=["as plain text", "in base64"])
def test_a_note_put_back_by_hand_stages_once_in_either_form(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    host = Host(pipeline, monkeypatch)
    add_the_supplier(pipeline)
    (message,) = pipeline.queues.messages("documents-poison")
    for _ in range(2):
        host.bring(message.text if plain else b64(message.text))
    assert pipeline.states()[id_].status is Status.DONE
    assert pipeline.poison() == []
    staged = [event for event in pipeline.trail(US, id_) if event.action == "staged"]
    assert len(staged) == 1


def test_deleting_a_note_loses_nothing() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    (message,) = pipeline.queues.messages("documents-poison")
    assert pipeline.queues.delete("documents-poison", message.sent)
    assert set(pipeline.parked()) == {id_}
    add_the_supplier(pipeline)
    replay(pipeline.parts, parked_documents(pipeline.parts, Selection()), ACT)
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.DONE


# -- off the list


def keep(pipeline: Pipeline, *texts: str) -> None:
    for text in texts:
        keep_unreadable(pipeline.parts, text, "not a message of ours")
        pipeline.clock.advance(60)


def test_a_discarded_message_leaves_the_list_and_its_trail_stays(pipeline: Pipeline) -> None:
    keep(pipeline, "first", "second")
    first, second = unreadable_messages(pipeline.parts)
    done = discard_unreadable(pipeline.parts, [first], ACT)
    assert (done.count, done.lost) == (1, ())
    assert [one.text for one in unreadable_messages(pipeline.parts)] == ["second"]
    assert overview(pipeline.parts).unreadable == 1
    kept, gone = pipeline.parts.ledger.events(PARTITION, first.state.id)
    assert (json.loads(kept.detail)["text"], gone.action) == ("first", "discarded")
    assert json.loads(gone.detail) == {"who": ACT.who, "why": ACT.why}
    late = discard_unreadable(pipeline.parts, [first, second], ACT)
    assert (late.count, late.lost) == (1, (first.state.id,))
    assert verify(pipeline.parts).sound


def test_one_that_comes_again_after_it_was_discarded_is_listed_again_once(pipeline: Pipeline) -> None:
    keep(pipeline, "a")
    for times in (1, 2):
        discard_unreadable(pipeline.parts, unreadable_messages(pipeline.parts), ACT)
        assert unreadable_messages(pipeline.parts) == []
        keep(pipeline, "a", "a")
        (one,) = unreadable_messages(pipeline.parts)
        actions = [event.action for event in pipeline.parts.ledger.events(PARTITION, one.state.id)]
        assert actions == ["unreadable"] + ["discarded", "unreadable"] * times
    assert verify(pipeline.parts).sound


def test_a_crash_on_its_way_back_to_the_list_is_made_up_for(pipeline: Pipeline) -> None:
    keep(pipeline, "a")
    (one,) = unreadable_messages(pipeline.parts)
    discard_unreadable(pipeline.parts, [one], ACT)
    state = pipeline.parts.ledger.states(PARTITION, [one.state.id])[one.state.id]
    pipeline.parts.ledger.record(PARTITION, [Change(state, replace(state, status=Status.PENDING))])
    keep(pipeline, "a")
    assert len(unreadable_messages(pipeline.parts)) == 1


def test_whoever_touches_what_is_on_record_of_a_message_is_found_out(pipeline: Pipeline) -> None:
    keep(pipeline, "a")
    (row,) = [row for row in pipeline.tables.rows(TABLE) if row.partition == PARTITION and row.row.startswith("e|")]
    changed = Replace(row.row, {**row.properties, "detail": "{}"}, row.etag)
    pipeline.tables.write(TABLE, PARTITION, [changed])
    found = verify(pipeline.parts)
    assert (found.broken, found.sound) == ([], False)
    assert set(found.unreadable) == {row.properties["id"]}


# -- the commands


@pytest.fixture
def shell(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command on the pipeline's parts."""
    monkeypatch.setattr(terminal, "Application", lambda _environment: SimpleNamespace(parts=pipeline.parts))
    monkeypatch.setattr(terminal, "environment", dict)
    return lambda *arguments: CliRunner().invoke(cli, list(arguments))


def test_the_commands_list_and_discard_and_show_no_control_character(
    pipeline: Pipeline, shell: Callable[..., Result]
) -> None:
    assert shell("unreadable").output == "No unreadable message is on record.\n"
    assert "unreadable messages" not in shell("status").output
    keep(pipeline, "\x1b[31m[red]x[/red]\x00\u202e", "y" * 5000)
    assert "unreadable messages on record: 2; see them with: python -m connector unreadable" in shell("status").output
    first, second = unreadable_messages(pipeline.parts)
    listed = shell("unreadable", "list").output
    assert r"  text: \x1b[31m[red]x[/red]\x00\u202e" in listed
    assert all(line.isprintable() for line in listed.splitlines())
    assert "... (5000 characters in all)" in listed
    as_data = json.loads(shell("unreadable", "list", "--json").output)
    assert [one["id"] for one in as_data] == [first.state.id, second.state.id]
    assert as_data[0]["text"] == "\x1b[31m[red]x[/red]\x00\u202e"
    refused = shell("unreadable", "discard", first.state.id, "nobody", "--why", "tried")
    assert (refused.exit_code, len(unreadable_messages(pipeline.parts))) == (1, 2)
    assert "Not on the list: nobody. Nothing was done." in refused.output
    done = shell("unreadable", "discard", first.state.id.upper(), first.state.id, "--why", "tried", "--who", "me")
    assert done.output == "1 message is discarded.\n"
    assert shell("unreadable", "discard", "--all", "--why", "tried").output == "1 message is discarded.\n"
    assert unreadable_messages(pipeline.parts) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--why", "x"], "Say which messages to discard"),
        (["--all", "abc", "--why", "x"], "Say which messages to discard"),
        (["--all", "--why", " "], "--why must say something"),
    ],
)
def test_what_is_not_said_clearly_is_not_done(
    pipeline: Pipeline, shell: Callable[..., Result], arguments: list[str], said: str
) -> None:
    keep(pipeline, "a")
    done = shell("unreadable", "discard", *arguments)
    assert (done.exit_code, said in done.output) == (1, True)
    assert len(unreadable_messages(pipeline.parts)) == 1


def test_the_command_digest_shows_what_the_daily_one_would_say_and_sends_nothing(
    pipeline: Pipeline, shell: Callable[..., Result]
) -> None:
    keep(pipeline, "a")
    shown = shell("digest")
    assert (shown.exit_code, shown.output.splitlines()[0]) == (0, "Nothing is parked; 1 unreadable message")
    assert "1 message on the documents queue could not be read." in shown.output
    data = json.loads(shell("digest", "--json").output)
    assert (data["parked"], data["unreadable"], data["documents"]) == (0, 1, len(pipeline.states()))
    assert shell("digest").output == shown.output
