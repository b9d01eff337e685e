"""Every single fault, before and after every effect of two histories: nothing lost, doubled, stale or half, and no order that
vanished is taken for another ending than its own."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.exploration import explore
from tests.simulation.history import go_through, let_vanish
from tests.simulation.stage import Mode, cued

# A death before an effect is a death after the one before it: it is left out, to save time.
EVERY_FAULT: Sequence[Mode] = ("fail_before", "fail_after", "stop_after")


def test_the_history_rests_without_faults() -> None:
    stage = go_through(cued())
    assert any(name.startswith("http POST example.service-now.com/api/now/v1/batch") for name in stage.effects)


def test_every_single_fault_ends_equal_to_business_central() -> None:
    explored = explore(go_through, modes=EVERY_FAULT)
    assert explored.schedules > 300
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")


def test_orders_that_vanish_end_right_under_every_single_fault() -> None:
    explored = explore(let_vanish, modes=EVERY_FAULT)
    assert explored.schedules > 200
    assert any("/purchaseReceipts" in name for name in explored.effects)
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")
