"""Renewal in virtual time against the simulator: real handshakes, subscriptions that end, and everything that comes between."""

from __future__ import annotations

import base64
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx
import pytest

from connector.bootstrap import Ports, build
from connector.decisions.client_state import client_state, path_part
from connector.decisions.liveness import ALARM_BELOW
from connector.flows.liveness import watched
from connector.flows.parts import Parts
from connector.flows.receive import Call, receive
from connector.flows.renew import OFF, renew_all
from connector.flows.subscriptions import REMOVED, foreign, remove_all
from connector.flows.watch import watched_feeds
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope
from connector.model.units import PollRequest, decode_message
from connector.ports import SeededRandomness
from connector.settings import Settings, load_settings
from connector.storage.cursors import POLLS
from connector.storage.ledger import partition
from connector.storage.subscriptions import Standing
from tests.flows.pipeline import BC_HOST, US, WEBHOOKS_ON, Pipeline, some
from tests.sandbox.business_central.subscriptions import Subscription
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import KEYS, Landscape
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.sandbox.wire import Fault
from tests.simulation.exploration import explore
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import Plan, Stage, Turns, WorldStopped, by_chance
from tests.simulation.staged import StagedClock, StagedQueues, StagedTables, StagedTransport

HOUR = 3600.0
LISTED = {Scope(company, feed) for company in ("us", "de") for feed in (Feed.INVOICES, Feed.VENDORS)}
ORDERS = {Scope("us", Feed.ORDERS), Scope("de", Feed.ORDERS)}
NEW_KEY = base64.b64encode(b"n" * 32).decode()
ELSEWHERE = "https://elsewhere.example/hook"


class Hooked(Pipeline):
    """A pipeline with webhooks on and no documents."""

    def __init__(self, **more: Any) -> None:
        settings = WEBHOOKS_ON | more.pop("settings", {})
        super().__init__(data=more.pop("data", None) or some(orders=0, invoices=0), settings=settings, **more)

    def again(self, *, settings: Mapping[str, str] | None = None, data: int = 2) -> Hooked:
        """The app started anew in the same surroundings, perhaps with other settings, or with fewer companies."""
        return Hooked(
            clock=self.clock,
            landscape=self.landscape,
            tables=self.tables,
            queues=self.queues,
            settings=dict(settings or {})
            | ({} if data == 2 else {"COMPANIES": one_company(self.landscape.environment()["COMPANIES"])}),
        )

    def renew(self, *, everything: bool = False) -> str:
        """One tick of the renewal timer."""
        return renew_all(self.parts, everything=everything)

    def hours(self, count: int, *, each: Callable[[], None] = lambda: None) -> None:
        """So many hours with a renewal in each; what was sent is worked."""
        for _ in range(count):
            self.clock.advance(HOUR)
            self.renew()
            each()

    @property
    def there(self) -> dict[Scope, list[Subscription]]:
        """The subscriptions in Business Central that reach this app, by what they are about."""
        return by_scope(self.landscape, self.settings)

    def ids(self) -> dict[Scope, str]:
        """The id of the one subscription of each scope."""
        assert all(len(found) == 1 for found in self.there.values())
        return {scope: found[0].id for scope, found in self.there.items()}

    def standing(self, company: str, feed: Feed) -> Standing:
        """What is on record."""
        return self.parts.registry.read().standings[Scope(company, feed)]

    def polls_asked(self) -> set[Scope]:
        """The feeds whose poll is asked for on the queue; the queue is empty afterwards."""
        asked = set()
        while messages := self.queues.receive(self.settings.documents_queue, 32, 600):
            for message in messages:
                request = decode_message(message.text)
                assert isinstance(request, PollRequest)
                asked.add(Scope(request.company, request.feed))
                self.queues.delete(self.settings.documents_queue, message.sent)
        return asked

    def subscribe(self, company: str, feed: Feed, *, url: str = "") -> str:
        """Somebody makes a subscription by hand; to our address unless told otherwise."""
        wanted = self.settings.company(company)
        assert wanted is not None
        key = self.settings.webhook_keys[0]
        self.parts.registry.open_handshake("by hand")
        made = self.parts.subscriptions.create(
            f"companies({wanted.id.upper()})/{feed}",
            url or f"{self.settings.webhook_url}/{path_part(key)}",
            client_state(key, wanted.id, feed),
        )
        self.parts.registry.close_handshake("by hand")
        return made.id

    def changes(self, *, since: int = 0) -> list[str]:
        """The methods of the requests that changed subscriptions."""
        return [
            sent.method
            for sent in self.wire.to(BC_HOST, since=since)
            if sent.method != "GET" and "/subscriptions" in sent.path
        ]

    def no_handshake(self) -> None:
        """From now on nothing reaches the app from outside."""
        self.business_central.webhooks.post.carrier = None

    def reachable(self) -> None:
        """Handshakes arrive again; those to other addresses than ours are answered by somebody else."""
        self.business_central.webhooks.post.carrier = self.door

    def door(self, request: httpx.Request) -> httpx.Response:
        """Our app, and the receiver of other applications."""
        if str(request.url).startswith(ELSEWHERE):
            return httpx.Response(200, text=request.url.params["validationToken"])
        return self.webhook(request)


