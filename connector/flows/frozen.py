"""Frozen: before something that ServiceNow has is changed there, its record's present state is looked up, and a record that has
come too far (approved, paid) is left alone.

The look-up is made by the run that would write, right before the intent, so that an approval of a minute ago counts however
old the last poll of states is. What is approved between the look-up and the write, some seconds later, is overwritten all the
same: ServiceNow's interfaces know no condition for a write. A document whose first version was never verified has no known
record, and is not looked up.

A record that is not there any more would be made anew by a write. It may have been deleted on purpose, or be hidden from the
connector's user and approved; so the document is parked, and a replay, which is somebody's decision, sends it.

A look-up that fails, or does not show every record, sends nothing of the documents it is about; they are tried again later, as
after any outage. Documents that are new to ServiceNow are not held up by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.decisions.frozen import differences, frozen_reason, guards, imprinted, missing_reason, verdict
from connector.decisions.mapping import MappedDocument
from connector.decisions.states import Status
from connector.errors import Outage, StorageUnavailable
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.profile import Tracking
from connector.model.units import Origin, Unit
from connector.servicenow.tracking import Standing
from connector.setting_words import Company
from connector.storage.ledger_rows import State


def without_frozen(
    parts: Parts, unit: Unit, company: Company, outcomes: Outcomes, changes: Sequence[MappedDocument]
) -> list[MappedDocument]:
    """Those of the documents that may be written. The others get their outcome here. Raises `StorageUnavailable`."""
    tracking = parts.profile.routes[unit.entity.value].tracking
    if tracking is None or not guards(tracking):
        return list(changes)
    going, asked = [], []
    for mapped in changes:
        state = outcomes.state(mapped.id)
        if not state.sys_id:
            going.append(mapped)
        elif state.drift == mapped.payload_hash and verdict(tracking, state.there) == "report":
            _known(outcomes, mapped)
        else:
            asked.append(mapped)
    if not asked:
        return going
    try:
        sys_ids = [outcomes.state(mapped.id).sys_id for mapped in asked]
        standings = parts.tracking.standings(tracking.table, tracking.state, sys_ids)
    except StorageUnavailable:
        raise
    except Outage as outage:
        outcomes.rescheduled([mapped.id for mapped in asked], outage)
        return going
    for mapped in asked:
        standing = standings[outcomes.state(mapped.id).sys_id]
        if standing is None and unit.origin is not Origin.REPLAY:
            reason = missing_reason(outcomes.state(mapped.id).number, tracking.table)
            outcomes.parked(mapped.id, [reason])
        elif standing is None or verdict(tracking, standing.state) == "send":
            going.append(mapped)
        else:
            _held_back(parts, unit, company, outcomes, mapped, tracking, standing)
    return going


def _known(outcomes: Outcomes, mapped: MappedDocument) -> None:
    """This very version was held back already, and the record has not been seen to move since."""
    if outcomes.has_ended(mapped.id):
        outcomes.left(mapped.id, Status.DONE)  # the sweep finds it missing every time
    else:
        outcomes.drifted(mapped.id, {"drift": "as reported before"}, drift=mapped.payload_hash)


def _held_back(
    parts: Parts,
    unit: Unit,
    company: Company,
    outcomes: Outcomes,
    mapped: MappedDocument,
    tracking: Tracking,
    standing: Standing,
) -> None:
    state = outcomes.state(mapped.id)
    gone = outcomes.has_ended(mapped.id)
    before = imprinted(state.imprint, state.intents)
    there = {"there": standing.state, "there_label": standing.label}
    if before is not None and before["payload"] == mapped.payload_hash:
        # Nothing but a link to its order was to be sent: ServiceNow has these very rows.
        outcomes.unchanged(mapped.id, payload_hash=mapped.payload_hash, **there)
    elif verdict(tracking, standing.state) == "park":
        outcomes.parked(mapped.id, [frozen_reason(state.number, standing.label, gone=gone)], **there)
    else:
        outcomes.drifted(mapped.id, _report(state, mapped, standing, gone=gone), drift=mapped.payload_hash, **there)
        parts.telemetry.warning("drifted", company=company.key, entity=unit.entity.value, id=mapped.id)


def _report(state: State, mapped: MappedDocument, standing: Standing, *, gone: bool) -> dict[str, object]:
    """What the trail says of a change that was not sent."""
    before = imprinted(state.imprint, state.intents)
    said: dict[str, object] = {"there": standing.label, "state": standing.state}
    if before is not None:
        said |= {"payload there": before["payload"], "amount there": before["amount"]}
    if gone:
        return said | {"in BC": "deleted"}
    said |= {"payload": mapped.payload_hash, "amount in BC": f"{state.amount} {state.currency}"}
    return said | (differences(before, mapped) if before is not None else {"differs": "not known: a try failed since"})
