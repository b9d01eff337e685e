"""Polling: in virtual time, with the real flows, every change is found, whatever BC, the timers and the clocks do."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.business_central.session import TIMEOUT
from connector.decisions.states import Status
from connector.decisions.turns import LEASE, TOLERANCE
from connector.errors import Outage
from connector.flows.deliver import deliver
from connector.flows.detect import Detected, poll, poll_all
from connector.flows.health import healthy
from connector.flows.sweep import sweep_all
from connector.model.feeds import Feed
from connector.model.units import PollRequest, Reference, Unit, decode_message
from connector.settings import POLL_SECONDS
from connector.storage.cursors import POLLS, PollRecord
from tests.flows.pipeline import BC_HOST, INVOICES, MEMOS, ORDERS, RECEIPTS, US, Pipeline, some
from tests.sandbox.business_central import Document
from tests.sandbox.clock import START
from tests.sandbox.sample import companies
from tests.sandbox.wire import Fault
from tests.simulation.history import five_documents
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import Cue, undisturbed
from tests.simulation.world import World

JSON = {"Content-Type": "application/json"}
REAL_INTERVALS = {"POLL_SECONDS": "{}"}


def id_of(number: int) -> str:
    return str(UUID(int=number + 1))


def orders(count: int, *, first: int = 0, stamp: datetime = START - timedelta(days=1)) -> list[Document]:
    """Orders without lines: enough to be found."""
    header = some(orders=1)[0].orders[0].header
    return [
        Document(header | {"id": id_of(number), "number": f"PO{number}", "lastModifiedDateTime": stamp}, [])
        for number in range(first, first + count)
    ]


def with_orders(documents: list[Document], **settings_: str) -> Pipeline:
    data = replace(some()[0], documents={ORDERS: documents, INVOICES: []})
    return Pipeline(data=[data], settings={"MAX_WAITING_UNITS": "100"} | settings_)


def add(pipeline: Pipeline, number: int, *, late: float = 0) -> None:
    """A new order, committed now with a stamp that is so many seconds old."""
    with pipeline.business_central.late_commit(late):
        pipeline.business_central.add_order(US, orders(1, first=number)[0])


def edit(pipeline: Pipeline, number: int) -> None:
    pipeline.business_central.edit_header(US, id_of(number), payToName=f"At {pipeline.clock.now():%H:%M:%S.%f}")


def units(pipeline: Pipeline) -> list[Unit | PollRequest]:
    return [decode_message(message.text) for message in pipeline.queues.messages(pipeline.settings.documents_queue)]


def queued(pipeline: Pipeline) -> list[str]:
    return [reference.id for unit in units(pipeline) if isinstance(unit, Unit) for reference in unit.references]


def record(pipeline: Pipeline, where: str = "us|purchaseOrders") -> PollRecord:
    return pipeline.parts.cursors.read(POLLS, where)[0]


def polled(pipeline: Pipeline, feed: Feed = Feed.ORDERS) -> Detected:
    """One poll of the US company's feed, to its end."""
    return poll(pipeline.parts, pipeline.settings.companies[0], feed, lambda: True)


def reads(pipeline: Pipeline) -> int:
    return len(pipeline.wire.to(BC_HOST, method="GET"))


def carried(**settings_: str) -> Pipeline:
    """The sample company's first documents, carried and at rest."""
    pipeline = Pipeline(data=some(orders=12, invoices=8)[:1], settings=settings_)
    pipeline.run(polls=2)
    return pipeline


# -- stamps


@pytest.mark.parametrize("page_size", ["100", "1000"])
@pytest.mark.parametrize("most", [10**6, 60])
def test_1500_orders_of_one_stamp_are_each_queued_once(page_size: str, most: int) -> None:
    pipeline = with_orders(orders(1500), BC_PAGE_SIZE=page_size)
    inner = pipeline.bc_exchange.handler

    def limited(request: httpx.Request) -> httpx.Response:
        size = int(request.headers.get("Prefer", "=0").rpartition("=")[2])
        return httpx.Response(413, text="") if size > most else inner(request)

    pipeline.bc_exchange.handler = limited
    assert polled(pipeline).stopped == ""
    found = Counter(queued(pipeline))
    assert set(found) == {id_of(number) for number in range(1500)}
    assert record(pipeline).complete is not None
    pipeline.clock.advance(60)
    polled(pipeline)
    assert set(pipeline.states()) == set(found)


