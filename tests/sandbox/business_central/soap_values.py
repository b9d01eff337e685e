"""How SOAP writes a page's fields: their element names, their types in the schema, their values as text and back.

Option members are named like controls, a blank one is ``_blank_``. Array controls bore their index in brackets, which XML names
escape, up to version 14; later pages number them. A document page shows one document type only and has no field for it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.sandbox.business_central.encoding import datetime_text, number_text
from tests.sandbox.business_central.entities import BLANKS
from tests.sandbox.business_central.page_fields import PageField, service_name
from tests.sandbox.business_central.page_services import LinePart, PageService
from tests.sandbox.business_central.records import Value
from tests.sandbox.business_central.soap_envelope import client_fault, nav_fault

LAST_WITH_INDEXES = 14
BLANK_OPTION = "_blank_"
_ARRAY = re.compile(r"(ShortcutDimCode)(\d)")
_HIDDEN = frozenset({"Document_Type"})
_TYPES = {
    "text": "string",
    "date": "date",
    "datetime": "dateTime",
    "decimal": "decimal",
    "int": "int",
    "bool": "boolean",
}
_CODE_NAMES = re.compile(r"(.*_)?(No|Code)|ShortcutDimCode\d|On_Hold")
_NO_CODES = frozenset({"Phone_No", "VAT_Registration_No"})


def shown_fields(page: PageService | LinePart) -> list[PageField]:
    """The fields that SOAP shows of a page or of its lines."""
    return [each for each in page.fields if each.name not in _HIDDEN]


def read_key(service: PageService) -> list[PageField]:
    """The key fields that a Read names."""
    return [service.field_by_name[name] for name in service.key if name not in _HIDDEN]


def element_name(field: PageField, version: int) -> str:
    """The name of a field's element in a version."""
    if version > LAST_WITH_INDEXES:
        return field.name
    return _ARRAY.sub(r"\1_x005B_\2_x005D_", field.name)


def schema_type(field: PageField) -> str:
    """The type of a field in the schema, without its prefix; an option's own type is named as the field."""
    return field.name if field.members else _TYPES[field.kind]


def is_code(field: PageField) -> bool:
    """Whether a field holds codes, which are upper-case and trimmed."""
    return not field.members and _CODE_NAMES.fullmatch(field.name) is not None and field.name not in _NO_CODES


def option_name(word: str) -> str:
    """The name of an option member."""
    return service_name(word) or BLANK_OPTION


def text_of(field: PageField, value: Value) -> str:
    """A value as the text of its element."""
    if field.members:
        return option_name(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return datetime_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return number_text(value) if isinstance(value, Decimal) else str(value)


def value_of(field: PageField, text: str) -> Value:
    """The value that an element's text stands for, or `SoapFault`."""
    if field.members:
        found = next((word for word in field.members if option_name(word) == text), None)
        if found is None:
            raise client_fault(f"Instance validation error: '{text}' is not a valid value for {field.name}.")
        return found
    try:
        value = _parsed(field, text)
    except (ValueError, KeyError, InvalidOperation):
        raise client_fault(f"The string '{text}' is not a valid {_TYPES[field.kind]} value.") from None
    if field.length and len(str(value)) > field.length:
        raise nav_fault(
            "NavNCLStringLengthExceededException",
            f"The length of the string is {len(str(value))}, but it must be less than or equal to {field.length} "
            f"characters. Value: {value}",
        )
    return value


def _parsed(field: PageField, text: str) -> Value:
    if field.kind == "text":
        return text.strip().upper() if is_code(field) else text
    stripped = text.strip()
    if not stripped:
        return BLANKS[field.kind]
    readers: dict[str, Any] = {
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
        "decimal": Decimal,
        "int": int,
        "bool": {"true": True, "1": True, "false": False, "0": False}.__getitem__,
    }
    value: Value = readers[field.kind](stripped)
    return value
