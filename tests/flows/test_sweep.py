"""The sweep: edits that BC does not stamp, and documents that are gone, are found by comparing."""

from __future__ import annotations

import copy
from datetime import date, timedelta

import pytest

from connector.decisions.states import Status
from connector.errors import RowConflict
from connector.flows.sweep import sweep, sweep_all
from connector.model.documents import Entity
from connector.storage.cursors import SWEEPS, SweepRecord, Turn
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
    return pipeline.parts.cursors.read(SWEEPS, "us|purchaseOrders")[0]


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
    assert pipeline.bc_exchange.counts["GET"] - calls == 9, "lists, open documents, set-up and lines of the fingerprint"
    kept = record(pipeline)
    released = sum(one.header["status"] == "Open" for one in pipeline.landscape.data[0].orders)
    assert (kept.position, kept.compared, kept.changed, kept.cheap, kept.calls) == ("", released, 0, 0, 4)
    assert kept.size > 10_000
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


def test_a_deleted_order_is_cancelled_and_one_with_invoices_is_closed_as_invoiced() -> None:
    pipeline = carried(orders=12, invoices=60)
    states = pipeline.states()
    billed = {str(one.header["orderNumber"]) for one in pipeline.landscape.data[0].invoices}
    orders = [one for one in pipeline.landscape.data[0].orders if states[one.id].status is Status.DONE]
    invoiced = next(one for one in orders if one.number in billed)
    deleted = next(one for one in orders if not any(line.values["receivedQuantity"] for line in one.lines))
    for one in (invoiced, deleted):
        pipeline.business_central.delete(US, "purchaseOrders", one.number)
    sweep_and_work(pipeline)
    states = pipeline.states()
    assert (states[invoiced.id].status, states[invoiced.id].outcome) == (Status.CLOSED, "invoiced")
    assert (states[deleted.id].status, states[deleted.id].outcome) == (Status.CLOSED, "cancelled")
    assert pipeline.intact(US, deleted.id)
    events = len(pipeline.trail(US, deleted.id))
    sweep_and_work(pipeline)
    assert len(pipeline.trail(US, deleted.id)) == events, "what is closed is not looked at again"


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
    began = pipeline.clock.now() - timedelta(minutes=5)
    taken = pipeline.parts.cursors.take(SWEEPS, where, "an earlier run", timedelta(0))
    assert isinstance(taken, Turn)
    pipeline.parts.cursors.end(SWEEPS, taken, SweepRecord(position=ids[2], began=began, compared=3))
    pipeline.clock.advance(900)
    done = sweep(pipeline.parts, company, Entity.PURCHASE_ORDER, lambda: True)
    assert done is not None
    assert (done.position, done.compared) == ("", len(ids))
    assert done.completed == began


def shown(order: Document) -> bool:
    return all(line.values["lineType"] in ("Item", "Account", "Resource", "Comment") for line in order.lines)


def swept(pipeline: Pipeline) -> SweepRecord:
    sweep_and_work(pipeline)
    return record(pipeline)


