"""Unreadable messages: what came over the documents queue and is none of ours is kept on record, at once, without retries."""

from __future__ import annotations

import hashlib

from connector.decisions.states import Status
from connector.flows.parts import Parts
from connector.storage.ledger import Change
from connector.storage.ledger_rows import State

PARTITION = "unreadable"


def keep_unreadable(parts: Parts, text: str, why: str) -> None:
    """Records the message as parked under the hash of its text; seeing it again changes nothing."""
    id_ = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    parts.telemetry.warning("unreadable_message", id=id_)
    text = text.encode("utf-8", "replace").decode()
    state = State(id=id_, status=Status.PARKED, outcome="unreadable", reasons=why[:500])
    parts.ledger.record(PARTITION, [Change(None, state, "unreadable", {"why": why[:500], "text": text[:4000]})])
