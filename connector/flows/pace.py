"""Pace: what this process need not do again so soon. Kept in memory alone: losing it only costs doing it once more."""

from __future__ import annotations

import threading
from collections.abc import Hashable


class Pace:
    """Remembers when each thing was last done, in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def due(self, what: Hashable, now: float, *, apart: float) -> bool:
        """Whether the thing was not done within the last `apart` seconds; if so, it counts as done now."""
        with self._lock:
            last = self._last.get(what)
            if last is not None and now - last < apart:
                return False
            self._last[what] = now
            return True