def test_orders_never_touched_are_found_and_later_changes_too() -> None:
    pipeline = with_orders(orders(30, stamp=datetime(1, 1, 1, tzinfo=UTC)), BC_PAGE_SIZE="7")
    polled(pipeline)
    assert len(set(queued(pipeline))) == 30
    edit(pipeline, 4)
    before = len(queued(pipeline))
    polled(pipeline)
    assert queued(pipeline)[before:].count(id_of(4)) == 1
    assert record(pipeline).cursor.watermark == pipeline.clock.now()


@pytest.mark.parametrize("late", [0, 1, 60, 299, 300])
def test_a_commit_as_late_as_the_overlap_is_found_by_the_next_poll(late: float) -> None:
    pipeline = with_orders(orders(3))
    edit(pipeline, 0)
    polled(pipeline)
    add(pipeline, 100, late=late)
    polled(pipeline)
    assert id_of(100) in queued(pipeline)


@pytest.mark.parametrize("late", [302, 3600])
def test_a_later_commit_is_found_by_the_sweep(late: float) -> None:
    pipeline = with_orders(orders(3))
    edit(pipeline, 0)
    pipeline.run()
    add(pipeline, 100, late=late)
    pipeline.run()
    assert id_of(100) not in pipeline.states()
    sweep_all(pipeline.parts)
    pipeline.drain()
    assert id_of(100) in pipeline.states()


def test_a_stamp_from_the_future_does_not_hide_later_changes() -> None:
    pipeline = with_orders([*orders(3), *orders(1, first=50, stamp=START + timedelta(days=400))])
    pipeline.run()
    for number in (0, 1, 2):
        pipeline.clock.advance(3600)
        edit(pipeline, number)
        before = pipeline.states()[id_of(number)].seen
        polled(pipeline)
        assert queued(pipeline).count(id_of(number)) == 1, "found at once"
        assert queued(pipeline).count(id_of(50)) == 0, "and the other not again"
        pipeline.drain()
        assert pipeline.states()[id_of(number)].seen > before


def test_changes_are_found_when_the_clock_of_bc_is_set_back() -> None:
    pipeline = with_orders(orders(3))
    edit(pipeline, 0)
    pipeline.run()
    shown = pipeline.clock.now() - timedelta(hours=2)
    for part in (pipeline.business_central, pipeline.business_central._edits):
        part._now = lambda: shown
    polled(pipeline)
    shown += timedelta(seconds=30)
    edit(pipeline, 1)
    add(pipeline, 77)
    polled(pipeline)
    assert {id_of(1), id_of(77)} <= set(queued(pipeline))


# -- what cannot be read


@pytest.mark.parametrize("status", [413, 408, 504])
def test_a_feed_that_cannot_be_read_at_all_leaves_the_cursor_where_it_is(status: int) -> None:
    pipeline = with_orders(orders(3))
    polled(pipeline)
    pipeline.drain()
    before = record(pipeline)
    edit(pipeline, 1)
    pipeline.bc_exchange.faults = [Fault("answer", path="orderby", status=status, times=None)]
    with pytest.raises(Outage):
        polled(pipeline)
    assert record(pipeline) == before
    pipeline.bc_exchange.faults = []
    polled(pipeline)
    assert queued(pipeline) == [id_of(1)]


@pytest.mark.parametrize("count", [100, 1000])
def test_an_order_that_cannot_be_listed_holds_up_the_cursor_and_not_the_others(count: int) -> None:
    pipeline = with_orders(orders(count))
    pipeline.business_central.unlistable[id_of(37)] = "always"
    before = reads(pipeline)
    assert polled(pipeline).stopped == "records that cannot be listed"
    assert reads(pipeline) - before <= 2 * math.log2(1000) + 5
    assert set(queued(pipeline)) == {id_of(number) for number in range(count)} - {id_of(37)}
    stands = record(pipeline)
    assert (stands.cursor.watermark, stands.complete) == (None, None)
    polled(pipeline)
    most = 400
    assert len(queued(pipeline)) - (count - 1) <= max(0, count - most), "what is remembered is not queued again"
    pipeline.business_central.unlistable.clear()
    assert polled(pipeline).stopped == ""
    assert id_of(37) in queued(pipeline)
    assert record(pipeline).complete == pipeline.clock.now()


def test_an_order_of_which_only_the_stamp_can_be_had_is_parked_and_passed() -> None:
    pipeline = with_orders(orders(100))
    pipeline.business_central.unlistable[id_of(37)] = "beyond its stamp"
    assert polled(pipeline).stopped == ""
    assert record(pipeline).complete == pipeline.clock.now()
    pipeline.drain()
    assert ("DOCUMENT_NOT_READABLE_IN_BC", "") in pipeline.parked()[id_of(37)]


