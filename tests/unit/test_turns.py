"""Turns: who polls when, and when a timer seems to stand still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.turns import LEASE, OVERDUE, SHORTEST, TOLERANCE, LastTurn, overdue, turn

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def last(began: float | None, *, held: float | None = None) -> LastTurn:
    """A turn that began so many seconds ago; `held`: somebody still has it and was heard of so many seconds ago."""
    age = seconds(0 if held is None else held)
    return LastTurn(None if began is None else NOW - seconds(began), held is not None, age, NOW)


def test_the_first_turn_is_taken() -> None:
    assert turn(None, seconds(300)) == "take"
    assert turn(last(None), seconds(300)) == "take"


@pytest.mark.parametrize(
    ("began", "interval", "verdict"),
    [
        (0, 15, "not due"),
        (12, 15, "not due"),
        (13, 15, "take"),
        (15, 15, "take"),
        (297, 300, "not due"),
        (298, 300, "take"),
        (2, 4, "not due"),
        (3, 4, "take"),
        (0, 0, "take"),
    ],
)
def test_a_turn_is_due_after_its_interval_or_a_little_earlier(began: float, interval: float, verdict: str) -> None:
    assert turn(last(began), seconds(interval)) == verdict


@pytest.mark.parametrize(
    ("began", "interval", "verdict"),
    [(7, 300, "not due"), (8, 300, "take"), (2, 4, "not due"), (3, 4, "take"), (0, 0, "take")],
)
def test_a_turn_that_is_asked_for_is_due_after_ten_seconds_or_the_interval(
    began: float, interval: float, verdict: str
) -> None:
    assert turn(last(began), seconds(interval), asked=True) == verdict


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("began", [None, 0, 1000])
def test_nobody_takes_a_turn_that_somebody_has(began: float | None, asked: bool) -> None:
    just_heard_of = LEASE.total_seconds() - 1
    assert turn(last(began, held=just_heard_of), seconds(15), asked=asked) == "held"


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("interval", [15, 86400])
def test_the_turn_of_somebody_who_died_is_free_after_the_lease(interval: float, asked: bool) -> None:
    assert turn(last(180, held=LEASE.total_seconds()), seconds(interval), asked=asked) == "take"


@given(began=st.integers(0, 100_000), interval=st.integers(0, 86_400), asked=st.booleans())
def test_turns_are_never_closer_than_the_interval_less_the_tolerance(began: int, interval: int, asked: bool) -> None:
    apart = min(interval, 10) if asked else interval
    due = began >= apart - min(TOLERANCE.total_seconds(), apart / 4)
    assert (turn(last(began), seconds(interval), asked=asked) == "take") is due


@pytest.mark.parametrize(
    ("began", "interval", "expected"),
    [(45, 15, False), (46, 15, True), (45, 1, False), (46, 1, True), (900, 300, False), (901, 300, True)],
)
def test_a_timer_is_overdue_after_three_intervals_of_at_least_the_shortest(
    began: float, interval: float, expected: bool
) -> None:
    assert (3, seconds(15)) == (OVERDUE, SHORTEST)
    assert overdue(last(began), seconds(interval)) is expected


@pytest.mark.parametrize(("began", "expected"), [(225, False), (226, True)])
def test_a_turn_under_way_has_its_lease_besides(began: float, expected: bool) -> None:
    assert overdue(last(began, held=began), seconds(15)) is expected


def test_a_timer_that_never_came_is_not_overdue() -> None:
    assert not overdue(None, seconds(15))
    assert not overdue(last(None), seconds(15))
