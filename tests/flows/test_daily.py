"""The daily digest: made from the ledger as it stands, sent once a day however often the timer runs, never lost by a crash."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.decisions.digest import as_data
from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.errors import StorageUnavailable
from connector.flows.daily import daily_all
from connector.flows.deliver import deliver
from connector.flows.desk import Act, discard, parked_documents, replay
from connector.flows.digest import daily_digest, digest_now
from connector.storage import digests
from connector.storage.digests import DIGESTS, WHERE, DigestRecord
from connector.storage.ledger import Change
from connector.storage.ledger_rows import State
from connector.storage.ports import Entity
from tests.flows.pipeline import ORDERS, US, Pipeline, some, where
from tests.flows.test_desk import take_away
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryQueues, MemoryTables

QUEUE = "digests"
DAY = 24 * 3600


class Troubled(MemoryTables):
    """Storage in which reading the row of the digest comes to grief."""

    fault: Exception | None = None

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        if self.fault is not None and partition == WHERE:
            raise self.fault
        return super().read(table, partition, row)


def with_parked(*, clock: VirtualClock | None = None, tables: MemoryTables | None = None, **settings: str) -> Pipeline:
    """A pipeline in which some orders and invoices are parked for want of their supplier."""
    settings = {"DIGEST_QUEUE": QUEUE} | settings
    data = some(orders=9, invoices=2, posted=False)[:1]
    pipeline = Pipeline(data=data, settings=settings, clock=clock, tables=tables)
    vendor = next(
        one.header["vendorNumber"] for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open"
    )
    take_away(pipeline, str(vendor))
    pipeline.run()
    assert pipeline.parked()
    return pipeline


def sent(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [json.loads(message.text) for message in pipeline.queues.messages(QUEUE)]


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[dict[str, Any]]:
    records = [record.__dict__ for record in caplog.records if record.__dict__.get("action") == action]
    return [{name[3:]: value for name, value in one.items() if name.startswith("bc_")} for one in records]


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "connector")


# -- what it says


def test_it_counts_what_the_ledger_holds() -> None:
    pipeline = with_parked()
    data: Any = as_data(digest_now(pipeline.parts))
    states = pipeline.states()
    assert data["documents"] == len(states)
    assert data["parked"] == len(pipeline.parked())
    found: dict[str, int] = {}
    amounts: dict[tuple[str, str], Decimal] = {}
    for id_, causes in pipeline.parked().items():
        for code in {code for code, _ in causes}:
            found[code] = found.get(code, 0) + 1
            at = (code, states[id_].currency)
            amounts[at] = amounts.get(at, Decimal(0)) + Decimal(states[id_].amount)
    causes = [cause for place in data["places"] for cause in place["causes"]]
    counted = Counter[str]()
    for cause in causes:
        counted[cause["code"]] += cause["count"]
    assert counted == found
    summed: dict[tuple[str, str], Decimal] = {}
    for cause in causes:
        for currency, written in cause["amounts"].items():
            at = (cause["code"], currency)
            summed[at] = summed.get(at, Decimal(0)) + Decimal(written)
    assert summed == amounts
    for place in data["places"]:
        assert sum(place["counts"].values()) == place["heads"]["count"]
    numbers = {state.number for id_, state in states.items() if id_ in pipeline.parked()}
    assert {number for cause in causes for number in cause["numbers"]} <= numbers


def test_the_seal_of_a_place_is_over_the_ends_of_all_its_trails() -> None:
    pipeline = with_parked()
    data: Any = as_data(digest_now(pipeline.parts))
    (seal,) = [
        place["heads"]["sha256"] for place in data["places"] if (place["company"], place["entity"]) == ("us", ORDERS)
    ]
    states = sorted(pipeline.parts.ledger.all_states(where(US, ORDERS)), key=lambda state: state.id)
    text = "".join(f"{state.id}|{state.seq}|{state.head}\n" for state in states)
    assert seal == hashlib.sha256(text.encode()).hexdigest()
    pipeline.clock.advance(60)
    replay(pipeline.parts, parked_documents(pipeline.parts, Selection(companies=("us",), entities=(ORDERS,))), ACT)
    again: Any = as_data(digest_now(pipeline.parts))
    assert seal not in {place["heads"]["sha256"] for place in again["places"]}


ACT = Act("clerk@example.com", "mended")


def test_nobody_is_named() -> None:
    pipeline = with_parked()
    daily_all(pipeline.parts)
    (message,) = pipeline.queues.messages(QUEUE)
    vendors = [str(row["displayName"]) for row in pipeline.landscape.data[0].tables["vendors"]]
    assert vendors
    assert [name for name in vendors if name in message.text] == []


def test_unreadable_messages_are_counted() -> None:
    pipeline = with_parked()
    deliver(pipeline.parts, "no JSON", 1)
    assert digest_now(pipeline.parts).unreadable == 1


# -- since the last one


def test_what_came_and_went_since_the_last_digest_is_counted() -> None:
    pipeline = with_parked()
    first = digest_now(pipeline.parts)
    assert (first.since, first.fresh, first.resolved) == (None, first.parked, None)
    assert first.parked >= 2
    assert daily_digest(pipeline.parts)
    pipeline.clock.advance(3600)
    quiet = digest_now(pipeline.parts)
    assert (quiet.fresh, quiet.resolved, quiet.since is not None) == (0, {}, True)
    gone, again = parked_documents(pipeline.parts, Selection())[:2]
    discard(pipeline.parts, [gone], ACT)
    replay(pipeline.parts, [again], ACT)
    pipeline.drain()
    assert pipeline.states()[again.state.id].status is Status.PARKED, "tried again, and parked as it was"
    now = digest_now(pipeline.parts)
    assert (now.fresh, now.resolved, now.parked) == (0, {"discarded": 1}, first.parked - 1)
    take_away(pipeline, "10000")
    pipeline.clock.advance(3600)
    order = next(
        state for state in pipeline.states().values() if state.status is Status.DONE and state.vendor == "10000"
    )
    entity = next(
        entity.value
        for company, entity in pipeline.parts.entities()
        if order.id in pipeline.parts.ledger.states(f"{company.key}|{entity.value}", [order.id])
    )
    pipeline.business_central.edit_line(US, order.number, 10000, entity=entity, quantity=3)
    pipeline.run()
    after = digest_now(pipeline.parts)
    assert after.fresh == after.parked - now.parked >= 1


def test_so_many_parked_that_they_are_not_remembered_are_told_apart_by_their_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(digests, "MOST_MARKS", 0)
    pipeline = with_parked()
    daily_digest(pipeline.parts)
    pipeline.clock.advance(3600)
    now = digest_now(pipeline.parts)
    assert (now.fresh, now.resolved) == (0, None)
    again = parked_documents(pipeline.parts, Selection())[0]
    replay(pipeline.parts, [again], ACT)
    pipeline.drain()
    assert digest_now(pipeline.parts).fresh == 1


@pytest.mark.parametrize("count", [0, 1, 3_500, 3_501, 35_000])
def test_a_record_comes_back_as_it_was(count: int) -> None:
    pipeline = Pipeline(data=some(orders=1, invoices=0, posted=False)[:1])
    record = DigestRecord(pipeline.clock.now(), frozenset(f"{number:08d}" for number in range(count)))
    taken = pipeline.parts.cursors.take(DIGESTS, WHERE, "me", timedelta(0))
    assert not isinstance(taken, str)
    pipeline.parts.cursors.end(DIGESTS, taken, record)
    assert pipeline.parts.cursors.read(DIGESTS, WHERE)[0] == record


# -- once a day


def test_however_often_the_timer_runs_one_goes_out_each_day(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = with_parked()
    for day in range(3):
        for _ in range(3):
            daily_all(pipeline.parts)
            pipeline.clock.advance(120)
        assert len(sent(pipeline)) == day + 1
        pipeline.clock.advance(DAY - 3 * 120)
    assert len(told(caplog, "digest")) == 3


def test_two_instances_at_once_send_one() -> None:
    pipeline = with_parked()
    other: list[bool] = []

    class Meanwhile(MemoryQueues):
        def send(self, queue: str, text: str, **more: Any) -> Any:
            if queue == QUEUE and not other:
                other.append(True)
                daily_all(replace(pipeline.parts, queues=pipeline.queues))
            return pipeline.queues.send(queue, text, **more)

    daily_all(replace(pipeline.parts, queues=Meanwhile(pipeline.clock)))
    assert other == [True]
    assert len(sent(pipeline)) == 1


def test_a_crash_before_it_is_on_record_repeats_it_and_a_crash_before_it_is_sent_loses_nothing() -> None:
    pipeline = with_parked()

    class Dying(MemoryQueues):
        def send(self, queue: str, text: str, **more: Any) -> Any:
            raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        daily_all(replace(pipeline.parts, queues=Dying(pipeline.clock)))
    assert sent(pipeline) == []
    pipeline.clock.advance(60)
    daily_all(pipeline.parts)
    assert len(sent(pipeline)) == 1


def test_an_outage_of_the_queue_leaves_the_day_open(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = with_parked()

    class Down(MemoryQueues):
        def send(self, queue: str, text: str, **more: Any) -> Any:
            raise StorageUnavailable("queue digests: 503")

    daily_all(replace(pipeline.parts, queues=Down(pipeline.clock)))
    assert told(caplog, "daily_postponed") == [{"system": "storage", "error": "StorageUnavailable", "task": "digest"}]
    assert told(caplog, "digest") == []
    pipeline.clock.advance(3600)
    daily_all(pipeline.parts)
    assert len(sent(pipeline)) == 1


@pytest.mark.parametrize("fault", [StorageUnavailable("tables: 503"), ZeroDivisionError("a defect")])
def test_what_keeps_the_digest_from_its_work_does_not_keep_the_retention_from_its(
    fault: Exception,
) -> None:
    clock = VirtualClock()
    tables = Troubled(clock)
    pipeline = with_parked(clock=clock, tables=tables, RETENTION_DAYS="90")
    finished = pipeline.with_status(Status.DONE)
    tables.fault = fault
    pipeline.clock.advance(100 * DAY)
    if isinstance(fault, StorageUnavailable):
        daily_all(pipeline.parts)
    else:
        with pytest.raises(ZeroDivisionError):
            daily_all(pipeline.parts)
    trimmed = [state for id_, state in pipeline.states().items() if id_ in finished and state.gone]
    assert len(trimmed) == len(finished) > 0


# -- delivery


def test_the_message_holds_subject_text_and_data_and_never_expires() -> None:
    pipeline = with_parked()
    daily_all(pipeline.parts)
    (message,) = pipeline.queues.messages(QUEUE)
    body = json.loads(message.text)
    assert (sorted(body), body["v"]) == (["digest", "subject", "text", "v"], 1)
    assert body["subject"].startswith(f"{len(pipeline.parked())} documents parked: ")
    assert "To do: " in body["text"]
    assert body["digest"]["parked"] == len(pipeline.parked())
    assert message.expires_at is None


def test_a_thousand_parked_documents_fit_into_a_message_and_all_are_counted() -> None:
    pipeline = with_parked()
    reason = {"code": "SUPPLIER_MISSING", "message": "No supplier.", "remedy": "Create it, then replay."}
    ids = [f"00000000-0000-0000-0000-{number:012d}" for number in range(1000)]
    before = len(pipeline.parked())
    for start in range(0, len(ids), 50):
        new = [
            State(
                id=id_,
                status=Status.PARKED,
                number=id_[-6:],
                amount="0.10",
                currency="USD",
                generation=1,
                reasons=json.dumps([reason | {"code": f"CAUSE_{id_[-2:]}"}]),
            )
            for id_ in ids[start : start + 50]
        ]
        pipeline.parts.ledger.record(where(US, ORDERS), [Change(None, state, "parked") for state in new])
    daily_all(pipeline.parts)
    (body,) = sent(pipeline)
    assert body["digest"]["parked"] == before + 1000
    orders = next(one for one in body["digest"]["places"] if (one["company"], one["entity"]) == ("us", ORDERS))
    assert len(orders["causes"]) + orders["causes_left_out"] >= 100
    pipeline.clock.advance(60)
    assert digest_now(pipeline.parts).fresh == 0


def test_without_a_queue_telemetry_says_it_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = with_parked(DIGEST_QUEUE="")
    assert pipeline.queues.queues() == ("documents", "documents-poison")
    daily_all(pipeline.parts)
    (digest,) = told(caplog, "digest")
    assert digest == {
        "count": len(pipeline.states()),
        "parked": len(pipeline.parked()),
        "fresh": len(pipeline.parked()),
        "resolved": 0,
        "unreadable": 0,
    }
    data: Any = as_data(digest_now(pipeline.parts))
    assert told(caplog, "heads") == [
        {
            "company": place["company"],
            "entity": place["entity"],
            "count": place["heads"]["count"],
            "head": place["heads"]["sha256"],
        }
        for place in data["places"]
    ]