def test_two_that_cannot_be_listed_are_waited_for_until_both_are_mended() -> None:
    pipeline = with_orders(orders(200))
    broken = pipeline.business_central.unlistable
    broken |= {id_of(3): "always", id_of(150): "always"}
    polled(pipeline)
    assert set(queued(pipeline)) == {id_of(number) for number in range(200)} - set(broken)
    del broken[id_of(3)]
    assert polled(pipeline).stopped
    assert id_of(3) in queued(pipeline)
    broken.clear()
    assert not polled(pipeline).stopped
    assert id_of(150) in queued(pipeline)


# -- timers


def hour(tick: float, **settings_: str) -> dict[str, list[float]]:
    """When each feed of each company was read, in seconds, over an hour of a timer; a first two polls have been before."""
    pipeline = Pipeline(data=some(orders=2, invoices=1), settings=REAL_INTERVALS | settings_)
    names = {company.id: company.key for company in pipeline.settings.companies}
    for _ in range(2):
        pipeline.run()
        pipeline.clock.advance(300)
    inner, times, began = pipeline.bc_exchange.handler, defaultdict[str, list[float]](list), pipeline.clock.monotonic()

    def watched(request: httpx.Request) -> httpx.Response:
        company, _, feed = request.url.path.rpartition("/")
        if "orderby" in str(request.url):
            times[f"{names[company[-37:-1]]}/{feed}"].append(pipeline.clock.monotonic() - began)
        return inner(request)

    pipeline.bc_exchange.handler = watched
    for _ in range(int(3600 / tick)):
        pipeline.poll()
        pipeline.clock.advance(tick)
    return times


@pytest.mark.parametrize("tick", [5, 15])
def test_each_feed_is_polled_at_its_interval(tick: float) -> None:
    own = {"us/purchaseInvoices": 30, "purchaseCreditMemos": 600, "de/vendors": 45}
    times = hour(tick, POLL_SECONDS=json.dumps(own))
    assert len(times) == 10
    for name, moments in times.items():
        feed = Feed(name.partition("/")[2])
        interval = own.get(name, own.get(feed, POLL_SECONDS[feed]))
        apart = [after - before for before, after in itertools.pairwise(moments)]
        assert min(apart) >= interval - TOLERANCE.total_seconds()
        assert len(moments) == 3600 / interval, name


# -- several at once


def other(pipeline: Pipeline, **settings_: str) -> Pipeline:
    """Another instance on the same storage."""
    return Pipeline(
        clock=pipeline.clock,
        landscape=pipeline.landscape,
        tables=pipeline.tables,
        queues=pipeline.queues,
        seed=2,
        settings=REAL_INTERVALS | settings_,
    )


@pytest.mark.parametrize("seed", range(12))
def test_two_timers_at_once_read_once_and_leave_no_gap(seed: int) -> None:
    scheduler = Scheduler(seed, stickiness=(0.0, 0.5, 0.9)[seed % 3])
    world = World(five_documents(), undisturbed, seed=seed, turns=scheduler)
    for _ in range(2):
        world.tick()
        world.clock.advance(400)
    effects = len(world.stage.effects)

    def tick() -> None:
        poll_all(world.process())

    scheduler.run({"one": tick, "two": tick})
    lists = [name for name in world.stage.effects[effects:] if "http GET" in name]
    assert max(Counter(name.partition(": ")[2] for name in lists).values()) == 1
    world.rest()
    assert world.differences() == []


def test_whoever_was_too_slow_cannot_move_the_cursor_and_nothing_is_lost() -> None:
    first = with_orders(orders(20), BC_PAGE_SIZE="10")
    second = other(first)
    results: list[Detected] = []

    inner = first.bc_exchange.handler
    answered = iter([401, 200])

    def slow(request: httpx.Request) -> httpx.Response:
        if "orderby" not in str(request.url):
            return inner(request)
        status, response = next(answered), inner(request)
        first.clock.advance(LEASE.total_seconds() / 2 + 5)
        if status == 401:
            return httpx.Response(401, headers=JSON, text="{}")
        first.bc_exchange.handler = inner
        add(first, 500)
        results.append(polled(second))
        return response

    first.bc_exchange.handler = slow
    results.append(polled(first))
    assert [result.stopped for result in results] == ["", "another poll took the turn"]
    assert set(queued(first)) >= {id_of(number) for number in (*range(20), 500)}
    assert record(first).cursor.watermark == record(second).cursor.watermark == first.clock.now()


