"""Vanished: documents of a unit that Business Central does not have any more.

Most need a word in the ledger only: they were invoiced, or never sent. One that was deleted after it had been sent is staged
once more, cancelled. All orders of a unit are asked about together, and nothing is guessed while BC cannot say.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.business_central.endings import Traces
from connector.decisions.endings import Trace, ending
from connector.decisions.mapping import MappedDocument
from connector.decisions.states import Status
from connector.decisions.versions import Remembered, cancellation
from connector.errors import DocumentFault, Outage, StorageUnavailable
from connector.flows.courtesy import asking_business_central
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.units import Origin, Unit
from connector.setting_words import Company
from connector.storage.ledger_rows import State


def settle_vanished(
    parts: Parts, unit: Unit, company: Company, outcomes: Outcomes, ids: Sequence[str]
) -> list[MappedDocument]:
    """Gives the documents their outcome; returns those that still have to be cancelled in ServiceNow, as rows."""
    try:
        traces = _traces(parts, unit, company, [outcomes.state(id_).number for id_ in ids])
    except StorageUnavailable:
        raise
    except Outage as outage:
        outcomes.rescheduled(ids, outage)
        return []
    to_cancel = []
    for id_ in ids:
        state = outcomes.state(id_)
        # Goods that came have come, whatever becomes of the paper: old receipts are deleted by a batch job.
        trace = Trace(received=True) if unit.entity is Entity.RECEIPT else traces.of(state.number)
        verdict = ending(trace, may_stand=not state.first)
        known_as_gone = not state.content_hash
        outcomes.learn_ending(id_, verdict)
        if verdict.how != "cancelled":
            outcomes.closed(id_)
            continue
        if known_as_gone and unit.origin is Origin.SWEEP and state.reasons and not state.attempt:
            outcomes.left(id_, Status.PARKED)  # the sweep finds it missing every time
            continue
        try:
            mapped = cancellation(_remembered(unit.entity, state), parts.rules(company))
        except DocumentFault as fault:
            outcomes.parked(id_, fault.reasons)
            continue
        if state.payload_hash == mapped.payload_hash:
            outcomes.closed(id_)
        else:
            to_cancel.append(mapped)
    return to_cancel


def _traces(parts: Parts, unit: Unit, company: Company, numbers: Sequence[str]) -> Traces:
    if unit.entity is not Entity.PURCHASE_ORDER:
        return Traces()
    with asking_business_central(parts):
        return parts.endings.traces(company, numbers)


def _remembered(entity: Entity, state: State) -> Remembered:
    return Remembered(entity, state.id, state.number, state.currency, state.lines)
