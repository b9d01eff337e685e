"""Sizes of pages: cut at once to what fits, grown slowly, never below one or above the largest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.paging import TARGET_BYTES, TARGET_SECONDS, next_page_size, smaller

sizes = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("size", "seconds", "received", "expected"),
    [
        (1000, 0.5, 100_000, 1000),
        (1000, 10.0, 100_000, 1000),
        (1000, 20.0, 100_000, 500),
        (1000, 119.0, 100_000, 84),
        (1000, 0.5, 16 * 1024 * 1024, 500),
        (1000, 40.0, 16 * 1024 * 1024, 250),
        (400, 0.5, 1000, 500),
        (400, 9.0, 1000, 444),
        (3, 0.5, 1000, 4),
        (1, 0.5, 1000, 2),
        (1, 110.0, 10**9, 1),
        (900, 0.0, 0, 1000),
    ],
)
def test_the_next_page_is_cut_at_once_and_grown_by_a_quarter(
    size: int, seconds: float, received: int, expected: int
) -> None:
    assert next_page_size(size, 1000, seconds=seconds, received=received) == expected


@given(sizes, sizes, st.floats(0, 600), st.integers(0, 10**9))
def test_a_page_has_at_least_one_record_and_at_most_the_largest(
    size: int, largest: int, seconds: float, received: int
) -> None:
    assert 1 <= next_page_size(size, largest, seconds=seconds, received=received) <= largest


@given(sizes, st.floats(0.001, 600), st.integers(1, 10**9))
def test_a_page_that_costs_the_same_for_each_record_meets_both_targets_next_time(
    size: int, seconds: float, received: int
) -> None:
    after = next_page_size(size, 20_000, seconds=seconds, received=received)
    if after > 1:
        assert after * seconds / size <= TARGET_SECONDS * 1.001
        assert after * received / size <= TARGET_BYTES


@given(sizes)
def test_quick_pages_come_back_to_the_largest(size: int) -> None:
    largest, steps = 20_000, 0
    while size < largest:
        size = next_page_size(size, largest, seconds=0.1, received=1)
        steps += 1
    assert steps <= 50


@pytest.mark.parametrize(("size", "expected"), [(1000, 500), (3, 1), (2, 1), (1, 1)])
def test_a_page_that_was_too_much_is_halved(size: int, expected: int) -> None:
    assert smaller(size) == expected
