"""The host's queue listener in virtual time: leases, runs, poison, and what a death leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.storage import MemoryQueues
from tests.simulation.queue_host import QueueHost
from tests.simulation.stage import Cue, Stage, WorldStopped, cued


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queues(clock: VirtualClock) -> MemoryQueues:
    made = MemoryQueues(clock)
    made.ensure("documents")
    return made


@pytest.fixture
def host(queues: MemoryQueues, clock: VirtualClock) -> QueueHost:
    return QueueHost(queues, clock)


def never(text: str, _runs: int) -> None:
    raise AssertionError(f"run on {text}")


def failing(text: str, _runs: int) -> None:
    raise LookupError(text)


def test_a_success_deletes_the_message(host: QueueHost, queues: MemoryQueues) -> None:
    queues.send("documents", "x")
    seen: list[tuple[str, int]] = []
    assert host.run_once("documents", lambda text, runs: seen.append((text, runs)))
    assert seen == [("x", 1)]
    assert queues.count("documents") == 0
    assert not host.run_once("documents", never)


def test_a_missing_queue_is_an_idle_poll(host: QueueHost) -> None:
    assert not host.run_once("missing", never)


def test_a_message_is_leased_while_it_runs_and_renewed_at_half_the_lease(
    host: QueueHost, queues: MemoryQueues, clock: VirtualClock
) -> None:
    queues.send("documents", "x")

    def long_run(_text: str, _runs: int) -> None:
        assert queues.next_visible("documents") == START + timedelta(seconds=600)
        clock.sleep(299)
        assert queues.next_visible("documents") == START + timedelta(seconds=600)
        clock.sleep(1)
        assert queues.next_visible("documents") == START + timedelta(seconds=900)
        clock.sleep(3_600)
        assert queues.peek("documents") == []

    assert host.run_once("documents", long_run)
    assert host.errors == []
    assert queues.count("documents") == 0


def test_a_host_that_does_not_renew_lets_a_long_run_be_doubled(queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "x")
    seen: list[int] = []

    def long_run(_text: str, runs: int) -> None:
        seen.append(runs)
        clock.sleep(601)
        if runs == 1:
            QueueHost(queues, clock).run_once("documents", long_run)

    assert QueueHost(queues, clock, renews=False).run_once("documents", long_run)
    assert seen == [1, 2]
    assert queues.count("documents") == 0


def test_a_failure_brings_the_message_back_after_30_seconds(
    host: QueueHost, queues: MemoryQueues, clock: VirtualClock
) -> None:
    queues.send("documents", "x")
    assert host.run_once("documents", failing)
    clock.advance(29)
    assert not host.run_once("documents", never)
    clock.advance(1)
    seen: list[int] = []
    assert host.run_once("documents", lambda _, runs: seen.append(runs))
    assert seen == [2]
    assert [str(error) for error in host.errors] == ["x"]


def test_the_fifth_failure_moves_the_body_to_the_poison_queue(
    host: QueueHost, queues: MemoryQueues, clock: VirtualClock
) -> None:
    sent = queues.send("documents", "x")
    assert host.drain("documents", failing, seconds=3_600) == 5
    assert clock.monotonic() == 4 * 30
    assert queues.count("documents") == 0
    (poison,) = queues.messages("documents-poison")
    assert (poison.text, poison.dequeue_count) == ("x", 0)
    assert poison.message_id != sent.message_id
    clock.advance(7 * 24 * 3600)
    assert queues.count("documents-poison") == 0


def test_a_message_whose_worker_died_in_every_run_goes_to_poison_without_another(
    host: QueueHost, queues: MemoryQueues, clock: VirtualClock
) -> None:
    queues.send("documents", "x")

    def dying(_text: str, _runs: int) -> None:
        raise WorldStopped

    for _ in range(5):
        with pytest.raises(WorldStopped):
            host.run_once("documents", dying)
        assert queues.peek("documents") == []
        clock.advance(600)
    assert queues.messages("documents")[0].dequeue_count == 5
    assert host.run_once("documents", never)
    assert [message.text for message in queues.messages("documents-poison")] == ["x"]
    assert queues.count("documents") == 0
    assert host.errors == []


def test_a_death_leaves_the_message_leased_without_renewal(
    host: QueueHost, queues: MemoryQueues, clock: VirtualClock
) -> None:
    queues.send("documents", "x")

    def dying(_text: str, _runs: int) -> None:
        clock.sleep(450)
        raise WorldStopped

    with pytest.raises(WorldStopped):
        host.run_once("documents", dying)
    # Renewed once, after 300 seconds, for another 600.
    assert queues.next_visible("documents") == START + timedelta(seconds=900)
    clock.advance(449)
    assert not host.run_once("documents", never)
    clock.advance(1)
    assert host.run_once("documents", lambda _text, _runs: None)


@pytest.mark.parametrize("queue", ["documents-poison", "d" * 57])
def test_a_queue_that_can_have_no_poison_queue_keeps_its_failures(
    host: QueueHost, queues: MemoryQueues, queue: str
) -> None:
    queues.ensure(queue)
    queues.send(queue, "x")
    host.drain(queue, failing, seconds=600)
    assert queues.count(queue) == 1
    assert not queues.exists(queue + "-poison")


def test_a_message_taken_by_another_host_meanwhile_is_left_to_it(queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "x")
    host = QueueHost(queues, clock, renews=False)

    def overtaken(_text: str, _runs: int) -> None:
        clock.sleep(700)
        assert len(queues.receive("documents", 1, 600)) == 1

    assert host.run_once("documents", overtaken)
    assert queues.count("documents") == 1


@pytest.mark.parametrize(
    ("number", "mode", "in_queue", "in_poison"),
    [
        (2, "stop_before", 1, 0),
        (2, "stop_after", 1, 1),
        (3, "stop_before", 1, 1),
        (3, "stop_after", 0, 1),
        (2, "fail_before", 1, 0),
        (3, "fail_before", 1, 1),
        (1, "fail_after", 1, 0),
    ],
)
def test_moving_to_poison_is_two_steps_that_can_be_torn_apart(
    queues: MemoryQueues, clock: VirtualClock, number: int, mode: str, in_queue: int, in_poison: int
) -> None:
    queues.send("documents", "x")
    stage = Stage(cued(Cue(number, mode)))  # type: ignore[arg-type]
    host = QueueHost(queues, clock, stage=stage, maximum_runs=1)
    if mode.startswith("stop"):
        with pytest.raises(WorldStopped):
            host.run_once("documents", failing)
    else:
        host.run_once("documents", failing)
    assert queues.count("documents") == in_queue
    assert len(queues.messages("documents-poison")) == in_poison


def test_a_failed_deletion_only_brings_the_message_back(queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "x")
    host = QueueHost(queues, clock, stage=Stage(cued(Cue(2, "fail_before"))))
    seen: list[int] = []
    assert host.drain("documents", lambda _, runs: seen.append(runs), seconds=3_600) == 2
    assert seen == [1, 2]
    assert clock.monotonic() == 600
    assert queues.count("documents") == 0


def test_draining_leaves_what_is_due_too_late(host: QueueHost, queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "now")
    queues.send("documents", "soon", delay_seconds=3_600)
    queues.send("documents", "late", delay_seconds=3_601)
    seen: list[str] = []
    assert host.drain("documents", lambda text, _: seen.append(text), seconds=3_600) == 2
    assert seen == ["now", "soon"]
    assert clock.monotonic() == 3_600
