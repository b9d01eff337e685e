"""What a test of the local host needs around the example app: queues of its own, the app's notes, patience."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

APP = Path(__file__).parent


class Bench:
    """Queues with a name of their own and a folder of notes; `environment` is what the app needs."""

    def __init__(self, connection_string: str, notes: Path) -> None:
        self._connection_string = connection_string
        self._notes = notes
        name = f"work-{uuid.uuid4().hex[:12]}"
        self.work = self.queue(name)
        self.poison = self.queue(f"{name}-poison")
        self.out = self.queue(f"{name}-out")
        self.environment = {
            "NOTES": str(notes),
            "WORK_QUEUE": name,
            "OUT_QUEUE": self.out.queue_name,
            "WorkStorage": connection_string,
            "AzureWebJobsStorage": connection_string,
            "TICK": "0 0 0 1 1 *",
            "PYTHON_THREADPOOL_THREAD_COUNT": "8",
        }

    def queue(self, name: str) -> QueueClient:
        """A client that encodes as host.json says; the queue itself may not exist."""
        return QueueClient.from_connection_string(
            self._connection_string,
            name,
            message_encode_policy=TextBase64EncodePolicy(),
            message_decode_policy=TextBase64DecodePolicy(),
        )

    def notes(self, name: str) -> list[dict[str, Any]]:
        """The notes of a function so far, oldest first."""
        file = self._notes / name
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def sent(self, *bodies: str) -> None:
        """Puts messages on the work queue, which is made first."""
        self.work.create_queue()
        for body in bodies:
            self.work.send_message(body)

    def sent_as_is(self, text: str) -> None:
        """Puts a message on the work queue with this very text on the wire."""
        self.work.create_queue()
        name = self.environment["WORK_QUEUE"]
        QueueClient.from_connection_string(self._connection_string, name).send_message(text)


def size(queue: QueueClient) -> int:
    """How many messages a queue holds, invisible ones too; 0 for a missing queue."""
    try:
        return queue.get_queue_properties().approximate_message_count or 0
    except ResourceNotFoundError:
        return 0


def until(condition: Callable[[], object], *, seconds: float = 15) -> None:
    """Waits until the condition holds; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)
