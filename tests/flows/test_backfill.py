"""The backfill: documents modified since a date are queued, newest first, without flooding the app and without a gap."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from connector.decisions.states import Status
from connector.decisions.turns import LEASE
from connector.errors import Outage, Refused
from connector.flows.backfill import MOST_WAITING, AlreadyRunning, Backfilled, Progress, backfill
from connector.flows.deliver import deliver
from connector.flows.rescue import rescue_all
from connector.model.documents import Entity
from connector.model.stamps import NEVER
from connector.model.units import Origin, decode_unit
from connector.ports import Clock
from connector.storage.cursors import POLLS, BackfillRecord, Turn, backfills
from connector.storage.ports import Sent
from tests.flows.comparison import end_differences, rest_differences
from tests.flows.pipeline import ORDERS, US, Pipeline, some
from tests.sandbox.business_central import CompanyData, Document
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryQueues
from tests.sandbox.wire import Fault, Handler
from tests.simulation.history import five_documents
from tests.simulation.stage import MODES, Cue, Plan, cued
from tests.simulation.world import World

WHERE = "us|purchaseOrders"
MIDDLE = datetime(2025, 7, 18, tzinfo=UTC)
BROKEN = '{"error":{"code":"Internal_DataNotFoundFilter","message":"A record cannot be read."}}'


class Watched(MemoryQueues):
    """Queues that remember what was put on the documents queue, in order, and how many messages were there then."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.ids: list[str] = []
        self.origins: list[Origin] = []
        self.most = 0

    def send(self, queue: str, text: str, *, delay_seconds: float = 0, lives_seconds: float | None = None) -> Sent:
        sent = super().send(queue, text, delay_seconds=delay_seconds, lives_seconds=lives_seconds)
        if queue == "documents":
            unit = decode_unit(text)
            self.ids += [reference.id for reference in unit.references]
            self.origins.append(unit.origin)
            self.most = max(self.most, self.count(queue))
        return sent


class Bench:
    """A pipeline of one company's orders, and the backfill's runs on it."""

    def __init__(
        self, *, orders: int = 36, data: list[CompanyData] | None = None, settings: dict[str, str] | None = None
    ):
        clock = VirtualClock()
        self.queues = Watched(clock)
        self.data = copy.deepcopy(data or some(orders=orders, invoices=0, posted=False)[:1])
        self.pipeline = Pipeline(data=self.data, clock=clock, queues=self.queues, settings=settings)
        self.clock = clock
        self.bc = self.pipeline.business_central
        self.seen: list[Progress] = []
        self.company = self.pipeline.settings.companies[0]

    def run(
        self,
        since: datetime = NEVER,
        *,
        again: bool = False,
        restart: bool = False,
        page: int = 10,
        pages: int = 1000,
        show: Callable[[Progress], None] | None = None,
    ) -> Backfilled:
        """One run of the backfill, told to stop after so many pages."""
        begun = len(self.queues.origins)
        return backfill(
            self.pipeline.parts,
            self.company,
            Entity.PURCHASE_ORDER,
            since,
            show=show or self.seen.append,
            again=again,
            restart=restart,
            may_go_on=lambda: len(self.queues.origins) - begun < pages,
            page_size=page,
        )

    def work_a_unit_every(self, seconds: float) -> None:
        """The app works beside the backfill, a unit at a time."""

        def work() -> None:
            queue = self.pipeline.settings.documents_queue
            for message in self.queues.receive(queue, 1, 600):
                deliver(self.pipeline.parts, message.text, message.dequeue_count)
                self.queues.delete(queue, message.sent)
            self.work_a_unit_every(seconds)

        self.clock.at(self.clock.now() + timedelta(seconds=seconds), work)

    def newest_first(self, since: datetime = NEVER) -> list[str]:
        """The ids of the orders modified since then as Business Central has them now."""
        kept = [one for one in self.documents() if stamp(one) >= since]
        return [one.id for one in sorted(kept, key=lambda one: (stamp(one), one.id), reverse=True)]

    def documents(self) -> list[Document]:
        return [self.bc.document(US, id_) for id_ in self.bc.document_ids(US, ORDERS)]

    def record(self) -> BackfillRecord:
        return self.pipeline.parts.cursors.read(backfills(NEVER, again=False), WHERE)[0]

    def reads_of_documents(self) -> int:
        """How many requests brought whole documents (all those carry lines)."""
        return sum("expand" in passed.path.decode() for passed in self.pipeline.bc_exchange.recent())


