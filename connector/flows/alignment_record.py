"""The record of alignment: every write to either side is an event in the trail of its cost centre, beside those of documents.

Intent before the write, outcome after it. Where a system would not have the write, the cost centre stands as parked, with the
reason, until a later run has brought it to its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from connector.decisions.alignment_actions import Action, Map, Refusal, Unmap, Write
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

    def intend(self, actions: Iterable[Action]) -> None:
        """What is about to be written, cost centre by cost centre. Raises `StorageUnavailable`."""
        by_thing: dict[str, list[Write]] = {}
        for action in actions:
            if not isinstance(action, Map | Unmap):
                by_thing.setdefault(thing_of(action), []).append(action)
        found = self._ledger.states(self._where, sorted(by_thing))
        changes = []
        for thing, writes in by_thing.items():
            before = found.get(thing)
            known = before or State(id=thing, status=Status.PENDING)
            after = replace(
                known,
                status=Status.CLAIMED,
                number=writes[0].code,
                sys_id=writes[0].sys_id,
                intents=known.intents + 1,
                correlation=self._run,
            )
            changes.append(Change(before, after, "intent", {"writes": [_told(one) for one in writes]}, _index(writes)))
        self._states |= self._ledger.record(self._where, changes).saved

    def settle(self, done: Iterable[Write], refused: Mapping[str, Refusal]) -> None:
        """What became of it: the writes that were done, and by the thing they are about why others were not."""
        by_thing: dict[str, list[Write]] = {}
        for action in done:
            by_thing.setdefault(thing_of(action), []).append(action)
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
