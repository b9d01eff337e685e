"""Rehearse: what a replay of parked documents would come to now, down to the rows, without changing anything anywhere.

It is the replay itself, and the very run that delivers, in surroundings that let nothing out: storage is written in memory
only, the write doors take rows and send none, and the transport below refuses whatever is not reading. So a rehearsal knows
all that is known before rows are sent. What ServiceNow itself would say to them, and whether files fit, the real run shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from connector.decisions.mapping import MappedDocument, StagingRow
from connector.decisions.states import OPEN, Status
from connector.errors import Reason
from connector.flows.deliver import MAX_RUNS, deliver
from connector.flows.desk import Act, Parked, replay
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.profile import Profile
from connector.model.units import Unit, decode_unit
from connector.remote.reading_only import ReadingOnly
from connector.servicenow.doors.rehearsal import RehearsalDoor
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State

if TYPE_CHECKING:
    from connector.storage.rehearsal import SilentQueues  # it brings Azure's SDK, which no other flow needs

TURNS = 5
"""How often messages that follow from a run are worked as well: a run that ended early, a document set aside alone."""
_ACT = Act("rehearsal", "")
_PLACES = list(Entity)
_SENT = (Status.DONE, Status.CLOSED)
"""How a document stands whose rows were taken, where nothing went wrong after that."""

Key = tuple[str, Entity, str]
"""A document: its company's key, entity and id. A company that was copied in BC has the ids of its original."""

Verdict = Literal[
    "staged", "cancelled", "unchanged", "parked", "drifted", "waiting", "superseded", "closed", "changed", "unknown"
]
"""``staged``, ``cancelled``: these rows would be sent. ``parked``: it would be parked again, for these reasons. ``drifted``:
its record has come too far and would be left as it is. ``changed``: somebody else took it up meanwhile. ``unknown``: it cannot
be told now. The others: nothing would be sent, and it would be parked no longer."""
PASSING: frozenset[Verdict] = frozenset({"staged", "cancelled", "unchanged", "superseded", "closed"})
"""With these a document is done with."""


