"""Outages of ServiceNow: whatever goes wrong on the wire, in the end every document is there once and to the cent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import (
    assert_each_record_was_written_once,
    end_differences,
    order_differences,
)
from tests.flows.expectation import expectations, staged_rows
from tests.flows.pipeline import BATCH, SN_HOST, TOKEN, US, Pipeline, some
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape
from tests.sandbox.sample.servicenow import master_rows
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, Fault

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
THROTTLED = '{"error":{"message":"Rate limit exceeded","detail":null},"status":"failure"}'
LOGIN_PAGE = "<html><body>Instance is hibernating</body></html>"

LOOK_UP = "sn_fin_supplier.*codeIN"
"""The look-up of a unit's suppliers. The look at the instance before it, whose outages stop nothing, reads the table too."""

Made = Callable[[], Fault]


def servicenow(effect: str, **more: object) -> Made:
    """A fault of batch posts, fresh for each test."""
    return lambda: Fault(effect, method="POST", path=BATCH, **more)  # type: ignore[arg-type]


NOT_EXECUTED: dict[str, Made] = {
    "429 with Retry-After": servicenow("answer", status=429, headers=JSON | {"Retry-After": "120"}, answer=THROTTLED),
    "429 without a word": servicenow("answer", status=429, headers=JSON, answer=THROTTLED, times=3),
    "503": servicenow("answer", status=503, headers=HTML, answer="unavailable", times=2),
    "a page with 200": servicenow("answer", status=200, headers=HTML, answer=LOGIN_PAGE, times=3),
    "a redirect to a login": servicenow("answer", status=302, headers={"Location": "/login.do"}),
    "401 once": servicenow("answer", status=401, headers=JSON, answer=THROTTLED),
    "401 for a while": servicenow("answer", status=401, headers=JSON, answer=THROTTLED, times=6),
    "403 for a while": servicenow("answer", status=403, headers=JSON, answer=THROTTLED, times=3),
    "202, the queue is full": servicenow("answer", status=202, headers=JSON, answer="{}"),
    "no connection": servicenow("refuse", times=3),
    "reset before": servicenow("reset_before", times=2),
}
EXECUTED: dict[str, Made] = {
    "the answer is lost": servicenow("reset_after"),
    "the second answer is lost": servicenow("reset_after", skip=1),
    "the answers are lost again and again": servicenow("reset_after", times=4),
    "half an answer": servicenow("cut_body"),
    "500 after the work": servicenow("answer_after", status=500, headers=JSON, answer=THROTTLED),
    "504 after the work": servicenow("answer_after", status=504, headers=HTML, answer="gateway"),
    "200 with an error after the work": servicenow(
        "answer_after", status=200, headers=JSON, answer='{"serviced_requests":[],"error":{"message":"cancelled"}}'
    ),
    "half a text after the work": servicenow("answer_after", status=200, headers=JSON, answer='{"serviced_req'),
    "an answer that names no item": servicenow(
        "answer_after", status=200, headers=JSON, answer='{"serviced_requests":[],"unserviced_requests":[]}'
    ),
}


@pytest.mark.parametrize("fault", NOT_EXECUTED.values(), ids=NOT_EXECUTED)
def test_after_an_outage_before_the_work_every_row_was_staged_exactly_once(fault: Made) -> None:
    pipeline = Pipeline(data=some(orders=7, invoices=4))
    pipeline.sn_exchange.faults.append(fault())
    pipeline.run(polls=3)
    assert any(name.startswith("fault:") for name in pipeline.sn_exchange.counts)
    assert end_differences(pipeline, each="once") == []
    assert_each_record_was_written_once(pipeline)


@pytest.mark.parametrize("fault", EXECUTED.values(), ids=EXECUTED)
def test_after_a_lost_answer_the_records_are_there_once_and_right(fault: Made) -> None:
    pipeline = Pipeline(data=some(orders=7, invoices=4))
    pipeline.sn_exchange.faults.append(fault())
    pipeline.run(polls=3)
    assert any(name.startswith("fault:") for name in pipeline.sn_exchange.counts)
    assert end_differences(pipeline) == []
    assert_each_record_was_written_once(pipeline)


@pytest.mark.parametrize("seed", range(4))
def test_small_batches_under_mixed_faults_end_the_same(seed: int) -> None:
    pipeline = Pipeline(data=some(), seed=seed, settings={"SN_BATCH_ROWS": "10"})
    pipeline.sn_exchange.faults += [
        servicenow("reset_after", skip=1 + seed)(),
        servicenow("answer", status=503, headers=HTML, skip=3)(),
        servicenow("answer_after", status=500, headers=JSON, answer=THROTTLED, skip=5, times=2)(),
        Fault("answer", path=LOOK_UP, status=503, headers=HTML, times=2),
        Fault("answer", path=TOKEN, status=503, headers=HTML),
    ]
    pipeline.run(polls=3)
    assert end_differences(pipeline) == []
    assert_each_record_was_written_once(pipeline)


