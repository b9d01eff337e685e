"""The sweep: edits that BC does not stamp, and documents that are gone, are found by comparing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.decisions.states import Status
from connector.flows.sweep import sweep, sweep_all
from connector.model.documents import Entity
from connector.storage.cursors import SweepRecord
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import US, Pipeline, some
from tests.sandbox.business_central import Document
from tests.sandbox.wire import Fault


def carried(*, orders: int = 12, invoices: int = 6) -> Pipeline:
    pipeline = Pipeline(data=some(orders=orders, invoices=invoices)[:1])
    pipeline.run()
    return pipeline


def staged_order(pipeline: Pipeline) -> Document:
    states = pipeline.states()
    return next(one for one in pipeline.landscape.data[0].orders if states[one.id].status is Status.DONE)


def sweep_and_work(pipeline: Pipeline) -> None:
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()


def differences(pipeline: Pipeline) -> list[str]:
    return target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables)


def record(pipeline: Pipeline) -> SweepRecord:
    return pipeline.parts.cursors.read_sweep("us|purchaseOrders")[0]


@pytest.mark.parametrize("change", ["dimension", "description", "location"])
def test_an_edit_that_bc_does_not_stamp_is_found_by_the_sweep_and_not_by_the_poll(change: str) -> None:
    pipeline = carried()
    order = staged_order(pipeline)
    before = pipeline.business_central.document(US, order.number).header["lastModifiedDateTime"]
    pipeline.clock.advance(60)
    if change == "dimension":
        other = "PROD" if order.lines[0].dimensions.get("DEPARTMENT") != "PROD" else "ADM"
        pipeline.business_central.set_dimension(US, order.number, "DEPARTMENT", other, sequence=10000)
    elif change == "description":
        pipeline.business_central.edit_line(US, order.number, 10000, description="Edited quietly")
    else:
        west = pipeline.landscape.data[0].row("locations", "code", "WEST")
        assert west is not None
        pipeline.business_central.edit_line(US, order.number, 10000, locationId=west["id"])
    assert pipeline.business_central.document(US, order.number).header["lastModifiedDateTime"] == before
    pipeline.run()
    poll_alone = differences(pipeline)
    sweep_and_work(pipeline)
    assert differences(pipeline) == []
    # A location is no column of the target table, so only the first two can be seen to be missing before.
    assert poll_alone or change == "location"
    assert pipeline.states()[order.id].outcome == "staged"


def test_a_sweep_without_edits_sends_nothing_and_says_what_it_compared() -> None:
    pipeline = carried()
    written = pipeline.sn_exchange.counts["POST"]
    calls = pipeline.bc_exchange.counts["GET"]
    sweep_and_work(pipeline)
    assert pipeline.sn_exchange.counts["POST"] == written
    assert pipeline.bc_exchange.counts["GET"] - calls == 4, "a list and the open documents, for orders and for invoices"
    kept = record(pipeline)
    released = sum(one.header["status"] == "Open" for one in pipeline.landscape.data[0].orders)
    assert (kept.position, kept.compared, kept.changed) == ("", released, 0)
    assert kept.completed == kept.began is not None


def test_a_parked_document_that_is_corrected_without_a_stamp_is_carried_after_the_sweep() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    pipeline.business_central.edit_line(US, order.number, 10000, description="x" * 101)
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.PARKED
    pipeline.business_central.edit_line(US, order.number, 10000, description="short enough")
    sweep_and_work(pipeline)
    assert pipeline.states()[order.id].status is Status.DONE
    assert differences(pipeline) == []


def test_a_deleted_order_is_closed_as_deleted_and_one_with_invoices_as_invoiced() -> None:
    pipeline = carried(orders=12, invoices=60)
    states = pipeline.states()
    billed = {str(one.header["orderNumber"]) for one in pipeline.landscape.data[0].invoices}
    orders = [one for one in pipeline.landscape.data[0].orders if states[one.id].status is Status.DONE]
    invoiced = next(one for one in orders if one.number in billed)
    deleted = next(one for one in orders if one.number not in billed)
    for one in (invoiced, deleted):
        pipeline.business_central.delete(US, "purchaseOrders", one.number)
    sweep_and_work(pipeline)
    states = pipeline.states()
    assert (states[invoiced.id].status, states[invoiced.id].outcome) == (Status.CLOSED, "invoiced")
    assert (states[deleted.id].status, states[deleted.id].outcome) == (Status.CLOSED, "deleted")
    assert pipeline.intact(US, deleted.id)
    reads = pipeline.bc_exchange.counts["GET"]
    sweep_and_work(pipeline)
    assert pipeline.bc_exchange.counts["GET"] - reads == 4, "what is closed is not looked at again"


def test_an_outage_in_the_middle_of_a_sweep_costs_nothing_but_time() -> None:
    pipeline = carried()
    order = staged_order(pipeline)
    pipeline.business_central.edit_line(US, order.number, 10000, description="Edited quietly")
    pipeline.bc_exchange.faults = [Fault("answer", path="expand=", status=503, times=6)]
    sweep_and_work(pipeline)
    assert differences(pipeline) != []
    sweep_and_work(pipeline)
    assert differences(pipeline) == []


def test_a_sweep_goes_on_where_it_stopped() -> None:
    pipeline = carried()
    company = pipeline.settings.companies[0]
    where = "us|purchaseOrders"
    ids = sorted(one.id for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    pipeline.parts.cursors.move_sweep(
        where, SweepRecord(position=ids[2], began=pipeline.clock.now() - timedelta(minutes=5), compared=3), ""
    )
    done = sweep(pipeline.parts, company, Entity.PURCHASE_ORDER, lambda: True)
    assert (done.position, done.compared) == ("", len(ids))
    assert done.completed == pipeline.clock.now() - timedelta(minutes=5)
