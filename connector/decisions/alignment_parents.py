"""Parents of a company's pairs: ServiceNow's parent links and BC's ranges, made to say the same where somebody owns them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from connector.decisions.alignment_actions import CreateValue, PlaceValue
from connector.decisions.alignment_draft import Draft
from connector.decisions.begin_total_places import after, place
from connector.decisions.begin_totals import tree
from connector.decisions.hierarchy import Forest, cycles_of, nearest
from connector.model.alignment import CostCentre, Value


@dataclass(frozen=True, slots=True)
class Family:
    """Cost centres that are, or are about to be, values. `centres` by code, without those that are only about to be created in
    ServiceNow; `values`: all values by code, new ones included; `taken`: codes that no new value may get."""

    centres: Mapping[str, CostCentre]
    values: Mapping[str, Value]
    taken: Collection[str]


def report_faults(draft: Draft, woods: Forest, centres: Mapping[str, CostCentre]) -> None:
    """What is wrong with the parent links themselves and stays so; `centres` by sys_id."""
    mended = {sys_id for sys_id, row in draft.stages.items() if row.parent_code}
    for ring in woods.cycles:
        if mended.intersection(ring):
            continue
        names = " -> ".join(_label(centres[one]) for one in (*ring, ring[0]))
        draft.report(
            "PARENT_CYCLE",
            "",
            ring,
            f"Cost centres in ServiceNow are each other's parents: {names}.",
            "Correct the parent of one of them in ServiceNow (Cost Centers).",
        )
    for one in (one for one in woods.orphans if one not in mended):
        draft.report(
            "PARENT_MISSING",
            "",
            [one],
            f"The parent of the cost centre {_label(centres[one])} is not among those that can be read.",
            "Correct its parent in ServiceNow (Cost Centers), or let the connector's user read it.",
        )


def agree_on_parents(draft: Draft, woods: Forest, family: Family, before: Mapping[str, str]) -> dict[str, str]:
    """Per code the sys_id of the parent that both sides know once the plan is done; as `before` where they do not agree."""
    own = {one.sys_id: code for code, one in family.centres.items()}
    near = nearest(woods.parents, own)
    there = {code: own.get(near[one.sys_id], "") for code, one in family.centres.items()}
    adrift = {code for code, one in family.centres.items() if one.sys_id in woods.adrift}
    everyone = family.centres.keys() | draft.fresh.keys()
    values = family.values
    _give_parents(draft, family, _ranges(values, everyone), there, adrift)
    if draft.rules.ownership.parent == "servicenow":
        values = _place(draft, family, there, adrift)
    here = _ranges(values, everyone)
    if draft.rules.ownership.parent == "business_central":
        there = _follow(draft, family, there, here)
    agreed = {}
    for code, centre in family.centres.items():
        parent = family.centres.get(there[code])
        settled = there[code] == here[code] and (parent is not None or not there[code])
        agreed[centre.sys_id] = (parent.sys_id if parent else "") if settled else before.get(centre.sys_id, "")
    return agreed


def _ranges(values: Mapping[str, Value], everyone: Collection[str]) -> dict[str, str]:
    return nearest(tree(values).parents, everyone)


def _give_parents(
    draft: Draft, family: Family, here: Mapping[str, str], there: dict[str, str], adrift: set[str]
) -> None:
    """What is new in ServiceNow gets the parent it has in BC, as far as that one can be named."""
    for code in (one for one in here if one in draft.fresh):  # in the order of codes: parents first
        parent = here[code]
        name = _name(draft, family, parent)
        there[code] = parent if name else ""
        if name:
            draft.fresh[code] = replace(draft.fresh[code], parent_code=name)
            if parent in adrift:
                adrift.add(code)


def _place(draft: Draft, family: Family, there: Mapping[str, str], adrift: Collection[str]) -> dict[str, Value]:
    placement = place(family.values, there, adrift, family.taken)
    for one in placement.places:
        centre = family.centres.get(one.group)
        sys_id = centre.sys_id if centre else ""
        why = {
            "Begin-Total": f"ServiceNow has cost centres below {one.group}.",
            "End-Total": f"{one.totaling} is what ServiceNow has below {one.group}.",
        }.get(one.type, f"Another value sums up what is below {one.group} now.")
        known = family.values.get(one.code)
        if one.code in draft.created:
            draft.created[one.code] = replace(draft.created[one.code], type=one.type)
        elif known is None:
            name = f"Total {one.group}"
            draft.writes.append(CreateValue(one.code, sys_id, name, one.type, one.totaling, why))
        else:
            draft.writes.append(PlaceValue(known.code, sys_id, one.type, one.totaling, known.etag, why))
    for code, fault in sorted(placement.refused.items()):
        centre = family.centres.get(code)
        draft.report(
            "HIERARCHY_NOT_EXPRESSIBLE",
            code,
            [centre.sys_id] if centre else [],
            f"What is below {code} in ServiceNow cannot be a range of values in BC: {fault}.",
            "Choose codes in whose order everything follows its parent, or leave the hierarchy to ServiceNow alone.",
        )
    return after(family.values, placement)


def _follow(draft: Draft, family: Family, there: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """The parents in ServiceNow once the rows are staged. None is, where it would make somebody its own ancestor."""
    moved = {
        code
        for code, centre in family.centres.items()
        if here[code] and here[code] != there[code] and draft.spelled(centre) and _name(draft, family, here[code])
    }
    circular: set[str] = set()
    while True:
        then = {code: here[code] if code in moved else above for code, above in there.items()}
        stuck = moved & {one for ring in cycles_of(then)[0] for one in ring}
        if not stuck:
            break
        moved -= stuck
        circular |= stuck
    for code in sorted(moved):
        name = _name(draft, family, here[code])
        draft.stage(family.centres[code], f"in BC it lies in the range of {here[code]}", parent_code=name)
    for code in sorted(family.centres):
        if there[code] != here[code] and (code in circular or not here[code]):
            _report_staying(draft, family.centres[code], code, there[code], here[code])
    return then


def _name(draft: Draft, family: Family, code: str) -> str:
    """How a staged row names a parent."""
    known = family.centres.get(code)
    return draft.spelled(known) if known else code


def _report_staying(draft: Draft, centre: CostCentre, code: str, there: str, here: str) -> None:
    lies = f"lies in the range of {here}" if here else "lies in no range"
    why = "which would make it its own ancestor" if here else "and no staged row can take a parent away"
    draft.report(
        "PARENT_STAYS",
        code,
        [centre.sys_id],
        f"In BC {code} {lies}, {why}; in ServiceNow its parent stays {there or 'empty'}.",
        "Correct its parent in ServiceNow (Cost Centers).",
    )


def _label(centre: CostCentre) -> str:
    return centre.code.strip() or centre.name or centre.sys_id
