"""Liveness of each feed's notifications, from what polls, notifications and renewals have put on record."""

from __future__ import annotations

from datetime import datetime

from connector.decisions.liveness import Liveness, Signs, expected_since, liveness
from connector.flows.parts import Parts
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope
from connector.setting_words import Company
from connector.storage.cursors import PollRecord
from connector.storage.subscriptions import Registered


def watched(parts: Parts, company: Company, feed: Feed, record: PollRecord, known: Registered) -> Liveness:
    """How the feed is watched now."""
    return liveness(_signs(parts, company, feed, record, known))


def expectation(parts: Parts, company: Company, feed: Feed, record: PollRecord) -> datetime | None:
    """Since when polls find changes of which no notification told, now that this one has found some."""
    if not parts.settings.webhook_keys:
        return None
    return expected_since(_signs(parts, company, feed, record, parts.registry.read()))


def _signs(parts: Parts, company: Company, feed: Feed, record: PollRecord, known: Registered) -> Signs:
    scope = Scope(company.key, feed)
    standing, notice = known.standings.get(scope), known.notices.get(scope)
    return Signs(
        obstacle=_obstacle(parts, scope, known),
        expires=standing.expires if standing else None,
        arrived=notice.arrived if notice else None,
        lag=notice.lag if notice else 0.0,
        expected=record.expected,
        now=known.read_at,
    )


def _obstacle(parts: Parts, scope: Scope, known: Registered) -> str:
    if not parts.settings.webhook_keys:
        return "webhooks are off"
    standing = known.standings.get(scope)
    if standing is None:
        return "not subscribed yet"
    if standing.state == "not offered":
        return "BC offers no webhook"
    return "" if standing.state == "active" else standing.why or "the subscription was refused"
