"""The words of the filter language: text cut into tokens, and tokens read as constants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tests.sandbox.business_central.errors import bad_syntax

_TOKENS = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?![\w-])
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d))(?![\w.:-])
    | (?P<date>\d{4}-\d\d-\d\d)(?![\w:-])
    | (?P<number>-?\d+(?:\.\d+)?)(?![\w.:-])
    | (?P<word>[A-Za-z_][\w/]*)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Literal:
    """A constant of a filter; `kind` is one of string, guid, date, datetime, number, bool, null."""

    kind: str
    value: str | date | datetime | Decimal | bool | None


@dataclass(frozen=True)
class Token:
    """A word of the filter language and where it stands."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The filter cut into tokens."""
    found = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKENS.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_syntax(f"Syntax error at position {position} in '{text}'.")
        found.append(Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        position = match.end()
    return found


def literal(token: Token) -> Literal:
    """The constant that a token stands for."""
    try:
        match token.kind:
            case "string":
                return Literal("string", token.text[1:-1].replace("''", "'"))
            case "guid":
                return Literal("guid", token.text.lower())
            case "datetime":
                return Literal("datetime", _moment(token.text))
            case "date":
                return Literal("date", date.fromisoformat(token.text))
            case "number":
                return Literal("number", Decimal(token.text))
            case "word" if token.text in {"true", "false"}:
                return Literal("bool", token.text == "true")
            case "word" if token.text == "null":
                return Literal("null", None)
    except ValueError as error:
        raise bad_syntax(f"Unrecognized literal '{token.text}' at position {token.position}.") from error
    raise bad_syntax(f"Expression expected at position {token.position}.")


def _moment(text: str) -> datetime:
    head, dot, tail = text.partition(".")
    if dot:
        # Python 3.11 reads at most six digits of a second, OData allows seven.
        digits = re.match(r"\d+", tail)
        width = digits.end() if digits else 0
        text = f"{head}.{tail[:width][:6].ljust(6, '0')}{tail[width:]}"
    return datetime.fromisoformat(text)
