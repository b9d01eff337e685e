"""Pairs: which cost centre of ServiceNow is which dimension value of Business Central.

What was agreed before counts first: a pair stays one whatever becomes of its code in ServiceNow. Only what is new is told by
its code, compared as BC compares codes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.decisions.alignment_actions import CodeColumn, Conflict, ConflictKind
from connector.model.alignment import CostCentre, MappingRow, Value
from connector.model.codes import LONGEST_CODE, RESERVED, as_code, length

USABLE = ("Standard", "Begin-Total")
"""Values of other types take no entries and are no cost centres (codeunit "DimensionManagement")."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A cost centre, its value and what was agreed about it, if anything was. `why`: how it was found."""

    centre: CostCentre
    value: Value
    row: MappingRow | None
    why: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """Everything of both sides, each in the order of codes.

    `centres`: cost centres with a good code and without a value; `values`: values without a cost centre; `gone`: agreements
    whose cost centre is not there any more, with their value; `void`: agreements that say nothing any more, with the reason;
    `taken`: every code that a cost centre has. What is in none of these is named by a conflict.
    """

    pairs: tuple[Pair, ...]
    centres: tuple[CostCentre, ...]
    values: tuple[Value, ...]
    gone: tuple[tuple[MappingRow, Value], ...]
    void: Mapping[str, str]
    taken: frozenset[str]
    conflicts: tuple[Conflict, ...]


def pair_up(
    cost_centres: Iterable[CostCentre], values: Iterable[Value], mapping: Iterable[MappingRow], column: CodeColumn
) -> Pairing:
    """The pairs, and what has none. sys_ids, values' codes and the sys_ids of the mapping must each differ."""
    return _Matching(cost_centres, values, mapping, column).pairing()


def code_of(centre: CostCentre, column: CodeColumn) -> str:
    """The cost centre's code, as BC would keep it."""
    return as_code(centre.code if column == "code" else centre.account_number)


