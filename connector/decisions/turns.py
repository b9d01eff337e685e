"""Turns: whether a timer's work in one place is due now, so that two timers, or a timer and a request, do no double work.

All moments are of the storage server's clock, which shows whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

LEASE = timedelta(minutes=3)
"""How long whoever has taken the turn may be silent. Longer than one request to BC with its tries, after which the turn is
renewed; short enough that a process that died holds nothing up for long."""
TOLERANCE = timedelta(seconds=2)
"""Timers and the server's clock do not tick together: a turn this much early is not put off until the next tick."""
ASKED_APART = timedelta(seconds=10)
"""Asked-for turns are not taken closer together than this. A notification tells of a change that is older."""
SHORTEST = timedelta(seconds=15)
OVERDUE = 3
"""So many intervals (of at least the shortest) without a turn mean that the timer stands still."""


@dataclass(frozen=True, slots=True)
class LastTurn:
    """When the last turn began (None: there was none), whether somebody has it now, and how long nothing was heard of it."""

    began: datetime | None
    held: bool
    age: timedelta
    now: datetime


def turn(last: LastTurn | None, interval: timedelta, *, asked: bool = False) -> Literal["take", "held", "not due"]:
    """Whether to take the turn: because it is due, or because somebody asks for it."""
    if last is not None and last.held and last.age < LEASE:
        return "held"
    if last is None or last.began is None:
        return "take"
    apart = min(interval, ASKED_APART) if asked else interval
    return "take" if last.held or last.now - last.began >= apart - min(TOLERANCE, apart / 4) else "not due"


def overdue(last: LastTurn | None, interval: timedelta) -> bool:
    """Whether the timer seems to stand still."""
    if last is None or last.began is None:
        return False  # a first poll is the timer's
    return last.now - last.began > OVERDUE * max(interval, SHORTEST) + LEASE * last.held
