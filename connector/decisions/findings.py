"""Findings: what a check has to say, each with a stable code and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from connector.model.catalog import ColumnFacts

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `table`: the table it concerns, "" for the whole instance. `remedy`: one sentence, "" when all is well."""

    code: str
    level: Level
    table: str
    what: str
    remedy: str = ""


def ok(code: str, table: str, what: str) -> Finding:
    """All is well."""
    return Finding(code, "ok", table, what)


def warn(code: str, table: str, what: str, remedy: str) -> Finding:
    """Worth a look; nothing is stopped."""
    return Finding(code, "warn", table, what, remedy)


def fail(code: str, table: str, what: str, remedy: str) -> Finding:
    """Writes must not begin."""
    return Finding(code, "fail", table, what, remedy)


def hint(name: str, columns: Iterable[ColumnFacts]) -> str:
    """The column that is probably meant: the one whose label reads like the name, else the one with the nearest name."""
    words = name.removeprefix("u_").replace("_", " ").casefold()
    by_label = {column.label.casefold(): column.name for column in columns if column.label}
    found = by_label.get(words)
    if found is None:
        near = difflib.get_close_matches(name, [column.name for column in columns], n=1, cutoff=0.75)
        near = near or [by_label[label] for label in difflib.get_close_matches(words, by_label, n=1, cutoff=0.75)]
        found = near[0] if near else None
    return f"; is {found} meant?" if found else ""
