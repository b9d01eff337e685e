"""Columns of the ledger's rows: how lists and stamps stand in them, and typed reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connector.model.stamps import parse_stamp, stamp_text
from connector.storage.ports import Property

MAX_TEXT = 15_000
"""Characters of a long text column: it holds 32,768 UTF-16 units, and a character may take two. Longer text is cut."""
CUT = "… [cut]"


def packed(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, each as its distance from the one before; a run of equal distances once, with its length.
    BC numbers lines in steps of 10,000, so 10,000 lines take a few characters."""
    runs: list[list[int]] = []
    before = 0
    for number in sorted(numbers):
        if runs and runs[-1][0] == number - before:
            runs[-1][1] += 1
        else:
            runs.append([number - before, 1])
        before = number
    return ",".join(f"{step}x{count}" for step, count in runs)


def unpacked(text: str) -> tuple[int, ...]:
    """The numbers in `packed` text."""
    numbers, number = [], 0
    for run in filter(None, text.split(",")):
        step, count = run.split("x")
        for _ in range(int(count)):
            number += int(step)
            numbers.append(number)
    return tuple(numbers)


def cut(text: str) -> str:
    """The text as a column can hold it: cut with a marker when it is too long, and with a sign of replacement for each half of
    a character (a lone surrogate; answers and command lines may hold one), which has no form on the wire. Never cuts a
    character in two, and changes nothing when it is applied again."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - len(CUT)] + CUT
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def stamped(moment: datetime | None) -> str:
    """The stamp as text, "" for none."""
    return "" if moment is None else stamp_text(moment)


class Columns:
    """Typed reading of a row's columns."""

    def __init__(self, columns: Mapping[str, Property]) -> None:
        self._columns = columns

    def text(self, name: str) -> str:
        """The column's text."""
        return str(self._columns[name])

    def number(self, name: str) -> int:
        """The column's number."""
        value = self._columns[name]
        if not isinstance(value, int):
            raise TypeError(f"the column {name} holds no number")
        return value

    def flag(self, name: str) -> bool:
        """Whether the column says yes."""
        return self._columns[name] is True

    def moment(self, name: str) -> datetime | None:
        """The column's stamp, None for none."""
        text = self.text(name)
        return parse_stamp(text) if text else None
