"""Unreadable messages: what came over the documents queue and is none of ours is kept on record, at once, without retries, and
stays on the list until somebody has dealt with it. The trail of each stays for ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.decisions.states import Status
from connector.flows.desk import Act, Done
from connector.flows.parts import Parts
from connector.storage.ledger import Change
from connector.storage.ledger_rows import State

PARTITION = "unreadable"
MOST_TEXT = 4000
"""Characters that are kept of a message."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message on the list. `at`: when it came; `text`: its beginning; `length`: how many characters it had."""

    state: State
    at: datetime
    why: str
    text: str
    length: int


def keep_unreadable(parts: Parts, text: str, why: str) -> None:
    """Records the message as parked under the hash of its text; seeing it again changes nothing, unless it was discarded."""
    id_ = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    parts.telemetry.warning("unreadable_message", id=id_)
    kept = text.encode("utf-8", "replace").decode()
    before = parts.ledger.states(PARTITION, [id_]).get(id_)
    if before is not None and before.status is Status.PARKED:
        return
    if before is not None and before.status is Status.DISCARDED:
        # Whatever was given up and comes back is due again first.
        due = Change(before, replace(before, status=Status.PENDING))
        before = parts.ledger.record(PARTITION, [due]).saved.get(id_)
        if before is None:
            return  # another run has it, which came at the same time
    known = before or State(id=id_, status=Status.PARKED)
    after = replace(known, status=Status.PARKED, outcome="unreadable", reasons=why[:500])
    detail = {"why": why[:500], "length": len(kept), "text": kept[:MOST_TEXT]}
    parts.ledger.record(PARTITION, [Change(before, after, "unreadable", detail)])


def count_unreadable(parts: Parts) -> int:
    """How many messages are on the list."""
    return sum(1 for _ in parts.ledger.all_states(PARTITION, Status.PARKED))


def unreadable_messages(parts: Parts) -> list[Unreadable]:
    """The messages on the list, the oldest first. Raises `StorageUnavailable`."""
    found = [_message(parts, state) for state in parts.ledger.all_states(PARTITION, Status.PARKED)]
    return sorted(found, key=lambda one: one.at)


def discard_unreadable(parts: Parts, messages: Sequence[Unreadable], act: Act) -> Done:
    """Takes the messages off the list. Raises `StorageUnavailable`."""
    steps = [
        Change(
            one.state,
            replace(one.state, status=Status.DISCARDED, outcome="discarded"),
            "discarded",
            {"who": act.who, "why": act.why},
        )
        for one in messages
    ]
    recorded = parts.ledger.record(PARTITION, steps)
    return Done(len(recorded.saved), recorded.lost)


def _message(parts: Parts, state: State) -> Unreadable:
    event = next(one for one in reversed(parts.ledger.events(PARTITION, state.id)) if one.action == "unreadable")
    detail = json.loads(event.detail)
    text = str(detail["text"])
    return Unreadable(state, event.at, str(detail["why"]), text, int(detail.get("length", len(text))))
