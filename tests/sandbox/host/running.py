"""The host as a child process of a test or the demo."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.sandbox.processes import StartFailed, leashed

ROOT = Path(__file__).parents[3]


class RunningHost:
    """A running host: where it listens, what it said, and how to hurt it."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.process = process
        self._log = log

    @property
    def url(self) -> str:
        """The address of the HTTP front, without a slash at the end."""
        return self._said(r"Listening on (\S+)")

    @property
    def worker_pid(self) -> int:
        """The process id of the newest worker."""
        return int(self._said(r"Worker process started \(pid (\d+)\)"))

    def log_text(self) -> str:
        """Everything that host and worker have logged so far."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode("utf-8", "replace")

    def kill_worker(self) -> None:
        """SIGKILL for the worker; the host starts another one."""
        os.kill(self.worker_pid, 9)

    def kill(self) -> None:
        """SIGKILL for the host; returns when the worker, which notices, is gone too."""
        worker = self.worker_pid
        self.process.kill()
        self.process.wait()
        while alive(worker):
            time.sleep(0.01)

    def _said(self, pattern: str) -> str:
        return str(re.findall(pattern, self.log_text())[-1])


def alive(pid: int) -> bool:
    """Whether a process of that id runs (a dead one that nobody has waited for does not count)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def local_host(
    app_dir: Path,
    environment: Mapping[str, str],
    *,
    lease: int = 600,
    retry_delay: int | None = None,
    port: int = 0,
    state: Path | None = None,
    drain: float = 5,
    start_within: float = 60,
) -> Iterator[RunningHost]:
    """The host on `app_dir` for the length of the block; `environment` is added to ours as the app's settings.

    `StartFailed` with the log when the app is refused. At the end the host is stopped in order and leaves nothing.
    """
    command = [sys.executable, "-m", "tests.sandbox.host", "--leash", "--app", str(app_dir)]
    command += ["--port", str(port), "--lease", str(lease), "--drain", str(drain)]
    command += [] if retry_delay is None else ["--retry-delay", str(retry_delay)]
    command += [] if state is None else ["--state", str(state)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    settings = {**os.environ, "PYTHONPATH": path, **environment}
    with (
        tempfile.TemporaryFile() as log,
        leashed(command, log=log, stdout=subprocess.PIPE, environment=settings, patience=drain + 10) as process,
    ):
        host = RunningHost(process, log)
        if process.stdout is None or not _ready(process.stdout, start_within):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            raise StartFailed(f"the local host is not ready (exit code {process.poll()}):\n{host.log_text()}")
        yield host


def _ready(output: IO[bytes], seconds: float) -> bool:
    readable, _, _ = select.select([output], [], [], seconds)
    return bool(readable) and output.readline() == b"ready\n"
