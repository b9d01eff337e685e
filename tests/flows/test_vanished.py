"""Documents that vanish from Business Central: posted ones are closed, deleted ones are cancelled in ServiceNow."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import connector.profiles
from connector.decisions.states import Status
from connector.flows.sweep import sweep_all
from connector.model.documents import Entity
from connector.model.units import Origin, Reference, Unit
from connector.storage.ledger import Change
from tests.flows.comparison import rest_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations, vanished
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, reasons, some, where
from tests.sandbox.business_central import Document, Line
from tests.sandbox.wire import Fault

DELIVERED, CLOSED_CANCELED = "50", "93"
OLD_TEXT = {"Content-Type": "text/html"}


def carried(*, orders: int = 12, settings: dict[str, str] | None = None) -> Pipeline:
    """The first orders, staged. Number 106012 is the only one of which nothing was received."""
    pipeline = Pipeline(data=some(orders=orders, invoices=0)[:1], settings=settings)
    pipeline.run()
    return pipeline


def untouched(pipeline: Pipeline) -> Document:
    """A staged order of which nothing was received."""
    states = pipeline.states()
    return next(
        one
        for one in pipeline.landscape.data[0].orders
        if states[one.id].status is Status.DONE and not any(line.values["receivedQuantity"] for line in one.lines)
    )


def post_in_full(pipeline: Pipeline, order: Document) -> str:
    """Receives and invoices all that is left of the order; the invoice's id."""
    left = {
        int(str(line.values["sequence"])): Decimal(str(line.values["quantity"]))
        for line in order.lines
        if line.values["lineType"] != "Comment"
    }
    made = pipeline.business_central.post_order(US, order.number, quantities=left, vendor_invoice_number="V-1")
    assert made.order_gone
    assert made.invoice
    return made.invoice


def delete(pipeline: Pipeline, order: Document) -> None:
    pipeline.business_central.delete(US, ORDERS, order.number)


def sweep_and_work(pipeline: Pipeline) -> None:
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()


def outcome(pipeline: Pipeline, order: Document) -> tuple[Status, str]:
    state = pipeline.states()[order.id]
    return state.status, state.outcome


def last(pipeline: Pipeline, order: Document) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(pipeline.trail(US, order.id)[-1].detail)
    return detail


def actions(pipeline: Pipeline, order: Document) -> list[str]:
    return [event.action for event in pipeline.trail(US, order.id)]


def record(pipeline: Pipeline, order: Document) -> dict[str, str]:
    """The order's record in ServiceNow."""
    (found,) = pipeline.servicenow.tables.find("sn_shop_purchase_order", {"erp_number": order.number})
    return dict(found)


def lines(pipeline: Pipeline, order: Document) -> dict[str, tuple[Decimal, Decimal, str]]:
    """Quantity, amount and state of each of the order's lines in ServiceNow."""
    found = pipeline.servicenow.tables.find(
        "sn_shop_purchase_order_line", {"purchase_order": record(pipeline, order)["sys_id"]}
    )
    return {
        row["erp_line_number"]: (Decimal(row["purchased_quantity"]), Decimal(row["total_line_amount"]), row["state"])
        for row in found
    }


def amounts(pipeline: Pipeline, order: Document) -> tuple[str, dict[str, tuple[Decimal, Decimal]]]:
    """What the order comes to, and quantity and amount of each line, whatever the state of the goods."""
    return record(pipeline, order)["total_amount"], {
        number: (quantity, amount) for number, (quantity, amount, _) in lines(pipeline, order).items()
    }


def differences(pipeline: Pipeline) -> list[str]:
    documents = [*expectations(pipeline.landscape).values(), *vanished(pipeline.landscape).values()]
    store = pipeline.servicenow.tables
    return target_differences(documents, store) + supplier_differences(documents, store)


def assert_cancelled(pipeline: Pipeline, order: Document) -> None:
    assert outcome(pipeline, order) == (Status.CLOSED, "cancelled")
    assert (Decimal(record(pipeline, order)["total_amount"]), record(pipeline, order)["state"]) == (0, CLOSED_CANCELED)
    assert set(lines(pipeline, order).values()) <= {(Decimal(0), Decimal(0), CLOSED_CANCELED)}
    assert pipeline.intact(US, order.id)


# -- what was posted


