"""Align: cost centres of ServiceNow and dimension values of Business Central come to know the same, company by company.

read both sides and what was agreed - plan - put the intent on record - write - put on record what is agreed now - confirm.
Every write rests on what was read. Where something has moved on since, that cost centre is left as it is, both sides are read
again and a new plan is made; a run that is overtaken by another one leaves the rest to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from connector.business_central.dimension_values import Outdated, RouteMissing, ValueRefused
from connector.business_central.dimension_ways import RouteFound
from connector.decisions.alignment import plan
from connector.decisions.alignment_actions import (
    Action,
    BlockValue,
    Conflict,
    CreateValue,
    Map,
    PlaceValue,
    Plan,
    Refusal,
    RenameValue,
    Rules,
    StageCostCentre,
    Unmap,
    Write,
)
from connector.errors import Outage, RowConflict
from connector.flows.alignment_record import AlignmentRecord, close_open, thing_of
from connector.flows.parts import Parts
from connector.flows.rounds import in_turn
from connector.flows.stage_master_data import stage_cost_centres
from connector.model.alignment import CostCentre, Value
from connector.setting_words import Company
from connector.storage.alignments import ALIGNMENTS, alignment_turns
from connector.storage.cursors import Turn
from connector.storage.mappings import Agreed

ROUNDS = 3
"""How often a run looks again when what it rested on has moved on."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one company as they were read, what was agreed about them, and what is to be done."""

    company: Company
    rules: Rules
    route: RouteFound
    centres: Sequence[CostCentre]
    values: Sequence[Value]
    agreed: Agreed
    plan: Plan


@dataclass(frozen=True, slots=True)
class Aligned:
    """What a run came to. `done`: the writes; `refused`: by what they are about, why others were not; `conflicts`: what is
    reported and left; `settled`: whether nothing is left that this run could do."""

    company: Company
    route: RouteFound
    done: Sequence[Write]
    refused: Sequence[tuple[str, Refusal]]
    conflicts: Sequence[Conflict]
    settled: bool


def look(parts: Parts, company: Company) -> Sides | None:
    """Reads both sides and plans; None for a company that is not aligned. Writes nothing. Raises `Outage`."""
    rules, reader = parts.alignment.get(company.key), parts.cost_centre_reader
    if rules is None or reader is None:
        return None
    dimension = company.cost_centre_dimension
    agreed = parts.mappings.all(company.key, dimension)
    route = parts.dimension_values.route(company)
    values = parts.dimension_values.read(company, dimension)
    centres = reader.all()
    if route.kind == "none":
        # Values are read without what they sum up then, and nobody could write a hierarchy anyway.
        rules = replace(rules, ownership=rules.ownership.model_copy(update={"parent": "nobody"}))
    mapping = [kept.row for kept in agreed.rows.values()]
    planned = plan(centres, values, mapping, rules, parts.clock.now().date())
    return Sides(company, rules, route, centres, values, agreed, planned)


def align(parts: Parts, company: Company) -> Aligned | None:
    """Aligns one company; None for one that is not aligned. Raises `Outage`; what was done until then stays, and the next run
    goes on from there."""
    done: list[Write] = []
    refused: dict[str, Refusal] = {}
    sides = look(parts, company)
    if sides is None:
        return None
    for _ in range(ROUNDS):
        run = parts.randomness.token()
        # What a system would not have a moment ago it will not have now either.
        actions = [one for one in sides.plan.actions if thing_of(one) not in refused]
        if not actions:
            settled = not refused and _confirmed(parts, sides, run)
            return Aligned(company, sides.route, done, list(refused.items()), sides.plan.conflicts, settled)
        one = _Run(parts, sides, run)
        one.work(actions)
        done += one.done
        refused |= one.refused
        sides = look(parts, company) or sides
    return Aligned(company, sides.route, done, list(refused.items()), sides.plan.conflicts, settled=False)


def _confirmed(parts: Parts, sides: Sides, run: str) -> bool:
    close_open(parts.ledger, sides.company, run)
    try:
        parts.mappings.confirm(sides.agreed, run)
    except RowConflict:
        return False  # another run wrote since: it will confirm
    return True


