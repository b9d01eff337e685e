"""Moves: how a document's ledger row changes with the steps of a run, from its state before to its state after."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from connector.decisions.mapping import MappedDocument
from connector.decisions.reasons import codes_in, fitting
from connector.decisions.states import Status
from connector.decisions.versions import line_numbers
from connector.model.units import Origin, Reference, Unit
from connector.servicenow.doors.delivery import Delivery
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


def intended(
    state: State, mapped: MappedDocument, version: Mapping[str, object], index: tuple[str, ...], late: Collection[str]
) -> Change:
    """The step by which rows are about to be sent. `late`: documents that need sending once more in any case."""
    detail = {**version, "payload": mapped.payload_hash, "rows": len(mapped.rows)}
    if mapped.noted:
        detail["noted"] = fitting(mapped.noted)
    after = replace(
        state,
        # Until the outcome nobody knows which rows ServiceNow has, so no hash may call a later version unchanged.
        payload_hash="",
        intents=state.intents + 1,
        lines=tuple(sorted({*state.lines, *line_numbers(mapped)})),
        taxes=tuple(sorted({*state.taxes, *mapped.taxes})),
        resumable=mapped.id not in late and (state.first or state.resumable),
    )
    return Change(state, after, "intent", detail, index)


def verified(state: State, mapped: MappedDocument, delivery: Delivery, *, resumable: bool, imprint: str) -> State:
    """The row once every row of the document was taken and verified."""
    header = delivery.results[0]
    return replace(
        state,
        payload_hash=mapped.payload_hash,
        lines=tuple(line_numbers(mapped)),
        taxes=mapped.taxes,
        resumable=resumable,
        sys_id=header.sys_id,
        target=header.target,
        files=state.files if state.sys_id == header.sys_id else "",
        imprint=imprint,
    )


def settled(state: State, status: Status, outcome: str, **more: Any) -> State:
    """The row when the document comes to rest; what only its way there needed is gone."""
    cleared: dict[str, Any] = {"reasons": "", "releases": 0, "claim": "", "due": None, "attempt": 0, "rescues": 0}
    return replace(state, status=status, outcome=outcome, **(cleared | {"drift": ""} | more))


def resolved(state: State, status: Status) -> dict[str, object]:
    """What the trail says when a document that was parked gets another outcome: the reasons that are no more."""
    codes = codes_in(state.reasons) if status is not Status.PARKED else ()
    return {"resolves": sorted(codes)} if codes else {}