def stamp(document: Document) -> datetime:
    found = document.header["lastModifiedDateTime"]
    assert isinstance(found, datetime)
    return found


def with_stamps(change: Callable[[int, datetime], datetime], *, orders: int = 36) -> list[CompanyData]:
    """The sample's orders with other stamps, by place and stamp."""
    data = copy.deepcopy(some(orders=orders, invoices=0, posted=False)[:1])
    for place, order in enumerate(data[0].orders):
        order.header["lastModifiedDateTime"] = change(place, stamp(order))
    return data


def take_turn(bench: Bench) -> Turn[BackfillRecord]:
    taken = bench.pipeline.parts.cursors.take(backfills(NEVER, again=False), WHERE, "another process", timedelta(0))
    assert isinstance(taken, Turn)
    return taken


# -- order and bounds


def test_documents_reach_the_queue_newest_first_and_end_as_in_business_central() -> None:
    bench = Bench()
    bench.work_a_unit_every(2)
    done = bench.run()
    assert bench.queues.ids == bench.newest_first()
    assert set(bench.queues.origins) == {Origin.BACKFILL}
    assert (done.ended, done.read, done.queued) == (True, 36, 36)
    bench.pipeline.drain()
    assert end_differences(bench.pipeline, each="once") == []


def test_only_documents_modified_since_the_date_are_queued_that_moment_included() -> None:
    bench = Bench()
    edge = stamp(bench.bc.document(US, bench.newest_first()[10]))
    bench.run(edge)
    assert bench.queues.ids == bench.newest_first(edge)
    assert len(bench.queues.ids) == 11


def test_the_queue_never_holds_more_than_four_units_and_the_backfill_goes_on_when_there_is_room() -> None:
    bench = Bench()
    bench.work_a_unit_every(20)
    done = bench.run(page=4)
    assert bench.queues.most == MOST_WAITING == 4
    assert (done.ended, done.queued) == (True, 36)
    assert bench.queues.ids == bench.newest_first()
    assert any(seen.pause and seen.waiting == 4 for seen in bench.seen)


def test_messages_of_others_count_as_waiting_and_are_worked_before() -> None:
    bench = Bench()
    queue = bench.pipeline.settings.documents_queue
    for _ in range(6):
        MemoryQueues.send(bench.queues, queue, "not ours")
    bench.clock.at(bench.clock.now() + timedelta(seconds=100), lambda: bench.pipeline.work() and None)
    counts: list[tuple[float, int]] = []
    bench.run(page=36, show=lambda seen: counts.append((bench.clock.monotonic(), seen.queued)))
    assert bench.queues.most == 1
    assert min(at for at, queued in counts if queued) >= 100


def test_the_cursor_of_the_poll_is_not_touched() -> None:
    bench = Bench()
    bench.pipeline.run()
    bench.clock.advance(60)
    before = bench.pipeline.parts.cursors.read(POLLS, WHERE)[0]
    bench.run(again=True)
    assert bench.pipeline.parts.cursors.read(POLLS, WHERE)[0] == before


def test_progress_ends_at_the_count_and_tells_what_waits() -> None:
    bench = Bench()
    bench.run(page=12)
    assert [(seen.read, seen.total, seen.queued, seen.waiting) for seen in bench.seen] == [
        (0, 36, 0, 0),
        (12, 36, 12, 1),
        (24, 36, 24, 2),
        (36, 36, 36, 3),
    ]


# -- what is known


def test_what_the_ledger_knows_costs_no_message_and_no_reading_of_documents() -> None:
    bench = Bench(orders=20)
    bench.pipeline.run()
    sent, reads, rows = len(bench.queues.ids), bench.reads_of_documents(), bench.pipeline.states()
    done = bench.run()
    assert (done.read, done.queued, len(bench.queues.ids)) == (20, 0, sent)
    assert bench.reads_of_documents() == reads
    assert bench.pipeline.states() == rows


def test_a_newer_version_than_the_ledger_knows_is_queued() -> None:
    bench = Bench(orders=20)
    bench.pipeline.run()
    bench.clock.advance(60)
    order = bench.documents()[3]
    bench.bc.edit_header(US, order.number, status="Draft")
    sent = len(bench.queues.ids)
    assert bench.run().queued == 1
    assert bench.queues.ids[sent:] == [order.id]


