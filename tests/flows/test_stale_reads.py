"""Answers of BC that are older than what it announced are not taken for the newest version, and not waited for for ever."""

from __future__ import annotations

from datetime import timedelta

from connector.decisions.states import Status
from connector.flows.deliver import STALE_TRIES, STALE_WAIT
from connector.model.documents import Entity
from connector.model.units import Origin, Reference, Unit
from tests.flows.pipeline import US, Pipeline, some


def announce_a_newer_version(pipeline: Pipeline, id_: str) -> None:
    """What a poll would queue that saw a version which the next read does not deliver."""
    seen = pipeline.states()[id_].seen + timedelta(minutes=1)
    unit = Unit("us", Entity.PURCHASE_ORDER, Origin.POLL, "test", (Reference(id_, seen),))
    pipeline.queues.send("documents", unit.encode())


def test_an_older_version_is_read_again_and_the_newer_one_carried_when_it_comes() -> None:
    pipeline = Pipeline(data=some(orders=6, invoices=0)[:1])
    pipeline.run()
    order = next(one for one in pipeline.landscape.data[0].orders if pipeline.states()[one.id].status is Status.DONE)
    announce_a_newer_version(pipeline, order.id)
    pipeline.work()
    assert pipeline.states()[order.id].status is Status.PENDING
    assert pipeline.next_in() == timedelta(seconds=STALE_WAIT)
    pipeline.clock.advance(120)
    pipeline.business_central.edit_line(US, order.number, 10000, quantity=17)
    pipeline.drain()
    assert pipeline.states()[order.id].outcome == "staged"


def test_a_version_that_never_comes_is_given_up_after_some_tries() -> None:
    pipeline = Pipeline(data=some(orders=6, invoices=0)[:1])
    pipeline.run()
    order = next(one for one in pipeline.landscape.data[0].orders if pipeline.states()[one.id].status is Status.DONE)
    started = pipeline.clock.monotonic()
    announce_a_newer_version(pipeline, order.id)
    pipeline.drain()
    assert pipeline.states()[order.id].status is Status.DONE
    assert pipeline.states()[order.id].outcome == "unchanged"
    assert pipeline.clock.monotonic() - started == STALE_TRIES * STALE_WAIT
