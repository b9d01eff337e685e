"""Steps: what a unit run puts on record of its documents, and the messages that follow from it.

Outcomes decide which step a document takes; this room gathers steps and writes them together, up to 50 documents a transaction.
Order inside a flush: ledger first, then messages, then the pointers to poison messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connector.decisions.states import OPEN, Status
from connector.flows.messages import delete_note, pointing, record_pointers, send_note, send_units
from connector.flows.parts import Parts
from connector.model.units import Origin, Reference, Unit
from connector.setting_words import Company
from connector.storage.ledger import Change, Recorded, partition
from connector.storage.ledger_rows import State


class Steps:
    """The steps of one unit run that are not yet written, and the ledger states as the run knows them."""

    def __init__(self, parts: Parts, unit: Unit, company: Company) -> None:
        self._parts = parts
        self._unit = unit
        self._company = company
        self._where = partition(company.key, unit.entity)
        self.states: dict[str, State] = {}
        self._gathered: list[Change] = []
        self._again: list[tuple[float, Reference]] = []
        self._alone: list[tuple[float, Reference]] = []

    def record(self, changes: Sequence[Change]) -> Recorded:
        """Writes these changes at once, before anything that follows. The caller keeps the states."""
        return self._parts.ledger.record(self._where, changes)

    def add(self, change: Change) -> None:
        """A step for the next flush."""
        if _newly_parked(change.before, change.after):
            # Its message is still to be sent: a pointer to the one before would hide that from the rescue.
            change = replace(change, after=pointing(change.after, None))
        self._gathered.append(change)

    def send_again(self, id_: str, wait: float) -> None:
        """A message for the document with the next flush; documents that wait equally long share one."""
        self._again.append((wait, self._reference(id_)))

    def send_alone(self, id_: str, wait: float) -> None:
        """The same, in a message of its own."""
        self._alone.append((wait, self._reference(id_)))

    def flush(self) -> set[str]:
        """Writes the gathered steps, then sends what follows from them. Returns the documents whose claim was lost."""
        steps, self._gathered = self._gathered, []
        lost: set[str] = set()
        if steps:
            before = {change.after.id: change.before for change in steps}
            recorded = self.record(steps)
            lost = set(recorded.lost)
            self.states |= {
                id_: replace(state, read_at=self.states[id_].read_at) for id_, state in recorded.saved.items()
            }
            self._notes({id_: (before[id_], state) for id_, state in recorded.saved.items()})
        again, self._again = self._again, []
        for wait in sorted({wait for wait, _ in again}):
            self._send([reference for other, reference in again if other == wait], wait)
        alone, self._alone = self._alone, []
        for wait, reference in alone:
            self._send([reference], wait)
        return lost

    def _notes(self, moves: Mapping[str, tuple[State | None, State]]) -> None:
        """Poison messages: a newly parked document leaves one, a document that moved on takes its old one back."""
        pointers = []
        try:
            for before, after in moves.values():
                if _newly_parked(before, after):
                    sent = send_note(self._parts, self._company, self._unit.entity, after)
                    pointers.append(Change(after, pointing(after, sent)))
                    if before is not None:
                        delete_note(self._parts, before)
                elif after.poison_id and after.status not in OPEN and after.status is not Status.PARKED:
                    delete_note(self._parts, after)
                    pointers.append(Change(after, pointing(after, None)))
        finally:
            self.states |= record_pointers(self._parts, self._company, self._unit.entity, pointers)

    def _reference(self, id_: str) -> Reference:
        # As the ledger has it now: a notification's own stamp means nothing to a later try.
        return Reference(id_, self.states[id_].seen, self.states[id_].generation)

    def _send(self, references: Sequence[Reference], delay: float) -> None:
        unit = self._unit
        send_units(
            self._parts, self._company, unit.entity, Origin.RETRY, unit.correlation, references, delay_seconds=delay
        )


def _newly_parked(before: State | None, after: State) -> bool:
    """Whether the step parks the document, and not just leaves it parked as it was."""
    return after.status is Status.PARKED and (before is None or before.generation != after.generation)
