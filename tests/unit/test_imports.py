"""What the rows of an import set say: a row counts only with its record, and nothing is believed of a set without keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.imports import judge_import, judge_staged, settled, still_waiting

TABLE, KEY = "u_order", ("u_source", "u_number")


def row(number: str, state: str = "inserted", **changes: Any) -> dict[str, Any]:
    """A staging row as it is read."""
    return {
        "sys_import_state": state,
        "sys_import_state_comment": "",
        "sys_target_table": "target",
        "sys_target_sys_id": "a" * 32,
        "sys_transform_map": "b" * 32,
        "sys_row_error.message": "",
        "u_source": "S",
        "u_number": number,
    } | changes


def judged(*rows: dict[str, Any], sent: str = "1") -> list[tuple[str, str]]:
    """Disposition and outcome of the rows that were sent."""
    results = judge_import(TABLE, KEY, [("S", number) for number in sent], rows)
    return [(result.disposition, result.outcome) for result in results]


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        ("inserted", {}, ("accept", "inserted")),
        ("updated", {}, ("accept", "updated")),
        ("ignored", {}, ("accept", "ignored")),
        ("inserted", {"sys_target_sys_id": ""}, ("park", "inserted")),
        ("updated", {"sys_target_sys_id": ""}, ("park", "updated")),
        ("ignored", {"sys_target_sys_id": ""}, ("park", "ignored")),
        ("error", {"sys_target_sys_id": ""}, ("park", "error")),
        ("error", {}, ("park", "error")),
        ("skipped", {"sys_target_sys_id": ""}, ("park", "skipped")),
        ("pending", {"sys_target_sys_id": ""}, ("ambiguous", "pending")),
        ("somewhere", {}, ("ambiguous", "somewhere")),
        ("inserted", {"sys_target_sys_id": None}, ("refused", "unreadable")),
        ("inserted", {"sys_import_state": None}, ("refused", "unreadable")),
    ],
)
def test_a_row_is_taken_only_when_it_says_so_and_names_its_record(
    state: str, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert judged(row("1", state, **changes)) == [expected]


def test_the_record_is_named_and_the_instances_own_words_are_kept() -> None:
    taken = judge_staged(row("1"), TABLE)
    assert (taken.sys_id, taken.target) == ("a" * 32, "target")
    said = judge_staged(row("1", "error", sys_import_state_comment="Cost center 'X' is unknown"), TABLE)
    assert said.message == "Cost center 'X' is unknown"
    elsewhere = judge_staged(row("1", "error", **{"sys_row_error.message": "from the error row"}), TABLE)
    assert elsewhere.message == "from the error row"


def test_rows_are_told_apart_by_their_key_whatever_their_order() -> None:
    found = (row("3", "error"), row("1"), row("2", "pending"))
    assert judged(*found, sent="123") == [("accept", "inserted"), ("ambiguous", "pending"), ("park", "error")]


def test_a_row_that_is_not_there_may_still_come() -> None:
    assert judged(row("2"), sent="12") == [("ambiguous", "missing"), ("accept", "inserted")]


def test_a_row_of_another_key_is_no_answer() -> None:
    assert judged(row("1", u_source="T")) == [("ambiguous", "missing")]
    assert judged(row("1", u_number="1 ")) == [("ambiguous", "missing")]


def test_rows_without_their_key_say_how_to_mend_it() -> None:
    (result,) = judge_import(TABLE, KEY, [("S", "1")], [row("", u_source="")])
    assert (result.disposition, result.outcome) == ("refused", "empty row")
    assert "sys_rest_insert_multiple" in result.message


def test_a_key_that_cannot_be_read_back_is_named() -> None:
    (result,) = judge_import(TABLE, KEY, [("S", "1")], [row("1", u_number=None)])
    assert result.disposition == "refused"
    assert "u_number" in result.message


@given(st.lists(st.sampled_from(["inserted", "ignored", "error", "skipped", "pending", "gone"]), max_size=12))
def test_a_set_is_settled_when_no_row_is_pending_or_missing(states: list[str]) -> None:
    found = [row(str(number), state) for number, state in enumerate(states) if state != "gone"]
    sent = [("S", str(number)) for number in range(len(states))]
    results = judge_import(TABLE, KEY, sent, reversed(found))
    assert settled(results) == (not {"pending", "gone"} & set(states))
    accepted = [result.disposition == "accept" for result in results]
    assert accepted == [state in ("inserted", "ignored") for state in states]


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"sys_import_set.state": "loading"}, True),
        ({"sys_import_set.state": "processed"}, False),
        ({"sys_import_set.state": None}, False),
        ({"sys_import_state": "inserted"}, False),
        ({"sys_created_on": "2026-05-04 07:30:00"}, True),
        ({"sys_created_on": "2026-05-04 07:29:59"}, False),
    ],
)
def test_a_row_of_an_earlier_try_waits_while_its_set_is_worked_and_is_not_too_old(
    changes: dict[str, Any], waits: bool
) -> None:
    earlier = row("1", "pending", **{"sys_import_set.state": "loaded", "sys_created_on": "2026-05-04 08:00:00"})
    found = still_waiting(KEY, [earlier | changes], dead_before="2026-05-04 07:30:00")
    assert found == ({("S", "1")} if waits else set())
