"""Renewal: what is adopted, kept, renewed, created and removed, for every state in which Business Central may be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.client_state import client_state, path_part
from connector.decisions.renewal import (
    JITTER,
    LIMIT,
    RENEW_BELOW,
    Create,
    Door,
    Keep,
    Leave,
    Plan,
    Renew,
    Situation,
    Target,
    concerns,
    due_below,
    plan,
    why_refused,
)
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope, Subscription

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PRESENT, PREVIOUS, OTHER = b"present" * 5, b"previous" * 5, b"other" * 7
URL = "https://app.example/api/bc"
DOOR = Door(URL, (PRESENT, PREVIOUS))
US, DE = "2cd06086-7b01-f111-a1fd-7ced8d2674f8", "9f8e7d6c-0000-4000-8000-00000000000a"
VENDORS = Target(Scope("us", Feed.VENDORS), US)
ORDERS = Target(Scope("us", Feed.ORDERS), US)
GERMAN = Target(Scope("de", Feed.VENDORS), DE)
FRESH = timedelta(hours=71)


def made(
    target: Target = VENDORS,
    *,
    number: int = 1,
    left: timedelta = FRESH,
    key: bytes = PRESENT,
    state: str | None = None,
    resource: str = "",
    url: str = "",
) -> Subscription:
    """A subscription of ours as it is listed, unless told otherwise."""
    return Subscription(
        id=f"{number:032x}",
        resource=resource or target.resource,
        url=url or f"{URL}/{path_part(key)}",
        client_state=client_state(key, target.company_id, target.scope.feed) if state is None else state,
        expires=NOW + left,
        etag=f'W/"{number}"',
    )


def planned(
    *listed: Subscription,
    wanted: Sequence[Target] = (VENDORS,),
    supported: frozenset[str] | None = None,
    recorded: dict[Scope, str] | None = None,
    everything: bool = False,
) -> Plan:
    situation = Situation(wanted, DOOR, listed, {"us": supported}, recorded or {}, NOW)
    return plan(situation, everything=everything)


def test_what_is_not_there_is_created() -> None:
    assert planned().decisions == (Create(VENDORS, "new"),)
    assert planned(recorded={VENDORS.scope: "1" * 32}).decisions == (Create(VENDORS, "gone"),)


def test_what_business_central_does_not_offer_is_left_unless_it_is_there_all_the_same() -> None:
    offered = frozenset({"v2.0/vendors", "v1.0/purchaseOrders"})
    decided = planned(wanted=[VENDORS, ORDERS], supported=offered).decisions
    assert decided == (Create(VENDORS, "new"), Leave(ORDERS, "not offered"))
    there = made(ORDERS)
    assert planned(there, wanted=[ORDERS], supported=offered).decisions == (Keep(ORDERS, there, adopted=True),)


def test_where_it_does_not_tell_what_it_offers_all_is_tried() -> None:
    assert planned(wanted=[ORDERS], supported=None).decisions == (Create(ORDERS, "new"),)
    assert planned(wanted=[GERMAN], supported=frozenset({"x"})).decisions == (Create(GERMAN, "new"),)


def test_one_that_is_not_on_record_is_adopted() -> None:
    held = made()
    assert planned(held).decisions == (Keep(VENDORS, held, adopted=True),)
    assert planned(held, recorded={VENDORS.scope: held.id}).decisions == (Keep(VENDORS, held, adopted=False),)
    assert planned(held, recorded={VENDORS.scope: "f" * 32}).decisions == (Keep(VENDORS, held, adopted=True),)


@pytest.mark.parametrize(
    "resource",
    [
        f"/api/v2.0/companies({US})/vendors",
        f"api/v2.0/companies({US})/vendors",
        f"companies({US})/vendors",
        f"/companies({US.upper()})/vendors",
    ],
)
def test_a_resource_is_recognised_however_it_is_written(resource: str) -> None:
    held = made(resource=resource)
    assert planned(held) == Plan((), (Keep(VENDORS, held, adopted=True),))


@pytest.mark.parametrize(
    "resource",
    [
        f"/api/v2.0/companies({DE})/vendors",
        f"/api/v2.0/companies({US})/vendorsX",
        f"/api/v2.0/companies({US})/vendors(1)",
        f"/api/v1.0/companies({US})/vendors",
        f"/api/contoso/a/v1.0/companies({US})/vendors",
        f"https://elsewhere/api/v2.0/companies({US})/vendors",
        "",
    ],
)
def test_one_at_our_address_about_something_else_is_removed(resource: str) -> None:
    held = replace(made(), resource=resource)
    assert not concerns(held, VENDORS)
    decided = planned(held)
    assert [(one.subscription, one.reason) for one in decided.removals] == [(held, "unwanted")]
    assert decided.decisions == (Create(VENDORS, "new"),)


@pytest.mark.parametrize(
    "url",
    [
        f"{URL}/{path_part(OTHER)}",
        URL,
        f"{URL}/{path_part(PRESENT)}/more",
        f"{URL}/{path_part(PRESENT)}?a=1",
        f"{URL}/{path_part(PRESENT).upper()}",
        f"https://app.example:444/api/bc/{path_part(PRESENT)}",
        f"http://app.example/api/bc/{path_part(PRESENT)}",
        f"https://app.example.evil/api/bc/{path_part(PRESENT)}",
        "https://[",
        "",
    ],
)
def test_a_foreign_one_is_neither_kept_nor_removed(url: str) -> None:
    held = replace(made(), url=url)
    assert planned(held) == Plan((), (Create(VENDORS, "new"),))


@pytest.mark.parametrize("host", ["APP.example", "app.example:443", "App.Example:443"])
def test_our_address_is_recognised_in_the_spelling_that_business_central_prefers(host: str) -> None:
    held = made(url=f"https://{host}/api/bc/{path_part(PRESENT)}")
    assert planned(held) == Plan((), (Keep(VENDORS, held, adopted=True),))


def test_of_several_the_one_that_ends_last_is_kept() -> None:
    first, last, middle = (
        made(number=number, left=FRESH + timedelta(hours=h)) for number, h in ((1, 0), (2, 2), (3, 1))
    )
    decided = planned(first, last, middle)
    assert decided.decisions == (Keep(VENDORS, last, adopted=True),)
    assert {(one.subscription.id, one.reason) for one in decided.removals} == {
        (first.id, "duplicate"),
        (middle.id, "duplicate"),
    }


def test_of_two_that_end_together_every_process_keeps_the_same() -> None:
    one, other = made(number=1), made(number=2)
    assert planned(one, other).decisions == planned(other, one).decisions
    old, new = made(number=9, key=PREVIOUS), made(number=1)
    assert planned(old, new).decisions == (Keep(VENDORS, new, adopted=True),)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (made(left=due_below(VENDORS.scope)), "due"),
        (made(left=timedelta(hours=-1)), "due"),
        (made(key=PREVIOUS), "rotation"),
        (made(state="somebody else's"), "altered"),
        (made(state=""), "altered"),
        (made(state=client_state(PREVIOUS, US, Feed.VENDORS)), "altered"),
    ],
)
def test_one_is_renewed_when_its_time_has_come_or_it_is_not_of_the_present_key(held: Subscription, reason: str) -> None:
    (decided,) = planned(held, recorded={VENDORS.scope: held.id}).decisions
    assert isinstance(decided, Renew)
    assert (decided.reason, decided.adopted) == (reason, False)


def test_one_with_a_second_more_is_kept_unless_all_are_to_be_renewed() -> None:
    held = made(left=due_below(VENDORS.scope) + timedelta(seconds=1))
    assert planned(held).decisions == (Keep(VENDORS, held, adopted=True),)
    assert planned(held, everything=True).decisions == (Renew(VENDORS, held, "asked", adopted=True),)


def test_one_of_ours_whose_id_cannot_be_used_is_neither_doubled_nor_removed() -> None:
    odd = replace(made(), id="")
    assert planned(odd) == Plan((), (Leave(VENDORS, "unreadable"),))
    good = made(left=timedelta(hours=70))
    assert planned(odd, good) == Plan((), (Keep(VENDORS, good, adopted=True),))
    assert planned(replace(odd, resource="?")).removals == ()


def test_those_of_companies_and_feeds_that_are_not_watched_any_more_are_removed() -> None:
    gone = [made(ORDERS, number=1), made(GERMAN, number=2, key=PREVIOUS)]
    held = made(number=3)
    decided = planned(*gone, held)
    assert [(one.subscription, one.reason) for one in decided.removals] == [(one, "unwanted") for one in gone]


@given(st.text(max_size=31), st.sampled_from(Feed))
def test_nothing_is_renewed_later_than_the_jitter_allows(company: str, feed: Feed) -> None:
    assert RENEW_BELOW - JITTER <= due_below(Scope(company, feed)) <= RENEW_BELOW
    assert due_below(Scope(company, feed)) == due_below(Scope(company, feed))


def test_the_jitter_spreads_the_scopes() -> None:
    moments = {due_below(Scope(f"company-{number}", feed)) for number in range(20) for feed in Feed}
    assert len(moments) == 100
    assert max(moments) - min(moments) > JITTER * 0.8


LISTED = st.lists(
    st.builds(
        made,
        st.sampled_from([VENDORS, ORDERS, GERMAN]),
        number=st.integers(1, 30),
        left=st.integers(-5, 72).map(lambda hours: timedelta(hours=hours)),
        key=st.sampled_from([PRESENT, PREVIOUS, OTHER]),
        state=st.sampled_from([None, "", "forged"]),
    ),
    unique_by=lambda one: one.id,
    max_size=12,
)


@given(LISTED, st.sampled_from([(VENDORS,), (VENDORS, ORDERS), (VENDORS, ORDERS, GERMAN)]))
def test_after_a_plan_there_is_one_for_each_target_and_every_foreign_one(
    listed: list[Subscription], wanted: tuple[Target, ...]
) -> None:
    decided = planned(*listed, wanted=wanted)
    removed = {one.subscription.id for one in decided.removals}
    held = {one.subscription.id for one in decided.decisions if isinstance(one, Keep | Renew)}
    foreign = {one.id for one in listed if path_part(OTHER) in one.url}
    assert not removed & held
    assert not (removed | held) & foreign
    assert removed | held | foreign == {one.id for one in listed}
    assert [one.target for one in decided.decisions] == list(wanted)
    for one in decided.decisions:
        if isinstance(one, Keep):
            assert one.subscription.url == DOOR.address
            assert one.subscription.client_state == DOOR.client_state(one.target)
            assert one.subscription.expires - NOW > RENEW_BELOW - JITTER


@pytest.mark.parametrize(
    ("status", "listed", "words"),
    [
        (400, 3, "check WEBHOOK_URL, and that the app answers there from the internet within 5 seconds"),
        (400, LIMIT - 1, "check WEBHOOK_URL"),
        (400, LIMIT, f"the environment has {LIMIT} subscriptions"),
        (404, 3, "check COMPANIES"),
    ],
)
def test_a_refusal_says_what_to_look_at(status: int, listed: int, words: str) -> None:
    assert words in why_refused("BC refuses", status, listed)
