"""What ServiceNow's answers mean: a table over status and body, whole and row by row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.answers import fresh_try, judge_envelope, judge_row

TABLE = "sn_fcms_intg_imp_order"
FAILURE = {"error": {"message": "Operation Failed", "detail": "ACL Exception"}, "status": "failure"}


def result(status: str, **more: Any) -> dict[str, Any]:
    """One entry of a row's result list."""
    return {
        "transform_map": "Order stage",
        "table": "sn_shop_purchase_order",
        "status": status,
        "sys_id": "a" * 32,
    } | more


def row(*results: Any) -> dict[str, Any]:
    """The body of one row's answer."""
    return {"import_set": "ISET0010001", "staging_table": TABLE, "result": list(results)}


@pytest.mark.parametrize(
    ("status", "is_json", "body", "disposition"),
    [
        (200, True, {"result": []}, "accept"),
        (201, True, {"result": []}, "accept"),
        (200, True, {}, "accept"),
        (200, True, FAILURE, "ambiguous"),
        (201, True, FAILURE, "ambiguous"),
        (200, True, {"result": [], "error": None}, "ambiguous"),
        (200, True, None, "ambiguous"),
        (200, True, [], "ambiguous"),
        (200, True, "text", "ambiguous"),
        (200, False, None, "retry"),
        (201, False, None, "retry"),
        (200, False, {"result": []}, "retry"),
        (202, True, None, "again"),
        (202, False, None, "again"),
        (204, False, None, "ambiguous"),
        (301, False, None, "retry"),
        (302, False, None, "retry"),
        (307, True, {}, "retry"),
        (400, True, FAILURE, "refused"),
        (401, True, FAILURE, "refused"),
        (401, False, None, "refused"),
        (403, True, FAILURE, "refused"),
        (404, True, FAILURE, "refused"),
        (405, True, FAILURE, "refused"),
        (406, True, FAILURE, "refused"),
        (415, True, FAILURE, "refused"),
        (408, True, FAILURE, "ambiguous"),
        (429, True, FAILURE, "throttled"),
        (429, False, None, "throttled"),
        (500, True, FAILURE, "ambiguous"),
        (502, False, None, "ambiguous"),
        (503, False, None, "ambiguous"),
        (504, False, None, "ambiguous"),
        (999, False, None, "ambiguous"),
    ],
)
def test_a_whole_answer_is_judged_by_status_and_body(status: int, is_json: bool, body: Any, disposition: str) -> None:
    assert judge_envelope(status, is_json=is_json, body=body) == disposition


@given(st.integers(100, 599), st.booleans(), st.none() | st.dictionaries(st.text(max_size=5), st.integers()))
def test_nothing_is_accepted_but_a_json_object_with_status_200_or_201(status: int, is_json: bool, body: Any) -> None:
    if judge_envelope(status, is_json=is_json, body=body) == "accept":
        assert status in (200, 201)
        assert is_json
        assert isinstance(body, dict)
        assert "error" not in body


@pytest.mark.parametrize(
    ("status", "is_json", "body", "disposition"),
    [
        (202, True, {"batchId": "APIINV1", "status": "Success"}, "accept"),
        (202, True, {}, "accept"),
        (202, True, None, "ambiguous"),
        (202, True, FAILURE, "ambiguous"),
        (202, False, None, "again"),
        (202, False, {"batchId": "APIINV1"}, "again"),
        (200, True, {"batchId": "APIINV1"}, "accept"),
        (200, False, None, "retry"),
        (302, False, None, "retry"),
        (400, True, FAILURE, "refused"),
        (429, True, FAILURE, "throttled"),
        (500, True, FAILURE, "ambiguous"),
    ],
)
def test_an_api_that_works_later_accepts_with_202_and_json(
    status: int, is_json: bool, body: Any, disposition: str
) -> None:
    assert judge_envelope(status, is_json=is_json, body=body, asynchronous=True) == disposition


def denied(detail: str) -> dict[str, Any]:
    """A refusal with this detail."""
    return {"error": {"message": "User Not Authorized", "detail": detail}, "status": "failure"}


@pytest.mark.parametrize(
    ("status", "body", "due"),
    [
        (202, None, True),
        (403, denied("Failed API level ACL Validation"), True),
        (403, denied("Access to unscoped api is not allowed"), False),
        (403, denied("ACL Exception Insert Failed due to security constraints"), False),
        (403, None, False),
        (401, denied("Failed API level ACL Validation"), False),
        (500, denied("Failed API level ACL Validation"), False),
        (429, None, False),
        (200, {"result": []}, False),
    ],
)
def test_a_fresh_request_is_due_only_where_nothing_was_executed(status: int, body: Any, due: bool) -> None:
    assert fresh_try(status, body, judge_envelope(status, is_json=True, body=body)) is due


