"""Tracking: how far a record has come in ServiceNow is on record, whoever's it is and whatever comes between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from connector.decisions.states import Status
from connector.errors import StorageUnavailable
from connector.flows.overview import overview, trails
from connector.flows.track import check_tracking, tables, track
from connector.model.documents import Entity
from connector.storage.cursors import TABLE as CURSORS
from connector.storage.cursors import TRACKS, tracked_table
from connector.storage.ledger import Change
from connector.storage.ports import Operation
from tests.flows.pipeline import INVOICES, SN_HOST, US, Pipeline, some, where
from tests.flows.tracked import (
    INVOICE_TABLE,
    ORDER_TABLE,
    becomes,
    carried,
    detail,
    events,
    looks,
    own_profile,
    rewrites,
    staged,
    state,
    tick,
)
from tests.sandbox.business_central import Document
from tests.sandbox.clock import VirtualClock
from tests.sandbox.sample import companies
from tests.sandbox.servicenow.access import rule
from tests.sandbox.storage import MemoryTables
from tests.sandbox.wire import Fault

NOBODY = ("no_such_role",)
READER = ("sn_shop.procurement_common_reader",)
HTML = {"Content-Type": "text/html"}


def watermark(pipeline: Pipeline) -> object:
    return pipeline.parts.cursors.read(TRACKS, tracked_table(INVOICE_TABLE, "state"))[0].watermark


def test_a_changed_state_is_on_record_with_its_label_and_shown() -> None:
    pipeline = carried()
    invoice = staged(pipeline)[0]
    assert state(pipeline, invoice).there == "draft"
    becomes(pipeline, invoice, "pending_payment")
    tick(pipeline)
    after = state(pipeline, invoice)
    assert (after.there, after.there_label) == ("pending_payment", "Pending payment")
    assert after.status is Status.DONE
    said = detail(events(pipeline, invoice, "tracked")[-1])
    assert said["state"] == "pending_payment"
    assert said["updated"].startswith("20")
    assert pipeline.intact(US, invoice.id, entity=INVOICES)
    (us_invoices,) = [one for one in overview(pipeline.parts).entities if one.entity is Entity.PURCHASE_INVOICE]
    assert us_invoices.there == {"Pending payment": 1, "Draft": len(staged(pipeline)) - 1}
    assert trails(pipeline.parts, invoice.number)[0].state.there_label == "Pending payment"


def test_the_status_of_an_order_is_followed_as_well() -> None:
    pipeline = carried(orders=4, invoices=0)
    done = next(one for one in pipeline.states().values() if one.target == ORDER_TABLE)
    pipeline.servicenow.tables.update(ORDER_TABLE, done.sys_id, {"status": "20"})
    tick(pipeline)
    assert pipeline.states()[done.id].there == "20"


def test_what_has_not_changed_writes_nothing_and_costs_a_call_a_table() -> None:
    pipeline = carried(orders=4)
    assert rewrites(pipeline, lambda: tick(pipeline)) == 0
    sent = len(pipeline.wire.requests)
    tick(pipeline)
    assert looks(pipeline, sent) == len(pipeline.wire.to(SN_HOST, method="GET", since=sent)) == 2


def test_a_change_of_something_else_writes_nothing() -> None:
    pipeline = carried()
    pipeline.servicenow.tables.update(
        INVOICE_TABLE, state(pipeline, staged(pipeline)[0]).sys_id, {"due_date": "2027-01-01"}
    )
    assert rewrites(pipeline, lambda: tick(pipeline)) == 0


def test_records_of_others_are_passed_over() -> None:
    pipeline = carried()
    before = watermark(pipeline)
    pipeline.servicenow.tables.insert(INVOICE_TABLE, {"state": "approved"})
    assert rewrites(pipeline, lambda: tick(pipeline)) == 0
    assert watermark(pipeline) != before


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_small_pages_and_one_second_for_all_lose_nothing(limit: int) -> None:
    pipeline = carried(invoices=30, companies=2)
    changed = [*staged(pipeline), *staged(pipeline, 1)]
    for invoice in changed:
        becomes(pipeline, invoice, "approved")
    tick(pipeline, limit=limit)
    assert {state(pipeline, invoice).there for invoice in changed} == {"approved"}


def test_one_table_is_read_once_for_two_companies_invoices_and_credit_memos() -> None:
    pipeline = carried(invoices=8, companies=2)
    original = staged(pipeline)[0]
    sample = next(iter(companies()[0].history["purchaseCreditMemos"]))
    memo = Document(
        {**sample.header, "id": "00000000-0000-4000-8000-000000000900", "number": "109999", "status": "Open"}
        | {"invoiceNumber": original.number},
        list(sample.lines),
    )
    pipeline.business_central.add_document(US, memo, entity="purchaseCreditMemos")
    pipeline.run()
    assert pipeline.states()[memo.id].target == INVOICE_TABLE
    german = staged(pipeline, 1)[0]
    for one in (original, german, memo):
        becomes(pipeline, one, "approved")
    sent = len(pipeline.wire.requests)
    tick(pipeline)
    assert looks(pipeline, sent) == 2  # one for orders, one for all of these
    assert {pipeline.states()[one.id].there for one in (original, german, memo)} == {"approved"}


def test_a_document_that_a_worker_has_is_left_alone_and_looked_at_again_however_long_it_takes() -> None:
    pipeline = carried()
    busy, other = staged(pipeline)[:2]
    before = state(pipeline, busy)
    place = where(US, INVOICES)
    claimed = Change(before, replace(before, status=Status.CLAIMED, claim="somebody"))
    held = pipeline.parts.ledger.record(place, [claimed]).saved[busy.id]
    becomes(pipeline, busy, "approved")
    pipeline.clock.advance(1800)
    becomes(pipeline, other, "approved")
    for _ in range(10):
        pipeline.clock.advance(300)
        for table in tables(pipeline.parts):
            track(pipeline.parts, table, lambda: True)
    assert state(pipeline, other).there == "approved"
    assert state(pipeline, busy).there == "draft"
    # The worker's own write goes through as if nobody had looked.
    done = Change(held, replace(held, status=Status.DONE, claim=""), "unchanged")
    assert not pipeline.parts.ledger.record(place, [done]).lost
    tick(pipeline)
    assert state(pipeline, busy).there == "approved"


class Breaking(MemoryTables):
    """Storage that does not take the next write of the cursors, when told so."""

    broken = taken = False

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        position = [operation for operation in operations if operation.row == "track"]
        if self.broken and table == CURSORS and position and self.taken:
            self.broken = False
            raise StorageUnavailable("the account does not answer")
        self.taken = self.taken or (self.broken and bool(position))
        return super().write(table, partition, operations)


def test_a_crash_between_ledger_and_cursor_repeats_the_reading_and_writes_nothing_twice() -> None:
    clock = VirtualClock()
    storage = Breaking(clock)
    pipeline = carried(tables=storage, clock=clock)
    invoice = staged(pipeline)[0]
    before = watermark(pipeline)
    becomes(pipeline, invoice, "approved")
    pipeline.clock.advance(300)
    table = next(table for table in tables(pipeline.parts) if table.name == INVOICE_TABLE)
    storage.broken = True
    with pytest.raises(StorageUnavailable):
        track(pipeline.parts, table, lambda: True)
    assert state(pipeline, invoice).there == "approved"
    assert watermark(pipeline) == before
    tick(pipeline)
    assert watermark(pipeline) != before
    assert [detail(one)["state"] for one in events(pipeline, invoice, "tracked")] == ["draft", "approved"]


def test_a_run_without_time_goes_on_where_it_stopped() -> None:
    pipeline = carried(invoices=30)
    changed = staged(pipeline)
    for invoice in changed:
        becomes(pipeline, invoice, "approved")
    table = next(table for table in tables(pipeline.parts) if table.name == INVOICE_TABLE)
    runs = 0
    while any(state(pipeline, invoice).there != "approved" for invoice in changed):
        runs += 1
        assert runs < 100
        pipeline.clock.advance(300)
        track(pipeline.parts, table, lambda: False, 2)
    assert runs > 5


def test_a_record_that_is_committed_late_is_seen_within_the_overlap() -> None:
    pipeline = carried()
    late, other = staged(pipeline)[:2]
    began = pipeline.clock.now()
    pipeline.clock.advance(200)
    becomes(pipeline, other, "approved")
    tick(pipeline)
    stamp = began.strftime("%Y-%m-%d %H:%M:%S")
    record = pipeline.servicenow.tables.get(INVOICE_TABLE, state(pipeline, late).sys_id)
    assert record is not None
    becomes(pipeline, late, "approved")
    record["sys_updated_on"] = stamp  # the live row: committed now, stamped when its transaction wrote it
    tick(pipeline)
    assert state(pipeline, late).there == "approved"


def test_hidden_records_do_not_stop_the_others_and_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = carried(invoices=30)
    caplog.set_level("INFO")
    every = staged(pipeline)
    for invoice in every[:-1]:
        becomes(pipeline, invoice, "rejected")
        pipeline.clock.advance(1)
    becomes(pipeline, every[-1], "approved")
    pipeline.servicenow.access.add(rule(INVOICE_TABLE, ("read",), READER, condition="state!=rejected"))
    tick(pipeline, limit=3)
    assert state(pipeline, every[-1]).there == "approved"
    assert {state(pipeline, one).there for one in every[:-1]} == {"draft"}
    assert int(caplog.text.rpartition("hidden=")[2].split()[0]) >= len(every) - 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset_before", path=f"table/{INVOICE_TABLE}", times=None),
        Fault("answer", path=f"table/{INVOICE_TABLE}", status=503, headers=HTML, answer="down", times=None),
        Fault("answer", path=f"table/{INVOICE_TABLE}", status=200, headers=HTML, answer="log in", times=None),
    ],
)
def test_an_outage_is_postponed_and_nothing_is_passed(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = carried()
    invoice = staged(pipeline)[0]
    becomes(pipeline, invoice, "approved")
    pipeline.sn_exchange.faults = [fault]
    tick(pipeline)
    assert "track_postponed" in caplog.text
    pipeline.sn_exchange.faults = []
    pipeline.clock.advance(3600)
    tick(pipeline)
    assert state(pipeline, invoice).there == "approved"


def test_a_throttled_instance_is_left_alone_by_everybody() -> None:
    pipeline = carried()
    pipeline.parts.gate.close_for(900)
    sent = len(pipeline.wire.requests)
    tick(pipeline)
    assert looks(pipeline, sent) == 0


def test_check_says_that_both_tables_can_be_followed() -> None:
    pipeline = carried(orders=4)
    found = {(one.code, one.level, one.table) for one in check_tracking(pipeline.parts)}
    assert found == {("TRACKED", "ok", INVOICE_TABLE), ("TRACKED", "ok", ORDER_TABLE)}


def test_check_warns_when_a_table_is_hidden_and_says_that_edits_wait() -> None:
    pipeline = carried(orders=4)
    pipeline.servicenow.access.add(rule("sn_shop_*", ("read",), NOBODY))
    found = {one.table: one for one in check_tracking(pipeline.parts)}
    assert {one.level for one in found.values()} == {"warn"}
    assert "edits" in found[INVOICE_TABLE].what
    assert "edits" not in found[ORDER_TABLE].what
    assert found[INVOICE_TABLE].remedy


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('"approved", ', '"Approved", ', "FROZEN_NOT_A_CHOICE", "'Approved'"),
        ('state = "state"', 'state = "stat"', "TRACKING_UNREADABLE", "is state meant?"),
        ('table = "sn_shop_invoice"', 'table = "sn_shop_bill"', "TRACKING_UNREADABLE", "no such table"),
    ],
)
def test_check_finds_what_is_wrong_in_the_profile(old: str, new: str, code: str, said: str, tmp_path: object) -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=2)[:1], settings=own_profile(tmp_path, (old, new)))  # type: ignore[arg-type]
    pipeline.servicenow.tables.insert(INVOICE_TABLE, {"state": "draft"})
    found = [one for one in check_tracking(pipeline.parts) if one.level == "warn"]
    assert {one.code for one in found} == {code}
    assert said in found[0].what
