"""Name and block of a pair: who has the last word, and what has to be written so that both sides say it."""

from __future__ import annotations

from datetime import date, timedelta

from connector.decisions.alignment_actions import BlockValue, RenameValue
from connector.decisions.alignment_draft import Draft
from connector.decisions.alignment_pairs import Pair
from connector.model.alignment import CostCentre
from connector.model.codes import LONGEST_NAME, as_code, length


def is_closed(centre: CostCentre, today: date) -> bool:
    """Whether a cost centre takes no more documents; what ServiceNow does not tell is not held against it. One that is not
    valid yet is not closed."""
    return centre.available is False or has_ended(centre, today)


def has_ended(centre: CostCentre, today: date) -> bool:
    """Whether its last day is over."""
    return centre.valid_to is not None and centre.valid_to < today


def name_fits(draft: Draft, centre: CostCentre, code: str) -> bool:
    """Whether BC can take the cost centre's name; a name is never cut."""
    name = centre.name.strip()
    if not name:
        draft.report(
            "NAME_BLANK",
            code,
            [centre.sys_id],
            f"The cost centre {code} has no name in ServiceNow.",
            "Give it a name in ServiceNow (Cost Centers).",
        )
    elif length(name) > LONGEST_NAME:
        draft.report(
            "NAME_TOO_LONG",
            code,
            [centre.sys_id],
            f"The name of the cost centre {code} has {length(name)} characters; BC holds {LONGEST_NAME}: {name}",
            "Shorten it in ServiceNow (Cost Centers).",
        )
    else:
        return True
    return False


def agree_on_name(draft: Draft, pair: Pair) -> str:
    """The name both sides have once the plan is done; the one of last time where they do not agree."""
    centre, value, row = pair.centre, pair.value, pair.row
    there, here, code = centre.name.strip(), value.name.strip(), as_code(value.code)
    before = row.name if row else ""
    if there == here:
        return there
    owner = draft.rules.ownership.name
    if owner == "servicenow" and name_fits(draft, centre, code):
        changed = "was changed in BC only, and goes back" if there == before else "is another one in ServiceNow"
        why = f"The name of {code} {changed}: {there} instead of {here or 'none'}."
        draft.writes.append(RenameValue(value.code, centre.sys_id, there, value.etag, why))
        return there
    if owner == "business_central" and not here:
        draft.report(
            "NAME_BLANK",
            code,
            [centre.sys_id],
            f"The value {code} has no name in BC.",
            "Give it one on Dimension Values.",
        )
    elif owner == "business_central":
        changed = "was changed in ServiceNow only, and goes back" if here == before else "is another one in BC"
        why = f"its name {changed}: {here} instead of {there or 'none'}"
        return here if draft.stage(centre, why, name=here) else before
    elif owner == "nobody":
        draft.report(
            "NAME_DIFFERS",
            code,
            [centre.sys_id],
            f"{code} is called {there or 'nothing'} in ServiceNow and {here or 'nothing'} in BC.",
            "Correct one of them, or say who owns the name.",
        )
    return before


def agree_on_block(draft: Draft, pair: Pair) -> bool:
    """Whether both sides have it closed once the plan is done; as it was last time where they do not agree."""
    centre, value = pair.centre, pair.value
    closed, code = is_closed(centre, draft.today), as_code(value.code)
    if closed == value.blocked:
        return closed
    owner = draft.rules.ownership.blocked
    if owner == "servicenow" and draft.rules.block_when_gone:
        why = f"{code} is {_closed(centre, draft.today)} in ServiceNow."
        draft.writes.append(BlockValue(value.code, centre.sys_id, closed, value.etag, why))
        return closed
    if owner == "business_central" and not value.blocked and has_ended(centre, draft.today):
        draft.report(
            "VALIDITY_ENDED",
            code,
            [centre.sys_id],
            f"{code} is open in BC, and in ServiceNow its validity ended on {centre.valid_to}.",
            "Extend its validity in ServiceNow (Cost Centers), which no staged row can, or block the value in BC.",
        )
    elif owner == "business_central":
        why = f"it is {'blocked' if value.blocked else 'open'} in BC"
        if centre.available is None:
            yesterday = draft.today - timedelta(days=1)
            done = draft.stage(centre, why, valid_to=yesterday)
        else:
            done = draft.stage(centre, why, available=not value.blocked)
        if done:
            return value.blocked
    else:
        draft.report(
            "BLOCKED_DIFFERS",
            code,
            [centre.sys_id],
            f"{code} is {_closed(centre, draft.today)} in ServiceNow and {'blocked' if value.blocked else 'open'} in BC.",
            "Block or open it on one side, or let the connector write what its owner says (block_when_gone).",
        )
    return pair.row.blocked if pair.row else False


def _closed(centre: CostCentre, today: date) -> str:
    if centre.available is False:
        return "not available for use"
    return f"valid to {centre.valid_to} only" if has_ended(centre, today) else "open"
