"""New documents, lines and contained rows through the API, with everything nested in one request.

Source: "Deep inserts with the API" in the rate limit page, and the pages of each resource. A document takes its number from
its series, its address and terms from the vendor, its dimensions from the vendor's default dimensions; all or nothing is
created.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from tests.sandbox.business_central import dimension_writes, document_rules, line_rules
from tests.sandbox.business_central.amounts import discount_from_percent
from tests.sandbox.business_central.document_sets import PARENT_TYPES
from tests.sandbox.business_central.edits import Edits, recompute
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.errors import NO_LINES_PARENT, Refusal, dialog
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.posted_documents import next_number
from tests.sandbox.business_central.records import LINES_OF, NO_ID, Document, Line, Row
from tests.sandbox.business_central.store import CompanyState, Record

Reader = Callable[[EntitySet, dict[str, Any]], Row]
_FIRST_NUMBER = {"purchaseOrders": 106_001, "purchaseInvoices": 107_200, "purchaseCreditMemos": 1_001}
_DATES = ("orderDate", "invoiceDate", "creditMemoDate", "postingDate")
_PARENT_TYPES = {"vendors": "Vendor", "employees": "Employee", **PARENT_TYPES}


def create_document(
    edits: Edits, state: CompanyState, entity: EntitySet, body: dict[str, Any], fresh: str, read: Reader
) -> Record:
    """A new document with the lines and dimension sets nested in the body, or `Refusal` and nothing."""
    lines_name = LINES_OF[entity.name]
    nested = {name: _rows(body.pop(name)) for name in (lines_name, "dimensionSetLines") if name in body}
    header = document_rules.settled(state, entity.name, read(entity, body), new=True)
    known = {name: value for name, value in header.items() if name in entity.by_name}
    row: Row = {"id": fresh, "number": _number(state, entity), "status": "Draft"}
    row |= {name: edits.today() for name in _DATES if name in entity.by_name}
    row |= _ship_to(state, entity) | known
    dimensions = _vendor_dimensions(state, str(row["vendorId"]))
    dimensions |= _shortcuts(state, row)
    dimensions = dimension_writes.nested(state, dimensions, nested.get("dimensionSetLines", []))
    record = state.add_document(entity.name, Document(row, [], dimensions))
    try:
        _show_shortcuts(state, record)
        for place, each in enumerate(nested.get(lines_name, [])):
            _add_line(state, record, each, str(uuid.uuid5(uuid.UUID(fresh), str(place))), read)
    except Refusal:
        state.remove(record)
        raise
    recompute(state, record)
    edits.touch(state, record)
    return record


def create_line(
    edits: Edits,
    state: CompanyState,
    owner: Record | None,
    entity: EntitySet,
    body: dict[str, Any],
    fresh: str,
    read: Reader,
) -> Record:
    """A new line of a document: the address's own, or the one that the body names."""
    document = owner
    if document is None:
        documents = next(name for name, lines in LINES_OF.items() if lines == entity.name)
        key = str(body.pop("documentId", "")).lower()
        document = state.sets[documents].get(key)
        if document is None:
            words = {"purchaseOrders": "The order cannot be found."}.get(documents, "The invoice cannot be found.")
            raise dialog(words if key else NO_LINES_PARENT)
    document_rules.check_open(document)
    body.pop("documentId", None)
    line = _add_line(state, document, body, fresh, read)
    recompute(state, document)
    edits.touch(state, document)
    return line


def create_contained(
    edits: Edits, state: CompanyState, owner: Record | None, entity: EntitySet, row: Row, fresh: str
) -> Record:
    """A new file or default dimension of the address's parent, or of the one that the row names."""
    if owner is not None:
        row = row | {"parentId": owner.id, "parentType": _PARENT_TYPES[owner.entity.name]}
    if row.get("parentId", NO_ID) == NO_ID:
        raise dialog(entity.orphaned)
    if entity.name == "defaultDimensions":
        row = row | _default_dimension(state, row)
    record = state.add_row(entity.name, row | {"id": fresh})
    edits.touch(state, record)
    return record


def _add_line(state: CompanyState, document: Record, body: dict[str, Any], fresh: str, read: Reader) -> Record:
    body = dict(body)
    sets = _rows(body.pop("dimensionSetLines", []))
    entity = ALL_SETS[LINES_OF[document.entity.name]]
    row = line_rules.new_line(state, document, read(entity, body)) | {"id": fresh}
    line_dimensions = {} if row["lineType"] == "Comment" else dict(document.dimensions)
    record = state.add_line(document, Line(row, dimension_writes.nested(state, line_dimensions, sets)))
    if "discountPercent" in row and "discountAmount" not in row:
        discount_from_percent(record.values, state.precision(document))
    return record


def _rows(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refusal(400, "BadRequest", "Invalid Request Body")
    return value


def _number(state: CompanyState, entity: EntitySet) -> str:
    records = [each for each in state.all_of(entity.name) if not document_rules.is_posted(each)]
    return next_number(records, _FIRST_NUMBER[entity.name])


def _ship_to(state: CompanyState, entity: EntitySet) -> Row:
    if "shipToName" not in entity.by_name:
        return {}
    own = next((each.values for each in state.all_of("companyInformation")), None)
    row: Row = {"shipToName": state.company.values["displayName"]}
    if own is None:
        return row
    names = {"State": "state", "City": "city", "Country": "country", "PostCode": "postalCode"}
    names |= {"AddressLine1": "addressLine1", "AddressLine2": "addressLine2"}
    return row | {f"shipTo{name}": own[of] for name, of in names.items()}


def _vendor_dimensions(state: CompanyState, vendor: str) -> dict[str, str]:
    return {
        str(each.values["dimensionCode"]): str(each.values["dimensionValueCode"])
        for each in state.all_of("defaultDimensions")
        if each.values["parentId"] == vendor and each.values["dimensionValueCode"]
    }


def _shortcuts(state: CompanyState, row: Row) -> dict[str, str]:
    given = {state.global_dimension(number): str(row.get(f"shortcutDimension{number}Code", "")) for number in (1, 2)}
    return {code: value for code, value in given.items() if code and value}


def _show_shortcuts(state: CompanyState, record: Record) -> None:
    for number in (1, 2):
        value = record.dimensions.get(state.global_dimension(number), "")
        record.values[f"shortcutDimension{number}Code"] = value


def _default_dimension(state: CompanyState, row: Row) -> Row:
    dimension = state.sets["dimensions"].get(str(row.get("dimensionId", "")))
    if dimension is None:
        raise dialog("The dimension field values do not match to a specific Dimension.")
    value = state.sets["dimensionValues"].get(str(row.get("dimensionValueId", NO_ID)))
    if value is not None and value.values["dimensionId"] != dimension.id:
        raise dialog('The "valueCode" does not match to a Dimension Value.')
    code = "" if value is None else value.values["code"]
    return {"dimensionCode": dimension.values["code"], "dimensionValueCode": code}