def test_a_throttled_unit_comes_back_after_exactly_the_time_it_was_told_and_nobody_calls_before() -> None:
    pipeline = Pipeline(data=some())
    pipeline.sn_exchange.faults.append(NOT_EXECUTED["429 with Retry-After"]())
    pipeline.poll()
    pipeline.work()
    assert [sent.status for sent in pipeline.wire.to(SN_HOST, method="POST") if sent.path == BATCH] == [429]
    assert pipeline.next_in() == timedelta(seconds=120)
    requests = len(pipeline.wire.to(SN_HOST))

    pipeline.clock.advance(119)
    pipeline.poll()
    pipeline.work()
    assert len(pipeline.wire.to(SN_HOST)) == requests
    assert pipeline.servicenow.tables.inserts["sn_shop_purchase_order"] == 0

    pipeline.clock.advance(1)
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []


def test_after_a_lost_answer_nothing_is_sent_before_the_server_has_ended_the_batch() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.sn_exchange.faults.append(EXECUTED["the answer is lost"]())
    pipeline.poll()
    pipeline.work()
    in_doubt = pipeline.with_status(Status.PENDING)
    assert in_doubt
    writes = pipeline.writes()
    pipeline.clock.advance(29)
    pipeline.poll()
    pipeline.work()
    assert pipeline.writes() == writes
    pipeline.drain()
    assert end_differences(pipeline) == []


def test_an_outage_of_days_parks_nothing_and_burns_no_try() -> None:
    pipeline = Pipeline(data=some(orders=3, invoices=2)[:1])
    pipeline.sn_exchange.faults.append(Fault("answer", status=503, headers=HTML, answer="down", times=None))
    pipeline.poll()
    end = pipeline.clock.now() + timedelta(days=10)
    while (due := pipeline.queues.next_visible("documents")) is not None and due < end:
        pipeline.clock.advance_to(due)
        pipeline.work()
    assert pipeline.parked() == {}
    assert pipeline.poison() == []
    pipeline.sn_exchange.faults.clear()
    pipeline.run(polls=3)
    assert end_differences(pipeline, each="once") == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", path=LOOK_UP, status=429, headers=JSON | {"Retry-After": "60"}, answer=THROTTLED),
        Fault("answer", path=LOOK_UP, status=200, headers=HTML, answer=LOGIN_PAGE, times=3),
        Fault("cut_body", path=LOOK_UP),
        Fault("answer", path=TOKEN, status=503, headers=HTML, times=2),
        Fault("answer", path=TOKEN, status=200, headers=HTML, answer=LOGIN_PAGE),
        Fault("answer", path=TOKEN, status=401, headers=JSON, answer='{"error":"server_error"}', times=2),
    ],
    ids=lambda fault: f"{fault.effect} {fault.status} at {fault.path.strip('/').partition('.*')[0]}",
)
def test_an_outage_before_anything_is_sent_parks_nothing(fault: Fault) -> None:
    pipeline = Pipeline(data=some())
    pipeline.sn_exchange.faults.append(Fault(**vars(fault)))
    pipeline.run(polls=3)
    assert end_differences(pipeline, each="once") == []


def test_a_batch_that_the_server_ends_early_is_completed() -> None:
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=some())
    # A second a row: the server ends a batch after thirty rows, and has done one more than it says.
    landscape.servicenow = ServiceNow(now=clock.now, seed=master_rows(), row_seconds=1.0)
    landscape.servicenow.switches.commit_at_cutoff = True
    landscape.sn_exchange = Exchange(landscape.servicenow.handle)
    pipeline = Pipeline(clock=clock, landscape=landscape)
    pipeline.run(polls=3)
    assert end_differences(pipeline) == []
    assert_each_record_was_written_once(pipeline)


def test_an_invoice_that_came_before_its_order_points_to_it_in_the_end() -> None:
    pipeline = Pipeline(data=some())
    # The batches of the first unit, orders of one company, meet an outage; the invoices right behind them do not.
    pipeline.sn_exchange.faults.append(Fault("answer", path=LOOK_UP, status=503, headers=HTML, times=3))
    pipeline.run(polls=3)
    assert end_differences(pipeline, each="once") == []
    expected = expectations(pipeline.landscape).values()
    assert any("u_purchase_order" in row.columns for row in staged_rows(expected))
    assert order_differences(expected, pipeline.servicenow.tables) == []


def test_an_invoice_points_to_an_order_that_is_released_after_it() -> None:
    pipeline = Pipeline(data=some())
    pipeline.business_central.edit_header(US, "106001", status="Draft")
    pipeline.run()
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, "106001", status="Open")
    pipeline.run()
    assert end_differences(pipeline, each="once") == []
    assert order_differences(expectations(pipeline.landscape).values(), pipeline.servicenow.tables) == []
