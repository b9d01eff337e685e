"""Every single fault before every effect of the five-document history, where the effect does not happen; and every single fault
around two orders that vanish, none of which is taken for another ending than its own."""

from __future__ import annotations

from tests.simulation.exploration import explore
from tests.simulation.history import go_through, let_vanish
from tests.simulation.test_single_faults import AFTER


def test_every_single_fault_before_an_effect_ends_equal_to_business_central() -> None:
    explored = explore(go_through, modes=("fail_before",), addresses_once=True)
    assert explored.schedules > 150
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")


def test_orders_that_vanish_end_right_under_every_single_fault() -> None:
    explored = explore(let_vanish, modes=("fail_before", *AFTER), reads_once=True, addresses_once=True)
    assert explored.schedules > 200
    assert any("/purchaseReceipts" in name for name in explored.effects)
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")