@dataclass(frozen=True)
class Rehearsal:
    """The surroundings: parts that let nothing out, and what keeps it in. Put together by `connector.rehearsal`, for one use.
    `profile`: as it is outside, with the files that follow a document."""

    parts: Parts
    profile: Profile
    door: RehearsalDoor
    queues: SilentQueues
    lock: ReadingOnly


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of one parked document. `said`: the verdict in plain words; `reasons` as in `Parked`; `rows`: what
    would be sent, in order. `in_doubt`: those of the rows that are found there already would not be sent again."""

    document: Parked
    verdict: Verdict
    said: str
    reasons: tuple[Mapping[str, Any], ...] = ()
    rows: tuple[StagingRow, ...] = ()
    noted: tuple[Reason, ...] = ()
    in_doubt: bool = False

    @property
    def passes(self) -> bool:
        """Whether it would be done with."""
        return self.verdict in PASSING


def rehearse(rehearsal: Rehearsal, documents: Sequence[Parked]) -> list[Rehearsed]:
    """One verdict a document, in their order. Raises `StorageUnavailable`, and `WriteForbidden` should anything have tried to
    change a system; another system that cannot serve now is in the verdicts."""
    # Orders first, as in the queue's long run: what names an order follows it.
    replay(rehearsal.parts, sorted(documents, key=lambda one: _PLACES.index(one.entity)), _ACT)
    run = _Run(rehearsal)
    run.work()
    return [run.verdict(one) for one in documents]


class _Run:
    """Works the messages of the replay, and those that follow from them at once for the same documents."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._parts = rehearsal.parts
        self._replayed: set[Key] = set()
        self._sent: dict[Key, tuple[State, MappedDocument]] = {}

    def work(self) -> None:
        """As far as it goes without waiting."""
        units = self._units()
        self._replayed = {key for unit in units for key in _keys(unit)}
        for _ in range(TURNS):
            for unit in units:
                self._deliver(unit)
            units = self._units()

    def _units(self) -> list[Unit]:
        kept = self._rehearsal.queues.take()
        name = self._parts.settings.documents_queue
        return [decode_unit(one.text) for one in kept if one.queue == name and not one.delay_seconds]

    def _deliver(self, unit: Unit) -> None:
        # Other documents that a run calls up are not asked about; and once rows were sent, nothing more is known.
        wanted = self._replayed - self._sent.keys()
        references = tuple(one for one in unit.references if (unit.company, unit.entity, one.id) in wanted)
        if references:
            # As if for the last time: what nobody foresaw becomes a reason instead of another try.
            deliver(self._parts, replace(unit, references=references).encode(), MAX_RUNS)
            self._rehearsal.lock.insist()
            self._keep(unit, {one.id: one for one in self._rehearsal.door.take()})

    def _keep(self, unit: Unit, mapped: Mapping[str, MappedDocument]) -> None:
        """The documents whose rows were sent, and where they stand right after that."""
        states = self._parts.ledger.states(partition(unit.company, unit.entity), list(mapped))
        for id_, state in states.items():
            if state.status in _SENT:
                self._sent[unit.company, unit.entity, id_] = state, mapped[id_]

    def verdict(self, one: Parked) -> Rehearsed:
        """What became of the document."""
        key = (one.company.key, one.entity, one.state.id)
        where = partition(one.company.key, one.entity)
        state = self._parts.ledger.states(where, [one.state.id]).get(one.state.id)
        if key not in self._replayed or state is None:
            return Rehearsed(one, "changed", "Somebody else has taken it up meanwhile.")
        if key in self._sent:
            return _sent(one, *self._sent[key])
        if state.status is Status.PARKED:
            return Rehearsed(one, "parked", "It would be parked again.", tuple(json.loads(state.reasons)))
        detail = self._detail(where, state)
        if state.status in OPEN:
            return Rehearsed(one, "unknown", f"It cannot be told now: {detail.get('why') or self._patience()}.")
        verdict, said = _outcome(state, detail)
        return Rehearsed(one, verdict, said)

    def _detail(self, where: str, state: State) -> dict[str, Any]:
        """What the last step said of itself."""
        events = self._parts.ledger.events(where, state.id)
        detail: dict[str, Any] = json.loads(events[-1].detail)
        return detail

    def _patience(self) -> str:
        seconds = ceil(self._parts.gate.closed_for())
        return f"ServiceNow asked for patience, for another {seconds} s" if seconds else "its run did not get to it"


def _keys(unit: Unit) -> Iterable[Key]:
    return ((unit.company, unit.entity, reference.id) for reference in unit.references)


def _sent(one: Parked, state: State, mapped: MappedDocument) -> Rehearsed:
    gone = state.status is Status.CLOSED
    rows = f"{len(mapped.rows)} {'row' if len(mapped.rows) == 1 else 'rows'}"
    said = f"It would be staged: {rows}."
    if gone:
        said = f"Business Central does not have it any more; it would be cancelled in ServiceNow: {rows}."
    return Rehearsed(one, "cancelled" if gone else "staged", said, (), mapped.rows, mapped.noted, mapped.in_doubt)


def _outcome(state: State, detail: Mapping[str, Any]) -> tuple[Verdict, str]:
    """What an outcome without rows is called, and in plain words."""
    if state.status is Status.WAITING:
        why = detail.get("why") or f"its status in Business Central is {detail.get('bc_status')}"
        return "waiting", f"It would wait: {why}."
    if state.status is Status.SUPERSEDED:
        return "superseded", f"Nothing would be sent: the order {detail.get('order')} carries the same debt."
    if state.status is Status.CLOSED:
        how = {"deleted": "it was deleted there", "cancelled": "ServiceNow knows already that it was cancelled"}
        said = how.get(state.outcome, f"it was {state.outcome} there")
        return "closed", f"Nothing would be sent: Business Central does not have it any more, and {said}."
    if state.outcome == "drifted":
        return (
            "drifted",
            f"It would be left as it is: its record is {detail.get('there') or state.there_label} already.",
        )
    return "unchanged", "Nothing would be sent: ServiceNow has these very rows already."
