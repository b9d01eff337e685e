"""Encoded queries: what can be asked of a ServiceNow table, whose query language has no escape."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

MOST_CHARACTERS = 3500
"""Of values in one query: addresses much longer are refused on the way."""

T = TypeVar("T")


def askable(text: str, *, also: str = ",") -> bool:
    """Whether the text can be a value in an encoded query: a ^ would start a new condition, a comma (`also`) a new value of a
    list, and a script would be run. What cannot be asked for is never found."""
    return not set(text) & {"^", "\n", "\r", "\t", *also} and not text.lower().lstrip().startswith("javascript:")


def any_of(column: str, values: Iterable[str]) -> str:
    """The condition that the column has one of the values, all of them askable."""
    wanted = sorted(set(values))
    return f"{column}={wanted[0]}" if len(wanted) == 1 else f"{column}IN{','.join(wanted)}"


def portions(things: Sequence[T], keys: Sequence[Collection[str]], most: int) -> Iterator[list[T]]:
    """The things in portions of at most `most`, whose values fit into one query; `keys`: the values of each."""
    portion: list[T] = []
    characters = 0
    for thing, values in zip(things, keys, strict=True):
        # Only the longest of a key tells things apart; a comma between two takes three characters of an address.
        length = max(map(len, values), default=0) + 3
        if portion and (len(portion) == most or characters + length > MOST_CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(thing)
        characters += length
    if portion:
        yield portion