def test_no_row_of_the_ledger_is_made_by_queueing() -> None:
    bench = Bench()
    bench.run()
    assert bench.pipeline.states() == {}


def test_again_after_a_change_of_the_profile_writes_only_what_differs() -> None:
    bench = Bench(orders=20)
    bench.pipeline.run()
    carried = bench.pipeline.with_status(Status.DONE)
    terms = {id_: bench.bc.document(US, id_).header["paymentTermsId"] for id_ in carried}
    chosen, _ = Counter(terms.values()).most_common()[-1]
    code = next(row["code"] for row in bench.data[0].tables["paymentTerms"] if row["id"] == chosen)
    table = dict(bench.pipeline.parts.translations.payment_terms)
    translations = bench.pipeline.parts.translations.model_copy(
        update={"payment_terms": table | {str(code): "Another term"}}
    )
    bench.pipeline.parts = replace(bench.pipeline.parts, translations=translations)
    begun = len(bench.pipeline.wire.requests)
    assert bench.run().queued == 0, "without --again nothing known is read"
    done = bench.run(again=True)
    assert done.queued == 20
    assert set(bench.queues.origins[-2:]) == {Origin.SWEEP}
    bench.pipeline.drain()
    written = {row.document[2] for row in bench.pipeline.sent_rows(since=begun)}
    assert written == {bench.bc.document(US, id_).number for id_, term in terms.items() if term == chosen}
    assert 0 < len(written) < len(carried)


def test_again_brings_what_is_not_known_yet_as_well() -> None:
    bench = Bench(orders=20)
    bench.run(again=True)
    assert bench.queues.ids == bench.newest_first()
    bench.pipeline.drain()
    assert end_differences(bench.pipeline, each="once") == []


# -- stamps


def test_records_without_a_stamp_come_last_from_0001_and_are_counted_otherwise() -> None:
    bench = Bench(data=with_stamps(lambda place, own: NEVER if place % 4 == 0 else own))
    some_day = datetime(2020, 1, 1, tzinfo=UTC)
    done = bench.run(some_day)
    assert (done.queued, done.unstamped) == (27, 9)
    assert bench.queues.ids == bench.newest_first(some_day)
    bench.pipeline.drain()
    done = bench.run(NEVER)
    assert (done.queued, done.unstamped) == (9, 0)
    assert {stamp(bench.bc.document(US, id_)) for id_ in bench.queues.ids[27:]} == {NEVER}
    bench.pipeline.drain()
    assert end_differences(bench.pipeline, each="once") == []


@pytest.mark.parametrize("pages", range(1, 9))
@pytest.mark.parametrize("same", [NEVER, MIDDLE])
def test_equal_stamps_at_the_edge_of_a_page_and_where_it_goes_on_lose_nothing(same: datetime, pages: int) -> None:
    bench = Bench(data=with_stamps(lambda place, own: same if 5 <= place < 30 else own))
    stopped = bench.run(page=4, pages=min(pages, 4))
    if pages > 4:
        bench.pipeline.work()
        stopped = bench.run(page=4, pages=pages - 4)
    assert not stopped.ended
    bench.pipeline.work()
    assert bench.run(page=36).ended
    bench.pipeline.drain()
    assert end_differences(bench.pipeline, each="once") == []


# -- stopping and going on


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_stopped_one_goes_on_where_it_was_and_says_so(pages: int) -> None:
    bench = Bench()
    first = bench.run(pages=pages)
    assert (first.ended, first.read) == (False, 10 * pages)
    bench.pipeline.work()
    bench.seen.clear()
    done = bench.run()
    assert bench.seen[0].resumed == first.position == stamp(bench.bc.document(US, bench.newest_first()[10 * pages - 1]))
    assert bench.seen[0].read == 10 * pages
    assert (done.ended, done.queued) == (True, 36 - 10 * pages)
    assert bench.queues.ids == bench.newest_first()


def test_with_other_values_or_told_to_restart_it_begins_anew() -> None:
    since = datetime(2025, 1, 1, tzinfo=UTC)
    bench = Bench()
    bench.run(pages=1)
    for values in ({"since": since}, {"since": since, "again": True}, {"since": since, "again": True, "restart": True}):
        bench.seen.clear()
        bench.run(pages=1, **values)  # type: ignore[arg-type]
        assert bench.seen[0].resumed is None
        assert bench.queues.ids[-10:] == bench.newest_first()[:10]
        bench.pipeline.work()
    assert (bench.record().since, bench.record().again) == (since, True)