def one_company(companies: str) -> str:
    """The setting with its first company only."""
    return f"{companies[: companies.index('}, {')]}}}]"


def by_scope(landscape: Landscape, settings: Settings) -> dict[Scope, list[Subscription]]:
    """The subscriptions to our address, by what they are about."""
    keys = {company.id: KEYS[company.name][0] for company in landscape.data}
    found: dict[Scope, list[Subscription]] = {}
    for one in landscape.business_central.webhooks.subscriptions.all():
        if one.url.startswith(f"{settings.webhook_url}/"):
            found.setdefault(Scope(keys[one.about.company], Feed(one.about.entity)), []).append(one)
    return found


@pytest.fixture
def pipeline() -> Hooked:
    hooked = Hooked()
    hooked.reachable()
    return hooked


# -- from nothing


def test_in_a_fresh_environment_one_is_created_wherever_business_central_offers_it(pipeline: Hooked) -> None:
    assert pipeline.renew() == ""
    assert set(pipeline.ids()) == LISTED
    key = pipeline.settings.webhook_keys[0]
    for scope, (one,) in pipeline.there.items():
        company = pipeline.settings.company(scope.company)
        assert company is not None
        assert one.url == f"{pipeline.settings.webhook_url}/{path_part(key)}"
        assert one.row.values["clientState"] == client_state(key, company.id, scope.feed)
        standing = pipeline.standing(scope.company, scope.feed)
        assert (standing.state, standing.id, standing.expires, standing.why) == ("active", one.id, one.expires, "")
    assert pipeline.polls_asked() == LISTED
    assert pipeline.standing("us", Feed.ORDERS).state == "not offered"
    assert not pipeline.parts.registry.handshake_under_way()


def test_orders_are_subscribed_to_only_where_they_are_offered(pipeline: Hooked) -> None:
    pipeline.renew()
    assert not pipeline.there.keys() & ORDERS
    pipeline.business_central.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
    pipeline.hours(1)
    assert set(pipeline.ids()) == LISTED | ORDERS


def test_notifications_of_a_created_subscription_arrive(pipeline: Hooked) -> None:
    pipeline.renew()
    assert pipeline.polls_asked() == LISTED
    pipeline.business_central.edit_header(US, "10000", entity="vendors", displayName="Another")
    assert pipeline.notify() == 1
    assert pipeline.polls_asked() == {Scope("us", Feed.VENDORS)}


def test_webhooks_that_are_off_ask_nothing_of_business_central(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "connector")
    off = Pipeline(data=some(orders=0, invoices=0))
    assert renew_all(off.parts) == OFF
    assert off.wire.requests == []
    assert "webhooks are off" in caplog.text


def test_where_it_is_not_told_what_is_offered_all_is_tried_and_a_refusal_says_why(pipeline: Hooked) -> None:
    pipeline.bc_exchange.faults.append(Fault("answer", path="webhookSupportedResources", status=404, times=None))
    pipeline.renew()
    assert set(pipeline.ids()) == LISTED
    standing = pipeline.standing("us", Feed.ORDERS)
    assert standing.state == "refused"
    assert "check WEBHOOK_URL" in standing.why


def test_renewal_does_not_wait_for_the_api_that_tells_what_is_offered(pipeline: Hooked) -> None:
    pipeline.bc_exchange.faults.append(Fault("answer", path="webhookSupportedResources", status=500, times=None))
    pipeline.renew()
    assert set(pipeline.ids()) == LISTED


