"""Virtual time: a clock that moves only when told or slept on, with timers, and views of it that are wrong on purpose."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connector.ports import Clock

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Timer:
    """An action waiting for its moment; `cancel` takes it back."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        """The action will not run."""
        self.cancelled = True


class VirtualClock:
    """A `Clock` of virtual time. `sleep` moves it on; nothing else does but `advance` and `advance_to`."""

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock shows aware times")
        self._start = self._now = start.astimezone(UTC)
        self._timers: list[tuple[datetime, int, Timer]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The current virtual time, aware, in UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return (self.now() - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Moves the time on by that much."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves the time on, running each timer at its moment."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.advance_to(self.now() + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Moves the time on to that moment, running each timer at its own; no effect when it has passed already."""
        while True:
            with self._lock:
                due = self._timers and self._timers[0][0] <= moment
                if not due:
                    self._now = max(self._now, moment)
                    return
                at, _, timer = heapq.heappop(self._timers)
                self._now = max(self._now, at)
            # Outside the lock: the action reads the clock and may set the next timer.
            if not timer.cancelled:
                timer.action()

    def at(self, moment: datetime, action: Callable[[], None]) -> Timer:
        """Runs the action when the time gets there (at the next move, when it has passed already)."""
        timer = Timer(action)
        with self._lock:
            heapq.heappush(self._timers, (moment, next(self._numbers), timer))
        return timer

    def skewed(self, seconds: float) -> SkewedClock:
        """The same time as an instance sees it whose clock is wrong by so many seconds."""
        return SkewedClock(self, seconds)


class SkewedClock:
    """A `Clock` that shows another one's time wrong by `offset` seconds, which a test may change at any moment."""

    def __init__(self, clock: Clock, offset: float) -> None:
        self._clock = clock
        self.offset = offset

    def now(self) -> datetime:
        """The wrong time."""
        return self._clock.now() + timedelta(seconds=self.offset)

    def monotonic(self) -> float:
        """Right even here: it measures spans."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits for real virtual seconds."""
        self._clock.sleep(seconds)
