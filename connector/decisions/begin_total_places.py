"""Places of Begin-Totals and End-Totals: how Business Central's ranges come to say what ServiceNow's parent links say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from connector.decisions.begin_totals import READINGS, fits_totaling, range_of, tree
from connector.decisions.hierarchy import nearest
from connector.model.alignment import Value, ValueType
from connector.model.codes import LONGEST_CODE, length

MOST_LEVELS = 10
"""As many as BC's function "Indent Dimension Values" knows."""
SUFFIXES = ("T", "A", "-")
"""What makes an End-Total's code of the code before it, tried in this order. A digit would take the code of a child to come."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A value that gets another place, or an End-Total that is new. `group`: the Begin-Total it belongs to."""

    code: str
    type: ValueType
    totaling: str
    group: str


@dataclass(frozen=True, slots=True)
class Placement:
    """What to do. `refused`: why a Begin-Total cannot be set up, by its code; it stays as it is."""

    places: tuple[Placed, ...]
    refused: Mapping[str, str]


def place(
    values: Mapping[str, Value], parents: Mapping[str, str], adrift: Collection[str], taken: Collection[str]
) -> Placement:
    """What makes BC's ranges say what `parents` say: per cost centre the code of its parent, or "".

    `adrift`: cost centres whose place nobody knows; they stay as they are. `taken`: codes that no End-Total may get. A cost
    centre that lost its last child stays a Begin-Total, since one that is used could never become one again (table "Dimension
    Value"); its End-Total moves up to it. A range that cannot be set up stays as it is, and others must not cross it.
    """
    family = _Family({code: "" if code in adrift else above for code, above in parents.items()})
    refused: dict[str, str] = {}
    while True:
        attempt = _Attempt(values, family, adrift, taken, refused)
        more = attempt.faults() or attempt.close()
        if not more:
            return Placement(tuple(attempt.places), refused)
        refused |= more


def after(values: Mapping[str, Value], placement: Placement) -> dict[str, Value]:
    """The values once the placement is done."""
    placed = dict(values)
    for one in placement.places:
        known = placed.get(one.code) or Value(one.code, "")
        placed[one.code] = replace(known, type=one.type, totaling=one.totaling)
    return placed


class _Family:
    """Who belongs below whom. `upwards`: children before their parents; `levels`: 1 for a root."""

    def __init__(self, parents: Mapping[str, str]) -> None:
        self.parents = parents
        self.children: dict[str, list[str]] = defaultdict(list)
        for code in sorted(parents, key=READINGS[0]):
            self.children[parents[code]].append(code)
        self.levels: dict[str, int] = {}
        self.upwards: list[str] = []
        self._entered: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._walk()

    def is_below(self, code: str, above: str) -> bool:
        """Whether it is the one or belongs below it; never for a value that is no cost centre."""
        return self._entered[above] <= self._entered.get(code, 0) <= self._left[above]

    def _walk(self) -> None:
        pending = [(root, 1) for root in self.children[""]]
        while pending:
            code, level = pending.pop()
            if not level:
                self._left[code] = len(self._entered)
                self.upwards.append(code)
                continue
            self.levels[code] = level
            self._entered[code] = len(self._entered) + 1
            pending.append((code, 0))
            pending += [(child, level + 1) for child in self.children.get(code, ())]


@dataclass(slots=True)
class _Group:
    """All that is to be in the range of a Begin-Total: how many, and per reading their first and last place. `tail`: the
    code after which the range may end."""

    count: int
    first: list[int]
    last: list[int]
    tail: str


