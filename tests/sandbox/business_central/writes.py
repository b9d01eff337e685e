"""Writes through the API: the checks of verbs, concurrency tokens and bodies, and the changes they let through.

Source: "Working with ETags in the API" and the error codes page. A change needs ``If-Match``: without a usable one it is
refused with 400, with a stale one with 409; a deletion checks the header where it is sent.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import Any

import httpx

from tests.sandbox.business_central import creation, dimension_writes, document_rules, line_rules
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.encoding import decode, encode_enum, etag
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.errors import (
    Refusal,
    entity_changed,
    method_not_allowed,
    no_concurrency_token,
)
from tests.sandbox.business_central.media import store_content
from tests.sandbox.business_central.records import LINES_OF, Row
from tests.sandbox.business_central.routing import Target
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.uncertainties import Uncertainties

_FIXED_ON_LINES = {
    "documentId": 'The value for "documentId" cannot be modified.',
    "sequence": "The value for sequence cannot be modified. Delete and insert the line again.",
    "lineObjectNumber": 'The value for "lineObjectNumber" cannot be modified.',
}


def write(
    edits: Edits, target: Target, request: httpx.Request, fresh_guid: str, unsure: Uncertainties | None = None
) -> Record | None:
    """Carries out a POST, PATCH, PUT or DELETE; the record to show, None after a deletion, or `Refusal`."""
    unsure = unsure or Uncertainties()
    entity, state, method = target.entity, target.state, request.method
    record = target.record
    if state is None or not entity.writable or (record is None) != (method == "POST"):
        raise method_not_allowed(method, entity.name)
    if record is None:
        return _created(edits, state, target, json_body(request), fresh_guid, unsure)
    if entity.source == "setup" and method == "DELETE":
        raise method_not_allowed(method, entity.name)
    check_token(record, request, required=method != "DELETE" or unsure.delete_needs_token)
    if target.media:
        store_content(state, record, target.media, request.content if method != "DELETE" else b"")
        edits.touch(state, record)
        return None
    if method == "DELETE":
        _remove(edits, state, record)
        return None
    return _changed(edits, state, record, json_body(request), unsure)


def _created(
    edits: Edits, state: CompanyState, target: Target, body: dict[str, Any], fresh: str, unsure: Uncertainties
) -> Record:
    entity, owner = target.entity, target.owner
    read = partial(changes_in, new=True, unsure=unsure)
    if entity.source == "dimensions":
        return dimension_writes.add(edits, state, owner, body)
    if entity.source == "setup":
        raise method_not_allowed("POST", entity.name)
    if entity.source == "documents":
        return creation.create_document(edits, state, entity, body, fresh, read)
    if entity.source == "lines":
        return creation.create_line(edits, state, owner, entity, body, fresh, read)
    if entity.source == "contained":
        return creation.create_contained(edits, state, owner, entity, read(entity, body), fresh)
    return _create(edits, state, entity, read(entity, body), fresh)


def _changed(edits: Edits, state: CompanyState, record: Record, body: dict[str, Any], unsure: Uncertainties) -> Record:
    entity = record.entity
    if entity.source == "dimensions":
        return dimension_writes.change(edits, state, record, body)
    changes = changes_in(entity, body, unsure=unsure)
    if record.parent is not None:
        document_rules.check_open(record.parent)
        edits.edit_line(state, record, line_rules.changed_object(state, changes))
        return record
    if entity.source == "documents":
        document_rules.check_open(record)
        settled = document_rules.settled(state, entity.name, changes, new=False)
        changes = {name: value for name, value in settled.items() if name in entity.by_name}
    edits.edit_header(state, record, changes)
    return record


def _remove(edits: Edits, state: CompanyState, record: Record) -> None:
    if record.entity.source == "dimensions":
        dimension_writes.remove(edits, state, record)
    elif record.parent is not None:
        document_rules.check_open(record.parent)
        edits.remove_line(state, record)
    else:
        if record.entity.name in LINES_OF:
            document_rules.check_open(record)
        state.remove(record)


def _create(edits: Edits, state: CompanyState, entity: EntitySet, row: Row, fresh_guid: str) -> Record:
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


def check_token(record: Record, request: httpx.Request, *, required: bool) -> None:
    """Passes when If-Match is the record's ETag or a star (or absent, where it is not required), else raises `Refusal`."""
    token = request.headers.get("If-Match", "")
    if token == "*":
        return
    if not token and not required:
        return
    if not (token.startswith('W/"') and token.endswith('"') and len(token) > 4):
        raise no_concurrency_token()
    if token != etag(record.version):
        raise entity_changed()


def json_body(request: httpx.Request) -> dict[str, Any]:
    """The JSON object that a request carries, or `Refusal`."""
    kind = request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            415, "BadRequest", f"A supported MIME type could not be found that matches the content type '{kind}'."
        )
    try:
        body = json.loads(request.content, parse_float=Decimal)
    except ValueError as error:
        raise Refusal(400, "BadRequest", "Invalid Request Body") from error
    if not isinstance(body, dict):
        raise Refusal(400, "BadRequest", "Invalid Request Body")
    return body


def changes_in(
    entity: EntitySet, body: dict[str, Any], *, new: bool = False, unsure: Uncertainties | None = None
) -> Row:
    """The properties that a body sets, as raw values, or `Refusal` where one may not be set."""
    unsure = unsure or Uncertainties()
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
            if new and unsure.posted_id_is_ignored:
                continue
            raise Refusal(400, "Application_DialogException", 'The "id" cannot be changed.')
        fixed = entity.source == "lines" and name in _FIXED_ON_LINES
        if fixed and not new:
            raise Refusal(400, "Application_DialogException", _FIXED_ON_LINES[name])
        if not prop.writable and not fixed:
            raise Refusal(400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
        decoded = decode(prop, value)
        if (
            prop.members
            and isinstance(value, str)
            and value != encode_enum(str(decoded))
            and not unsure.plain_enum_words
        ):
            raise Refusal(400, "BadRequest", f"The string '{value}' is not a valid enumeration type constant.")
        changes[name] = decoded
    return changes
