"""The ports where nondeterminism enters: clock and randomness. (HTTP enters through an httpx transport, storage through
`connector.storage.ports`.) `bootstrap` passes the real ones in, the fault simulation its own."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as one process sees it. Never used to judge what another process may do: storage's own clock does that."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class Randomness(Protocol):
    """Chance: jitter and fresh identifiers."""

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        ...

    def token(self) -> str:
        """A fresh identifier of 32 hexadecimal digits."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)


class SeededRandomness:
    """Chance from a generator: the system's entropy in production, a seeded generator in simulations."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        return self._source.uniform(low, high)

    def token(self) -> str:
        """A fresh identifier of 32 hexadecimal digits."""
        return f"{self._source.getrandbits(128):032x}"
