"""Random histories end with ServiceNow equal to Business Central, whatever the seed. More of them, or one again:
``python -m tests.simulation --seeds 3000`` and ``--replay SEED``."""

from __future__ import annotations

import pytest

from tests.simulation.random_history import go_through

SEEDS = 300


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_history_ends_equal(seed: int) -> None:
    assert go_through(seed).differences() == [], f"again: python -m tests.simulation --replay {seed}"


def test_the_histories_have_what_they_are_about_in_them() -> None:
    """Every kind of edit, faults, notifications that arrive: seeds in which nothing happens prove nothing."""
    counts = sum((go_through(seed).counts() for seed in range(40)), start=type(go_through(0).counts())())
    wanted = "quantity describe redimension create release receive post delete reopen add_line remove_line pay".split()
    assert [name for name in wanted if not counts[f"edit {name}"]] == []
    assert counts["faults"] > 100
    assert counts["notified"] > 40
