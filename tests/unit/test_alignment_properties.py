"""Alignment of any two sides comes to rest: one plan is enough, nothing is ever deleted, and no owner is overruled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.decisions.alignment import plan
from connector.decisions.alignment_actions import (
    Action,
    BlockValue,
    CreateValue,
    Map,
    PlaceValue,
    Plan,
    RenameValue,
    Rules,
    StageCostCentre,
    Unmap,
)
from connector.decisions.alignment_attributes import is_closed
from connector.model.alignment import CostCentre, MappingRow, Owner, Ownership, Value
from connector.model.codes import as_code

TODAY = date(2026, 5, 4)
OWNERS: tuple[Owner, ...] = ("servicenow", "business_central", "nobody")
# Few codes, so that they meet; with some that order, case, blanks, collations and BC's rules are about.
CODES = ("1", "10", "100", "12", "1T", "2", "20", "2-1", "21", "a", " A ", "AB", "B", "(CONFLICT)", "X" * 21, "", "2&3")
VALUE_CODES = ("1", "10", "100", "10T", "12", "1T", "2", "20", "2-1", "21", "A", "AB", "ABT", "B", "2&3")
NAMES = ("North", "North ", "NORTH", "South", "", "N" * 51)
IDS = ("a1", "b2", "c3", "d4", "e5", "f6", "g7")
TOTALINGS = ("", "1..1T", "10..10T", "2..21", "A..ABT", "1..10T")
QUICK = settings(derandomize=True, max_examples=100, deadline=None, database=None)


@dataclass(frozen=True)
class World:
    """Both sides and the mapping."""

    centres: tuple[CostCentre, ...]
    values: tuple[Value, ...]
    rows: tuple[MappingRow, ...]

    def plan(self, rules: Rules) -> Plan:
        return plan(self.centres, self.values, self.rows, rules, TODAY)


def _different(drawn: Iterable[CostCentre]) -> tuple[CostCentre, ...]:
    return tuple({one.sys_id: one for one in drawn}.values())


days = st.sampled_from((None, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)))
centres = st.lists(
    st.builds(
        CostCentre,
        st.sampled_from(IDS),
        st.sampled_from(CODES),
        st.sampled_from(CODES),
        st.sampled_from(NAMES),
        st.sampled_from(("", "", *IDS, "unknown")),
        days,
        days,
        st.sampled_from((None, True, True, False)),
    ),
    max_size=7,
).map(_different)
values = st.lists(
    st.builds(
        Value,
        st.sampled_from(VALUE_CODES),
        st.sampled_from(NAMES[:5]),
        st.sampled_from(
            ("Standard", "Standard", "Standard", "Heading", "Total", "Begin-Total", "Begin-Total", "End-Total")
        ),
        st.booleans(),
        st.sampled_from(TOTALINGS),
    ),
    max_size=9,
).map(lambda drawn: tuple({one.code: one for one in drawn}.values()))
rows = st.lists(
    st.builds(
        MappingRow,
        st.sampled_from(IDS),
        st.sampled_from(VALUE_CODES),
        st.sampled_from(CODES),
        st.sampled_from(NAMES),
        st.sampled_from(("", *IDS)),
        st.booleans(),
        st.sampled_from(("aligned", "conflict", "gone")),
    ),
    max_size=6,
).map(lambda drawn: tuple({one.sys_id: one for one in drawn}.values()))
owners = st.sampled_from(OWNERS)
rules_ = st.builds(
    Rules,
    st.builds(Ownership, exists=owners, name=owners, parent=owners, blocked=owners),
    st.sampled_from(("code", "account_number")),
    st.booleans(),
)
worlds = st.builds(World, centres, values, rows)


def done(world: World, actions: Iterable[Action], rules: Rules) -> World:
    """Both sides and the mapping once the actions are done."""
    there = {one.sys_id: one for one in world.centres}
    here = {as_code(one.code): one for one in world.values}
    agreed = {row.sys_id: row for row in world.rows}
    for one in actions:
        match one:
            case CreateValue():
                assert as_code(one.code) not in here, "BC refuses a second value with the same code"
                here[as_code(one.code)] = Value(one.code, one.name, one.type, totaling=one.totaling)
            case RenameValue():
                here[as_code(one.code)] = replace(here[as_code(one.code)], name=one.name)
            case BlockValue():
                here[as_code(one.code)] = replace(here[as_code(one.code)], blocked=one.blocked)
            case PlaceValue():
                here[as_code(one.code)] = replace(here[as_code(one.code)], type=one.type, totaling=one.totaling)
            case StageCostCentre():
                sys_id = one.sys_id or f"new {one.code}"
                centre = there.get(sys_id) or CostCentre(sys_id, one.code, one.account_number or f"{one.code}#", "")
                assert bool(one.sys_id) == (sys_id in there), "a row without sys_id is for something new"
                parents = [
                    known.sys_id
                    for known in there.values()
                    if one.parent_code and as_code(getattr(known, rules.code_column)) == as_code(one.parent_code)
                ]
                assert len(parents) == bool(one.parent_code), "a parent's code names it and nothing else"
                there[sys_id] = replace(
                    centre,
                    name=one.name,
                    parent=parents[0] if parents else centre.parent,
                    available=centre.available if one.available is None else one.available,
                    valid_to=one.valid_to or centre.valid_to,
                )
            case Unmap():
                del agreed[one.sys_id]
            case Map():
                agreed[one.sys_id] = one.row
    return World(tuple(there.values()), tuple(here.values()), tuple(agreed.values()))


def fresh(actions: Iterable[Action]) -> bool:
    return any(isinstance(one, StageCostCentre) and not one.sys_id for one in actions)


def at_rest(world: World, rules: Rules) -> World:
    """The world after one plan, and after the mapping of what that plan created in ServiceNow."""
    first = world.plan(rules)
    after = done(world, first.actions, rules)
    second = after.plan(rules)
    if fresh(first.actions):
        assert all(isinstance(one, Map | Unmap) for one in second.actions), second.actions
        after = done(after, second.actions, rules)
        second = after.plan(rules)
    assert second.actions == ()
    return after


@QUICK
@given(worlds, rules_)
def test_after_one_plan_there_is_nothing_left_to_do(world: World, rules: Rules) -> None:
    at_rest(world, rules)


@QUICK
@given(worlds, worlds, rules_)
def test_edits_between_two_runs_come_to_rest_in_one_run(world: World, edited: World, rules: Rules) -> None:
    """What was agreed stays, and everything else may have become anything."""
    agreed = at_rest(world, rules).rows
    at_rest(World(edited.centres, edited.values, agreed), rules)


@QUICK
@given(worlds, rules_)
def test_nobody_is_overruled_and_nothing_is_deleted_or_renamed(world: World, rules: Rules) -> None:
    own = rules.ownership
    there = {one.sys_id: one for one in world.centres}
    here = {one.code: one for one in world.values}
    for one in world.plan(rules).actions:
        match one:
            case CreateValue():
                assert own.parent == "servicenow" if one.type == "End-Total" else own.exists == "servicenow"
            case RenameValue():
                assert own.name == "servicenow"
            case BlockValue():
                assert own.blocked == "servicenow"
                assert rules.block_when_gone
            case PlaceValue():
                assert own.parent == "servicenow"
                assert here[one.code].type == "Standard" or one.type != "Standard"
            case StageCostCentre() if one.sys_id:
                centre = there[one.sys_id]
                assert (one.code, one.account_number) == (centre.code, centre.account_number)
                assert own.name == "business_central" or one.name == centre.name
                assert own.parent == "business_central" or not one.parent_code
                assert own.blocked == "business_central" or (one.available, one.valid_to) == (None, None)
            case StageCostCentre():
                assert own.exists == "business_central"
        assert one.why


@QUICK
@given(worlds, rules_, st.randoms(use_true_random=False))
def test_the_order_in_which_things_come_does_not_matter(world: World, rules: Rules, chance: object) -> None:
    shuffled = World(
        *(tuple(chance.sample(list(part), len(part))) for part in (world.centres, world.values, world.rows))  # type: ignore[attr-defined]
    )
    assert shuffled.plan(rules) == world.plan(rules)


@QUICK
@given(worlds, rules_)
def test_at_rest_every_pair_agrees_on_what_somebody_owns_or_a_conflict_names_it(world: World, rules: Rules) -> None:
    after = at_rest(world, rules)
    named = {one for conflict in after.plan(rules).conflicts for one in conflict.sys_ids}
    there = {one.sys_id: one for one in after.centres}
    here = {as_code(one.code): one for one in after.values}
    for row in after.rows:
        if row.sys_id not in there or row.sys_id in named:
            continue
        centre, value = there[row.sys_id], here[row.code]
        assert row.status == "aligned"
        assert centre.name.strip() == value.name.strip() == row.name
        assert is_closed(centre, TODAY) == value.blocked == row.blocked


@QUICK
@given(worlds, rules_)
def test_a_value_is_agreed_to_be_one_cost_centre_at_most_unless_several_have_its_code(
    world: World, rules: Rules
) -> None:
    after = at_rest(world, rules)
    shared = [one for one in after.plan(rules).conflicts if one.kind == "DUPLICATE_CODE"]
    doubled = {sys_id for conflict in shared for sys_id in conflict.sys_ids}
    left_alone = {conflict.code for conflict in shared}
    codes = [row.code for row in after.rows if row.sys_id not in doubled and row.code not in left_alone]
    assert len(codes) == len(set(codes))


# -- hierarchies, by codes that sort the same everywhere


def grown(chance: Random) -> World:
    """A company whose codes mostly follow its hierarchy, as people who keep ranges in BC choose them; and not quite."""
    codes = [str(number) for number in range(1, 4)]
    parents = dict.fromkeys(codes, "")
    for code in codes:
        if len(code) < 4:
            below = [f"{code}{number}" for number in range(chance.randrange(4))]
            parents |= dict.fromkeys(below, code)
            codes += below
    for code in chance.sample(codes, chance.randrange(3)):
        parents[code] = chance.choice(["", *codes])
    centres = [
        CostCentre(f"id{code}", code, "", f"Centre {code}", above and f"id{above}") for code, above in parents.items()
    ]
    kept = [code for code in codes if chance.random() < 0.7]
    values = {
        code: Value(code, f"Centre {code}", chance.choice(("Standard", "Standard", "Begin-Total"))) for code in kept
    }
    values |= {
        code: Value(code, "Stranger") for code in ("115", "2T5", "35") if code not in values and chance.random() < 0.2
    }
    for code in chance.sample(kept, min(2, len(kept))):
        end = f"{chance.choice(kept)}T"
        if end > code and end not in values:
            values[end] = Value(end, f"Total {code}", "End-Total", totaling=f"{code}..{end}")
    return World(tuple(centres), tuple(values.values()), ())


def edited(world: World, chance: Random) -> World:
    """The same company after somebody has worked on both sides."""
    centres = [one for one in world.centres if chance.random() < 0.9]
    for number in chance.sample(range(len(centres)), min(3, len(centres))):
        above = chance.choice(["", *(one.sys_id for one in centres)])
        centres[number] = replace(centres[number], parent=above)
    values = [one for one in world.values if chance.random() < 0.9]
    for number in chance.sample(range(len(values)), min(3, len(values))):
        values[number] = replace(values[number], name="Edited")
    return World(tuple(centres), tuple(values), world.rows)


def ranges(world: World) -> dict[str, str]:
    """Per value the Begin-Total of the innermost range it lies in, told by the Totalings alone."""
    types = {one.code: one.type for one in world.values}
    spans = [
        tuple(one.totaling.split("..")) for one in world.values if one.type == "End-Total" and ".." in one.totaling
    ]
    found = {}
    for code in types:
        around = [first for first, last in spans if first < code < last and types.get(first) == "Begin-Total"]
        found[code] = max(around, default="")
    return found


def parents_agree(world: World, rules: Rules) -> None:
    conflicts = world.plan(rules).conflicts
    loose = {one for conflict in conflicts for one in conflict.sys_ids if conflict.kind.startswith("PARENT_")}
    loose_codes = {conflict.code for conflict in conflicts if conflict.kind == "HIERARCHY_NOT_EXPRESSIBLE"}
    there = {one.sys_id: one for one in world.centres}
    codes = {row.sys_id: row.code for row in world.rows if row.sys_id in there}
    adrift = {one for one in codes if loose & {one, *_above(there, one)}}
    loose_codes |= {codes[one] for one in adrift}
    here = ranges(world)
    for row in world.rows:
        if row.sys_id not in there or row.sys_id in adrift:
            continue
        # A parent that BC cannot express is passed over there, and so is one that is no value.
        above = [codes[one] for one in _above(there, row.sys_id) if one in codes and codes[one] not in loose_codes]
        begin = here[row.code]
        while begin and (begin not in codes.values() or begin in loose_codes):
            begin = here[begin]
        assert begin == (above[0] if above else ""), (row.code, begin, above)


def _above(there: dict[str, CostCentre], sys_id: str) -> list[str]:
    found: list[str] = []
    one = there[sys_id].parent
    while one in there and one not in found:
        found.append(one)
        one = there[one].parent
    return found


@QUICK
@given(st.integers(0, 10**9), st.sampled_from(OWNERS), st.sampled_from(("servicenow", "business_central")))
def test_hierarchies_come_to_rest_and_agree_as_far_as_bc_can_express_them(
    seed: int, exists: Owner, parent: Owner
) -> None:
    chance = Random(seed)
    rules = Rules(Ownership(exists=exists, name="nobody", parent=parent, blocked="servicenow"))
    world = at_rest(grown(chance), rules)
    parents_agree(world, rules)
    parents_agree(at_rest(edited(world, chance), rules), rules)
