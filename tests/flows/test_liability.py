"""One debt is carried once: with `po_as_invoice` an order stands for its invoices, whichever of them was seen first."""

from __future__ import annotations

from decimal import Decimal

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from tests.flows.pipeline import BATCH, INVOICES, ORDERS, US, Pipeline, reasons, some
from tests.sandbox.business_central import Document
from tests.sandbox.wire import Fault

PROFILE = {"PROFILE": "po_as_invoice"}


def pipeline_with(*, orders: int = 12, invoices: int = 0) -> Pipeline:
    return Pipeline(data=some(orders=orders, invoices=invoices, posted=False)[:1], settings=PROFILE)


def carried() -> Pipeline:
    pipeline = pipeline_with()
    pipeline.run()
    return pipeline


def untouched(pipeline: Pipeline) -> Document:
    """A released order that can be carried, nothing of which was received or billed."""
    parked = pipeline.parked()
    for order in pipeline.landscape.data[0].orders:
        done = any(line.values["receivedQuantity"] or line.values["invoicedQuantity"] for line in order.lines)
        if order.header["status"] == "Open" and order.id not in parked and not done:
            return order
    raise LookupError("no such order")


def post(pipeline: Pipeline, order: Document, *, everything: bool) -> str:
    """Receives and invoices all of the order, or one piece of each line; the invoice's id."""
    quantities = {
        int(str(line.values["sequence"])): Decimal(str(line.values["quantity"])) if everything else Decimal(1)
        for line in order.lines
        if Decimal(str(line.values["quantity"])) >= 1
    }
    pipeline.clock.advance(60)
    posted = pipeline.business_central.post_order(
        US, order.number, quantities=quantities, vendor_invoice_number=f"V-{order.number}"
    )
    assert posted.invoice is not None
    assert posted.order_gone is everything
    return posted.invoice


def there(pipeline: Pipeline, id_: str) -> list[Decimal]:
    """The amounts of the invoices that ServiceNow has under this number."""
    rows = pipeline.servicenow.tables.find("sn_shop_invoice", {"external_invoice_number": id_})
    return [Decimal(row["invoice_amount"]) for row in rows]


def rest(pipeline: Pipeline) -> None:
    """Timers go on until nothing moves any more."""
    for _ in range(3):
        pipeline.clock.advance(900)
        pipeline.poll()
        pipeline.drain()
        sweep_all(pipeline.parts)
        rescue_all(pipeline.parts)
        pipeline.drain()
    assert pipeline.faults == []


def test_an_order_goes_as_an_invoice_and_its_posted_invoices_are_superseded() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    whole = Decimal(str(order.header["totalAmountIncludingTax"]))
    assert there(pipeline, order.id) == [whole]
    part = post(pipeline, order, everything=False)
    rest(pipeline)
    state = pipeline.states()[part]
    assert (state.status, state.outcome) == (Status.SUPERSEDED, "superseded")
    assert order.number in pipeline.trail(US, part, entity=INVOICES)[-1].detail
    assert (there(pipeline, order.id), there(pipeline, part)) == ([whole], [])


def test_an_order_that_was_invoiced_in_full_still_stands_for_its_invoice() -> None:
    pipeline = carried()
    order = untouched(pipeline)
    invoice = post(pipeline, order, everything=True)
    rest(pipeline)
    assert pipeline.states()[order.id].status is Status.CLOSED
    assert pipeline.states()[invoice].status is Status.SUPERSEDED
    assert len(there(pipeline, order.id)) == 1
    assert there(pipeline, invoice) == []


def test_an_order_that_was_gone_before_anybody_saw_it_leaves_the_debt_to_its_invoice() -> None:
    pipeline = pipeline_with()
    order = untouched(pipeline)
    invoice = post(pipeline, order, everything=True)
    pipeline.run()
    rest(pipeline)
    assert order.id not in pipeline.states()
    assert pipeline.states()[invoice].status is Status.DONE
    assert len(there(pipeline, invoice)) == 1


