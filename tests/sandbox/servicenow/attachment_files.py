"""Attachments as rows: what a file is called and hangs on, and its bytes; and the body of a multipart upload taken apart."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import dataclass

from tests.sandbox.servicenow.schema import Column, Table, reference
from tests.sandbox.servicenow.store import Row, Store

ATTACHMENT, DOCUMENT = "sys_attachment", "sys_attachment_doc"
ATTACHMENT_TABLES = (
    Table(
        ATTACHMENT,
        (
            Column("file_name", max_length=255, display=True),
            Column("table_name", max_length=80),
            Column("table_sys_id", max_length=32, label="Table sys ID"),
            Column("content_type", max_length=255),
            Column("size_bytes", type="integer"),
            Column("size_compressed", type="integer"),
            Column("compressed", type="boolean", default="true"),
            Column("image_height"),
            Column("image_width"),
            Column("average_image_color"),
        ),
        label="Attachment",
    ),
    Table(
        DOCUMENT,
        (reference("sys_attachment", ATTACHMENT), Column("data", max_length=2_000_000_000)),
        label="Attachment Document",
    ),
)


@dataclass(frozen=True)
class File:
    """A file as a client sends it."""

    name: str
    type: str
    content: bytes


def save(store: Store, file: File, table: str, sys_id: str, *, by: str = "system") -> str:
    """Stores a file for a record and returns the attachment's sys_id. The same file again is another attachment."""
    packed = gzip.compress(file.content, mtime=0)
    row = {
        "file_name": file.name,
        "table_name": table,
        "table_sys_id": sys_id,
        "content_type": file.type,
        "size_bytes": str(len(file.content)),
        "size_compressed": str(len(packed)),
    }
    attachment = store.insert(ATTACHMENT, row, by=by)
    store.insert(DOCUMENT, {"sys_attachment": attachment, "data": base64.b64encode(packed).decode()}, by=by)
    return attachment


def content(store: Store, attachment: str) -> bytes:
    """The bytes of an attachment."""
    return b"".join(
        gzip.decompress(base64.b64decode(row["data"])) for row in store.find(DOCUMENT, {"sys_attachment": attachment})
    )


def remove(store: Store, attachment: str) -> None:
    """Removes an attachment with its bytes."""
    for row in list(store.find(DOCUMENT, {"sys_attachment": attachment})):
        store.delete(DOCUMENT, row["sys_id"])
    store.delete(ATTACHMENT, attachment)


def files_of(store: Store, sys_id: str) -> list[Row]:
    """The attachments of a record."""
    return list(store.find(ATTACHMENT, {"table_sys_id": sys_id}))


def copy_files(store: Store, source: str, table: str, target: str) -> None:
    """Copies the files of one record to another that does not have them yet, by name and size."""
    known = {(row["file_name"], row["size_bytes"]) for row in files_of(store, target)}
    for row in files_of(store, source):
        if (row["file_name"], row["size_bytes"]) not in known:
            save(store, File(row["file_name"], row["content_type"], content(store, row["sys_id"])), table, target)


def multipart(body: bytes, content_type: str) -> tuple[dict[str, str], File | None]:
    """The fields that come before the first file, and that file; what follows it is not read."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    fields: dict[str, str] = {}
    if found is None:
        return fields, None
    for part in body.split(b"--" + found[1].encode())[1:]:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = head.decode("utf-8", "replace")
        name = re.search(r'\bname="([^"]*)"', headers)
        file_name = re.search(r'\bfilename="([^"]*)"', headers)
        data = data.removesuffix(b"\r\n")
        if file_name is not None:
            kind = re.search(r"(?i)^content-type:\s*([^\r\n]+)", headers, re.MULTILINE)
            return fields, File(file_name[1], kind[1].strip() if kind else "application/octet-stream", data)
        if name is not None:
            fields[name[1]] = data.decode("utf-8", "replace")
    return fields, None
