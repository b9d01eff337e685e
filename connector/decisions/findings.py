"""Findings: what a check has to say, each with a stable code and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from connector.errors import Refused, Throttled
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


def unserved(prefix: str, error: Exception, remedy: str, where: str = "") -> Finding:
    """A system that did not answer as it should; the code says in which way."""
    if isinstance(error, Refused):
        return fail(f"{prefix}_REFUSED", where, plain(error), remedy)
    if isinstance(error, Throttled):
        return warn(
            f"{prefix}_THROTTLED", where, plain(error), "Look again later; the connector itself waits as it is told."
        )
    return fail(f"{prefix}_DOWN", where, plain(error), remedy)


def plain(error: Exception) -> str:
    """What an error says, at the length of a line."""
    return str(error)[:300]


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
