"""After an answer that was lost: what ServiceNow has executed is not executed again, and every cent is where it belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.decisions.states import Status
from connector.model.profile import DoorName
from tests.flows.comparison import order_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import INVOICES, US, Pipeline, some
from tests.flows.test_doors import WRITING, carrying, differences, not_at_rest
from tests.sandbox.faults import Scenario
from tests.sandbox.servicenow.desk import ORDER, ORDER_LINE
from tests.sandbox.wire import Fault

DOORS: tuple[DoorName, ...] = ("batch", "insert_multiple")
LOST = ("reset_after", "cut_body", "answer_after", "slow")


def executed(pipeline: Pipeline) -> int:
    """How many rows ServiceNow has staged so far."""
    return len(pipeline.servicenow.tables.rows("sys_import_set_row"))


def least(door: DoorName, folder: Path, **data: Any) -> int:
    """How many rows the same documents take when nothing goes wrong."""
    calm = folder / "calm"
    calm.mkdir()
    pipeline = carrying(door, calm, some(**data)[:1])
    pipeline.run()
    return executed(pipeline)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("effect", LOST)
def test_an_order_whose_answer_was_lost_is_written_once(door: DoorName, effect: Any, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some(orders=12, invoices=0)[:1])
    pipeline.sn_exchange.faults = [Fault(effect, path=WRITING[door], delay=75.0 if effect == "slow" else 0.0)]
    pipeline.run(polls=2)
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    assert executed(pipeline) == least(door, tmp_path, orders=12, invoices=0)


@pytest.mark.parametrize("door", DOORS)
def test_what_a_worker_sent_before_it_died_is_not_sent_by_the_next_one(door: DoorName, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some(orders=12, invoices=0)[:1])
    answered = pipeline.sn_exchange.handler

    def dying(request: Any) -> Any:
        answer = answered(request)
        if WRITING[door] in request.url.path:
            raise KeyboardInterrupt
        return answer

    pipeline.sn_exchange.handler = dying
    pipeline.poll()
    with pytest.raises(KeyboardInterrupt):
        pipeline.work()
    pipeline.sn_exchange.handler = answered
    pipeline.clock.advance(600)
    pipeline.run(polls=2)
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    assert executed(pipeline) == least(door, tmp_path, orders=12, invoices=0)


@pytest.mark.parametrize(
    "name", ["sn.error_after_commit_500", "sn.forbidden_after_commit_403", "sn.batch_unserviced_committed"]
)
def test_rows_that_were_written_behind_a_failure_are_written_once(name: str, tmp_path: Path) -> None:
    pipeline = carrying("batch", tmp_path, some(orders=12, invoices=0)[:1])
    rule = {"times": 3, "skip": 4, "path": "/api/now/import/"}
    Scenario(3, ((name, rule),)).install("sn", pipeline.sn_exchange, pipeline.servicenow)
    pipeline.run(polls=3)
    assert sum(pipeline.servicenow.front.injected.counts.values()) == 3
    assert (differences("batch", pipeline), not_at_rest(pipeline)) == ([], [])
    assert executed(pipeline) == least("batch", tmp_path, orders=12, invoices=0)


@pytest.mark.parametrize("door", DOORS)
def test_an_edit_after_a_lost_answer_sends_only_the_rows_that_differ(door: DoorName, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some(orders=12, invoices=0)[:1])
    pipeline.sn_exchange.faults = [Fault("reset_after", path=WRITING[door])]
    pipeline.poll()
    pipeline.work()
    order = next(each for each in expectations(pipeline.landscape).values() if each.fate == "staged")
    pipeline.clock.advance(1)
    pipeline.business_central.edit_line(US, order.number, int(order.rows[1].line), quantity=3)
    pipeline.run(polls=2)
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    changed = 2 if door == "batch" else 1  # insertMultiple lost the headers only: no line had been sent yet
    assert executed(pipeline) == least(door, tmp_path, orders=12, invoices=0) + changed


@pytest.mark.parametrize("door", DOORS)
def test_an_invoice_that_was_lost_before_its_order_came_points_to_it_in_the_end(door: DoorName, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some(orders=12, invoices=8)[:1])
    bc = pipeline.business_central
    expected = expectations(pipeline.landscape).values()
    carried = {each.number for each in expected if each.kind == "order" and each.fate == "staged"}
    billed = sorted(
        number
        for id_ in bc.document_ids(US, INVOICES)
        if (number := str(bc.document(US, id_, entity=INVOICES).header["orderNumber"])) in carried
    )
    assert billed
    for number in billed:
        bc.edit_header(US, number, status="Draft")
    pipeline.poll()
    pipeline.sn_exchange.faults = [Fault("reset_after", path=WRITING[door], times=None)]
    pipeline.work()
    pipeline.sn_exchange.faults = []
    pipeline.clock.advance(1)
    for number in billed:
        bc.edit_header(US, number, status="Open")
    pipeline.poll()
    pipeline.work()  # the orders, while the invoices wait for what was lost to settle
    assert all(pipeline.states()[pipeline.find(US, number)].status is Status.DONE for number in billed)
    pipeline.run(polls=3)
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    assert order_differences(expectations(pipeline.landscape).values(), pipeline.servicenow.tables) == []


def test_what_was_corrected_in_servicenow_reaches_rows_that_had_been_taken_before(tmp_path: Path) -> None:
    pipeline = carrying("batch", tmp_path, some(orders=4, invoices=0)[:1])
    rule = {"times": 1, "skip": 2, "path": "/api/now/import/", "answer": "Row rejected"}
    Scenario(3, (("sn.import_error", rule),)).install("sn", pipeline.sn_exchange, pipeline.servicenow)
    pipeline.run()
    (id_,) = pipeline.parked()
    rows = expectations(pipeline.landscape)[id_].rows
    before = [len(pipeline.servicenow.tables.rows(table)) for table in (ORDER, ORDER_LINE)]
    for message in pipeline.queues.messages(pipeline.settings.poison_queue):
        pipeline.queues.send(pipeline.settings.documents_queue, message.text)
    pipeline.drain()
    assert (differences("batch", pipeline), not_at_rest(pipeline)) == ([], [])
    after = [len(pipeline.servicenow.tables.rows(table)) for table in (ORDER, ORDER_LINE)]
    assert [now - were for now, were in zip(after, before, strict=True)] == [1, len(rows) - 1]
