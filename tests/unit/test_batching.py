"""Batch sizes: always between 5 and the largest, halved after left-overs, cut to what fits, grown slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.batching import SMALLEST, TARGET_MS, next_size

odd_times = st.integers(-5, 120_000) | st.none() | st.booleans() | st.text(max_size=3) | st.floats()


@given(st.data(), st.integers(1, 500), st.lists(odd_times, max_size=60), st.integers(0, 60))
def test_the_size_stays_within_its_bounds(data: st.DataObject, largest: int, times: list[object], sent: int) -> None:
    size = data.draw(st.integers(1, largest))
    after = next_size(size, largest, times, sent)
    assert min(SMALLEST, largest) <= after <= largest


@given(st.integers(5, 500), st.integers(1, 60))
def test_rows_left_over_halve_the_size(size: int, sent: int) -> None:
    assert next_size(size, 500, [10] * (sent - 1), sent) == max(5, size // 2)


@given(st.integers(5, 500), st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_the_next_batch_fits_into_the_target_by_the_times_of_the_last(size: int, times: list[int]) -> None:
    after = next_size(size, 500, times, len(times))
    assert after == SMALLEST or after * sum(times) <= TARGET_MS * len(times)


@given(st.integers(5, 500), st.lists(odd_times, max_size=60))
def test_the_size_grows_by_a_quarter_at_most(size: int, times: list[object]) -> None:
    assert next_size(size, 500, times, len(times)) <= size + max(1, size // 4)


@pytest.mark.parametrize(
    ("size", "largest", "times", "sent", "after"),
    [
        (100, 100, [10] * 100, 100, 100),
        (100, 100, [300] * 100, 100, 50),
        (100, 100, [15_000], 1, 5),
        (100, 100, [], 100, 50),
        (8, 100, [], 8, 5),
        (5, 100, [1] * 5, 5, 6),
        (40, 100, [1] * 40, 40, 50),
        (40, 100, [0] * 40, 40, 50),
        (40, 100, [None] * 40, 40, 50),
        (40, 100, [True, "7", 1.5, -1], 4, 50),
        (3, 3, [60_000] * 3, 3, 3),
        (1, 1, [], 1, 1),
    ],
)
def test_sizes_follow_the_servers_times(size: int, largest: int, times: list[object], sent: int, after: int) -> None:
    assert next_size(size, largest, times, sent) == after


def test_a_slow_server_is_given_its_rows_back_within_a_few_batches() -> None:
    size = 5
    for _ in range(20):
        size = next_size(size, 100, [10] * size, size)
    assert size == 100
