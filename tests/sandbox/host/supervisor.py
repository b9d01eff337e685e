"""The host's side of the worker: starts it, hands it invocations, notices its death, starts it again, gives up."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from multiprocessing.connection import Connection
from pathlib import Path

from tests.sandbox.host.invocation import Indexed, Invocation, Outcome

log = logging.getLogger("host.worker")

MOST_DEATHS = 3
ROOT = Path(__file__).parents[3]


class IndexingFailed(Exception):
    """The worker refused the app; the text is its exception with the stack."""


class Supervisor:
    """One worker process at a time. Invocations given while none is ready wait for the next one."""

    def __init__(self, directory: Path, *, gave_up: Callable[[], None]) -> None:
        self._directory = directory
        self._gave_up = gave_up
        self._lock = threading.Lock()
        self._indexed: Future[Indexed] = Future()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._ready = False
        self._stopping = False
        self._deaths = 0
        self._pending: dict[str, Future[Outcome]] = {}
        self._waiting: list[Invocation] = []

    def start(self, *, interrupted: Callable[[], bool]) -> tuple[tuple[str, list[str]], ...]:
        """Starts the first worker and returns what it indexed: (name, raw bindings) of each function."""
        self._launch()
        while True:
            try:
                indexed = self._indexed.result(0.1)
                break
            except NotYet:
                if interrupted():
                    raise IndexingFailed("stopped before the functions were indexed") from None
        if indexed.error is not None:
            raise IndexingFailed(f"{indexed.error}\n{indexed.stack}")
        return indexed.functions

    def submit(self, invocation: Invocation) -> Future[Outcome]:
        """Runs the invocation in the worker. After `stop` has cut it short the future stays open for ever."""
        future: Future[Outcome] = Future()
        with self._lock:
            self._pending[invocation.id] = future
            if self._ready:
                self._send(invocation)
            else:
                self._waiting.append(invocation)
        return future

    def running(self) -> int:
        """How many invocations have no outcome yet."""
        with self._lock:
            return len(self._pending)

    def kill(self, reason: str) -> None:
        """Ends the worker by force without counting it as a death; another one is started."""
        log.error("Killing the worker process: %s", reason)
        with self._lock:
            self._deaths -= 1
            if self._process is not None:
                self._process.kill()

    def stop(self, *, patience: float) -> None:
        """Ends the worker in order, by force after `patience` seconds; it is gone on return."""
        with self._lock:
            self._stopping = True
            process = self._process
            self._send(None)
        if process is not None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with theirs:
            process = subprocess.Popen(
                (sys.executable, "-m", "tests.sandbox.host.worker", str(theirs.fileno())),
                cwd=self._directory,
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        pipe = Connection(ours.detach())
        with self._lock:
            self._process, self._pipe = process, pipe
        log.info("Worker process started (pid %d)", process.pid)
        threading.Thread(target=self._watch, args=(process, pipe), name="worker", daemon=True).start()

    def _send(self, message: Invocation | None) -> None:
        try:
            if self._pipe is not None:
                self._pipe.send(message)
        except OSError:
            log.debug("The worker is gone; its watcher will say so")

    def _watch(self, process: subprocess.Popen[bytes], pipe: Connection) -> None:
        try:
            self._welcome(pipe.recv())
            while True:
                outcome: Outcome = pipe.recv()
                with self._lock:
                    future = self._pending.pop(outcome.id, None)
                if future is not None:
                    future.set_result(outcome)
        except (EOFError, OSError):
            process.wait()
            self._mourn(process, pipe)

    def _welcome(self, indexed: Indexed) -> None:
        if not self._indexed.done():
            self._indexed.set_result(indexed)
        elif indexed.error is not None:
            log.error("The restarted worker refused the app: %s\n%s", indexed.error, indexed.stack)
            raise EOFError
        with self._lock:
            self._ready = True
            waiting, self._waiting = self._waiting, []
            for invocation in waiting:
                self._send(invocation)

    def _mourn(self, process: subprocess.Popen[bytes], pipe: Connection) -> None:
        with self._lock:
            pipe.close()
            self._pipe, self._ready = None, False
            if self._stopping:
                return
            waiting = {invocation.id for invocation in self._waiting}
            lost = {key: future for key, future in self._pending.items() if key not in waiting}
            self._pending = {key: future for key, future in self._pending.items() if key in waiting}
            self._deaths += 1
            deaths = self._deaths
        log.error("Worker process %d ended with exit code %d", process.pid, process.returncode)
        if deaths < MOST_DEATHS:
            self._launch()
        for key, future in lost.items():
            future.set_result(Outcome(key, f"the worker process ended (exit code {process.returncode})"))
        if deaths >= MOST_DEATHS:
            log.error("The worker process ended %d times; giving up", deaths)
            if not self._indexed.done():
                self._indexed.set_exception(IndexingFailed(f"the worker process ended {deaths} times while indexing"))
            self._gave_up()