def test_an_order_invoiced_in_full_is_closed_and_nothing_is_said_of_it_while_its_invoice_is_staged() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    before = amounts(pipeline, order)
    sent = len(pipeline.wire.requests)
    invoice = post_in_full(pipeline, order)
    pipeline.run()
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.CLOSED, "invoiced")
    assert last(pipeline, order) == {"number": order.number, "gone": True, "archived": False}
    assert amounts(pipeline, order) == before
    assert {row.document[0] for row in pipeline.sent_rows(since=sent)} == {"invoice", "receipt"}
    states = {state for quantity, _, state in lines(pipeline, order).values() if quantity}
    assert states == {DELIVERED}
    assert pipeline.states()[invoice].outcome == "staged"
    (there,) = pipeline.servicenow.tables.find("sn_shop_invoice", {"external_invoice_number": invoice})
    assert there["purchase_order"] == record(pipeline, order)["sys_id"]
    assert differences(pipeline) == []


def test_an_order_that_was_received_and_then_deleted_is_closed_and_nothing_is_said_of_it() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    pipeline.business_central.post_order(US, order.number, invoice=False)
    pipeline.run()
    sent = len(pipeline.wire.requests)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.CLOSED, "received")
    assert pipeline.sent_rows(since=sent) == []
    assert differences(pipeline) == []


def test_an_order_posted_before_it_was_ever_sent_is_closed_as_invoiced() -> None:
    pipeline = carried()
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Draft")
    post_in_full(pipeline, order)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.CLOSED, "invoiced")
    assert actions(pipeline, order).count("intent") == 0


# -- what was deleted


@pytest.mark.parametrize("archives", [False, True])
def test_a_deleted_order_is_cancelled_in_servicenow_and_the_trail_tells_it(archives: bool) -> None:
    pipeline = carried()
    order = untouched(pipeline)
    assert any(amount for _, amount, _ in lines(pipeline, order).values())
    if archives:
        pipeline.business_central.archives = True
        archived = Document({"id": "5d8f7c3e-1111-4f6b-9d63-0a1b2c3d4e5f", "number": order.number}, [])
        pipeline.business_central.add_document(US, archived, entity="purchaseOrderArchives")
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert_cancelled(pipeline, order)
    assert differences(pipeline) == []
    assert actions(pipeline, order)[-2:] == ["intent", "cancelled"]
    intent = json.loads(pipeline.trail(US, order.id)[-2].detail)
    ended = last(pipeline, order)
    assert intent["gone"] is ended["gone"] is True
    assert intent["archived"] is ended["archived"] is archives
    assert ended["sys_id"] == record(pipeline, order)["sys_id"]
    assert sum(ended["results"].values()) == 1 + len(lines(pipeline, order)) == intent["rows"]


def test_what_is_cancelled_is_not_looked_at_or_sent_again() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    events, writes = len(pipeline.trail(US, order.id)), pipeline.writes()
    sweep_and_work(pipeline)
    assert (len(pipeline.trail(US, order.id)), pipeline.writes()) == (events, writes)


def send(pipeline: Pipeline, order: Document, origin: Origin) -> None:
    state = pipeline.states()[order.id]
    reference = Reference(order.id, state.seen, state.generation)
    unit = Unit("us", Entity.PURCHASE_ORDER, origin, f"test-{origin.value}", (reference,))
    pipeline.queues.send("documents", unit.encode())
    pipeline.drain()


def test_a_replay_of_a_cancelled_order_changes_and_sends_nothing() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    before, writes = (record(pipeline, order), lines(pipeline, order)), pipeline.writes()
    send(pipeline, order, Origin.REPLAY)
    assert_cancelled(pipeline, order)
    assert ((record(pipeline, order), lines(pipeline, order)), pipeline.writes()) == (before, writes)


def test_a_deletion_before_it_was_ever_staged_is_closed_at_once_and_nothing_is_sent() -> None:
    pipeline = carried()
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Draft")
    writes = pipeline.writes()
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.CLOSED, "deleted")
    assert pipeline.writes() == writes
    assert differences(pipeline) == []


def test_a_deletion_while_parked_takes_the_note_back_and_cancels_only_what_was_sent() -> None:
    pipeline = Pipeline(data=some(orders=40, invoices=0)[:1])
    order, never = [
        one
        for one in pipeline.landscape.data[0].orders
        if one.header["status"] == "Open" and not any(line.values["receivedQuantity"] for line in one.lines)
    ][:2]
    pipeline.business_central.edit_line(US, never.number, 10000, description="x" * 101)
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.DONE
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, order.number, 10000, description="x" * 101, quantity=9)
    pipeline.run()
    assert {order.id, never.id} <= pipeline.parked().keys()
    notes = len(pipeline.poison())
    for one in (order, never):
        delete(pipeline, one)
    sweep_and_work(pipeline)
    assert_cancelled(pipeline, order)
    assert outcome(pipeline, never) == (Status.CLOSED, "deleted")
    assert pipeline.servicenow.tables.find("sn_shop_purchase_order", {"erp_number": never.number}) == []
    assert len(pipeline.poison()) == notes - 2


@pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
def test_a_deletion_while_a_write_is_in_doubt_cancels_all_that_may_have_arrived(effect: str) -> None:
    pipeline = carried()
    order = untouched(pipeline)
    pipeline.clock.advance(60)
    extra = order.lines[0]
    values = extra.values | {"id": "7d0a5e8a-2222-4f6b-9d63-0a1b2c3d4e5f", "sequence": 990000}
    pipeline.business_central.add_line(US, order.number, Line(values, extra.dimensions))
    pipeline.sn_exchange.faults = [Fault(effect, path="/api/now/v1/batch")]
    pipeline.poll()
    pipeline.work()
    assert pipeline.states()[order.id].status is Status.PENDING
    delete(pipeline, order)
    pipeline.drain()
    assert_cancelled(pipeline, order)
    assert "990000" in lines(pipeline, order)


@pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
def test_a_lost_answer_to_the_cancellation_delays_it_and_changes_nothing_else(effect: str) -> None:
    pipeline = carried()
    order = untouched(pipeline)
    delete(pipeline, order)
    pipeline.sn_exchange.faults = [Fault(effect, path="/api/now/v1/batch", times=2)]
    sweep_and_work(pipeline)
    assert "rescheduled" in actions(pipeline, order)
    assert_cancelled(pipeline, order)
    assert differences(pipeline) == []


# -- no way to say it


def own_profile(folder: Path, change: Callable[[str], str]) -> dict[str, str]:
    shipped = Path(connector.profiles.__file__).with_name("source_to_pay.toml").read_text("utf-8")
    changed = change(shipped)
    assert changed != shipped
    path = folder / "own.toml"
    path.write_text(changed, "utf-8")
    return {"PROFILE": str(path)}


def without_cancelled(text: str) -> str:
    return text.replace('[routes.purchaseOrders.cancelled]\nu_po_amount = "0.00"\n', "")


def test_without_a_way_in_the_profile_a_deleted_order_is_parked_once_and_stays_until_it_is_replayed(
    tmp_path: Path,
) -> None:
    pipeline = carried(settings=own_profile(tmp_path, without_cancelled))
    order = untouched(pipeline)
    before, notes, writes = record(pipeline, order), len(pipeline.poison()), pipeline.writes()
    delete(pipeline, order)
    sweep_and_work(pipeline)
    note = pipeline.states()[order.id].poison_id
    for _ in range(2):
        sweep_and_work(pipeline)
    assert pipeline.states()[order.id].poison_id == note
    assert pipeline.parked()[order.id] == {("REMOVAL_NOT_POSSIBLE", "")}
    assert "discard" in reasons(pipeline.states()[order.id])[0]["remedy"]
    assert (record(pipeline, order), pipeline.writes()) == (before, writes)
    assert actions(pipeline, order).count("parked") == 1
    assert len(pipeline.poison()) == notes + 1
    # The way is named in the profile, the app starts anew, and the document is replayed.
    again = Pipeline(clock=pipeline.clock, landscape=pipeline.landscape, tables=pipeline.tables, queues=pipeline.queues)
    send(again, order, Origin.REPLAY)
    assert_cancelled(again, order)
    assert len(again.poison()) == notes


def test_a_parked_deleted_order_that_turns_out_to_be_invoiced_is_closed(tmp_path: Path) -> None:
    pipeline = carried(settings=own_profile(tmp_path, without_cancelled))
    order = untouched(pipeline)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    invoice = some(orders=0, invoices=1)[0].invoices[0]
    billed = Document(invoice.header | {"orderNumber": order.number}, invoice.lines, invoice.dimensions)
    pipeline.business_central.add_document(US, billed, entity=INVOICES)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.CLOSED, "invoiced")


def test_a_parked_deleted_order_that_comes_back_unchanged_is_found_by_the_sweep(tmp_path: Path) -> None:
    pipeline = carried(settings=own_profile(tmp_path, without_cancelled))
    order = untouched(pipeline)
    snapshot = pipeline.business_central.document(US, order.number)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.PARKED, "parked")
    restore(pipeline, snapshot)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order)[0] is Status.DONE
    assert order.id not in pipeline.parked()


