"""Writes through the API: the checks of verbs, concurrency tokens and bodies, and the changes they let through.

Documents and their dimension sets are created by the simulator's Python and control interfaces only; a POST for them is
answered 501.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx

from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.encoding import decode, etag
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.errors import (
    Refusal,
    entity_changed,
    method_not_allowed,
    no_concurrency_token,
)
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.routing import Target
from tests.sandbox.business_central.store import CompanyState, Record

_FIXED_ON_LINES = {
    "documentId": 'The value for "documentId" cannot be modified.',
    "sequence": "The value for sequence cannot be modified. Delete and insert the line again.",
    "lineObjectNumber": 'The value for "lineObjectNumber" cannot be modified.',
}


def write(edits: Edits, target: Target, request: httpx.Request, fresh_guid: str) -> Record | None:
    """Carries out a POST, PATCH, PUT or DELETE; the record to show, None after a deletion, or `Refusal`."""
    entity, state, method = target.entity, target.state, request.method
    to_collection = target.record is None
    if state is None or not entity.writable or to_collection != (method == "POST"):
        raise method_not_allowed(method, entity.name)
    if entity.source == "dimensions" or (method == "POST" and entity.source != "table"):
        raise Refusal(501, "BadRequest_MethodNotImplemented", "The sandbox does not do this through the API.")
    if method == "POST":
        return _create(edits, state, entity, _body(request), fresh_guid)
    record = target.record
    if record is None:
        raise method_not_allowed(method, entity.name)
    _check_token(record, request, required=method != "DELETE")
    if method == "DELETE":
        if record.parent is None:
            state.remove(record)
        else:
            edits.remove_line(state, record)
        return None
    changes = _changes(entity, _body(request))
    if record.parent is None:
        edits.edit_header(state, record, changes)
    else:
        edits.edit_line(state, record, changes)
    return record


def _create(edits: Edits, state: CompanyState, entity: EntitySet, body: dict[str, Any], fresh_guid: str) -> Record:
    row = _changes(entity, body)
    for key in ("number", "code"):
        taken = {record.values.get(key) for record in state.all_of(entity.name)}
        if key in row and row[key] in taken:
            caption = {"number": "No.", "code": "Code"}[key]
            raise Refusal(
                409,
                "Internal_EntityWithSameKeyExists",
                f"The {entity.caption} already exists. Identification fields and values: {caption}='{row[key]}'",
            )
    record = state.add_row(entity.name, row | {"id": fresh_guid})
    edits.touch(state, record)
    return record


def _check_token(record: Record, request: httpx.Request, *, required: bool) -> None:
    token = request.headers.get("If-Match", "")
    if token == "*":
        return
    if not token and not required:
        return
    if not (token.startswith('W/"') and token.endswith('"') and len(token) > 4):
        raise no_concurrency_token()
    if token != etag(record.version):
        raise entity_changed()


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content, parse_float=Decimal)
    except ValueError as error:
        raise Refusal(400, "BadRequest", "Invalid Request Body") from error
    if not isinstance(body, dict):
        raise Refusal(400, "BadRequest", "Invalid Request Body")
    return body


def _changes(entity: EntitySet, body: dict[str, Any]) -> Row:
    changes: Row = {}
    for name, value in body.items():
        if name.startswith("@"):
            continue
        prop = entity.by_name.get(name)
        if prop is None:
            raise Refusal(
                400,
                "BadRequest",
                f"The property '{name}' does not exist on type 'Microsoft.NAV.{entity.type_name}'. Make sure to only use "
                "property names that are defined by the type.",
            )
        if name == "id":
            raise Refusal(400, "Application_DialogException", 'The "id" cannot be changed.')
        if entity.source == "lines" and name in _FIXED_ON_LINES:
            raise Refusal(400, "Application_DialogException", _FIXED_ON_LINES[name])
        if not prop.writable:
            raise Refusal(400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
        changes[name] = decode(prop, value)
    return changes
