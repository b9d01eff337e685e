"""Receipts: what came, staged under the lines of its order, never before the order, and never more than came."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import ORDERS, RECEIPTS, US, Pipeline, reasons, some
from tests.sandbox.business_central import Document, Line

RECEIPT = "sn_shop_receipt"


def carried() -> Pipeline:
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    pipeline.run()
    return pipeline


def released(pipeline: Pipeline) -> Document:
    """A released order that was carried, and of which nothing has been received."""
    states = pipeline.states()
    for order in pipeline.landscape.data[0].orders:
        lines = [line for line in order.lines if line.values["lineType"] == "Item" and line.values["quantity"]]
        nothing = not any(line.values["receivedQuantity"] for line in order.lines)
        if states[order.id].sys_id and nothing and len(lines) >= 2:
            return order
    raise LookupError("no such order")


def items(order: Document) -> list[Line]:
    return [line for line in order.lines if line.values["lineType"] == "Item" and line.values["quantity"]]


def sequence(line: Line) -> int:
    return int(str(line.values["sequence"]))


def receive(pipeline: Pipeline, order: Document, quantities: dict[int, Decimal]) -> str:
    """Posts a receipt; its id."""
    before = set(pipeline.business_central.document_ids(US, RECEIPTS))
    pipeline.clock.advance(60)
    pipeline.business_central.post_order(US, order.number, invoice=False, quantities=quantities)
    (receipt,) = set(pipeline.business_central.document_ids(US, RECEIPTS)) - before
    return receipt


def received(pipeline: Pipeline, order: Document) -> dict[int, Decimal]:
    """How much ServiceNow has as received, by the order's line."""
    tables = pipeline.servicenow.tables
    (record,) = tables.find("sn_shop_purchase_order", {"erp_number": order.number})
    lines = {
        line["sys_id"]: line
        for line in tables.find("sn_shop_purchase_order_line", {"purchase_order": record["sys_id"]})
    }
    total: dict[int, Decimal] = {}
    for row in tables.rows(RECEIPT):
        if row["purchase_order_line"] in lines:
            number = int(lines[row["purchase_order_line"]]["erp_line_number"])
            total[number] = total.get(number, Decimal(0)) + Decimal(row["quantity_received"])
    return total


def test_two_partial_receipts_add_up_under_the_lines_of_their_order() -> None:
    pipeline = carried()
    order = released(pipeline)
    first, second = (sequence(line) for line in items(order)[:2])
    receive(pipeline, order, {first: Decimal(1)})
    pipeline.run()
    assert received(pipeline, order) == {first: 1}
    receive(pipeline, order, {first: Decimal("0.5"), second: Decimal(1)})
    pipeline.run()
    assert received(pipeline, order) == {first: Decimal("1.5"), second: 1}
    assert len(pipeline.servicenow.tables.rows(RECEIPT)) == 3
    assert pipeline.parked() == {}


def test_a_receipt_is_held_until_its_order_is_there_and_goes_then_without_help() -> None:
    pipeline = carried()
    order = released(pipeline)
    first = sequence(items(order)[0])
    bc = pipeline.business_central
    number = "WAITS1"
    header = order.header | {"id": "aaaaaaaa-0000-0000-0000-000000000001", "number": number}
    lines = [
        Line(line.values | {"id": f"aaaaaaaa-0000-0000-0001-{place:012d}"}, dict(line.dimensions))
        for place, line in enumerate(order.lines)
    ]
    later = Document(header, lines, dict(order.dimensions))
    pipeline.clock.advance(60)
    bc.add_order(US, later)
    receipt = receive(pipeline, later, {first: Decimal(1)})
    # Nothing is heard of orders for a while.
    bc.unreadable.add(ORDERS)
    pipeline.run()
    state = pipeline.states()[receipt]
    assert (state.status, state.outcome) == (Status.WAITING, "waiting")
    assert number in pipeline.trail(US, receipt, entity=RECEIPTS)[-1].detail
    assert pipeline.servicenow.tables.rows(RECEIPT) == []
    pipeline.clock.advance(60)
    bc.unreadable.clear()
    pipeline.run(polls=2)
    assert pipeline.states()[receipt].status is Status.DONE
    assert received(pipeline, later) == {first: 1}


