"""The API page for dimension values that a customer can install: the standard one is read-only, this one writes the table.

Rules and texts follow the public source of the table "Dimension Value". Codes are upper-cased and trimmed, as all codes are.
"""

from __future__ import annotations

import httpx

from tests.sandbox.business_central.api_rows import dimension_code
from tests.sandbox.business_central.api_sets import CUSTOM_VALUES
from tests.sandbox.business_central.dimension_rules import (
    TOTALS,
    VALUE_TYPES,
    DimensionNumbers,
    global_number,
    value_of,
    value_type,
)
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.errors import Refusal, dialog, method_not_allowed
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.routing import Target
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.writes import changes_in, check_token, json_body

_USED = "This dimension value has been used in posted or budget entries and is included in a dimension set."
_STORED = (
    "code",
    "displayName",
    "dimensionValueType",
    "totaling",
    "blocked",
    "consolidationCode",
    "mapToICDimensionValueCode",
)


def shown(state: CompanyState, record: Record) -> Record:
    """A dimension value as this page shows it."""
    dimension = dimension_code(state, record)
    row: Row = {
        "id": record.id,
        "dimensionCode": dimension,
        "code": record.values["code"],
        "displayName": record.values["displayName"],
        "dimensionValueType": value_type(record),
        "totaling": record.values.get("totaling", ""),
        "blocked": bool(record.values.get("blocked")),
        "indentation": record.values.get("indentation", 0),
        "consolidationCode": record.values["consolidationCode"],
        "globalDimensionNo": global_number(state, dimension),
        "lastModifiedDateTime": record.values["lastModifiedDateTime"],
    }
    return Record(row, record.version, CUSTOM_VALUES)


def write(
    edits: Edits, numbers: DimensionNumbers, target: Target, request: httpx.Request, fresh_guid: str
) -> Record | None:
    """Carries out a POST, PATCH, PUT or DELETE; the record to show, None after a deletion, or `Refusal`."""
    state, method = target.state, request.method
    if state is None or (target.record is None) != (method == "POST"):
        raise method_not_allowed(method, target.entity.name)
    if target.record is None:
        return shown(state, create(edits, state, _changes(request), fresh_guid))
    record = state.sets["dimensionValues"][target.record.id]
    check_token(record, request, required=method != "DELETE")
    if method == "DELETE":
        remove(numbers, state, record)
        return None
    change(edits, numbers, state, record, _changes(request))
    return shown(state, record)


def create(edits: Edits, state: CompanyState, row: Row, fresh_guid: str) -> Record:
    """Adds a value to the table; the record as it is stored, or `Refusal`."""
    row = _tidied(row)
    for name, caption in (("dimensionCode", "Dimension Code"), ("code", "Code")):
        if not row.get(name):
            raise Refusal(
                400,
                "Application_FieldValidationException",
                f"{caption} must have a value in Dimension Value: Dimension Code={row.get('dimensionCode', '')}, "
                f"Code={row.get('code', '')}. It cannot be zero or empty.",
            )
    dimension = str(row["dimensionCode"])
    owner = next((each for each in state.all_of("dimensions") if each.values["code"] == dimension), None)
    if owner is None:
        raise Refusal(
            400,
            "Internal_InvalidTableRelation",
            f"The field Dimension Code of table Dimension Value contains a value ({dimension}) that cannot be found in "
            "the related table (Dimension).",
        )
    _check_free(state, dimension, str(row["code"]))
    _check_totaling(str(row.get("dimensionValueType", "Standard")), row, dimension)
    values: Row = {name: row[name] for name in _STORED if name in row}
    record = state.add_row("dimensionValues", values | {"id": fresh_guid, "dimensionId": owner.id})
    edits.touch(state, record)
    return record


def change(edits: Edits, numbers: DimensionNumbers, state: CompanyState, record: Record, changes: Row) -> None:
    """Changes a value of the table, or `Refusal`."""
    changes = _tidied(changes)
    used = numbers.is_used(state, dimension_code(state, record), str(record.values["code"]))
    _check_change(state, record, changes, used=used)
    _rename(state, numbers, record, str(changes.get("code", record.values["code"])))
    record.values.update({name: changes[name] for name in _STORED if name in changes})
    edits.touch(state, record)


def remove(numbers: DimensionNumbers, state: CompanyState, record: Record) -> None:
    """Deletes a value of the table, or `Refusal` when it was ever used."""
    if numbers.is_used(state, dimension_code(state, record), str(record.values["code"])):
        raise dialog(f"{_USED}\\You cannot delete it.")
    state.remove(record)


def _check_change(state: CompanyState, record: Record, changes: Row, *, used: bool) -> None:
    dimension, code = dimension_code(state, record), str(record.values["code"])
    if changes.get("dimensionCode", dimension) != dimension:
        raise dialog("You cannot change the value of Dimension Code.")
    if changes.get("dimensionValueType", value_type(record)) != value_type(record) and used:
        raise dialog(f"{_USED}\\You cannot change the type.")
    if changes.get("code", code) != code:
        _check_free(state, dimension, str(changes["code"]))
    kept = {"code": code, "totaling": record.values.get("totaling", "")}
    _check_totaling(str(changes.get("dimensionValueType", value_type(record))), kept | changes, dimension)


def _check_free(state: CompanyState, dimension: str, code: str) -> None:
    if code == "(CONFLICT)":
        raise dialog("Code can not be (CONFLICT). This name is used internally by the system.")
    if value_of(state, dimension, code) is not None:
        raise Refusal(
            409,
            "Internal_EntityWithSameKeyExists",
            "The Dimension Value already exists. Identification fields and values: "
            f"Dimension Code='{dimension}',Code='{code}'",
        )


def _check_totaling(kind: str, row: Row, dimension: str) -> None:
    if row.get("totaling") and kind not in TOTALS:
        raise Refusal(
            400,
            "Application_FieldValidationException",
            f"Dimension Value Type must not be {kind} in Dimension Value Dimension Code='{dimension}',"
            f"Code='{row['code']}'.",
        )


def _rename(state: CompanyState, numbers: DimensionNumbers, record: Record, code: str) -> None:
    """Renames the value wherever it is used: in sets, and in the shortcut codes of documents."""
    old, dimension = str(record.values["code"]), dimension_code(state, record)
    if code == old:
        return
    numbers.rename(state, dimension, old, code)
    number = global_number(state, dimension)
    for records in state.sets.values():
        for owner in records.values():
            if owner.dimensions.get(dimension) != old:
                continue
            owner.dimensions[dimension] = code
            shortcut = f"shortcutDimension{number}Code"
            if owner.values.get(shortcut) == old:
                owner.values[shortcut] = code
                owner.rendered.clear()


def _changes(request: httpx.Request) -> Row:
    return changes_in(CUSTOM_VALUES, json_body(request))


def _code(text: str) -> str:
    # A letter without a single capital (ß) stays, other than in Python.
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text.strip())


def _tidied(changes: Row) -> Row:
    changes = dict(changes)
    for name in ("dimensionCode", "code", "consolidationCode"):
        if name in changes:
            changes[name] = _code(str(changes[name]))
    kind = changes.get("dimensionValueType", "Standard")
    if kind not in VALUE_TYPES:
        raise Refusal(400, "Unknown", f"'{kind}' is not an option. The existing options are: {','.join(VALUE_TYPES)}.")
    return changes
