"""The local host's timers: firing, no overlap, past-due runs after a restart, changed schedules, runs on demand."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.host_app.bench import APP, Bench, until
from tests.sandbox.emulator import Azurite
from tests.sandbox.host import local_host
from tests.sandbox.host.cron import Schedule
from tests.sandbox.host.timers import Status, status_at

pytestmark = [pytest.mark.azurite, pytest.mark.host]

EVERY_SECOND = "* * * * * *"
ONCE_A_YEAR = "0 0 0 1 1 *"
YEARS_AGO = datetime(2020, 6, 1, tzinfo=UTC).astimezone()


@pytest.fixture
def bench(azurite: Azurite, tmp_path: Path) -> Bench:
    return Bench(azurite.connection_string, tmp_path)


def status_file(state: Path) -> Path:
    return state / "timers" / "tick" / "status"


def remember(state: Path, status: Status) -> None:
    status_file(state).parent.mkdir(parents=True)
    status_file(state).write_text(json.dumps(asdict(status)))


def test_a_timer_fires_once_for_each_occurrence(bench: Bench) -> None:
    with local_host(APP, bench.environment | {"TICK": EVERY_SECOND}):
        until(lambda: len(bench.notes("tick")) >= 4)
    starts = [int(note["at"]) for note in bench.notes("tick") if note["event"] == "start"]
    assert sorted(set(starts)) == starts


def test_a_timer_never_overlaps_itself(bench: Bench) -> None:
    with local_host(APP, bench.environment | {"TICK": EVERY_SECOND, "TICK_SECONDS": "1.1"}):
        until(lambda: len(bench.notes("tick")) >= 4)
    events = [note["event"] for note in bench.notes("tick")]
    assert events[:4] == ["start", "end", "start", "end"]


def test_a_timer_that_fires_every_second_is_not_monitored(bench: Bench, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with local_host(APP, bench.environment | {"TICK": EVERY_SECOND}, state=state):
        until(lambda: bench.notes("tick"))
    assert bench.notes("tick")[0]["status"] == {}
    assert not status_file(state).exists()


def test_a_first_start_records_the_next_occurrence_and_runs_nothing(bench: Bench, tmp_path: Path) -> None:
    with local_host(APP, bench.environment | {"TICK": ONCE_A_YEAR}, state=tmp_path):
        until(status_file(tmp_path).exists)
        time.sleep(0.3)
    assert json.loads(status_file(tmp_path).read_text())["Next"][4:19] == "-01-01T00:00:00"
    assert bench.notes("tick") == []


def test_an_occurrence_missed_while_the_host_was_down_is_made_up_once(bench: Bench, tmp_path: Path) -> None:
    environment = bench.environment | {"TICK": ONCE_A_YEAR}
    remember(tmp_path, status_at(Schedule(ONCE_A_YEAR), YEARS_AGO, ran=True))
    with local_host(APP, environment, state=tmp_path):
        until(lambda: len(bench.notes("tick")) == 2)
    with local_host(APP, environment, state=tmp_path):
        time.sleep(0.5)
    start, _ = bench.notes("tick")
    assert start["past_due"] is True
    assert start["status"]["Last"] == YEARS_AGO.isoformat()


def test_a_changed_schedule_is_not_past_due(bench: Bench, tmp_path: Path) -> None:
    remember(tmp_path, status_at(Schedule("0 0 0 2 1 *"), YEARS_AGO, ran=True))
    before = status_file(tmp_path).read_text()
    with local_host(APP, bench.environment | {"TICK": ONCE_A_YEAR}, state=tmp_path):
        until(lambda: status_file(tmp_path).read_text() != before)
        time.sleep(0.3)
    assert bench.notes("tick") == []


def test_a_timer_can_be_started_by_hand(bench: Bench) -> None:
    with local_host(APP, bench.environment) as host:
        answer = httpx.post(f"{host.url}/admin/functions/tick", json={"input": ""})
        until(lambda: len(bench.notes("tick")) == 2)
    assert answer.status_code == 202
    assert bench.notes("tick")[0]["past_due"] is False


def test_a_function_switched_off_does_not_run(bench: Bench) -> None:
    settings = bench.environment | {"TICK": EVERY_SECOND, "AzureWebJobs.tick.Disabled": "true"}
    with local_host(APP, settings) as host:
        assert httpx.get(f"{host.url}/admin/functions/tick").status_code == 404
        time.sleep(1.2)
    assert bench.notes("tick") == []
