"""Frozen records: what is approved in ServiceNow is not changed from Business Central, and what is held back not forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import connector.commands.terminal as terminal
from connector.__main__ import cli
from connector.decisions.states import Status
from connector.flows.sweep import sweep_all
from connector.model.documents import Entity
from connector.model.units import Origin, Reference, Unit
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, reasons
from tests.flows.tracked import (
    INVOICE_TABLE,
    ORDER_TABLE,
    amount_here,
    amount_there,
    becomes,
    carried,
    detail,
    edit,
    events,
    long_one,
    looks,
    own_profile,
    sequences,
    staged,
    state,
    tick,
    when_frozen,
)
from tests.sandbox.business_central import Document
from tests.sandbox.servicenow.access import rule
from tests.sandbox.wire import Fault

NOBODY = ("no_such_role",)
READER = ("sn_shop.procurement_common_reader",)
HTML = {"Content-Type": "text/html"}


def sweep(pipeline: Pipeline) -> None:
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()


def outcome(pipeline: Pipeline, invoice: Document) -> tuple[Status, str]:
    found = state(pipeline, invoice)
    return found.status, found.outcome


def held(pipeline: Pipeline) -> tuple[Document, object]:
    """An approved invoice that was edited afterwards, and its amount in ServiceNow."""
    invoice = long_one(pipeline)
    becomes(pipeline, invoice, "approved")
    tick(pipeline)
    before = amount_there(pipeline, invoice)
    edit(pipeline, invoice, 77)
    return invoice, before


def test_an_edit_after_approval_is_drift_and_overwrites_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = carried()
    invoice, before = held(pipeline)
    assert outcome(pipeline, invoice) == (Status.DONE, "drifted")
    assert amount_there(pipeline, invoice) == before != amount_here(pipeline, invoice)
    assert "drifted company=us entity=purchaseInvoices" in caplog.text
    said = detail(events(pipeline, invoice, "drifted")[0])
    assert said["there"] == "Approved"
    assert said["amount there"].split()[0].rstrip("0") == str(before).rstrip("0")
    assert said["amount in BC"] != said["amount there"]
    assert said["payload"] != said["payload there"]
    assert said["lines"] == str(sequences(invoice)[0])
    assert "sn_spend_intg_imp_invoice_line.u_line_quantity" in said["columns"].split(", ")
    assert "sn_spend_intg_imp_invoice.u_amount_invoiced" in said["columns"].split(", ")
    assert pipeline.intact(US, invoice.id, entity=INVOICES)


def test_an_approval_between_poll_and_edit_counts() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    before = amount_there(pipeline, invoice)
    becomes(pipeline, invoice, "approved")
    assert state(pipeline, invoice).there == "draft"
    edit(pipeline, invoice, 77)
    assert outcome(pipeline, invoice) == (Status.DONE, "drifted")
    assert amount_there(pipeline, invoice) == before
    assert state(pipeline, invoice).there == "approved"


@pytest.mark.parametrize("value", ["pending_payment", "paid"])
def test_each_frozen_state_holds_back(value: str) -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    before = amount_there(pipeline, invoice)
    becomes(pipeline, invoice, value)
    edit(pipeline, invoice, 77)
    assert amount_there(pipeline, invoice) == before


def test_an_edit_before_approval_goes_through_with_one_look_up() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    becomes(pipeline, invoice, "pending_approval")
    sent = len(pipeline.wire.requests)
    edit(pipeline, invoice, 77)
    assert outcome(pipeline, invoice) == (Status.DONE, "staged")
    assert amount_there(pipeline, invoice) == amount_here(pipeline, invoice)
    assert looks(pipeline, sent) == 1


def test_drift_is_reported_once_however_often_it_is_met() -> None:
    pipeline = carried()
    invoice, before = held(pipeline)
    for _ in range(3):
        sweep(pipeline)
        tick(pipeline)
        pipeline.run()
    sent = len(pipeline.wire.requests)
    again = Unit(
        "us", Entity.PURCHASE_INVOICE, Origin.SWEEP, "c" * 32, (Reference(invoice.id, state(pipeline, invoice).seen),)
    )
    pipeline.queues.send(pipeline.settings.documents_queue, again.encode())
    pipeline.drain()
    assert looks(pipeline, sent) == 0
    assert len([one for one in events(pipeline, invoice, "drifted") if "payload" in detail(one)]) == 1
    assert amount_there(pipeline, invoice) == before


def test_a_second_edit_is_reported_anew_against_what_servicenow_has() -> None:
    pipeline = carried()
    invoice, _ = held(pipeline)
    edit(pipeline, invoice, 78)
    first, second = (detail(one) for one in events(pipeline, invoice, "drifted"))
    assert first["payload there"] == second["payload there"]
    assert first["payload"] != second["payload"]
    assert first["amount in BC"] != second["amount in BC"]


def test_an_edit_that_is_taken_back_ends_the_drift() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    quantity = next(row for row in invoice.lines if row.values["sequence"] == sequences(invoice)[0]).values["quantity"]
    becomes(pipeline, invoice, "approved")
    edit(pipeline, invoice, 77)
    pipeline.clock.advance(60)
    line = sequences(invoice)[0]
    pipeline.business_central.edit_line(US, invoice.number, line, entity=INVOICES, quantity=quantity)
    pipeline.run()
    assert outcome(pipeline, invoice) == (Status.DONE, "unchanged")
    assert state(pipeline, invoice).drift == ""


@pytest.mark.parametrize("value", ["draft", "rejected"])
def test_set_back_in_servicenow_the_newest_version_goes_out_by_itself(value: str) -> None:
    pipeline = carried()
    invoice, before = held(pipeline)
    becomes(pipeline, invoice, value)
    tick(pipeline)
    assert outcome(pipeline, invoice) == (Status.DONE, "staged")
    assert amount_there(pipeline, invoice) == amount_here(pipeline, invoice) != before
    assert state(pipeline, invoice).drift == ""
    assert detail(events(pipeline, invoice, "tracked")[-1])["then"]
    assert pipeline.intact(US, invoice.id, entity=INVOICES)


def test_from_one_frozen_state_to_the_next_nothing_is_sent() -> None:
    pipeline = carried()
    invoice, before = held(pipeline)
    becomes(pipeline, invoice, "paid")
    tick(pipeline)
    assert outcome(pipeline, invoice) == (Status.DONE, "drifted")
    assert state(pipeline, invoice).there == "paid"
    assert amount_there(pipeline, invoice) == before


def test_parking_is_a_choice_of_the_profile_and_ends_when_the_record_is_set_back(tmp_path: Path) -> None:
    pipeline = carried(settings=when_frozen(tmp_path, "park"))
    invoice, before = held(pipeline)
    assert outcome(pipeline, invoice) == (Status.PARKED, "parked")
    (reason,) = reasons(state(pipeline, invoice))
    assert reason["code"] == "FROZEN_IN_SERVICENOW"
    assert "Approved" in reason["message"]
    assert amount_there(pipeline, invoice) == before
    assert len(pipeline.poison()) == 1
    becomes(pipeline, invoice, "draft")
    tick(pipeline)
    assert outcome(pipeline, invoice) == (Status.DONE, "staged")
    assert amount_there(pipeline, invoice) == amount_here(pipeline, invoice)
    assert pipeline.poison() == []


def test_sending_is_a_choice_of_the_profile_and_costs_no_look_up(tmp_path: Path) -> None:
    pipeline = carried(settings=when_frozen(tmp_path, "send"))
    invoice = long_one(pipeline)
    becomes(pipeline, invoice, "approved")
    sent = len(pipeline.wire.requests)
    edit(pipeline, invoice, 77)
    assert amount_there(pipeline, invoice) == amount_here(pipeline, invoice)
    assert looks(pipeline, sent) == 0
    assert state(pipeline, invoice).imprint == ""


def test_new_and_unchanged_documents_are_not_looked_up() -> None:
    pipeline = Pipeline()
    pipeline.run()
    for invoice in staged(pipeline):
        reference = Reference(invoice.id, state(pipeline, invoice).seen)
        again = Unit("us", Entity.PURCHASE_INVOICE, Origin.SWEEP, "c" * 32, (reference,))
        pipeline.queues.send(pipeline.settings.documents_queue, again.encode())
    pipeline.drain()
    assert looks(pipeline, 0) == 0


def test_a_look_up_that_fails_sends_nothing_of_the_edits_and_holds_up_nothing_new() -> None:
    pipeline = carried(invoices=8)
    invoice = long_one(pipeline)
    before = amount_there(pipeline, invoice)
    fault = Fault("answer", path=f"table/{INVOICE_TABLE}", status=503, headers=HTML, answer="down", times=None)
    pipeline.sn_exchange.faults = [fault]
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, invoice.number, sequences(invoice)[0], entity=INVOICES, quantity=77)
    header = {**invoice.header, "id": "00000000-0000-4000-8000-000000000901", "number": "109901"}
    lines = [
        replace(line, values={**line.values, "id": f"00000000-0000-4000-8000-0000000009{place}"})
        for place, line in enumerate(invoice.lines, start=10)
    ]
    new = Document({**header, "vendorInvoiceNumber": "V-901"}, lines)
    pipeline.business_central.add_document(US, new, entity=INVOICES)
    pipeline.poll()
    pipeline.work()
    assert outcome(pipeline, new) == (Status.DONE, "staged")
    assert state(pipeline, invoice).status is Status.PENDING
    assert amount_there(pipeline, invoice) == before
    becomes(pipeline, invoice, "approved")
    pipeline.sn_exchange.faults = []
    pipeline.drain()
    assert outcome(pipeline, invoice) == (Status.DONE, "drifted")
    assert amount_there(pipeline, invoice) == before


def test_a_record_that_rules_hide_is_not_overwritten() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    before = amount_there(pipeline, invoice)
    becomes(pipeline, invoice, "approved")
    pipeline.servicenow.access.add(rule(INVOICE_TABLE, ("read",), READER, condition="state!=approved"))
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, invoice.number, sequences(invoice)[0], entity=INVOICES, quantity=77)
    pipeline.poll()
    pipeline.work()
    assert state(pipeline, invoice).status is Status.PENDING
    assert "hidden" in detail(events(pipeline, invoice, "rescheduled")[-1])["why"]
    assert amount_there(pipeline, invoice) == before


def test_a_record_that_is_not_there_any_more_parks_the_edit_and_a_replay_makes_it_anew() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    record = state(pipeline, invoice).sys_id
    pipeline.servicenow.tables.delete(INVOICE_TABLE, record)
    edit(pipeline, invoice, 77)
    assert pipeline.parked()[invoice.id] == {("RECORD_NOT_FOUND", "")}
    parked = state(pipeline, invoice)
    replay = Unit(
        "us", Entity.PURCHASE_INVOICE, Origin.REPLAY, "c" * 32, (Reference(invoice.id, parked.seen, parked.generation),)
    )
    pipeline.queues.send(pipeline.settings.documents_queue, replay.encode())
    pipeline.drain()
    assert outcome(pipeline, invoice) == (Status.DONE, "staged")
    assert state(pipeline, invoice).sys_id != record
    assert amount_there(pipeline, invoice) == amount_here(pipeline, invoice)


def test_a_removed_line_of_a_frozen_invoice_is_drift_too() -> None:
    pipeline = carried()
    invoice = long_one(pipeline)
    before = amount_there(pipeline, invoice)
    becomes(pipeline, invoice, "approved")
    pipeline.clock.advance(60)
    pipeline.business_central.remove_line(US, invoice.number, sequences(invoice)[-1], entity=INVOICES)
    pipeline.run()
    assert outcome(pipeline, invoice) == (Status.DONE, "drifted")
    assert detail(events(pipeline, invoice, "drifted")[0])["lines removed"] == str(sequences(invoice)[-1])
    assert amount_there(pipeline, invoice) == before


def test_a_cancellation_of_a_frozen_order_is_held_back_and_goes_out_when_it_is_set_back(tmp_path: Path) -> None:
    settings = own_profile(tmp_path, ("frozen = []", 'frozen = ["20"]'))
    pipeline = carried(orders=12, invoices=0, settings=settings)
    states = pipeline.states()
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if states[one.id].status is Status.DONE and not any(line.values["receivedQuantity"] for line in one.lines)
    )
    sys_id = states[order.id].sys_id
    pipeline.servicenow.tables.update(ORDER_TABLE, sys_id, {"status": "20"})
    pipeline.business_central.delete(US, ORDERS, order.number)
    for _ in range(3):
        sweep(pipeline)
    record = pipeline.servicenow.tables.get(ORDER_TABLE, sys_id)
    assert record is not None
    assert record["state"] != "93"
    assert pipeline.states()[order.id].outcome == "drifted"
    drifts = [one for one in pipeline.trail(US, order.id) if one.action == "drifted"]
    assert [json.loads(one.detail)["in BC"] for one in drifts] == ["deleted"]
    pipeline.servicenow.tables.update(ORDER_TABLE, sys_id, {"status": "1"})
    tick(pipeline)
    assert pipeline.states()[order.id].status is Status.CLOSED
    record = pipeline.servicenow.tables.get(ORDER_TABLE, sys_id)
    assert record is not None
    assert record["state"] == "93"


def test_status_and_trail_show_states_and_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = carried()
    invoice, _ = held(pipeline)
    monkeypatch.setattr(terminal, "Application", lambda _environment: pipeline)
    monkeypatch.setenv("COLUMNS", "250")
    status = CliRunner().invoke(cli, ["status"]).output
    assert f"in ServiceNow, us purchaseInvoices: {len(staged(pipeline)) - 1} x Draft, 1 x Approved" in status
    assert "drifted, us purchaseInvoices: 1 changed in BC" in status
    trail = CliRunner().invoke(cli, ["trail", invoice.number]).output
    assert "in ServiceNow: Approved; it was changed in BC since, and that was not sent" in trail
    assert f"lines: {sequences(invoice)[0]}" in trail
