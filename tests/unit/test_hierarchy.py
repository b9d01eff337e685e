"""The hierarchy of cost centres, and BC's ranges: cycles, orphans and duplicates are named, and codes sort as BC sorts them."""

from __future__ import annotations

import pytest

from connector.decisions.begin_total_places import Placed, place
from connector.decisions.begin_totals import READINGS, tree
from connector.decisions.hierarchy import Duplicate, forest, nearest
from connector.model.alignment import CostCentre, Value


def centre(code: str, parent: str = "", number: str = "", sys_id: str = "") -> CostCentre:
    return CostCentre(sys_id or f"id{code}", code, number, f"Centre {code}", parent and f"id{parent}")


def test_two_roots_are_fine() -> None:
    woods = forest([centre("2"), centre("20", "2"), centre("1")])
    assert woods.parents == {"id1": "", "id2": "", "id20": "id2"}
    assert (woods.cycles, woods.adrift, woods.orphans, woods.duplicates) == ((), frozenset(), (), ())


def test_a_cycle_is_named_once_from_its_first_code_on_along_the_parents() -> None:
    woods = forest(
        [centre("3", "2"), centre("1", "3"), centre("2", "1"), centre("4", "3"), centre("5", "4"), centre("6")]
    )
    assert woods.cycles == (("id1", "id3", "id2"),)
    assert woods.adrift == {"id1", "id2", "id3", "id4", "id5"}


def test_each_of_two_cycles_and_a_cost_centre_that_is_its_own_parent_are_named() -> None:
    woods = forest([centre("9", "9"), centre("1", "2"), centre("2", "1")])
    assert woods.cycles == (("id1", "id2"), ("id9",))


def test_one_whose_parent_is_not_there_is_an_orphan_and_a_root() -> None:
    woods = forest([centre("1", "0"), centre("10", "1")])
    assert (woods.orphans, woods.parents) == (("id1",), {"id1": "", "id10": "id1"})


def test_duplicates_are_found_whatever_their_case_and_blanks_and_blank_ones_are_none() -> None:
    woods = forest(
        [centre("ab", number="7"), centre(" AB", number=" 7 "), centre("", sys_id="x"), centre("", sys_id="y")]
    )
    assert woods.duplicates == (
        Duplicate("code", "AB", ("id AB", "idab")),
        Duplicate("account_number", "7", ("id AB", "idab")),
    )


def test_the_nearest_ancestor_that_is_kept_is_found_and_a_cycle_has_none() -> None:
    parents = {"a": "", "b": "a", "c": "b", "d": "c", "x": "y", "y": "x", "z": "x"}
    assert nearest(parents, {"a", "c"}) == {"a": "", "b": "a", "c": "a", "d": "c", "x": "", "y": "", "z": ""}


@pytest.mark.parametrize("reading", READINGS)
def test_codes_sort_as_text_with_digits_before_letters_in_every_reading(reading: object) -> None:
    codes = ["1", "10", "100", "1T", "2", "A", "A1", "AB", "B"]
    assert sorted(reversed(codes), key=reading) == codes  # type: ignore[call-overload]


def test_collations_differ_in_hyphens_accents_and_characters_between_digits_and_letters() -> None:
    word, string, binary = READINGS
    assert sorted(["A-2", "A1"], key=word) == ["A1", "A-2"]
    assert sorted(["A-2", "A1"], key=string) == ["A-2", "A1"]
    assert sorted(["AE", "Ä", "B"], key=string) == ["Ä", "AE", "B"]
    assert sorted(["AE", "Ä", "B"], key=binary) == ["AE", "B", "Ä"]
    assert sorted(["A_1", "AB"], key=string) == ["A_1", "AB"]
    assert sorted(["A_1", "AB"], key=binary) == ["AB", "A_1"]


# -- what BC's ranges say


def values(*rows: str) -> dict[str, Value]:
    """Values written `CODE`, `CODE(` for a Begin-Total, `CODE)` for an End-Total and `CODE)FIRST` for one with a Totaling."""
    found = {}
    for row in rows:
        code, end, first = row.partition(")")
        if end:
            found[code] = Value(code, "", "End-Total", totaling=first and f"{first}..{code}")
        else:
            code, begin, _ = row.partition("(")
            found[code] = Value(code, "", "Begin-Total" if begin else "Standard")
    return found


def test_a_value_lies_in_the_innermost_range_around_it() -> None:
    rows = tree(values("1(", "11(", "111", "111T)11", "12", "12T)1", "2"))
    assert rows.parents == {"1": "", "11": "1", "111": "11", "111T": "1", "12": "1", "12T": "", "2": ""}


def test_an_end_total_without_totaling_closes_the_last_range_that_is_open() -> None:
    rows = tree(values("1(", "11(", "111", "111T)", "12", "12T)", "2"))
    assert rows.ends == {"11": ("111T",), "1": ("12T",)}
    assert rows.parents["12"] == "1"


def test_a_begin_total_that_is_never_closed_holds_nothing_and_neither_does_one_behind_its_end() -> None:
    assert set(tree(values("1(", "11", "2")).parents.values()) == {""}
    assert set(tree(values("0)1", "1(", "11")).parents.values()) == {""}


# -- what has to be placed


def placed(have: dict[str, Value], parents: dict[str, str], taken: tuple[str, ...] = ()) -> list[Placed]:
    placement = place(have, parents, (), taken)
    assert placement.refused == {}
    return list(placement.places)


def refusal(have: dict[str, Value], parents: dict[str, str]) -> dict[str, str]:
    return dict(place(have, parents, (), ()).refused)


TWO = {"1": "", "11": "1", "12": "1", "2": ""}


