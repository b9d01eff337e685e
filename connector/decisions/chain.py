"""The event chain: each event's hash covers its content and the hash before it, under a secret key.

Whoever can edit the storage but lacks the key cannot change, remove or reorder an event unnoticed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

GENESIS = "0" * 64


def event_hash(key: bytes, previous: str, content: Mapping[str, str | int]) -> str:
    """The hash of an event: HMAC-SHA-256 over the previous hash and the canonical JSON of the content, hexadecimal."""
    text = json.dumps(dict(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key, f"{previous}\n{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def end_seal(key: bytes, where: str, id_: str, seq: int, head: str) -> str:
    """The seal of a document's state over the end of its trail: cutting events off and moving the state back needs the key."""
    return hmac.new(
        key, f"end\n{where}\n{id_}\n{seq}\n{head}".encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def key_id(key: bytes) -> str:
    """A short name of a key that tells nothing about it, to know later which key sealed an event."""
    return hmac.new(key, b"key id", hashlib.sha256).hexdigest()[:8]