class _Matching:
    def __init__(
        self,
        cost_centres: Iterable[CostCentre],
        values: Iterable[Value],
        mapping: Iterable[MappingRow],
        column: CodeColumn,
    ) -> None:
        self._column = column
        self._values = {as_code(one.code): one for one in sorted(values, key=lambda one: as_code(one.code))}
        ordered = sorted(cost_centres, key=lambda one: (code_of(one, column), one.sys_id))
        self._centres = {one.sys_id: one for one in ordered}
        self._codes = {one.sys_id: code_of(one, column) for one in ordered}
        self._rows = {row.sys_id: row for row in sorted(mapping, key=lambda row: (as_code(row.code), row.sys_id))}
        self._whys: dict[str, str] = {}
        self._void: dict[str, str] = {}
        self._conflicts: list[Conflict] = []
        self._faulty = {sys_id for sys_id in self._centres if self._fault(sys_id)}
        by_code = _grouped(self._codes, self._codes.__getitem__)
        self._shared = {code: ids for code, ids in by_code.items() if len(ids) > 1 and ids[0] not in self._faulty}
        self._doubled = {one for ids in self._shared.values() for one in ids}
        self._holders: dict[str, str] = {}

    def pairing(self) -> Pairing:
        self._hold_what_was_agreed()
        self._follow_new_codes()
        lone = self._match_the_rest()
        for code, ids in self._shared.items():
            self._conflict_of("DUPLICATE_CODE", code, ids, *_SHARED)
        gone = self._gone()
        pairs = self._pairs()
        spoken_for = {*self._holders, *self._shared, *(as_code(row.code) for row, _ in gone)}
        values = tuple(one for code, one in self._values.items() if _usable(one) and code not in spoken_for)
        taken = frozenset(self._codes.values())
        return Pairing(tuple(pairs), lone, values, gone, self._void, taken, tuple(self._conflicts))

    def _hold_what_was_agreed(self) -> None:
        """A value that several rows name belongs to the one that carries its code, and else to none of them."""
        living = [sys_id for sys_id in self._rows if sys_id in self._centres]
        for code, ids in _grouped(living, lambda sys_id: as_code(self._rows[sys_id].code)).items():
            if code not in self._values:
                self._void |= {one: f"the value {code} is gone" for one in ids if one not in self._doubled}
                continue
            rightful = ids if len(ids) == 1 else [one for one in ids if self._codes[one] == code]
            if rightful:
                self._holders[code] = rightful[0]
                self._whys[rightful[0]] = "it was agreed before"
            for one in ids:
                if one not in rightful and one not in self._doubled:
                    self._void[one] = f"several cost centres were mapped to {code}"

    def _follow_new_codes(self) -> None:
        """A cost centre with another code goes to the value with that code where nobody holds it, or whoever does leaves."""
        movers: dict[str, tuple[str, str]] = {}
        for old, sys_id in self._holders.items():
            new = self._codes[sys_id]
            if new != old and sys_id not in self._doubled | self._faulty and self._is_usable(new):
                movers[new] = (sys_id, old)
        free = [new for new in movers if new not in self._holders]
        while free:
            new = free.pop()
            sys_id, old = movers[new]
            del self._holders[old]
            self._holders[new] = sys_id
            self._whys[sys_id] = f"its code changed from {old} to {new}, and the value {new} was free"
            if old in movers:
                free.append(old)
        for code, sys_id in sorted(self._holders.items()):
            if self._codes[sys_id] != code and sys_id not in self._doubled | self._faulty:
                self._conflict_of("CODE_CHANGED", code, [sys_id], *_CHANGED)

    def _match_the_rest(self) -> tuple[CostCentre, ...]:
        lone = []
        holding = set(self._holders.values())
        for sys_id, centre in self._centres.items():
            code = self._codes[sys_id]
            if sys_id in self._faulty:
                self._conflicts.append(self._named(sys_id))
            if sys_id in holding or sys_id in self._faulty or sys_id in self._doubled:
                continue
            if code not in self._values:
                lone.append(centre)
            elif code in self._holders:
                other = self._centres[self._holders[code]]
                self._conflict_of("CODE_HELD", code, [sys_id], *_held(other))
            else:
                self._holders[code] = sys_id
                self._whys[sys_id] = "it has the value's code"
        return tuple(lone)

    def _gone(self) -> tuple[tuple[MappingRow, Value], ...]:
        gone: dict[str, tuple[MappingRow, Value]] = {}
        for sys_id, row in self._rows.items():
            code = as_code(row.code)
            if sys_id in self._centres or code in self._shared:
                continue
            if code not in self._values:
                self._void[sys_id] = f"neither the cost centre nor the value {code} is there any more"
            elif code in self._holders:
                self._void[sys_id] = f"the cost centre was deleted, and another one is {code} now"
            elif code in gone:
                self._void[sys_id] = f"the cost centre was deleted, as was another one that was {code}"
            else:
                gone[code] = (row, self._values[code])
        return tuple(gone.values())

    def _pairs(self) -> list[Pair]:
        pairs = []
        for code, sys_id in sorted(self._holders.items()):
            value = self._values[code]
            if sys_id in self._doubled:
                continue
            if not _usable(value):
                self._conflict_of("NOT_A_COST_CENTRE", code, [sys_id], *_summing(value))
                continue
            pairs.append(Pair(self._centres[sys_id], value, self._rows.get(sys_id), self._whys[sys_id]))
        return pairs

    def _is_usable(self, code: str) -> bool:
        return code in self._values and _usable(self._values[code])

    def _fault(self, sys_id: str) -> ConflictKind | None:
        code = self._codes[sys_id]
        if not code:
            return "CODE_BLANK"
        if code == RESERVED:
            return "CODE_RESERVED"
        return "CODE_TOO_LONG" if length(code) > LONGEST_CODE else None

    def _named(self, sys_id: str) -> Conflict:
        centre, kind = self._centres[sys_id], self._fault(sys_id)
        column = "code" if self._column == "code" else "account number"
        what = {
            "CODE_BLANK": f"has no {column}",
            "CODE_RESERVED": f"has the {column} {RESERVED}, which BC refuses",
            "CODE_TOO_LONG": f"has a {column} of more than the {LONGEST_CODE} characters that BC can hold",
        }
        return Conflict(
            kind or "CODE_BLANK",
            self._codes[sys_id],
            (sys_id,),
            f"The cost centre {centre.name or sys_id} {what[kind or 'CODE_BLANK']}.",
            f"Correct its {column} in ServiceNow (Cost Centers).",
        )

    def _conflict_of(self, kind: ConflictKind, code: str, ids: Sequence[str], what: str, remedy: str) -> None:
        names = " and ".join(f"{self._centres[one].name} ({one})" for one in ids)
        self._conflicts.append(Conflict(kind, code, tuple(ids), what.format(names=names, code=code), remedy))


_SHARED = (
    "Several cost centres in ServiceNow have the code {code}: {names}; none of them is aligned.",
    "Give each a code of its own in ServiceNow (Cost Centers), or delete those that are not used.",
)
_CHANGED = (
    "The cost centre {names} has another code in ServiceNow now; in BC it stays {code}, where codes are never renamed.",
    "Set the code back in ServiceNow, or see to it that BC has a value with the new code that is no other cost centre's.",
)


def _held(other: CostCentre) -> tuple[str, str]:
    return (
        "The cost centre {names} has the code {code}, whose value belongs to a cost centre that had this code before.",
        f"Give it another code in ServiceNow, or give the code back to {other.name or other.sys_id}.",
    )


def _summing(value: Value) -> tuple[str, str]:
    return (
        f"The value {{code}} of the cost centre {{names}} is of the type {value.type} in BC and takes no entries.",
        "Change the value's type in BC to Standard, or give the cost centre another code in ServiceNow.",
    )


def _usable(value: Value) -> bool:
    return value.type in USABLE


def _grouped(ids: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for one in ids:
        groups[key(one)].append(one)
    return dict(groups)
