"""The local host's queue rules, on the emulator: success, retry, poison, lease, and what happens when something dies."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.host_app.bench import APP, Bench, size, until
from tests.sandbox.emulator import Azurite
from tests.sandbox.host import local_host
from tests.sandbox.host.running import alive
from tests.sandbox.processes import listening

pytestmark = [pytest.mark.azurite, pytest.mark.host]

ATTEMPTS = 3

HANDED_OVER = 0.5
"""Seconds that a message may take from the queue to its function on a busy machine."""


@pytest.fixture
def bench(azurite: Azurite, tmp_path: Path) -> Bench:
    return Bench(azurite.connection_string, tmp_path)


def test_a_message_that_succeeded_is_deleted(bench: Bench) -> None:
    bench.sent("fine")
    with local_host(APP, bench.environment):
        until(lambda: bench.notes("work") and size(bench.work) == 0)
    assert [note["run"] for note in bench.notes("work")] == [1]
    assert size(bench.poison) == 0


@pytest.mark.parametrize(
    "body",
    ['{"b" : 1,  "a": "2026-01-01T00:00:00.000Z"}', '["x",   1]', '"text"', "", "Grüße € 漢字"],
    ids=["object", "array", "text", "nothing", "unicode"],
)
def test_a_body_arrives_byte_for_byte(bench: Bench, body: str) -> None:
    bench.sent(body)
    with local_host(APP, bench.environment):
        until(lambda: bench.notes("work"))
    assert bytes.fromhex(bench.notes("work")[0]["body"]) == body.encode()


def test_a_body_that_is_no_text_arrives_as_bytes(bench: Bench) -> None:
    bench.sent_as_is(base64.b64encode(b"\xff\x00\xfe").decode())
    with local_host(APP, bench.environment):
        until(lambda: bench.notes("work"))
    assert bench.notes("work")[0]["body"] == "ff00fe"


def test_a_message_in_another_encoding_is_tried_and_poisoned_without_a_run(bench: Bench) -> None:
    bench.sent_as_is("not base64!")
    with local_host(APP, bench.environment, retry_delay=0) as host:
        until(lambda: size(bench.poison) == 1)
        assert host.log_text().count(": not base64: ") == ATTEMPTS
    assert bench.notes("work") == []


def test_a_failure_is_retried_after_the_delay_and_poisoned_after_the_last_run(bench: Bench) -> None:
    bench.sent("fail")
    with local_host(APP, bench.environment, retry_delay=1):
        until(lambda: size(bench.poison) == 1)
        until(lambda: size(bench.work) == 0)
    notes = bench.notes("work")
    assert [note["run"] for note in notes] == [1, 2, 3]
    assert all(later["at"] - earlier["at"] >= 1 for earlier, later in pairwise(notes))
    moved = bench.poison.receive_message()
    assert moved is not None
    assert (moved.content, moved.dequeue_count) == ("fail", 1)


def test_a_message_beyond_the_last_run_is_poisoned_without_another(bench: Bench) -> None:
    bench.sent("fine")
    for _ in range(ATTEMPTS):
        assert bench.work.receive_message(visibility_timeout=1) is not None
        time.sleep(1.1)
    with local_host(APP, bench.environment):
        until(lambda: size(bench.poison) == 1)
    assert bench.notes("work") == []


def test_a_missing_queue_is_waited_for(bench: Bench) -> None:
    with local_host(APP, bench.environment) as host:
        time.sleep(0.5)
        bench.sent("fine")
        until(lambda: bench.notes("work"))
        assert "Traceback" not in host.log_text()


def test_a_run_longer_than_the_lease_keeps_its_message(bench: Bench) -> None:
    bench.sent("sleep 3")
    with local_host(APP, bench.environment, lease=1):
        until(lambda: bench.notes("slept") and size(bench.work) == 0)
    assert [note["run"] for note in bench.notes("work")] == [1]


def test_the_messages_of_a_batch_run_together_and_the_next_batch_after_them(bench: Bench) -> None:
    bench.sent(*["sleep 0.5"] * 6)
    with local_host(APP, bench.environment):
        until(lambda: len(bench.notes("slept")) == 6)
    starts = [note["at"] for note in bench.notes("work")]
    ends = [note["at"] for note in bench.notes("slept")]
    assert starts[3] < ends[0]
    assert starts[4] > ends[3]


def test_a_killed_worker_fails_its_run_and_the_message_is_run_again(bench: Bench) -> None:
    bench.sent("sleep 1.5")
    with local_host(APP, bench.environment, retry_delay=0) as host:
        until(lambda: bench.notes("work"))
        killed = host.worker_pid
        host.kill_worker()
        until(lambda: bench.notes("slept") and size(bench.work) == 0)
        assert host.worker_pid != killed
        assert "the worker process ended" in host.log_text()
    notes = bench.notes("work")
    assert [note["run"] for note in notes] == [1, 2]
    assert [note["pid"] for note in notes] == [killed, bench.notes("work")[1]["pid"]]


def test_the_third_death_of_the_worker_ends_the_host(bench: Bench) -> None:
    with local_host(APP, bench.environment) as host:
        for death in range(3):
            until(lambda death=death: host.log_text().count("Worker process started") == death + 1)
            host.kill_worker()
        assert host.process.wait(10) == 1
        assert "giving up" in host.log_text()


def test_a_run_beyond_the_function_timeout_costs_the_worker_its_life(bench: Bench, tmp_path: Path) -> None:
    app = tmp_path / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    options = json.loads((APP / "host.json").read_text("utf-8"))
    (app / "host.json").write_text(json.dumps(options | {"functionTimeout": "00:00:01"}), "utf-8")
    bench.sent("sleep 30")
    with local_host(app, bench.environment, retry_delay=60) as host:
        until(lambda: "a run took longer than 1 s" in host.log_text())
        until(lambda: "(Failed" in host.log_text())
        until(lambda: host.log_text().count("Worker process started") == 2)
    assert bench.notes("slept") == []


def test_after_the_death_of_the_host_the_message_comes_back_when_its_lease_ends(bench: Bench) -> None:
    bench.sent("sleep 2")
    with local_host(APP, bench.environment, lease=2) as host:
        until(lambda: bench.notes("work"))
        worker = host.worker_pid
        host.kill()
        killed_at = time.time()
        assert not alive(worker)
    with local_host(APP, bench.environment, lease=10):
        until(lambda: bench.notes("slept"))
    first, second = bench.notes("work")
    assert (first["run"], second["run"]) == (1, 2)
    # The lease began when the message was taken, a little before the run that noted its time.
    assert first["at"] + 2 - HANDED_OVER <= second["at"]
    assert second["at"] >= killed_at


def test_an_orderly_stop_lets_a_run_finish_and_leaves_no_process_and_no_port(bench: Bench) -> None:
    bench.sent("sleep 1")
    with local_host(APP, bench.environment) as host:
        until(lambda: bench.notes("work"))
        worker, port = host.worker_pid, int(host.url.rpartition(":")[2])
        assert listening(port)
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(10) == 0
    assert len(bench.notes("slept")) == 1
    assert size(bench.work) == 0
    assert not alive(worker)
    assert not listening(port)


def test_a_run_that_outlasts_the_drain_is_cut_and_its_message_kept(bench: Bench) -> None:
    bench.sent("sleep 30")
    with local_host(APP, bench.environment, drain=0.3) as host:
        until(lambda: bench.notes("work"))
        worker = host.worker_pid
        host.process.send_signal(signal.SIGINT)
        assert host.process.wait(10) == 0
    assert not alive(worker)
    assert (size(bench.work), size(bench.poison)) == (1, 0)
