"""Frozen: which changes are held back, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from connector.decisions.frozen import (
    MOST_LINES,
    MOST_NAMED,
    differences,
    frozen_reason,
    guards,
    imprint,
    imprinted,
    verdict,
)
from connector.decisions.mapping import MappedDocument, StagingRow
from connector.model.profile import Tracking

HEADER, LINE, TAX = "t_invoice", "t_line", "t_tax"


def tracking(when: Literal["report", "park", "send"] = "report", frozen: tuple[str, ...] = ("approved",)) -> Tracking:
    return Tracking(table="sn_shop_invoice", state="state", frozen=frozen, when_frozen=when)


def line(number: int, **columns: str) -> StagingRow:
    text = {"u_number": str(number), "u_amount": "5.00", "u_cost_center": "100"} | columns
    empty = tuple(name for name, value in text.items() if not value)
    filled = {name: value for name, value in text.items() if value}
    return StagingRow(LINE, ("id", str(number)), filled, str(number), empty)


def document(*lines: StagingRow, amount: str = "10.00", payload: str = "one") -> MappedDocument:
    header = StagingRow(HEADER, ("id",), {"u_id": "id", "u_amount": amount}, "")
    return MappedDocument("id", (header, *lines), payload)


TWO = document(line(10000), line(20000))


def told(before: MappedDocument, after: MappedDocument) -> dict[str, object]:
    kept = imprinted(imprint(before, "10.00 USD", 1), 1)
    assert kept is not None
    return differences(kept, after)


@pytest.mark.parametrize(
    ("rules", "state", "wanted"),
    [
        (tracking("report"), "approved", "report"),
        (tracking("park"), "approved", "park"),
        (tracking("send"), "approved", "send"),
        (tracking("report"), "draft", "send"),
        (tracking("park"), "", "send"),
        (tracking("report", ()), "approved", "send"),
    ],
)
def test_only_a_frozen_state_holds_a_change_back(rules: Tracking, state: str, wanted: str) -> None:
    assert verdict(rules, state) == wanted


def test_states_are_looked_up_only_where_something_can_be_held_back() -> None:
    assert guards(tracking("report"))
    assert guards(tracking("park"))
    assert not guards(tracking("send"))
    assert not guards(tracking("report", ()))
    assert not guards(None)


def test_the_same_version_differs_in_nothing() -> None:
    assert told(TWO, TWO) == {}


def test_a_changed_header_column_is_named() -> None:
    assert told(TWO, document(*TWO.rows[1:], amount="11.00")) == {"columns": "t_invoice.u_amount"}


def test_a_changed_line_is_named_with_its_column() -> None:
    after = document(line(10000), line(20000, u_cost_center="200"))
    assert told(TWO, after) == {"columns": "t_line.u_cost_center", "lines": "20000"}


def test_lines_that_came_and_went_are_named_without_all_their_columns() -> None:
    after = document(line(10000), line(30000), amount="11.00")
    assert told(TWO, after) == {
        "columns": "t_invoice.u_amount",
        "lines added": "30000",
        "lines removed": "20000",
    }


def test_a_row_that_takes_a_line_back_counts_as_its_removal() -> None:
    gone = replace(line(20000, u_amount="0.00"), removed=True)
    assert told(TWO, document(line(10000), gone)) == {"lines removed": "20000"}


def test_the_word_that_empties_a_column_is_no_difference() -> None:
    empty = line(10000, u_cost_center="")
    emptied = replace(empty, columns={**empty.columns, "u_cost_center": "NULL"})
    assert told(document(empty), document(emptied)) == {}
    assert told(document(line(10000)), document(emptied)) == {"columns": "t_line.u_cost_center", "lines": "10000"}


def test_the_order_of_lines_is_no_difference() -> None:
    assert told(TWO, document(line(20000), line(10000))) == {}


def test_other_columns_in_the_profile_and_other_tables_are_said() -> None:
    wider = document(*(line(number, u_location="X") for number in (10000, 20000)))
    assert told(TWO, wider)["columns"] == "t_line: the profile has other columns now"
    taxed = replace(TWO, rows=(*TWO.rows, StagingRow(TAX, ("id", "VAT"), {"u_code": "VAT"}, "")))
    assert told(TWO, taxed) == {"columns": "t_tax: all"}


def test_an_imprint_shows_no_value_but_the_amount_and_is_small() -> None:
    kept = imprint(document(line(10000, u_cost_center="SECRET")), "10.00 USD", 1)
    assert "SECRET" not in kept
    assert "5.00" not in kept
    assert len(kept) < 300
    found = imprinted(kept, 1)
    assert found is not None
    assert found["amount"] == "10.00 USD"


def test_an_imprint_is_void_after_the_next_intent() -> None:
    assert imprinted(imprint(TWO, "10.00 USD", 3), 4) is None
    assert imprinted("", 0) is None


def test_a_document_of_very_many_lines_keeps_a_small_imprint_and_still_tells_columns() -> None:
    numbers = range(1, MOST_LINES + 2)
    long = document(*(line(number) for number in numbers))
    edited = document(*(line(number, u_cost_center="200" if number == 7 else "100") for number in numbers))
    assert len(imprint(long, "10.00 USD", 1)) < 1000
    assert len(imprint(document(*long.rows[1:-1]), "10.00 USD", 1)) < 20_000
    assert told(long, edited) == {"columns": "t_line.u_cost_center"}


def test_long_lists_are_counted_and_not_shown_whole() -> None:
    numbers = range(1, MOST_NAMED + 12)
    before = document(*(line(number) for number in numbers))
    after = document(*(line(number, u_amount="6.00") for number in numbers))
    assert str(told(before, after)["lines"]).endswith(f"{MOST_NAMED} and 11 more")


@pytest.mark.parametrize(("gone", "word"), [(False, "was changed"), (True, "was deleted")])
def test_the_reason_says_what_happened_and_both_ways_out(*, gone: bool, word: str) -> None:
    reason = frozen_reason("108001", "Approved", gone=gone)
    assert f"108001 {word} in Business Central" in reason.message
    assert "Approved" in reason.message
    assert "draft" in reason.remedy
    assert "discard" in reason.remedy
