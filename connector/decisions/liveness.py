"""Liveness: whether a feed's notifications can be relied on to come, or polling alone carries it. Polling always runs, so this
decides nothing about what is found: it tells an operator what he may expect.

All moments are of the storage server's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SILENT_AFTER = timedelta(minutes=10)
"""BC sends 30 seconds after a change. When polls have found changes for so long and no notification came, none will."""
LATE_AFTER = timedelta(minutes=10).total_seconds()
ALARM_BELOW = timedelta(hours=24)
"""Life left of a subscription below which somebody must look: renewal has failed for a day."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What there is to judge by. `obstacle`: why there is no subscription, "" when there is one; `arrived` and `lag` (seconds):
    of the last notification; `expected`: since when polls find changes of which no notification told."""

    obstacle: str
    expires: datetime | None
    arrived: datetime | None
    lag: float
    expected: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Liveness:
    """``notified``: notifications come and polling backs them up. ``polling``: they do not, for the reason `why`.
    `alarm`: the subscription will end soon."""

    mode: Literal["notified", "polling"]
    why: str = ""
    alarm: bool = False


def liveness(signs: Signs) -> Liveness:
    """How the feed is watched now."""
    if signs.obstacle:
        return Liveness("polling", signs.obstacle)
    if signs.expires is None or signs.expires <= signs.now:
        return Liveness("polling", "the subscription has ended", alarm=True)
    alarm = signs.expires - signs.now < ALARM_BELOW
    if _unanswered(signs) and signs.expected is not None and signs.now - signs.expected > SILENT_AFTER:
        return Liveness("polling", "changes are found of which no notification tells", alarm)
    if signs.lag > LATE_AFTER:
        return Liveness("polling", "notifications come late", alarm)
    return Liveness("notified", "", alarm)


def expected_since(signs: Signs) -> datetime | None:
    """A poll has found a change nobody told of: since when that has been so."""
    if signs.obstacle:
        return None
    return signs.expected if _unanswered(signs) else signs.now


def _unanswered(signs: Signs) -> bool:
    return signs.expected is not None and (signs.arrived is None or signs.arrived < signs.expected)
