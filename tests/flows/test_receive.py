"""Receive: from an edit in Business Central over its notification to ServiceNow, without a poll."""

from __future__ import annotations

import json
import logging
import random
from datetime import timedelta
from urllib.parse import unquote_plus

import httpx
import pytest

from connector.decisions.states import Status
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope
from connector.model.units import Unit
from tests.benchmarks.reference import reference_company
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import DE, INVOICES, ORDERS, US, WEBHOOKS_ON, Pipeline, some
from tests.flows.subscribed import (
    notification,
    polls_waiting,
    references_waiting,
    subscribe,
    waiting,
    webhook_address,
)
from tests.sandbox.business_central import Document
from tests.sandbox.business_central.post import Mishap

SELDOM = {"POLL_SECONDS": json.dumps(dict.fromkeys(Feed, 3600))}


def carried(*, companies: int = 1, **settings: str) -> Pipeline:
    """A connector that has carried everything once and is subscribed to orders and invoices since."""
    data = some(orders=12, invoices=8)[:companies]
    pipeline = Pipeline(data=data, settings=WEBHOOKS_ON | SELDOM | settings)
    pipeline.run()
    for company in data:
        subscribe(pipeline, Feed.ORDERS, Feed.INVOICES, company=company.name)
    pipeline.clock.advance(60)
    return pipeline


def staged(pipeline: Pipeline, company: int = 0) -> list[Document]:
    """The orders that are in ServiceNow."""
    states = pipeline.states()
    return [one for one in pipeline.landscape.data[company].orders if states[one.id].status is Status.DONE]


def edit(pipeline: Pipeline, order: Document, quantity: int = 17) -> None:
    pipeline.business_central.edit_line(US, order.number, 10000, quantity=quantity)


def differences(pipeline: Pipeline) -> list[str]:
    return target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables)


def reads(pipeline: Pipeline, *, since: int = 0) -> list[str]:
    """What was asked of Business Central, by the set it was asked of and the start of its filter."""
    paths = [unquote_plus(one.path.decode()) for one in pipeline.bc_exchange.recent()[since:] if one.method == "GET"]
    return [path.rpartition("/")[2][:40] for path in paths]


# -- one document


def test_an_edit_is_in_servicenow_half_a_minute_later_without_a_poll() -> None:
    pipeline = carried()
    order, begun, before = staged(pipeline)[0], pipeline.clock.now(), len(pipeline.bc_exchange.recent())
    edit(pipeline, order)
    assert differences(pipeline) != []
    assert pipeline.notify() == 1
    pipeline.work()
    assert differences(pipeline) == []
    assert pipeline.clock.now() - begun == timedelta(seconds=30)
    (read,) = reads(pipeline, since=before)
    assert read.startswith("purchaseOrders?$filter=id eq ")


def test_a_document_that_no_poll_has_seen_is_carried() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=8)[:1], settings=WEBHOOKS_ON | SELDOM)
    subscribe(pipeline, Feed.ORDERS)
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    edit(pipeline, order)
    pipeline.notify()
    pipeline.work()
    assert {id_: state.outcome for id_, state in pipeline.states().items()} == {order.id: "staged"}
    assert pipeline.trail(US, order.id)[0].action == "seen"
    written = pipeline.writes()
    pipeline.run()
    assert differences(pipeline) == []
    assert pipeline.writes() > written, "the poll brings the others"
    assert [event.action for event in pipeline.trail(US, order.id)].count("intent") == 1


def test_a_deleted_order_is_closed() -> None:
    pipeline = carried()
    order = staged(pipeline)[0]
    pipeline.business_central.delete(US, ORDERS, order.number)
    pipeline.notify()
    pipeline.work()
    state = pipeline.states()[order.id]
    assert state.status is Status.CLOSED
    assert pipeline.intact(US, order.id)


def test_a_version_that_the_poll_carried_already_is_neither_read_nor_written_again() -> None:
    pipeline = carried(POLL_SECONDS=json.dumps(dict.fromkeys(Feed, 0)))
    order = staged(pipeline)[0]
    edit(pipeline, order)
    pipeline.run()
    read, written = pipeline.bc_exchange.counts["GET"], pipeline.writes()
    pipeline.notify()
    assert references_waiting(pipeline) == [order.id]
    pipeline.work()
    assert (pipeline.bc_exchange.counts["GET"], pipeline.writes()) == (read, written)
    assert differences(pipeline) == []