def test_a_finished_one_says_so_and_begins_anew_only_when_told_to_restart() -> None:
    bench = Bench()
    assert bench.run().ended
    requests = len(bench.pipeline.wire.requests)
    done = bench.run()
    assert (done.ended, done.earlier, done.read, done.queued) == (True, True, 36, 0)
    assert len(bench.pipeline.wire.requests) == requests
    bench.pipeline.drain()
    done = bench.run(restart=True)
    assert (done.ended, done.earlier, done.read, done.queued) == (True, False, 36, 0)


def test_the_second_of_two_is_told_that_one_is_running_and_changes_nothing() -> None:
    bench = Bench()
    told: list[str] = []

    def second(seen: Progress) -> None:
        if seen.read == 20:
            with pytest.raises(AlreadyRunning) as refused:
                bench.run(restart=True)
            told.append(str(refused.value))

    done = bench.run(show=second)
    assert (done.ended, done.queued) == (True, 36)
    assert len(told) == 1
    assert "running already" in told[0]
    assert "3 minutes" in told[0]


def test_the_turn_is_kept_while_the_queue_is_full_for_an_hour() -> None:
    bench = Bench()
    refused: list[float] = []

    def second(seen: Progress) -> None:
        if seen.pause and bench.clock.monotonic() > 100 * (len(refused) + 1):
            with pytest.raises(AlreadyRunning):
                bench.run()
            refused.append(bench.clock.monotonic())

    bench.clock.at(bench.clock.now() + timedelta(hours=1), lambda: bench.pipeline.work() and None)
    done = bench.run(page=6, show=second)
    assert (done.ended, done.queued) == (True, 36)
    assert len(refused) > 20


def test_the_turn_of_a_killed_one_ends_after_three_minutes() -> None:
    bench = Bench()
    take_turn(bench)
    bench.clock.advance(LEASE.total_seconds() - 1)
    with pytest.raises(AlreadyRunning):
        bench.run()
    bench.clock.advance(1)
    assert bench.run().ended


def test_one_that_lost_its_turn_meanwhile_stops_and_leaves_the_record_alone() -> None:
    bench = Bench()

    def sleeps(seen: Progress) -> None:
        if seen.read == 20:
            bench.clock.advance(LEASE.total_seconds() + 1)
            take_turn(bench)

    with pytest.raises(AlreadyRunning):
        bench.run(show=sleeps)
    assert bench.record().read == 20


def test_ctrl_c_leaves_a_state_to_go_on_from_at_once() -> None:
    bench = Bench()

    def interrupt(seen: Progress) -> None:
        if seen.read == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(show=interrupt)
    done = bench.run()
    assert (done.ended, done.read) == (True, 37), "the one at which it stopped is looked at twice"
    assert set(bench.queues.ids) == set(bench.newest_first())


# -- edits and outages


def test_documents_edited_and_deleted_while_it_runs_end_as_in_business_central() -> None:
    bench = Bench()
    order = bench.newest_first()
    # The last of the first page is gone, so its next link leads nowhere; the last of the second page moves to the front.
    gone, token, unread = order[9], order[19], order[30]
    edits: set[int] = set()

    def meanwhile(seen: Progress) -> None:
        if seen.read == 10 and 10 not in edits:
            bench.bc.delete(US, ORDERS, gone)
        if seen.read == 20 and 20 not in edits:
            bench.clock.advance(5)
            for id_ in (token, unread):
                line = next(one for one in bench.bc.document(US, id_).lines if one.values["lineType"] == "Item")
                quantity = Decimal(str(line.values["quantity"])) + 3
                bench.bc.edit_line(US, id_, int(str(line.values["sequence"])), quantity=quantity)
        edits.add(seen.read)

    bench.work_a_unit_every(2)
    assert bench.run(show=meanwhile).ended
    assert {10, 20} <= edits
    bench.pipeline.run()
    assert rest_differences(bench.pipeline) == [f"{gone} is known only to the ledger"]
    assert bench.pipeline.states()[gone].status is Status.CLOSED