class _Run:
    """One plan on its way. `refused`: by what it is about, why something could not be written."""

    def __init__(self, parts: Parts, sides: Sides, run: str) -> None:
        self._parts = parts
        self._sides = sides
        self._run = run
        self._values = {value.code: value for value in sides.values}
        self._left: set[str] = set()
        self.done: list[Write] = []
        self.refused: dict[str, Refusal] = {}

    def work(self, actions: Sequence[Action]) -> None:
        """Writes, then puts on record what is agreed now. An outage ends it after that; what was done is on record."""
        record = AlignmentRecord(self._parts.ledger, self._sides.company, self._run)
        self.refused |= record.intend(actions)
        self._left |= self.refused.keys()
        try:
            self._stage(
                [one for one in actions if isinstance(one, StageCostCentre) and thing_of(one) not in self._left]
            )
            for action in actions:
                if thing_of(action) not in self._left and not isinstance(action, StageCostCentre | Map | Unmap):
                    self._write(action)
            self._agree(actions)
        finally:
            record.settle(self.done, self.refused)

    def _write(self, action: CreateValue | RenameValue | BlockValue | PlaceValue) -> None:
        try:
            self._values[action.code] = self._written(action)
            self.done.append(action)
        except Outdated:
            self._left.add(thing_of(action))  # it is read again, and planned again
        except RouteMissing as missing:
            self._refuse(action, "NO_WRITABLE_ROUTE", str(missing), "Install the extension, or publish page 537 in BC.")
        except ValueRefused as refusal:
            self._refuse(
                action,
                "VALUE_REFUSED",
                refusal.words or str(refusal),
                "Correct the value in BC (page Dimension Values).",
            )

    def _written(self, action: CreateValue | RenameValue | BlockValue | PlaceValue) -> Value:
        ways, company = self._parts.dimension_values, self._sides.company
        dimension = company.cost_centre_dimension
        if isinstance(action, CreateValue):
            new = Value(action.code, action.name, action.type, totaling=action.totaling)
            return ways.create(company, dimension, new)
        value = self._values[action.code]
        if isinstance(action, RenameValue):
            return ways.change(company, dimension, value, name=action.name)
        if isinstance(action, BlockValue):
            return ways.change(company, dimension, value, blocked=action.blocked)
        value = ways.change(company, dimension, value, type=action.type)
        return ways.change(company, dimension, value, totaling=action.totaling) if action.totaling else value

    def _stage(self, actions: Sequence[StageCostCentre]) -> None:
        for action, reason in stage_cost_centres(self._parts, self._sides.company, actions):
            if reason is None:
                self.done.append(action)
            else:
                self._left.add(thing_of(action))
                self.refused[thing_of(action)] = reason

    def _refuse(self, action: Write, code: str, words: str, remedy: str) -> None:
        self._left.add(thing_of(action))
        self.refused[thing_of(action)] = Refusal(code, words[:500], remedy)

    def _agree(self, actions: Sequence[Action]) -> None:
        put = [one.row for one in actions if isinstance(one, Map) and thing_of(one) not in self._left]
        remove = [one.sys_id for one in actions if isinstance(one, Unmap) and thing_of(one) not in self._left]
        if not put and not remove:
            return
        try:
            self._parts.mappings.write(self._sides.agreed, put, remove, self._run)
        except RowConflict:
            return  # another run was faster: the next look sees what is there


def align_all(parts: Parts) -> None:
    """Aligns every company that wants it, each by one run at a time."""

    def turn(company: Company) -> Callable[[Callable[[], bool]], None]:
        return lambda _may_go_on: _in_turn(parts, company)

    aligned = [company for company in parts.settings.companies if company.key in parts.alignment]
    in_turn(parts, "align", [({"company": company.key}, turn(company)) for company in aligned])


def _in_turn(parts: Parts, company: Company) -> None:
    taken = parts.cursors.take(ALIGNMENTS, alignment_turns(company.key), parts.randomness.token(), timedelta(0))
    if not isinstance(taken, Turn):
        return
    try:
        came_to = align(parts, company)
    except Outage:
        parts.cursors.give_back(ALIGNMENTS, taken)
        raise
    if came_to is not None:
        _tell(parts, came_to)
    parts.cursors.end(ALIGNMENTS, taken, taken.record)


def _tell(parts: Parts, came_to: Aligned) -> None:
    say = parts.telemetry.warning if came_to.refused or came_to.conflicts else parts.telemetry.event
    say(
        "aligned",
        company=came_to.company.key,
        count=len(came_to.done),
        refused=len(came_to.refused),
        conflicts=len(came_to.conflicts),
    )
