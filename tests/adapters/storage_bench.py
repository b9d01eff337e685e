"""The two storages under one contract, each with the host's side of its queues and a way to let time pass."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.queue import (
    QueueClient,
    QueueMessage,
    QueueServiceClient,
    TextBase64DecodePolicy,
    TextBase64EncodePolicy,
)

from connector.storage.azure_queues import AzureQueues
from connector.storage.azure_tables import AzureTables
from connector.storage.ports import QueueStore, TableStore
from connector.storage.rehearsal import OverlayTables
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryQueues, MemoryTables, Message, ReceiptMismatch

_numbers = itertools.count(1)


class Consumer(Protocol):
    """The host's side of a queue."""

    def receive(self, queue: str, maximum: int = 1, visibility_seconds: int = 30) -> list[Message]:
        """Takes visible messages."""
        ...

    def update(self, queue: str, message: Message, visibility_seconds: int) -> Message:
        """Sets when the message becomes visible."""
        ...

    def peek(self, queue: str, maximum: int = 32) -> list[Message]:
        """Looks at visible messages."""
        ...


@dataclass(frozen=True)
class Bench:
    """One storage under test, with a table and a queue that no other test uses."""

    tables: TableStore
    queues: QueueStore
    consumer: Consumer
    pass_time: Callable[[float], None]
    table: str
    queue: str


class SdkConsumer:
    """The host's side of real queues."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service

    def receive(self, queue: str, maximum: int = 1, visibility_seconds: int = 30) -> list[Message]:
        """Takes visible messages."""
        found = self._client(queue).receive_messages(
            messages_per_page=maximum, visibility_timeout=visibility_seconds, max_messages=maximum
        )
        return [_message(each) for each in found]

    def update(self, queue: str, message: Message, visibility_seconds: int) -> Message:
        """Sets when the message becomes visible."""
        try:
            made = self._client(queue).update_message(
                message.message_id, message.pop_receipt, visibility_timeout=visibility_seconds
            )
        except HttpResponseError as error:
            raise ReceiptMismatch(message.message_id) from error
        assert made.pop_receipt is not None
        return Message(
            message.message_id,
            made.pop_receipt,
            message.text,
            message.dequeue_count,
            message.inserted_at,
            message.visible_at,
            message.expires_at,
        )

    def peek(self, queue: str, maximum: int = 32) -> list[Message]:
        """Looks at visible messages."""
        return [_message(each) for each in self._client(queue).peek_messages(max_messages=maximum)]

    def _client(self, queue: str) -> QueueClient:
        return self._service.get_queue_client(
            queue, message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy()
        )


def _message(found: QueueMessage) -> Message:
    assert found.inserted_on is not None
    return Message(
        str(found.id),
        found.pop_receipt or "",
        str(found.content),
        int(found.dequeue_count or 0),
        found.inserted_on,
        found.next_visible_on or found.inserted_on,
        found.expires_on,
    )


def _bench(tables: TableStore, queues: QueueStore, consumer: Consumer, pass_time: Callable[[float], None]) -> Bench:
    number = next(_numbers)
    bench = Bench(tables, queues, consumer, pass_time, f"contract{number}", f"contract-{number}")
    tables.ensure(bench.table)
    queues.ensure(bench.queue)
    return bench


def memory() -> Bench:
    """The in-memory storage, its time virtual."""
    clock = VirtualClock()
    queues = MemoryQueues(clock)
    return _bench(MemoryTables(clock), queues, queues, clock.advance)


def overlaid() -> Bench:
    """A rehearsal's tables over the in-memory storage, which has none of the test's own."""
    clock = VirtualClock()
    queues = MemoryQueues(clock)
    return _bench(OverlayTables(MemoryTables(clock), clock), queues, queues, clock.advance)


@contextmanager
def emulated(connection_string: str) -> Iterator[Bench]:
    """The adapters on the emulator, its time real."""
    with (
        TableServiceClient.from_connection_string(connection_string) as tables,
        QueueServiceClient.from_connection_string(connection_string) as queues,
    ):
        # A little more than asked: the emulator cuts times to whole seconds.
        yield _bench(
            AzureTables(tables), AzureQueues(queues), SdkConsumer(queues), lambda seconds: time.sleep(seconds + 0.2)
        )
