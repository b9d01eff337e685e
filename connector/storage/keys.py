"""Keys of table rows: any text made legal for a PartitionKey or RowKey, parts joined by ``|``, and taken apart again.

Azure refuses ``/ \\ # ?`` and control characters in keys, and ``%`` is known to break clients ("Understanding the Table
service data model", characters disallowed in key fields). Such characters, ``|`` and the escape sign itself become
``~`` and two hexadecimal digits per UTF-8 byte; everything else stays readable. A key holds 1 KiB, that is 512 UTF-16
units: a longer part is cut and completed with a hash of its whole text, so that it stays unique.
"""

from __future__ import annotations

import hashlib
import re

MAX_UNITS = 512
"""UTF-16 units of a whole key. The emulator refuses one more; Azure's pages say 1 KiB in one place, 1,024 in another."""

_SEPARATOR = "|"
_AFTER_SEPARATOR = chr(ord(_SEPARATOR) + 1)
_ESCAPE = "~"
_CUT = "~~"
_HASH_DIGITS = 40
# Surrogates are lone here: Python joins pairs. They have no UTF-8 form that a JSON body could carry.
_UNSAFE = re.compile(r"[/\\#?%|~\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ILLEGAL = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED = re.compile(r"(?:~[0-9A-F]{2})+")


def key_part(text: str, *, limit: int = MAX_UNITS) -> str:
    """One part of a key: reversible by `split`, unless longer than `limit` UTF-16 units; then cut, with a hash."""
    escaped = [_escape(character) for character in text]
    if _units("".join(escaped)) <= limit:
        return "".join(escaped)
    room = limit - len(_CUT) - _HASH_DIGITS
    if room < 0:
        raise ValueError(f"a key part needs room for {len(_CUT) + _HASH_DIGITS} characters, not {limit}")
    kept: list[str] = []
    for piece in escaped:
        room -= _units(piece)
        if room < 0:
            break
        kept.append(piece)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return "".join(kept) + _CUT + digest


def join(*parts: str) -> str:
    """A whole key of raw parts. Parts that make it too long are cut to an equal share of the room."""
    if not parts:
        raise ValueError("a key has at least one part")
    key = _SEPARATOR.join(key_part(part) for part in parts)
    if _units(key) <= MAX_UNITS:
        return key
    share = (MAX_UNITS - (len(parts) - 1)) // len(parts)
    return _SEPARATOR.join(key_part(part, limit=share) for part in parts)


def split(key: str) -> tuple[str, ...]:
    """The raw parts of a key. A part that was cut comes back as its beginning, ``~~`` and the hash: keep the whole text
    in a column where it is needed."""
    return tuple(_unescape(part) for part in key.split(_SEPARATOR))


def below(*parts: str) -> tuple[str, str]:
    """The range (start, stop) of all keys that begin with these parts and have more, for `TableStore.query`."""
    prefix = join(*parts)
    return prefix + _SEPARATOR, prefix + _AFTER_SEPARATOR


def require_legal(key: str) -> str:
    """The key itself; `ValueError` when storage would refuse it."""
    if found := _ILLEGAL.search(key):
        raise ValueError(f"character {found.group()!r} is not allowed in a key")
    if _units(key) > MAX_UNITS:
        raise ValueError(f"a key holds {MAX_UNITS} UTF-16 units, not {_units(key)}")
    return key


def _escape(character: str) -> str:
    if not _UNSAFE.match(character):
        return character
    return "".join(f"{_ESCAPE}{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _unescape(part: str) -> str:
    def raw(found: re.Match[str]) -> str:
        return bytes.fromhex(found.group().replace(_ESCAPE, "")).decode("utf-8", "surrogatepass")

    # A hash after the cut could look like an escape.
    begun, cut, digest = part.partition(_CUT)
    return _ESCAPED.sub(raw, begun) + cut + digest


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