def test_a_poll_that_reads_on_without_news_keeps_its_turn() -> None:
    first = with_orders(orders(60), BC_PAGE_SIZE="10", POLL_OVERLAP_SECONDS="86400")
    for number in range(60):
        edit(first, number)
        first.clock.advance(1)
    polled(first)
    second = other(first)
    verdicts = []

    def go_on() -> bool:
        first.clock.advance(100)
        verdicts.append(polled(second).stopped)
        return True

    company = first.settings.companies[0]
    first.clock.advance(60)
    assert poll(first.parts, company, Feed.ORDERS, go_on).stopped == ""
    assert len(verdicts) >= 6
    assert set(verdicts) == {"another poll is under way"}


def test_a_process_that_died_in_its_turn_holds_nothing_up_for_longer_than_three_minutes() -> None:
    world = World(five_documents(), undisturbed)
    deaths = iter([True])

    def plan(number: int, name: str) -> Cue | None:
        return Cue(number, "stop_before") if "purchaseOrders" in name and next(deaths, False) else None

    world.stage.plan = plan
    world.attempt(lambda: poll_all(world.process()))
    assert len(world.stage.met) == 1
    world.clock.advance(LEASE.total_seconds() - 10)
    world.attempt(lambda: poll_all(world.process()))
    read = [name for name in world.stage.effects if "http GET" in name and name.endswith("/purchaseOrders")]
    assert len(read) == 1, "the one of the dead"
    world.clock.advance(11)
    world.attempt(lambda: poll_all(world.process()))
    read = [name for name in world.stage.effects if "http GET" in name and name.endswith("/purchaseOrders")]
    assert len(read) == 2
    world.rest()
    assert world.differences() == []


