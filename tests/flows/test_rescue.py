"""Rescue: what stands still is found by the ledger. Tests at the level where the fault would happen: a message that vanishes, a
worker that dies, a crash between ledger row and poison message."""

from __future__ import annotations

from dataclasses import replace

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from connector.storage.ledger import Change, Ledger
from connector.storage.ledger_rows import State
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import ORDERS, US, Pipeline, reasons, some, where

QUARTER_HOUR = 15 * 60


def small(*, invoices: int = 3) -> Pipeline:
    return Pipeline(data=some(orders=6, invoices=invoices, posted=False)[:1])


def drop_messages(pipeline: Pipeline) -> int:
    queue = pipeline.settings.documents_queue
    messages = pipeline.queues.messages(queue)
    for message in messages:
        pipeline.queues.delete(queue, message.sent)
    return len(messages)


def assert_all_carried(pipeline: Pipeline) -> None:
    expected = list(expectations(pipeline.landscape).values())
    assert target_differences(expected, pipeline.servicenow.tables) == []


def claim(pipeline: Pipeline, state: State) -> None:
    """What a worker leaves behind that dies right after its claim."""
    taken = replace(state, status=Status.CLAIMED, claim="a worker that died")
    assert pipeline.parts.ledger.record(where(US, ORDERS), [Change(state, taken)]).saved


def open_states(pipeline: Pipeline) -> list[State]:
    return list(pipeline.parts.ledger.open_states(where(US, ORDERS)))


def test_documents_whose_message_vanished_are_sent_again_and_carried() -> None:
    pipeline = small()
    pipeline.poll()
    assert drop_messages(pipeline) > 0
    pipeline.clock.advance(QUARTER_HOUR - 10)
    rescue_all(pipeline.parts)
    assert pipeline.queues.count("documents") == 0, "too early"
    pipeline.clock.advance(20)
    rescue_all(pipeline.parts)
    pipeline.drain()
    assert_all_carried(pipeline)
    assert not open_states(pipeline)


def test_a_document_whose_workers_die_three_times_is_parked_with_a_note() -> None:
    pipeline = small()
    pipeline.poll()
    drop_messages(pipeline)
    for _ in range(3):
        for state in open_states(pipeline):
            claim(pipeline, state)
        pipeline.clock.advance(QUARTER_HOUR + 10)
        rescue_all(pipeline.parts)
        drop_messages(pipeline)
    states = list(pipeline.parts.ledger.all_states(where(US, ORDERS)))
    assert {state.status for state in states} == {Status.PARKED}
    assert {reason["code"] for state in states for reason in reasons(state)} == {"WORKER_DIED"}
    assert {note["parked"] for note in pipeline.poison()} >= {state.id for state in states}
    assert all(state.poison_id for state in states)


def test_success_after_a_rescue_forgets_it() -> None:
    pipeline = small()
    pipeline.poll()
    drop_messages(pipeline)
    pipeline.clock.advance(QUARTER_HOUR + 10)
    rescue_all(pipeline.parts)
    assert {state.rescues for state in open_states(pipeline)} == {1}
    pipeline.drain()
    assert {state.rescues for state in pipeline.states().values()} == {0}


def test_a_document_that_waits_in_a_long_queue_is_neither_sent_again_nor_counted() -> None:
    pipeline = small()
    pipeline.poll()
    for number in range(10):
        pipeline.queues.send("documents", f"message {number} of others")
    before = pipeline.queues.count("documents")
    pipeline.clock.advance(3 * QUARTER_HOUR)
    rescue_all(pipeline.parts)
    assert pipeline.queues.count("documents") == before
    assert {state.rescues for state in open_states(pipeline)} == {0}


def test_a_claimed_document_is_rescued_even_when_the_queue_is_long() -> None:
    pipeline = small(invoices=0)
    pipeline.poll()
    drop_messages(pipeline)
    for state in open_states(pipeline):
        claim(pipeline, state)
    for number in range(10):
        pipeline.queues.send("documents", f"message {number} of others", delay_seconds=3600)
    pipeline.clock.advance(QUARTER_HOUR + 10)
    rescue_all(pipeline.parts)
    pipeline.drain()
    assert not open_states(pipeline)
    assert_all_carried(pipeline)


def test_a_document_with_a_later_date_is_left_alone_until_then() -> None:
    pipeline = small()
    pipeline.poll()
    drop_messages(pipeline)
    for state in open_states(pipeline):
        later = replace(state, due=state.read_at.replace(hour=23))
        pipeline.parts.ledger.record(where(US, ORDERS), [Change(state, later)])
    pipeline.clock.advance(2 * QUARTER_HOUR)
    rescue_all(pipeline.parts)
    orders = [message for message in pipeline.queues.messages("documents") if "purchaseOrders" in message.text]
    assert orders == []


def test_a_parked_document_without_its_note_gets_one() -> None:
    pipeline = Pipeline(data=some(orders=36, invoices=1)[:1])
    pipeline.run()
    ledger: Ledger = pipeline.parts.ledger
    (parked, *_) = ledger.all_states(where(US, ORDERS), Status.PARKED)
    for message in pipeline.queues.messages("documents-poison"):
        pipeline.queues.delete("documents-poison", message.sent)
    ledger.record(where(US, ORDERS), [Change(parked, replace(parked, poison_id="", poison_receipt=""))])
    rescue_all(pipeline.parts)
    assert [note["parked"] for note in pipeline.poison()] == [parked.id]
    rescue_all(pipeline.parts)
    assert len(pipeline.poison()) == 1


def test_a_document_that_is_parked_by_the_rescue_leaves_one_note_not_its_old_one_too() -> None:
    pipeline = Pipeline(data=some(orders=36, invoices=1)[:1])
    pipeline.run()
    (parked, *_) = pipeline.parts.ledger.all_states(where(US, ORDERS), Status.PARKED)
    replayed = replace(parked, status=Status.CLAIMED, claim="a worker that died", rescues=2)
    assert pipeline.parts.ledger.record(where(US, ORDERS), [Change(parked, replayed)]).saved
    pipeline.clock.advance(QUARTER_HOUR + 10)
    rescue_all(pipeline.parts)
    state = pipeline.states()[parked.id]
    notes = [note["generation"] for note in pipeline.poison() if note["parked"] == parked.id]
    assert notes == [state.generation]
    assert state.generation > parked.generation