# -- what is there already


def test_after_the_record_is_lost_what_is_there_is_adopted_and_none_created(pipeline: Hooked) -> None:
    pipeline.renew()
    before, since = pipeline.ids(), len(pipeline.wire.requests)
    pipeline.polls_asked()
    lost = Hooked(clock=pipeline.clock, landscape=pipeline.landscape)
    lost.renew()
    assert lost.ids() == before
    assert lost.changes() == []
    assert pipeline.changes(since=since) == []
    assert {scope for scope, one in lost.parts.registry.read().standings.items() if one.state == "active"} == LISTED
    assert lost.polls_asked() == LISTED, "what they told of in the meantime may be lost"


def test_what_stands_well_is_left_alone_and_no_poll_asked_for(pipeline: Hooked) -> None:
    pipeline.renew()
    pipeline.polls_asked()
    since = len(pipeline.wire.requests)
    pipeline.hours(20)
    assert pipeline.changes(since=since) == []
    assert pipeline.polls_asked() == set()


def test_duplicates_are_removed_and_foreign_ones_are_not_touched(pipeline: Hooked) -> None:
    theirs = pipeline.subscribe("us", Feed.VENDORS, url=ELSEWHERE)
    pipeline.renew()
    pipeline.clock.advance(HOUR)
    later = pipeline.subscribe("us", Feed.VENDORS)
    assert len(pipeline.there[Scope("us", Feed.VENDORS)]) == 2
    pipeline.renew()
    assert pipeline.ids()[Scope("us", Feed.VENDORS)] == later, "the one that ends last is kept"
    left = {one.id for one in pipeline.business_central.webhooks.subscriptions.all()}
    assert theirs in left
    assert len(left) == len(LISTED) + 1
    assert foreign(pipeline.parts) == 1


def test_those_of_a_company_that_is_not_configured_any_more_are_removed(pipeline: Hooked) -> None:
    pipeline.renew()
    smaller = pipeline.again(data=1)
    smaller.renew()
    assert set(pipeline.ids()) == {scope for scope in LISTED if scope.company == "us"}


def test_a_listing_with_rows_that_cannot_be_read_stops_nothing(pipeline: Hooked) -> None:
    pipeline.renew()
    before = pipeline.ids()
    (odd,) = pipeline.there[Scope("us", Feed.VENDORS)]
    odd.row.values["subscriptionId"] = "not-an-id"
    odd.row.rendered.clear()
    since = len(pipeline.wire.requests)
    pipeline.hours(1)
    assert pipeline.changes(since=since) == [], "nothing is doubled beside one of ours that cannot be used"
    assert pipeline.standing("us", Feed.VENDORS).state == "refused"
    assert pipeline.standing("de", Feed.VENDORS).id == before[Scope("de", Feed.VENDORS)]


# -- staying alive


def test_over_ten_days_none_ever_ends_and_none_is_renewed_too_soon_or_too_late(pipeline: Hooked) -> None:
    pipeline.renew()
    ids, renewed, least = pipeline.ids(), [], [1000.0]
    pipeline.polls_asked()

    def look() -> None:
        assert pipeline.ids() == ids
        for scope, (one,) in pipeline.there.items():
            assert pipeline.standing(scope.company, scope.feed).expires == one.expires
            least[0] = min(least[0], (one.expires - pipeline.clock.now()).total_seconds() / HOUR)
        renewed.append(pipeline.changes().count("PATCH"))

    pipeline.hours(240, each=look)
    assert least[0] > 41
    assert 8 * len(LISTED) <= renewed[-1] <= 11 * len(LISTED)
    assert set(pipeline.changes()) == {"POST", "PATCH"}
    assert pipeline.changes().count("POST") == len(LISTED)
    assert pipeline.polls_asked() == set()


def test_the_subscriptions_do_not_stay_in_step(pipeline: Hooked) -> None:
    pipeline.renew()
    before, moments = pipeline.changes().count("PATCH"), []
    for _ in range(40):
        pipeline.hours(1)
        count = pipeline.changes().count("PATCH")
        moments += [pipeline.clock.now()] * (count - before)
        before = count
    assert len(set(moments)) > 1


def test_a_shorter_life_than_three_days_is_read_from_the_answer(pipeline: Hooked) -> None:
    pipeline.business_central.webhooks.subscriptions.lifetime /= 6
    pipeline.renew()
    ids = pipeline.ids()
    pipeline.hours(100, each=lambda: None if pipeline.ids() == ids else pytest.fail("one ended"))