@pytest.mark.parametrize("seed", range(6))
def test_a_clock_that_is_wrong_and_jumps_in_the_middle_of_a_poll_changes_nothing(seed: int) -> None:
    scheduler = Scheduler(seed, stickiness=0.5)
    world = World(five_documents(), undisturbed, seed=seed, turns=scheduler)

    def plan(number: int, _name: str) -> None:
        world.skew("one", (600.0, -600.0)[number // 7 % 2])

    world.stage.plan = plan
    world.skew("two", -600.0)

    def ticks() -> None:
        for _ in range(2):
            world.tick()

    scheduler.run({"one": ticks, "two": ticks})
    world.rest()
    assert world.differences() == []
    watermark = world.process().cursors.read(POLLS, "us|purchaseOrders")[0].cursor.watermark
    assert watermark == max(world.landscape.business_central.stamps(US).values())


# -- standing still and going on


def test_a_full_queue_lets_the_poll_stand_still_and_go_on_later() -> None:
    pipeline = with_orders(orders(1000), BC_PAGE_SIZE="200", MAX_WAITING_UNITS="2")
    assert polled(pipeline).stopped == "the documents queue is full"
    assert len(units(pipeline)) == 2
    assert polled(pipeline).stopped == "the documents queue is full"
    assert len(units(pipeline)) == 2
    for _ in range(20):
        pipeline.drain()
        if not polled(pipeline).stopped:
            break
    pipeline.drain()
    assert set(pipeline.states()) == {id_of(number) for number in range(1000)}
    assert record(pipeline).complete is not None


def test_a_poll_that_may_not_go_on_leaves_the_rest_to_the_next() -> None:
    pipeline = with_orders(
        [one for number in range(90) for one in orders(1, first=number, stamp=START - timedelta(hours=99 - number))],
        BC_PAGE_SIZE="20",
    )
    company = pipeline.settings.companies[0]
    for turn in range(1, 4):
        assert poll(pipeline.parts, company, Feed.ORDERS, lambda: False).stopped == "time is up"
        assert 19 * turn <= len(queued(pipeline)) <= 20 * turn
    assert polled(pipeline).stopped == ""
    assert set(queued(pipeline)) == {id_of(number) for number in range(90)}
    assert len(queued(pipeline)) == 90


def test_six_hours_of_downtime_are_caught_up_with() -> None:
    pipeline = with_orders(orders(400), BC_PAGE_SIZE="50")
    pipeline.run()
    for number in range(360):
        pipeline.clock.advance(60)
        edit(pipeline, number)
    pipeline.run()
    stamps = pipeline.business_central.stamps(US)
    states = pipeline.states()
    assert {id_: states[id_].seen for id_ in stamps} == stamps
    assert record(pipeline).complete is not None


# -- patience


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [(429, {"Retry-After": "60"}, 60), (429, {}, 30), (503, {"Retry-After": "45"}, 45)],
)
@pytest.mark.parametrize("skew", [0.0, 600.0, -600.0])
def test_nobody_asks_bc_before_it_said_so(status: int, headers: dict[str, str], seconds: float, skew: float) -> None:
    first = Pipeline(data=some(orders=4, invoices=2)[:1])
    first.parts.bc_gate._clock = first.clock.skewed(skew)
    first.poll()
    second = other(first, POLL_SECONDS=json.dumps(dict.fromkeys(Feed, 0)))
    code = '{"error":{"code":"Application_TooManyRequests","message":"Too many requests reached."}}'
    body = code if status == 429 else '{"error":{"code":"Internal_TenantUnavailable","message":"Not accessible"}}'
    first.bc_exchange.faults = [Fault("answer", method="GET", status=status, headers=JSON | headers, answer=body)]
    began, since = first.clock.now(), (len(first.wire.requests), len(second.wire.requests))
    first.poll()

    def asked() -> int:
        return len(first.wire.to(BC_HOST, since=since[0])) + len(second.wire.to(BC_HOST, since=since[1]))

    assert asked() == 1
    while first.clock.now() < began + timedelta(seconds=seconds - 1):
        second.poll()
        first.poll()
        second.work()
        first.clock.advance(1)
    assert asked() == 1
    first.clock.advance(2)
    second.poll()
    assert asked() > 1
    second.drain()
    first.run()
    assert not second.with_status(Status.PENDING)


# -- what concerns others


def test_a_receipt_makes_its_order_be_read_again_before_the_sweep() -> None:
    pipeline = carried()
    order, sequence = to_receive(pipeline)
    pipeline.business_central.edit_line(US, order.number, sequence, description="Edited quietly")
    pipeline.run()
    before = pipeline.states()[order.id].payload_hash
    pipeline.clock.advance(60)
    one_piece = {sequence: Decimal(1)}
    pipeline.business_central.post_order(US, order.number, invoice=False, quantities=one_piece)
    assert pipeline.business_central.stamps(US)[order.id] == order.header["lastModifiedDateTime"]
    pipeline.run()
    assert pipeline.states()[order.id].payload_hash != before


def test_the_invoice_that_ends_an_order_closes_it_without_a_sweep() -> None:
    pipeline = carried()
    order = done(pipeline, ORDERS)
    pipeline.clock.advance(60)
    posted = pipeline.business_central.post_order(US, order.number, quantities=everything(order))
    assert posted.order_gone
    pipeline.run()
    state = pipeline.states()[order.id]
    assert (state.status, state.outcome) == (Status.CLOSED, "invoiced")


def test_a_credit_memo_makes_its_invoice_be_read_again() -> None:
    pipeline = carried()
    invoice = done(pipeline, INVOICES)
    reads_before = documents_read(pipeline, INVOICES)
    memo = next(iter(companies()[0].history["purchaseCreditMemos"]))
    header = memo.header | {"id": id_of(900), "number": "109999", "invoiceNumber": invoice.number}
    pipeline.clock.advance(60)
    pipeline.business_central.add_document(US, Document(header, []), entity="purchaseCreditMemos")
    pipeline.poll()
    assert set(queued(pipeline)) == {invoice.id, id_of(900)}
    pipeline.drain()
    assert documents_read(pipeline, INVOICES) == reads_before + 1


def test_a_vendor_makes_its_parked_documents_be_read_again_and_no_others() -> None:
    pipeline = Pipeline(data=some(orders=30, invoices=8)[:1])
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    vendor = str(order.header["vendorNumber"])
    pipeline.business_central.edit_line(US, order.number, sequence_of(order), description="x" * 101)
    pipeline.run(polls=2)
    parked = {
        id_ for id_, state in pipeline.states().items() if state.status is Status.PARKED and state.vendor == vendor
    }
    others = [one for one in pipeline.states().values() if one.vendor == vendor and one.status is not Status.PARKED]
    assert order.id in parked
    assert others
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, vendor, entity="vendors", phoneNumber="+1 555 0100")
    pipeline.poll()
    assert set(queued(pipeline)) == parked


