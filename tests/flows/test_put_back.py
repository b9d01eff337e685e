"""A message of the poison queue that somebody moves back by hand: the document is tried again, once, as its generation says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.flows.desk import Act, discard, parked_documents, replay
from connector.flows.rescue import rescue_all
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import US, Pipeline, some
from tests.sandbox.storage import Message

ACT = Act("clerk@example.com", "not ours")
ORDER = "sn_shop_purchase_order"
TAKEN_FOR = 30
"""Seconds for which a tool that moves a message takes it from its queue."""


def parked_for_want_of_a_supplier() -> tuple[Pipeline, str]:
    data = some(orders=22, invoices=0)[:1]
    pipeline = Pipeline(data=data)
    pipeline.run()
    (id_,) = pipeline.parked()
    return pipeline, id_


def take(pipeline: Pipeline) -> Message:
    """Moving a message, first call: it is taken from the poison queue and so gets a receipt that is new to the connector."""
    (message,) = pipeline.queues.receive(pipeline.settings.poison_queue, 1, TAKEN_FOR)
    return message


def put(pipeline: Pipeline, message: Message) -> None:
    """The second: the same body goes onto the documents queue."""
    pipeline.queues.send(pipeline.settings.documents_queue, message.text)


def put_back(pipeline: Pipeline) -> Message:
    """All three: taken, put, deleted."""
    message = take(pipeline)
    put(pipeline, message)
    assert pipeline.queues.delete(pipeline.settings.poison_queue, message.sent)
    return message


def add_the_supplier(pipeline: Pipeline) -> None:
    pipeline.servicenow.tables.insert(
        "sn_fin_supplier",
        {"legal_name": "Nod Publishers", "erp_supplier_code": "50000", "erp_source": "BC-US", "active": "true"},
    )


def is_carried(pipeline: Pipeline, id_: str) -> bool:
    """Whether everything, this document too, is in ServiceNow once and as Business Central has it."""
    expected = list(expectations(pipeline.landscape).values())
    assert target_differences(expected, pipeline.servicenow.tables) == []
    assert pipeline.intact(US, id_)
    return pipeline.states()[id_].status is Status.DONE


def assert_void(pipeline: Pipeline, act: Callable[[], object]) -> None:
    """Nothing is sent on account of it, and no document moves."""
    writes = pipeline.writes()
    before = {id_: (state.status, state.generation) for id_, state in pipeline.states().items()}
    act()
    pipeline.drain()
    assert pipeline.writes() == writes
    assert {id_: (state.status, state.generation) for id_, state in pipeline.states().items()} == before


def test_after_the_correction_it_is_staged_and_a_second_copy_does_nothing() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    message = put_back(pipeline)
    pipeline.drain()
    assert is_carried(pipeline, id_)
    assert pipeline.poison() == []
    assert_void(pipeline, lambda: put(pipeline, message))


def test_without_a_correction_it_is_parked_again_with_a_message_of_a_new_generation() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    message = put_back(pipeline)
    pipeline.drain()
    assert set(pipeline.parked()) == {id_}
    (note,) = pipeline.poison()
    assert note["generation"] == 2
    add_the_supplier(pipeline)
    # The message of the older generation is void.
    assert_void(pipeline, lambda: put(pipeline, message))
    put_back(pipeline)
    pipeline.drain()
    assert pipeline.parked() == {}


def test_moved_back_twice_before_the_correction_and_once_after_it_is_staged_once() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    for generation in (2, 3):
        put_back(pipeline)
        pipeline.drain()
        assert [(note["parked"], note["generation"]) for note in pipeline.poison()] == [(id_, generation)]
    add_the_supplier(pipeline)
    put_back(pipeline)
    pipeline.drain()
    assert is_carried(pipeline, id_)
    assert pipeline.servicenow.tables.inserts[ORDER] == len(pipeline.servicenow.tables.rows(ORDER))
    assert pipeline.poison() == []


def test_two_copies_at_once_are_worked_as_one() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    message = put_back(pipeline)
    put(pipeline, message)
    writes = pipeline.writes()
    pipeline.drain()
    assert is_carried(pipeline, id_)
    assert pipeline.writes() == writes + 1


def test_a_move_that_broke_off_leaves_a_copy_and_nothing_comes_of_moving_that() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    put(pipeline, take(pipeline))
    pipeline.drain()
    assert is_carried(pipeline, id_)
    # It became visible again with a receipt of the tool's: the connector cannot delete it.
    pipeline.clock.advance(TAKEN_FOR)
    assert [note["parked"] for note in pipeline.poison()] == [id_]
    assert_void(pipeline, lambda: put_back(pipeline))
    assert pipeline.poison() == []


@pytest.mark.parametrize("times", [1, 2])
def test_put_back_after_a_discard_nothing_comes_of_it(times: int) -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    message = take(pipeline)
    number = pipeline.states()[id_].number
    discard(pipeline.parts, parked_documents(pipeline.parts, Selection(numbers=(number,))), ACT)
    for _ in range(times):
        assert_void(pipeline, lambda: put(pipeline, message))
    pipeline.queues.delete(pipeline.settings.poison_queue, message.sent)
    assert pipeline.states()[id_].status is Status.DISCARDED
    assert pipeline.servicenow.tables.find(ORDER, {"erp_number": number}) == []
    rescue_all(pipeline.parts)
    assert (pipeline.poison(), pipeline.states()[id_].poison_id) == ([], "")


@pytest.mark.parametrize("times", [1, 2])
def test_put_back_after_a_newer_version_was_staged_the_newer_version_stays(times: int) -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    message = take(pipeline)
    pipeline.clock.advance(60)
    add_the_supplier(pipeline)
    line = pipeline.business_central.document(US, id_).lines[0].values
    pipeline.business_central.edit_line(US, id_, int(str(line["sequence"])), quantity=77)
    pipeline.business_central.edit_header(US, id_, purchaser="XX")
    pipeline.run()
    assert is_carried(pipeline, id_)
    for _ in range(times):
        assert_void(pipeline, lambda: put(pipeline, message))
    assert is_carried(pipeline, id_)


def test_put_back_while_a_replay_is_under_way_it_is_staged_once() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    writes = pipeline.writes()
    message = take(pipeline)
    replay(pipeline.parts, parked_documents(pipeline.parts, Selection()), Act("clerk@example.com", "mended"))
    put(pipeline, message)
    pipeline.queues.delete(pipeline.settings.poison_queue, message.sent)
    pipeline.drain()
    assert is_carried(pipeline, id_)
    assert pipeline.writes() == writes + 1
    assert pipeline.poison() == []
