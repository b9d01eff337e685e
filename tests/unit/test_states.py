"""The states of a document: every move that exists, and that no other does."""

from __future__ import annotations

from itertools import product

import pytest

from connector.decisions.states import MOVES, OPEN, Status, legal

W, P, C, D, K, S, X, Z = (
    Status.WAITING,
    Status.PENDING,
    Status.CLAIMED,
    Status.DONE,
    Status.PARKED,
    Status.SUPERSEDED,
    Status.CLOSED,
    Status.DISCARDED,
)

LEGAL = {
    # Work that is due is taken, sent again, or given up by the rescue.
    *((P, after) for after in (P, C, K)),
    # A worker ends with any outcome, puts it back, or takes over an expired claim; it never discards.
    *((C, after) for after in (W, P, C, D, K, S, X)),
    # What rests may become due again, by a change in BC or a replay.
    *((before, after) for before in (W, D, K, S, X, Z) for after in (P, C)),
    # Only a person gives up, and only what is parked.
    (K, Z),
    # Book-keeping in place: the pointer to a poison message is set while parked, and taken away once it moved on.
    (K, K),
    *((resting, resting) for resting in (W, D, S, X, Z)),
}


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_a_document_moves_only_along_the_legal_moves(before: Status, after: Status) -> None:
    assert legal(before, after) == ((before, after) in LEGAL)


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(Status)


def test_every_state_can_be_reached_from_pending_and_left_again() -> None:
    reached = {Status.PENDING}
    while (further := reached | {after for before in reached for after in MOVES[before]}) != reached:
        reached = further
    assert reached == set(Status)
    assert all(MOVES[status] - {status} for status in Status)


def test_work_is_due_while_pending_or_claimed() -> None:
    assert {Status.PENDING, Status.CLAIMED} == OPEN


def test_states_are_named_as_everywhere_else() -> None:
    assert [status.value for status in Status] == [
        "waiting",
        "pending",
        "claimed",
        "done",
        "parked",
        "superseded",
        "closed",
        "discarded",
    ]
