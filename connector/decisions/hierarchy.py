"""The hierarchy of cost centres: which one is whose parent in ServiceNow, and what is wrong with it.

Nothing there keeps somebody from making a cost centre its own grandparent, from hiding a parent by an access rule, or from
giving two the same code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from connector.model.alignment import CostCentre
from connector.model.codes import as_code


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Cost centres that share a code or an account number. `code`: as BC would keep it."""

    column: Literal["code", "account_number"]
    code: str
    sys_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """Cost centres and their parents, by sys_id; everything in the order of codes.

    `parents`: the parent of each; "" for a root and for an orphan. `cycles`: each once, from its first code on along its
    parents. `adrift`: all that are in a cycle or below one. `orphans`: those whose parent is not among the cost centres.
    """

    parents: Mapping[str, str]
    cycles: tuple[tuple[str, ...], ...]
    adrift: frozenset[str]
    orphans: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]


def forest(cost_centres: Iterable[CostCentre]) -> Forest:
    """The forest that the cost centres form. Their sys_ids must differ."""
    ordered = sorted(cost_centres, key=lambda one: (as_code(one.code), one.sys_id))
    known = {one.sys_id for one in ordered}
    parents = {one.sys_id: one.parent if one.parent in known else "" for one in ordered}
    cycles, adrift = cycles_of(parents)
    orphans = tuple(one.sys_id for one in ordered if one.parent and one.parent not in known)
    return Forest(parents, cycles, adrift, orphans, _duplicates(ordered))


def nearest(parents: Mapping[str, str], kept: Collection[str]) -> dict[str, str]:
    """For each its nearest ancestor that is kept, or "". A cycle without one that is kept ends the search."""
    found: dict[str, str] = {}
    for start in parents:
        path = []
        on_path = set()
        one = start
        while one not in found and one not in on_path:
            path.append(one)
            on_path.add(one)
            above = parents.get(one, "")
            if not above or above in kept:
                found[one] = above
            else:
                one = above
        ancestor = found.get(one, "")
        for passed in path:
            found.setdefault(passed, ancestor)
    return found


def cycles_of(parents: Mapping[str, str]) -> tuple[tuple[tuple[str, ...], ...], frozenset[str]]:
    """The cycles, each from its first member on, and everything that is in one or below one. Every parent must be a key."""
    place = {one: number for number, one in enumerate(parents)}
    cycles = []
    adrift: dict[str, bool] = {"": False}
    for start in parents:
        path: dict[str, None] = {}
        one = start
        while one not in adrift and one not in path:
            path[one] = None
            one = parents[one]
        if one not in adrift:
            ring = list(path)[list(path).index(one) :]
            first = ring.index(min(ring, key=place.__getitem__))
            cycles.append(tuple(ring[first:] + ring[:first]))
            adrift[one] = True
        for passed in path:
            adrift[passed] = adrift[one]
    cycles.sort(key=lambda ring: place[ring[0]])
    return tuple(cycles), frozenset(one for one, lost in adrift.items() if lost)


def _duplicates(ordered: Iterable[CostCentre]) -> tuple[Duplicate, ...]:
    by_code: dict[str, list[str]] = defaultdict(list)
    by_number: dict[str, list[str]] = defaultdict(list)
    for one in ordered:
        by_code[as_code(one.code)].append(one.sys_id)
        by_number[as_code(one.account_number)].append(one.sys_id)
    return tuple(
        [Duplicate("code", code, tuple(ids)) for code, ids in sorted(by_code.items()) if code and len(ids) > 1]
        + [
            Duplicate("account_number", code, tuple(ids))
            for code, ids in sorted(by_number.items())
            if code and len(ids) > 1
        ]
    )
