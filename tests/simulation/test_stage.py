"""The stage: what each mode does to an effect, and that every crash point of a protocol is found and tried."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from connector.errors import RowConflict, StorageUnavailable
from connector.storage.ports import Insert, Upsert
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.sandbox.wire import Exchange, InProcess
from tests.simulation.exploration import explore
from tests.simulation.stage import (
    MODES,
    Cue,
    InvariantBroken,
    Mode,
    Plan,
    Stage,
    WorldStopped,
    by_chance,
    cued,
    undisturbed,
)
from tests.simulation.staged import StagedClock, StagedQueues, StagedTables, StagedTransport
from tests.simulation.toy import AMOUNTS, World, run_to_rest


def queue_on(stage: Stage) -> tuple[StagedQueues, MemoryQueues]:
    bare = MemoryQueues(VirtualClock())
    bare.ensure("queue")
    return StagedQueues(bare, stage), bare


def test_every_effect_has_a_name_and_a_number() -> None:
    clock = VirtualClock()
    stage = Stage()
    tables, queues = StagedTables(MemoryTables(clock), stage), StagedQueues(MemoryQueues(clock), stage)
    tables.ensure("toy")
    tables.write("toy", "p", [Insert("a", {}), Upsert("b", {})])
    assert tables.read("toy", "p", "a") is not None
    assert len(list(tables.query("toy", "p", start="a", stop="z"))) == 2
    queues.ensure("q-q")
    sent = queues.send("q-q", "x")
    assert queues.count("q-q") == 1
    assert queues.delete("q-q", sent)
    StagedClock(clock, stage).sleep(5)
    transport = StagedTransport(InProcess(Exchange(lambda _: httpx.Response(200, text="hello"))), stage)
    with httpx.Client(transport=transport) as client:
        assert client.post("https://bc.example/v2.0/orders?x=1").text == "hello"
    assert stage.effects == [
        "tables.ensure toy",
        "tables.write toy insert+upsert",
        "tables.read toy",
        "tables.query toy",
        "queues.ensure q-q",
        "queues.send q-q",
        "queues.count q-q",
        "queues.delete q-q",
        "clock.sleep",
        "http POST bc.example/v2.0/orders",
    ]


@pytest.mark.parametrize(
    ("mode", "happens", "error"),
    [
        ("stop_before", False, WorldStopped),
        ("stop_after", True, WorldStopped),
        ("fail_before", False, StorageUnavailable),
        ("fail_after", True, StorageUnavailable),
    ],
)
def test_a_mode_decides_whether_the_effect_happens_and_what_the_caller_gets(
    mode: Mode, happens: bool, error: type[BaseException]
) -> None:
    stage = Stage(cued(Cue(2, mode)))
    queues, bare = queue_on(stage)
    queues.send("queue", "first")
    with pytest.raises(error):
        queues.send("queue", "second")
    assert [message.text for message in bare.messages("queue")] == ["first", "second"][: 1 + happens]
    assert stage.met == [Cue(2, mode)]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_for_tables(mode: Mode) -> None:
    stage = Stage(cued(Cue(1, mode)))
    bare = MemoryTables(VirtualClock())
    bare.ensure("toy")
    with pytest.raises(WorldStopped if mode.startswith("stop") else StorageUnavailable):
        StagedTables(bare, stage).write("toy", "p", [Insert("a", {})])
    assert len(bare.rows("toy")) == mode.endswith("after")


@pytest.mark.parametrize(
    ("mode", "requests", "error"),
    [
        ("fail_before", 0, httpx.ConnectError),
        ("fail_after", 1, httpx.ReadError),
        ("stop_before", 0, WorldStopped),
        ("stop_after", 1, WorldStopped),
    ],
)
def test_the_same_for_http_with_its_own_errors(mode: Mode, requests: int, error: type[BaseException]) -> None:
    exchange = Exchange(lambda _: httpx.Response(200))
    stage = Stage(cued(Cue(1, mode)))
    with httpx.Client(transport=StagedTransport(InProcess(exchange), stage)) as client, pytest.raises(error):
        client.get("https://bc.example/")
    assert exchange.counts["requests"] == requests


@pytest.mark.parametrize(
    ("mode", "passed"), [("stop_before", 0), ("stop_after", 5), ("fail_before", 5), ("fail_after", 5)]
)
def test_a_sleep_can_be_stopped_but_never_fails(mode: Mode, passed: float) -> None:
    clock = VirtualClock()
    staged = StagedClock(clock, Stage(cued(Cue(1, mode))))
    with contextlib.nullcontext() if mode.startswith("fail") else pytest.raises(WorldStopped):
        staged.sleep(5)
    assert clock.monotonic() == passed


def test_a_staged_clock_can_be_wrong_about_the_time() -> None:
    clock = VirtualClock()
    staged = StagedClock(clock, Stage(), skew_seconds=600)
    assert (staged.now() - clock.now()).total_seconds() == 600
    staged.skew = -600
    assert (clock.now() - staged.now()).total_seconds() == 600
    staged.sleep(2)
    assert staged.monotonic() == clock.monotonic() == 2


def test_a_dead_process_has_no_effects_until_it_is_started_anew() -> None:
    stage = Stage(cued(Cue(1, "stop_after")))
    queues, bare = queue_on(stage)

    def work() -> None:
        try:
            queues.send("queue", "work")
        finally:
            queues.send("queue", "tidied up")

    with pytest.raises(WorldStopped):
        work()
    assert [message.text for message in bare.messages("queue")] == ["work"]
    assert stage.stopped()
    stage.restart()
    queues.send("queue", "again")
    assert [message.text for message in bare.messages("queue")] == ["work", "again"]
    assert len(stage.effects) == 2


def test_no_exception_handler_catches_a_stop() -> None:
    queues, _ = queue_on(Stage(cued(Cue(1, "stop_before"))))
    with pytest.raises(WorldStopped), contextlib.suppress(Exception):
        queues.send("queue", "x")


@pytest.mark.parametrize("mode", [None, "fail_after"])
def test_an_error_of_the_effect_itself_comes_out_unless_the_answer_is_lost(mode: Mode | None) -> None:
    stage = Stage(cued(Cue(1, mode)) if mode else undisturbed)
    bare = MemoryTables(VirtualClock())
    bare.ensure("toy")
    bare.write("toy", "p", [Insert("a", {})])
    with pytest.raises(StorageUnavailable if mode else RowConflict):
        StagedTables(bare, stage).write("toy", "p", [Insert("a", {})])


def test_each_page_of_a_query_is_an_effect() -> None:
    stage = Stage(cued(Cue(2, "fail_before")))
    bare = MemoryTables(VirtualClock())
    bare.ensure("toy")
    for place in range(0, 1_200, 100):
        bare.write("toy", "p", [Insert(f"r{n:04}", {}) for n in range(place, place + 100)])
    rows = StagedTables(bare, stage).query("toy", "p", start="r", stop="s")
    assert stage.effects == []
    assert [next(rows).row for _ in range(1_000)][-1] == "r0999"
    with pytest.raises(StorageUnavailable):
        next(rows)


def test_an_invariant_is_checked_after_each_effect_that_happened_and_tells_where_it_broke() -> None:
    checks: list[int] = []

    def invariant() -> None:
        checks.append(bare.count("queue"))
        assert bare.count("queue") < 3, "three messages"

    stage = Stage(cued(Cue(1, "fail_before"), Cue(2, "fail_after")), invariants=invariant)
    queues, bare = queue_on(stage)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            queues.send("queue", "x")
    queues.send("queue", "x")
    with pytest.raises(InvariantBroken, match="(?s)three messages.*effect 4.*fail_after.*4. queues.send queue"):
        queues.send("queue", "x")
    assert checks == [1, 2, 3]


def test_a_broken_invariant_cannot_be_swallowed() -> None:
    def invariant() -> None:
        raise AssertionError("always")

    stage = Stage(invariants=invariant)
    queues, _ = queue_on(stage)
    with pytest.raises(InvariantBroken), contextlib.suppress(Exception):
        queues.send("queue", "x")
    with pytest.raises(InvariantBroken):
        queues.count("queue")
    assert stage.broken is not None


def test_two_cues_at_one_effect_are_refused() -> None:
    with pytest.raises(ValueError, match="two cues"):
        cued(Cue(1, "stop_after"), Cue(1, "fail_after"))


def test_chance_is_repeatable_and_keeps_to_its_rate() -> None:
    def drawn(seed: int) -> list[Cue | None]:
        plan = by_chance(seed, 0.1)
        return [plan(number, "x") for number in range(1, 2_001)]

    assert drawn(1) == drawn(1) != drawn(2)
    cues = [cue for cue in drawn(1) if cue]
    assert 140 < len(cues) < 260
    assert set(Counter(cue.mode for cue in cues)) == set(MODES)


Detect = Callable[[World], Callable[[], None]]
Deliver = Callable[[World], Callable[[str, int], None]]


def scenario_of(detect: Detect, deliver: Deliver, *, checked: bool = True) -> Callable[[Plan], Stage]:
    def scenario(plan: Plan) -> Stage:
        world = World(plan, checked=checked)
        run_to_rest(world, detect(world), deliver(world))
        assert world.balance() == sum(AMOUNTS.values()), f"{world.balance()} arrived"
        assert world.bare_queues.count("amounts") == 0
        return world.stage

    return scenario


right = scenario_of(lambda world: world.detect, lambda world: world.deliver)
cursor_first = scenario_of(lambda world: world.detect_cursor_first, lambda world: world.deliver)
without_mark = scenario_of(lambda world: world.detect, lambda world: world.deliver_without_mark, checked=False)


def test_every_single_crash_and_failure_of_the_right_protocol_is_survived() -> None:
    undisturbed_run = right(undisturbed)
    explored = explore(right)
    assert explored.schedules == 1 + len(MODES) * len(undisturbed_run.effects)
    assert explored.effects == set(undisturbed_run.effects)
    assert {"host.receive amounts", "host.delete amounts", "queues.send amounts"} <= explored.effects


def test_every_pair_of_disturbances_of_the_right_protocol_is_survived() -> None:
    explored = explore(right, depth=2, modes=("stop_before", "fail_after"))
    single = explore(right, modes=("stop_before", "fail_after"))
    # Recovery adds effects, so there are more pairs than pairs of the undisturbed run.
    assert explored.schedules > single.schedules**2 / 2


@pytest.mark.parametrize(
    ("wrong", "modes"),
    [(cursor_first, ("stop_before",)), (cursor_first, ("fail_before",)), (without_mark, ("stop_before",))],
    ids=["ack before write, crash", "ack before write, failure", "no mark, crash before the host's delete"],
)
def test_a_wrong_protocol_is_caught_and_its_replay_is_told(
    wrong: Callable[[Plan], Stage], modes: tuple[Mode, ...]
) -> None:
    wrong(undisturbed)
    with pytest.raises(AssertionError, match="arrived") as caught:
        explore(wrong, modes=modes)
    (note,) = [note for note in caught.value.__notes__ if note.startswith("replay")]
    cue = eval(note.removeprefix("replay: scenario(cued(").removesuffix("))"))  # noqa: S307 - the note's own text
    with pytest.raises(AssertionError, match="arrived"):
        wrong(cued(cue))


def test_a_scenario_that_is_not_repeatable_is_refused() -> None:
    calls: list[int] = []

    def shrinking(plan: Plan) -> Stage:
        stage = Stage(plan)
        queues, _ = queue_on(stage)
        calls.append(1)
        for _ in range(3 if len(calls) == 1 else 1):
            with contextlib.suppress(StorageUnavailable):
                queues.send("queue", "x")
        return stage

    with pytest.raises(AssertionError, match="repeatable"):
        explore(shrinking, modes=("fail_before",))
