"""Several workers, one running at a time, the next one chosen by a seeded generator at every effect.

Workers are plain callables in threads of their own; a baton decides who runs. It is passed on just before each effect,
so that between two effects of one worker any number of the others' may happen, and a run is repeatable from its seed.
A sleep only says when to go on at the earliest: any worker may be arbitrarily slow, so time moves to a sleeper's moment
when the generator chooses it, others ready or not.

Limits. A worker must not wait for another one outside the stage (on a lock held over an effect, say): that is reported
after `patience` real seconds. Threads that a worker starts itself may not have effects.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tests.sandbox.clock import VirtualClock
from tests.simulation.stage import WorldStopped


class _RunAborted(BaseException):
    """The run is over. Not a `WorldStopped`: a worker that starts its dead process anew must end as well."""


class WorkersFailed(AssertionError):
    """A worker raised, or the workers never came to rest. The message gives the seed; `errors` what each one raised."""

    def __init__(self, seed: int, message: str, errors: Mapping[str, BaseException]) -> None:
        shown = "".join(f"\n  {name}: {type(error).__name__}: {error}" for name, error in errors.items())
        super().__init__(f"seed={seed}: {message}{shown}")
        self.seed = seed
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went: whose turn it was each time, who died, what the others returned."""

    seed: int
    turns: tuple[str, ...]
    stopped: tuple[str, ...]
    results: Mapping[str, object]


@dataclass
class _Worker:
    name: str
    work: Callable[[], object]
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    result: object = None
    error: BaseException | None = None
    stopped: bool = False


class Scheduler:
    """The turns of one run after another, all from one seed. Pass it to the `Stage` as its `turns`."""

    def __init__(
        self, seed: int, *, stickiness: float = 0.0, patience: float = 20.0, most_turns: int = 100_000
    ) -> None:
        """`stickiness`: the chance that the baton stays where it is. With 0 workers alternate finely; near 1 one of them
        does much while another stands still in the middle of something."""
        self.seed = seed
        self._stickiness = stickiness
        self._last: _Worker | None = None
        self._choice = random.Random(seed)
        self._patience = patience
        self._most_turns = most_turns
        self._here = threading.local()
        self._living: list[_Worker] = []
        self._turns: list[str] = []
        self._aborting = ""
        self._rest = threading.Event()
        # Workers leave one by one, except after `patience`, when all are let go at once.
        self._leaving = threading.Lock()

    def run(self, workers: Mapping[str, Callable[[], object]]) -> Run:
        """Runs the workers until each has returned, died or raised. Raises `WorkersFailed` when one raised."""
        if not workers:
            raise ValueError("no workers")
        everyone = [_Worker(name, work) for name, work in workers.items()]
        self._living, self._turns, self._aborting = list(everyone), [], ""
        self._rest.clear()
        threads = [
            threading.Thread(target=self._live, args=(worker,), name=f"worker {worker.name}", daemon=True)
            for worker in everyone
        ]
        for thread in threads:
            thread.start()
        self._choose().go.release()
        self._wait_for_rest(everyone)
        for thread in threads:
            thread.join(self._patience)
        left = [thread.name for thread in threads if thread.is_alive()]
        errors = {worker.name: worker.error for worker in everyone if worker.error is not None}
        if left:
            raise WorkersFailed(self.seed, f"{self._aborting}; left behind: {', '.join(left)}", errors)
        if errors or self._aborting:
            raise WorkersFailed(self.seed, self._aborting, errors) from next(iter(errors.values()), None)
        return Run(
            self.seed,
            tuple(self._turns),
            tuple(worker.name for worker in everyone if worker.stopped),
            {worker.name: worker.result for worker in everyone if not worker.stopped},
        )

    # What the stage asks.

    def process(self) -> str:
        """The name of the calling worker; empty outside of a run, where the test itself acts."""
        worker = self._me()
        return worker.name if worker else ""

    def hand_over(self) -> None:
        """Passes the baton to the chosen worker and waits for it to come back."""
        me = self._me()
        if me is None:
            if self._living:
                raise RuntimeError("an effect from a thread that is no worker of this run")
            return
        self._require_running()
        chosen = self._choose()
        if chosen is not me:
            chosen.go.release()
            me.go.acquire()
            self._require_running()

    def sleep(self, clock: VirtualClock, seconds: float, still_alive: Callable[[], None]) -> None:
        """Lets others run, then moves the time on to the moment of waking, if it is not there yet."""
        wake = clock.now() + timedelta(seconds=seconds)
        self.hand_over()
        still_alive()
        clock.advance_to(wake)

    def _me(self) -> _Worker | None:
        return getattr(self._here, "worker", None)

    def _choose(self) -> _Worker:
        chosen = self._last
        if chosen not in self._living or self._choice.random() >= self._stickiness:
            chosen = self._choice.choice(self._living)
        self._last = chosen
        self._turns.append(chosen.name)
        if len(self._turns) >= self._most_turns:
            self._aborting = self._aborting or f"no rest after {self._most_turns} turns"
        return chosen

    def _require_running(self) -> None:
        if self._aborting:
            raise _RunAborted(self._aborting)

    def _live(self, worker: _Worker) -> None:
        worker.go.acquire()
        self._here.worker = worker
        try:
            self._require_running()
            worker.result = worker.work()
        except (WorldStopped, _RunAborted):
            worker.stopped = True
        except BaseException as error:  # noqa: BLE001 - reported by `run`
            worker.error = error
            self._aborting = self._aborting or f"worker {worker.name} failed"
        with self._leaving:
            self._living.remove(worker)
            if self._living:
                self._choose().go.release()
            else:
                self._rest.set()

    def _wait_for_rest(self, everyone: list[_Worker]) -> None:
        seen = -1
        while not self._rest.wait(self._patience):
            if len(self._turns) == seen:
                names = ", ".join(worker.name for worker in self._living)
                self._aborting = f"a worker waits outside the stage (of {names})"
                # All at once: whoever holds what the stuck one waits for must unwind too.
                for worker in everyone:
                    worker.go.release()
                self._rest.wait(self._patience)
                return
            seen = len(self._turns)
