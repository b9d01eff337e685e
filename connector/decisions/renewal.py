"""Renewal: what is to be done about the webhook subscriptions, given what Business Central lists.

A subscription is ours when its notifications go to our address under one of the valid keys; every other one is foreign and left
alone. What is on record about ours decides nothing but whether one is new to us: a lost record makes us adopt, not double.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from connector.decisions.client_state import client_state, path_part
from connector.model.subscriptions import Scope, Subscription

RENEW_BELOW = timedelta(hours=48)
"""Life left below which a subscription is renewed. BC gives three days; with an hourly timer, that leaves two days of tries."""
JITTER = timedelta(hours=6)
LIMIT = 200
"""Subscriptions of one environment online, all applications together ("Operational Limits for Business Central Online")."""

_RESOURCE = re.compile(r"/?(?:api/v2\.0/)?companies\((?P<company>[0-9a-fA-F-]{36})\)/(?P<feed>\w+)", re.ASCII)
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class Target:
    """What should be subscribed to: a scope, and the id of its company in BC (lower case)."""

    scope: Scope
    company_id: str

    @property
    def resource(self) -> str:
        """The scope as BC names it."""
        return f"/api/v2.0/companies({self.company_id})/{self.scope.feed}"


@dataclass(frozen=True, slots=True)
class Door:
    """Where notifications reach us: an address that has a part of its own under each key. The present key comes first."""

    url: str
    keys: tuple[bytes, ...]

    @property
    def address(self) -> str:
        """The address that new subscriptions get."""
        return _address(self.url, self.keys[0])

    def client_state(self, target: Target) -> str:
        """The ``clientState`` that a subscription of this target gets."""
        return client_state(self.keys[0], target.company_id, target.scope.feed)

    def leads_here(self, subscription: Subscription) -> bool:
        """Whether its notifications come to us: then it is ours."""
        given = _comparable(subscription.url)
        return any(given == _comparable(_address(self.url, key)) for key in self.keys)

    def is_present(self, subscription: Subscription) -> bool:
        """Whether its address is that of the present key."""
        return _comparable(subscription.url) == _comparable(self.address)


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is to decide by.

    `supported`: the resources that BC offers for webhooks, by the key of the company; None where it does not tell.
    `recorded`: the id on record of each subscription that was active. `now`: by BC's clock, as the expiries are.
    """

    wanted: Sequence[Target]
    door: Door
    listed: Sequence[Subscription]
    supported: Mapping[str, frozenset[str] | None]
    recorded: Mapping[Scope, str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Keep:
    """It stands as it should. `adopted`: it is not on record, so nobody may have asked for what it did not tell of."""

    target: Target
    subscription: Subscription
    adopted: bool


@dataclass(frozen=True, slots=True)
class Renew:
    """It is to be renewed. `adopted` as with `Keep`."""

    target: Target
    subscription: Subscription
    reason: Literal["due", "rotation", "altered", "asked"]
    adopted: bool


@dataclass(frozen=True, slots=True)
class Create:
    """There is none: it was never there, or it is ``gone`` (deleted by BC or somebody, or expired)."""

    target: Target
    reason: Literal["new", "gone"]


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing can be done: BC offers no webhook for it, or lists ours without an id that could be used."""

    target: Target
    reason: Literal["not offered", "unreadable"]


@dataclass(frozen=True, slots=True)
class Remove:
    """One of ours is to go: another does the same, or nobody wants its notifications any more."""

    subscription: Subscription
    reason: Literal["duplicate", "unwanted"]


Decision = Keep | Renew | Create | Leave


@dataclass(frozen=True, slots=True)
class Plan:
    """The removals, which make room and so come first, and one decision for each target."""

    removals: tuple[Remove, ...]
    decisions: tuple[Decision, ...]


def plan(situation: Situation, *, everything: bool = False) -> Plan:
    """What to do now. `everything`: renew also what is not due."""
    ours = [one for one in situation.listed if situation.door.leads_here(one)]
    removals = [
        Remove(one, "unwanted")
        for one in ours
        if one.id and not any(concerns(one, target) for target in situation.wanted)
    ]
    decisions: list[Decision] = []
    for target in situation.wanted:
        found = [one for one in ours if concerns(one, target)]
        usable = sorted(
            (one for one in found if one.id), key=lambda one: (one.expires, situation.door.is_present(one), one.id)
        )
        removals += [Remove(one, "duplicate") for one in usable[:-1]]
        if usable:
            decisions.append(_held(situation, target, usable[-1], everything=everything))
        elif found:
            decisions.append(Leave(target, "unreadable"))
        else:
            decisions.append(_absent(situation, target))
    return Plan(tuple(removals), tuple(decisions))


def concerns(subscription: Subscription, target: Target) -> bool:
    """Whether the subscription is about this target, however its resource is written."""
    named = _RESOURCE.fullmatch(subscription.resource)
    return (
        named is not None and named["company"].lower() == target.company_id and named["feed"] == target.scope.feed.value
    )


def due_below(scope: Scope) -> timedelta:
    """Life left below which this scope's subscription is renewed: up to six hours less for some than for others, so that
    subscriptions made at the same moment are not renewed at the same moment for ever."""
    chance = int.from_bytes(hashlib.sha256(f"{scope.company}|{scope.feed}".encode()).digest()[:4], "big") / 2**32
    return RENEW_BELOW - JITTER * chance


def why_refused(said: str, status: int, listed: int) -> str:
    """A refusal in words for an operator. BC's own codes do not tell why; how many subscriptions there are may.

    `said`: the refusal; `status`: of the answer; `listed`: how many subscriptions the environment has (0: no new one was asked
    for, so their number is no matter).
    """
    if listed >= LIMIT:
        cause = f"the environment has {listed} subscriptions and BC online takes {LIMIT}; remove those nobody needs"
    elif status == 404:
        cause = "the company or the record set is not there; check COMPANIES"
    else:
        cause = "check WEBHOOK_URL, and that the app answers there from the internet within 5 seconds"
    return f"{said}: {cause}"


def _held(situation: Situation, target: Target, held: Subscription, *, everything: bool) -> Keep | Renew:
    adopted = situation.recorded.get(target.scope) != held.id
    if not situation.door.is_present(held):
        return Renew(target, held, "rotation", adopted)
    if held.client_state != situation.door.client_state(target):
        return Renew(target, held, "altered", adopted)
    if held.expires - situation.now <= due_below(target.scope):
        return Renew(target, held, "due", adopted)
    if everything:
        return Renew(target, held, "asked", adopted)
    return Keep(target, held, adopted)


def _absent(situation: Situation, target: Target) -> Create | Leave:
    supported = situation.supported.get(target.scope.company)
    if supported is not None and f"v2.0/{target.scope.feed}" not in supported:
        return Leave(target, "not offered")
    return Create(target, "gone" if situation.recorded.get(target.scope) else "new")


def _address(url: str, key: bytes) -> str:
    return f"{url}/{path_part(key)}"


def _comparable(address: str) -> tuple[str, str, str]:
    """The address in one spelling: BC may write the host in lower case and leave out the port that goes without saying. Were
    ours not recognised then, a new one would be made at each run."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", "", address
    scheme, host = parts.scheme.lower(), parts.netloc.lower()
    return scheme, host.removesuffix(_DEFAULT_PORTS.get(scheme, "")), address.partition("//")[2].partition("/")[2]
