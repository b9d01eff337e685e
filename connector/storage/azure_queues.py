"""`QueueStore` on Azure Queue Storage: base64 on the wire, as the Functions host expects it, and no expiry.

No call is repeated here: a message sent twice is harmless but costs a run, and the SDK's waits between tries are longer
than a run may wait.
"""

from __future__ import annotations

import math
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueClient, QueueServiceClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from connector.errors import StorageUnavailable
from connector.storage.azure_errors import code_of, typed_errors
from connector.storage.ports import Sent

MAX_DELAY_SECONDS = 7 * 24 * 3600
_MAX_BYTES = 64 * 1024
_FOR_EVER = -1
_ONCE: dict[str, Any] = {"retry_total": 0}
# The receipt changes with every receive and update, so a mismatch says that somebody took the message since.
_GONE = frozenset({"MessageNotFound", "PopReceiptMismatch"})


class AzureQueues:
    """Queues of one storage account, reached by the given client."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    def ensure(self, queue: str) -> None:
        """Creates the queue when it is missing."""
        client = self._client(queue)
        with typed_errors(f"queue {queue}"):
            try:
                client.create_queue(**_ONCE)
            except HttpResponseError as error:
                # 409 also says that a queue of this name is just being deleted.
                if code_of(error) != "QueueAlreadyExists":
                    raise

    def send(self, queue: str, text: str, *, delay_seconds: float = 0) -> Sent:
        """Adds a message that becomes visible after the delay (rounded up to seconds, at most 7 days), never expires."""
        if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
            raise ValueError(f"a message waits 0 to {MAX_DELAY_SECONDS} seconds, not {delay_seconds}")
        size = 4 * math.ceil(len(text.encode("utf-8")) / 3)
        if size > _MAX_BYTES:
            raise ValueError(f"a message holds {_MAX_BYTES} bytes of base64, not {size}")
        client = self._client(queue)
        with typed_errors(f"queue {queue}"):
            made = client.send_message(
                text, visibility_timeout=math.ceil(delay_seconds), time_to_live=_FOR_EVER, **_ONCE
            )
            if not (made.id and made.pop_receipt):
                raise StorageUnavailable(f"queue {queue}: an answer without the message's id and receipt")
            return Sent(made.id, made.pop_receipt)

    def delete(self, queue: str, sent: Sent) -> bool:
        """Removes exactly that message; False when it is gone or was taken by somebody since."""
        if not (sent.message_id and sent.pop_receipt):
            raise ValueError("a message is deleted by its id and pop receipt")
        client = self._client(queue)
        with typed_errors(f"queue {queue}"):
            try:
                client.delete_message(sent.message_id, sent.pop_receipt, **_ONCE)
            except HttpResponseError as error:
                if code_of(error) in _GONE:
                    return False
                raise
            return True

    def count(self, queue: str) -> int:
        """About how many messages are there, visible or not."""
        client = self._client(queue)
        with typed_errors(f"queue {queue}"):
            waiting = client.get_queue_properties(**_ONCE).approximate_message_count
            if waiting is None:
                raise StorageUnavailable(f"queue {queue}: an answer without a number of messages")
            return int(waiting)

    def _client(self, queue: str) -> QueueClient:
        client = self._clients.get(queue)
        if client is None:
            client = self._clients[queue] = self._service.get_queue_client(
                queue, message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy()
            )
        return client
