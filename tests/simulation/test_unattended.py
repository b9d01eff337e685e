"""The app left alone: for thirty days, and for eighty hours in which no notification comes. The clock is virtual."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import httpx
import pytest

from connector.flows.overview import overview
from connector.flows.watch import Watched
from connector.model.feeds import Feed
from tests.flows.pipeline import US
from tests.simulation.editor import Editor
from tests.simulation.history import five_documents
from tests.simulation.random_history import WEBHOOKS, answers, wrong
from tests.simulation.stage import undisturbed
from tests.simulation.timetable import DAY, HOUR, Timetable
from tests.simulation.world import World

FIXED_ROWS = 12
"""Of each document: a state, a fingerprint, an await, and the texts it is found by (number, vendor, order, vendor's number, the
record in ServiceNow; a posted draft has two numbers)."""
STEPS = 4
"""Events of each time a document is looked at because it may have changed: seen, intent, outcome, and one in reserve."""


def left_alone(seed: int, *, reachable: bool = True) -> tuple[World, Editor]:
    """A world with subscriptions wherever Business Central offers them, orders included."""
    world = World(five_documents(), undisturbed, seed=seed, settings=WEBHOOKS)
    # They look at everything after every effect, which is for short histories.
    world.stage.invariants = lambda: None
    webhooks = world.landscape.business_central.webhooks
    webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
    webhooks.post.stopwatch = world.clock.monotonic

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nothing gets through", request=request)

    webhooks.post.carrier = answers(world) if reachable else away
    return world, Editor(world, US, random.Random(seed))


def test_thirty_days_without_anybody() -> None:
    world, editor = left_alone(1)
    subscriptions = world.landscape.business_central.webhooks.subscriptions
    lives: list[float] = []
    busy, idle = (Timetable(world, poll=600, sweep=2 * HOUR, rescue=2 * HOUR) for _ in range(2))
    for timetable in (busy, idle):
        timetable.every(HOUR, lambda: lives.extend(hours(world)))
    busy.every(6 * HOUR, editor.edit)
    busy.run(20 * DAY)
    idle.run(DAY)
    rows = sizes(world)
    idle.run(9 * DAY)
    assert wrong(world) == []
    assert world.errors == []
    assert len(editor.done) > 40
    assert min(lives) > 24, "no subscription came near its end"
    assert {each.about.entity for each in subscriptions.all()} == {"purchaseOrders", "purchaseInvoices", "vendors"}
    seen = overview(world.process())
    assert [one.live.mode for one in seen.feeds if one.hours] == ["notified"] * 3
    now = world.clock.now()
    for one in seen.feeds:
        assert one.known_up_to is not None
        assert now - one.known_up_to <= timedelta(minutes=5, seconds=600 + 5)
        assert one.sweep is None or (one.sweep.completed and now - one.sweep.completed <= timedelta(hours=2))
    # Rows grow with documents and their changes, never with time.
    assert sizes(world) == rows
    documents = len(world.ledger_states())
    looked_at = world.looked_at()
    assert rows["ledger"] <= FIXED_ROWS * documents + STEPS * (documents + looked_at)
    assert rows["cursors"] == 5 + 4 + 2, "a poll for each feed, a sweep for each entity, one for each tracked table"
    assert rows["subscriptions"] <= 2 * 5
    assert rows["gates"] <= 3 + 2
    print(f"30 days: {documents} documents, {len(editor.done)} edits, rows {dict(rows)}")


def subscribed(world: World) -> list[Watched]:
    """How orders and invoices are watched."""
    return [one for one in overview(world.process()).feeds if one.feed in (Feed.ORDERS, Feed.INVOICES)]


def hours(world: World) -> list[float]:
    """The hours that each subscription has left."""
    now = world.clock.now()
    found = world.landscape.business_central.webhooks.subscriptions.all()
    return [(each.expires - now).total_seconds() / 3600 for each in found]


def sizes(world: World) -> Counter[str]:
    """How many rows each table holds."""
    return Counter({table: len(world.tables.rows(table)) for table in world.tables.tables()})


@pytest.mark.parametrize("reachable", [True, False], ids=["notified", "every notification lost"])
def test_eighty_hours_end_the_same_with_and_without_notifications(*, reachable: bool) -> None:
    world, editor = left_alone(7, reachable=reachable)
    timetable = Timetable(world, poll=120)
    timetable.every(HOUR, editor.edit)
    timetable.run(80 * HOUR)
    timetable = Timetable(world, poll=120)
    timetable.run(HOUR)
    assert wrong(world) == []
    assert len(editor.done) > 30
    modes = {one.feed.value: one.live.mode for one in overview(world.process()).feeds}
    assert modes["purchaseOrders"] == ("notified" if reachable else "polling")


def test_what_nobody_can_hear_is_told_and_heals_by_itself() -> None:
    """The address is unreachable for four days: subscriptions end, the poll carries on, and all returns by itself."""
    world, editor = left_alone(3)
    webhooks = world.landscape.business_central.webhooks
    good = webhooks.post.carrier
    timetable = Timetable(world, poll=120)
    timetable.run(2 * HOUR)
    assert [one.live.mode for one in subscribed(world)] == ["notified"] * 2

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nothing gets through", request=request)

    webhooks.post.carrier = away
    timetable.every(2 * HOUR, editor.edit)
    timetable.run(2.5 * DAY)
    alarmed = subscribed(world)
    assert all(one.live.alarm or one.live.mode == "polling" for one in alarmed)
    # To an hour after the last edit, so that a sweep has seen it.
    timetable.run(1.5 * DAY + HOUR)
    lost = subscribed(world)
    assert [one.live.mode for one in lost] == ["polling"] * 2
    assert all(one.live.why for one in lost)
    assert wrong(world) == []
    webhooks.post.carrier = good
    timetable.run(2 * HOUR)
    back = subscribed(world)
    assert [one.live.mode for one in back] == ["notified"] * 2
    assert not any(one.live.alarm for one in back)
    assert wrong(world) == []
