"""The OData dialect of Business Central's API: literals, encoded enumeration words, blank values, pinned links."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from urllib.parse import SplitResult, quote, urlsplit

from connector.errors import Outage

BLANK_GUID = "00000000-0000-0000-0000-000000000000"

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def decoded_word(word: str) -> str:
    """An enumeration member as a person would write it: In_x0020_Review is In Review, the blank member is ""."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), word).strip()


def guid(text: str) -> str:
    """A GUID literal (bare, lower case). Raises ValueError for anything else, so no text of a record reaches a query."""
    if not _GUID.fullmatch(text):
        raise ValueError("not a GUID")
    return text.lower()


def literal(text: str) -> str:
    """A string literal: in quotes, with quotes inside doubled."""
    return "'" + text.replace("'", "''") + "'"


def moment(stamp: datetime) -> str:
    """A date-time literal: UTC, milliseconds, rounded down so that a lower bound never rises."""
    utc = stamp.astimezone(UTC)
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def blank_to_none(value: date | None) -> date | None:
    """BC's empty date is 0001-01-01."""
    return None if value is None or value.year == 1 else value


def query(**options: str) -> str:
    """A query string of $-options, percent-encoded as BC takes it; options that are empty are left out."""
    return "&".join(
        f"${name}={quote(text, safe='()$,;:=' + chr(39)).replace('%20', '+')}" for name, text in options.items() if text
    )


def any_of(field: str, ids: Iterable[str]) -> str:
    """A filter for several GUIDs of one field (BC refuses `or` over different fields)."""
    return " or ".join(f"{field} eq {guid(text)}" for text in ids)


def any_text_of(field: str, texts: Iterable[str]) -> str:
    """A filter for several texts of one field."""
    return " or ".join(f"{field} eq {literal(text)}" for text in texts)


def pinned(link: str, base: str) -> str:
    """The next link, if it stays within the base address. Raises `Outage`: a link elsewhere must never get our token."""
    try:
        there, here = urlsplit(link), urlsplit(base)
        inside = there.path.startswith(f"{here.path}/") and ".." not in there.path and "%2e" not in there.path.lower()
        if _origin(there) == _origin(here) and inside and not there.username and not there.password:
            return link
    except ValueError:
        pass  # no address at all
    raise Outage("Business Central", "the next link of a page points outside the API's own address")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
