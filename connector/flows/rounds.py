"""Rounds: what a timer does in every place (a company's entity or feed), inside the time one run of a function may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

from connector.errors import Outage
from connector.flows.parts import Parts
from connector.ports import Clock
from connector.settings import Company

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
    began = parts.clock.monotonic()
    faults: list[Exception] = []
    for turn, (company, place) in enumerate(places, start=1):
        if parts.clock.monotonic() - began >= limit:
            parts.telemetry.warning(f"{verb}_postponed", company=company.key, entity=place.value, outcome="time is up")
            continue
        try:
            work(company, place, _until(parts.clock, began + limit * turn / len(places)))
        except Outage as outage:
            parts.telemetry.postponed(verb, outage, company=company.key, entity=place.value)
        except Exception as fault:  # noqa: BLE001 - raised below, after the others have had their turn
            faults.append(fault)
    if faults:
        raise faults[0]


def _until(clock: Clock, end: float) -> Callable[[], bool]:
    return lambda: clock.monotonic() < end
