"""The instance's background workers: blocks of work in virtual time, in order of arrival, a fixed number side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

PER_NODE = 2


@dataclass
class Block:
    """A piece of work: `steps` tells the seconds of a step, and does it when asked for the next one.

    A block waits while it is not `ready`; one that waits lets later ones pass.
    """

    steps: Iterator[float]
    ready: Callable[[], bool] = lambda: True
    cost: float | None = None
    spent: float = 0.0


class Workers:
    """Two workers per node. Each takes the oldest block that is ready and stays with it to its end."""

    def __init__(self, lock: AbstractContextManager[object], count: int = PER_NODE) -> None:
        self._lock = lock
        self._waiting: list[Block] = []
        self._held: list[Block | None] = [None] * count

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or under way."""
        with self._lock:
            return not self._waiting and not any(self._held)

    def add(self, block: Block) -> None:
        """Puts a block at the end of the queue."""
        with self._lock:
            self._waiting.append(block)

    def work(self, seconds: float | None = None) -> None:
        """Gives each worker that much time; None: until nothing is left that can be done.

        Time a worker has no work for is lost; a step that does not fit is carried on the next time.
        """
        limit = float("inf") if seconds is None else seconds
        used = [0.0] * len(self._held)
        while self._advance(used, limit):
            pass

    def _advance(self, used: list[float], limit: float) -> bool:
        for worker in sorted(range(len(used)), key=lambda each: used[each]):
            # One step at a time under the lock, so that a long block does not hold up the APIs.
            with self._lock:
                block = self._held[worker] = self._held[worker] or self._next()
                if block is None:
                    continue
                if block.cost is None:
                    block.cost = next(block.steps, None)
                left = (block.cost or 0.0) - block.spent
                if used[worker] + left > limit:
                    block.spent += limit - used[worker]
                    used[worker] = limit
                    continue
                used[worker] += left
                block.spent, block.cost = 0.0, None if block.cost is None else next(block.steps, None)
                if block.cost is None:
                    self._held[worker] = None
                    # A worker that was idle until now takes up what became ready at this moment, not earlier.
                    for other, held in enumerate(self._held):
                        if held is None:
                            used[other] = max(used[other], used[worker])
                return True
        return False

    def _next(self) -> Block | None:
        for index, block in enumerate(self._waiting):
            if block.ready():
                return self._waiting.pop(index)
        return None
