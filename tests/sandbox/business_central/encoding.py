"""How values look on the wire: encoded enum members, trimmed fractions of a second, exact number tokens, ETags."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from tests.sandbox.business_central.entities import BLANKS, Kind, Property
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.records import Value

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@lru_cache(maxsize=4096)
def encode_enum(word: str) -> str:
    """An enum member as its XML name: every UTF-16 unit that no name may hold becomes ``_xHHHH_``.

    An underscore is escaped only where it would be read as the beginning of an escape.
    """
    parts = []
    for position, char in enumerate(word):
        if char == "_":
            parts.append("_x005F_" if _ESCAPED.match(word, position) else "_")
        elif char.isalnum():
            parts.append(char)
        else:
            units = char.encode("utf-16-be")
            parts.extend(f"_x{units[i]:02X}{units[i + 1]:02X}_" for i in range(0, len(units), 2))
    return "".join(parts)


def decode_enum(name: str) -> str:
    """The word behind an encoded enum member."""
    units = b""
    position = 0
    for match in _ESCAPED.finditer(name):
        units += name[position : match.start()].encode("utf-16-be") + bytes.fromhex(match.group(1))
        position = match.end()
    return (units + name[position:].encode("utf-16-be")).decode("utf-16-be")


@lru_cache(maxsize=4096)
def datetime_text(stamp: datetime) -> str:
    """UTC with milliseconds, their trailing zeros cut: ``…:10.62Z``, ``…:25Z``."""
    stamp = stamp.astimezone(UTC) if stamp.year > 1 else stamp
    text = stamp.strftime("%H:%M:%S")
    fraction = f"{stamp.microsecond // 1000:03d}".rstrip("0")
    return f"{stamp.date().isoformat()}T{text}{'.' + fraction if fraction else ''}Z"


@lru_cache(maxsize=8192)
def number_text(number: Decimal) -> str:
    """The exact number without trailing zeros or exponent."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


@lru_cache(maxsize=16384)
def string_json(text: str) -> str:
    """The text as a JSON string; letters beyond ASCII stay themselves."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(text: str) -> str:
    return f'"{text}"'


_ENCODERS: dict[Kind, Callable[[Any], str]] = {
    "guid": _quoted,
    "text": string_json,
    "date": lambda value: f'"{value.isoformat()}"',
    "datetime": lambda value: f'"{datetime_text(value)}"',
    "decimal": number_text,
    "int": str,
    "long": str,
    "bool": lambda value: "true" if value else "false",
    "enum": lambda value: f'"{encode_enum(value)}"',
}


def encoder(kind: Kind) -> Callable[[Any], str]:
    """The function that writes a value of the kind as JSON text."""
    return _ENCODERS[kind]


def etag(version: int) -> str:
    """The ETag of a row version: opaque, 44 characters, another one after every write."""
    token = f"'20;{version:020d}1;00;'"
    return f'W/"{base64.b64encode(token.encode()).decode()}"'


def is_guid(text: str) -> bool:
    """Whether the text is a guid without braces."""
    return _GUID.fullmatch(text) is not None


def decode(prop: Property, value: Any) -> Value:
    """The raw value of one JSON property of a request body, or `Refusal`."""
    try:
        decoded = _decode(prop, value)
    except (ValueError, InvalidOperation, TypeError, AttributeError):
        decoded = None
    if decoded is None:
        raise Refusal(400, "BadRequest", f"Unable to convert value of '{prop.name}' to {prop.kind.capitalize()}.")
    if prop.length and len(str(decoded)) > prop.length:
        raise Refusal(
            400,
            "Application_StringExceededLength",
            f"The length of the string is {len(str(decoded))}, but it must be less than or equal to {prop.length} "
            f"characters. Value: {decoded}",
        )
    return decoded


def _decode(prop: Property, value: Any) -> Value | None:
    if value is None:
        return BLANKS[prop.kind]
    match prop.kind:
        case "text":
            return value if isinstance(value, str) else None
        case "guid":
            return value.lower() if is_guid(value) else None
        case "date":
            return date.fromisoformat(value)
        case "datetime":
            return datetime.fromisoformat(value)
        case "decimal":
            return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
        case "int" | "long":
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        case "bool":
            return value if isinstance(value, bool) else None
        case "enum":
            word = decode_enum(value)
            return word if word in prop.members else None
