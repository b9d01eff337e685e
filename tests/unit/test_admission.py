"""Admission: the whole table over status, origin, generation, stamp, age and due, and the rules behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.admission import CLAIM, Standing, admit
from connector.decisions.states import OPEN, Status
from connector.model.stamps import NEVER
from connector.model.units import Origin, Reference

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
SETTLED = datetime(2026, 7, 15, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)

GENERATIONS = {"older": 1, "same": 2, "newer": 3}
STAMPS = {"older": SETTLED - SECOND, "same": SETTLED, "newer": SETTLED + SECOND}
SETTLEDS = {"known": SETTLED, "never": None}
AGES = {"fresh": CLAIM - SECOND, "just expired": CLAIM, "old": 10 * CLAIM}
DUES = {"none": None, "past": NOW - SECOND, "now": NOW, "future": NOW + SECOND}

RESTING = frozenset(Status) - OPEN


def expected(status: Status, origin: Origin, generation: str, stamp: str, settled: str, age: str, due: str) -> str:
    """The verdict in the words of the contract, rule by rule."""
    if generation == "older" and origin not in (Origin.POLL, Origin.NOTIFICATION, Origin.BACKFILL):
        return "void"
    if status is Status.CLAIMED:
        return {"fresh": "busy", "just expired": "claim", "old": "claim"}[age]
    if status is Status.PENDING:
        return "due" if due == "future" and origin is not Origin.RETRY else "claim"
    if origin in (Origin.REPLAY, Origin.SWEEP):
        return "void" if status is Status.DISCARDED else "claim"
    return "known" if settled == "known" and stamp in ("older", "same") else "claim"


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("status", Status)
def test_every_combination_has_the_verdict_of_the_contract(status: Status, origin: Origin) -> None:
    for generation, stamp, settled, age, due in product(GENERATIONS, STAMPS, SETTLEDS, AGES, DUES):
        verdict = admit(
            Reference("a", STAMPS[stamp], GENERATIONS[generation]),
            origin,
            Standing(status, SETTLEDS[settled], NEVER, 2, DUES[due], AGES[age], NOW),
        )
        assert verdict == expected(status, origin, generation, stamp, settled, age, due), (
            generation,
            stamp,
            settled,
            age,
            due,
        )


references = st.builds(
    Reference, id=st.just("a"), seen=st.sampled_from(list(STAMPS.values())), generation=st.integers(0, 4)
)
standings = st.builds(
    Standing,
    status=st.sampled_from(Status),
    settled=st.sampled_from(list(SETTLEDS.values())),
    noticed=st.sampled_from([NEVER, *STAMPS.values()]),
    generation=st.integers(0, 4),
    due=st.sampled_from(list(DUES.values())),
    age=st.sampled_from(list(AGES.values())),
    read_at=st.just(NOW),
)


@given(references, standings)
def test_a_change_in_bc_is_never_lost(reference: Reference, standing: Standing) -> None:
    """What a poll found newer is worked on, or somebody works on it already, or a message for it is on its way."""
    verdict = admit(reference, Origin.POLL, standing)
    assert verdict != "void"
    if verdict == "known":
        assert standing.settled is not None
        assert reference.seen <= standing.settled


@given(references, standings, st.sampled_from(Origin))
def test_a_living_claim_is_never_taken_over(reference: Reference, standing: Standing, origin: Origin) -> None:
    if standing.status is Status.CLAIMED and standing.age < CLAIM:
        assert admit(reference, origin, standing) in ("busy", "void")


@given(references, standings, st.sampled_from([Origin.RETRY, Origin.RESCUE, Origin.REPLAY]))
def test_a_message_of_an_older_generation_does_nothing(
    reference: Reference, standing: Standing, origin: Origin
) -> None:
    if reference.generation < standing.generation:
        assert admit(reference, origin, standing) == "void"


@given(references, standings)
def test_a_discarded_document_is_not_replayed(reference: Reference, standing: Standing) -> None:
    if standing.status is Status.DISCARDED:
        assert admit(reference, Origin.REPLAY, standing) == "void"


def test_a_parked_note_put_back_by_hand_is_worked_on_once() -> None:
    note = Reference("a", datetime(1, 1, 1, tzinfo=UTC), 3)
    parked = Standing(Status.PARKED, SETTLED, NEVER, 3, None, timedelta(0), NOW)
    assert admit(note, Origin.REPLAY, parked) == "claim"
    parked_again = Standing(Status.PARKED, SETTLED, NEVER, 4, None, timedelta(0), NOW)
    assert admit(note, Origin.REPLAY, parked_again) == "void"


def test_a_claim_outlives_a_unit_and_the_longest_request_it_may_have_started() -> None:
    assert timedelta(minutes=5, seconds=120) < CLAIM


def test_a_claim_may_be_shorter() -> None:
    reference = Reference("a", SETTLED, 2)
    claimed = Standing(Status.CLAIMED, None, NEVER, 2, None, timedelta(seconds=10), NOW)
    assert admit(reference, Origin.POLL, claimed, timedelta(seconds=11)) == "busy"
    assert admit(reference, Origin.POLL, claimed, timedelta(seconds=10)) == "claim"


def test_a_notification_that_was_followed_is_not_followed_again_and_hides_nothing_from_the_poll() -> None:
    """Its stamp may be later than the document's own; a change stamped in between is the poll's to find."""
    noticed = Standing(Status.DONE, SETTLED, SETTLED + 2 * SECOND, 0, None, timedelta(0), NOW)
    again = Reference("a", SETTLED + 2 * SECOND)
    assert admit(again, Origin.NOTIFICATION, noticed) == "known"
    assert admit(Reference("a", SETTLED + SECOND), Origin.POLL, noticed) == "claim"
    assert admit(Reference("a", SETTLED + 3 * SECOND), Origin.NOTIFICATION, noticed) == "claim"


def test_resting_states_are_all_but_the_open_ones() -> None:
    assert {"done", "parked", "waiting", "superseded", "closed", "discarded"} == {each.value for each in RESTING}
