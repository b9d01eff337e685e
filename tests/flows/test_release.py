"""Release: what was parked for a length or a missing translation goes on by itself once these have changed, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, some
from tests.sandbox.sample import TRANSLATIONS

LINE, COLUMN = "sn_fcms_intg_imp_order_line", "u_short_description"
INVOICE_LINE, INVOICE_COLUMN = "sn_spend_intg_imp_invoice_line", "u_line_description"


def lengthen(pipeline: Pipeline, length: int, name: str = LINE, column: str = COLUMN) -> None:
    store = pipeline.servicenow.tables
    table = store.schema.table(name)
    columns = tuple(replace(one, max_length=length) if one.name == column else one for one in table.columns)
    store.define(replace(table, columns=columns))
    pipeline.clock.advance(3600)  # the last look at the instance is older than it may be


def rescue(pipeline: Pipeline) -> None:
    pipeline.clock.advance(60)
    rescue_all(pipeline.parts)
    pipeline.drain()


def steps(pipeline: Pipeline, id_: str) -> list[str]:
    return [event.action for event in pipeline.trail(US, id_)]


def test_a_widened_column_lets_go_on_what_was_too_long_for_it_and_nothing_is_cut() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    lengthen(pipeline, 10)
    pipeline.run()
    parked = {id_ for id_, reasons in pipeline.parked().items() if {code for code, _ in reasons} == {"TEXT_TOO_LONG"}}
    assert len(parked) > 3
    before = {id_: steps(pipeline, id_) for id_ in parked}
    for _ in range(5):
        rescue(pipeline)
    assert {id_: steps(pipeline, id_) for id_ in parked} == before, "nothing has changed, so nothing is tried"
    lengthen(pipeline, 100)
    rescue(pipeline)
    assert not parked & pipeline.parked().keys()
    assert parked <= pipeline.with_status(Status.DONE)
    for id_ in parked:
        assert steps(pipeline, id_).count("replayed") == 1
        order = pipeline.business_central.document(US, id_, entity=ORDERS)
        (record,) = pipeline.servicenow.tables.find("sn_shop_purchase_order", {"erp_number": order.number})
        lines = pipeline.servicenow.tables.find("sn_shop_purchase_order_line", {"purchase_order": record["sys_id"]})
        texts = {line.values["description"] for line in order.lines if line.values["lineType"] != "Comment"}
        assert {line["short_description"] for line in lines} == texts


def test_a_column_that_is_still_too_short_parks_again_and_is_not_tried_for_ever() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    lengthen(pipeline, 5)
    pipeline.run()
    parked = set(pipeline.parked())
    lengthen(pipeline, 6)
    for _ in range(4):
        rescue(pipeline)
    assert set(pipeline.parked()) == parked
    assert all(steps(pipeline, id_).count("replayed") <= 1 for id_ in parked)
    assert sorted(note["parked"] for note in pipeline.poison()) == sorted(parked)


def test_going_on_by_itself_is_nobodys_decision_to_make_a_record_anew_that_is_gone() -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=8, posted=False)[:1])
    pipeline.run()
    invoice = next(id_ for id_, state in pipeline.states().items() if state.sys_id)
    store = pipeline.servicenow.tables
    store.delete("sn_shop_invoice", pipeline.states()[invoice].sys_id)
    lengthen(pipeline, 3, INVOICE_LINE, INVOICE_COLUMN)
    pipeline.business_central.edit_header(
        US, invoice, entity=INVOICES, dueDate=date(2027, 1, 1), invoiceDate=date(2026, 1, 2)
    )
    pipeline.run()
    assert {code for code, _ in pipeline.parked()[invoice]} == {"TEXT_TOO_LONG"}
    lengthen(pipeline, 40, INVOICE_LINE, INVOICE_COLUMN)
    rescue(pipeline)
    assert {code for code, _ in pipeline.parked()[invoice]} == {"RECORD_NOT_FOUND"}
    assert store.find("sn_shop_invoice", {"external_invoice_number": invoice}) == []


def test_an_entry_that_was_missing_lets_its_documents_go_on_after_the_restart(tmp_path: Path) -> None:
    pipeline = Pipeline()
    pipeline.run()
    waiting = {id_ for id_, reasons in pipeline.parked().items() if ("PAYMENT_TERM_NOT_TRANSLATED", "") in reasons}
    assert len(waiting) == 2
    completed = tmp_path / "translations.toml"
    entry = '[payment_terms]\n"21 DAYS" = "Net 30"'
    completed.write_text(TRANSLATIONS.read_text("utf-8").replace("[payment_terms]", entry, 1), "utf-8")
    after = Pipeline(
        clock=pipeline.clock,
        landscape=pipeline.landscape,
        tables=pipeline.tables,
        queues=pipeline.queues,
        settings={"TRANSLATIONS": str(completed)},
    )
    rescue(after)
    assert waiting <= after.with_status(Status.DONE)
    assert waiting.isdisjoint(after.parked())
