"""Records of the Table API: ids that follow from keys, and whether a record holds what was wanted."""

from __future__ import annotations

from typing import Any

import pytest

from connector.decisions.answers import judge_record
from connector.decisions.records import judge_kept, record_id, unlike
from connector.model.staging import StagingTable

TABLE = StagingTable.model_validate(
    {
        "table": "proc_po",
        "key": ["number"],
        "columns": {
            "number": {"value": "document.number"},
            "part": {"value": "line.item"},
            "cost": {"value": "document.net_total", "format": "money"},
            "day": {"value": "document.document_date", "format": "date"},
        },
    }
)


def test_the_id_follows_from_table_and_key_alone() -> None:
    assert record_id("proc_po", ("S", "1")) == record_id("proc_po", ("S", "1"))
    assert len({record_id("proc_po", ("S", "1")), record_id("proc_po", ("S1", "")), record_id("x", ("S", "1"))}) == 3
    assert len(record_id("proc_po", ("S", "1"))) == 32


@pytest.mark.parametrize(
    ("name", "wanted", "found", "same"),
    [
        ("part", "010", "010", True),
        ("part", "010", "10", False),
        ("cost", "10.00", "10", True),
        ("cost", "10.00", "10.01", False),
        ("cost", "10.00", "", False),
        ("cost", "", "", True),
        ("cost", "", "0", False),
        ("day", "2026-05-04", "2026-05-04", True),
        ("day", "2026-05-04", "2026-05-04 00:00:00", True),
        ("day", "2026-05-04", "2026-05-04 08:00:00", False),
        ("part", "a" * 32, {"link": "https://i/x", "value": "a" * 32}, True),
        ("part", "A", None, False),
    ],
)
def test_values_are_the_same_in_the_sense_of_their_column(name: str, wanted: str, found: Any, same: bool) -> None:
    assert (unlike({name: wanted}, {name: found}, TABLE) == {}) == same


def test_a_field_that_was_not_kept_parks_by_name_and_one_that_is_not_shown_is_about_rights() -> None:
    record = {"sys_id": "1", "part": "B", "cost": "5"}
    kept = judge_kept({"cost": "5.00"}, record, TABLE, "updated")
    assert (kept.disposition, kept.outcome, kept.sys_id, kept.target) == ("accept", "updated", "1", "proc_po")
    lost = judge_kept({"part": "A"}, record, TABLE, "updated")
    assert (lost.disposition, lost.message) == ("park", "part is 'B' instead of 'A'")
    hidden = judge_kept({"part": "A", "day": "2026-05-04"}, record, TABLE, "updated")
    assert hidden.disposition == "refused"
    assert "day" in hidden.message


def error(detail: str) -> dict[str, Any]:
    """An error envelope."""
    return {"error": {"message": "Operation Failed", "detail": detail}, "status": "failure"}


@pytest.mark.parametrize(
    ("status", "body", "disposition"),
    [
        (201, {"result": {"sys_id": "1"}}, "accept"),
        (200, {"result": {}}, "accept"),
        (201, {}, "ambiguous"),
        (201, {"result": []}, "ambiguous"),
        (200, None, "ambiguous"),
        (202, {}, "again"),
        (400, error("Invalid table"), "refused"),
        (401, error("not authenticated"), "refused"),
        (403, error("ACL Exception Insert Failed due to security constraints"), "refused"),
        (403, error("Data Policy Exception: The following fields are mandatory: Vendor"), "park"),
        (403, error("Operation against file 'proc_po' was aborted by Business Rule 'X'"), "park"),
        (403, error("Unique Key violation detected by database (Duplicate entry 'x')"), "park"),
        (404, error("Record doesn't exist or ACL restricts the record retrieval"), "retry"),
        (429, error("Rate limit exceeded"), "throttled"),
        (500, error("Transaction cancelled"), "ambiguous"),
    ],
)
def test_the_answer_to_a_written_record_is_judged(status: int, body: Any, disposition: str) -> None:
    assert judge_record(status, body).disposition == disposition