def test_a_line_that_the_order_does_not_have_parks_the_receipt_until_the_order_is_staged_with_it() -> None:
    pipeline = carried()
    order = released(pipeline)
    bc = pipeline.business_central
    added = items(order)[0]
    new = Line(
        added.values | {"id": "bbbbbbbb-0000-0000-0000-000000000001", "sequence": 990_000}, dict(added.dimensions)
    )
    pipeline.clock.advance(60)
    bc.add_line(US, order.number, new)
    receipt = receive(pipeline, order, {990_000: Decimal(1)})
    # The order's new version cannot be read for a while; the receipt can.
    bc.unreadable.add(ORDERS)
    pipeline.poll()
    pipeline.work()
    state = pipeline.states()[receipt]
    assert [(reason["code"], reason["where"]) for reason in reasons(state)] == [("RECEIPT_LINE_UNKNOWN", "990000")]
    assert [note["parked"] for note in pipeline.poison()] == [receipt]
    bc.unreadable.clear()
    pipeline.run(polls=3)
    assert pipeline.states()[receipt].status is Status.DONE
    assert received(pipeline, order) == {990_000: 1}
    assert pipeline.poison() == []


def test_undoing_a_receipt_leaves_what_was_not_undone() -> None:
    pipeline = carried()
    order = released(pipeline)
    first, second = (sequence(line) for line in items(order)[:2])
    receipt = receive(pipeline, order, {first: Decimal(1), second: Decimal(1)})
    pipeline.run()
    assert received(pipeline, order) == {first: 1, second: 1}
    stamp = pipeline.business_central.stamps(US, entity=RECEIPTS)[receipt]
    pipeline.business_central.undo_receipt(US, receipt, first)
    assert pipeline.business_central.stamps(US, entity=RECEIPTS)[receipt] == stamp
    # Nothing stamps this. Only a sweep that reads everything can find it.
    pipeline.clock.advance(7 * 3600)
    sweep_all(pipeline.parts)
    pipeline.drain()
    assert received(pipeline, order) == {first: 0, second: 1}
    assert len(pipeline.servicenow.tables.rows(RECEIPT)) == 2
    assert pipeline.parked() == {}


def test_a_sweep_reads_receipts_it_knows_only_when_it_reads_everything() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    sweep_all(pipeline.parts)
    for hours, read in ((0.25, 0), (7, 1)):
        pipeline.clock.advance(hours * 3600)
        before = len(pipeline.wire.requests)
        sweep_all(pipeline.parts)
        reads = [sent for sent in pipeline.wire.requests[before:] if sent.path.endswith("/purchaseReceipts")]
        # One request lists them, another one reads them.
        assert len(reads) == 1 + read


def test_a_receipt_that_bc_deletes_later_has_come_all_the_same() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    receipt = next(iter(pipeline.business_central.document_ids(US, RECEIPTS)))
    staged = pipeline.servicenow.tables.rows(RECEIPT)
    pipeline.business_central.delete(US, RECEIPTS, receipt)
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()
    state = pipeline.states()[receipt]
    assert (state.status, state.outcome) == (Status.CLOSED, "received")
    assert pipeline.servicenow.tables.rows(RECEIPT) == staged
    assert pipeline.parked() == {}


def test_a_worker_that_died_before_it_told_the_receipts_is_made_good_by_the_rescue() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.business_central.unreadable.add(ORDERS)
    pipeline.run()
    held = {
        id_ for id_ in pipeline.with_status(Status.WAITING) if expectations(pipeline.landscape)[id_].kind == "receipt"
    }
    assert held
    pipeline.business_central.unreadable.clear()
    # The order's run dies after it has put the order on record, before it looks who waits for it.
    awaits = pipeline.parts.awaits
    pipeline.parts = replace(pipeline.parts, awaits=_Dying(awaits))  # type: ignore[arg-type]
    pipeline.clock.advance(60)
    pipeline.poll()
    pipeline.work()
    assert held & pipeline.with_status(Status.WAITING)
    pipeline.parts = replace(pipeline.parts, awaits=awaits)
    pipeline.faults.clear()
    pipeline.clock.advance(900)
    rescue_all(pipeline.parts)
    pipeline.drain()
    expected = list(expectations(pipeline.landscape).values())
    assert target_differences(expected, pipeline.servicenow.tables) == []
    assert not held & pipeline.with_status(Status.WAITING)


class _Dying:
    """Awaits that can be put on record, but not looked at."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def add(self, where: str, awaits: object) -> None:
        self._inner.add(where, awaits)  # type: ignore[attr-defined]

    def all(self, where: str) -> list[object]:
        raise RuntimeError("the worker dies here")
