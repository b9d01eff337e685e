"""Scheduled jobs on the instance's clock, together with the background workers: all that happens without a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.sandbox.servicenow.workers import Workers


@dataclass
class Job:
    """One scheduled job and the moment it is due next."""

    name: str
    every: timedelta
    action: Callable[[], None]
    due: datetime


class Jobs:
    """Runs what the clock has made due. Nothing moves by itself unless `in_background` is on."""

    def __init__(self, now: Callable[[], datetime], workers: Workers, lock: AbstractContextManager[object]) -> None:
        self._now = now
        self._workers = workers
        self._lock = lock
        self._jobs: dict[str, Job] = {}
        self._seen = now()

    def schedule(
        self, name: str, every: timedelta, action: Callable[[], None], *, first: datetime | None = None
    ) -> None:
        """Adds a job; its first run is one interval from now unless told otherwise."""
        self._jobs[name] = Job(name, every, action, first or self._now() + every)

    def names(self) -> list[str]:
        """The names of all jobs."""
        return sorted(self._jobs)

    def run(self, name: str) -> None:
        """Runs one job at once, as an administrator's "Execute Now" does; its schedule stays."""
        with self._lock:
            self._jobs[name].action()

    def run_jobs(self) -> list[str]:
        """Gives the workers the time that has passed on the clock, then runs every due job once; returns their names."""
        now = self._now()
        passed, self._seen = max((now - self._seen).total_seconds(), 0.0), now
        self._workers.work(passed)
        ran = []
        for job in sorted(self._jobs.values(), key=lambda each: each.due):
            if job.due <= now:
                self.run(job.name)
                ran.append(job.name)
                job.due += job.every * ((now - job.due) // job.every + 1)
        return ran

    @contextmanager
    def in_background(self, interval: float = 0.05) -> Iterator[None]:
        """Calls `run_jobs` again and again in a thread of its own until the block ends."""
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(interval):
                self.run_jobs()

        thread = threading.Thread(target=loop, name="servicenow-jobs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
