"""Renew: keeps one webhook subscription for each watched feed, and puts on record how each stands.

What Business Central lists is the truth: what is there is adopted, what is missing is created, what is double is removed. So
the next run puts right what a run left that died half-way, or whose answer was lost. After a subscription was made its feed is
polled, for nobody told of what changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from connector.business_central.session import ChangeRefused
from connector.business_central.subscriptions import GONE, MOVED_ON, Subscribed
from connector.decisions.liveness import ALARM_BELOW
from connector.decisions.renewal import (
    Create,
    Decision,
    Door,
    Keep,
    Leave,
    Remove,
    Renew,
    Situation,
    Target,
    plan,
    why_refused,
)
from connector.errors import Outage, Refused, StorageUnavailable
from connector.flows.courtesy import asking_business_central
from connector.flows.messages import ask_for_poll
from connector.flows.parts import Parts
from connector.flows.rounds import ROUND_LIMIT, everywhere
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope, Subscription
from connector.setting_words import Company
from connector.storage.subscriptions import Registered, Standing

OFF = "webhooks are off"
UNREADABLE = "Business Central lists the subscription without an id that can be used"
REWRITTEN = "Business Central writes the notification address differently; give WEBHOOK_URL as it lists it"


def renew_all(parts: Parts, *, everything: bool = False) -> str:
    """Adopts, renews, creates and removes what is due, in every feed of every company; `everything`: renews all of ours.

    Returns why nothing was done, "" otherwise. What an outage puts off stays on record as it stood and is the next run's.
    """
    door = door_of(parts)
    if door is None:
        parts.telemetry.event("renewed", outcome=OFF)
        return OFF
    run = _Renewal(parts, door)
    stopped = ""
    try:
        run.go(everything=everything)
    except Outage as outage:
        stopped = str(outage)
        parts.telemetry.postponed("renew", outage)
    try:
        _report(parts)
    except StorageUnavailable as outage:
        parts.telemetry.postponed("renew", outage)
    return stopped


def door_of(parts: Parts) -> Door | None:
    """Where notifications are to come in; None while webhooks are off."""
    keys, url = parts.settings.webhook_keys, parts.settings.webhook_url
    return Door(url, keys) if url and keys else None


def listing(parts: Parts) -> Subscribed:
    """All subscriptions of the environment. Raises `Outage`."""
    with asking_business_central(parts):
        return parts.subscriptions.listing()


def remove(parts: Parts, removal: Remove) -> None:
    """Removes one of ours. Raises `ChangeRefused` or `Outage`."""
    with asking_business_central(parts):
        parts.subscriptions.remove(removal.subscription)
    parts.telemetry.event("subscription_removed", outcome=removal.reason)


class _Renewal:
    """One run."""

    def __init__(self, parts: Parts, door: Door) -> None:
        self._parts = parts
        self._door = door
        self._began = parts.clock.monotonic()
        self._known = Registered()
        self._count = 0

    def go(self, *, everything: bool) -> None:
        """Gathers, decides, applies. Raises `Outage` when it cannot gather."""
        parts = self._parts
        self._known = parts.registry.read()
        try:
            listed = listing(parts)
        except Refused as refused:
            self._cannot_list(str(refused))
            raise
        self._count = listed.count
        targets = [Target(Scope(company.key, feed), company.id) for company, feed in parts.feeds()]
        standings = self._known.standings.items()
        situation = Situation(
            wanted=targets,
            door=self._door,
            listed=listed.subscriptions,
            supported=self._supported(),
            recorded={scope: standing.id for scope, standing in standings if standing.state == "active"},
            now=listed.at,
        )
        decided = plan(situation, everything=everything)
        for removal in decided.removals:
            self._make_room(removal)
        decisions = {decision.target.scope: decision for decision in decided.decisions}

        def turn(company: Company, feed: Feed, _may_go_on: object) -> None:
            self._apply(company, feed, decisions[Scope(company.key, feed)])

        left = ROUND_LIMIT - (parts.clock.monotonic() - self._began)
        everywhere(parts, "renew", parts.feeds(), turn, limit=left)

    def _supported(self) -> Mapping[str, frozenset[str] | None]:
        """What each company offers; None where nobody can tell, and then all is tried."""
        told: dict[str, frozenset[str] | None] = {}
        for company in self._parts.settings.companies:
            try:
                with asking_business_central(self._parts):
                    told[company.key] = self._parts.subscriptions.supported(company)
            except StorageUnavailable:
                raise
            except Outage as outage:
                # An API beside the one that matters is away: renewal must not wait for it, and is not to ask it once more.
                self._parts.telemetry.postponed("renew", outage, company=company.key)
                break
        return told

    def _make_room(self, removal: Remove) -> None:
        try:
            if self._parts.clock.monotonic() - self._began < ROUND_LIMIT:
                remove(self._parts, removal)
                self._count -= 1
        except ChangeRefused as refused:
            # Changed since it was listed, perhaps renewed by another run that keeps it: the next run sees.
            self._parts.telemetry.warning("subscription_not_removed", outcome=removal.reason, status=refused.status)
        except Outage as outage:
            self._parts.telemetry.postponed("renew", outage)

    def _apply(self, company: Company, feed: Feed, decision: Decision) -> None:
        match decision:
            case Keep(_, held, adopted):
                self._stands(company, feed, held, ask=adopted)
            case Renew():
                self._renew(company, feed, decision)
            case Create():
                self._create(company, feed, decision)
            case Leave(target, reason):
                offered = reason != "not offered"
                self._keep(target.scope, Standing("refused", why=UNREADABLE) if offered else Standing("not offered"))

    def _renew(self, company: Company, feed: Feed, due: Renew) -> None:
        target, held = due.target, due.subscription
        try:
            with asking_business_central(self._parts), self._handshake():
                renewed = self._parts.subscriptions.renew(held, self._door.address, self._door.client_state(target))
        except ChangeRefused as refused:
            if refused.status in GONE:
                self._create(company, feed, Create(target, "gone"))
            elif refused.status in MOVED_ON:
                self._parts.telemetry.warning(
                    "renew_postponed", company=company.key, entity=feed.value, status=refused.status
                )
            else:
                self._lives_on(target, held, why_refused(str(refused), refused.status, 0))
            return
        except Refused as refused:
            self._lives_on(target, held, str(refused))
            return
        self._changed(target.scope, due.reason)
        self._stands(company, feed, renewed, ask=due.adopted)

    def _create(self, company: Company, feed: Feed, wanted: Create) -> None:
        target, client = wanted.target, self._parts.subscriptions
        try:
            with asking_business_central(self._parts), self._handshake():
                made = client.create(target.resource, self._door.address, self._door.client_state(target))
        except ChangeRefused as refused:
            self._refused(target, why_refused(str(refused), refused.status, self._count))
            return
        except Refused as refused:
            self._refused(target, str(refused))
            return
        self._count += 1
        if not self._door.leads_here(made):
            # The next run would not know it as ours and make another, and so on up to the limit.
            remove(self._parts, Remove(made, "unwanted"))
            self._refused(target, REWRITTEN)
            return
        self._changed(target.scope, wanted.reason)
        self._stands(company, feed, made, ask=True)

    def _stands(self, company: Company, feed: Feed, subscription: Subscription, *, ask: bool) -> None:
        """Puts a good subscription on record. The poll comes first: if this run dies between the two, the next one finds a
        subscription that is not on record, and asks again."""
        if ask:
            ask_for_poll(self._parts, company, feed)
        self._keep(Scope(company.key, feed), Standing("active", subscription.id, subscription.expires))

    def _lives_on(self, target: Target, held: Subscription, why: str) -> None:
        """It cannot be renewed, and tells of changes until it ends."""
        self._keep(target.scope, Standing("active", held.id, held.expires, why))

    def _refused(self, target: Target, why: str) -> None:
        """There is none. When the last one ended stays known, so that the alarm about it goes on."""
        before = self._known.standings.get(target.scope)
        self._keep(target.scope, Standing("refused", expires=before.expires if before else None, why=why))

    def _cannot_list(self, why: str) -> None:
        """BC refuses the listing: what is known to live lives on, and for the rest it is known now why there is nothing."""
        for company, feed in self._parts.feeds():
            scope = Scope(company.key, feed)
            standing = self._known.standings.get(scope)
            living = standing is not None and standing.state == "active"
            if not living:
                self._refused(Target(scope, company.id), why)

    def _keep(self, scope: Scope, standing: Standing) -> None:
        self._parts.registry.keep(scope, standing)

    def _changed(self, scope: Scope, reason: str) -> None:
        self._parts.telemetry.event(
            "subscription_changed", company=scope.company, entity=scope.feed.value, outcome=reason
        )

    @contextmanager
    def _handshake(self) -> Iterator[None]:
        """For the length of the block BC's handshakes are answered."""
        token = self._parts.randomness.token()
        self._parts.registry.open_handshake(token)
        try:
            yield
        finally:
            # It ends by itself, too; whether the request went well is not to be forgotten for this.
            with suppress(StorageUnavailable):
                self._parts.registry.close_handshake(token)


def _report(parts: Parts) -> None:
    """How each subscription stands and how long it will live, also while BC cannot be asked."""
    known = parts.registry.read()
    for company, feed in parts.feeds():
        standing = known.standings.get(Scope(company.key, feed))
        if standing is None:
            continue
        hours = standing.hours_left(known.read_at)
        fields = {"company": company.key, "entity": feed.value} | ({} if hours is None else {"hours": hours})
        tell = parts.telemetry.warning if standing.state == "refused" or standing.why else parts.telemetry.event
        tell("subscription", outcome=standing.state, **fields)
        if hours is not None and hours < ALARM_BELOW.total_seconds() / 3600:
            parts.telemetry.warning("subscription_ends", **fields)
