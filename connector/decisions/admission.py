"""Admission: what a worker does with a reference when it holds it against the document's ledger row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connector.decisions.states import Status
from connector.model.units import Origin, Reference

CLAIM = timedelta(minutes=9)
"""How long a claim stands without progress. Longer than a unit may work plus the longest request it may have started."""


FINDERS = frozenset({Origin.POLL, Origin.NOTIFICATION, Origin.BACKFILL})
"""Origins that know nothing of generations: they speak of what is in BC."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says about a document: its state, the stamp that state speaks of, and the row's age by the
    storage server's clock. `noticed`: the newest stamp of a notification that was followed. `due`: nothing may be sent for it
    before."""

    status: Status
    settled: datetime | None
    noticed: datetime
    generation: int
    due: datetime | None
    age: timedelta
    read_at: datetime


Verdict = Literal["claim", "known", "void", "busy", "due"]


def admit(reference: Reference, origin: Origin, standing: Standing, claim: timedelta = CLAIM) -> Verdict:
    """What to do with the reference.

    ``claim``: work on it. ``known``: the ledger already speaks of this version. ``void``: the message belongs to an older
    generation (the document was parked or discarded since). ``busy``: another worker has it and may have read an older
    version; look again later. ``due``: an earlier request has not settled; the message sent for that reads BC anew anyway.
    """
    if reference.generation < standing.generation and origin not in FINDERS:
        return "void"
    if standing.status is Status.CLAIMED:
        return "claim" if standing.age >= claim else "busy"
    if standing.status is Status.PENDING:
        early = standing.due is not None and standing.read_at < standing.due
        return "due" if early and origin is not Origin.RETRY else "claim"
    if origin in (Origin.REPLAY, Origin.SWEEP):
        return "void" if standing.status is Status.DISCARDED else "claim"
    if standing.settled is None:
        return "claim"
    # A notification's stamp is when the change was logged, a little after the document's own.
    known = max(standing.settled, standing.noticed) if origin is Origin.NOTIFICATION else standing.settled
    return "known" if reference.seen <= known else "claim"
