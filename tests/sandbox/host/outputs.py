"""Queue outputs, with the surprise of the real host: a text that looks like JSON is parsed before it is sent.

An array becomes one message for each element; an object is written anew, indented. (The real host also rewrites texts
that look like dates, which is left out here.) Other texts and bytes arrive as they are, and so does each text of a list.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from tests.sandbox.host.configuration import Function, resolve
from tests.sandbox.host.invocation import Data, Outcome
from tests.sandbox.host.storage import encode, open_queue


class Outputs:
    """Writes the queue outputs of functions and wakes the listener of a queue it wrote to."""

    def __init__(self, settings: Mapping[str, str], *, base64_on: bool) -> None:
        self._settings = settings
        self._base64_on = base64_on
        self._clients: dict[tuple[str, str], QueueClient] = {}
        self.written: dict[str, threading.Event] = {}
        """By queue name: set after each write."""

    def prepare(self, function: Function) -> None:
        """Opens the queues of a function's outputs, so that a missing setting shows at start."""
        for binding in function.outputs:
            if binding["type"] == "queue":
                connection = str(binding.get("connection", ""))
                name = resolve(str(binding["queueName"]), self._settings)
                self._clients[function.name, binding["name"]] = open_queue(name, connection, self._settings)

    def write(self, function: Function, outcome: Outcome) -> None:
        """Sends what a run left in its outputs."""
        values = dict(outcome.outputs)
        if outcome.returned is not None:
            values["$return"] = outcome.returned
        for name, data in values.items():
            client = self._clients.get((function.name, name))
            if client is not None:
                self._send(client, messages(data))

    def _send(self, client: QueueClient, bodies: list[bytes]) -> None:
        for body in bodies:
            text = encode(body, base64_on=self._base64_on)
            try:
                client.send_message(text)
            except ResourceNotFoundError:
                client.create_queue()
                client.send_message(text)
        if client.queue_name in self.written:
            self.written[client.queue_name].set()


def messages(data: Data) -> list[bytes]:
    """The bodies that one output value becomes."""
    if data.kind == "bytes":
        return [bytes(data.value)]
    if data.kind == "string" and not _looks_like_json(data.value):
        return [str(data.value).encode()]
    try:
        parsed = json.loads(data.value)
    except ValueError:
        return [str(data.value).encode()]
    return [_body(element) for element in (parsed if isinstance(parsed, list) else [parsed])]


def _looks_like_json(text: str) -> bool:
    text = text.strip()
    return (text[:1], text[-1:]) in {("{", "}"), ("[", "]")}


def _body(element: Any) -> bytes:
    return (element if isinstance(element, str) else json.dumps(element, indent=2, ensure_ascii=False)).encode()
