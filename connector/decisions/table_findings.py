"""Findings about one staging table: its columns, and the transform maps that make records of its rows."""

from __future__ import annotations

from collections.abc import Iterator

from connector.decisions.drift import Print, differences, is_grave
from connector.decisions.findings import Finding, fail, hint, ok, warn
from connector.model.catalog import ROW_ROOT, Facts, MapFacts, TableFacts
from connector.model.profile import Route
from connector.model.staging import StagingTable

DOCUMENTED_TARGETS = {
    "sn_fcms_intg_imp_order": "sn_shop_purchase_order",
    "sn_fcms_intg_imp_order_line": "sn_shop_purchase_order_line",
    "sn_spend_intg_imp_invoice": "sn_shop_invoice",
    "sn_spend_intg_imp_invoice_line": "sn_shop_invoice_line",
    "sn_spend_intg_imp_invoice_tax_line": "sn_shop_invoice_tax_line",
}
"""Where the shipped maps write, by the vendor's page on Source-to-Pay transform maps."""


def about_table(route: Route, rules: StagingTable, known: TableFacts, facts: Facts) -> Iterator[Finding]:
    """Whether the table takes the rows of the route. `facts`: of the whole instance."""
    name, imports = rules.table, route.door != "table"
    if known.exists is False:
        there = any(name.startswith(f"{scope}_") for scope in facts.apps or ())
        yield fail(
            "TABLE_MISSING",
            name,
            "there is no such table" + (", though its application is installed" if there else ""),
            "Correct the table's name in the profile, or install the application that brings it.",
        )
        return
    if known.web is False:
        yield fail(
            "TABLE_BARRED",
            name,
            "web services may not use this table",
            "Switch on Allow access to this table via web services on the table's record.",
        )
    if imports and known.parents is not None and ROW_ROOT not in known.parents:
        yield fail(
            "NOT_AN_IMPORT_SET",
            name,
            f"it is no import set table (it does not extend {ROW_ROOT})",
            "Name a staging table in the profile, or let the route use the door table.",
        )
    problems = [*_columns(route, rules, known), *(_maps(route, rules, known) if imports else ())]
    yield from problems
    if not problems and known.exists and known.web is not False:
        keys = f", matched on {', '.join(rules.key)}" if imports else ""
        yield ok("TABLE", name, f"{len(rules.columns)} columns as the profile has them{keys}")


def _columns(route: Route, rules: StagingTable, known: TableFacts) -> Iterator[Finding]:
    if known.columns is None:
        yield warn(
            "COLUMNS_UNKNOWN",
            rules.table,
            "its columns cannot be read, so their names and lengths are not verified",
            "Let the user read sys_dictionary, or point SN_METADATA to a file that an administrator exported.",
        )
        return
    columns = {column.name: column for column in known.columns}
    for name, rule in rules.columns.items():
        column = columns.get(name)
        if column is None and rule.optional:
            continue
        if column is None:
            yield fail(
                "COLUMN_MISSING",
                rules.table,
                f"there is no column {name}{hint(name, known.columns)}",
                "Correct the column's name in the profile, or take it out.",
            )
            continue
        if column.length is not None and column.length < rule.max:
            yield warn(
                "COLUMN_SHORTER",
                rules.table,
                f"{name} holds {column.length} characters, the profile allows {rule.max}; longer values are parked",
                "Widen the column, or lower max in the profile.",
            )
        if rule.constant is not None and column.choices and rule.constant not in column.choices:
            yield Finding(
                "CONSTANT_NOT_A_CHOICE",
                "fail" if route.door == "table" else "warn",
                rules.table,
                f"{name} gets {rule.constant!r}, and its choices are {', '.join(column.choices[:10])}",
                "Use the value of one of these choices in the profile.",
            )
    enforced = any(one.mandatory == "all" for one in known.active_maps)
    for column in known.columns:
        if column.mandatory and column.name not in rules.columns and not column.name.startswith("sys_"):
            yield Finding(
                "MANDATORY_WITHOUT_RULE",
                "fail" if enforced else "warn",
                rules.table,
                f"{column.name} is mandatory, and the profile has no rule for it",
                "Add a rule for the column to the profile.",
            )


def _maps(route: Route, rules: StagingTable, known: TableFacts) -> Iterator[Finding]:
    name = rules.table
    # The other doors' rows are transformed later by nature; these look for what became of them.
    if known.synchronous is False and route.door == "batch":
        yield fail(
            "TRANSFORMED_LATER",
            name,
            "its rows are not transformed at once, so that no row's fate would be told",
            "Switch on the business rule Transform synchronously, and set the table's import sets to synchronous mode.",
        )
    if known.maps is None:
        yield warn(
            "COALESCE_NOT_VERIFIED",
            name,
            "its transform maps cannot be read, so it is not verified that a repeated row finds its record",
            "Let the user read sys_transform_map and sys_transform_entry, or point SN_METADATA to an administrator's export.",
        )
        return
    active = known.active_maps
    if not active:
        yield fail(
            "MAP_INACTIVE" if known.maps else "MAP_MISSING",
            name,
            f"its transform map {known.maps[0].name} is inactive" if known.maps else "it has no transform map",
            "Activate the transform map." if known.maps else "Create a transform map for the table.",
        )
    if len(active) > 1:
        shared = len({one.target for one in active}) < len(active)
        yield Finding(
            "MAPS_SEVERAL",
            "fail" if shared else "warn",
            name,
            f"{len(active)} transform maps are active ({', '.join(one.name for one in active)})"
            + (", and some write into the same table" if shared else ""),
            "Deactivate all transform maps of the table but one.",
        )
    for one in active:
        yield from _map(rules, one)


def _map(rules: StagingTable, one: MapFacts) -> Iterator[Finding]:
    name, key = rules.table, set(rules.key)
    expected = DOCUMENTED_TARGETS.get(name)
    if expected is not None and one.target and one.target != expected:
        yield warn(
            "MAP_TARGET",
            name,
            f"the map {one.name} writes into {one.target}, the shipped one into {expected}",
            "Make sure that this is meant.",
        )
    if one.key is None:
        yield warn(
            "COALESCE_NOT_VERIFIED",
            name,
            f"the fields of the map {one.name} cannot be read, so it is not verified that a repeated row finds its record",
            "Let the user read sys_transform_entry, or point SN_METADATA to an administrator's export.",
        )
        return
    matched = {column for column in one.key if column}
    if not one.key:
        what = f"the map {one.name} coalesces on nothing: a row sent twice would make two records"
    elif matched - key:
        what = (
            f"the map {one.name} also coalesces on {', '.join(sorted(matched - key))}: when that changes, a row would make "
            "a second record"
        )
    elif key - matched and not one.scripted:
        what = f"the map {one.name} does not coalesce on {', '.join(sorted(key - matched))}: rows would share a record"
    else:
        return
    yield fail(
        "MAP_KEY", name, what, f"Let the map coalesce on exactly {', '.join(rules.key)}, or correct the profile's key."
    )


def about_drift(name: str, kept: Print, now: Print) -> Iterator[Finding]:
    """What changed since the table was accepted; what would make rows end in other records stops writing."""
    changed = differences(kept, now)
    for grave in (True, False):
        texts = [said for subject, said in changed.items() if is_grave(subject) is grave]
        if texts:
            yield Finding(
                "DRIFT_OF_IDENTITY" if grave else "DRIFT",
                "fail" if grave else "warn",
                name,
                f"changed since it was accepted: {'; '.join(texts)}",
                "Undo the change, or accept it: python -m connector check --accept-changes.",
            )
