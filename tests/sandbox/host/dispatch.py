"""One run of a function from start to end: through the worker, in time, its outputs written, its fate logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace

from tests.sandbox.host.configuration import Function
from tests.sandbox.host.invocation import Data, Invocation, Outcome
from tests.sandbox.host.outputs import Outputs
from tests.sandbox.host.supervisor import Supervisor

log = logging.getLogger("host.run")


class Dispatcher:
    """Runs functions. Outputs are written after a successful return; a failed write makes the run a failed one."""

    def __init__(self, supervisor: Supervisor, outputs: Outputs, *, timeout: float | None) -> None:
        self._supervisor = supervisor
        self._outputs = outputs
        self._timeout = timeout

    def run(
        self,
        function: Function,
        data: Data,
        *,
        reason: str,
        metadata: Mapping[str, Data] | None = None,
        trace_parent: str | None = None,
        beat: Callable[[], None] | None = None,
        every: float | None = None,
    ) -> Outcome:
        """The outcome of one run; `beat` is called again and again, `every` so many seconds, while it lasts."""
        invocation = Invocation(function.name, {function.argument: data}, metadata or {})
        if trace_parent is not None:
            invocation = replace(invocation, trace_parent=trace_parent)
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation.id)
        started = time.monotonic()
        outcome = self._wait(self._supervisor.submit(invocation), beat, every)
        if outcome.error is None:
            outcome = self._written(function, outcome)
        fate = "Succeeded" if outcome.error is None else "Failed"
        took = (time.monotonic() - started) * 1000
        log.info("Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)", function.name, fate, invocation.id, took)
        if outcome.error is not None:
            log.error("%s\n%s", outcome.error, outcome.stack)
        return outcome

    def _wait(self, future: Future[Outcome], beat: Callable[[], None] | None, every: float | None) -> Outcome:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._supervisor.kill(f"a run took longer than {self._timeout:g} s")
                deadline = None
                continue
            try:
                return future.result(min((time for time in (left, every) if time is not None), default=None))
            except NotYet:
                if beat is not None and every is not None:
                    beat()

    def _written(self, function: Function, outcome: Outcome) -> Outcome:
        try:
            self._outputs.write(function, outcome)
        except Exception as error:  # noqa: BLE001 - whatever stops an output fails the run, as in the real host
            return replace(outcome, error=f"writing an output failed: {error}")
        return outcome