def test_all_are_renewed_at_once_on_request(pipeline: Hooked) -> None:
    pipeline.renew()
    pipeline.clock.advance(HOUR)
    pipeline.renew(everything=True)
    assert {(one.expires - pipeline.clock.now()).total_seconds() / HOUR for (one,) in pipeline.there.values()} == {72.0}


# -- when Business Central cannot reach the app


def test_a_day_without_handshakes_raises_the_alarm_and_then_all_is_well_by_itself(
    pipeline: Hooked, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.renew()
    ids = pipeline.ids()
    pipeline.hours(24)
    pipeline.no_handshake()
    pipeline.hours(22)
    assert "subscription_ends" not in caplog.text
    pipeline.hours(3)
    assert pipeline.ids() == ids, "they live on while they cannot be renewed"
    standing = pipeline.standing("us", Feed.VENDORS)
    assert standing.state == "active"
    assert "check WEBHOOK_URL" in standing.why
    assert caplog.text.count("subscription_ends company=us entity=vendors") == 1
    known = pipeline.parts.registry.read()
    company = pipeline.settings.companies[0]
    record, _ = pipeline.parts.cursors.read(POLLS, partition("us", Feed.VENDORS))
    assert watched(pipeline.parts, company, Feed.VENDORS, record, known).alarm
    pipeline.reachable()
    pipeline.hours(1)
    assert pipeline.ids() == ids
    assert all(one.expires - pipeline.clock.now() > ALARM_BELOW for (one,) in pipeline.there.values())
    assert pipeline.standing("us", Feed.VENDORS).why == ""


def test_after_four_days_without_handshakes_they_have_ended_the_alarm_goes_on_and_all_are_made_anew(
    pipeline: Hooked, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.renew()
    pipeline.polls_asked()
    pipeline.no_handshake()
    pipeline.hours(96)
    assert pipeline.there == {}
    assert pipeline.standing("us", Feed.VENDORS).state == "refused"
    caplog.clear()
    pipeline.hours(1)
    assert "subscription_ends company=us entity=vendors hours=-25.0" in caplog.text
    pipeline.reachable()
    pipeline.hours(1)
    assert set(pipeline.ids()) == LISTED
    assert pipeline.standing("us", Feed.VENDORS).state == "active"
    assert pipeline.polls_asked() == LISTED


def test_a_stranger_gets_no_handshake_answered(pipeline: Hooked) -> None:
    pipeline.renew()
    key = path_part(pipeline.settings.webhook_keys[0])
    assert receive(pipeline.parts, Call(key, token="echo me")).body == ""


def test_one_that_was_deleted_is_made_anew_within_the_hour_and_its_feed_polled(pipeline: Hooked) -> None:
    pipeline.renew()
    pipeline.polls_asked()
    (one,) = pipeline.there[Scope("us", Feed.INVOICES)]
    pipeline.business_central.webhooks.subscriptions.drop(one.id)
    pipeline.hours(1)
    assert set(pipeline.ids()) == LISTED
    assert pipeline.standing("us", Feed.INVOICES).id == pipeline.ids()[Scope("us", Feed.INVOICES)] != one.id
    assert pipeline.polls_asked() == {Scope("us", Feed.INVOICES)}


def test_one_that_is_deleted_between_listing_and_renewal_is_made_anew_in_the_same_run(pipeline: Hooked) -> None:
    pipeline.renew()
    (one,) = pipeline.there[Scope("us", Feed.INVOICES)]
    pipeline.polls_asked()
    drop = pipeline.business_central.webhooks.subscriptions.drop
    handle = pipeline.bc_exchange.handler

    def deleting(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            drop(one.id)
        return handle(request)

    pipeline.bc_exchange.handler = deleting
    pipeline.renew(everything=True)
    assert set(pipeline.ids()) == LISTED
    assert pipeline.ids()[Scope("us", Feed.INVOICES)] != one.id
    assert pipeline.polls_asked() == {Scope("us", Feed.INVOICES)}


# -- a new key


def test_a_new_key_moves_all_to_its_address_without_a_gap(pipeline: Hooked) -> None:
    pipeline.renew()
    ids, old = pipeline.ids(), pipeline.settings.webhook_keys[0]
    rotated = pipeline.again(settings={"WEBHOOK_KEY": NEW_KEY, "WEBHOOK_KEY_PREVIOUS": WEBHOOKS_ON["WEBHOOK_KEY"]})
    rotated.reachable()
    new = rotated.settings.webhook_keys[0]
    assert new != old
    handle = pipeline.bc_exchange.handler

    def watching(request: httpx.Request) -> httpx.Response:
        assert rotated.ids() == ids, "at no moment is there none"
        return handle(request)

    pipeline.bc_exchange.handler = watching
    rotated.renew()
    assert rotated.ids() == ids
    for scope, (one,) in rotated.there.items():
        company = rotated.settings.company(scope.company)
        assert company is not None
        assert one.url == f"{rotated.settings.webhook_url}/{path_part(new)}"
        assert one.row.values["clientState"] == client_state(new, company.id, scope.feed)
    assert rotated.changes().count("POST") == 0


# -- what stands in the way


def test_a_full_environment_is_named_as_the_cause(pipeline: Hooked) -> None:
    for _ in range(199):
        pipeline.subscribe("us", Feed.VENDORS, url=ELSEWHERE)
    pipeline.renew()
    stands = [pipeline.standing(scope.company, scope.feed) for scope in LISTED]
    assert sorted(one.state for one in stands) == ["active", "refused", "refused", "refused"]
    whys = {one.why for one in stands if one.state == "refused"}
    assert len(whys) == 1
    assert "the environment has 200 subscriptions and BC online takes 200" in whys.pop()


@pytest.mark.parametrize("fault", [Fault("answer", status=503), Fault("refuse"), Fault("reset_before")])
def test_an_outage_in_the_middle_leaves_the_others_done_and_the_rest_to_the_next_run(
    pipeline: Hooked, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    fault.method, fault.path, fault.skip = "POST", "/subscriptions$", 1
    pipeline.bc_exchange.faults.append(fault)
    pipeline.renew()
    assert len(pipeline.ids()) == len(LISTED) - 1
    assert "renew_postponed" in caplog.text
    (missing,) = LISTED - pipeline.ids().keys()
    assert missing not in pipeline.parts.registry.read().standings
    pipeline.hours(1)
    assert set(pipeline.ids()) == LISTED


def test_an_outage_leaves_what_is_on_record_as_it_stands(pipeline: Hooked, caplog: pytest.LogCaptureFixture) -> None:
    pipeline.renew()
    before = pipeline.parts.registry.read().standings
    caplog.set_level(logging.INFO, "connector")
    pipeline.bc_exchange.faults.append(Fault("answer", status=503, path="/api/", times=None))
    pipeline.clock.advance(HOUR)
    assert "Business Central" in pipeline.renew()
    assert pipeline.parts.registry.read().standings == before
    assert "renew_postponed system=Business Central error=Outage" in caplog.text
    assert "subscription company=us entity=vendors outcome=active hours=71.0" in caplog.text.replace(
        "outcome=active company=us entity=vendors", "company=us entity=vendors outcome=active"
    )


def test_while_business_central_asks_for_patience_it_is_not_asked(pipeline: Hooked) -> None:
    pipeline.bc_exchange.faults.append(
        Fault("answer", method="POST", path="/subscriptions$", status=429, headers={"Retry-After": "600"})
    )
    pipeline.renew()
    assert pipeline.changes() == ["POST"], "the first was told to wait, and the others know"
    since = len(pipeline.wire.requests)
    assert pipeline.renew()
    assert pipeline.wire.to(BC_HOST, since=since) == []
    pipeline.hours(1)
    assert set(pipeline.ids()) == LISTED


@pytest.mark.parametrize("fault", [Fault("reset_after"), Fault("cut_body"), Fault("answer_after", status=504)])
def test_what_came_of_a_lost_answer_is_found_in_the_listing(pipeline: Hooked, fault: Fault) -> None:
    fault.method, fault.path = "POST", "/subscriptions$"
    pipeline.bc_exchange.faults.append(fault)
    pipeline.renew()
    before = pipeline.ids()
    assert set(before) == LISTED
    pipeline.polls_asked()
    (unknown,) = LISTED - pipeline.parts.registry.read().standings.keys()
    pipeline.hours(1)
    assert pipeline.ids() == before
    assert pipeline.polls_asked() == {unknown}


def test_a_missing_permission_is_put_on_record_and_what_lives_lives_on(pipeline: Hooked) -> None:
    pipeline.renew()
    pipeline.business_central.webhooks.subscriptions.drop(pipeline.ids()[Scope("us", Feed.VENDORS)])
    pipeline.bc_exchange.faults.append(
        Fault("answer", method="POST|PATCH", path="/subscriptions", status=403, times=None)
    )
    pipeline.clock.advance(HOUR)
    pipeline.renew(everything=True)
    assert pipeline.standing("us", Feed.VENDORS).state == "refused"
    assert "lacks permission" in pipeline.standing("us", Feed.VENDORS).why
    living = pipeline.standing("de", Feed.VENDORS)
    assert living.state == "active"
    assert "lacks permission" in living.why


def test_a_listing_that_is_refused_says_why_there_are_no_notifications(pipeline: Hooked) -> None:
    pipeline.bc_exchange.faults.append(Fault("answer", path="/subscriptions$", status=405, times=None))
    assert "does not offer this address" in pipeline.renew()
    assert "does not offer this address" in pipeline.standing("us", Feed.VENDORS).why
    pipeline.bc_exchange.faults.clear()
    pipeline.hours(1)
    before = pipeline.parts.registry.read().standings[Scope("us", Feed.VENDORS)]
    assert before.state == "active"
    pipeline.bc_exchange.faults.append(Fault("answer", path="/subscriptions$", status=405, times=None))
    pipeline.hours(1)
    assert pipeline.standing("us", Feed.VENDORS) == before


def test_an_address_that_comes_back_otherwise_is_not_doubled_for_ever(pipeline: Hooked) -> None:
    handle = pipeline.bc_exchange.handler

    def rewriting(request: httpx.Request) -> httpx.Response:
        response = handle(request)
        if request.method == "POST" and request.url.path.endswith("/subscriptions") and response.status_code == 201:
            for one in pipeline.business_central.webhooks.subscriptions.all():
                one.row.values["notificationUrl"] = "https://rewritten.example/x"
                one.row.rendered.clear()
            return httpx.Response(201, json=response.json() | {"notificationUrl": "https://rewritten.example/x"})
        return response

    pipeline.bc_exchange.handler = rewriting
    pipeline.hours(5)
    assert pipeline.business_central.webhooks.subscriptions.all() == []
    assert "give WEBHOOK_URL as it lists it" in pipeline.standing("us", Feed.VENDORS).why


def test_a_run_that_is_slow_ends_inside_its_time(pipeline: Hooked, caplog: pytest.LogCaptureFixture) -> None:
    pipeline.bc_exchange.faults.append(Fault("slow", method="POST", path="/subscriptions$", delay=110.0, times=None))
    began = pipeline.clock.monotonic()
    pipeline.renew()
    assert pipeline.clock.monotonic() - began < 240 + 120
    assert "outcome=time is up" in caplog.text


# -- removing all


def test_removing_takes_ours_only_and_is_put_on_record(pipeline: Hooked) -> None:
    theirs = pipeline.subscribe("us", Feed.VENDORS, url=ELSEWHERE)
    pipeline.renew()
    assert remove_all(pipeline.parts) == (len(LISTED), [])
    assert [one.id for one in pipeline.business_central.webhooks.subscriptions.all()] == [theirs]
    assert {(one.state, one.why) for one in watched_feeds(pipeline.parts)} == {("refused", REMOVED)}


def test_what_could_not_be_removed_stays_on_record(pipeline: Hooked) -> None:
    pipeline.renew()
    ids = pipeline.ids()
    kept = ids[Scope("us", Feed.VENDORS)]
    pipeline.bc_exchange.faults.append(Fault("answer", method="DELETE", path=kept, times=None))
    removed, faults = remove_all(pipeline.parts)
    assert (removed, len(faults)) == (len(LISTED) - 1, 1)
    assert pipeline.standing("us", Feed.VENDORS).id == kept
    assert pipeline.standing("de", Feed.VENDORS).why == REMOVED


# -- whatever happens at whatever moment


class Stations:
    """Renewals on a stage: one company, so that there are few effects; handshakes reach an app that nothing befalls."""

    def __init__(self, chosen: Plan, *, turns: Turns | None = None) -> None:
        self.clock = VirtualClock()
        self.landscape = Landscape(self.clock.now, data=some(orders=0, invoices=0)[:1], sleep=self.clock.sleep)
        self.tables, self.queues = MemoryTables(self.clock), MemoryQueues(self.clock)
        self.settings = load_settings(self.landscape.environment() | WEBHOOKS_ON)
        self.stage = Stage(chosen, turns=turns)
        self.chance = random.Random(1)
        app = self._built(self.landscape.transport(), self.tables, self.queues, self.clock)
        self.app = app

        def carrier(request: httpx.Request) -> httpx.Response:
            call = Call(request.url.path.rpartition("/")[2], token=request.url.params.get("validationToken"))
            return httpx.Response(200, text=receive(app, call).body)

        self.landscape.business_central.webhooks.post.carrier = carrier

    def _built(self, transport: httpx.BaseTransport, tables: Any, queues: Any, clock: Any) -> Parts:
        return build(self.settings, Ports(transport, tables, queues, clock, SeededRandomness(self.chance)))

    def process(self) -> Parts:
        """A process that has just been started, on the stage."""
        stage = self.stage
        return self._built(
            StagedTransport(self.landscape.transport(), stage),
            StagedTables(self.tables, stage),
            StagedQueues(self.queues, stage),
            StagedClock(self.clock, stage),
        )

    def run(self, act: Callable[[Parts], object] = renew_all) -> None:
        """One run of the timer; the process may die in it, or not come up."""
        try:
            act(self.process())
        except WorldStopped:
            self.stage.restart()
        except Exception as fault:  # noqa: BLE001 - the host survives whatever a function raises
            logging.getLogger("tests").info("a run ended with %s", type(fault).__name__)

    def asked(self, scope: Scope) -> list[datetime]:
        """When polls of that feed were asked for."""
        request = PollRequest(scope.company, scope.feed).encode()
        messages = self.queues.messages(self.settings.documents_queue)
        return [message.inserted_at for message in messages if message.text == request]

    def end_well(self) -> None:
        """Asserts that the next run leaves one subscription for each scope, on record, with a poll asked for if it is new."""
        self.clock.advance(HOUR)
        renew_all(self.app)
        there = by_scope(self.landscape, self.settings)
        assert set(there) == {scope for scope in LISTED if scope.company == "us"}
        assert all(len(found) == 1 for found in there.values()), "there is one that is double"
        standings = self.app.registry.read().standings
        for scope, (one,) in there.items():
            assert (standings[scope].state, standings[scope].id) == ("active", one.id)
            assert standings[scope].expires == one.expires
        for scope, (one,) in there.items():
            made = one.row.values["systemCreatedAt"]
            assert isinstance(made, datetime)
            assert any(made <= moment for moment in self.asked(scope)), "nobody polls for what it did not tell of"


def created_and_renewed(chosen: Plan) -> Stage:
    """Creates, and two days later renews one, makes another anew and removes a double."""
    world = Stations(chosen)
    subscriptions_of = world.landscape.business_central.webhooks.subscriptions
    world.run()
    world.clock.advance(40 * HOUR)
    there = by_scope(world.landscape, world.settings)
    for one in there.get(Scope("us", Feed.VENDORS), []):
        subscriptions_of.drop(one.id)
    invoices = there.get(Scope("us", Feed.INVOICES), [])
    if invoices:
        app = world.app
        app.registry.open_handshake("double")
        one = invoices[0]
        app.subscriptions.create(one.resource, one.url, str(one.row.values["clientState"]))
        app.registry.close_handshake("double")
    world.run(lambda parts: renew_all(parts, everything=True))
    world.end_well()
    return world.stage


def test_after_any_single_fault_the_next_run_leaves_one_for_each_scope() -> None:
    explored = explore(created_and_renewed)
    kinds = {name.split(" ")[1] for name in explored.effects if name.startswith("http ") and "subscriptions" in name}
    assert kinds == {"GET", "POST", "PATCH", "DELETE"}
    assert explored.schedules > 200


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_two_renewals_at_once_end_with_one_for_each_scope(seed: int, rate: float) -> None:
    scheduler = Scheduler(seed, stickiness=(0.0, 0.5, 0.8)[seed % 3])
    world = Stations(by_chance(seed, rate), turns=scheduler)
    scheduler.run({"one": world.run, "two": world.run})
    world.clock.advance(HOUR)
    world.end_well()