def test_a_refused_cancellation_parks_with_servicenows_words_and_is_not_sent_with_every_sweep() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    tables = pipeline.servicenow.tables
    (transform,) = tables.find("sys_transform_map", {"name": "Order line stage"})
    script = {"map": transform["sys_id"], "when": "onBefore", "script": "missing", "active": "true", "order": "1"}
    tables.insert("sys_transform_script", script)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert "REJECTED_BY_SERVICENOW" in {code for code, _ in pipeline.parked()[order.id]}
    writes = pipeline.writes()
    sweep_and_work(pipeline)
    assert pipeline.writes() == writes


def test_an_invoice_that_was_staged_is_parked_when_it_is_gone_and_one_that_was_not_is_closed() -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=20)[:1])
    pipeline.run()
    states = pipeline.states()
    invoices = pipeline.landscape.data[0].invoices
    staged = next(one for one in invoices if states[one.id].status is Status.DONE)
    draft = next(one for one in invoices if states[one.id].status is Status.WAITING)
    writes = pipeline.writes()
    for one in (staged, draft):
        pipeline.business_central.delete(US, INVOICES, one.id)
    sweep_and_work(pipeline)
    assert pipeline.parked()[staged.id] == {("REMOVAL_NOT_POSSIBLE", "")}
    assert outcome(pipeline, draft) == (Status.CLOSED, "deleted")
    assert pipeline.writes() == writes


def test_an_invoice_that_is_gone_is_cancelled_where_the_profile_says_how(tmp_path: Path) -> None:
    way = '[routes.purchaseInvoices.cancelled]\nu_subtotal = "0.00"\nu_amount_invoiced = "0.00"\n\n'

    def change(text: str) -> str:
        mark = "[routes.purchaseInvoices.removed_line]\n"
        return text.replace(mark, way + mark)

    pipeline = Pipeline(data=some(orders=0, invoices=20)[:1], settings=own_profile(tmp_path, change))
    pipeline.run()
    tables = pipeline.servicenow.tables
    for name in ("Invoice import", "Invoice line import"):
        # The shipped maps want every mandatory column of an invoice in every row, which no constants can give.
        (row,) = tables.find("sys_transform_map", {"name": name})
        tables.update("sys_transform_map", row["sys_id"], {"enforce_mandatory_fields": "no"})
    states = pipeline.states()
    gone = next(one for one in pipeline.landscape.data[0].invoices if states[one.id].status is Status.DONE)
    pipeline.business_central.delete(US, INVOICES, gone.id)
    sweep_and_work(pipeline)
    assert outcome(pipeline, gone) == (Status.CLOSED, "cancelled")
    (there,) = tables.find("sn_shop_invoice", {"external_invoice_number": gone.id})
    assert Decimal(there["invoice_amount"]) == 0


# -- asking


@pytest.mark.parametrize("name", ["purchaseInvoices", "purchaseReceipts"])
def test_while_bc_cannot_say_nothing_is_guessed_and_the_neighbours_go_on(name: str) -> None:
    pipeline = carried()
    order = untouched(pipeline)
    neighbour = next(
        one
        for one in pipeline.landscape.data[0].orders
        if one.id != order.id and pipeline.states()[one.id].status is Status.DONE
    )
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, neighbour.number, 10000, description="Edited quietly")
    post_in_full(pipeline, order)
    fault = Fault("answer", path=f"/{name}", status=503, headers=OLD_TEXT, answer="down", times=None)
    pipeline.bc_exchange.faults = [fault]
    both = tuple(
        Reference(one.id, pipeline.states()[one.id].seen, pipeline.states()[one.id].generation)
        for one in (order, neighbour)
    )
    unit = Unit("us", Entity.PURCHASE_ORDER, Origin.SWEEP, "test", both)
    pipeline.queues.send("documents", unit.encode())
    pipeline.work()
    assert outcome(pipeline, order)[0] is Status.PENDING
    assert actions(pipeline, order)[-1] == "rescheduled"
    assert pipeline.states()[neighbour.id].outcome == "staged"
    pipeline.bc_exchange.faults = []
    pipeline.drain()
    assert outcome(pipeline, order) == (Status.CLOSED, "invoiced")


