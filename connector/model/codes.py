"""Codes: how Business Central keeps the short names of its records, and how long texts of it may be."""

from __future__ import annotations

LONGEST_CODE = 20
LONGEST_NAME = 50
RESERVED = "(CONFLICT)"
"""A code that BC uses internally and refuses (table "Dimension Value")."""


def as_code(text: str) -> str:
    """As BC keeps a code: in capitals, without blanks around. What has no single capital letter (ß) stays."""
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text.strip())


def length(text: str) -> int:
    """As BC counts characters: in units of UTF-16, of which some characters take two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
