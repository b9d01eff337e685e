"""Every single fault after every effect of the five-document history: nothing lost, doubled, stale or half. A process dies,
or gets no answer though the effect has happened."""

from __future__ import annotations

from tests.simulation.exploration import explore
from tests.simulation.history import go_through
from tests.simulation.stage import Mode, cued

# A death before an effect is a death after the one before it: it is left out, to save time.
AFTER: tuple[Mode, ...] = ("fail_after", "stop_after")


def test_the_history_rests_without_faults() -> None:
    stage = go_through(cued())
    assert any(name.startswith("http POST example.service-now.com/api/now/v1/batch") for name in stage.effects)


def test_every_single_fault_after_an_effect_ends_equal_to_business_central() -> None:
    explored = explore(go_through, modes=AFTER, reads_once=True)
    assert explored.schedules > 150
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")
