"""How many records to ask for in one page: as many as come back well inside a request's time, learnt from the pages before."""

from __future__ import annotations

TARGET_SECONDS = 10.0
TARGET_BYTES = 8 * 1024 * 1024


def next_page_size(size: int, largest: int, *, seconds: float, received: int) -> int:
    """The size of the next page, after one of `size` records that took `seconds` and `received` bytes.

    Cut at once to what fits both targets; grown by a quarter at a time up to `largest`.
    """
    fits = [size + max(1, size // 4), largest]
    if seconds > 0:
        fits.append(int(min(largest, size * TARGET_SECONDS / seconds)))
    if received > 0:
        fits.append(size * TARGET_BYTES // received)
    return max(1, min(fits))


def smaller(size: int) -> int:
    """The size to try after a page of this size was too much."""
    return max(1, size // 2)
