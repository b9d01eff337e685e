"""Child processes of tests and demo: free ports, waiting for one, and a child that cannot outlive us.

The leash: a child's standard input is a pipe whose other end only we hold. When our process ends in whatever way, SIGKILL
included, the kernel closes that end; the child reads end-of-file and goes. Unlike PR_SET_PDEATHSIG this works on every
system, survives the end of the thread that started the child, and needs no code between fork and exec. The child must
watch for it, which is one line in each of ours.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO


class StartFailed(Exception):
    """A child ended, or stayed silent, before it was ready."""


def free_ports(count: int) -> list[int]:
    """That many different ports nobody listens on at this moment; another process may take one before its use."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listening(port: int) -> bool:
    """Whether something accepts connections on that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_listening(process: subprocess.Popen[bytes], ports: Sequence[int], *, seconds: float = 30) -> None:
    """Returns when every port accepts a connection; `StartFailed` when the process ends or time runs out before."""
    deadline = time.monotonic() + seconds
    waiting = list(ports)
    while waiting:
        if process.poll() is not None:
            raise StartFailed(f"ended with exit code {process.returncode} before it listened")
        if time.monotonic() > deadline:
            raise StartFailed(f"port {waiting[0]} does not answer after {seconds:g} s")
        waiting = [port for port in waiting if not listening(port)]
        if waiting:
            time.sleep(0.02)


@contextmanager
def leashed(
    command: Sequence[str],
    *,
    log: IO[bytes],
    stdout: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    patience: float = 10,
) -> Iterator[subprocess.Popen[bytes]]:
    """A child on the leash for the length of the block; then SIGTERM, and SIGKILL after `patience` seconds.

    It gets a session of its own, so Ctrl-C in the terminal reaches only us and we end it in our own order. Its error
    output, and its standard output unless `stdout` says otherwise, go to `log`.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log if stdout is None else stdout,
        stderr=log,
        env=environment,
        cwd=directory,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process, patience=patience)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def end(process: subprocess.Popen[bytes], *, patience: float) -> None:
    """Ends the process in order if it can, by force if it must; either way it is gone on return."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
