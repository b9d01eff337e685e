"""Table API, reading: lists with paging headers, single records, hidden rows. Source: REST API reference, Table API."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from tests.sandbox.servicenow.answers import Refusal, json_answer, no_such_record
from tests.sandbox.servicenow.choices import choices_of, value_of
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.query import Condition, NotSimulated, Query, parse
from tests.sandbox.servicenow.store import Row

DEFAULT_LIMIT = 10_000


def known_table(call: Call, table: str) -> None:
    """Refuses a table the instance does not have."""
    if table not in call.instance.store.schema:
        raise Refusal(400, f"Invalid table {table}")


def listed(call: Call, table: str) -> httpx.Response:
    """``GET /api/now/table/{table}``. Rows a rule hides are taken out after the page was cut; the total counts them."""
    known_table(call, table)
    try:
        query = _query(call, table)
        rows = call.instance.selection(call.user).select(table, query)
    except NotSimulated as fault:
        raise Refusal(
            400, "Not simulated", f"The sandbox does not know this part of the query language: {fault}"
        ) from fault
    limit, offset = _whole(call, "sysparm_limit", DEFAULT_LIMIT), _whole(call, "sysparm_offset", 0)
    page = [row for row in rows[offset : offset + limit] if _visible(call, table, row)]
    headers: dict[str, str] = {}
    counted = not call.flag("sysparm_no_count")
    if counted:
        headers["X-Total-Count"] = str(len(rows))
    if not call.flag("sysparm_suppress_pagination_header"):
        headers["Link"] = _links(call, table, limit, offset, len(rows), counted)
    if call.version == "v1" and not page:
        raise no_such_record()
    renderer = call.instance.renderer(call.user, table, call.fields(), call.shape())
    return json_answer(200, {"result": [renderer.record(row) for row in page]}, headers)


def single(call: Call, table: str, sys_id: str) -> httpx.Response:
    """``GET /api/now/table/{table}/{sys_id}``."""
    known_table(call, table)
    row = call.instance.store.get(table, sys_id)
    if row is None or not _visible(call, table, row):
        raise no_such_record()
    return json_answer(200, {"result": shown(call, table, row)})


def shown(call: Call, table: str, row: Row) -> dict[str, object]:
    """One row in the shape the call asks for."""
    return call.instance.renderer(call.user, table, call.fields(), call.shape()).record(row)


def _visible(call: Call, table: str, row: Row) -> bool:
    access = call.instance.access
    if not access.allowed(call.user, "read", table):
        return False
    condition = access.row_condition(call.user, table)
    return not condition or call.instance.selection(call.user).test(table, parse(condition))(row)


def _query(call: Call, table: str) -> Query:
    """The query of the call: sysparm_query, or else its name=value pairs."""
    encoded = call.parameters.get("sysparm_query", "")
    if encoded:
        return parse(encoded)
    pairs = {name: value for name, value in call.parameters.items() if not name.startswith("sysparm_")}
    return Query(alternatives=[[[Condition(name, "=", _pair_value(call, table, name, pairs[name]))] for name in pairs]])


def _pair_value(call: Call, table: str, name: str, text: str) -> str:
    """Name=value pairs may give the display value of a choice or a reference."""
    store = call.instance.store
    column = store.schema.columns(table).get(name)
    if column is None or not text:
        return text
    if column.type == "reference" and store.get(column.reference, text) is None:
        named = store.find(column.reference, {store.schema.display_column(column.reference): text})
        return named[0]["sys_id"] if named else text
    return value_of(choices_of(store, table, name), text, by_label=True) or text


def _whole(call: Call, name: str, default: int) -> int:
    text = call.parameters.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        return default
    if value < 0:
        raise Refusal(400, "Invalid parameter", f"{name} must not be negative")
    return value


def _links(call: Call, table: str, limit: int, offset: int, total: int, counted: bool) -> str:
    version = f"{call.version}/" if call.version else ""
    address = f"{call.instance.url}/api/now/{version}table/{table}"
    kept = [
        (name, value)
        for name, value in call.url.params.multi_items()
        if name not in {"sysparm_limit", "sysparm_offset"}
    ]

    def link(start: int, rel: str) -> str:
        items = [*kept, ("sysparm_limit", str(limit)), ("sysparm_offset", str(start))]
        return f'<{address}?{"&".join(f"{name}={quote(value)}" for name, value in items)}>;rel="{rel}"'

    links = []
    if limit and offset + limit < total:
        links.append(link(offset + limit, "next"))
    if offset > 0:
        links.append(link(max(offset - limit, 0), "prev"))
    links.append(link(0, "first"))
    if counted:
        links.append(link((max(total - 1, 0) // limit) * limit if limit else 0, "last"))
    return ",".join(links)
