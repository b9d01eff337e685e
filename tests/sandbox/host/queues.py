"""The queue listener, with the rules of the storage queue extension (QueueListener and QueueProcessor in azure-sdk-for-net).

A message is leased for `lease` seconds (10 minutes in the real host), renewed at half. Success deletes it. Failure makes
it visible again after the retry delay (host.json `visibilityTimeout`); the failure of run `maxDequeueCount` moves its
body to "<queue>-poison". After the death of this process the message comes back when its lease ends.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from datetime import datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from tests.sandbox.host.configuration import Function, QueueOptions
from tests.sandbox.host.dispatch import Dispatcher
from tests.sandbox.host.invocation import Data
from tests.sandbox.host.storage import NotDecodable, decode

log = logging.getLogger("host.queue")

LONGEST_NAME = 63


class Backoff:
    """How long to wait before the next look into a queue: 0.1 s after a find, then about 0.2, 0.3, 0.5, 0.9 s ..."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._empty = 0

    def next(self, *, found: bool) -> float:
        """The wait after a look that found something or nothing."""
        if found:
            self._empty = 0
            return 0.1
        wait = 0.1 + random.uniform(0.8, 1.2) * 0.1 * (1 << self._empty)
        # Growth stops once the limit is met, so that a quiet night does not end in an overflow.
        self._empty += wait < self._longest
        return min(wait, self._longest)


class QueueListener:
    """Listens to the queue of one function until stopped."""

    def __init__(
        self,
        function: Function,
        client: QueueClient,
        poison: QueueClient | None,
        dispatcher: Dispatcher,
        options: QueueOptions,
        *,
        lease: int,
        retry_delay: int,
    ) -> None:
        self.queue = str(client.queue_name)
        self.wake = threading.Event()
        self._function = function
        self._client = client
        self._poison = poison
        self._dispatcher = dispatcher
        self._options = options
        self._lease = lease
        self._retry_delay = retry_delay
        self._stopping = False
        self._running = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name=f"queue {self.queue}", daemon=True)

    def start(self) -> None:
        """Starts listening."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more messages; those that run go on."""
        self._stopping = True
        self.wake.set()
        with self._changed:
            self._changed.notify_all()

    def drained(self, deadline: float) -> bool:
        """Waits for the running messages, until the monotonic `deadline`; whether all have ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            ended = self._changed.wait_for(lambda: self._running == 0, max(0.0, deadline - time.monotonic()))
        return ended and not self._thread.is_alive()

    def _listen(self) -> None:
        backoff = Backoff(self._options.max_polling_interval)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._running <= self._options.new_batch_threshold)
            # Cleared first: a stop or a write from here on is not slept through.
            self.wake.clear()
            if self._stopping:
                return
            self.wake.wait(backoff.next(found=self._take()))

    def _take(self) -> bool:
        try:
            batch = self._options.batch_size
            found = list(self._client.receive_messages(max_messages=batch, visibility_timeout=self._lease))
        except ResourceNotFoundError:
            return False
        except AzureError as error:
            log.warning("Queue %s cannot be read: %s", self.queue, error)
            return False
        for message in found:
            with self._changed:
                self._running += 1
            threading.Thread(target=self._process, args=(message,), name=f"message {message.id}", daemon=True).start()
        return bool(found)

    def _process(self, message: QueueMessage) -> None:
        try:
            self._handle(message)
        except AzureError as error:
            log.error("Message %s of %s: %s; it returns when its lease ends", message.id, self.queue, error)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _handle(self, message: QueueMessage) -> None:
        attempts = message.dequeue_count or 0
        if attempts > self._options.max_dequeue_count and self._poison is not None:
            self._move(message, self._poison)
        elif self._succeeds(message):
            self._delete(message)
        elif self._poison is None:
            log.error("Message %s of %s failed; with no poison queue it stays invisible", message.id, self.queue)
        elif attempts >= self._options.max_dequeue_count:
            self._move(message, self._poison)
        else:
            self._client.update_message(message.id, message.pop_receipt, visibility_timeout=self._retry_delay)

    def _succeeds(self, message: QueueMessage) -> bool:
        try:
            body = decode(message.content, base64_on=self._options.base64)
        except NotDecodable as error:
            log.error("Message %s of %s: %s", message.id, self.queue, error)
            return False

        def renew() -> None:
            try:
                renewed = self._client.update_message(message.id, message.pop_receipt, visibility_timeout=self._lease)
                message.pop_receipt = renewed.pop_receipt
            except AzureError as error:
                log.warning("The lease of message %s cannot be renewed: %s", message.id, error)

        outcome = self._dispatcher.run(
            self._function,
            text_or_bytes(body),
            reason=f"New queue message detected on '{self.queue}'.",
            metadata=metadata(message, body),
            beat=renew,
            every=self._lease / 2,
        )
        return outcome.error is None

    def _move(self, message: QueueMessage, poison: QueueClient) -> None:
        attempts = self._options.max_dequeue_count
        log.warning("Message %s reached MaxDequeueCount of %d: moved to %s", message.id, attempts, poison.queue_name)
        try:
            poison.send_message(message.content)
        except ResourceNotFoundError:
            poison.create_queue()
            poison.send_message(message.content)
        self._delete(message)

    def _delete(self, message: QueueMessage) -> None:
        try:
            self._client.delete_message(message.id, message.pop_receipt)
        except ResourceNotFoundError:
            log.info("Message %s was gone already", message.id)
        except HttpResponseError as error:
            if error.status_code != 400:
                raise
            log.info("Message %s was taken by somebody else meanwhile", message.id)


def poison_name(queue: str) -> str | None:
    """The poison queue of a queue; None for one that is a poison queue itself or whose name is too long."""
    name = f"{queue}-poison"
    return None if queue.endswith("-poison") or len(name) > LONGEST_NAME else name


def text_or_bytes(body: bytes) -> Data:
    """A body as the real host hands it over: a text where it is valid UTF-8."""
    try:
        return Data("string", body.decode("utf-8"))
    except UnicodeDecodeError:
        return Data("bytes", body)


def metadata(message: QueueMessage, body: bytes) -> dict[str, Data]:
    """The trigger metadata of a queue message."""

    def stamp(moment: datetime | None) -> Data:
        return Data("json", json.dumps(None if moment is None else moment.isoformat()))

    return {
        "Id": Data("string", message.id),
        "PopReceipt": Data("string", message.pop_receipt),
        "QueueTrigger": Data("string", body.decode("utf-8", "replace")),
        "DequeueCount": Data("json", json.dumps(message.dequeue_count)),
        "InsertionTime": stamp(message.inserted_on),
        "ExpirationTime": stamp(message.expires_on),
        "NextVisibleTime": stamp(message.next_visible_on),
    }
