"""The transform engine: one staging row through one map, driven by the rows of the map tables.

Source: the vendor's "Import sets" chapter (coalesce, field maps, transformation event scripts).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.sandbox.servicenow.choices import choices_of, value_of
from tests.sandbox.servicenow.map_scripts import EVENT_SCRIPTS, SOURCE_SCRIPTS, RowError, Transform
from tests.sandbox.servicenow.policies import Policies, Rejected
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.store import Duplicate, Row, Store
from tests.sandbox.servicenow.values import reformatted_date, stored

MAP_TABLES = ("sys_transform_map", "sys_transform_entry", "sys_transform_script")
CLEAR = "NULL"
REFERENCE_REJECTED, CHOICE_REJECTED, INVALID_TARGET = 100, 200, 800


@dataclass(frozen=True)
class Map:
    """An active transform map with its field maps and event scripts."""

    row: Row
    entries: tuple[Row, ...]
    scripts: tuple[Row, ...]

    def on(self, name: str) -> bool:
        """A switch of the map."""
        return self.row[name] == "true"


@dataclass(frozen=True)
class Outcome:
    """What became of the row: status, target record, messages, error code, and what scripts added to the answer.

    `halts`: a script set `error`, which ends the transformation of the whole import set.
    """

    status: str
    sys_id: str = ""
    status_message: str = ""
    error_message: str = ""
    error_code: int = 0
    response: dict[str, str] = field(default_factory=dict)
    halts: bool = False


class Engine:
    """Transforms rows of one store. Maps are read again whenever their tables change."""

    def __init__(self, store: Store, policies: Policies) -> None:
        self._store = store
        self._policies = policies
        self._maps: dict[str, list[Map]] = {}
        self._generation = -1

    def maps(self, staging_table: str) -> list[Map]:
        """The active maps of a staging table, in their order."""
        generation = self._store.generation(MAP_TABLES)
        if generation != self._generation:
            self._maps, self._generation = {}, generation
        if staging_table not in self._maps:
            found = [
                dict(row)
                for row in self._store.find("sys_transform_map", {"source_table": staging_table})
                if row["active"] == "true"
            ]
            self._maps[staging_table] = [
                Map(
                    row,
                    tuple(map(dict, self._store.find("sys_transform_entry", {"map": row["sys_id"]}))),
                    tuple(
                        dict(script)
                        for script in sorted(
                            self._store.find("sys_transform_script", {"map": row["sys_id"], "active": "true"}),
                            key=lambda script: int(script["order"] or 0),
                        )
                    ),
                )
                for row in sorted(found, key=lambda row: int(row["order"] or 0))
            ]
        return self._maps[staging_table]

    def run(self, transform_map: Map, staging_table: str, source: Row) -> Outcome:
        """Transforms one row."""
        target_table = transform_map.row["target_table"]
        if target_table not in self._store.schema:
            return Outcome("error", error_message=f"Invalid table {target_table}", error_code=INVALID_TARGET)
        transform = Transform(self._store, source, target_table)
        try:
            self._mandatory(transform_map, staging_table, source)
            return self._transform(transform_map, transform)
        except RowError as fault:
            return Outcome("error", error_message=str(fault), error_code=fault.code, response=transform.response)
        except Duplicate as fault:
            message = f"Unique Key violation detected by database ({fault})"
            return Outcome("error", error_message=message, error_code=INVALID_TARGET, response=transform.response)

    def _transform(self, transform_map: Map, transform: Transform) -> Outcome:
        keys = [entry for entry in transform_map.entries if entry["coalesce"] == "true"]
        key_values = {entry["target_field"]: self._value(transform, entry) for entry in keys}
        missing = [e for e in keys if not key_values[e["target_field"]] and e["coalesce_empty_fields"] != "true"]
        if missing and not transform_map.on("create_new_record_on_empty_coalesce_fields"):
            return _without_key(missing)
        if keys and not missing:
            transform.existing = self._existing(transform.target_table, keys, key_values)
        transform.target = {name: value or "" for name, value in key_values.items()}
        for entry in transform_map.entries:
            if entry["coalesce"] == "true":
                continue
            value = self._value(transform, entry)
            if value is not None and (value or transform_map.on("copy_empty_fields") or self._clears(transform, entry)):
                transform.target[entry["target_field"]] = value
        self._event(transform_map, "onBefore", transform)
        if transform.error:
            return _halted(transform)
        if transform.ignore:
            outcome = Outcome("ignored", status_message=transform.status_message, response=transform.response)
        else:
            outcome = self._write(transform, rules=transform_map.on("run_business_rules"))
            transform.target_id = outcome.sys_id
        self._event(transform_map, "onAfter", transform)
        return _halted(transform, outcome.sys_id) if transform.error else outcome

    def _write(self, transform: Transform, *, rules: bool) -> Outcome:
        store, table, existing = self._store, transform.target_table, transform.existing
        columns = store.schema.columns(table)
        calculated = {name for name, column in columns.items() if column.calculated}
        transform.target = {name: text for name, text in transform.target.items() if name not in calculated}
        message, response = transform.status_message, transform.response
        action = "insert" if existing is None else "update"
        try:
            transform.target = self._policies.prepare(
                table, action, existing or {}, transform.target, importing=True, rules=rules
            )
        except Rejected as fault:
            raise RowError(str(fault), INVALID_TARGET) from fault
        if existing is None:
            return Outcome("inserted", store.insert(table, transform.target), message, response=response)
        if store.update(table, existing["sys_id"], transform.target):
            return Outcome("updated", existing["sys_id"], message, response=response)
        return Outcome("ignored", existing["sys_id"], message or "No field values changed", response=response)

    def _mandatory(self, transform_map: Map, staging_table: str, source: Row) -> None:
        enforced = transform_map.row["enforce_mandatory_fields"]
        if enforced == "no":
            return
        mapped = {entry["source_field"] for entry in transform_map.entries}
        empty = [
            column.title
            for name, column in self._store.schema.columns(staging_table).items()
            if column.mandatory and not source[name].strip() and (enforced == "all" or name in mapped)
        ]
        if empty:
            raise RowError(f"The following mandatory fields are not filled in: {', '.join(empty)}")

    def _existing(self, table: str, keys: list[Row], values: dict[str, str | None]) -> Row | None:
        columns = self._store.schema.columns(table)
        wanted = {name: stored(columns[name], value or "") for name, value in values.items()}
        exact = [entry["target_field"] for entry in keys if entry["coalesce_case_sensitive"] == "true"]
        for row in self._store.find(table, wanted):
            if all(row[name] == wanted[name] for name in exact):
                return row
        return None

    def _clears(self, transform: Transform, entry: Row) -> bool:
        return transform.source.get(entry["source_field"]) == CLEAR

    def _value(self, transform: Transform, entry: Row) -> str | None:
        """The value for the target column; None leaves the column as it is."""
        text = transform.source.get(entry["source_field"], "").strip()
        if text == CLEAR or not text:
            return ""
        column = self._store.schema.columns(transform.target_table).get(entry["target_field"])
        if column is None:
            raise RowError(f"Invalid target field {entry['target_field']}", INVALID_TARGET)
        if entry["use_source_script"] == "true":
            script = SOURCE_SCRIPTS.get(entry["source_script"])
            if script is None:
                raise RowError(f"Transform script error: {entry['source_script']} is not defined")
            text = script(transform, column.reference, entry["reference_value_field"], text) or text
            if column.type == "reference" and self._store.get(column.reference, text) is not None:
                return text
        if column.type == "reference":
            return self._referenced(entry, column, text, scripted=entry["use_source_script"] == "true")
        choices = choices_of(self._store, transform.target_table, column.name)
        if choices:
            return self._chosen(transform.target_table, entry, column, choices, text)
        if column.type in {"glide_date", "glide_date_time"} and entry["date_format"]:
            return reformatted_date(text, entry["date_format"]) or stored(column, text)
        return text

    def _referenced(self, entry: Row, column: Column, text: str, *, scripted: bool) -> str | None:
        by = entry["reference_value_field"] or self._store.schema.display_column(column.reference)
        found = [] if scripted else self._store.find(column.reference, {by: text})
        if found:
            return found[0]["sys_id"]
        if entry["choice_action"] == "create":
            return self._store.insert(column.reference, {by: text})
        if entry["choice_action"] == "reject":
            raise RowError(
                f"Row rejected: {column.title} '{text}' matches no record of {column.reference} by {by}",
                REFERENCE_REJECTED,
            )
        return None

    def _chosen(self, table: str, entry: Row, column: Column, choices: list[Row], text: str) -> str | None:
        value = value_of(choices, text, by_label=True)
        if value is not None:
            return value
        if entry["choice_action"] == "create":
            self._store.insert("sys_choice", {"name": table, "element": column.name, "value": text, "label": text})
            return text
        if entry["choice_action"] == "reject":
            raise RowError(f"Row rejected: {column.title} '{text}' is not in the choice list", CHOICE_REJECTED)
        return None

    def _event(self, transform_map: Map, when: str, transform: Transform) -> None:
        for row in transform_map.scripts:
            if row["when"] != when:
                continue
            script = EVENT_SCRIPTS.get(row["script"])
            if script is None:
                raise RowError(f"Transform script error: {row['script']} is not defined")
            script(transform)


def _halted(transform: Transform, sys_id: str = "") -> Outcome:
    message = transform.error_message or transform.status_message or "Transform script set error"
    return Outcome("error", sys_id, error_message=message, error_code=900, response=transform.response, halts=True)


def _without_key(missing: list[Row]) -> Outcome:
    scripted = any(entry["use_source_script"] == "true" for entry in missing)
    names = ["[Script]" if entry["use_source_script"] == "true" else entry["source_field"] for entry in missing]
    message = f"Unable to resolve target record, coalesce values not present: {', '.join(names)}"
    if scripted:
        return Outcome("error", status_message=message, error_message=f"{message}; Invalid table ")
    return Outcome("skipped", status_message=message)
