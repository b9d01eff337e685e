"""The scheduler: interleavings repeatable from a seed, crashes of one worker or all, nothing hidden, nothing left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from connector.errors import RowConflict, StorageUnavailable
from tests.simulation.scheduler import Run, Scheduler, WorkersFailed
from tests.simulation.stage import Cue, Plan, WorldStopped, cued, undisturbed
from tests.simulation.toy import AMOUNTS, HOUR, World, run_to_rest


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def deliver_of(world: World) -> Callable[[str, int], None]:
    return world.deliver


def unconditional(world: World) -> Callable[[str, int], None]:
    return world.deliver_unconditionally


def together(
    seed: int, plan: Plan = undisturbed, deliver: Callable[[World], Callable[[str, int], None]] = deliver_of
) -> tuple[World, Run]:
    """Two detectors and two hosts at once."""
    scheduler = Scheduler(seed)
    world = World(plan, scheduler)

    def detecting() -> None:
        try:
            world.detect()
        except (RowConflict, StorageUnavailable):
            return  # the other detector moved the cursor, or storage failed: the next tick goes on

    def hosting() -> None:
        host = world.host()
        for _ in range(6):
            host.run_once("amounts", deliver(world))
            world.waits.sleep(5)

    run = scheduler.run({"timer-1": detecting, "timer-2": detecting, "host-1": hosting, "host-2": hosting})
    return world, run


def settled(world: World) -> int:
    """What arrived after all, once everything that died was started anew."""
    world.stage.restart()
    run_to_rest(world, world.detect, world.deliver)
    return world.balance()


@pytest.mark.parametrize("seed", range(40))
def test_the_right_protocol_holds_in_every_interleaving(seed: int) -> None:
    world, run = together(seed)
    assert run.stopped == ()
    assert settled(world) == sum(AMOUNTS.values())


def test_the_same_seed_gives_the_same_interleaving_and_another_one_another() -> None:
    first, run = together(7)
    again, second = together(7)
    assert run == second
    assert first.stage.effects == again.stage.effects
    assert first.bare_tables.rows("toy") == again.bare_tables.rows("toy")
    assert first.clock.now() == again.clock.now()
    assert len({together(seed)[1].turns for seed in range(10)}) == 10


def test_the_turns_really_mix() -> None:
    world, run = together(3)
    assert set(run.turns) == {"timer-1", "timer-2", "host-1", "host-2"}
    changes = sum(one != other for one, other in zip(run.turns, run.turns[1:], strict=False))
    assert changes > len(run.turns) / 3
    assert all(name.split(":")[0] in run.turns for name in world.stage.effects)


def test_a_protocol_that_forgets_the_etag_is_caught_by_some_seed_which_the_report_names() -> None:
    def fate(seed: int) -> str:
        try:
            together(seed, deliver=unconditional)
        except WorkersFailed as failed:
            return str(failed)
        return ""

    reports = {seed: report for seed in range(40) if (report := fate(seed))}
    assert reports
    for seed, report in reports.items():
        assert f"seed={seed}:" in report
        assert "the balance is not what is marked done" in report
        assert fate(seed) == report


@pytest.mark.parametrize("everyone", [False, True])
def test_a_stop_takes_down_one_worker_or_all(everyone: bool) -> None:
    dead: set[int] = set()
    for number in range(1, 40, 3):
        world, run = together(5, cued(Cue(number, "stop_before", everyone)))
        dead.add(len(run.stopped))
        if everyone and world.stage.met:
            assert len(world.stage.effects) == number
        assert settled(world) == sum(AMOUNTS.values())
    assert max(dead) == (4 if everyone else 1)


def test_a_worker_that_dies_asleep_does_not_move_the_time() -> None:
    def plan(_number: int, name: str) -> Cue | None:
        return Cue(_number, "stop_before", everyone=True) if "queues.count" in name else None

    ends: set[tuple[bool, float]] = set()
    for seed in range(10):
        scheduler = Scheduler(seed)
        world = World(plan, scheduler)
        run = scheduler.run({"a": lambda: world.waits.sleep(HOUR), "b": lambda: world.queues.count("amounts")})  # noqa: B023 - run at once
        ends.add(("a: clock.sleep" in world.stage.effects, world.clock.monotonic()))
        assert (world.clock.monotonic() == 0) == ("a" in run.stopped)
    assert ends == {(True, 0), (True, HOUR), (False, 0)}


def test_a_worker_may_start_its_dead_process_anew_without_waking_the_others() -> None:
    scheduler = Scheduler(3)
    world = World(cued(Cue(4, "stop_before", everyone=True)), scheduler)

    def reviving() -> int:
        deaths = 0
        for _ in range(6):
            try:
                world.queues.count("amounts")
            except WorldStopped:
                deaths += 1
                world.stage.restart()
        return deaths

    def dying() -> None:
        for _ in range(6):
            world.queues.count("amounts")

    run = scheduler.run({"one": reviving, "two": reviving, "three": dying})
    assert run.results == {"one": 1, "two": 1}
    assert run.stopped == ("three",)


def test_a_worker_that_revives_itself_ends_with_the_run_all_the_same() -> None:
    scheduler = Scheduler(1)
    world = World(turns=scheduler)

    def reviving() -> None:
        while True:
            try:
                world.waits.sleep(1)
            except WorldStopped:
                world.stage.restart()

    def failing() -> None:
        world.queues.count("amounts")
        raise LookupError

    with pytest.raises(WorkersFailed, match="failing failed"):
        scheduler.run({"reviving": reviving, "failing": failing})


def test_a_sticky_baton_changes_hands_less_often() -> None:
    def changes(stickiness: float) -> int:
        scheduler = Scheduler(1, stickiness=stickiness)
        world = World(turns=scheduler)

        def work() -> None:
            for _ in range(50):
                world.queues.count("amounts")

        turns = scheduler.run({"a": work, "b": work}).turns
        return sum(one != other for one, other in zip(turns, turns[1:], strict=False))

    assert changes(0.9) < changes(0.0) / 2


def test_every_crash_point_of_one_interleaving_is_survived() -> None:
    world, _ = together(11)
    for number in range(1, len(world.stage.effects) + 1):
        crashed, run = together(11, cued(Cue(number, "stop_after")))
        assert len(run.stopped) == 1
        assert settled(crashed) == sum(AMOUNTS.values())


def test_what_the_workers_return_is_handed_out() -> None:
    run = Scheduler(1).run({"a": lambda: 1, "b": lambda: None})
    assert run.results == {"a": 1, "b": None}
    with pytest.raises(ValueError, match="no workers"):
        Scheduler(1).run({})


def test_the_exception_of_a_worker_is_reported_with_the_seed_and_ends_the_others() -> None:
    scheduler = Scheduler(42)
    world = World(turns=scheduler)

    def failing() -> None:
        world.queues.count("amounts")
        raise LookupError("the worker's own mistake")

    def endless() -> None:
        while True:
            world.waits.sleep(1)

    with pytest.raises(WorkersFailed, match="(?s)seed=42.*failing.*LookupError: the worker's own mistake") as caught:
        scheduler.run({"endless": endless, "failing": failing})
    assert set(caught.value.errors) == {"failing"}
    assert isinstance(caught.value.__cause__, LookupError)


def test_workers_that_never_rest_are_ended() -> None:
    scheduler = Scheduler(1, most_turns=500)
    world = World(turns=scheduler)

    def endless() -> None:
        while True:
            world.waits.sleep(1)

    with pytest.raises(WorkersFailed, match="no rest after 500 turns"):
        scheduler.run({"a": endless, "b": endless})


def test_a_worker_that_waits_for_another_outside_the_stage_is_reported() -> None:
    scheduler = Scheduler(1, patience=0.2)
    world = World(turns=scheduler)
    lock = threading.Lock()

    def locking() -> None:
        for _ in range(20):
            with lock:
                world.queues.count("amounts")

    with pytest.raises(WorkersFailed, match="waits outside the stage"):
        scheduler.run({"a": locking, "b": locking})


def test_a_thread_that_is_no_worker_may_have_no_effect() -> None:
    scheduler = Scheduler(1)
    world = World(turns=scheduler)
    raised: list[Exception] = []

    def foreign() -> None:
        try:
            world.queues.count("amounts")
        except RuntimeError as error:
            raised.append(error)

    def starting() -> None:
        thread = threading.Thread(target=foreign)
        thread.start()
        thread.join()

    scheduler.run({"a": starting})
    assert "no worker" in str(raised[0])


def test_a_sleeper_wakes_no_earlier_than_it_asked_and_others_may_go_first() -> None:
    scheduler = Scheduler(2)
    world = World(turns=scheduler)
    woke: list[float] = []

    def sleeping(seconds: float) -> None:
        asked = world.clock.monotonic()
        world.waits.sleep(seconds)
        woke.append(world.clock.monotonic() - asked)
        assert woke[-1] >= seconds

    scheduler.run({str(seconds): lambda seconds=seconds: sleeping(seconds) for seconds in (HOUR, 60, 1)})  # type: ignore[misc]
    assert len(woke) == 3
    assert world.clock.monotonic() >= HOUR
