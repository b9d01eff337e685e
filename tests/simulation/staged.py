"""The ports of the connector on the stage: each call is an effect, then goes on to the store, transport or clock inside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import httpx

from connector.errors import StorageUnavailable
from connector.storage.ports import Condition, Entity, Operation, QueueStore, Sent, TableStore
from tests.sandbox.clock import SkewedClock, VirtualClock
from tests.simulation.stage import Stage

T = TypeVar("T")
_PAGE = 1_000


def storage_effect(stage: Stage, name: str, act: Callable[[], T]) -> T:
    """One storage call as an effect."""

    def lost() -> StorageUnavailable:
        return StorageUnavailable(f"{name}: no answer (simulated)")

    return stage.perform(name, act, lost_before=lost, lost_after=lost)


class StagedTables:
    """A `TableStore` on the stage. Effects: ``tables.write TABLE KINDS``, ``tables.read TABLE`` and so on."""

    def __init__(self, inner: TableStore, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def ensure(self, table: str) -> None:
        """Creates the table when it is missing."""
        storage_effect(self._stage, f"tables.ensure {table}", lambda: self._inner.ensure(table))

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        """One row, or None."""
        return storage_effect(self._stage, f"tables.read {table}", lambda: self._inner.read(table, partition, row))

    def query(
        self,
        table: str,
        partition: str,
        *,
        start: str,
        stop: str,
        where: Sequence[Condition] = (),
        limit: int | None = None,
    ) -> Iterator[Entity]:
        """Rows of a range; each page of 1,000 is an effect."""
        rows = self._inner.query(table, partition, start=start, stop=stop, where=where, limit=limit)
        return self._pages(f"tables.query {table}", rows)

    def _pages(self, name: str, rows: Iterator[Entity]) -> Iterator[Entity]:
        while True:
            page = storage_effect(self._stage, name, lambda: list(itertools.islice(rows, _PAGE)))
            yield from page
            if len(page) < _PAGE:
                return

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """All operations or none."""
        kinds = "+".join(type(operation).__name__.lower() for operation in operations)
        name = f"tables.write {table} {kinds}"
        return storage_effect(self._stage, name, lambda: self._inner.write(table, partition, operations))


class StagedQueues:
    """A `QueueStore` on the stage. Effects: ``queues.send QUEUE`` and so on."""

    def __init__(self, inner: QueueStore, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def ensure(self, queue: str) -> None:
        """Creates the queue when it is missing."""
        storage_effect(self._stage, f"queues.ensure {queue}", lambda: self._inner.ensure(queue))

    def send(self, queue: str, text: str, *, delay_seconds: float = 0) -> Sent:
        """Adds a message."""
        return storage_effect(
            self._stage, f"queues.send {queue}", lambda: self._inner.send(queue, text, delay_seconds=delay_seconds)
        )

    def delete(self, queue: str, sent: Sent) -> bool:
        """Removes a message."""
        return storage_effect(self._stage, f"queues.delete {queue}", lambda: self._inner.delete(queue, sent))

    def count(self, queue: str) -> int:
        """About how many messages are there."""
        return storage_effect(self._stage, f"queues.count {queue}", lambda: self._inner.count(queue))


class StagedTransport(httpx.BaseTransport):
    """An httpx transport on the stage. Effects: ``http METHOD host/path``."""

    def __init__(self, inner: httpx.BaseTransport, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; a failure before it is no connection, one after it a reset before the answer."""
        return self._stage.perform(
            f"http {request.method} {request.url.host}{request.url.path}",
            lambda: self._inner.handle_request(request),
            lost_before=lambda: httpx.ConnectError("connection refused (simulated)", request=request),
            lost_after=lambda: httpx.ReadError("connection reset by peer (simulated)", request=request),
        )

    def close(self) -> None:
        """Closes the transport inside."""
        self._inner.close()


class StagedClock:
    """A `Clock` on the stage. Reading it is no effect; ``clock.sleep`` is one, which can be stopped but not fail."""

    def __init__(self, clock: VirtualClock, stage: Stage, *, skew_seconds: float = 0) -> None:
        self._clock = clock
        self._seen: SkewedClock = clock.skewed(skew_seconds)
        self._stage = stage

    @property
    def skew(self) -> float:
        """By how many seconds this process sees the time wrong."""
        return self._seen.offset

    @skew.setter
    def skew(self, seconds: float) -> None:
        self._seen.offset = seconds

    def now(self) -> datetime:
        """The time as this process sees it."""
        return self._seen.now()

    def monotonic(self) -> float:
        """Virtual seconds that never go back."""
        return self._seen.monotonic()

    def sleep(self, seconds: float) -> None:
        """Lets virtual time pass."""
        self._stage.perform(
            "clock.sleep",
            lambda: self._stage.turns.sleep(self._clock, seconds, self._stage.require_alive),
            lost_before=None,
            lost_after=None,
        )
