"""Attachments: what the records of a unit have attached, and one more file for one of them.

The list is read from the table sys_attachment by the Table API, because only that API promises to tell how many rows there are
besides those that access rules let the caller see ("Table API"): a list that is short would have files attached twice. Uploads
go by the "Attachment API", which keeps every one of them as another attachment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from connector.decisions.files import concern, content_type
from connector.decisions.queries import any_of
from connector.errors import ConnectorError, Outage, Refused
from connector.model.catalog import Access
from connector.model.files import Attached
from connector.remote.spool import Spool
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, AnsweredRefusal, ServiceNowSession

TABLE = "sys_attachment"
PATH = "/api/now/attachment/file"
RECORDS_A_QUERY = 20
MOST_ROWS = 1000
SERVER_LIMIT = 60.0
"""Seconds after which the instance has ended an upload ("Default transaction quota rules")."""
UPLOAD_TIMEOUT = 70.0
THUMBNAIL = "ZZ_YY"
"""How ServiceNow marks the small pictures it makes of attached ones: in front of the table's name."""

_SYS_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class FileRefused(ConnectorError):
    """The instance will not have this file; `words` are its own."""

    def __init__(self, words: str) -> None:
        super().__init__(f"{SYSTEM} refuses the file: {words}")
        self.words = words


class RecordClosed(Refused):
    """Nothing can be attached to this one record: it may not be written, or is not there."""


def is_record(table: str, sys_id: str) -> bool:
    """Whether this can name a record."""
    return bool(table) and _SYS_ID.fullmatch(sys_id) is not None


class Attachments:
    """The attachments of one instance's records."""

    def __init__(self, session: ServiceNowSession) -> None:
        self._session = session

    def of(self, records: Sequence[str]) -> dict[str, list[Attached]]:
        """What is attached to each of the records (sys_ids); complete, or it raises `Outage`."""
        found: dict[str, list[Attached]] = {}
        for start in range(0, len(records), RECORDS_A_QUERY):
            found |= self._read(records[start : start + RECORDS_A_QUERY])
        return found

    def attach(self, table: str, sys_id: str, name: str, content: Spool) -> None:
        """Attaches one more file. Raises `FileRefused`, `RecordClosed`, `Ambiguous` when it may be there already, `Outage`."""
        address = urlencode({"table_name": table, "table_sys_id": sys_id, "file_name": name}, quote_via=quote)
        headers = {"Content-Type": content_type(name), "Content-Length": str(content.size)}
        try:
            body = self._session.upload(
                f"{PATH}?{address}", content, headers, timeout=UPLOAD_TIMEOUT, settles_after=SERVER_LIMIT
            )
        except AnsweredRefusal as refusal:
            about = concern(refusal.status, refusal.words)
            if about == "file":
                raise FileRefused(f"{refusal.status} {refusal.words}".strip()) from refusal
            if about == "record":
                raise RecordClosed(
                    SYSTEM,
                    f"answered {refusal.status} ({refusal.words}) to a file for {table}; let the user read and write this "
                    f"record and create rows of {TABLE}",
                ) from refusal
            raise
        kept = _size(body.get("result"))
        if kept is not None and kept != content.size:
            raise FileRefused(f"it kept {kept} of {content.size} bytes; remove what it kept")

    def access(self) -> Access:
        """Whether rows of the table can be read at all. Raises `Outage`."""
        try:
            listed = self._session.listed(
                TABLE, query="ORDERBYsys_id", fields="sys_id,file_name", limit=1, timeout=READ_TIMEOUT
            )
        except AnsweredRefusal as refusal:
            if refusal.status == 401:
                raise
            return "closed"
        if listed.rows:
            return "open"
        return "closed" if listed.total else "unknown"

    def _read(self, records: Sequence[str]) -> dict[str, list[Attached]]:
        listed = self._session.listed(
            TABLE,
            query=f"{any_of('table_sys_id', records)}^ORDERBYsys_created_on^ORDERBYsys_id",
            fields="sys_id,table_name,table_sys_id,file_name,size_bytes",
            limit=MOST_ROWS,
            timeout=READ_TIMEOUT,
        )
        if not all(_asked(row, records) for row in listed.rows):
            raise Outage(SYSTEM, f"the list of {TABLE} holds rows nobody asked for")
        if listed.total != len(listed.rows):
            if len(records) > 1:
                return {key: value for one in records for key, value in self._read([one]).items()}
            raise Refused(
                SYSTEM,
                f"shows {len(listed.rows)} of {listed.total} attachments of a record; let the user read all rows of {TABLE} "
                "that belong to the records it writes",
            )
        found: dict[str, list[Attached]] = {one: [] for one in records}
        for row in listed.rows:
            if not str(row.get("table_name", "")).startswith(THUMBNAIL):
                found[row["table_sys_id"]].append(Attached(str(row.get("file_name", "")), _size(row)))
        return found


def _asked(row: Any, records: Collection[str]) -> bool:
    return (
        isinstance(row, Mapping) and row.get("table_sys_id") in records and "file_name" in row and "size_bytes" in row
    )


def _size(row: Any) -> int | None:
    text = str(row.get("size_bytes", "")) if isinstance(row, Mapping) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None
