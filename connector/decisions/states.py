"""The states of a document in the ledger, and the moves between them that exist.

Conservation: every document ever seen is in exactly one of these, always.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Where a document stands."""

    WAITING = "waiting"
    """Seen, not to be carried yet (a draft, say)."""
    PENDING = "pending"
    """To be worked on: a message is on its way, or will be."""
    CLAIMED = "claimed"
    """A worker has it."""
    DONE = "done"
    """Staged in ServiceNow and verified, or unchanged since."""
    PARKED = "parked"
    """Cannot be carried as it is; its reasons are on record."""
    SUPERSEDED = "superseded"
    """Another document carries the same liability."""
    CLOSED = "closed"
    """Gone from BC, with its end on record."""
    DISCARDED = "discarded"
    """Given up by an operator, with a reason."""


OPEN = frozenset({Status.PENDING, Status.CLAIMED})
"""The states in which work is due; the rescue timer looks after them."""

FINISHED = frozenset({Status.DONE, Status.SUPERSEDED, Status.CLOSED, Status.DISCARDED})
"""The states of which nothing more is expected until the document changes; their events need not be kept for ever."""

_RESTING = frozenset(Status) - OPEN

MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.CLAIMED, Status.PENDING, Status.PARKED}),
    Status.CLAIMED: frozenset(Status) - {Status.DISCARDED},
    **{status: frozenset({Status.CLAIMED, Status.PENDING, status}) for status in _RESTING},
    Status.PARKED: frozenset({Status.CLAIMED, Status.PENDING, Status.DISCARDED, Status.PARKED}),
}
"""A state that stays may still change its row: the pointer to a poison message comes and goes."""


def legal(before: Status, after: Status) -> bool:
    """Whether a document may go from one state to the other."""
    return after in MOVES[before]
