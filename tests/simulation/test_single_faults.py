"""Every single fault, before and after every effect of the five-document history: nothing lost, doubled, stale or half."""

from __future__ import annotations

from tests.simulation.exploration import explore
from tests.simulation.history import go_through
from tests.simulation.stage import cued


def test_the_history_rests_without_faults() -> None:
    stage = go_through(cued())
    assert any(name.startswith("http POST example.service-now.com/api/now/v1/batch") for name in stage.effects)


def test_every_single_fault_ends_equal_to_business_central() -> None:
    explored = explore(go_through)
    assert explored.schedules > 300
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")
