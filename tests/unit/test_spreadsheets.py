"""Spreadsheets: every cell comes back from the CSV as it was, and none of them is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.decisions.spreadsheets import csv_line, harmless

CELLS = st.lists(st.text(max_size=20) | st.text(st.sampled_from("=+-@\t\r\n,;\"' 0.1ä"), max_size=8), min_size=1)


@given(CELLS)
@example(["a\r\nb", 'say "so"', "", "x,y"])
@example([""])
def test_a_row_comes_back_as_it_was_written(cells: list[str]) -> None:
    line = csv_line(cells)
    assert line.endswith("\r\n")
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert row == [harmless(cell) for cell in cells]


@given(st.text())
def test_a_cell_is_changed_by_nothing_but_a_mark_and_never_begins_as_a_formula_does(cell: str) -> None:
    kept = harmless(cell)
    assert kept in (cell, f"'{cell}")
    assert not kept.startswith(("=", "@", "\t", "\r"))
    assert not kept.startswith(("+", "-")) or float(kept) == float(cell)


@pytest.mark.parametrize(
    "cell",
    ["=1+1", '=HYPERLINK("http://example.com")', "+1-800", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-", "+"],
)
def test_what_a_spreadsheet_would_calculate_is_marked(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-12.50", "+3", "0", "12", "-1", "106001", "a=b", "", " ", "'=1", "{}"])
def test_plain_numbers_and_plain_text_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


@pytest.mark.parametrize("cell", ["-1\n=2", "+1\n", "-1e5", "-.5", "-٣"])
def test_what_only_looks_like_a_number_is_marked(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
