"""Rounds: what a timer does in every place (an entity or feed of a company, a table), inside the time a run of it may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TypeVar

from connector.errors import Outage
from connector.flows.parts import Parts
from connector.ports import Clock
from connector.setting_words import Company

ROUND_LIMIT = 240.0
"""Seconds. With the longest request that may be under way then, still well inside the time limit of host.json (10 minutes):
the Functions host ends a process whose function overruns it, and with it whatever else that process works on."""

Place = TypeVar("Place", bound=StrEnum)


def everywhere(
    parts: Parts,
    verb: str,
    places: Sequence[tuple[Company, Place]],
    work: Callable[[Company, Place, Callable[[], bool]], None],
    *,
    limit: float = ROUND_LIMIT,
) -> None:
    """Does the work in each place. What one cannot do now does not keep the others from their turn.

    `work` gets a function that tells whether there is time to go on: everyone has an equal share of the limit, and what those
    before left over. Outages are logged as ``<verb>_postponed``; another fault is raised when all have had their turn.
    """
    turns = [
        ({"company": company.key, "entity": place.value}, partial(work, company, place)) for company, place in places
    ]
    in_turn(parts, verb, turns, limit=limit)


def in_turn(
    parts: Parts,
    verb: str,
    turns: Sequence[tuple[Mapping[str, str], Callable[[Callable[[], bool]], None]]],
    *,
    limit: float = ROUND_LIMIT,
) -> None:
    """As `everywhere`, for whatever has turns: each with the fields that name it in telemetry, and its work."""
    began = parts.clock.monotonic()
    faults: list[Exception] = []
    for turn, (fields, work) in enumerate(turns, start=1):
        if parts.clock.monotonic() - began >= limit:
            parts.telemetry.warning(f"{verb}_postponed", **fields, outcome="time is up")
            continue
        try:
            work(_until(parts.clock, began + limit * turn / len(turns)))
        except Outage as outage:
            parts.telemetry.postponed(verb, outage, **fields)
        except Exception as fault:  # noqa: BLE001 - raised below, after the others have had their turn
            faults.append(fault)
    if faults:
        raise faults[0]


def _until(clock: Clock, end: float) -> Callable[[], bool]:
    return lambda: clock.monotonic() < end
