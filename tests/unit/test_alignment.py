"""Alignment, rule by rule: what is matched, what is written to whose side, and what is left to people."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest

from connector.decisions.alignment import MANY_GONE, plan
from connector.decisions.alignment_actions import (
    Action,
    BlockValue,
    Conflict,
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
from connector.model.alignment import CostCentre, MappingRow, Owner, Ownership, Value
from connector.model.codes import as_code, length

TODAY = date(2026, 5, 4)
YESTERDAY = TODAY - timedelta(days=1)


def owned(owner: Owner = "nobody", **owners: Owner) -> Rules:
    """Rules by which one side owns everything but what is named."""
    every: dict[str, Owner] = {"exists": owner, "name": owner, "parent": "nobody", "blocked": owner}
    return Rules(Ownership(**(every | owners)), block_when_gone=True)


SERVICENOW, BC, NOBODY = owned("servicenow"), owned("business_central"), owned()


def centre(code: str = "100", name: str = "North", **more: object) -> CostCentre:
    return replace(CostCentre(f"id{code.strip()}", code, f"7{code}", name), **more)  # type: ignore[arg-type]


def value(code: str = "100", name: str = "North", **more: object) -> Value:
    return replace(Value(code, name, etag=f"W/{code}"), **more)  # type: ignore[arg-type]


def row(code: str = "100", name: str = "North", **more: object) -> MappingRow:
    return replace(MappingRow(f"id{code}", code, f"7{code}", name), **more)  # type: ignore[arg-type]


def made(
    centres: list[CostCentre], values: list[Value], rows: list[MappingRow] | None = None, rules: Rules = SERVICENOW
) -> Plan:
    return plan(centres, values, rows or [], rules, TODAY)


def writes(of: Plan) -> list[Write]:
    return [one for one in of.actions if not isinstance(one, Map | Unmap)]


def mapped(of: Plan) -> list[MappingRow]:
    return [one.row for one in of.actions if isinstance(one, Map)]


def unmapped(of: Plan) -> list[str]:
    return [one.sys_id for one in of.actions if isinstance(one, Unmap)]


def kinds(of: Plan) -> list[str]:
    return [one.kind for one in of.conflicts]


def conflict(of: Plan) -> Conflict:
    (found,) = of.conflicts
    return found


# -- matching


def test_what_is_the_same_on_both_sides_and_agreed_needs_nothing() -> None:
    assert made([centre()], [value()], [row()]) == Plan()


def test_a_pair_is_found_by_its_code_as_bc_compares_codes() -> None:
    of = made([centre(" ab ", sys_id="x")], [value("AB")])
    assert (writes(of), mapped(of)) == ([], [MappingRow("x", "AB", "7 ab ", "North")])


def test_a_pair_is_found_by_the_account_number_where_that_holds_bc_s_code() -> None:
    rules = replace(SERVICENOW, code_column="account_number")
    of = made([centre("NORTH", account_number="100")], [value("100")], rules=rules)
    assert (writes(of), [one.code for one in mapped(of)]) == ([], ["100"])


def test_a_pair_once_agreed_is_known_by_its_sys_id_and_not_by_its_code() -> None:
    of = made([centre("200", "New", sys_id="id100")], [value("100")], [row("100")])
    assert [(one.code, one.name) for one in writes(of) if isinstance(one, RenameValue)] == [("100", "New")]
    assert (kinds(of), conflict(of).sys_id, conflict(of).code) == (["CODE_CHANGED"], "id100", "100")
    assert [(one.code, one.status) for one in mapped(of)] == [("100", "conflict")]


def test_a_new_code_is_followed_to_a_value_that_nobody_holds() -> None:
    of = made([centre("200", sys_id="id100")], [value("100"), value("200")], [row("100")])
    assert (writes(of), [(one.sys_id, one.code) for one in mapped(of)]) == ([], [("id100", "200")])
    assert [(one.kind, one.code) for one in of.conflicts] == [("MISSING_THERE", "100")]


def test_a_new_code_is_followed_when_whoever_holds_the_value_leaves_too() -> None:
    centres = [centre("200", sys_id="a"), centre("300", sys_id="b")]
    rows = [row("100", sys_id="a"), row("200", sys_id="b")]
    of = made(centres, [value("100"), value("200"), value("300")], rows)
    assert [(one.sys_id, one.code) for one in mapped(of)] == [("a", "200"), ("b", "300")]


def test_two_that_swap_their_codes_stay_what_they_were() -> None:
    of = made(
        [centre("200", sys_id="a"), centre("100", sys_id="b")],
        [value("100"), value("200")],
        [row("100", sys_id="a"), row("200", sys_id="b")],
    )
    assert (writes(of), kinds(of)) == ([], ["CODE_CHANGED", "CODE_CHANGED"])
    assert [(one.sys_id, one.code) for one in mapped(of)] == [("a", "100"), ("b", "200")]


def test_a_code_that_was_given_away_is_held_for_whom_the_value_was_agreed() -> None:
    of = made([centre("200", sys_id="a"), centre("100", sys_id="b")], [value("100")], [row("100", sys_id="a")])
    assert [(one.kind, one.sys_ids) for one in of.conflicts] == [("CODE_CHANGED", ("a",)), ("CODE_HELD", ("b",))]
    assert writes(of) == []


def test_a_deleted_cost_centre_s_row_moves_to_a_new_one_with_the_same_code() -> None:
    of = made([centre(sys_id="new")], [value()], [row(sys_id="old")])
    assert [type(one) for one in of.actions] == [Unmap, Map]
    assert (unmapped(of), [one.sys_id for one in mapped(of)]) == (["old"], ["new"])
    (gone, _) = of.actions
    assert "deleted, and another one is 100 now" in gone.why


def test_several_with_one_code_are_named_and_nothing_is_done_for_them_by_any_owner() -> None:
    twins = [centre("100", "One", sys_id="a"), centre(" 100", "Two", sys_id="b", account_number="8")]
    for rules in (SERVICENOW, BC, NOBODY):
        of = made(twins, [value("100", "Three")], [row("100", sys_id="a", status="conflict")], rules)
        assert of.actions == ()
        assert (kinds(of), conflict(of).sys_ids) == (["DUPLICATE_CODE"], ("a", "b"))
        assert "One (a) and Two (b)" in conflict(of).what


def test_rows_that_claim_one_value_for_several_count_for_the_one_that_has_its_code() -> None:
    of = made(
        [centre("100", sys_id="a"), centre("200", sys_id="b")],
        [value("100")],
        [row("100", sys_id="a"), row("100", sys_id="b")],
        NOBODY,
    )
    assert (unmapped(of), kinds(of)) == (["b"], ["MISSING_THERE"])


def test_rows_that_claim_a_value_whose_code_none_of_them_has_count_for_nobody() -> None:
    of = made(
        [centre("200", sys_id="a"), centre("300", sys_id="b")],
        [value("100")],
        [row("100", sys_id="a"), row("100", sys_id="b")],
        NOBODY,
    )
    assert (unmapped(of), mapped(of)) == (["a", "b"], [])


def test_of_several_deleted_ones_that_were_one_value_a_single_row_stays() -> None:
    of = made([], [value()], [row(sys_id="a"), row(sys_id="b")])
    assert (unmapped(of), [one.sys_id for one in mapped(of)]) == (["b"], ["a"])
    assert len(writes(of)) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [("", "CODE_BLANK"), ("  ", "CODE_BLANK"), ("X" * 21, "CODE_TOO_LONG"), ("(Conflict)", "CODE_RESERVED")],
)
def test_a_code_that_bc_cannot_have_is_a_conflict_and_creates_nothing(code: str, kind: str) -> None:
    of = made([centre(code, sys_id="a")], [])
    assert (of.actions, kinds(of)) == ((), [kind])
    assert " code" in conflict(of).what
    rules = replace(SERVICENOW, code_column="account_number")
    of = made([centre(sys_id="a", account_number=code)], [], rules=rules)
    assert (of.actions, kinds(of)) == ((), [kind])
    assert " account number" in conflict(of).what


def test_several_without_a_code_have_no_code_and_do_not_share_one() -> None:
    of = made([centre("", sys_id="a"), centre(" ", sys_id="b", account_number="8")], [])
    assert kinds(of) == ["CODE_BLANK", "CODE_BLANK"]


def test_a_code_counts_as_long_as_bc_counts_it() -> None:
    assert (length("X" * 20), length("\N{GRINNING FACE}" * 10), length("\ud800")) == (20, 20, 1)
    assert kinds(made([centre("\N{GRINNING FACE}" * 11, sys_id="a")], [])) == ["CODE_TOO_LONG"]


@pytest.mark.parametrize("type_", ["Heading", "Total", "End-Total"])
def test_a_value_that_takes_no_entries_is_no_cost_centre(type_: str) -> None:
    of = made([centre()], [value(type=type_)])
    assert (of.actions, kinds(of)) == ((), ["NOT_A_COST_CENTRE"])
    assert made([], [value(type=type_)]) == made([], [value(type=type_)], rules=BC) == Plan()


# -- which there are


def test_a_cost_centre_without_value_gets_one_where_servicenow_owns_which_there_are() -> None:
    of = made([centre(" lab", " Laboratory ", sys_id="x")], [])
    assert [replace(one, why="") for one in writes(of) if isinstance(one, CreateValue)] == [
        CreateValue("LAB", "x", "Laboratory", "Standard", "", "")
    ]
    assert mapped(of) == [MappingRow("x", "LAB", "7 lab", "Laboratory")]


def test_a_value_that_somebody_deleted_is_created_again() -> None:
    assert [type(one) for one in made([centre()], [], [row()]).actions] == [CreateValue]


@pytest.mark.parametrize(("name", "kind"), [("N" * 51, "NAME_TOO_LONG"), ("", "NAME_BLANK"), (" ", "NAME_BLANK")])
def test_a_name_that_bc_cannot_have_creates_nothing_and_renames_nothing(name: str, kind: str) -> None:
    assert (made([centre(name=name)], []).actions, kinds(made([centre(name=name)], []))) == ((), [kind])
    of = made([centre(name=name)], [value()], [row(status="conflict")])
    assert (of.actions, kinds(of)) == ((), [kind])


def test_a_value_without_cost_centre_gets_one_where_bc_owns_which_there_are() -> None:
    of = made([], [value("LAB", "Laboratory ")], rules=BC)
    assert [replace(one, why="") for one in writes(of) if isinstance(one, StageCostCentre)] == [
        StageCostCentre("LAB", "", "", "Laboratory", "")
    ]
    assert mapped(of) == []


def test_a_new_cost_centre_gets_its_account_number_where_that_holds_bc_s_code() -> None:
    of = made([], [value("LAB")], rules=replace(BC, code_column="account_number"))
    assert [(one.code, one.account_number) for one in writes(of) if isinstance(one, StageCostCentre)] == [
        ("LAB", "LAB")
    ]


def test_a_value_without_name_becomes_no_cost_centre() -> None:
    of = made([], [value(name=" ")], rules=BC)
    assert (of.actions, kinds(of), conflict(of).sys_id) == ((), ["NAME_BLANK"], "")


@pytest.mark.parametrize(
    ("rules", "found"),
    [(SERVICENOW, [("200", ())]), (BC, [("100", ("id100",))]), (NOBODY, [("100", ("id100",)), ("200", ())])],
)
def test_what_is_missing_at_its_owner_is_reported_only(rules: Rules, found: list[tuple[str, tuple[str, ...]]]) -> None:
    of = made([centre("100")], [value("200")], rules=rules)
    assert [(one.code, one.sys_ids) for one in of.conflicts if one.kind == "MISSING_THERE"] == found


@pytest.mark.parametrize("rules", [SERVICENOW, BC, NOBODY])
def test_what_is_closed_on_its_own_side_is_missed_by_nobody(rules: Rules) -> None:
    assert made([centre(available=False)], [], rules=rules) == Plan()
    assert made([centre(valid_to=YESTERDAY)], [], rules=rules) == Plan()
    assert made([], [value(blocked=True)], rules=rules) == Plan()


def test_an_agreement_without_either_side_is_forgotten() -> None:
    assert unmapped(made([], [], [row()])) == ["id100"]
    assert unmapped(made([centre(available=False)], [], [row()])) == ["id100"]


# -- names


def test_the_owner_s_name_wins_whoever_changed_it() -> None:
    for there, here in (("New", "North"), ("North", "Edited"), ("New", "Edited")):
        of = made([centre(name=there)], [value(name=here)], [row()])
        assert [replace(one, why="") for one in writes(of)] == [RenameValue("100", "id100", there, "W/100", "")]
        assert [one.name for one in mapped(of)] == ([there] if there != "North" else [])
        of = made([centre(name=there)], [value(name=here)], [row()], BC)
        assert [(one.name, one.sys_id) for one in writes(of) if isinstance(one, StageCostCentre)] == [(here, "id100")]
        assert [one.name for one in mapped(of)] == ([here] if here != "North" else [])


def test_why_a_name_is_written_tells_who_changed_it() -> None:
    assert "changed in BC only" in writes(made([centre()], [value(name="Edited")], [row()]))[0].why
    assert "another one in ServiceNow" in writes(made([centre(name="New")], [value()], [row()]))[0].why
    assert "changed in ServiceNow only" in writes(made([centre(name="New")], [value()], [row()], BC))[0].why
    assert "another one in BC" in writes(made([centre()], [value(name="New")], [row()], BC))[0].why


def test_a_staged_row_leaves_everything_else_as_it_is() -> None:
    of = made([centre("a1", sys_id="x")], [value("A1", "New")], [row("A1", sys_id="x")], BC)
    assert [replace(one, why="") for one in writes(of)] == [StageCostCentre("a1", "x", "7a1", "New", "")]


def test_names_that_nobody_owns_are_one_conflict_and_what_was_agreed_stays() -> None:
    of = made([centre(name="New")], [value(name="Edited")], [row()], NOBODY)
    assert (writes(of), kinds(of)) == ([], ["NAME_DIFFERS"])
    assert [(one.name, one.status) for one in mapped(of)] == [("North", "conflict")]


@pytest.mark.parametrize("rules", [SERVICENOW, BC, NOBODY])
def test_blanks_around_a_name_are_no_difference_and_capital_letters_are(rules: Rules) -> None:
    assert made([centre(name=" North ")], [value()], [row()], rules) == Plan()
    of = made([centre(name="NORTH")], [value()], [row()], rules)
    assert len(writes(of)) + len(of.conflicts) == 1


def test_a_name_that_both_sides_changed_alike_is_agreed_without_a_write() -> None:
    of = made([centre(name="New")], [value(name="New")], [row()])
    assert (writes(of), [one.name for one in mapped(of)]) == ([], ["New"])


def test_an_empty_name_in_bc_does_not_empty_servicenow_s() -> None:
    of = made([centre()], [value(name="")], [row(status="conflict")], BC)
    assert (of.actions, kinds(of)) == ((), ["NAME_BLANK"])


# -- closed and blocked


@pytest.mark.parametrize(
    "closing", [{"available": False}, {"valid_to": YESTERDAY}, {"available": True, "valid_to": YESTERDAY}]
)
def test_a_closed_cost_centre_blocks_its_value_on_request_only(closing: dict[str, object]) -> None:
    of = made([centre(**closing)], [value()], [row()])
    assert [replace(one, why="") for one in writes(of)] == [BlockValue("100", "id100", True, "W/100", "")]
    assert [one.blocked for one in mapped(of)] == [True]
    for rules in (replace(SERVICENOW, block_when_gone=False), NOBODY):
        of = made([centre(**closing)], [value()], [row(status="conflict")], rules)
        assert (of.actions, kinds(of)) == ((), ["BLOCKED_DIFFERS"])


@pytest.mark.parametrize(
    ("there", "blocked", "words"),
    [
        ({"available": False, "valid_to": YESTERDAY}, False, "not available for use in ServiceNow and open in BC"),
        ({"valid_to": YESTERDAY}, False, "valid to 2026-05-03 only in ServiceNow and open in BC"),
        ({}, True, "open in ServiceNow and blocked in BC"),
    ],
)
def test_what_differs_is_said_as_it_is(there: dict[str, object], *, blocked: bool, words: str) -> None:
    assert words in conflict(made([centre(**there)], [value(blocked=blocked)], rules=NOBODY)).what


def test_a_cost_centre_that_opens_again_opens_its_value() -> None:
    of = made([centre()], [value(blocked=True)], [row(blocked=True)])
    assert [one.blocked for one in writes(of) if isinstance(one, BlockValue)] == [False]


@pytest.mark.parametrize("days", [{"valid_to": TODAY}, {"valid_from": TODAY + timedelta(days=1)}, {"available": None}])
def test_the_last_day_counts_a_first_day_to_come_is_no_end_and_silence_is_no_answer(days: dict[str, object]) -> None:
    assert made([centre(**days)], [value()], [row()]) == Plan()


def test_a_blocked_value_closes_its_cost_centre_where_bc_owns_that() -> None:
    of = made([centre(available=True)], [value(blocked=True)], [row()], BC)
    assert [(one.available, one.valid_to) for one in writes(of) if isinstance(one, StageCostCentre)] == [(False, None)]
    of = made([centre()], [value(blocked=True)], [row()], BC)
    assert [(one.available, one.valid_to) for one in writes(of) if isinstance(one, StageCostCentre)] == [
        (None, YESTERDAY)
    ]
    assert [one.blocked for one in mapped(of)] == [True]


def test_a_value_that_opens_again_opens_its_cost_centre_unless_its_validity_is_over() -> None:
    of = made([centre(available=False)], [value()], [row(blocked=True)], BC)
    assert [one.available for one in writes(of) if isinstance(one, StageCostCentre)] == [True]
    of = made([centre(valid_to=YESTERDAY)], [value()], [row(blocked=True, status="conflict")], BC)
    assert (of.actions, kinds(of)) == ((), ["VALIDITY_ENDED"])


def test_a_deleted_cost_centre_blocks_its_value_on_request_and_is_reported_else() -> None:
    of = made([], [value()], [row()])
    assert [(one.code, one.blocked) for one in writes(of) if isinstance(one, BlockValue)] == [("100", True)]
    assert [(one.status, one.blocked) for one in mapped(of)] == [("gone", True)]
    for rules in (replace(SERVICENOW, block_when_gone=False), NOBODY):
        of = made([], [value()], [row()], rules)
        assert (writes(of), kinds(of), [one.status for one in mapped(of)]) == ([], ["GONE"], ["gone"])
        assert made([], [value()], [row(status="gone")], rules).actions == ()
    assert made([], [value(blocked=True)], [row(status="gone", blocked=True)]) == Plan()


def test_a_deleted_cost_centre_is_made_again_where_bc_owns_which_there_are() -> None:
    of = made([], [value()], [row()], BC)
    assert [type(one) for one in of.actions] == [StageCostCentre, Unmap]
    of = made([], [value(name="")], [row()], BC)
    assert (writes(of), kinds(of), [one.status for one in mapped(of)]) == ([], ["NAME_BLANK"], ["gone"])


@pytest.mark.parametrize("rules", [SERVICENOW, BC])
def test_when_most_are_gone_at_a_time_nothing_is_done_about_any(rules: Rules) -> None:
    codes = [str(100 + number) for number in range(2 * MANY_GONE)]
    values, rows = [value(code) for code in codes], [row(code) for code in codes]
    few, half = [centre(code) for code in codes[: -MANY_GONE - 1]], [centre(code) for code in codes[:MANY_GONE]]
    of = made(few, values, rows, rules)
    assert (of.actions, kinds(of)) == ((), ["MANY_GONE"])
    assert len(writes(made(half, values, rows, rules))) == MANY_GONE
    assert len(writes(made([], values[: MANY_GONE - 1], rows[: MANY_GONE - 1], rules))) == MANY_GONE - 1


def test_only_news_of_open_values_count_as_many_gone() -> None:
    codes = [str(100 + number) for number in range(MANY_GONE)]
    known, closed = [row(code, status="gone") for code in codes], [value(code, blocked=True) for code in codes]
    assert len(writes(made([], [value(code) for code in codes], known))) == MANY_GONE
    of = made([], closed, [row(code) for code in codes])
    assert ({one.status for one in mapped(of)}, of.conflicts) == ({"gone"}, ())


# -- parents


def family(parent: Owner, **owners: Owner) -> Rules:
    return owned("servicenow", parent=parent, **owners)


def test_a_hierarchy_is_set_up_in_bc_in_an_order_in_which_every_step_holds() -> None:
    centres = [centre("1"), centre("11", parent="id1"), centre("12", parent="id1")]
    of = made(centres, [value("1"), value("11")], rules=family("servicenow"))
    assert [(type(one), one.code, one.sys_id) for one in writes(of)] == [
        (CreateValue, "12", "id12"),
        (PlaceValue, "1", "id1"),
        (CreateValue, "12T", "id1"),
    ]
    place, end = writes(of)[1:]
    assert isinstance(place, PlaceValue)
    assert isinstance(end, CreateValue)
    assert (place.type, place.totaling, place.etag) == ("Begin-Total", "", "W/1")
    assert (end.type, end.totaling, end.name) == ("End-Total", "1..12T", "Total 1")
    assert [one.parent for one in mapped(of) if one.sys_id != "id1"] == ["id1", "id1"]


def test_a_new_parent_is_created_as_a_begin_total() -> None:
    of = made([centre("1"), centre("11", parent="id1")], [], rules=family("servicenow"))
    created = [(one.code, one.type) for one in writes(of) if isinstance(one, CreateValue)]
    assert created == [("1", "Begin-Total"), ("11", "Standard"), ("11T", "End-Total")]


def test_a_hierarchy_that_nobody_owns_is_left_alone() -> None:
    of = made([centre("1"), centre("11", parent="id1")], [value("1"), value("11")], rules=family("nobody"))
    assert (writes(of), of.conflicts) == ([], ())


def test_a_hierarchy_that_codes_cannot_express_names_who_stands_in_between() -> None:
    centres = [centre("1"), centre("11", parent="id1"), centre("12"), centre("13", parent="id1")]
    of = made(centres, [value(one.code) for one in centres], rules=family("servicenow"))
    assert (writes(of), kinds(of), conflict(of).sys_ids) == ([], ["HIERARCHY_NOT_EXPRESSIBLE"], ("id1",))
    assert "12 does not belong below it" in conflict(of).what


def test_a_parent_that_is_no_value_is_passed_over() -> None:
    centres = [centre("1"), centre("11", parent="id1", available=False), centre("111", parent="id11")]
    of = made(centres, [value("1"), value("111")], rules=family("servicenow"))
    assert [one.totaling for one in writes(of) if isinstance(one, CreateValue)] == ["1..111T"]


def test_cycles_and_orphans_are_conflicts_and_everything_else_goes_on() -> None:
    centres = [centre("1", "New", parent="id2"), centre("2", parent="id1"), centre("3", "New", parent="nowhere")]
    of = made(centres, [value(one.code) for one in centres], rules=family("servicenow"))
    assert [(one.kind, one.sys_ids) for one in of.conflicts] == [
        ("PARENT_CYCLE", ("id1", "id2")),
        ("PARENT_MISSING", ("id3",)),
    ]
    assert "1 -> 2 -> 1" in of.conflicts[0].what
    assert [one.code for one in writes(of) if isinstance(one, RenameValue)] == ["1", "3"]
    assert not [one for one in writes(of) if isinstance(one, PlaceValue)]


RANGE = [value("1", type="Begin-Total"), value("11"), value("11T", "Total", type="End-Total", totaling="1..11T")]


def test_a_range_of_bc_gives_cost_centres_their_parent_where_bc_owns_it() -> None:
    of = made([centre("1"), centre("11")], RANGE, rules=family("business_central"))
    assert [(one.sys_id, one.parent_code) for one in writes(of) if isinstance(one, StageCostCentre)] == [("id11", "1")]
    assert [one.parent for one in mapped(of)] == ["", "id1"]


def test_a_parent_is_named_as_servicenow_spells_it() -> None:
    parent = centre("0", sys_id="id1")
    of = made([parent, centre("11")], RANGE, [row("1")], family("business_central"))
    assert [one.parent_code for one in writes(of) if isinstance(one, StageCostCentre)] == ["0"]
    numbered = [centre("A", account_number=" 1 "), centre("B", account_number="11")]
    of = made(numbered, RANGE, rules=replace(family("business_central"), code_column="account_number"))
    assert [one.parent_code for one in writes(of) if isinstance(one, StageCostCentre)] == ["1"]


def test_a_parent_is_agreed_when_both_sides_know_it_and_stays_as_it_was_agreed_until_then() -> None:
    centres, rows = [centre("1"), centre("11")], [row("1"), row("11", parent="old")]
    assert made(centres, RANGE, rows, family("nobody")) == Plan()
    of = made(centres[1:], RANGE, rows[1:], owned("business_central", parent="business_central"))
    assert [one.parent_code for one in writes(of) if isinstance(one, StageCostCentre)] == ["", "1"]
    assert mapped(of) == []
    of = made([centres[0], centre("11", parent="id1")], RANGE, rows, family("nobody"))
    assert [one.parent for one in mapped(of)] == ["id1"]


def test_new_cost_centres_get_the_parents_they_have_in_bc_whoever_owns_parents() -> None:
    for owner in ("servicenow", "business_central", "nobody"):
        of = made([], RANGE, rules=owned("business_central", parent=owner))  # type: ignore[arg-type]
        assert [(one.code, one.parent_code) for one in of.actions if isinstance(one, StageCostCentre)] == [
            ("1", ""),
            ("11", "1"),
        ]


def test_a_new_cost_centre_below_a_cycle_is_as_adrift_as_its_parent() -> None:
    rules = owned("business_central", parent="servicenow")
    values = [*RANGE, value("12", type="Begin-Total"), value("121")]
    of = made([centre("1", parent="id1"), centre("121", parent="id1")], values, rules=rules)
    assert [(one.code, one.parent_code) for one in of.actions if isinstance(one, StageCostCentre)] == [
        ("11", "1"),
        ("12", ""),
    ]
    assert not [one for one in writes(of) if isinstance(one, PlaceValue)]


def test_a_parent_that_bc_does_not_know_cannot_be_taken_away() -> None:
    of = made([centre("1"), centre("11", parent="id1")], [value("1"), value("11")], rules=family("business_central"))
    assert (writes(of), kinds(of)) == ([], ["PARENT_STAYS"])
    assert "In BC 11 lies in no range" in conflict(of).what


def test_no_parent_is_staged_that_would_make_a_cost_centre_its_own_ancestor() -> None:
    of = made([centre("1", parent="id11"), centre("11")], RANGE, rules=family("business_central"))
    assert writes(of) == []
    assert [(one.kind, one.code) for one in of.conflicts] == [("PARENT_STAYS", "1"), ("PARENT_STAYS", "11")]
    assert "in the range of 1, which would make it its own ancestor" in of.conflicts[1].what


def test_a_parent_that_shares_its_number_is_not_staged_as_it_might_be_taken_for_another() -> None:
    twins = [centre("1", account_number="7"), centre("2", account_number="7")]
    of = made([*twins, centre("11")], [*RANGE, value("2")], rules=family("business_central"))
    assert (writes(of), kinds(of)) == ([], ["DUPLICATE_ACCOUNT_NUMBER"])
    of = made(twins, [*RANGE, value("2")], rules=owned("business_central"))
    assert [(one.code, one.parent_code) for one in of.actions if isinstance(one, StageCostCentre)] == [("11", "")]


def test_a_cycle_or_a_lost_parent_that_the_plan_mends_is_no_conflict() -> None:
    for wrong in ("id11", "nowhere"):
        of = made([centre("1"), centre("11", parent=wrong)], RANGE, rules=family("business_central"))
        assert ([one.code for one in writes(of)], of.conflicts) == (["11"], ())


# -- what a staged row could hit


def test_nothing_is_staged_for_cost_centres_that_share_the_other_column_or_have_no_code() -> None:
    twins = [centre("1", account_number="7"), centre("2", account_number="7")]
    of = made(twins, [value("1", "New"), value("2", blocked=True)], rules=BC)
    assert (writes(of), kinds(of)) == ([], ["DUPLICATE_ACCOUNT_NUMBER"])
    assert "the account number 7:" in conflict(of).what
    twins = [centre("A", sys_id="a", account_number="1"), centre("A", sys_id="b", account_number="2")]
    of = made(twins, [value("1", "New"), value("2")], rules=replace(BC, code_column="account_number"))
    assert (writes(of), kinds(of)) == ([], ["DUPLICATE_CODE"])
    assert "the code A:" in conflict(of).what
    of = made([centre("", sys_id="id1")], [value("1", "New")], [row("1")], BC)
    assert (writes(of), kinds(of)) == ([], ["CODE_BLANK"])


def test_everything_that_is_to_change_about_a_cost_centre_is_one_row() -> None:
    rules = owned("business_central", parent="business_central")
    values = [RANGE[0], replace(RANGE[1], name="New", blocked=True), RANGE[2]]
    of = made([centre("1"), centre("11", available=True)], values, rules=rules)
    (staged,) = (replace(one, why="") for one in writes(of) if isinstance(one, StageCostCentre))
    assert staged == StageCostCentre("11", "id11", "711", "New", "", "1", available=False)


# -- how long it takes


def company(size: int) -> tuple[list[CostCentre], list[Value], list[MappingRow]]:
    """Departments of a hundred, in ranges that BC has only in part, with some edits on both sides."""
    codes = [f"{number:05}" for number in range(size)]
    centres = [
        centre(code, f"New {code}" if number % 7 == 0 else code, parent="" if number % 100 == 0 else f"id{code[:3]}00")
        for number, code in enumerate(codes)
    ]
    values = [value(code, code) for number, code in enumerate(codes) if number % 5]
    return centres, values, [row(code, code) for code in codes[::2]]


def calls(size: int) -> int:
    """How many functions are called to plan for so many cost centres."""
    sides, count = company(size), 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        plan(*sides, family("servicenow"), TODAY)
    finally:
        sys.setprofile(before)
    return count


def test_the_work_grows_with_the_number_of_cost_centres_and_not_faster() -> None:
    assert calls(1600) < 4.2 * calls(400)


def test_five_thousand_cost_centres_are_planned_for_while_somebody_waits() -> None:
    sides = company(5000)
    began = time.perf_counter()
    actions: tuple[Action, ...] = plan(*sides, family("servicenow"), TODAY).actions
    print(f"{len(actions)} actions for 5,000 cost centres in {time.perf_counter() - began:.2f} s")
    assert (
        len({as_code(one.code) for one in actions if isinstance(one, CreateValue) and one.type != "End-Total"}) == 1000
    )
    assert sum(isinstance(one, CreateValue) and one.type == "End-Total" for one in actions) == 50