def test_what_concerns_nothing_known_costs_no_message() -> None:
    pipeline = carried()
    pipeline.clock.advance(60)
    for feed, name in ((Feed.RECEIPTS, "orderNumber"), (Feed.CREDIT_MEMOS, "invoiceNumber")):
        one = next(iter(companies()[0].history[feed]))
        for number, text in enumerate(("NOT-KNOWN", "")):
            header = one.header | {"id": id_of(900 + number), "number": f"X{number}", name: text}
            pipeline.business_central.add_document(US, Document(header, []), entity=feed)
    pipeline.business_central.edit_header(US, "10000", entity="vendors", phoneNumber="+1 555 0100")
    pipeline.poll()
    # The records themselves are carried, and go alone.
    assert {unit.entity.value for unit in units(pipeline)} == {RECEIPTS, MEMOS}
    assert record(pipeline, "us|purchaseReceipts").complete == pipeline.clock.now()


@pytest.mark.parametrize("count", [1, 3, 4, 40, 400])
def test_documents_are_found_by_several_numbers_at_once(count: int) -> None:
    pipeline = carried()
    ledger, where = pipeline.parts.ledger, "us|purchaseOrders"
    known = [one for one in pipeline.landscape.data[0].orders][:count]
    strange = [f"{number:05}|/x" for number in range(count)]
    numbers = [one.number.lower() for one in known] + strange
    assert ledger.find(where, [*numbers, *numbers]) == sorted(one.id for one in known)
    vendor = str(known[0].header["vendorNumber"])
    of_vendor = {state.id for state in pipeline.states().values() if state.vendor == vendor}
    of_vendor &= {one.id for one in pipeline.landscape.data[0].orders}
    assert set(ledger.find(where, [vendor, *strange])) == of_vendor


def done(pipeline: Pipeline, entity: str) -> Document:
    """A document that is staged, as it is in BC now."""
    states = pipeline.states()
    known = pipeline.landscape.data[0].documents[entity]
    one = next(each for each in known if each.id in states and states[each.id].status is Status.DONE)
    return pipeline.business_central.document(US, one.id, entity=entity)


def to_receive(pipeline: Pipeline) -> tuple[Document, int]:
    """A staged order and the sequence of a line of which more than one piece is still to come."""
    states = pipeline.states()
    for order in pipeline.landscape.data[0].orders:
        for line in order.lines if states[order.id].status is Status.DONE else ():
            there, all_ = (Decimal(str(line.values[name])) for name in ("receivedQuantity", "quantity"))
            if all_ - there > 1:
                return order, int(str(line.values["sequence"]))
    raise AssertionError("no order is open")


def sequence_of(order: Document) -> int:
    line = next(one for one in order.lines if one.values["lineType"] == "Item")
    return int(str(line.values["sequence"]))


def everything(order: Document) -> dict[int, Decimal]:
    """The quantities of its lines, by sequence."""
    return {int(str(line.values["sequence"])): Decimal(str(line.values["quantity"])) for line in order.lines}


def documents_read(pipeline: Pipeline, entity: str) -> int:
    """How many requests for whole documents there were."""
    return sum(f"/{entity}?".encode() in one.path and b"expand" in one.path for one in pipeline.bc_exchange.recent())


# -- polls that are asked for


def ask(pipeline: Pipeline, feed: Feed = Feed.ORDERS, company: str = "us") -> None:
    deliver(pipeline.parts, PollRequest(company, feed).encode(), 1)


def test_a_poll_that_is_asked_for_is_made_while_the_timer_stands_still_and_not_too_often() -> None:
    pipeline = with_orders(orders(3), **REAL_INTERVALS)
    for _ in range(2):
        pipeline.poll()
        pipeline.clock.advance(300)
    pipeline.drain()
    pipeline.poll()
    moments = []
    for second in range(1, 61):
        pipeline.clock.advance(1)
        before = reads(pipeline)
        ask(pipeline, Feed.VENDORS)
        if reads(pipeline) > before:
            moments.append(second)
    assert moments == [8, 16, 24, 32, 40, 48, 56], "ten seconds less the tolerance"
    edit(pipeline, 1)
    ask(pipeline)
    assert queued(pipeline) == [id_of(1)]


def test_a_poll_that_is_asked_for_while_one_is_under_way_is_not_made() -> None:
    pipeline = with_orders(orders(3))
    inner, nested = pipeline.bc_exchange.handler, []

    def asking(request: httpx.Request) -> httpx.Response:
        if "orderby" in str(request.url):
            before = reads(pipeline)
            pipeline.clock.advance(20)
            ask(pipeline)
            nested.append(reads(pipeline) - before)
        return inner(request)

    pipeline.bc_exchange.handler = asking
    ask(pipeline)
    assert nested == [0]
    assert len(queued(pipeline)) == 3


