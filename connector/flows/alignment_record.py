"""The record of alignment: every write to either side is an event in the trail of its cost centre, beside those of documents.

Intent before the write, outcome after it. Where a system would not have the write, the cost centre stands as parked, with the
reason, until a later run has brought it to its end. The same write is asked for again after waits that grow to six hours, so
that what is refused for good does not fill the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from connector.decisions.alignment_actions import Action, Map, Refusal, Unmap, Write
from connector.decisions.release import wait_after
from connector.decisions.states import Status
from connector.setting_words import Company
from connector.storage import keys
from connector.storage.ledger import Change, Ledger
from connector.storage.ledger_rows import State


def alignment_partition(company: Company) -> str:
    """The ledger's partition of a company's cost centres."""
    return keys.join(company.key, "alignment")


class AlignmentRecord:
    """One run's events. `run`: its correlation id."""

    def __init__(self, ledger: Ledger, company: Company, run: str) -> None:
        self._ledger = ledger
        self._where = alignment_partition(company)
        self._run = run
        self._states: dict[str, State] = {}

    def intend(self, actions: Iterable[Action]) -> Mapping[str, Refusal]:
        """Puts on record what is about to be written, cost centre by cost centre. What a system would not have lately, and is
        asked for unchanged, is left alone for a while: by what it is about, why it was refused then. Raises
        `StorageUnavailable`."""
        by_thing = _by_thing(action for action in actions if not isinstance(action, Map | Unmap))
        found = self._ledger.states(self._where, sorted(by_thing))
        changes, left = [], {}
        for thing, writes in by_thing.items():
            before = found.get(thing)
            known = before or State(id=thing, status=Status.PENDING)
            again = known.status is Status.PARKED and known.content_hash == _hash(writes)
            if again and known.age < wait_after(known.releases):
                left[thing] = Refusal(**json.loads(known.reasons)[0])
                continue
            after = replace(
                known,
                status=Status.CLAIMED,
                number=writes[0].code,
                sys_id=writes[0].sys_id,
                intents=known.intents + 1,
                content_hash=_hash(writes),
                releases=known.releases + 1 if again else 0,
                correlation=self._run,
            )
            changes.append(Change(before, after, "intent", {"writes": [_told(one) for one in writes]}, _index(writes)))
        self._states |= self._ledger.record(self._where, changes).saved
        return left

    def settle(self, done: Iterable[Write], refused: Mapping[str, Refusal]) -> None:
        """What became of it: the writes that were done, and by the thing they are about why others were not."""
        by_thing = _by_thing(done)
        changes = []
        for thing, state in self._states.items():
            reasons = [asdict(refused[thing])] if thing in refused else []
            writes = by_thing.get(thing, [])
            detail = {"done": [_told(one) for one in writes]} | ({"reasons": reasons} if reasons else {})
            outcome = "refused" if reasons else ("aligned" if writes else "left")
            after = replace(
                state,
                status=Status.PARKED if reasons else Status.DONE,
                outcome=outcome,
                reasons=json.dumps(reasons) if reasons else "",
            )
            changes.append(Change(state, after, outcome, detail))
        self._ledger.record(self._where, changes)
        self._states = {}


def close_open(ledger: Ledger, company: Company, run: str) -> None:
    """What a run that died has left without an outcome, once a later one has found both sides as they should be."""
    where = alignment_partition(company)
    detail = {"why": "the run that began this ended before it could say so; both sides are as they should be now"}
    changes = [
        Change(
            state, replace(state, status=Status.DONE, outcome="aligned", reasons="", correlation=run), "aligned", detail
        )
        for state in ledger.open_states(where)
    ]
    ledger.record(where, changes)


def thing_of(action: Action) -> str:
    """What a trail is of: a cost centre, by its sys_id, or a value that has none yet, by its code."""
    return action.sys_id or f"value {action.code if not isinstance(action, Map | Unmap) else ''}"


def _by_thing(writes: Iterable[Write]) -> dict[str, list[Write]]:
    by_thing: dict[str, list[Write]] = {}
    for action in writes:
        by_thing.setdefault(thing_of(action), []).append(action)
    return by_thing


def _hash(writes: Sequence[Write]) -> str:
    """The same for the same writes."""
    return hashlib.sha256(json.dumps([_told(one) for one in writes], sort_keys=True).encode()).hexdigest()


def _index(writes: Sequence[Write]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for one in writes for text in (one.code, one.sys_id) if text))


def _told(action: Write) -> dict[str, object]:
    """A write as the trail tells it; ETags say nothing to anybody later."""
    told: dict[str, object] = {
        name: value
        for name, value in asdict(action).items()
        if name not in ("etag", "sys_id") and value not in ("", None)
    }
    return {"action": type(action).__name__, **{name: str(value) for name, value in told.items()}}
