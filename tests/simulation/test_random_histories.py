"""Random histories end with ServiceNow equal to Business Central, whatever the seed. More of them, or one again:
``python -m tests.simulation --seeds 3000`` and ``--replay SEED``."""

from __future__ import annotations

import pytest

from connector.storage.ledger import TABLE
from connector.storage.ports import Delete, Insert
from tests.simulation.conservation import astray
from tests.simulation.history import five_documents
from tests.simulation.random_history import go_through
from tests.simulation.stage import undisturbed
from tests.simulation.world import World

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


def test_the_count_misses_what_the_ledger_lost_and_finds_what_it_made_up() -> None:
    world = World(five_documents(), undisturbed)
    world.rest()
    assert astray(world) == []
    state = next(row for row in world.tables.rows(TABLE) if row.row.startswith("s|"))
    id_ = state.properties["id"]
    world.tables.write(TABLE, state.partition, [Delete(state.row, state.etag)])
    assert astray(world) == [
        f"{state.partition}: {id_} has events and no state",
        f"{state.partition}: {id_} was never seen",
    ]
    world.tables.write(TABLE, state.partition, [Insert(state.row, dict(state.properties) | {"status": "mislaid"})])
    (line,) = astray(world)
    assert "documents were seen" in line
    world.tables.write(TABLE, state.partition, [Insert("s|x", dict(state.properties) | {"id": "x"})])
    assert f"{state.partition}: x never existed" in astray(world)
