"""Records as SOAP shows them: their elements, their ``Key`` and their record id.

A key is opaque to clients. It holds the position of the record (its table and primary key) and the version of its row, so that
it changes with every change of the row, and still says where the record stood when it is gone. Its form follows recorded ones.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_services import LinePart, PageRow, PageService
from tests.sandbox.business_central.soap_envelope import SoapFault, element, nav_fault
from tests.sandbox.business_central.soap_values import element_name, is_code, shown_fields, text_of

TABLES = {
    "Payment Terms": 3,
    "Location": 14,
    "G/L Account": 15,
    "Vendor": 23,
    "Purchase Header": 38,
    "Purchase Line": 39,
    "Purch. Inv. Header": 122,
    "Purch. Inv. Line": 123,
    "Dimension Value": 349,
}
# The first number of tables that belong to a customer.
_OWN_TABLE = 50_000
_LINE_TABLES = {"Purchase Header": "Purchase Line", "Purch. Inv. Header": "Purch. Inv. Line"}
_KEY = re.compile(r"(\d+);([A-Za-z0-9+/]+=*)\d+;(\d+);")


@dataclass(frozen=True)
class RecordKey:
    """What a key says: the table, the primary key as text, the version of the row."""

    table: int
    position: tuple[str, ...]
    version: int


def row_key(service: PageService, row: PageRow) -> RecordKey:
    """The key of a row of the service."""
    return RecordKey(table_number(service), position(row), row.record.version)


def table_number(service: PageService) -> int:
    """The number of the table that a page shows."""
    return TABLES.get(service.table, _OWN_TABLE)


def position(row: PageRow) -> tuple[str, ...]:
    """Where a row stands among the others of its table."""
    return tuple(str(part) for part in row.key)


def key_text(key: RecordKey) -> str:
    """A key as it is written."""
    fields = b"".join(part.encode("utf-16-le") + b"\0\0" for part in key.position)
    place = base64.b64encode(key.table.to_bytes(4, "little") + fields).decode()
    # Recorded keys have a small number behind the place; what it says is not known.
    return f"{len(place)};{place}{len(str(key.version)) - 1};{key.version};"


def read_key_text(text: str) -> RecordKey:
    """What a written key says, or `SoapFault`."""
    match = _KEY.fullmatch(text.strip())
    length = int(match.group(1)) if match is not None and len(match.group(1)) < 9 else 0
    if match is None or not length:
        raise _no_key(text)
    try:
        content = base64.b64decode(text.strip().partition(";")[2][:length], validate=True)
        parts = content[4:].decode("utf-16-le").split("\0")[:-1]
    except (binascii.Error, UnicodeDecodeError):
        raise _no_key(text) from None
    return RecordKey(int.from_bytes(content[:4], "little"), tuple(parts), int(match.group(3)))


def record_id(service: PageService, row: PageRow) -> str:
    """The record id as text: the table's caption and the primary key."""
    return f"{service.table}: {','.join(position(row))}"


def identification(service: PageService, row: PageRow) -> str:
    """The record as messages name it."""
    named = (
        f"{_caption(service.field_by_name[name])}='{part}'"
        for name, part in zip(service.key, position(row), strict=True)
    )
    return f"{service.table} {','.join(named)}"


def record_xml(service: PageService, row: PageRow, version: int, *, blanks: bool) -> str:
    """A row as an element; `blanks`: whether empty texts are sent."""
    text = element("Key", key_text(row_key(service, row)))
    text += _fields_xml(service, row, version, blanks=blanks)
    part = service.lines
    if part is not None and row.lines:
        lines = "".join(_line_xml(service, part, line, version, blanks=blanks) for line in row.lines)
        text += f"<{part.name}>{lines}</{part.name}>"
    return f"<{service.name}>{text}</{service.name}>"


def _line_xml(service: PageService, part: LinePart, row: PageRow, version: int, *, blanks: bool) -> str:
    key = RecordKey(TABLES.get(_LINE_TABLES.get(service.table, ""), _OWN_TABLE), position(row), row.record.version)
    text = element("Key", key_text(key)) + _fields_xml(part, row, version, blanks=blanks)
    return f"<{part.element}>{text}</{part.element}>"


def _fields_xml(page: PageService | LinePart, row: PageRow, version: int, *, blanks: bool) -> str:
    texts: Sequence[tuple[PageField, str]] = [
        (each, text_of(each, row.values[each.name])) for each in shown_fields(page)
    ]
    return "".join(element(element_name(each, version), text) for each, text in texts if text or blanks)


def _caption(field: PageField) -> str:
    words = field.name.replace("_", " ")
    return f"{words}." if is_code(field) and words.endswith("No") else words


def _no_key(text: str) -> SoapFault:
    return nav_fault("NavNCLArgumentException", f"The value '{text}' is not a valid key.")
