"""Staging of master data: Business Central's cost centres on their way into ServiceNow's staging tables, through the Batch API
as documents are, and verified as documents are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.decisions.alignment_actions import Refusal, StageCostCentre
from connector.decisions.master_rows import cost_centre_rows
from connector.errors import Reason, Throttled
from connector.flows.parts import Parts
from connector.model.master_data import DimensionRecord
from connector.servicenow.session import SYSTEM
from connector.setting_words import Company
from connector.storage.gates import Wait

_NO_SECTION = Refusal(
    "NO_STAGING_SECTION",
    "The profile does not say into which staging table cost centres go.",
    'Give the profile a section master_data.cost_centres with owner = "business_central" (docs/profiles.md).',
)


def stage_cost_centres(
    parts: Parts, company: Company, actions: Sequence[StageCostCentre]
) -> Iterator[tuple[StageCostCentre, Refusal | None]]:
    """Each action, with the reason why it was not staged (None: it is there, and verified). Raises `Outage` after those that
    are settled."""
    if not actions:
        return
    if "cost_centres" not in parts.profile.master_data.staged:
        yield from ((action, _NO_SECTION) for action in actions)
        return
    by_code = {action.code: action for action in actions}
    made = cost_centre_rows(map(_record, by_code.values()), parts.rules(company))
    for code, faults in made.faults.items():
        yield by_code[code], _refusal(faults[0])
    for twins in made.twins:
        named = ", ".join(twins)
        alike = Refusal(
            "SAME_KEY", f"ServiceNow would take {named} for one.", "Give each an account number of its own."
        )
        yield from ((by_code[code], alike) for code in twins)
    if not made.documents:
        return
    slot = parts.gate.enter(parts.randomness.token()[:24])
    if isinstance(slot, Wait):
        raise Throttled(SYSTEM, "has no slot free for master data", retry_after=slot.seconds)
    try:
        deliveries = parts.doors["batch"].write(made.documents, may_go_on=lambda: parts.gate.keep(slot))
    finally:
        parts.gate.leave(slot)
    outage = None
    for document, delivery in zip(made.documents, deliveries, strict=True):
        if delivery.outage is not None:
            outage = outage or delivery.outage
        elif delivery.complete(document):
            yield by_code[document.id], None
        else:
            yield by_code[document.id], _refusal(delivery.reasons(document)[0])
    if outage is not None:
        raise outage


def _record(action: StageCostCentre) -> DimensionRecord:
    return DimensionRecord(
        code=action.code,
        name=action.name,
        blocked=None if action.available is None else not action.available,
        account_number=action.account_number,
        parent_code=action.parent_code,
        valid_to=action.valid_to,
        exists=bool(action.sys_id),
    )


def _refusal(reason: Reason) -> Refusal:
    return Refusal(reason.code, reason.message, reason.remedy)