def test_a_stamp_later_than_the_documents_own_is_carried_at_once_and_read_once() -> None:
    pipeline = carried()
    notifications = pipeline.business_central.webhooks.notifications
    notifications.clock_gap = timedelta(seconds=1.5)
    pipeline.business_central.webhooks.post.mishaps = [Mishap("duplicate")]
    order, read = staged(pipeline)[0], pipeline.bc_exchange.counts["GET"]
    edit(pipeline, order)
    pipeline.notify()
    assert references_waiting(pipeline) == [order.id] * 2
    pipeline.work()
    assert waiting(pipeline) == [], "nothing was put off"
    assert differences(pipeline) == []
    assert pipeline.bc_exchange.counts["GET"] - read == 1
    stamp = pipeline.business_central.document(US, order.number).header["lastModifiedDateTime"]
    assert pipeline.states()[order.id].noticed - timedelta(seconds=1.5) == stamp


# -- many documents


def test_a_collection_is_polled_and_everything_in_it_carried() -> None:
    pipeline = carried()
    pipeline.business_central.webhooks.notifications.threshold = 3
    orders, before = staged(pipeline)[:5], len(pipeline.bc_exchange.recent())
    for order in orders:
        edit(pipeline, order)
    pipeline.notify()
    assert (polls_waiting(pipeline), references_waiting(pipeline)) == ([Feed.ORDERS], [])
    pipeline.drain()
    assert differences(pipeline) == []
    listed, read = reads(pipeline, since=before)
    assert listed.startswith("purchaseOrders?$filter=lastModifiedDateT")
    assert read.startswith("purchaseOrders?$filter=id eq ")


def test_a_vendor_is_polled_for_because_documents_may_wait_for_it() -> None:
    pipeline = carried()
    subscribe(pipeline, Feed.VENDORS)
    vendor = str(pipeline.landscape.data[0].tables["vendors"][0]["number"])
    pipeline.business_central.edit_header(US, vendor, entity="vendors", displayName="Another name")
    pipeline.notify()
    assert (polls_waiting(pipeline), references_waiting(pipeline)) == ([Feed.VENDORS], [])


def test_a_body_about_two_companies_and_two_feeds_is_kept_apart() -> None:
    pipeline = carried(companies=2)
    pipeline.business_central.webhooks.notifications.one_company_each = False
    invoice = pipeline.landscape.data[0].invoices[0]
    us, de = staged(pipeline)[0], staged(pipeline, company=1)[0]
    edit(pipeline, us)
    pipeline.business_central.edit_header(US, invoice.number, entity=INVOICES, vendorInvoiceNumber="CHANGED-1")
    pipeline.business_central.edit_line(DE, de.number, 10000, quantity=17)
    assert pipeline.notify() == 1
    units = [one for one in waiting(pipeline) if isinstance(one, Unit)]
    assert {(unit.company, unit.entity.value): [one.id for one in unit.references] for unit in units} == {
        ("us", ORDERS): [us.id],
        ("us", INVOICES): [invoice.id],
        ("de", ORDERS): [de.id],
    }
    assert len({unit.correlation for unit in units}) == 1
    pipeline.work()
    assert differences(pipeline) == []


def test_a_storm_of_a_thousand_orders_ten_times_each_is_six_reads_at_most() -> None:
    pipeline = Pipeline(data=[reference_company(1001)], settings=WEBHOOKS_ON | SELDOM)
    subscribe(pipeline, Feed.ORDERS)
    first, *orders = pipeline.landscape.data[0].orders
    # The codes of locations and payment terms are read once an hour, for whatever comes first.
    edit(pipeline, first)
    pipeline.notify()
    pipeline.work()
    read = pipeline.bc_exchange.counts["GET"]
    pipeline.clock.advance(60)
    for order in orders:
        edit(pipeline, order)
    assert pipeline.notify() == 1
    entries = json.loads(pipeline.business_central.webhooks.post.sent[-1].request.content)["value"]
    assert len(entries) == len(orders)
    for turn in range(9):
        random.Random(turn).shuffle(entries)
        for start in range(0, len(entries), 400):
            pipeline.business_central.webhooks.post.forge(webhook_address(pipeline), entries[start : start + 400])
    pipeline.drain()
    assert pipeline.bc_exchange.counts["GET"] - read <= 6
    assert {state.outcome for state in pipeline.states().values()} == {"staged"}
    assert len(pipeline.states()) == 1001


