"""Deliveries: what became of a document's rows behind any door, and what every door promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from connector.decisions.answers import RowResult
from connector.decisions.mapping import MappedDocument
from connector.errors import Ambiguous, Outage, Reason, Refused, Throttled, Unfinished
from connector.servicenow.session import SYSTEM


@dataclass(slots=True)
class Delivery:
    """What became of one document's rows. `outage` is set when some could not be brought to an end; it says why and how
    long to wait. Rows without a result were not sent."""

    results: dict[int, RowResult] = field(default_factory=dict)
    outage: Outage | None = None

    def complete(self, document: MappedDocument) -> bool:
        """Whether every row was accepted."""
        return len(self.results) == len(document.rows) and all(
            result.disposition == "accept" for result in self.results.values()
        )

    def reasons(self, document: MappedDocument) -> list[Reason]:
        """Why ServiceNow refused rows, in its own words. Lines that failed for want of their header add nothing."""
        refused = {row: result for row, result in self.results.items() if result.disposition == "park"}
        if 0 in refused:
            refused = {0: refused[0]}
        return [
            Reason(
                "REJECTED_BY_SERVICENOW",
                f"{document.rows[row].table} answered {result.outcome}: {result.message}"[:500],
                "Correct the named value in BC or the missing record in ServiceNow, then replay.",
                document.rows[row].where,
            )
            for row, result in sorted(refused.items())
        ]


def outage_of(result: RowResult, settles_after: float) -> Outage | None:
    """The outage that a row's result comes to; None when it is about the row itself."""
    said = f"a row answered {result.outcome}: {result.message}"
    if result.disposition == "refused":
        return Refused(SYSTEM, said)
    if result.disposition == "throttled":
        return Throttled(SYSTEM, said)
    if result.disposition == "ambiguous":
        return Ambiguous(SYSTEM, said, settles_after=settles_after)
    if result.disposition == "retry":
        return Outage(SYSTEM, said)
    return None


def out_of_time(*, went_on: bool) -> Outage:
    """The outage of a document with rows that its run did not get to. `went_on`: rows of it were taken in that very run, so
    that the next one gets further."""
    said = "did not get to all rows in time"
    return Unfinished(SYSTEM, said) if went_on else Outage(SYSTEM, said)


def stopping(outages: Iterable[Outage | None]) -> Outage | None:
    """The first outage that what was not sent yet would meet too: a refusal or throttle is about the user or the instance."""
    return next((outage for outage in outages if isinstance(outage, Refused | Throttled)), None)


class Door(Protocol):
    """One way to write. A document's header goes before its lines; a repeated row changes nothing, because rows carry a key.

    `settles_after`: seconds after which the server has ended whatever this door sent.
    """

    @property
    def settles_after(self) -> float:
        """How long to leave a document alone when the fate of what was sent is not known."""
        ...

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        ...
