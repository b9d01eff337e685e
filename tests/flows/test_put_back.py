"""A message of the poison queue that somebody puts back by hand: the document is tried again, once."""

from __future__ import annotations

from connector.decisions.states import Status
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import Pipeline, some


def parked_for_want_of_a_supplier() -> tuple[Pipeline, str]:
    data = some(orders=22, invoices=0)[:1]
    pipeline = Pipeline(data=data)
    pipeline.run()
    (id_,) = pipeline.parked()
    return pipeline, id_


def put_back(pipeline: Pipeline) -> str:
    """Moves the one poison message to the documents queue, as the portal or Storage Explorer would; its text."""
    (message,) = pipeline.queues.messages(pipeline.settings.poison_queue)
    pipeline.queues.send(pipeline.settings.documents_queue, message.text)
    pipeline.queues.delete(pipeline.settings.poison_queue, message.sent)
    return message.text


def add_the_supplier(pipeline: Pipeline) -> None:
    pipeline.servicenow.tables.insert(
        "sn_fin_supplier",
        {"legal_name": "Nod Publishers", "erp_supplier_code": "50000", "erp_source": "BC-US", "active": "true"},
    )


def test_after_the_correction_it_is_staged_and_a_second_copy_does_nothing() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    add_the_supplier(pipeline)
    text = put_back(pipeline)
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.DONE
    assert target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables) == []
    assert pipeline.poison() == []
    written = pipeline.sn_exchange.counts["POST"]
    pipeline.queues.send(pipeline.settings.documents_queue, text)
    pipeline.drain()
    assert pipeline.sn_exchange.counts["POST"] == written
    assert pipeline.states()[id_].status is Status.DONE


def test_without_a_correction_it_is_parked_again_with_a_message_of_a_new_generation() -> None:
    pipeline, id_ = parked_for_want_of_a_supplier()
    text = put_back(pipeline)
    pipeline.drain()
    assert set(pipeline.parked()) == {id_}
    (note,) = pipeline.poison()
    assert note["generation"] == 2
    add_the_supplier(pipeline)
    pipeline.queues.send(pipeline.settings.documents_queue, text)
    pipeline.drain()
    assert set(pipeline.parked()) == {id_}, "the message of the older generation is void"
    put_back(pipeline)
    pipeline.drain()
    assert pipeline.parked() == {}
