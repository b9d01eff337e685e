"""The main job in its daily life: quiet polls, edits, releases, one direction only, trails, tokens and secrets."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from connector.decisions.states import Status
from connector.storage.ports import Delete
from tests.flows.comparison import end_differences, rest_differences, target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import (
    BC_HOST,
    DE,
    INVOICES,
    LOGIN_HOST,
    SN_HOST,
    TOKEN,
    US,
    Pipeline,
    some,
)
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, RECEIPT

LINES = "sn_shop_purchase_order_line"
OPEN_ORDER, DRAFT_ORDER = "106002", "106008"


def carried() -> Pipeline:
    """A pipeline that has staged the first documents of both companies and found nothing amiss."""
    pipeline = Pipeline(data=some())
    pipeline.run()
    assert end_differences(pipeline, each="once") == []
    pipeline.clock.advance(60)
    return pipeline


# -- quiet polls and edits


def test_a_second_and_a_third_poll_write_nothing() -> None:
    pipeline = carried()
    requests, writes = len(pipeline.wire.to(SN_HOST)), pipeline.servicenow.writes()
    for _ in range(2):
        pipeline.run()
        pipeline.clock.advance(60)
    assert len(pipeline.wire.to(SN_HOST)) == requests
    assert pipeline.servicenow.writes() == writes
    assert end_differences(pipeline, each="once") == []


def test_a_new_process_with_the_same_storage_writes_nothing_either() -> None:
    pipeline = carried()
    writes = pipeline.servicenow.writes()
    restarted = Pipeline(
        landscape=pipeline.landscape, clock=pipeline.clock, tables=pipeline.tables, queues=pipeline.queues, seed=2
    )
    restarted.run(polls=2)
    assert restarted.writes() == 0
    assert restarted.servicenow.writes() == writes


def test_a_lost_cursor_reads_everything_again_and_writes_nothing() -> None:
    pipeline = carried()
    writes = pipeline.servicenow.writes()
    for row in pipeline.tables.rows("cursors"):
        pipeline.tables.write("cursors", row.partition, [Delete(row.row, row.etag)])
    pipeline.run()
    assert pipeline.servicenow.writes() == writes
    assert end_differences(pipeline, each="once") == []


def test_an_edited_quantity_is_staged_again_and_changes_exactly_one_line() -> None:
    pipeline = carried()
    id_ = pipeline.find(US, OPEN_ORDER)
    before = {row["sys_id"]: dict(row) for row in pipeline.servicenow.tables.rows(LINES)}
    old_total = pipeline.business_central.document(US, OPEN_ORDER).header["totalAmountExcludingTax"]
    requests, changes = len(pipeline.wire.requests), Counter(pipeline.servicenow.tables.updates)

    pipeline.business_central.edit_line(US, OPEN_ORDER, 10000, quantity=7)
    pipeline.run()

    order = pipeline.business_central.document(US, OPEN_ORDER)
    assert order.header["totalAmountExcludingTax"] != old_total
    assert Counter(pipeline.servicenow.tables.updates)[LINES] - changes[LINES] == 1
    assert (
        Counter(pipeline.servicenow.tables.updates)["sn_shop_purchase_order"] - changes["sn_shop_purchase_order"] == 1
    )
    after = {row["sys_id"]: dict(row) for row in pipeline.servicenow.tables.rows(LINES)}
    assert after.keys() == before.keys()
    (changed,) = [sys_id for sys_id in after if after[sys_id] != before[sys_id]]
    assert (after[changed]["erp_line_number"], after[changed]["purchased_quantity"]) == ("10000", "7")
    # The whole order was sent again, with the new amounts, and nothing else.
    assert pipeline.sent_rows(since=requests) == list(expectations(pipeline.landscape)[id_].rows)
    assert rest_differences(pipeline) == []
    assert [event.action for event in pipeline.trail(US, id_)][-2:] == ["intent", "staged"]
    assert json.loads(pipeline.trail(US, id_)[-1].detail)["results"]["updated"] == 2


def test_an_edited_invoice_is_staged_again_under_its_own_id() -> None:
    pipeline = carried()
    count = len(pipeline.servicenow.tables.rows("sn_shop_invoice"))
    pipeline.business_central.edit_line(US, "108000", 10000, entity=INVOICES, unitCost=1)
    pipeline.run()
    assert len(pipeline.servicenow.tables.rows("sn_shop_invoice")) == count
    assert rest_differences(pipeline) == []


def test_an_added_line_is_added_and_no_other_touched() -> None:
    pipeline = carried()
    last = pipeline.business_central.document(US, OPEN_ORDER).lines[-1]
    added = replace(last, values=last.values | {"id": "00000000-0000-4000-8000-000000000001", "sequence": 990000})
    inserts, updates = pipeline.servicenow.tables.inserts[LINES], pipeline.servicenow.tables.updates[LINES]
    pipeline.business_central.add_line(US, OPEN_ORDER, added)
    pipeline.run()
    assert pipeline.servicenow.tables.inserts[LINES] - inserts == 1
    assert pipeline.servicenow.tables.updates[LINES] == updates
    assert rest_differences(pipeline) == []


def test_an_edit_that_changes_nothing_mapped_is_unchanged_and_writes_nothing() -> None:
    pipeline = carried()
    id_ = pipeline.find(US, OPEN_ORDER)
    requests, writes = len(pipeline.wire.to(SN_HOST, method="POST")), pipeline.servicenow.writes()
    pipeline.business_central.edit_header(US, OPEN_ORDER, purchaser="XX")
    pipeline.run()
    assert pipeline.states()[id_].outcome == "unchanged"
    assert pipeline.states()[id_].status is Status.DONE
    assert len(pipeline.wire.to(SN_HOST, method="POST")) == requests
    assert pipeline.servicenow.writes() == writes
    assert pipeline.trail(US, id_)[-1].action == "unchanged"


def test_a_draft_is_staged_when_it_is_released_and_not_before() -> None:
    pipeline = carried()
    id_ = pipeline.find(US, DRAFT_ORDER)
    assert pipeline.states()[id_].status is Status.WAITING
    pipeline.business_central.edit_line(US, DRAFT_ORDER, 10000, quantity=9)
    pipeline.run()
    assert pipeline.states()[id_].status is Status.WAITING
    assert not any(row.document == ("order", "BC-US", DRAFT_ORDER) for row in pipeline.sent_rows())

    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, DRAFT_ORDER, status="Open")
    pipeline.run()
    assert pipeline.states()[id_].status is Status.DONE
    assert end_differences(pipeline, each="once") == []


def test_a_posted_draft_invoice_is_staged_under_its_id_with_its_new_number() -> None:
    pipeline = carried()
    draft = next(
        document
        for document in pipeline.landscape.data[0].invoices
        if document.header["status"] == "Draft" and not document.header["orderNumber"]
    )
    pipeline.business_central.edit_header(US, draft.number, entity=INVOICES, number="109999", status="Open")
    pipeline.run()
    (record,) = pipeline.servicenow.tables.find("sn_shop_invoice", {"external_invoice_number": draft.id})
    assert record["erp_number"] == "109999"
    assert end_differences(pipeline, each="once") == []


# -- one direction, and no more than that


def test_business_central_is_only_ever_read() -> None:
    pipeline = carried()
    pipeline.business_central.edit_line(US, OPEN_ORDER, 10000, quantity=7)
    pipeline.business_central.mark_dangling(DE, "106002")
    pipeline.run(polls=3)
    assert {sent.method for sent in pipeline.wire.to(BC_HOST)} == {"GET"}
    assert {(sent.method, sent.path.rpartition("/")[2]) for sent in pipeline.wire.to(LOGIN_HOST)} == {("POST", "token")}
    assert not any("accounts" in sent.path and sent.method != "GET" for sent in pipeline.wire.requests)


def test_servicenow_is_written_only_through_the_staging_tables_of_the_profile() -> None:
    pipeline = carried()
    assert {sent.path for sent in pipeline.wire.to(SN_HOST, method="POST")} == {TOKEN, "/api/now/v1/batch"}
    assert {sent.method for sent in pipeline.wire.to(SN_HOST)} == {"GET", "POST"}
    assert {row.table for row in pipeline.sent_rows()} == {ORDER, ORDER_LINE, INVOICE, INVOICE_LINE, RECEIPT}


def test_no_row_carries_a_state_an_approval_or_a_posting() -> None:
    pipeline = carried()
    names = {name for row in pipeline.sent_rows() for name in row.columns}
    assert not {name for name in names for word in ("state", "status", "approv", "post", "paid") if word in name}
    values = {value.casefold() for row in pipeline.sent_rows() for value in row.columns.values()}
    assert not values & {"approved", "posted", "paid", "pending_payment", "pending_approval"}
    assert {row["state"] for row in pipeline.servicenow.tables.rows("sn_shop_invoice")} == {"draft"}
    assert {row["status"] for row in pipeline.servicenow.tables.rows("sn_shop_purchase_order")} == {""}


# -- tokens and secrets


def test_each_system_is_asked_for_a_token_once_in_a_whole_run() -> None:
    pipeline = Pipeline()
    pipeline.run(polls=3)
    assert len(pipeline.wire.to(LOGIN_HOST)) == 1
    assert [sent.path for sent in pipeline.wire.to(SN_HOST)].count(TOKEN) == 1


def test_both_secrets_may_be_rotated_in_the_middle_of_a_run() -> None:
    settings = {"BC_CLIENT_SECRET_NEXT": "second-secret", "SN_CLIENT_SECRET_NEXT": "second-secret"}
    pipeline = Pipeline(data=some(), settings=settings)
    pipeline.poll()
    pipeline.business_central.tokens.secrets = ["second-secret"]
    pipeline.business_central.tokens.revoke()
    (client,) = pipeline.servicenow.tables.find("oauth_entity", {"client_id": "connector-client"})
    pipeline.servicenow.tables.update("oauth_entity", client["sys_id"], {"client_secret": "second-secret"})
    pipeline.servicenow.credentials.revoke_tokens()
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []
    assert not [event for event in pipeline.states().values() if event.attempt]
    # The old secret is not tried again: the next token comes with one request.
    asked = len(pipeline.wire.to(LOGIN_HOST))
    pipeline.business_central.tokens.revoke()
    pipeline.clock.advance(60)
    pipeline.run()
    assert len(pipeline.wire.to(LOGIN_HOST)) == asked + 1


def test_a_secret_that_ends_with_no_other_at_hand_parks_nothing_and_goes_on_once_it_is_replaced() -> None:
    pipeline = Pipeline(data=some())
    pipeline.poll()
    pipeline.business_central.tokens.secrets = []
    pipeline.business_central.tokens.expired_secrets = ["first-secret"]
    pipeline.business_central.tokens.revoke()
    pipeline.work()
    assert pipeline.parked() == {}
    assert pipeline.with_status(Status.PENDING) == set(pipeline.states())
    pipeline.business_central.tokens.secrets = ["first-secret"]
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []


def test_a_value_that_was_removed_in_bc_is_removed_in_servicenow_too() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if one.header["status"] == "Open" and one.lines[0].dimensions.get("DEPARTMENT")
    )
    pipeline.clock.advance(60)
    pipeline.business_central.set_dimension(US, order.number, "DEPARTMENT", "", sequence=10000)
    # BC does not stamp a line's dimension; a changed quantity of the same line brings it along.
    pipeline.business_central.edit_line(US, order.number, 10000, quantity=23)
    pipeline.run()
    (header,) = pipeline.servicenow.tables.find("sn_shop_purchase_order", {"erp_number": order.number})
    lines = pipeline.servicenow.tables.find("sn_shop_purchase_order_line", {"purchase_order": header["sys_id"]})
    (line,) = (line for line in lines if line["erp_line_number"] == "10000")
    assert (line["purchased_quantity"], line["cost_center"]) == ("23", "")
    assert target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables) == []


def test_a_text_that_servicenow_would_take_as_an_order_parks() -> None:
    pipeline = Pipeline(data=some(orders=6, invoices=0)[:1])
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    pipeline.business_central.edit_line(US, order.number, 10000, description="NULL")
    pipeline.run()
    assert pipeline.parked() == {order.id: {("WORD_RESERVED", "10000")}}