def test_an_outage_is_waited_out_as_long_as_it_says_and_the_run_goes_on_from_its_page() -> None:
    bench = Bench()
    bench.pipeline.bc_exchange.faults = [
        Fault("answer", path="skiptoken", skip=1, times=1, status=429, headers={"Retry-After": "77"})
    ]
    done = bench.run()
    assert done.ended
    assert 77 <= bench.clock.monotonic() < 100
    assert any("asks to slow down" in seen.pause for seen in bench.seen)
    assert list(dict.fromkeys(bench.queues.ids)) == bench.newest_first()
    assert len(bench.queues.ids) == 37, "the one at which it went on comes twice"


def test_an_outage_that_does_not_pass_is_raised_after_some_tries_and_a_later_run_goes_on() -> None:
    bench = Bench()
    bench.pipeline.bc_exchange.faults = [Fault("answer", path="purchaseOrders", skip=3, times=None, status=503)]
    with pytest.raises(Outage):
        bench.run()
    assert bench.record().read == 20
    assert any("answered 503" in seen.pause for seen in bench.seen)
    bench.pipeline.bc_exchange.faults = []
    bench.seen.clear()
    assert bench.run().ended
    assert bench.seen[0].resumed is not None
    assert set(bench.queues.ids) == set(bench.newest_first())


def test_what_an_administrator_has_to_mend_is_said_at_once() -> None:
    bench = Bench()
    bench.pipeline.bc_exchange.faults = [Fault("answer", path="purchaseOrders", times=None, status=403)]
    with pytest.raises(Refused):
        bench.run()
    assert bench.clock.monotonic() < 1
    bench.pipeline.bc_exchange.faults = []
    assert bench.run().ended


@pytest.mark.parametrize("listed", [True, False])
def test_a_record_that_breaks_its_page_does_not_keep_the_others_back(listed: bool) -> None:
    """One of which BC gives id and stamp at least is queued as well; of one without, the run says that it is not whole."""
    bench = Bench(orders=20)
    broken = bench.newest_first()[7]
    breaks = bench.bc.document(US, broken).number if listed else broken
    bench.pipeline.bc_exchange.handler = breaking(bench.pipeline.bc_exchange.handler, breaks)
    done = bench.run()
    assert (done.ended, done.whole) == (True, listed)
    assert [id_ for id_ in bench.queues.ids if id_ != broken] == [id_ for id_ in bench.newest_first() if id_ != broken]
    assert (broken in bench.queues.ids) is listed


def breaking(inner: Handler, text: str) -> Handler:
    """A handler that fails as Business Central does when a listing holds a record with this value."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = inner(request)
        if request.method == "GET" and f'"{text}"' in answer.text:
            return httpx.Response(400, headers={"Content-Type": "application/json"}, content=BROKEN)
        return answer

    return handle


# -- deaths


class Backfilling(World):
    """A world in which nothing polls: the documents come by the backfill alone, started anew whenever it did not end."""

    ended = False
    own_effects = 0
    """How many effects there had been when the backfill ended; without a disturbance all of them are its own."""

    def tick(self) -> None:
        self.attempt(self._backfill)
        self.work()
        self.attempt(lambda: rescue_all(self.process()))
        self.work()

    def unrest(self) -> list[str]:
        left = super().unrest()
        return left if self.ended else [*left, "the backfill did not end"]

    def _backfill(self) -> None:
        if not self.ended:
            parts = self.process()
            us = parts.settings.companies[0]
            done = backfill(parts, us, Entity.PURCHASE_ORDER, NEVER, show=lambda _: None, page_size=2)
            self.ended, self.own_effects = done.ended, len(self.stage.effects)


def go_through(plan: Plan) -> Backfilling:
    data = five_documents()
    data[0].documents["purchaseInvoices"] = []
    data[0].history = {}
    first, second, third, _ = data[0].orders
    # Equal stamps, at the edge of the first page.
    for order in (second, third):
        order.header["lastModifiedDateTime"] = first.header["lastModifiedDateTime"]
    world = Backfilling(data, plan)
    world.rest()
    assert world.differences() == []
    return world


def test_killed_or_disturbed_at_any_effect_and_started_again_it_loses_and_doubles_nothing() -> None:
    undisturbed = go_through(cued())
    own = undisturbed.stage.effects[: undisturbed.own_effects]
    assert sum(name.endswith("queues.send documents") for name in own) == 2
    assert sum(name.endswith("tables.write cursors replace") for name in own) > 3
    for number in range(1, len(own) + 1):
        for mode in MODES:
            world = go_through(cued(Cue(number, mode)))
            assert world.stage.met, f"effect {number}, {own[number - 1]}, {mode}"
