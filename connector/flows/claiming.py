"""Claiming: a document belongs to one run at a time, by a token in its ledger row."""

from __future__ import annotations

from dataclasses import replace

from connector.decisions.states import Status
from connector.model.units import Origin, Reference, Unit
from connector.storage.ledger import Change
from connector.storage.ledger_rows import State


def claimed(reference: Reference, state: State | None, unit: Unit, token: str) -> Change:
    """The step by which the unit's run takes the document; one without a row gets one."""
    known = state or State(id=reference.id, status=Status.PENDING)
    # When a notification says that a change was logged is no stamp that a read could be held against.
    told = unit.origin is Origin.NOTIFICATION
    after = replace(
        known,
        status=Status.CLAIMED,
        claim=token,
        seen=known.seen if told else max(known.seen, reference.seen),
        noticed=max(known.noticed, reference.seen) if told else known.noticed,
        correlation=unit.correlation,
        due=None,
    )
    return Change(None, after, "seen", {"origin": unit.origin.value}) if state is None else Change(state, after)