def test_a_parent_becomes_a_begin_total_and_its_end_total_stands_right_behind_its_last_descendant() -> None:
    assert placed(values("1", "11", "12", "2"), TWO) == [
        Placed("1", "Begin-Total", "", "1"),
        Placed("12T", "End-Total", "1..12T", "1"),
    ]


def test_what_is_in_place_stays() -> None:
    assert placed(values("1(", "11", "12", "12T)1", "2"), TWO) == []
    assert placed(values("1(", "11", "12", "19)1", "2"), TWO) == []


def test_a_totaling_that_ends_elsewhere_is_put_right() -> None:
    have = values("1(", "11", "12", "2") | {"12T": Value("12T", "", "End-Total", totaling="1..12")}
    assert placed(have, TWO) == [Placed("12T", "End-Total", "1..12T", "1")]


def test_an_inner_range_is_closed_before_the_outer_one() -> None:
    assert placed(values("1", "11", "111"), {"1": "", "11": "1", "111": "11"}) == [
        Placed("11", "Begin-Total", "", "11"),
        Placed("111T", "End-Total", "11..111T", "11"),
        Placed("1", "Begin-Total", "", "1"),
        Placed("111TT", "End-Total", "1..111TT", "1"),
    ]


def test_an_end_total_that_a_new_child_has_overtaken_becomes_a_heading_and_another_one_closes_the_range() -> None:
    have = values("1(", "11", "11T)1", "12")
    assert placed(have, {"1": "", "11": "1", "12": "1"}) == [
        Placed("12T", "End-Total", "1..12T", "1"),
        Placed("11T", "Heading", "", "1"),
    ]


def test_a_range_shrinks_to_its_begin_total_when_its_last_child_leaves() -> None:
    assert placed(values("1(", "11", "11T)1"), {"1": "", "11": ""}) == [
        Placed("1-", "End-Total", "1..1-", "1"),
        Placed("11T", "Heading", "", "1"),
    ]


def test_a_cost_centre_leaves_a_range_even_from_within_one_that_servicenow_does_not_know() -> None:
    have = values("1(", "11(", "12", "12T)11", "12TT)1")
    assert [one.code for one in placed(have, {"1": "", "12": ""})] == ["1-", "12TT"]


def test_an_empty_range_that_nobody_is_in_is_left_alone() -> None:
    assert placed(values("1(", "1T)1", "2"), {"1": "", "2": ""}) == []
    assert placed(values("1(", "15", "1T)1", "2"), {"1": "", "2": ""}) == []


@pytest.mark.parametrize(
    ("have", "taken", "end"),
    [
        (("1", "11", "11T"), (), "11A"),
        (("1", "11", "2"), ("11T",), "11A"),
        (("1", "11", "11A", "11T"), (), "11-"),
        (("1", "11", "115"), (), "11-"),
        (("1", "1" * 19), (), "1" * 19 + "T"),
    ],
)
def test_an_end_total_takes_the_first_code_that_is_free_and_comes_right_behind(
    have: tuple[str, ...], taken: tuple[str, ...], end: str
) -> None:
    assert Placed(end, "End-Total", f"1..{end}", "1") in placed(values(*have), {"1": "", have[1]: "1"}, taken)


@pytest.mark.parametrize(
    ("have", "parents", "code", "why"),
    [
        (("1", "11", "115", "12"), {"1": "", "11": "1", "12": "1"}, "1", "115 does not belong below it"),
        (("1", "11", "115(", "12", "12T)115"), {"1": "", "11": "1", "12": "1"}, "1", "115 does not belong below it"),
        (("0(", "1", "11", "11T)0", "12"), {"1": "", "11": "1", "12": "1"}, "1", "11T does not belong below it"),
        (("1", "11"), {"11": "", "1": "11"}, "11", "1 belongs below it and comes before it"),
        (("1", "11", "11-", "11A", "11T"), {"1": "", "11": "1"}, "1", "no code of at most 20 characters is free"),
        (("1", "1" * 20), {"1": "", "1" * 20: "1"}, "1", "no code of at most 20 characters is free"),
        (
            (
                "1",
                "1(A"[:3].replace("(", "&"),
            ),
            {"1": "", "1&A": "1"},
            "1",
            "no code of at most 20 characters is free",
        ),
        (("1&", "1&1"), {"1&": "", "1&1": "1&"}, "1&", "cannot stand in a Totaling"),
        (("1", "1-2", "11"), {"1": "", "1-2": "1", "11": "1"}, "1", "depends on the database's collation"),
    ],
)
def test_a_range_that_cannot_be_is_refused_by_name(
    have: tuple[str, ...], parents: dict[str, str], code: str, why: str
) -> None:
    found = refusal(values(*have), parents)
    assert list(found) == [code]
    assert why in found[code]


def test_nothing_is_deeper_than_bc_can_indent() -> None:
    """Each level has a second child, so that no two ranges end at the same value and need ever longer codes."""
    firsts = ["1" * depth for depth in range(1, 13)]
    parents = dict(zip(firsts, ["", *firsts], strict=False)) | {f"{above}2": above for above in firsts}
    found = refusal(values(*parents), parents)
    assert sorted(found) == firsts[10:]
    assert all("levels deep" in why for why in found.values())


def test_a_refused_range_stays_and_nobody_crosses_it() -> None:
    have = values("1", "11(", "12", "13", "13T)11")
    placement = place(have, {"1": "", "11": "1", "12": "", "13": "11"}, (), ())
    assert placement.places == ()
    assert list(placement.refused) == ["11", "1"]


def test_what_is_adrift_stays_as_it_is_and_is_a_stranger_to_others() -> None:
    have = values("1", "11(", "12", "12T)11")
    placement = place(have, {"1": "", "11": "1", "12": "1"}, {"11"}, ())
    assert placement.places == ()
    assert "11 does not belong below it" in placement.refused["1"]
