"""The Functions host's queue listener over queues in memory, in virtual time.

Follows the listener of the Storage Queues extension: a message is leased for ten minutes and the lease renewed at half;
success deletes it; a failure makes it visible again after `between_runs` seconds or, in the last run, copies its body
to "<queue>-poison" and deletes it: two steps, so a death between them leaves both. What the host itself does to the
queue are effects on the stage, as the code's own are; when one fails the message just comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from connector.errors import StorageUnavailable
from tests.sandbox.clock import Timer, VirtualClock
from tests.sandbox.storage import MemoryQueues, Message, ReceiptMismatch
from tests.simulation.stage import Stage
from tests.simulation.staged import storage_effect

T = TypeVar("T")
Handler = Callable[[str, int], object]
"""Called with a message's text and its dequeue count."""

LEASE_SECONDS = 600
POISON_LIFE_SECONDS = 7 * 24 * 3600
POISON = "-poison"
_LONGEST_NAME = 63


class QueueHost:
    """Runs handlers on messages as the Functions host does, one at a time."""

    def __init__(
        self,
        queues: MemoryQueues,
        clock: VirtualClock,
        *,
        stage: Stage | None = None,
        between_runs: int = 30,
        maximum_runs: int = 5,
        renews: bool = True,
    ) -> None:
        """`renews` False: a host too busy to renew its leases, so that a long run is doubled by another host."""
        self._queues = queues
        self._clock = clock
        self._stage = stage or Stage()
        self._between_runs = between_runs
        self._maximum_runs = maximum_runs
        self._renews = renews
        self.errors: list[Exception] = []

    def run_once(self, queue: str, handler: Handler) -> bool:
        """Takes one message and runs the handler on it; False when there was none (or no queue, or no answer).

        A `WorldStopped` of the handler goes through and leaves the message leased.
        """
        if not self._queues.exists(queue):
            return False
        try:
            taken = self._effect(f"host.receive {queue}", lambda: self._queues.receive(queue, 1, LEASE_SECONDS))
        except StorageUnavailable:
            return False
        if not taken:
            return False
        lease = _Lease(self._queues, self._clock, queue, taken[0])
        if self._renews:
            lease.keep()
        try:
            self._process(queue, lease, handler)
        finally:
            lease.end()
        return True

    def drain(self, queue: str, handler: Handler, *, seconds: float) -> int:
        """Runs messages until none is left that becomes visible within so many seconds; how many runs it took.

        Virtual time jumps to each moment at which a message becomes visible.
        """
        deadline = self._clock.now() + timedelta(seconds=seconds)
        runs = 0
        while True:
            if self.run_once(queue, handler):
                runs += 1
                continue
            moment = self._queues.next_visible(queue)
            if moment is None or moment > deadline:
                return runs
            self._clock.advance_to(moment)

    def _process(self, queue: str, lease: _Lease, handler: Handler) -> None:
        message = lease.message
        if message.dequeue_count > self._maximum_runs:
            self._to_poison(queue, lease)
            return
        try:
            handler(message.text, message.dequeue_count)
        except Exception as error:  # noqa: BLE001 - any exception of a function is a failed run
            self.errors.append(error)
            if message.dequeue_count >= self._maximum_runs:
                self._to_poison(queue, lease)
            else:
                self._quietly(f"host.release {queue}", lambda: lease.release(self._between_runs))
            return
        self._quietly(f"host.delete {queue}", lease.delete)

    def _to_poison(self, queue: str, lease: _Lease) -> None:
        poison = queue + POISON
        if queue.endswith(POISON) or len(poison) > _LONGEST_NAME:
            self._quietly(f"host.release {queue}", lambda: lease.release(self._between_runs))
            return

        def copy() -> None:
            self._queues.ensure(poison)
            self._queues.send(poison, lease.message.text, lives_seconds=POISON_LIFE_SECONDS)

        if self._quietly(f"host.poison {queue}", copy):
            self._quietly(f"host.delete {queue}", lease.delete)

    def _quietly(self, name: str, act: Callable[[], object]) -> bool:
        # The host only logs when storage does not follow: the lease ends and the message comes back.
        try:
            self._effect(name, act)
        except (StorageUnavailable, ReceiptMismatch):
            return False
        return True

    def _effect(self, name: str, act: Callable[[], T]) -> T:
        return storage_effect(self._stage, name, act)


class _Lease:
    """A message in the host's hands, its lease renewed at half until it ends."""

    def __init__(self, queues: MemoryQueues, clock: VirtualClock, queue: str, message: Message) -> None:
        self._queues = queues
        self._clock = clock
        self._queue = queue
        self.message = message
        self._timer: Timer | None = None

    def keep(self) -> None:
        """Renews the lease at half of it, from now on."""
        self._timer = self._clock.at(self._clock.now() + timedelta(seconds=LEASE_SECONDS / 2), self._renew)

    def end(self) -> None:
        """No more renewals: finished, or dead."""
        if self._timer:
            self._timer.cancel()

    def delete(self) -> None:
        """Success."""
        self._queues.delete(self._queue, self.message.sent)

    def release(self, seconds: int) -> None:
        """The next run in so many seconds."""
        self.message = self._queues.update(self._queue, self.message, seconds)

    def _renew(self) -> None:
        try:
            self.message = self._queues.update(self._queue, self.message, LEASE_SECONDS)
        except ReceiptMismatch:
            return
        self.keep()
