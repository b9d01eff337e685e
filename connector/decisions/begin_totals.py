"""Begin-Totals: a hierarchy as Business Central expresses it, by the order of codes.

A value of the type Begin-Total, which may be posted to, opens a range; the End-Total behind the last value of the range closes
it and sums it up by its Totaling, "FIRST..LAST" with its own code as the last, as BC's own function "Indent Dimension Values"
writes it. That function knows ten levels.

The order is that of the database. Codes are compared as text, so that 10 comes before 2 ("Sorting Numeric Values"; property
"SQL Data Type" of code fields, whose default nobody changes on "Dimension Value"), and digits come before letters in every
collation. Where other characters and accents come depends on the collation, which no API tells: a hyphen may count little or
much. So a range is only set up where all ways to read the order agree.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.model.alignment import Value
from connector.model.codes import as_code

FILTER_CHARACTERS = frozenset("|&<>=*?@()'\"%")
"""They mean something else in a Totaling."""

Key = tuple[str, int, str]


def _base(letter: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one))


def _word(code: str) -> Key:
    """As Windows collations sort: hyphens and apostrophes count last, other characters come before digits."""
    kept = "".join(_symbol(one) for one in _base(code) if one not in "-'")
    return kept, len(code), code


def _string(code: str) -> Key:
    """The same, but every character counts."""
    return "".join(_symbol(one) for one in _base(code)), 0, code


def _binary(code: str) -> Key:
    """By the numbers of the characters, as binary collations and some languages' sort."""
    return code, 0, code


def _symbol(letter: str) -> str:
    return letter if letter.isalnum() else f"\x01{letter}"


READINGS: tuple[Callable[[str], Key], ...] = (_word, _string, _binary)


@dataclass(frozen=True, slots=True)
class Tree:
    """What BC's ranges say, in the first reading. `parents`: the Begin-Total of the innermost range a value lies in, or "";
    `ends`: the End-Totals of a Begin-Total. One without an End-Total is no range."""

    parents: Mapping[str, str]
    ends: Mapping[str, tuple[str, ...]]


def tree(values: Mapping[str, Value]) -> Tree:
    """The tree of values by code. An End-Total without Totaling closes the last range that is open, as in "Indent"."""
    ordered = sorted(values, key=READINGS[0])
    ends: dict[str, list[str]] = defaultdict(list)
    begin_of: dict[str, str] = {}
    unclosed: dict[str, None] = {}
    for code in ordered:
        if values[code].type == "Begin-Total":
            unclosed[code] = None
        elif values[code].type == "End-Total":
            first = range_of(values[code].totaling)[0] or next(reversed(unclosed), "")
            unclosed.pop(first, None)
            if first:
                ends[first].append(code)
                begin_of[code] = first
    parents: dict[str, str] = {}
    around: dict[str, None] = {}
    for code in ordered:
        begin = begin_of.get(code, "")
        if begin and ends[begin][-1] == code:
            around.pop(begin, None)
        parents[code] = next(reversed(around), "")
        if values[code].type == "Begin-Total" and code in ends and READINGS[0](code) < READINGS[0](ends[code][-1]):
            around[code] = None
    return Tree(parents, {first: tuple(codes) for first, codes in ends.items()})


def fits_totaling(code: str) -> bool:
    """Whether the code can stand in a Totaling as it is."""
    return not FILTER_CHARACTERS & set(code) and ".." not in code


def range_of(totaling: str) -> tuple[str, str]:
    """First and last code of a Totaling; both "" when it is no range."""
    first, dots, last = totaling.partition("..")
    return (as_code(first), as_code(last)) if dots else ("", "")
