"""`QueueStore` in memory: visibility, pop receipts, dequeue counts, delays and expiry as in Azure Queue Storage.

Deterministic: ids and receipts are counted, messages come in the order they became visible. The second half of the
interface is the consumer's, as the Functions host uses it.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.errors import SettingsFault
from connector.ports import Clock
from connector.storage.ports import Sent

MAX_BYTES = 64 * 1024
MAX_SECONDS = 7 * 24 * 3600
MAX_RECEIVED = 32
_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class ReceiptMismatch(Exception):
    """The message is gone, or somebody took it since this receipt was given."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message at one moment. `pop_receipt` is the one valid then ("" for a peeked message)."""

    message_id: str
    pop_receipt: str
    text: str
    dequeue_count: int
    inserted_at: datetime
    visible_at: datetime
    expires_at: datetime | None

    @property
    def sent(self) -> Sent:
        """How `QueueStore.delete` addresses it."""
        return Sent(self.message_id, self.pop_receipt)


class MemoryQueues:
    """Queues that live as long as this object; `clock` is the server's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, dict[str, Message]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def ensure(self, queue: str) -> None:
        """Creates the queue when it is missing."""
        if not _NAME.fullmatch(queue):
            raise ValueError(f"{queue!r} is no name for a queue")
        with self._lock:
            self._queues.setdefault(queue, {})

    def send(self, queue: str, text: str, *, delay_seconds: float = 0, lives_seconds: float | None = None) -> Sent:
        """Adds a message that becomes visible after the delay; it expires only when `lives_seconds` is given."""
        if not 0 <= delay_seconds <= MAX_SECONDS:
            raise ValueError(f"a delay of {delay_seconds} seconds")
        if len(base64.b64encode(text.encode("utf-8"))) > MAX_BYTES:
            raise ValueError("a message over 64 KiB")
        with self._lock:
            there = self._present(queue)
            number = next(self._numbers)
            now = self._clock.now()
            message = Message(
                message_id=f"message-{number:08d}",
                pop_receipt=self._receipt(),
                text=text,
                dequeue_count=0,
                inserted_at=now,
                visible_at=now + timedelta(seconds=math.ceil(delay_seconds)),
                expires_at=None if lives_seconds is None else now + timedelta(seconds=lives_seconds),
            )
            there[message.message_id] = message
            return message.sent

    def delete(self, queue: str, sent: Sent) -> bool:
        """Removes exactly that message; False when it is gone or was taken by somebody since."""
        if not (sent.message_id and sent.pop_receipt):
            raise ValueError("a message is deleted by its id and pop receipt")
        with self._lock:
            there = self._present(queue)
            message = there.get(sent.message_id)
            if message is None or message.pop_receipt != sent.pop_receipt:
                return False
            del there[sent.message_id]
            return True

    def count(self, queue: str) -> int:
        """How many messages are there, visible or not."""
        with self._lock:
            return len(self._present(queue))

    # The consumer's side.

    def exists(self, queue: str) -> bool:
        """Whether the queue was created."""
        with self._lock:
            return queue in self._queues

    def receive(self, queue: str, maximum: int = 1, visibility_seconds: int = 30) -> list[Message]:
        """Takes visible messages, oldest first: invisible to others for that long, dequeue count up by one."""
        if not 1 <= maximum <= MAX_RECEIVED:
            raise ValueError(f"receive takes 1 to {MAX_RECEIVED} messages, not {maximum}")
        if not 1 <= visibility_seconds <= MAX_SECONDS:
            raise ValueError(f"received messages stay invisible for 1 second to 7 days, not {visibility_seconds}")
        with self._lock:
            there = self._present(queue)
            taken = [
                replace(
                    message,
                    pop_receipt=self._receipt(),
                    dequeue_count=message.dequeue_count + 1,
                    visible_at=self._clock.now() + timedelta(seconds=visibility_seconds),
                )
                for message in self._visible(there.values())[:maximum]
            ]
            there.update({message.message_id: message for message in taken})
            return taken

    def update(self, queue: str, message: Message, visibility_seconds: int) -> Message:
        """Sets when the message becomes visible, counted from now; the old receipt ends, the new one comes back."""
        if not 0 <= visibility_seconds <= MAX_SECONDS:
            raise ValueError(f"an update sets 0 seconds to 7 days, not {visibility_seconds}")
        with self._lock:
            there = self._present(queue)
            current = there.get(message.message_id)
            if current is None or current.pop_receipt != message.pop_receipt:
                raise ReceiptMismatch(message.message_id)
            visible_at = self._clock.now() + timedelta(seconds=visibility_seconds)
            updated = replace(current, pop_receipt=self._receipt(), visible_at=visible_at)
            there[message.message_id] = updated
            return updated

    def peek(self, queue: str, maximum: int = MAX_RECEIVED) -> list[Message]:
        """Looks at visible messages without taking them; a peeked message has no receipt."""
        if not 1 <= maximum <= MAX_RECEIVED:
            raise ValueError(f"peek shows 1 to {MAX_RECEIVED} messages, not {maximum}")
        with self._lock:
            there = self._present(queue)
            return [replace(message, pop_receipt="") for message in self._visible(there.values())[:maximum]]

    # The tests' side.

    def queues(self) -> tuple[str, ...]:
        """The names of all queues."""
        with self._lock:
            return tuple(sorted(self._queues))

    def drop(self, queue: str) -> None:
        """Somebody deletes the queue with all that is in it."""
        with self._lock:
            del self._queues[queue]

    def messages(self, queue: str) -> tuple[Message, ...]:
        """Every message of the queue, visible or not, in the order of insertion; empty when there is no such queue."""
        with self._lock:
            return tuple(self._present(queue).values()) if queue in self._queues else ()

    def next_visible(self, queue: str) -> datetime | None:
        """When the next message can be received; None when there is none."""
        return min((message.visible_at for message in self.messages(queue)), default=None)

    def _present(self, queue: str) -> dict[str, Message]:
        if queue not in self._queues:
            raise SettingsFault(f"queue {queue} does not exist")
        there, now = self._queues[queue], self._clock.now()
        for gone in [m.message_id for m in there.values() if m.expires_at is not None and m.expires_at <= now]:
            del there[gone]
        return there

    def _visible(self, there: Iterable[Message]) -> list[Message]:
        now = self._clock.now()
        visible = [message for message in there if message.visible_at <= now]
        return sorted(visible, key=lambda message: (message.visible_at, message.message_id))

    def _receipt(self) -> str:
        return f"receipt-{next(self._numbers):08d}"