# -- what is put on record


def test_each_scope_that_is_heard_from_is_noticed_with_its_longest_lag() -> None:
    pipeline = carried()
    edit(pipeline, staged(pipeline)[0])
    pipeline.clock.advance(5)
    edit(pipeline, staged(pipeline)[1])
    pipeline.notify()
    notices = pipeline.parts.registry.read().notices
    assert {scope: notice.lag for scope, notice in notices.items()} == {Scope("us", Feed.ORDERS): 30.0}
    assert notices[Scope("us", Feed.ORDERS)].arrived == pipeline.clock.now()


def test_a_scope_is_noticed_once_in_half_a_minute_and_another_at_once() -> None:
    pipeline = carried()
    post, address = pipeline.business_central.webhooks.post, webhook_address(pipeline)
    order, invoice = Scope("us", Feed.ORDERS), Scope("us", Feed.INVOICES)
    start = pipeline.clock.now()
    id_ = staged(pipeline)[0].id

    def arrived() -> dict[Scope, float]:
        notices = pipeline.parts.registry.read().notices
        return {scope: (notice.arrived - start).total_seconds() for scope, notice in notices.items()}

    post.forge(address, [notification(pipeline, Feed.ORDERS, id_)])
    pipeline.clock.advance(29)
    post.forge(address, [notification(pipeline, Feed.ORDERS, id_), notification(pipeline, Feed.INVOICES, id_)])
    assert arrived() == {order: 0.0, invoice: 29.0}
    pipeline.clock.advance(1)
    post.forge(address, [notification(pipeline, Feed.ORDERS, id_)])
    assert arrived() == {order: 30.0, invoice: 29.0}


def test_a_forged_notification_is_no_sign_of_life() -> None:
    pipeline = carried()
    forged = notification(pipeline, Feed.ORDERS, staged(pipeline)[0].id, clientState="guess")
    pipeline.business_central.webhooks.post.forge(webhook_address(pipeline), [forged])
    assert pipeline.parts.registry.read().notices == {}


def test_a_stamp_ahead_of_our_clock_is_no_lag() -> None:
    pipeline = carried()
    ahead = f"{pipeline.clock.now() + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    entry = notification(pipeline, Feed.ORDERS, staged(pipeline)[0].id, lastModifiedDateTime=ahead)
    pipeline.business_central.webhooks.post.forge(webhook_address(pipeline), [entry])
    assert pipeline.parts.registry.read().notices[Scope("us", Feed.ORDERS)].lag == 0.0


def test_a_timer_that_stands_still_is_noticed_and_a_poll_asked_for() -> None:
    pipeline = carried(POLL_SECONDS=json.dumps(dict.fromkeys(Feed, 15)))
    pipeline.run()
    told, untold = staged(pipeline)[:2]
    edit(pipeline, untold)
    pipeline.business_central.webhooks.post.mishaps = [Mishap("lose")]
    pipeline.notify()
    assert waiting(pipeline) == []
    edit(pipeline, told)
    pipeline.notify()
    assert (polls_waiting(pipeline), references_waiting(pipeline)) == ([Feed.ORDERS], [told.id])
    pipeline.drain()
    assert differences(pipeline) == []


def test_the_log_tells_what_was_taken_and_what_was_dropped(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = carried()
    caplog.set_level(logging.INFO, "connector")
    good = [notification(pipeline, Feed.ORDERS, one.id) for one in staged(pipeline)[:3]]
    bad = [
        notification(pipeline, Feed.VENDORS),
        notification(pipeline, Feed.ORDERS, clientState="guess"),
        notification(pipeline, Feed.ORDERS, resource="/api/v2.0/companies"),
        {"resource": f"companies({pipeline.landscape.data[0].id})/items"},
    ]
    pipeline.business_central.webhooks.post.forge(webhook_address(pipeline), good + bad + bad[1:2])
    (text,) = [one.getMessage() for one in caplog.records if one.getMessage().startswith("notified")]
    assert text.partition("count=")[2] == "3 polls=1 forged=2 unknown=1 malformed=1 outcome=all"


def test_a_call_to_an_unknown_address_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = carried()
    caplog.set_level(logging.INFO, "connector")
    answer = pipeline.webhook(httpx.Request("POST", "https://connector.example/api/bc/guess", content=b"{}"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert caplog.messages == ["notified outcome=unknown address"]