class _Attempt:
    """Sets up all groups but those refused so far. The End-Totals of these stay, and go where their Begin-Total goes."""

    def __init__(
        self,
        values: Mapping[str, Value],
        family: _Family,
        adrift: Collection[str],
        taken: Collection[str],
        refused: Collection[str],
    ) -> None:
        self._values = values
        self._family = family
        self._taken = taken
        self._tree = tree(values)
        own = {
            first: ends for first, ends in self._tree.ends.items() if first in family.parents and first not in adrift
        }
        moving = {end for first, ends in own.items() if first not in refused for end in ends}
        self._staying = {end: first for first, ends in own.items() if first in refused for end in ends}
        heavy = [one for one, value in values.items() if value.type not in ("Heading", "Total") and one not in moving]
        self._orders = [sorted(heavy, key=reading) for reading in READINGS]
        self._at = [{code: number for number, code in enumerate(order)} for order in self._orders]
        wrong = self._with_strangers_inside()
        self._wanted = [
            code
            for code in family.upwards
            if code not in adrift and code not in refused and (family.children.get(code) or code in wrong)
        ]
        self._groups: dict[str, _Group] = {}
        for code in family.upwards:
            self._groups[code] = self._group(code)
        self.places: list[Placed] = []

    def faults(self) -> dict[str, str]:
        """Why groups cannot be set up, whatever their End-Totals are called."""
        found = {code: self._fault(code, self._groups[code]) for code in self._wanted}
        return {code: fault for code, fault in found.items() if fault}

    def close(self) -> dict[str, str]:
        """Sets up the groups, inner ones first; why some cannot be."""
        wanted, found = set(self._wanted), {}
        for code in self._family.upwards:
            group = self._groups[code] = self._group(code)
            fault = self._close(code, group) if code in wanted else ""
            if fault:
                found[code] = fault
        return found

    def _with_strangers_inside(self) -> set[str]:
        """Begin-Totals whose range holds a cost centre that is not theirs."""
        parents = self._family.parents
        around = nearest(self._tree.parents, parents)
        return {around[code] for code, above in parents.items() if around[code] and around[code] != above}

    def _group(self, code: str) -> _Group:
        kept = [end for end in self._tree.ends.get(code, ()) if end in self._staying]
        parts = [_Group(1, places, places, one) for one in (code, *kept) for places in [[at[one] for at in self._at]]]
        parts += [self._groups[child] for child in self._family.children.get(code, ())]
        return _Group(
            sum(part.count for part in parts),
            [min(places) for places in zip(*(part.first for part in parts), strict=True)],
            [max(places) for places in zip(*(part.last for part in parts), strict=True)],
            max(parts, key=lambda part: part.last[0]).tail,
        )

    def _fault(self, code: str, group: _Group) -> str:
        """Why what belongs to the group does not follow its Begin-Total without anybody in between."""
        if not fits_totaling(code):
            return f"the code {code} cannot stand in a Totaling"
        if self._family.levels[code] > MOST_LEVELS:
            return f"it is more than {MOST_LEVELS} levels deep, which is as many as BC can indent"
        for order, at, first, last in zip(self._orders, self._at, group.first, group.last, strict=True):
            if first < at[code]:
                return f"{order[first]} belongs below it and comes before it in the order of codes"
            if last - first + 1 != group.count:
                stranger = next(one for one in order[first:] if not self._is_below(one, code))
                return f"{stranger} does not belong below it and comes in between in the order of codes"
        ends = {order[last] for order, last in zip(self._orders, group.last, strict=True)}
        if len(ends) > 1:
            return f"which of {' and '.join(sorted(ends))} comes last depends on the database's collation"
        return ""

    def _is_below(self, code: str, above: str) -> bool:
        return self._family.is_below(self._staying.get(code, code), above)

    def _close(self, code: str, group: _Group) -> str:
        """Puts the End-Total where it belongs; what else closed the range becomes a heading. A fault when no code is left."""
        present = self._tree.ends.get(code, ())
        end = next((one for one in present if self._fits(one, group)), "")
        chosen = end or next((one for one in self._new_codes(group) if self._fits(one, group)), "")
        if not chosen:
            return f"no code of at most {LONGEST_CODE} characters is free for its End-Total right behind {group.tail}"
        if self._values[code].type != "Begin-Total":
            self.places.append(Placed(code, "Begin-Total", "", code))
        if not end or range_of(self._values[end].totaling) != (code, end):
            self.places.append(Placed(chosen, "End-Total", f"{code}..{chosen}", code))
        self.places += [Placed(one, "Heading", "", code) for one in present if one != end]
        group.tail = chosen
        return ""

    def _new_codes(self, group: _Group) -> list[str]:
        codes = [group.tail + suffix for suffix in SUFFIXES]
        free = [one for one in codes if one not in self._values and one not in self._taken]
        return [one for one in free if length(one) <= LONGEST_CODE and fits_totaling(one)]

    def _fits(self, end: str, group: _Group) -> bool:
        """Whether a value with this code comes behind the group and before everybody else, in every reading."""
        for reading, order, last in zip(READINGS, self._orders, group.last, strict=True):
            if reading(end) <= reading(group.tail):
                return False
            if last + 1 < len(order) and reading(end) >= reading(order[last + 1]):
                return False
        return True
