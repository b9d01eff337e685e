"""Spreadsheets: rows as CSV that a program opens which runs what looks like a formula ("CSV Injection", OWASP)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


def csv_line(cells: Sequence[str]) -> str:
    """One row of CSV with its line end, as RFC 4180 has it; no cell of it is taken for a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([harmless(cell) for cell in cells])
    return line.getvalue()


def harmless(cell: str) -> str:
    """The cell, marked as text with a ``'`` where a spreadsheet would calculate. Plain numbers stay as they are."""
    if not cell.startswith(_STARTS_A_FORMULA) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"
