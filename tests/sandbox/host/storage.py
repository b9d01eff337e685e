"""Queues as the host sees them: clients, and the text of a message on the wire."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from azure.storage.queue import LinearRetry, QueueClient

from tests.sandbox.host.configuration import connection_string


class NotDecodable(Exception):
    """A message's text is not in the encoding that host.json names."""


def open_queue(name: str, connection: str, settings: Mapping[str, str]) -> QueueClient:
    """A client for the queue behind a binding; few and quick retries, since the listener polls again anyway."""
    retries = LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)
    return QueueClient.from_connection_string(connection_string(connection, settings), name, retry_policy=retries)


def encode(body: bytes, *, base64_on: bool) -> str:
    """The message's text for a body."""
    return base64.b64encode(body).decode("ascii") if base64_on else body.decode("utf-8")


def decode(text: str, *, base64_on: bool) -> bytes:
    """The body behind a message's text, or `NotDecodable`."""
    if not base64_on:
        return text.encode("utf-8")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotDecodable(f"not base64: {text[:40]!r}") from error
