"""The client's own retry budget: a few tries within seconds. Whatever takes longer is the queue's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connector.errors import Outage, Refused, Throttled
from connector.ports import Clock, Randomness

TRIES = 3
PATIENCE = 10.0
"""Seconds within which all tries of one request begin."""

T = TypeVar("T")


def patiently(
    call: Callable[[], T], clock: Clock, randomness: Randomness, *, also: tuple[type[Exception], ...] = ()
) -> T:
    """What the call returns; an outage (and errors of the kinds `also`) is tried again, a refusal or throttle is not."""
    passing: tuple[type[Exception], ...] = (Outage, *also)
    started = clock.monotonic()
    for attempt in range(1, TRIES + 1):
        try:
            return call()
        except (Refused, Throttled):
            raise
        except passing as error:
            told = error.retry_after if isinstance(error, Outage) else None
            pause = told if told is not None else randomness.uniform(0.2, attempt)
            if attempt == TRIES or clock.monotonic() - started + pause > PATIENCE:
                raise
            clock.sleep(pause)
    raise AssertionError("the last try returns or raises")
