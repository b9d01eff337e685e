"""Watch: how each feed is watched, and up to which moment nothing in it is missing. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from connector.decisions.liveness import Liveness
from connector.decisions.turns import overdue
from connector.flows.liveness import watched
from connector.flows.parts import Parts
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope
from connector.setting_words import Company
from connector.storage.cursors import POLLS, SWEEPS, SweepRecord
from connector.storage.ledger import partition
from connector.storage.subscriptions import State


@dataclass(frozen=True, slots=True)
class Watched:
    """How one feed of one company is watched.

    `known_up_to`: everything that BC stamped until then is queued or recorded (BC's clock; None: not yet read to the end).
    `sweep`: the evidence beyond stamps: everything there was at `sweep.completed` has been compared by content since (None: a
    feed that is not swept). `overdue`: its timer seems to stand still.

    `state`: of its subscription, "" before the first renewal; `hours`: left of it (negative: since it ended; None: there never
    was one); `noticed`: when its last notification came; `why`: what stands in the way of notifications, or of the renewal
    while they still come.
    """

    company: Company
    feed: Feed
    known_up_to: datetime | None
    sweep: SweepRecord | None
    overdue: bool
    live: Liveness
    state: State | str
    hours: float | None
    noticed: datetime | None
    why: str


def watched_feeds(parts: Parts) -> Iterator[Watched]:
    """How every feed is watched, from what is on record."""
    known = parts.registry.read()
    for company, feed in parts.feeds():
        where = partition(company.key, feed)
        record, last = parts.cursors.read(POLLS, where)
        standing, notice = known.standings.get(Scope(company.key, feed)), known.notices.get(Scope(company.key, feed))
        live = watched(parts, company, feed, record, known)
        yield Watched(
            company=company,
            feed=feed,
            known_up_to=record.complete - parts.settings.poll_overlap if record.complete else None,
            sweep=parts.cursors.read(SWEEPS, where)[0] if parts.carried(feed) else None,
            overdue=overdue(last, parts.settings.interval(company, feed)),
            live=live,
            state=standing.state if standing else "",
            hours=standing.hours_left(known.read_at) if standing else None,
            noticed=notice.arrived if notice else None,
            why=(standing.why if standing else "") or live.why,
        )
