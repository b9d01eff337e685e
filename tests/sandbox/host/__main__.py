"""The host as a program: ``python -m tests.sandbox.host --app DIR --port N``.

Prints the one line "ready" on standard output when every function is indexed and every listener runs; the log goes to
standard error. SIGTERM or SIGINT stop it in order: nothing new is started, running functions get `--drain` seconds, the
exit code is 0. Exit code 1: the app was refused, or the worker died three times.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.sandbox.host.configuration import (
    ConfigurationError,
    Function,
    HostOptions,
    enabled,
    function_from,
    read_host_json,
    read_settings,
    resolve,
)
from tests.sandbox.host.cron import InvalidSchedule, Schedule
from tests.sandbox.host.dispatch import Dispatcher
from tests.sandbox.host.outputs import Outputs
from tests.sandbox.host.queues import QueueListener, poison_name
from tests.sandbox.host.storage import open_queue
from tests.sandbox.host.supervisor import IndexingFailed, Supervisor
from tests.sandbox.host.timers import TimerRunner
from tests.sandbox.host.web import Server, Site

log = logging.getLogger("host")

REAL_LEASE = 600


class Ending:
    """The one thing the main thread waits for: SIGTERM, SIGINT, or a word from another thread.

    A pipe that the interpreter's own signal handler writes to. Waiting on an Event would sleep through a signal that
    arrives just before the wait begins, since Python runs its handlers only once the main thread wakes.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def now(self) -> None:
        """Ends the wait."""
        os.write(self._write, b".")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end, so many seconds or as long as it takes; whether it has come."""
        return bool(select.select([self._read], [], [], seconds)[0])


def main() -> int:
    """Runs the host until it is told to stop; the exit code."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    if arguments.settings is not None:
        for name, value in read_settings(arguments.settings).items():
            os.environ.setdefault(name, value)
    ending = Ending()
    if arguments.leash:
        threading.Thread(target=_watch_leash, args=(ending,), daemon=True).start()
    with tempfile.TemporaryDirectory() as passing:
        return _run(arguments, ending, arguments.state or Path(passing))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.host", description="A small local Functions host")
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="of the HTTP front; 0 takes a free one")
    parser.add_argument("--settings", type=Path, help="local.settings.json, or lines NAME=value; the environment wins")
    parser.add_argument("--lease", type=int, default=REAL_LEASE, help="seconds a queue message is held")
    parser.add_argument("--retry-delay", type=int, help="seconds between attempts, in place of visibilityTimeout")
    parser.add_argument("--state", type=Path, help="folder in which timers remember their status across restarts")
    parser.add_argument("--drain", type=float, default=30, help="seconds that running functions get at the end")
    parser.add_argument("--leash", action="store_true", help="end when standard input ends")
    return parser.parse_args()


def _watch_leash(ending: Ending) -> None:
    # Unbuffered: a thread inside the buffered reader at exit would hold its lock.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    ending.now()


def _run(arguments: argparse.Namespace, ending: Ending, state: Path) -> int:
    gave_up = threading.Event()

    def give_up() -> None:
        gave_up.set()
        ending.now()

    app: Path = arguments.app.resolve()
    supervisor = Supervisor(app, gave_up=give_up)
    server = None
    try:
        if not (app / "function_app.py").exists():
            raise ConfigurationError(f"{app} has no function_app.py")
        options = read_host_json(app)
        server = Server(arguments.port)
        indexed = [function_from(name, raw) for name, raw in supervisor.start(interrupted=lambda: ending.wait(0))]
        functions = {function.name: function for function in indexed if enabled(function, os.environ)}
        log.info("%d functions found: %s", len(functions), ", ".join(functions) or "none")
        outputs = Outputs(os.environ, base64_on=options.queues.base64)
        for function in functions.values():
            outputs.prepare(function)
        dispatcher = Dispatcher(supervisor, outputs, timeout=options.function_timeout)
        listeners = _listeners(functions, dispatcher, options, outputs, arguments)
        timers = _timers(functions, dispatcher, state)
        site = Site(functions, dispatcher, prefix=options.route_prefix)
    except (ConfigurationError, IndexingFailed, InvalidSchedule, OSError, ValueError) as error:
        log.error("The app cannot run: %s", error)
        if server is not None:
            server.close()
        supervisor.stop(patience=0)
        return 1
    parts: list[QueueListener | TimerRunner] = [*listeners, *timers]
    for part in parts:
        part.start()
    server.open(site)
    log.info("Listening on %s", server.url)
    for address in site.addresses():
        log.info("%s", address)
    print("ready", flush=True)
    ending.wait()
    log.info("Stopping")
    server.close()
    for part in parts:
        part.stop()
    deadline = time.monotonic() + (0 if gave_up.is_set() else arguments.drain)
    drained = all([part.drained(deadline) for part in parts])
    while supervisor.running() and time.monotonic() < deadline:
        time.sleep(0.02)
    if not drained or supervisor.running():
        log.warning("Functions still run after the time to drain; their messages return when the leases end")
    supervisor.stop(patience=5 if drained else 0)
    return 1 if gave_up.is_set() else 0


def _listeners(
    functions: dict[str, Function],
    dispatcher: Dispatcher,
    options: HostOptions,
    outputs: Outputs,
    arguments: argparse.Namespace,
) -> list[QueueListener]:
    delay = options.queues.visibility_timeout if arguments.retry_delay is None else arguments.retry_delay
    listeners = []
    for function in functions.values():
        if function.trigger["type"] != "queueTrigger":
            continue
        queue = resolve(str(function.trigger["queueName"]), os.environ)
        connection = str(function.trigger.get("connection", ""))
        poison = poison_name(queue)
        listener = QueueListener(
            function,
            open_queue(queue, connection, os.environ),
            None if poison is None else open_queue(poison, connection, os.environ),
            dispatcher,
            options.queues,
            lease=arguments.lease,
            retry_delay=int(delay),
        )
        outputs.written[queue] = listener.wake
        listeners.append(listener)
    return listeners


def _timers(functions: dict[str, Function], dispatcher: Dispatcher, state: Path) -> list[TimerRunner]:
    timers = [function for function in functions.values() if function.trigger["type"] == "timerTrigger"]
    schedules = {timer.name: Schedule(resolve(str(timer.trigger["schedule"]), os.environ)) for timer in timers}
    return [TimerRunner(timer, schedules[timer.name], dispatcher, state) for timer in timers]


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads of runs that were cut short may still wait; the interpreter's own end would join or disturb them.
    os._exit(code)
