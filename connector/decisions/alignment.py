"""Alignment: what has to be done so that cost centres of ServiceNow and values of one dimension of Business Central agree.

Each attribute has an owner, whose word counts wherever the sides differ; what nobody owns is reported and left. Nothing is ever
deleted, and no code is ever renamed. Once a plan is done there is nothing left to write; what is left are the mapping of cost
centres that it created in ServiceNow, and conflicts that people have to settle.

Names are the same when they differ in blanks around them only, which BC drops; capital letters count, as both sides keep them.
A cost centre is closed when it is not available for use or its validity has ended; what is closed on its own side is missed on
the other by nobody. Something new takes all its attributes from the side it comes from, whoever owns them afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from connector.decisions.alignment_actions import (
    BlockValue,
    CodeColumn,
    CreateValue,
    Map,
    Plan,
    Rules,
    StageCostCentre,
    Unmap,
)
from connector.decisions.alignment_attributes import agree_on_block, agree_on_name, is_closed, name_fits
from connector.decisions.alignment_draft import Draft, row_of
from connector.decisions.alignment_pairs import USABLE, code_of, pair_up
from connector.decisions.alignment_parents import Family, agree_on_parents, report_faults
from connector.decisions.hierarchy import Forest, forest
from connector.model.alignment import CostCentre, MappingRow, Value
from connector.model.codes import as_code

MANY_GONE = 10
"""So many cost centres gone at a time, and more than are left, look like rows that may not be read any more."""


def plan(
    cost_centres: Iterable[CostCentre],
    values: Iterable[Value],
    mapping: Iterable[MappingRow],
    rules: Rules,
    today: date,
) -> Plan:
    """What has to be done, given everything that there is on both sides; the order in which it comes does not matter."""
    return _Planning(tuple(cost_centres), tuple(values), tuple(mapping), rules, today).plan()


class _Planning:
    def __init__(
        self,
        cost_centres: tuple[CostCentre, ...],
        values: tuple[Value, ...],
        mapping: tuple[MappingRow, ...],
        rules: Rules,
        today: date,
    ) -> None:
        self._rules = rules
        self._centres = {one.sys_id: one for one in cost_centres}
        self._values = {as_code(one.code): one for one in values}
        self._before = {row.sys_id: row for row in mapping}
        self._woods = forest(cost_centres)
        self._pairing = pair_up(cost_centres, values, mapping, rules.code_column)
        self._draft = Draft(rules, today, _unstageable(self._woods, cost_centres, rules.code_column))
        self._rows = {sys_id: row for sys_id, row in self._before.items() if sys_id not in self._pairing.void}
        self._whys = dict.fromkeys(self._before, "Something about it changed.")
        self._void = dict(self._pairing.void)

    def plan(self) -> Plan:
        draft, pairing = self._draft, self._pairing
        draft.conflicts += pairing.conflicts
        self._report_doubled()
        for pair in pairing.pairs:
            name, blocked = agree_on_name(draft, pair), agree_on_block(draft, pair)
            self._agree(row_of(pair.centre, pair.value.code, name, "", blocked=blocked), pair.why)
        for centre in pairing.centres:
            self._without_value(centre)
        for value in pairing.values:
            self._without_cost_centre(value)
        self._without_both()
        self._agree_on_parents()
        report_faults(draft, self._woods, self._centres)
        return draft.plan(self._maps(), self._unmaps())

    def _without_value(self, centre: CostCentre) -> None:
        draft, code = self._draft, code_of(centre, self._rules.code_column)
        if is_closed(centre, draft.today):
            return
        if self._rules.ownership.exists != "servicenow":
            draft.report(
                "MISSING_THERE",
                code,
                [centre.sys_id],
                f"The cost centre {code} of ServiceNow, {centre.name}, is no value in BC.",
                "Create it on the page Dimension Values in BC, or close it in ServiceNow.",
            )
        elif name_fits(draft, centre, code):
            name = centre.name.strip()
            why = f"ServiceNow has the cost centre {code}, and BC has no such value."
            draft.created[code] = CreateValue(code, centre.sys_id, name, "Standard", "", why)
            self._agree(row_of(centre, code, name, "", blocked=False), "its value is new")

    def _without_cost_centre(self, value: Value) -> bool:
        """Whether it gets one."""
        draft, code = self._draft, as_code(value.code)
        if value.blocked:
            return False
        if self._rules.ownership.exists != "business_central":
            draft.report(
                "MISSING_THERE",
                code,
                [],
                f"The value {code} of BC, {value.name}, is no cost centre in ServiceNow.",
                "Create it in ServiceNow (Cost Centers), or block the value in BC.",
            )
            return False
        name = value.name.strip()
        if not name:
            what = f"The value {code} has no name in BC, and is not made a cost centre."
            draft.report("NAME_BLANK", code, [], what, "Give it a name on the page Dimension Values in BC.")
            return False
        number = code if self._rules.code_column == "account_number" else ""
        why = f"BC has the value {code}, and ServiceNow has no such cost centre."
        draft.fresh[code] = StageCostCentre(code, "", number, name, why)
        return True

    def _without_both(self) -> None:
        """What was agreed about cost centres that are gone."""
        draft, ownership = self._draft, self._rules.ownership
        again = ownership.exists == "business_central"
        block = ownership.blocked == "servicenow" and self._rules.block_when_gone
        mapped = sum(pair.row is not None for pair in self._pairing.pairs)
        news = [row for row, value in self._pairing.gone if row.status != "gone" and _is_open(value)]
        if (again or block) and len(news) >= MANY_GONE and len(news) > mapped:
            draft.report(
                "MANY_GONE",
                "",
                [],
                f"{len(news)} cost centres are gone from ServiceNow at a time, {mapped} are left; nothing is done about it.",
                "See whether the connector's user may read all of them; if they are gone indeed, block their values in BC.",
            )
            return
        for row, value in self._pairing.gone:
            code = as_code(row.code)
            if not _is_open(value):
                self._rows[row.sys_id] = replace(row, status="gone", blocked=value.blocked)
            elif again:
                if self._without_cost_centre(value):
                    self._forget(row.sys_id, "the cost centre was deleted, and BC has it made again")
                else:
                    self._rows[row.sys_id] = replace(row, status="gone")
            elif block:
                why = f"The cost centre {code} was deleted in ServiceNow."
                draft.writes.append(BlockValue(value.code, row.sys_id, True, value.etag, why))
                self._rows[row.sys_id] = replace(row, status="gone", blocked=True)
            else:
                draft.report(
                    "GONE",
                    code,
                    [row.sys_id],
                    f"The cost centre {code} was deleted in ServiceNow, and BC still has its value open.",
                    "Block the value on the page Dimension Values in BC, or create the cost centre again.",
                )
                self._rows[row.sys_id] = replace(row, status="gone")

    def _agree_on_parents(self) -> None:
        pairs = {as_code(pair.value.code): pair.centre for pair in self._pairing.pairs}
        new = {code: self._centres[one.sys_id] for code, one in self._draft.created.items()}
        values = self._values | {code: Value(code, one.name) for code, one in self._draft.created.items()}
        family = Family(pairs | new, values, self._pairing.taken)
        before = {sys_id: row.parent for sys_id, row in self._before.items()}
        for sys_id, parent in agree_on_parents(self._draft, self._woods, family, before).items():
            self._rows[sys_id] = replace(self._rows[sys_id], parent=parent)

    def _report_doubled(self) -> None:
        for twins in self._woods.duplicates:
            if twins.column == self._rules.code_column:
                continue  # their pairing says so
            names = ", ".join(self._centres[one].name or one for one in twins.sys_ids)
            column = "code" if twins.column == "code" else "account number"
            self._draft.report(
                "DUPLICATE_CODE" if twins.column == "code" else "DUPLICATE_ACCOUNT_NUMBER",
                twins.code,
                twins.sys_ids,
                f"Several cost centres in ServiceNow have the {column} {twins.code}: {names}; nothing is staged for them.",
                "Give each one of its own in ServiceNow (Cost Centers).",
            )

    def _agree(self, row: MappingRow, why: str) -> None:
        self._rows[row.sys_id] = row
        self._void.pop(row.sys_id, None)
        self._whys[row.sys_id] = why

    def _forget(self, sys_id: str, why: str) -> None:
        del self._rows[sys_id]
        self._void[sys_id] = why

    def _maps(self) -> list[Map]:
        troubled = {one for conflict in self._draft.conflicts for one in conflict.sys_ids}
        maps = []
        for sys_id, row in self._rows.items():
            now = replace(row, status="conflict") if sys_id in troubled and row.status != "gone" else row
            if now != self._before.get(sys_id):
                maps.append(Map(now, self._whys[sys_id]))
        return maps

    def _unmaps(self) -> list[Unmap]:
        return [Unmap(sys_id, why) for sys_id, why in self._void.items()]


def _is_open(value: Value) -> bool:
    return value.type in USABLE and not value.blocked


def _unstageable(woods: Forest, centres: Iterable[CostCentre], column: CodeColumn) -> frozenset[str]:
    doubled = {one for twins in woods.duplicates for one in twins.sys_ids}
    return frozenset(doubled | {one.sys_id for one in centres if not code_of(one, column)})