@pytest.mark.parametrize("outcome", ["inserted", "updated", "ignored"])
@pytest.mark.parametrize("status", [200, 201])
def test_a_row_that_was_taken_is_accepted_with_its_record(status: int, outcome: str) -> None:
    verdict = judge_row(status, row(result(outcome, status_message="No field values changed")), TABLE)
    assert (verdict.disposition, verdict.outcome) == ("accept", outcome)
    assert (verdict.sys_id, verdict.target) == ("a" * 32, "sn_shop_purchase_order")
    assert verdict.message == "No field values changed"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (result("error", error_message="Invalid table ", status_message="other"), "Invalid table"),
        (result("error", status_message="Unable to resolve target record"), "Unable to resolve target record"),
        ({"transform_map": "Order stage", "status": "error"}, "no reason given"),
        (result("skipped", status_message="missing coalesce values"), "missing coalesce values"),
    ],
)
def test_a_row_that_failed_inside_201_parks_with_servicenows_words(entry: dict[str, Any], message: str) -> None:
    verdict = judge_row(201, row(entry), TABLE)
    assert (verdict.disposition, verdict.outcome, verdict.message) == ("park", entry["status"], message)
    assert verdict.sys_id == ""


@pytest.mark.parametrize("body", [{"result": []}, {"result": None}, {"result": {}}, {}, {"result": "x"}])
def test_a_row_without_a_result_tells_that_no_transform_ran(body: dict[str, Any]) -> None:
    verdict = judge_row(201, body, TABLE)
    assert (verdict.disposition, verdict.outcome) == ("refused", "empty")
    assert "import_transformer" in verdict.message


def test_an_asynchronous_import_set_is_not_taken_for_success() -> None:
    verdict = judge_row(201, row(result("inserted", table=TABLE)), TABLE)
    assert (verdict.disposition, verdict.outcome) == ("refused", "asynchronous")
    assert TABLE in verdict.message
    assert "synchronous" in verdict.message


def test_a_transform_that_is_switched_off_is_no_fault_of_the_document() -> None:
    # Without the business rule that transforms at once, every row gets this answer, with no map's name.
    verdict = judge_row(201, row({"transform_map": "", "status": "error", "error_message": "Invalid table "}), TABLE)
    assert verdict.disposition == "refused"


def test_a_row_that_a_script_ignored_is_not_taken_for_success() -> None:
    # An unchanged record comes with its sys_id; a row that a map's script dropped has none and is nowhere.
    verdict = judge_row(201, row({"transform_map": "Order stage", "status": "ignored"}), TABLE)
    assert verdict.disposition != "accept"


@pytest.mark.parametrize("status", ["pending", "", "INSERTED", "created"])
def test_an_unknown_row_status_is_neither_success_nor_failure(status: str) -> None:
    verdict = judge_row(201, row(result(status)), TABLE)
    assert verdict.disposition == "ambiguous"
    assert repr(status) in verdict.message


@pytest.mark.parametrize("entry", [None, "inserted", 7, ["inserted"]])
def test_a_row_result_that_is_no_object_is_ambiguous(entry: Any) -> None:
    assert judge_row(201, row(entry), TABLE).disposition == "ambiguous"


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_one_failing_map_of_several_fails_the_row(failing: int) -> None:
    results = [result("inserted", sys_id=str(number) * 32) for number in range(3)]
    results[failing] = result("error", error_message="no such supplier")
    verdict = judge_row(201, row(*results), TABLE)
    assert (verdict.disposition, verdict.message) == ("park", "no such supplier")


def test_of_several_maps_the_first_names_the_record() -> None:
    verdict = judge_row(201, row(result("updated", sys_id="1" * 32), result("inserted", sys_id="2" * 32)), TABLE)
    assert (verdict.outcome, verdict.sys_id) == ("updated", "1" * 32)


@pytest.mark.parametrize(
    ("status", "body", "disposition"),
    [
        (202, None, "again"),
        (429, FAILURE, "throttled"),
        (401, FAILURE, "refused"),
        (403, FAILURE, "refused"),
        (400, FAILURE, "refused"),
        (500, FAILURE, "ambiguous"),
        (201, None, "ambiguous"),
        (201, FAILURE, "ambiguous"),
        (302, None, "retry"),
    ],
)
def test_a_row_with_a_status_of_its_own_is_judged_by_it(status: int, body: Any, disposition: str) -> None:
    verdict = judge_row(status, body, TABLE)
    assert (verdict.disposition, verdict.outcome) == (disposition, f"status {status}")
    assert verdict.message == ("Operation Failed / ACL Exception" if body else "")


def test_an_error_text_is_cut() -> None:
    body = {"error": {"message": "m" * 10_000, "detail": None}}
    assert len(judge_row(500, body, TABLE).message) == 500


@pytest.mark.parametrize("body", [{"error": "text"}, {"error": None}, [], "text"])
def test_an_error_of_another_form_has_no_text(body: Any) -> None:
    assert judge_row(500, body, TABLE).message == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(100, 599), json_values | st.builds(lambda results: row(*results), st.lists(json_values, max_size=3)))
def test_no_body_makes_judging_fail(status: int, body: Any) -> None:
    assert judge_row(status, body, TABLE).disposition