def test_a_poll_that_is_asked_for_during_an_outage_ends_quietly() -> None:
    pipeline = with_orders(orders(3))
    pipeline.bc_exchange.faults = [Fault("answer", path="orderby", status=503, times=None)]
    ask(pipeline)
    assert queued(pipeline) == []
    pipeline.bc_exchange.faults = []
    pipeline.clock.advance(10)
    ask(pipeline)
    assert len(queued(pipeline)) == 3


def test_a_poll_request_for_a_company_or_feed_that_is_not_watched_does_nothing() -> None:
    pipeline = with_orders(orders(3))
    before = len(pipeline.wire.requests)
    ask(pipeline, company="elsewhere")
    routes = {INVOICES: pipeline.parts.profile.routes[INVOICES]}
    pipeline.parts = replace(pipeline.parts, profile=pipeline.parts.profile.model_copy(update={"routes": routes}))
    ask(pipeline, Feed.ORDERS)
    ask(pipeline, Feed.RECEIPTS)
    assert len(pipeline.wire.requests) == before
    assert pipeline.poison() == []


@pytest.mark.parametrize(
    "text",
    [
        '{"v":1,"poll":"customers","company":"us"}',
        '{"v":1,"poll":"vendors"}',
        '{"v":2,"poll":"vendors","company":"us"}',
    ],
)
def test_a_poll_request_that_cannot_be_read_is_kept_on_record(text: str) -> None:
    pipeline = with_orders(orders(1))
    before = len(pipeline.wire.requests)
    deliver(pipeline.parts, text, 1)
    deliver(pipeline.parts, text, 1)
    (kept,) = pipeline.parts.ledger.all_states("unreadable")
    assert kept.outcome == "unreadable"
    assert len(pipeline.wire.requests) == before


# -- health


def requests_for(pipeline: Pipeline) -> list[tuple[str, str]]:
    return sorted((one.company, str(one.feed)) for one in units(pipeline) if isinstance(one, PollRequest))


def test_the_probe_asks_for_each_overdue_poll_once_and_the_changes_are_found() -> None:
    pipeline = Pipeline(data=some(orders=3, invoices=2), settings=REAL_INTERVALS)
    assert healthy(pipeline.parts)
    assert requests_for(pipeline) == [], "the first poll is the timer's"
    for _ in range(2):
        pipeline.run()
        pipeline.clock.advance(300)
    pipeline.run()
    for _ in range(8):
        pipeline.clock.advance(5)
        assert healthy(pipeline.parts)
    assert requests_for(pipeline) == [], "all is well"
    pipeline.clock.advance(6)
    assert healthy(pipeline.parts)
    fast = (INVOICES, ORDERS)
    assert requests_for(pipeline) == [(company, feed) for company in ("de", "us") for feed in fast]
    order = pipeline.landscape.data[0].orders[0]
    pipeline.business_central.edit_header(US, order.number, payToName="Edited")
    pipeline.drain()
    assert pipeline.states()[order.id].seen == pipeline.business_central.stamps(US)[order.id]
    assert healthy(pipeline.parts)
    assert requests_for(pipeline) == [], "they have been polled"
    pipeline.clock.advance(901)
    assert healthy(pipeline.parts)
    assert len(requests_for(pipeline)) == 10


def test_the_probe_asks_for_nothing_while_the_queue_is_full() -> None:
    pipeline = Pipeline(data=some(orders=3, invoices=2), settings=REAL_INTERVALS | {"MAX_WAITING_UNITS": "1"})
    for _ in range(2):
        pipeline.run()
        pipeline.clock.advance(300)
    pipeline.queues.send(pipeline.settings.documents_queue, PollRequest("us", Feed.VENDORS).encode())
    pipeline.clock.advance(3600)
    assert healthy(pipeline.parts)
    assert len(units(pipeline)) == 1


# -- any order of events

EVENTS = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 5)),
    st.tuples(st.just("late"), st.integers(0, 300)),
    st.tuples(st.just("poll"), st.just(0)),
    st.tuples(st.just("work"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 400)),
    st.tuples(st.just("break"), st.integers(0, 5)),
    st.tuples(st.just("mend"), st.integers(0, 5)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=25), st.sampled_from(["2", "3", "1000"]))
