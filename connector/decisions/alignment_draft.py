"""A plan in the making: what is to be written and reported so far, and what it is made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from connector.decisions.alignment_actions import (
    Action,
    Conflict,
    ConflictKind,
    CreateValue,
    Map,
    PlaceValue,
    Plan,
    RenameValue,
    Rules,
    StageCostCentre,
    Unmap,
    Write,
)
from connector.model.alignment import CostCentre, MappingRow
from connector.model.codes import as_code


@dataclass(slots=True)
class Draft:
    """Collects what will be a `Plan`. `unstageable`: cost centres of which a staged row could end in another record.

    `created`: values to be created, and `fresh`: cost centres to be created, both by BC's code; `stages`: what becomes of cost
    centres there are, by sys_id.
    """

    rules: Rules
    today: date
    unstageable: Collection[str]
    writes: list[Write] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    created: dict[str, CreateValue] = field(default_factory=dict)
    fresh: dict[str, StageCostCentre] = field(default_factory=dict)
    stages: dict[str, StageCostCentre] = field(default_factory=dict)

    def report(self, kind: ConflictKind, code: str, sys_ids: Iterable[str], what: str, remedy: str) -> None:
        """Something for people."""
        self.conflicts.append(Conflict(kind, code, tuple(sys_ids), what, remedy))

    def stage(
        self,
        centre: CostCentre,
        why: str,
        *,
        name: str = "",
        parent_code: str = "",
        available: bool | None = None,
        valid_to: date | None = None,
    ) -> bool:
        """Something about a cost centre becomes part of its one row; whether that can be."""
        if centre.sys_id in self.unstageable:
            return False
        row = self.stages.get(centre.sys_id) or StageCostCentre(
            centre.code, centre.sys_id, centre.account_number, centre.name, ""
        )
        self.stages[centre.sys_id] = replace(
            row,
            name=name or row.name,
            parent_code=parent_code or row.parent_code,
            available=row.available if available is None else available,
            valid_to=valid_to or row.valid_to,
            why=f"{row.why}; {why}" if row.why else why,
        )
        return True

    def spelled(self, centre: CostCentre) -> str:
        """The code by which ServiceNow finds the cost centre, and no other; "" when there is none."""
        if centre.sys_id in self.unstageable:
            return ""
        return (centre.code if self.rules.code_column == "code" else centre.account_number).strip()

    def plan(self, rows: Iterable[Map], void: Iterable[Unmap]) -> Plan:
        """The plan, in the order in which it has to be done."""
        actions: list[Action] = [
            *self.created.values(),
            *self.writes,
            *self.fresh.values(),
            *self.stages.values(),
            *void,
            *rows,
        ]
        conflicts = sorted(self.conflicts, key=lambda one: (one.kind, one.code, one.sys_ids))
        return Plan(tuple(sorted(actions, key=_turn)), tuple(conflicts))


def row_of(centre: CostCentre, code: str, name: str, parent: str, *, blocked: bool) -> MappingRow:
    """What is agreed about a cost centre."""
    return MappingRow(centre.sys_id, code, centre.account_number, name, parent, blocked)


def _turn(one: Action) -> tuple[int, str, str]:
    """A range is opened before it is closed, and what is new comes before what refers to it."""
    match one:
        case CreateValue():
            return (4 if one.type == "End-Total" else 0), as_code(one.code), one.sys_id
        case RenameValue():
            return 1, as_code(one.code), one.sys_id
        case PlaceValue():
            return {"Begin-Total": 3, "End-Total": 5}.get(one.type, 6), as_code(one.code), one.sys_id
        case StageCostCentre():
            return (8 if one.sys_id else 7), as_code(one.code), one.sys_id
        case Unmap():
            return 9, "", one.sys_id
        case Map():
            return 10, as_code(one.row.code), one.sys_id
        case _:
            return 2, as_code(one.code), one.sys_id
