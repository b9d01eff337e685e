"""Drift: what of an instance's tables matters to a profile, as short texts, and what changed between two looks at them."""

from __future__ import annotations

from collections.abc import Mapping

from connector.model.catalog import ROW_ROOT, ColumnFacts, MapFacts, TableFacts
from connector.model.staging import StagingTable

Print = Mapping[str, str]
"""A table's fingerprint: text by subject. What is unknown is left out."""

GRAVE = ("target of ", "key of ")
"""Changes after which the same rows end in other records: writing stops until somebody accepts them."""


def fingerprint(rules: StagingTable, facts: TableFacts) -> dict[str, str]:
    """The fingerprint of a table as far as it is known."""
    found = {}
    if facts.exists is not None:
        found["table"] = "there" if facts.exists else "missing"
    if facts.parents is not None:
        found["import set"] = "yes" if ROW_ROOT in facts.parents else "no"
    if facts.web is not None:
        found["web services"] = "allowed" if facts.web else "barred"
    if facts.columns is not None:
        columns = {column.name: column for column in facts.columns}
        for name in sorted(rules.columns.keys() | {one.name for one in facts.columns if one.mandatory}):
            found[f"column {name}"] = _column(columns.get(name))
    if facts.maps is not None:
        found["active maps"] = ", ".join(one.name for one in facts.active_maps) or "none"
        for one in facts.active_maps:
            found[f"target of {one.name}"] = one.target
            if one.key is not None:
                found[f"key of {one.name}"] = _key(one)
    return found


def differences(before: Print, now: Print) -> dict[str, str]:
    """What changed, by subject, where both looks know it."""
    return {
        name: f"{name}: {before[name]} -> {now[name]}"
        for name in sorted(before)
        if now.get(name, before[name]) != before[name]
    }


def is_grave(subject: str) -> bool:
    """Whether a change of this subject makes the same rows end in other records."""
    return subject.startswith(GRAVE)


def _column(column: ColumnFacts | None) -> str:
    if column is None:
        return "missing"
    length = "" if column.length is None else f" {column.length}"
    return f"{column.type}{length}{' mandatory' if column.mandatory else ''}"


def _key(one: MapFacts) -> str:
    return (", ".join(one.key or ()) or "none") + (" by script" if one.scripted else "")