def test_whatever_happens_every_version_is_queued_or_recorded_in_the_end(
    events: list[tuple[str, int]], page_size: str
) -> None:
    pipeline = with_orders(orders(6), BC_PAGE_SIZE=page_size)
    fresh = itertools.count(100)
    acts: dict[str, Callable[[int], object]] = {
        "edit": lambda number: edit(pipeline, number),
        "late": lambda seconds: add(pipeline, next(fresh), late=seconds),
        "poll": lambda _: polled(pipeline),
        "work": lambda _: pipeline.work(),
        "wait": pipeline.clock.advance,
        "break": lambda number: pipeline.business_central.unlistable.update({id_of(number): "always"}),
        "mend": lambda number: pipeline.business_central.unlistable.pop(id_of(number), None),
    }
    for name, argument in events:
        pipeline.clock.advance(0.01)
        acts[name](argument)
    pipeline.business_central.unlistable.clear()
    assert polled(pipeline).stopped == ""
    assert record(pipeline).complete is not None
    waiting = newest(reference for unit in units(pipeline) if isinstance(unit, Unit) for reference in unit.references)
    states = pipeline.states()
    for id_, stamp in pipeline.business_central.stamps(US).items():
        state = states[id_]
        settled = state.standing.settled
        assert waiting.get(id_) == stamp or (settled is not None and settled >= stamp) or state.seen >= stamp, id_


def newest(references: Iterable[Reference]) -> dict[str, datetime]:
    """The newest stamp of each id."""
    found: dict[str, datetime] = {}
    for reference in references:
        found[reference.id] = max(reference.seen, found.get(reference.id, reference.seen))
    return found


# -- what takes too long, and what cannot be listed


@pytest.mark.parametrize("place", ["orderby=", "expand="])
def test_a_read_that_bc_needs_too_long_for_gets_smaller_until_it_comes_in_time(place: str) -> None:
    """The client gives up before BC does, so there is no answer that would tell."""
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1], settings={"BC_PAGE_SIZE": "8"})
    inner = pipeline.bc_exchange.handler

    def slow(request: httpx.Request) -> httpx.Response:
        if place not in str(request.url):
            return inner(request)
        seconds = 17 * int(request.headers["Prefer"].rpartition("=")[2])
        pipeline.clock.advance(min(seconds, TIMEOUT))
        if seconds > TIMEOUT:
            raise httpx.ReadTimeout("no answer in time", request=request)
        return inner(request)

    pipeline.bc_exchange.handler = slow
    pipeline.run(polls=16)
    waiting = {one.id for one in pipeline.landscape.data[0].orders if one.header["status"] != "Open"}
    states = pipeline.states()
    assert set(states) == {one.id for one in pipeline.landscape.data[0].orders}
    assert {id_ for id_, state in states.items() if state.status is Status.WAITING} == waiting
    assert not [state for state in states.values() if state.status in (Status.PENDING, Status.CLAIMED)]


def test_a_last_page_that_came_late_is_the_last_all_the_same() -> None:
    pipeline = with_orders(orders(5))
    assert poll(pipeline.parts, pipeline.settings.companies[0], Feed.ORDERS, lambda: False).stopped == ""
    assert record(pipeline).complete is not None


def test_a_poll_that_failed_is_made_up_for_at_the_next_tick_however_long_its_interval() -> None:
    pipeline = with_orders(orders(5), POLL_SECONDS=json.dumps({Feed.ORDERS: 86_400}))
    assert polled(pipeline).stopped == ""
    pipeline.clock.advance(86_400)
    pipeline.bc_exchange.faults = [Fault("answer", path="orderby", status=500, times=3)]
    with pytest.raises(Outage):
        polled(pipeline)
    add(pipeline, 77)
    pipeline.clock.advance(15)
    assert polled(pipeline).stopped == ""
    assert id_of(77) in queued(pipeline)
    pipeline.clock.advance(15)
    assert polled(pipeline).stopped == "not due yet"


@pytest.mark.parametrize("how", ["always", "beyond its stamp"])
def test_one_order_that_cannot_be_listed_keeps_the_sweep_from_none_of_the_others(how: str) -> None:
    pipeline = carried()
    broken = iter([one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open"])
    hidden, other = next(broken), next(broken)
    before = pipeline.states()[hidden.id]
    pipeline.business_central.unlistable[hidden.id] = how
    pipeline.business_central.edit_line(US, other.number, 10000, description="Edited quietly")
    pipeline.business_central.delete(US, ORDERS, next(broken).number)
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()
    states = pipeline.states()
    assert states[other.id].outcome == "staged"
    assert states[other.id].seq > before.seq
    assert states[hidden.id].status is not Status.CLOSED, "what cannot be listed is not taken for gone"
    del pipeline.business_central.unlistable[hidden.id]
    pipeline.clock.advance(900)
    sweep_all(pipeline.parts)
    pipeline.drain()
    assert pipeline.states()[hidden.id].status is Status.DONE
    assert [state.status for state in pipeline.states().values()].count(Status.CLOSED) == 1
