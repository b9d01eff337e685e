"""Replay and discard under faults: whatever dies or gets no answer at whichever effect, and whoever replays at the same
time, each document ends as it must: with one record or none, with one note if it is parked, and with a trail without a gap."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.flows.deliver import deliver
from connector.flows.rescue import rescue_all
from tests.simulation.desk_history import ENDS, DeskWorld, assert_void, give_up, replay_and_discard, replay_mended
from tests.simulation.exploration import explore
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import Mode, by_chance, cued, undisturbed

MODES: tuple[Mode, ...] = ("fail_before", "fail_after", "stop_after")


def test_the_history_rests_without_faults_and_leaves_no_note_too_many() -> None:
    effects = replay_and_discard(cued()).effects
    assert sum("/api/now/v1/batch" in name for name in effects) == 2
    assert "queues.delete documents-poison" in effects


def test_every_single_fault_in_a_replay_or_discard_and_in_what_follows_ends_the_same() -> None:
    explored = explore(replay_and_discard, modes=MODES, reads_once=True)
    assert explored.schedules > 170
    print(f"{explored.schedules} schedules over {len(explored.effects)} kinds of effects")


Acts = st.lists(st.sampled_from(["replay", "work", "twice", "rescue"]), max_size=6)


@given(Acts, Acts, st.integers(0, 2**20), st.sampled_from([0.0, 0.05]))
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_any_number_of_replays_by_two_processes_at_once_is_as_good_as_one(
    one: list[str], two: list[str], seed: int, rate: float
) -> None:
    scheduler = Scheduler(seed, stickiness=random.Random(seed).choice((0.0, 0.5, 0.8)))
    world = DeskWorld(turns=scheduler, seed=seed)
    world.command(give_up)
    world.begin(by_chance(seed, rate) if rate else undisturbed)
    queue = world.settings.documents_queue

    def work() -> object:
        return world.host.run_once(queue, lambda text, count: deliver(world.process(), text, count))

    def double() -> object:
        """Every message that is there comes once more."""
        return [world.queues.send(queue, message.text) for message in world.queues.messages(queue)]

    acts = {
        "replay": lambda: replay_mended(world.process()),
        "work": work,
        "twice": double,
        "rescue": lambda: rescue_all(world.process()),
    }

    def process(names: list[str]) -> None:
        for name in names:
            world.attempt(acts[name])

    scheduler.run({"one": lambda: process(one), "two": lambda: process(two)})
    world.stage.plan = undisturbed
    world.rest()
    # Whatever the two came to, somebody replays what is still parked.
    world.command(replay_mended)
    world.rest()
    assert world.wrong() == []
    assert [world.records(number) for number in ENDS] == [1, 1, 0, 0]
    assert_void(world)
