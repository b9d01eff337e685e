"""How rows become records: the transform maps of staging tables, when they run, and how insertMultiple reads its keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from connector.model.catalog import ROW_ROOT, MapFacts
from connector.model.profile import Profile
from connector.servicenow.readings import Readings, among, flag, text

TRANSFORM_RULE = "Transform synchronously"


def _in(values: Iterable[str]) -> str:
    return ",".join(sorted(values))


def transform_maps(readings: Readings, staging: list[str]) -> dict[str, tuple[MapFacts, ...]]:
    """The maps of each staging table, where they can be read; () for a table that is seen to have none."""
    tables = frozenset(staging)
    reading = readings.read(
        "sys_transform_map",
        f"source_tableIN{_in(tables)}",
        "name,source_table,target_table,active,enforce_mandatory_fields",
        among("source_table", tables),
    )
    if not reading.complete:
        return {}
    without = tables - {text(row, "source_table") for row in reading.rows}
    if without and not reading.rows and readings.probe("sys_transform_map", "name").access != "open":
        return {}  # an instance without a single map, or one that shows none: no telling
    ids = frozenset(text(row, "sys_id") for row in reading.rows)
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if ids:
        found = readings.read(
            "sys_transform_entry",
            f"mapIN{_in(ids)}",
            "map,source_field,target_field,coalesce,use_source_script",
            among("map", ids),
        )
        for row in found.rows if found.complete else ():
            entries[text(row, "map")].append(row)
    maps: dict[str, list[MapFacts]] = {name: [] for name in staging}
    for row in reading.rows:
        keys = _keys(entries.get(text(row, "sys_id"), []))
        maps[text(row, "source_table")].append(
            MapFacts(
                name=text(row, "name"),
                target=text(row, "target_table"),
                active=flag(row, "active"),
                mandatory=text(row, "enforce_mandatory_fields") or None,
                key=None if keys is None else tuple(sorted(text(entry, "source_field") for entry in keys)),
                scripted=any(flag(entry, "use_source_script") for entry in keys or ()),
            )
        )
    return {name: tuple(sorted(found, key=lambda one: one.name)) for name, found in maps.items()}


def _keys(entries: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The coalescing fields among the entries of a map; None when that cannot be told."""
    if not entries or any(flag(entry, "coalesce") is None for entry in entries):
        return None
    return [entry for entry in entries if flag(entry, "coalesce")]


def synchronous(readings: Readings, staging: list[str]) -> dict[str, bool]:
    """Which tables are known to transform at once, or later: the switch is a business rule of all import set tables, the mode a
    column of a table's open import set."""
    rule = readings.read(
        "sys_script",
        f"collection={ROW_ROOT}^name={TRANSFORM_RULE}",
        "collection,name,active",
        lambda row: (text(row, "collection"), text(row, "name")) == (ROW_ROOT, TRANSFORM_RULE),
    )
    if rule.rows and all(flag(row, "active") is False for row in rule.rows):
        return dict.fromkeys(staging, False)
    tables = frozenset(staging)
    sets = readings.read(
        "sys_import_set",
        f"table_nameIN{_in(tables)}^state=loading^mode=asynchronous^multi_import_setISEMPTY",
        "table_name,state,mode,multi_import_set",
        lambda row: text(row, "table_name") in tables and text(row, "mode") == "asynchronous",
    )
    # Those of insertMultiple are asynchronous by nature, and belong to a set of sets.
    return {text(row, "table_name"): False for row in sets.rows if row.get("multi_import_set") == ""}


def keyed_by_name(readings: Readings, profile: Profile, staging: list[str]) -> dict[str, bool] | None:
    """Per staging table with a configuration of insertMultiple, whether the keys of its rows are column names; None when that
    is not needed or cannot be told."""
    if not any(route.door == "insert_multiple" for route in profile.routes.values()):
        return None
    tables = frozenset(staging)
    reading = readings.read(
        "sys_rest_insert_multiple",
        f"source_tableIN{_in(tables)}",
        "source_table,column_mapping,active",
        among("source_table", tables),
    )
    if not reading.complete:
        return None
    rows = [row for row in reading.rows if flag(row, "active") is not False]
    return {text(row, "source_table"): text(row, "column_mapping") == "column_name" for row in rows}
