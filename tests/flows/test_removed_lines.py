"""Lines removed in Business Central leave no ghosts in ServiceNow."""

from __future__ import annotations

from decimal import Decimal

from connector.decisions.states import Status
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import US, Pipeline, some
from tests.sandbox.business_central import Document
from tests.sandbox.wire import Fault


def carried() -> tuple[Pipeline, Document]:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    states = pipeline.states()
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if states[one.id].status is Status.DONE and len([row for row in one.lines if _staged(row.values)]) >= 3
    )
    pipeline.clock.advance(60)
    return pipeline, order


def _staged(values: object) -> bool:
    return isinstance(values, dict) and values["lineType"] != "Comment" and bool(values["netAmount"])


def lines(pipeline: Pipeline, order: Document) -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and amount of each of the order's lines in ServiceNow, by line number."""
    store = pipeline.servicenow.tables
    (header,) = store.find("sn_shop_purchase_order", {"erp_number": order.number})
    return {
        row["erp_line_number"]: (Decimal(row["purchased_quantity"]), Decimal(row["total_line_amount"]))
        for row in store.find("sn_shop_purchase_order_line", {"purchase_order": header["sys_id"]})
    }


def assert_equal(pipeline: Pipeline) -> None:
    assert target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables) == []


def test_a_removed_line_is_taken_back_and_said_once() -> None:
    pipeline, order = carried()
    removed = next(str(row.values["sequence"]) for row in order.lines if _staged(row.values))
    assert any(lines(pipeline, order)[removed])
    pipeline.business_central.remove_line(US, order.number, int(removed))
    pipeline.run()
    assert lines(pipeline, order)[removed] == (0, 0)
    assert_equal(pipeline)
    sent = len(pipeline.wire.requests)
    pipeline.clock.advance(60)
    left = next(
        str(row.values["sequence"])
        for row in order.lines
        if _staged(row.values) and str(row.values["sequence"]) != removed
    )
    pipeline.business_central.edit_line(US, order.number, int(left), quantity=77)
    pipeline.run()
    assert removed not in {row.line for row in pipeline.sent_rows(since=sent)}
    assert_equal(pipeline)


def test_a_line_that_comes_back_under_its_number_is_staged_again() -> None:
    pipeline, order = carried()
    line = next(row for row in order.lines if _staged(row.values))
    sequence = int(str(line.values["sequence"]))
    kept = next(
        row for row in pipeline.business_central.document(US, order.number).lines if row.values["sequence"] == sequence
    )
    pipeline.business_central.remove_line(US, order.number, sequence)
    pipeline.run()
    pipeline.clock.advance(60)
    pipeline.business_central.add_line(US, order.number, kept)
    pipeline.run()
    assert any(lines(pipeline, order)[str(sequence)])
    assert_equal(pipeline)


def test_a_removal_survives_a_lost_answer() -> None:
    pipeline, order = carried()
    removed = next(int(str(row.values["sequence"])) for row in order.lines if _staged(row.values))
    pipeline.business_central.remove_line(US, order.number, removed)
    pipeline.sn_exchange.faults = [Fault("reset_before", path="/api/now/v1/batch", times=2)]
    pipeline.run()
    assert lines(pipeline, order)[str(removed)] == (0, 0)
    assert_equal(pipeline)
