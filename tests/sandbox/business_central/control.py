"""The control interface of a served simulator: what a test or a demo in another process may ask and change.

Every body is a JSON object with ``company`` (id or name) and, where not ``purchaseOrders``, ``entity``. Values are written as
the API shows them.
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.sandbox.business_central.encoding import decode
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.post import Mishap
from tests.sandbox.business_central.records import LINES_OF, Document, Line, Row

if TYPE_CHECKING:
    from tests.sandbox.business_central.simulator import BusinessCentral


def answer(simulator: BusinessCentral, name: str, body: Any) -> Any:
    """Carries out one control request.

    ``documents``: lists ids. ``document``: number, stamp, status and line count of ``document``. ``edit``: ``document``,
    ``changes`` and perhaps ``sequence`` (a line). ``dimension``: ``document``, ``code``, ``value``, perhaps ``sequence``.
    ``dangle``: ``document``, ``dangling``. ``add``: ``copy_of`` and ``number``: a copy under a new id. ``add_line`` and
    ``delete_line``: ``document``, ``sequence`` (and ``changes`` to the copied last line). ``delete``: ``document``.
    ``revoke_tokens``: no body. ``mishaps``: ``rows``, what befalls the next notifications.
    """
    action = _ACTIONS.get(name)
    if action is None:
        return {"error": f"no control named {name}"}
    try:
        return action(simulator, json.loads(json.dumps(body or {}), parse_float=Decimal))
    except (KeyError, ValueError, Refusal) as error:
        return {"error": str(error)}


def _entity(body: dict[str, Any]) -> str:
    return str(body.get("entity", "purchaseOrders"))


def _changes(entity: str, changes: dict[str, Any]) -> Row:
    properties = ALL_SETS[entity].by_name
    return {name: decode(properties[name], value) for name, value in changes.items()}


def _mishaps(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    rows = [row | {"seconds": float(row.get("seconds", 0))} for row in body["rows"]]
    simulator.webhooks.post.mishaps = [Mishap(**row) for row in rows]
    return {}


def _documents(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    return simulator.document_ids(body["company"], _entity(body))


def _document(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    found = simulator.document(body["company"], body["document"], entity=_entity(body))
    return {
        "id": found.id,
        "number": found.number,
        "status": found.header["status"],
        "lastModifiedDateTime": str(found.header["lastModifiedDateTime"]),
        "lines": [line.values["sequence"] for line in found.lines],
    }


def _edit(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    entity = _entity(body)
    if "sequence" in body:
        changes = _changes(LINES_OF[entity], body["changes"])
        simulator.edit_line(body["company"], body["document"], body["sequence"], entity=entity, **changes)
    else:
        changes = _changes(entity, body["changes"])
        simulator.edit_header(body["company"], body["document"], entity=entity, **changes)
    return {}


def _dimension(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    simulator.set_dimension(
        body["company"],
        body["document"],
        body["code"],
        body["value"],
        sequence=body.get("sequence"),
        entity=_entity(body),
    )
    return {}


def _dangle(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    simulator.mark_dangling(
        body["company"], body["document"], dangling=body.get("dangling", True), entity=_entity(body)
    )
    return {}


def _add(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    original = simulator.document(body["company"], body["copy_of"], entity=_entity(body))
    new_id = str(uuid.uuid4())
    copy = Document(
        original.header | {"id": new_id, "number": body["number"]},
        [Line(line.values | {"id": str(uuid.uuid4())}, line.dimensions) for line in original.lines],
        original.dimensions,
    )
    simulator.add_document(body["company"], copy, entity=_entity(body))
    return {"id": new_id}


def _add_line(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    entity = _entity(body)
    last = simulator.document(body["company"], body["document"], entity=entity).lines[-1]
    changes = _changes(LINES_OF[entity], body.get("changes", {}))
    values = last.values | changes | {"id": str(uuid.uuid4()), "sequence": body["sequence"]}
    simulator.add_line(body["company"], body["document"], Line(values, last.dimensions), entity=entity)
    return {"id": values["id"]}


def _delete_line(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    simulator.remove_line(body["company"], body["document"], body["sequence"], entity=_entity(body))
    return {}


def _delete(simulator: BusinessCentral, body: dict[str, Any]) -> Any:
    simulator.delete(body["company"], _entity(body), body["document"])
    return {}


def _revoke_tokens(simulator: BusinessCentral, _body: dict[str, Any]) -> Any:
    simulator.tokens.revoke()
    return {}


_ACTIONS = {
    "mishaps": _mishaps,
    "documents": _documents,
    "document": _document,
    "edit": _edit,
    "dimension": _dimension,
    "dangle": _dangle,
    "add": _add,
    "add_line": _add_line,
    "delete_line": _delete_line,
    "delete": _delete,
    "revoke_tokens": _revoke_tokens,
}
