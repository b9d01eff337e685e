"""Two processes of the app work at the same time while documents are edited, in an order drawn from a seed, and both may die or
lose answers at any effect. Whatever the interleaving, ServiceNow ends equal to Business Central."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.flows.pipeline import US
from tests.simulation.history import five_documents
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import Plan, by_chance, undisturbed
from tests.simulation.world import World


def work_together(seed: int, plan: Plan) -> World:
    """Two processes tick twice each while an editor changes quantities; then the world comes to rest."""
    data = five_documents()
    scheduler = Scheduler(seed, stickiness=(0.0, 0.5, 0.8, 0.93)[seed % 4])
    world = World(data, plan, seed=seed, turns=scheduler)
    first, second, draft, _ = data[0].orders

    def process() -> None:
        for _ in range(2):
            world.tick()

    def edit() -> None:
        for turn in range(4):
            order = (first, second)[turn % 2]
            line = next(line for line in order.lines if line.values["lineType"] != "Comment")
            sequence = int(str(line.values["sequence"]))
            quantity = Decimal(str(line.values["quantity"])) + turn + 1
            # A stamp of its own for each edit: BC's have milliseconds, and the clock stands still between effects.
            world.clock.advance(0.25)
            world.landscape.business_central.edit_line(US, order.number, sequence, quantity=quantity)
            scheduler.hand_over()
        world.landscape.business_central.edit_header(US, draft.number, status="Open")

    scheduler.run({"one": process, "two": process, "editor": edit})
    world.rest()
    return world


@pytest.mark.parametrize("seed", range(60))
def test_two_processes_and_an_editor_end_equal(seed: int) -> None:
    assert work_together(seed, undisturbed).differences() == []


@pytest.mark.parametrize("seed", range(60))
def test_two_processes_that_die_and_lose_answers_end_equal(seed: int) -> None:
    assert work_together(seed, by_chance(seed, 0.05)).differences() == []
