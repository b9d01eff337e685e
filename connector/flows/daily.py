"""Daily: what is done once a day. What one part cannot do now does not keep the others from theirs."""

from __future__ import annotations

from collections.abc import Callable

from connector.flows.digest import daily_digest
from connector.flows.parts import Parts
from connector.flows.retention import retain
from connector.flows.rounds import in_turn


def daily_all(parts: Parts) -> None:
    """Says what is parked and why, then clears away what need not be kept."""

    def digest(_may_go_on: Callable[[], bool]) -> None:
        daily_digest(parts)

    def retention(_may_go_on: Callable[[], bool]) -> None:
        retain(parts)

    in_turn(parts, "daily", [({"task": "digest"}, digest), ({"task": "retention"}, retention)])
