"""What the application demands of dimension values, and the numbers it gives to values and to sets of them.

Texts and rules follow the public source of the table "Dimension Value" and of the codeunit that checks dimensions. A dimension
set is immutable: two owners with the same combination share its number, and what was once in a set counts as used for ever.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from tests.sandbox.business_central.errors import dialog
from tests.sandbox.business_central.store import Change, CompanyState, Record

VALUE_TYPES = ("Standard", "Heading", "Total", "Begin-Total", "End-Total")
USABLE_TYPES = frozenset({"Standard", "Begin-Total"})
TOTALS = frozenset({"Total", "End-Total"})
Combination = tuple[tuple[str, str], ...]


class DimensionNumbers:
    """Numbers of dimension sets and values, kept from the first time each is seen."""

    def __init__(self, companies: Sequence[CompanyState]) -> None:
        self._sets: dict[str, dict[Combination, int]] = {}
        self._values: dict[str, int] = {}
        self._next_value = itertools.count(1)
        for state in companies:
            for value in state.all_of("dimensionValues"):
                self.value(value)
            for records in state.sets.values():
                for record in records.values():
                    self._see(state, record)
            state.observers.append(self._observe)

    def value(self, record: Record) -> int:
        """The number of a dimension value."""
        if record.id not in self._values:
            self._values[record.id] = next(self._next_value)
        return self._values[record.id]

    def set_of(self, state: CompanyState, dimensions: Mapping[str, str]) -> int:
        """The number of the set with these values; no dimensions are set 0."""
        if not dimensions:
            return 0
        sets = self._sets.setdefault(state.id, {})
        return sets.setdefault(tuple(sorted(dimensions.items())), len(sets) + 1)

    def sets(self, state: CompanyState) -> dict[int, Combination]:
        """All sets of a company by number."""
        return {number: combination for combination, number in self._sets.get(state.id, {}).items()}

    def is_used(self, state: CompanyState, dimension: str, value: str) -> bool:
        """Whether the value has ever been part of a set."""
        return any((dimension, value) in combination for combination in self._sets.get(state.id, {}))

    def rename(self, state: CompanyState, dimension: str, old: str, new: str) -> None:
        """Renames a value within all sets: they hold its number, and show its present code."""
        renamed = {}
        for combination, number in self._sets.get(state.id, {}).items():
            parts = ((code, new if (code, value) == (dimension, old) else value) for code, value in combination)
            renamed[tuple(parts)] = number
        self._sets[state.id] = renamed

    def _observe(self, state: CompanyState, _change: Change, record: Record) -> None:
        for each in (record, *record.lines):
            self._see(state, each)

    def _see(self, state: CompanyState, record: Record) -> None:
        if record.dimensions:
            self.set_of(state, record.dimensions)


def value_of(state: CompanyState, dimension: str, code: str) -> Record | None:
    """The dimension value with this code, if there is one."""
    owner = next((each for each in state.all_of("dimensions") if each.values["code"] == dimension), None)
    if owner is None:
        return None
    values = state.all_of("dimensionValues")
    return next(
        (each for each in values if (each.values["dimensionId"], each.values["code"]) == (owner.id, code)), None
    )


def value_type(record: Record) -> str:
    """The type of a dimension value."""
    return str(record.values.get("dimensionValueType") or "Standard")


def check_usable(state: CompanyState, dimensions: Mapping[str, str]) -> None:
    """Passes when all values may be used in new entries, else raises `Refusal`."""
    for dimension, code in sorted(dimensions.items()):
        record = value_of(state, dimension, code)
        if record is None:
            raise dialog(f"Dimension Value {dimension} - {code} is missing.")
        if record.values.get("blocked"):
            raise dialog(f"Dimension Value {dimension} - {code} is blocked.")
        if value_type(record) not in USABLE_TYPES:
            raise dialog(
                f"Dimension Value Type for Dimension Value {dimension} - {code} must not be {value_type(record)}."
            )


def global_number(state: CompanyState, dimension: str) -> int:
    """The number 1 to 8 under which the general ledger setup knows a dimension, 0 when it does not."""
    for setup in state.all_of("generalLedgerSetup"):
        for number in range(1, 9):
            if setup.values[f"shortcutDimension{number}Code"] == dimension:
                return number
    return 0
