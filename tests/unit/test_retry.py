"""Retry: what the other side told wins within bounds; else exponential with full jitter, never at once, never over 6 h."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.retry import FIRST, LONGEST, LONGEST_TOLD, SHORTEST, retry_after, wait_seconds

chances = st.floats(0, 1)
attempts = st.integers(1, 10_000)


@given(attempts, chances)
def test_a_wait_lies_between_half_the_first_and_six_hours(attempt: int, chance: float) -> None:
    assert FIRST / 2 <= wait_seconds(attempt, chance) <= LONGEST == 6 * 3600


@given(attempts, chances, st.floats(allow_nan=False))
def test_what_was_told_wins_between_a_second_and_a_quarter_of_an_hour(attempt: int, chance: float, told: float) -> None:
    wait = wait_seconds(attempt, chance, told=told)
    assert SHORTEST == 1
    assert LONGEST_TOLD == 900
    assert wait == min(max(told, 1), 900)


@given(attempts, chances)
def test_a_later_attempt_never_waits_less_for_the_same_chance(attempt: int, chance: float) -> None:
    assert wait_seconds(attempt + 1, chance) >= wait_seconds(attempt, chance)


@given(attempts, chances, chances)
def test_chance_spreads_the_waits(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert wait_seconds(attempt, low) <= wait_seconds(attempt, high)


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [
        (1, 1.0, 30.0),
        (2, 1.0, 60.0),
        (3, 0.5, 60.0),
        (10, 1.0, 15360.0),
        (11, 1.0, 21600.0),
        (1, 0.0, 7.5),
        (10_000, 1.0, 21600.0),
    ],
)
def test_the_ceiling_doubles_from_half_a_minute(attempt: int, chance: float, seconds: float) -> None:
    assert wait_seconds(attempt, chance) == seconds


def test_ten_attempts_of_a_herd_do_not_meet() -> None:
    waits = {wait_seconds(5, number / 50) for number in range(1, 51)}
    assert len(waits) == 50


@pytest.mark.parametrize(
    ("told", "seconds"), [(0.0, 1.0), (-5.0, 1.0), (1.0, 1.0), (30.0, 30.0), (900.0, 900.0), (1e9, 900.0)]
)
def test_absurd_wishes_are_clamped(told: float, seconds: float) -> None:
    assert wait_seconds(1, 0.5, told=told) == seconds


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("120", None, 120.0),
        (" 120 ", None, 120.0),
        ("0", None, 0.0),
        ("1000000000", None, 1e9),
        ("9" * 12, None, 999_999_999_999.0),
        ("9" * 13, None, None),
        ("9" * 400, None, None),
        ("-5", None, None),
        ("1.5", None, None),
        ("1e3", None, None),
        ("1_0", None, None),
        ("١٢", None, None),
        ("²", None, None),
        ("abc", None, None),
        ("", None, None),
        ("a date", 1030.0, 30.0),
        ("a date in the past", 900.0, 0.0),
        ("120", 5000.0, 120.0),
    ],
)
def test_a_retry_after_is_seconds_or_the_distance_of_a_date(
    value: str | None, date: float | None, seconds: float | None
) -> None:
    assert retry_after(value, 1000.0, date) == seconds


@given(st.text(max_size=30), st.floats(0, 4e9), st.none() | st.floats(-1e9, 1e12))
def test_whatever_the_header_says_the_wait_is_bounded(value: str, now: float, date: float | None) -> None:
    told = retry_after(value, now, date)
    assert told is None or 1 <= wait_seconds(1, 0.5, told=told) <= 900
