"""Writes to the dimension sets of documents, lines and ledger entries through the API.

Texts follow the API v2.0 page of dimension set lines. A set is reached through its parent only; of posted documents and ledger
entries it is read-only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.sandbox.business_central.dimension_rules import check_usable
from tests.sandbox.business_central.document_rules import is_posted
from tests.sandbox.business_central.document_sets import DIMENSION_SET_LINES, PARENT_TYPES
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.encoding import decode
from tests.sandbox.business_central.errors import Refusal, dialog
from tests.sandbox.business_central.store import CompanyState, Record

_EXISTS = (
    "The dimension set line already exists. Check existing dimension set lines and the default dimension set lines on the "
    "parent."
)


def add(edits: Edits, state: CompanyState, owner: Record | None, body: Mapping[str, Any]) -> Record:
    """A new dimension of a parent's set, or `Refusal`."""
    if owner is None:
        raise dialog("You must get to the parent first to create a dimension set line.")
    _check_writable(owner)
    dimension = _dimension(state, body)
    code = str(dimension.values["code"])
    if code in owner.dimensions:
        raise dialog(_EXISTS)
    value = _value(state, dimension, body)
    edits.set_dimension(state, owner, code, value)
    return _line(state, owner, dimension.id)


def change(edits: Edits, state: CompanyState, line: Record, body: Mapping[str, Any]) -> Record:
    """Another value for a dimension of a parent's set, or `Refusal`."""
    owner = _owner(line)
    _check_writable(owner)
    for name in ("id", "code"):
        if name in body and str(body[name]).lower() != str(line.values[name]).lower():
            raise dialog('The "id" and "code" fields cannot be modified.')
    dimension = state.sets["dimensions"][line.id]
    edits.set_dimension(state, owner, str(line.values["code"]), _value(state, dimension, body))
    return _line(state, owner, line.id)


def remove(edits: Edits, state: CompanyState, line: Record) -> None:
    """Takes a dimension out of a parent's set, or `Refusal`."""
    owner = _owner(line)
    _check_writable(owner)
    edits.set_dimension(state, owner, str(line.values["code"]), "")


def nested(state: CompanyState, present: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """A set with the dimensions that a deep insert gives laid over it, or `Refusal`."""
    dimensions = dict(present)
    for body in rows:
        dimension = _dimension(state, body)
        dimensions[str(dimension.values["code"])] = _value(state, dimension, body)
    return dimensions


def _owner(line: Record) -> Record:
    if line.parent is None:
        raise dialog("You must get to the parent first to get to the dimension set line.")
    return line.parent


def _check_writable(owner: Record) -> None:
    document = owner.parent or owner
    if document.entity.writable and not is_posted(document):
        return
    kind = PARENT_TYPES[owner.entity.name]
    raise dialog(
        f"Parent with ID {owner.id} does not exist or dimension set lines are read only for parent type {kind}."
    )


def _dimension(state: CompanyState, body: Mapping[str, Any]) -> Record:
    key, code = _read(body, "id"), _read(body, "code")
    if not key and not code:
        raise dialog('The "id" or "code" field must be filled in.')
    by_id = state.sets["dimensions"].get(key)
    by_code = next((each for each in state.all_of("dimensions") if each.values["code"] == code), None)
    if code and by_code is None:
        raise dialog('The "code" does not match to a Dimension.')
    if key and (by_id is None or (code and by_id is not by_code)):
        raise dialog("The dimension field values do not match to a specific Dimension.")
    found = by_id or by_code
    if found is None:
        raise dialog('The "code" does not match to a Dimension.')
    return found


def _value(state: CompanyState, dimension: Record, body: Mapping[str, Any]) -> str:
    key, code = _read(body, "valueId"), _read(body, "valueCode")
    if not key and not code:
        raise dialog('The "valueId" or "valueCode" field must be filled in.')
    for value in state.all_of("dimensionValues"):
        if value.values["dimensionId"] != dimension.id or (key and value.id != key):
            continue
        if not code or value.values["code"] == code:
            found = str(value.values["code"])
            check_usable(state, {str(dimension.values["code"]): found})
            return found
    raise dialog('The "valueCode" does not match to a Dimension Value.')


def _read(body: Mapping[str, Any], name: str) -> str:
    for each in body:
        if not each.startswith("@") and each not in DIMENSION_SET_LINES.by_name:
            raise Refusal(
                400,
                "BadRequest",
                f"The property '{each}' does not exist on type 'Microsoft.NAV.dimensionSetLine'. Make sure to only use "
                "property names that are defined by the type.",
            )
    return str(decode(DIMENSION_SET_LINES.by_name[name], body[name])) if body.get(name) else ""


def _line(state: CompanyState, owner: Record, key: str) -> Record:
    return next(line for line in state.dimension_lines(owner) if line.id == key)
