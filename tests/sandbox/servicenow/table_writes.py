"""Table API, writing. Fields that are unknown, forbidden or not fitting are dropped without a word, as the instance does."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import httpx

from tests.sandbox.servicenow.answers import Refusal, forbidden, json_answer, no_such_record, parsed_object
from tests.sandbox.servicenow.choices import choices_of, value_of
from tests.sandbox.servicenow.display import in_zone
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.policies import Rejected
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.store import WRITTEN_BY_THE_SYSTEM, Duplicate, Row
from tests.sandbox.servicenow.table_reads import known_table, shown
from tests.sandbox.servicenow.values import changed_form, stored


def created(call: Call, table: str) -> httpx.Response:
    """``POST /api/now/table/{table}``. A sys_id in the body is kept as it is."""
    known_table(call, table)
    body = parsed_object(call.content)
    if not call.instance.access.allowed(call.user, "create", table):
        raise forbidden("Insert")
    values = _accepted(call, table, body)
    own_id = changed_form(body.get("sys_id"))
    if own_id:
        values["sys_id"] = own_id
    store = call.instance.store
    values = _prepared(call, table, "insert", {}, values)
    try:
        sys_id = store.insert(table, values, by=call.user.name)
    except Duplicate as fault:
        raise _unique_violation(call, table, fault) from fault
    location = {"Location": f"{call.instance.url}/api/now/table/{table}/{sys_id}"}
    return _written(call, 201, table, sys_id, location)


def updated(call: Call, table: str, sys_id: str) -> httpx.Response:
    """``PATCH`` or ``PUT /api/now/table/{table}/{sys_id}``: both change only the fields sent."""
    known_table(call, table)
    body = parsed_object(call.content)
    store = call.instance.store
    current = store.get(table, sys_id)
    if current is None:
        raise no_such_record()
    if not call.instance.access.allowed(call.user, "write", table):
        raise forbidden("Update")
    values = _prepared(call, store.owner(table, sys_id) or table, "update", current, _accepted(call, table, body))
    try:
        store.update(table, sys_id, values, by=call.user.name)
    except Duplicate as fault:
        raise _unique_violation(call, table, fault) from fault
    return _written(call, 200, table, sys_id, {})


def deleted(call: Call, table: str, sys_id: str) -> httpx.Response:
    """``DELETE /api/now/table/{table}/{sys_id}``."""
    known_table(call, table)
    current = call.instance.store.get(table, sys_id)
    if current is None:
        raise no_such_record()
    if not call.instance.access.allowed(call.user, "delete", table):
        raise forbidden("Delete")
    _prepared(call, call.instance.store.owner(table, sys_id) or table, "delete", current, {})
    call.instance.store.delete(table, sys_id)
    return httpx.Response(204)


def _prepared(call: Call, table: str, action: str, current: Row, values: dict[str, str]) -> dict[str, str]:
    try:
        return call.instance.policies.prepare(table, action, current, values)
    except Rejected as fault:
        raise Refusal(403, "Operation Failed", str(fault)) from fault


def _written(call: Call, status: int, table: str, sys_id: str, headers: dict[str, str]) -> httpx.Response:
    if call.headers.get("X-no-response-body", "").casefold() == "true":
        return httpx.Response(status, headers=headers)
    row = call.instance.store.get(table, sys_id)
    if row is None:
        raise no_such_record()
    return json_answer(status, {"result": shown(call, table, row)}, headers)


def _accepted(call: Call, table: str, body: dict[str, object]) -> dict[str, str]:
    columns = call.instance.store.schema.columns(table)
    accepted: dict[str, str] = {}
    for name, value in body.items():
        column = columns.get(name)
        if column is None or column.calculated or name == "sys_id" or name in WRITTEN_BY_THE_SYSTEM:
            continue
        if not call.instance.access.column_allowed(call.user, "write", table, name):
            continue
        if isinstance(value, dict):
            value = value.get("value", value.get("display_value", ""))
        text = _fitting(call, table, column, changed_form(value))
        if text is not None:
            accepted[name] = text
    return accepted


def _fitting(call: Call, table: str, column: Column, text: str) -> str | None:
    """The value to store, or None when the field is dropped."""
    store, displayed = call.instance.store, call.flag("sysparm_input_display_value")
    if column.type == "reference":
        if store.get(column.reference, text) is not None:
            return text
        named = store.find(column.reference, {store.schema.display_column(column.reference): text}) if displayed else []
        return named[0]["sys_id"] if named and text else ""
    choices = choices_of(store, table, column.name)
    if choices:
        value = value_of(choices, text, by_label=displayed)
        allowed = call.instance.properties.on("glide.rest.choice.allow_non_existing_value")
        return text if value is None and allowed and text else value
    if column.type == "glide_date_time" and displayed and stored(column, text):
        return in_zone(stored(column, text), ZoneInfo(call.user.time_zone), UTC)
    return text


def _unique_violation(call: Call, table: str, fault: Duplicate) -> Refusal:
    status, detail = (
        call.instance.switches.unique_violation_status,
        f"Unique Key violation detected by database ({fault})",
    )
    return Refusal(status, "Operation Failed" if status == 403 else f"Error during insert of {table}", detail)