def copied(order: Document, number: int) -> Document:
    """The order once more, under ids and a number of its own."""
    fresh = [
        Line(line.values | {"id": str(uuid.UUID(int=number * 100 + place + 1))}, line.dimensions)
        for place, line in enumerate(order.lines)
    ]
    header = order.header | {"id": str(uuid.UUID(int=10**6 + number)), "number": f"107{number:03d}"}
    return Document(header, fresh, order.dimensions)


def test_150_orders_that_vanish_at_once_cost_a_handful_of_calls() -> None:
    data = copy.deepcopy(some(orders=12, invoices=0)[:1])
    original = next(one for one in data[0].orders if one.number == "106006")
    data[0].documents[ORDERS] = [copied(original, number) for number in range(150)]
    pipeline = Pipeline(data=data)
    pipeline.run()
    orders = pipeline.landscape.data[0].orders
    assert {outcome(pipeline, one) for one in orders} == {(Status.DONE, "staged")}
    for one in orders:
        delete(pipeline, one)
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    calls = pipeline.bc_exchange.counts["GET"]
    pipeline.drain()
    assert {outcome(pipeline, one) for one in orders} == {(Status.CLOSED, "cancelled")}
    # One read of the unit, invoices and receipts in two parts each, and archives, which this version does not offer.
    assert pipeline.bc_exchange.counts["GET"] - calls == 6
    assert {Decimal(record(pipeline, one)["total_amount"]) for one in orders} == {0}


# -- coming back


def restore(pipeline: Pipeline, snapshot: Document) -> None:
    """What restoring BC from a backup does: the order is there again with its old stamp."""
    pipeline.business_central.add_document(US, snapshot)
    stamp = snapshot.header["lastModifiedDateTime"]
    pipeline.business_central._company(US).find(ORDERS, snapshot.id).values["lastModifiedDateTime"] = stamp


def test_an_order_that_comes_back_is_staged_with_its_real_values_and_can_be_deleted_again() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    first = pipeline.states()[order.id]
    snapshot = pipeline.business_central.document(US, order.number)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert_cancelled(pipeline, order)
    assert pipeline.states()[order.id].lines == ()
    restore(pipeline, snapshot)
    sweep_and_work(pipeline)
    state = pipeline.states()[order.id]
    assert (state.status, state.outcome) == (Status.DONE, "staged")
    assert (state.lines, state.payload_hash) == (first.lines, first.payload_hash)
    assert rest_differences(pipeline) == []
    delete(pipeline, order)
    sweep_and_work(pipeline)
    assert_cancelled(pipeline, order)
    assert differences(pipeline) == []


def test_an_order_that_comes_back_without_one_of_its_lines_leaves_that_line_cancelled() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    snapshot = pipeline.business_central.document(US, order.number)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    restore(pipeline, snapshot)
    left_out = next(line for line in order.lines if line.values["lineType"] == "Item" and line.values["netAmount"])
    pipeline.business_central.remove_line(US, order.number, int(str(left_out.values["sequence"])))
    pipeline.run()
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.DONE, "staged")
    assert lines(pipeline, order)[str(left_out.values["sequence"])] == (0, 0, CLOSED_CANCELED)
    assert rest_differences(pipeline) == []


def test_an_order_that_comes_back_after_it_was_invoiced_is_as_it_was_and_not_sent() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    snapshot = pipeline.business_central.document(US, order.number)
    post_in_full(pipeline, order)
    sweep_and_work(pipeline)
    sent = len(pipeline.wire.requests)
    restore(pipeline, snapshot)
    sweep_and_work(pipeline)
    assert outcome(pipeline, order) == (Status.DONE, "unchanged")
    assert [row for row in pipeline.sent_rows(since=sent) if row.document[2] == order.number] == []


def test_a_crash_between_the_rows_and_their_outcome_repeats_them_and_changes_nothing() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    delete(pipeline, order)
    sweep_and_work(pipeline)
    before = record(pipeline, order)["total_amount"], lines(pipeline, order)
    # As the ledger was before the outcome was written: claimed, with the intent on record.
    state = pipeline.states()[order.id]
    claimed = replace(
        state, status=Status.CLAIMED, payload_hash="", lines=(10000, 20000), claim="dead", outcome="staged"
    )
    partition = where(US, ORDERS)
    pipeline.parts.ledger.record(partition, [Change(state, claimed)])
    pipeline.clock.advance(1200)
    send(pipeline, order, Origin.RESCUE)
    assert_cancelled(pipeline, order)
    assert (record(pipeline, order)["total_amount"], lines(pipeline, order)) == before
