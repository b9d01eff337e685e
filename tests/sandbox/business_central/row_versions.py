"""The counter that numbers every write of a database, and the transactions that hold numbers and have not committed yet.

Source: "System fields" (SystemRowVersion) and the methods LastUsedRowVersion and MinimumActiveRowVersion of the data type
Database: rows below the minimum active version are committed, whatever has been read above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_HELD = 10_000


class RowVersions:
    """Called, it gives the next number."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._open: list[Held] = []
        self._writer: Held | None = None

    def __call__(self) -> int:
        """A number that no row has: the next one, or inside `writing` the next of those held."""
        if self._writer is not None:
            return self._writer.take()
        self._next += 1
        return self._next - 1

    @property
    def last_used(self) -> int:
        """The highest number that any row has, committed or not."""
        return self._next - 1

    @property
    def minimum_active(self) -> int:
        """The lowest number of a row that is not committed; without such a row, the number that comes next."""
        return min((each.first for each in self._open), default=self._next)

    def hold(self) -> Held:
        """Numbers for a transaction that has written its rows now and commits them later."""
        held = Held(self._next)
        self._next += _HELD
        self._open.append(held)
        return held

    def release(self, held: Held) -> None:
        """The end of such a transaction."""
        self._open.remove(held)

    @contextmanager
    def writing(self, held: Held) -> Iterator[None]:
        """Within the block, all numbers are those held."""
        self._writer = held
        try:
            yield
        finally:
            self._writer = None


class Held:
    """Numbers in the hands of one transaction."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._taken = 0

    def take(self) -> int:
        """The next of them."""
        if self._taken == _HELD:
            raise ValueError("a transaction writes fewer rows than that")
        self._taken += 1
        return self.first + self._taken - 1
