"""The same invoice entered twice is staged once: a vendor's number counts, whatever number BC gave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from connector.storage.ledger import Change
from connector.storage.ledger_rows import State
from tests.flows.pipeline import INVOICES, US, Pipeline, reasons, some, where
from tests.sandbox.business_central import Document

FIRST, SECOND = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
TWICE = "VENDOR_INVOICE_TWICE"


def empty() -> Pipeline:
    return Pipeline(data=some(orders=0, invoices=0, posted=False)[:1])


def invoice(id_: str, number: str, vendor_number: str = "INV-77", vendor: str = "10000") -> Document:
    """A posted invoice without an order, by its own numbers."""
    data = some(orders=0, invoices=60, posted=False)[0]
    model = next(
        one
        for one in data.invoices
        if one.header["status"] == "Open" and not one.header["orderNumber"] and one.header["vendorNumber"] == vendor
    )
    lines = [
        replace(line, values=line.values | {"id": f"{id_[-1]}0000000{id_[8:-2]}{index:02x}"})
        for index, line in enumerate(model.lines)
    ]
    header = model.header | {"id": id_, "number": number, "vendorInvoiceNumber": vendor_number}
    return Document(header, lines, dict(model.dimensions))


def add(pipeline: Pipeline, *invoices: Document) -> None:
    pipeline.clock.advance(60)
    for one in invoices:
        pipeline.business_central.add_document(US, one, entity=INVOICES)
    pipeline.run()


def fates(pipeline: Pipeline) -> dict[str, tuple[Status, list[str]]]:
    return {id_: (state.status, [each["code"] for each in reasons(state)]) for id_, state in pipeline.states().items()}


def records(pipeline: Pipeline) -> list[str]:
    return sorted(row["external_invoice_number"] for row in pipeline.servicenow.tables.rows("sn_shop_invoice"))


def rescue(pipeline: Pipeline) -> None:
    pipeline.clock.advance(300)
    rescue_all(pipeline.parts)
    pipeline.drain()


@pytest.mark.parametrize("together", [True, False])
def test_of_two_invoices_with_one_vendors_number_one_is_staged(together: bool) -> None:
    pipeline = empty()
    pair = [invoice(FIRST, "108901"), invoice(SECOND, "108902")]
    for batch in [pair] if together else [[one] for one in pair]:
        add(pipeline, *batch)
    assert fates(pipeline) == {FIRST: (Status.DONE, []), SECOND: (Status.PARKED, [TWICE])}
    assert records(pipeline) == [FIRST]
    (reason,) = reasons(pipeline.states()[SECOND])
    assert "108901" in reason["message"]
    assert "INV-77" in reason["message"]


def test_the_second_goes_on_by_itself_when_the_first_is_cancelled_in_bc() -> None:
    pipeline = empty()
    add(pipeline, invoice(FIRST, "108901"), invoice(SECOND, "108902"))
    rescue(pipeline)
    assert fates(pipeline)[SECOND] == (Status.PARKED, [TWICE])
    pipeline.business_central.edit_header(US, FIRST, entity=INVOICES, status="Canceled")
    pipeline.run()
    rescue(pipeline)
    assert fates(pipeline) == {FIRST: (Status.WAITING, []), SECOND: (Status.DONE, [])}


def test_a_mistyped_number_that_was_corrected_leaves_the_right_one_free() -> None:
    pipeline = empty()
    add(pipeline, invoice(FIRST, "108901", "INV-77"))
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, FIRST, entity=INVOICES, vendorInvoiceNumber="INV-78")
    pipeline.run()
    add(pipeline, invoice(SECOND, "108902", "INV-77"))
    assert fates(pipeline) == {FIRST: (Status.DONE, []), SECOND: (Status.DONE, [])}


def test_an_edit_into_a_number_that_another_one_has_is_parked_and_what_servicenow_has_stays() -> None:
    pipeline = empty()
    add(pipeline, invoice(FIRST, "108901", "INV-77"))
    add(pipeline, invoice(SECOND, "108902", "INV-78"))
    pipeline.clock.advance(60)
    writes = pipeline.writes()
    pipeline.business_central.edit_header(US, FIRST, entity=INVOICES, vendorInvoiceNumber="INV-78")
    pipeline.run()
    assert fates(pipeline) == {FIRST: (Status.PARKED, [TWICE]), SECOND: (Status.DONE, [])}
    assert pipeline.writes() == writes


def test_other_vendors_may_use_the_same_number_and_no_number_is_no_twin() -> None:
    pipeline = empty()
    other = "00000000-0000-0000-0000-00000000000c"
    last = "00000000-0000-0000-0000-00000000000d"
    add(
        pipeline,
        invoice(FIRST, "108901"),
        invoice(SECOND, "108902", vendor="20000"),
        invoice(other, "108903", ""),
        invoice(last, "108904", ""),
    )
    assert {status for status, _ in fates(pipeline).values()} == {Status.DONE}


def test_one_that_another_worker_has_in_hand_is_waited_for() -> None:
    pipeline = empty()
    first, second = invoice(FIRST, "108901"), invoice(SECOND, "108902")
    in_hand = State(id=FIRST, status=Status.CLAIMED, claim="somebody")
    pipeline.parts.ledger.record(where(US, INVOICES), [Change(None, in_hand, "seen", index=("INV-77",))])
    pipeline.business_central.add_document(US, second, entity=INVOICES)
    pipeline.poll()
    pipeline.work()
    assert fates(pipeline)[SECOND][0] is Status.PENDING
    assert records(pipeline) == []
    # That worker died without having staged anything; its claim ends, and both go their way.
    pipeline.business_central.add_document(US, first, entity=INVOICES)
    for _ in range(5):
        pipeline.clock.advance(900)
        rescue(pipeline)
        pipeline.run()
    assert len(records(pipeline)) == 1
    assert sorted(fates(pipeline).values()) == [(Status.DONE, []), (Status.PARKED, [TWICE])]


def test_a_paid_invoice_still_stands_for_its_debt() -> None:
    pipeline = empty()
    add(pipeline, invoice(FIRST, "108901"))
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, FIRST, entity=INVOICES, status="Paid")
    add(pipeline, invoice(SECOND, "108902"))
    rescue(pipeline)
    assert fates(pipeline) == {FIRST: (Status.WAITING, []), SECOND: (Status.PARKED, [TWICE])}
    assert records(pipeline) == [FIRST]


def test_the_second_goes_on_by_itself_when_the_firsts_number_is_corrected() -> None:
    pipeline = empty()
    add(pipeline, invoice(FIRST, "108901"), invoice(SECOND, "108902"))
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, FIRST, entity=INVOICES, vendorInvoiceNumber="INV-78")
    pipeline.run()
    rescue(pipeline)
    assert fates(pipeline) == {FIRST: (Status.DONE, []), SECOND: (Status.DONE, [])}
