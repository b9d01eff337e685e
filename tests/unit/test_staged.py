"""What staged rows say of rows that are to be sent: the newest of a key decides, in whatever order they are read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.mapping import StagingRow
from connector.decisions.staged import Sightings
from connector.model.staging import Column, StagingTable

TABLE = StagingTable(
    table="imp_order",
    key=("u_number",),
    columns={
        "u_number": Column(value="document.number"),
        "u_amount": Column(value="document.net_total"),
        "u_centre": Column(value="document.cost_centre"),
        "u_link": Column(value="document.link", optional=True),
    },
)
WANTED = StagingRow(
    "imp_order", ("PO-1",), {"u_number": "PO-1", "u_amount": "5.00", "u_centre": "NULL"}, "", ("u_centre",)
)


def row(moment: int, **changes: Any) -> dict[str, Any]:
    """A staged row that holds what is wanted, and was taken."""
    return {
        "u_number": "PO-1",
        "u_amount": "5.00",
        "u_centre": "NULL",
        "sys_created_on": f"2026-03-02 08:00:{moment:02}",
        "sys_import_state": "inserted",
        "sys_target_sys_id": "a" * 32,
        "sys_target_table": "order",
        **changes,
    }


def counts(*rows: dict[str, Any]) -> bool:
    """Whether what was staged counts for the row that is wanted."""
    sightings = Sightings(TABLE, [(0, WANTED)])
    for each in rows:
        sightings.add(each)
    (result,) = sightings.results()
    return result is not None


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 3),
        u_number=st.sampled_from(["PO-1", "po-1", "PO-2"]),
        u_amount=st.sampled_from(["5.00", "6.00"]),
        u_centre=st.sampled_from(["NULL", "", "CC-1"]),
        sys_import_state=st.sampled_from(["inserted", "updated", "ignored", "error", "pending"]),
    ),
    max_size=5,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_are_read_does_not_matter(rows: list[dict[str, Any]], chance: Any) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert counts(*rows) == counts(*shuffled)


@given(ROWS)
def test_it_counts_only_when_each_of_the_newest_rows_holds_the_very_same_and_was_taken(
    rows: list[dict[str, Any]],
) -> None:
    of_key = [each for each in rows if each["u_number"].upper() == "PO-1"]
    newest = max((each["sys_created_on"] for each in of_key), default="")
    last = [each for each in of_key if each["sys_created_on"] == newest]
    same = all(
        (each["u_number"], each["u_amount"]) == ("PO-1", "5.00")
        and each["u_centre"] in ("NULL", "")
        and each["sys_import_state"] in ("inserted", "updated", "ignored")
        for each in last
    )
    emptied = any(each["u_centre"] == "CC-1" for each in of_key) and any(each["u_centre"] == "" for each in last)
    assert counts(*rows) == (bool(last) and same and not emptied)


def test_two_rows_with_one_key_cannot_be_told_apart() -> None:
    sightings = Sightings(TABLE, [(0, WANTED), (1, WANTED)])
    sightings.add(row(1))
    assert sightings.results() == [None, None]


def test_a_row_without_its_moment_may_be_the_newest() -> None:
    assert not counts(row(1), row(2, sys_created_on=None))


def test_a_column_that_the_instance_lacks_is_not_missed() -> None:
    wanted = StagingRow("imp_order", ("PO-1",), {"u_number": "PO-1", "u_link": "https://bc"}, "")
    sightings = Sightings(TABLE, [(0, wanted)])
    sightings.add(row(1))
    (result,) = sightings.results()
    assert result is not None
    assert result.sys_id == "a" * 32
