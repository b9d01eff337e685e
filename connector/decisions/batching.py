"""How many rows go into one batch: as many as the server does in half its time limit, learnt from its own times."""

from __future__ import annotations

from collections.abc import Sequence

TARGET_MS = 15_000
SMALLEST = 5


def next_size(size: int, largest: int, times_ms: Sequence[object], sent: int) -> int:
    """The size of the next batch, after one of `sent` rows whose served rows took `times_ms` each.

    Halved when rows were left over; cut at once to what fits the target; grown by a quarter at a time up to `largest`.
    """
    smallest = min(SMALLEST, largest)
    if len(times_ms) < sent:
        return max(smallest, size // 2)
    known = [time for time in times_ms if isinstance(time, int) and not isinstance(time, bool) and time >= 0]
    total = sum(known)
    fit = TARGET_MS * len(known) // total if total > 0 else largest
    return max(smallest, min(largest, fit, size + max(1, size // 4)))
