"""Attachment API: files on records. Source: REST API reference, Attachment API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx

from tests.sandbox.servicenow import attachment_files
from tests.sandbox.servicenow.access import Access, rule
from tests.sandbox.servicenow.answers import Refusal, forbidden, json_answer, no_such_record, parsed_object
from tests.sandbox.servicenow.attachment_files import ATTACHMENT, DOCUMENT, File
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.query import NotSimulated, parse
from tests.sandbox.servicenow.store import Row

DEFAULT_LIMIT = 1000
MEGABYTE = 1_048_576
SHOWN = (
    "sys_id table_name table_sys_id file_name content_type size_bytes size_compressed compressed image_height image_width "
    "average_image_color sys_created_on sys_created_by sys_updated_on sys_updated_by sys_mod_count sys_tags"
).split()


def open_to_internal_users(access: Access) -> None:
    """No single role guards attachments: whoever may write the record may attach to it. Bytes are read through the API."""
    access.add(rule(ATTACHMENT, ("read", "create", "write", "delete"), ("snc_internal",)))
    access.add(rule(DOCUMENT, ("read", "create", "write", "delete"), ()))


def posted_file(call: Call) -> httpx.Response:
    """``POST /api/now/attachment/file``: the body is the file, its Content-Type the file's."""
    parameters = call.parameters
    kind = call.headers.get("Content-Type", "").strip()
    if not kind:
        raise Refusal(400, "Missing content type", "Content-Type of the file is mandatory")
    name = parameters.get("file_name", "")
    return _created(call, parameters, File(name, kind, call.content))


def uploaded(call: Call) -> httpx.Response:
    """``POST /api/now/attachment/upload``: a form whose last part is the file."""
    kind = call.headers.get("Content-Type", "")
    if not kind.casefold().startswith("multipart/form-data"):
        raise Refusal(415, "Unsupported Media Type", f"Content-Type {kind} is not supported")
    fields, file = attachment_files.multipart(call.content, kind)
    if file is None:
        raise Refusal(400, "Failed to get multipart data", "The form holds no file")
    return _created(call, fields, file)


def listed(call: Call) -> httpx.Response:
    """``GET /api/now/attachment``: the metadata of what the caller may see."""
    try:
        query = parse(call.parameters.get("sysparm_query", ""))
        rows = call.instance.selection(call.user).select(ATTACHMENT, query)
    except NotSimulated as fault:
        raise Refusal(400, "Not simulated", str(fault)) from fault
    limit, offset = _whole(call, "sysparm_limit", DEFAULT_LIMIT), _whole(call, "sysparm_offset", 0)
    page = [row for row in rows[offset : offset + limit] if _readable(call, row)]
    headers = {"X-Total-Count": str(len(rows))}
    if offset + limit < len(rows):
        encoded = quote(call.parameters.get("sysparm_query", ""))
        rest = f"sysparm_query={encoded}&sysparm_limit={limit}&sysparm_offset={offset + limit}"
        headers["Link"] = f'<{call.instance.url}/api/now/attachment?{rest}>;rel="next"'
    return json_answer(200, {"result": [_shown(call, row) for row in page]}, headers)


def single(call: Call, sys_id: str) -> httpx.Response:
    """``GET /api/now/attachment/{sys_id}``: the metadata."""
    return json_answer(200, {"result": _shown(call, _found(call, sys_id))})


def downloaded(call: Call, sys_id: str) -> httpx.Response:
    """``GET /api/now/attachment/{sys_id}/file``: the bytes, and the metadata in a header."""
    row = _found(call, sys_id)
    headers = {
        "Content-Type": row["content_type"],
        "Content-Disposition": f"attachment;filename*=UTF-8''{quote(row['file_name'])}",
        "X-Attachment-Metadata": json.dumps(_shown(call, row)),
    }
    return httpx.Response(200, headers=headers, content=attachment_files.content(call.instance.store, sys_id))


def renamed(call: Call, sys_id: str) -> httpx.Response:
    """``PATCH /api/now/attachment/{sys_id}``: only the name can change."""
    row = _found(call, sys_id)
    name = parsed_object(call.content).get("file_name")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "Invalid parameter", "file_name is mandatory")
    _check_writable(call, row["table_name"], "Update")
    call.instance.store.update(ATTACHMENT, sys_id, {"file_name": name}, by=call.user.name)
    return httpx.Response(204)


def deleted(call: Call, sys_id: str) -> httpx.Response:
    """``DELETE /api/now/attachment/{sys_id}``."""
    row = _found(call, sys_id)
    _check_writable(call, row["table_name"], "Delete")
    attachment_files.remove(call.instance.store, sys_id)
    return httpx.Response(204)


def _created(call: Call, target: dict[str, str], file: File) -> httpx.Response:
    table, sys_id = target.get("table_name", ""), target.get("table_sys_id", "")
    missing = [name for name, value in (("table_name", table), ("table_sys_id", sys_id)) if not value]
    if not file.name:
        missing.append("file_name")
    if missing:
        raise Refusal(400, "Missing parameter", f"{', '.join(missing)} must be given")
    store = call.instance.store
    if table not in store.schema or store.get(table, sys_id) is None:
        raise no_such_record()
    if not call.instance.access.allowed(call.user, "read", table):
        raise no_such_record()
    _check_writable(call, table, "Insert")
    _check_file(call, file)
    attachment = attachment_files.save(store, file, table, sys_id, by=call.user.name)
    location = f"{call.instance.url}/api/now/attachment/{attachment}"
    return json_answer(201, {"result": _shown(call, _found(call, attachment))}, {"Location": location})


def _check_file(call: Call, file: File) -> None:
    properties = call.instance.properties
    largest = properties.number("com.glide.attachment.max_size", 1024)
    if len(file.content) > largest * MEGABYTE:
        raise Refusal(400, "Failed to save the attachment", f"The file is larger than {largest} MB")
    allowed = [
        each.strip().casefold() for each in properties.text("glide.attachment.extensions").split(",") if each.strip()
    ]
    if allowed and file.name.rpartition(".")[2].casefold() not in allowed:
        raise Refusal(400, "Failed to save the attachment", f"Files like {file.name} are not allowed")


def _check_writable(call: Call, table: str, operation: str) -> None:
    access = call.instance.access
    if not access.allowed(call.user, "create", ATTACHMENT) or not access.allowed(call.user, "write", table):
        raise forbidden(operation)


def _found(call: Call, sys_id: str) -> Row:
    row = call.instance.store.get(ATTACHMENT, sys_id)
    if row is None or not _readable(call, row):
        raise no_such_record()
    return row


def _readable(call: Call, row: Row) -> bool:
    store, access = call.instance.store, call.instance.access
    table = row["table_name"]
    known = table in store.schema and store.get(table, row["table_sys_id"]) is not None
    return known and access.allowed(call.user, "read", ATTACHMENT) and access.allowed(call.user, "read", table)


def _shown(call: Call, row: Row) -> dict[str, Any]:
    names = {
        name: next(
            (user["name"] for user in call.instance.store.find("sys_user", {"user_name": row[column]})), row[column]
        )
        for name, column in (("created_by_name", "sys_created_by"), ("updated_by_name", "sys_updated_by"))
    }
    link = f"{call.instance.url}/api/now/attachment/{row['sys_id']}/file"
    return {**{name: row[name] for name in SHOWN}, "download_link": link, **names}


def _whole(call: Call, name: str, default: int) -> int:
    text = call.parameters.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else default