def test_an_order_that_ended_without_having_been_carried_gives_its_invoices_free() -> None:
    pipeline = pipeline_with()
    order = untouched(pipeline)
    # It is parked: its vendor is no supplier.
    pipeline.business_central.edit_header(US, order.number, vendorNumber="NOBODY")
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.PARKED
    part = post(pipeline, order, everything=False)
    pipeline.business_central.edit_header(US, part, entity=INVOICES, vendorNumber=order.header["vendorNumber"])
    pipeline.run()
    assert pipeline.states()[part].status is Status.SUPERSEDED, "the order may still be carried"
    pipeline.business_central.delete(US, ORDERS, order.number)
    rest(pipeline)
    assert pipeline.states()[order.id].status is Status.CLOSED
    assert pipeline.states()[part].status is Status.DONE
    assert (len(there(pipeline, part)), there(pipeline, order.id)) == (1, [])


def test_an_order_whose_invoice_was_faster_is_parked_and_not_owed_twice() -> None:
    pipeline = pipeline_with()
    order = untouched(pipeline)
    part = post(pipeline, order, everything=False)
    # Orders cannot be read at first, invoices can.
    pipeline.business_central.unreadable.add(ORDERS)
    pipeline.run()
    assert len(there(pipeline, part)) == 1
    pipeline.business_central.unreadable.clear()
    rest(pipeline)
    assert [reason["code"] for reason in reasons(pipeline.states()[order.id])] == ["CARRIED_BY_INVOICE"]
    assert (len(there(pipeline, part)), there(pipeline, order.id)) == (1, [])


def test_an_invoice_whose_answer_was_lost_counts_as_sent_when_its_order_comes_up() -> None:
    pipeline = pipeline_with()
    order = untouched(pipeline)
    part = post(pipeline, order, everything=False)
    pipeline.business_central.unreadable.add(ORDERS)
    # ServiceNow takes the invoice, and nobody hears of it.
    pipeline.sn_exchange.faults = [Fault("reset_after", path=BATCH, times=1)]
    pipeline.poll()
    pipeline.work()
    state = pipeline.states()[part]
    assert (state.status, state.sys_id, len(there(pipeline, part))) == (Status.PENDING, "", 1)
    pipeline.business_central.unreadable.clear()
    pipeline.clock.advance(1)
    pipeline.poll()
    pipeline.work()
    assert there(pipeline, order.id) == [], "the order's run comes before the invoice's next try"
    rest(pipeline)
    assert [reason["code"] for reason in reasons(pipeline.states()[order.id])] == ["CARRIED_BY_INVOICE"]
    assert pipeline.states()[part].status is Status.DONE
    assert (len(there(pipeline, part)), there(pipeline, order.id)) == (1, [])


def test_an_invoice_without_an_order_is_carried_as_ever() -> None:
    pipeline = pipeline_with(orders=0, invoices=20)
    pipeline.run()
    invoice = next(
        one
        for one in pipeline.landscape.data[0].invoices
        if one.header["status"] == "Open" and not one.header["orderNumber"] and one.id not in pipeline.parked()
    )
    assert there(pipeline, invoice.id) == [Decimal(str(invoice.header["totalAmountIncludingTax"]))]


def test_what_is_owed_in_servicenow_is_never_more_than_business_central_says() -> None:
    """All of the sample's orders and invoices, those of orders among them, polled in any order."""
    pipeline = Pipeline(data=some(orders=60, invoices=40)[:1], settings=PROFILE)
    pipeline.run(polls=2)
    rest(pipeline)
    store = pipeline.servicenow.tables
    numbers = {order.id: order.number for order in pipeline.landscape.data[0].orders}
    billed = {invoice.id: str(invoice.header["orderNumber"]) for invoice in pipeline.landscape.data[0].invoices}
    ids = [row["external_invoice_number"] for row in store.rows("sn_shop_invoice")]
    as_orders = {numbers[id_] for id_ in ids if id_ in numbers}
    as_invoices = {billed[id_] for id_ in ids if billed.get(id_)}
    assert as_orders
    assert as_orders & as_invoices == set()
    assert len(ids) == len(set(ids))
    assert any(state.status is Status.SUPERSEDED for state in pipeline.states().values())