def test_orders_whose_fingerprint_has_not_changed_are_not_read() -> None:
    pipeline = carried(orders=40, invoices=0)
    whole = swept(pipeline)
    released = [one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open"]
    cheap = swept(pipeline)
    assert (whole.compared, whole.cheap) == (len(released), 0)
    assert cheap.compared == len(released)
    assert cheap.cheap == sum(shown(one) for one in released) > 0
    assert cheap.size < whole.size
    assert cheap.completed is not None
    assert whole.completed is not None
    assert cheap.completed > whole.completed


@pytest.mark.parametrize("change", ["dimension", "description", "location", "expected receipt"])
def test_the_fingerprint_shows_an_edit_that_bc_does_not_stamp(change: str) -> None:
    pipeline = carried(orders=40, invoices=0)
    sweep_and_work(pipeline)
    states = pipeline.states()
    orders = pipeline.landscape.data[0].orders
    order = next(one for one in orders if states[one.id].status is Status.DONE and shown(one))
    item = next(line for line in order.lines if line.values["lineType"] == "Item")
    sequence = int(str(item.values["sequence"]))
    bc = pipeline.business_central
    locations = pipeline.landscape.data[0].tables["locations"]
    other = next(row for row in locations if row["id"] != item.values["locationId"])
    if change == "dimension":
        bc.set_dimension(
            US,
            order.number,
            "DEPARTMENT",
            "PROD" if item.dimensions.get("DEPARTMENT") == "ADM" else "ADM",
            sequence=sequence,
        )
    elif change == "description":
        bc.edit_line(US, order.number, sequence, description="Edited quietly")
    elif change == "location":
        bc.edit_line(US, order.number, sequence, locationId=other["id"])
    else:
        bc.edit_line(US, order.number, sequence, expectedReceiptDate=date(2027, 1, 31))
    before = pipeline.states()[order.id].payload_hash
    done = swept(pipeline)
    assert done.changed == 1
    assert done.cheap > 0
    assert pipeline.states()[order.id].payload_hash != before
    assert differences(pipeline) == []


def test_what_the_fingerprint_does_not_show_is_found_by_the_next_full_sweep() -> None:
    pipeline = carried(orders=40, invoices=0)
    sweep_and_work(pipeline)
    states = pipeline.states()
    orders = pipeline.landscape.data[0].orders
    order = next(one for one in orders if states[one.id].status is Status.DONE and shown(one))
    item = next(line for line in order.lines if line.values["lineType"] == "Item")
    unit = "BOX" if item.values["unitOfMeasureCode"] != "BOX" else "PCS"
    pipeline.business_central.edit_line(US, order.number, int(str(item.values["sequence"])), unitOfMeasureCode=unit)
    assert swept(pipeline).changed == 0
    assert differences(pipeline) != []
    pipeline.clock.advance(6 * 3600)
    full = swept(pipeline)
    assert (full.changed, full.cheap) == (1, 0)
    assert differences(pipeline) == []


def test_an_order_with_lines_that_the_fingerprint_does_not_show_is_read_every_time() -> None:
    pipeline = carried(orders=60, invoices=0)
    sweep_and_work(pipeline)
    states = pipeline.states()
    orders = pipeline.landscape.data[0].orders
    order = next(one for one in orders if states[one.id].status is Status.DONE and not shown(one))
    line = next(one for one in order.lines if one.values["lineType"] not in ("Item", "Account", "Resource", "Comment"))
    pipeline.business_central.edit_line(
        US, order.number, int(str(line.values["sequence"])), description="Edited quietly"
    )
    assert swept(pipeline).changed == 1
    assert differences(pipeline) == []


@pytest.mark.parametrize("why", ["switched off", "not offered", "cost centre is no global dimension"])
def test_without_a_fingerprint_every_document_is_read(why: str) -> None:
    settings = {"SWEEP_FINGERPRINT": "off"} if why == "switched off" else {}
    data = copy.deepcopy(some(orders=30, invoices=0)[:1])
    if why == "cost centre is no global dimension":
        data[0].tables["generalLedgerSetup"][0]["shortcutDimension1Code"] = "PROJECT"
    pipeline = Pipeline(data=data, settings=settings)
    if why == "not offered":
        pipeline.business_central.apis.available.discard("microsoft/analytics/v1.0")
    pipeline.run()
    sweep_and_work(pipeline)
    second = swept(pipeline)
    assert second.compared > 0
    assert second.cheap == 0
    order = staged_order(pipeline)
    pipeline.business_central.edit_line(US, order.number, 10000, description="Edited quietly")
    assert swept(pipeline).changed == 1
    assert differences(pipeline) == []


def test_an_order_that_was_reopened_without_a_stamp_anyone_saw_waits_again() -> None:
    pipeline = carried()
    order = staged_order(pipeline)
    with pipeline.business_central.late_commit(400 * 86_400):
        pipeline.business_central.edit_header(US, order.number, status="Draft")
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.DONE, "the poll does not look back so far"
    assert swept(pipeline).changed == 1
    assert pipeline.states()[order.id].status is Status.WAITING


def test_two_sweeps_at_once_do_the_work_once() -> None:
    pipeline = carried()
    other = Pipeline(clock=pipeline.clock, landscape=pipeline.landscape, tables=pipeline.tables, queues=pipeline.queues)
    pipeline.clock.advance(900)
    taken = other.parts.cursors.take(SWEEPS, "us|purchaseOrders", "the other", timedelta(seconds=30))
    assert isinstance(taken, Turn)
    assert sweep(pipeline.parts, pipeline.settings.companies[0], Entity.PURCHASE_ORDER, lambda: True) is None
    pipeline.clock.advance(180)
    assert sweep(pipeline.parts, pipeline.settings.companies[0], Entity.PURCHASE_ORDER, lambda: True) is not None
    with pytest.raises(RowConflict):
        other.parts.cursors.end(SWEEPS, taken, SweepRecord(position="forged"))
