"""BC's modification stamps: read from any precision, compared as moments, written one way only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""What BC gives for a record that was never modified since the upgrade that brought stamps."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parse_stamp(text: str) -> datetime:
    """The moment, in UTC, to the microsecond (BC writes milliseconds with trailing zeros trimmed).

    Raises ValueError when the text is no date-time with a zone.
    """
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError("not a date-time with a zone")
    seconds, fraction, zone = match.groups()
    moment = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
    try:
        return moment.astimezone(UTC) + timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6] or 0))
    except OverflowError as error:
        raise ValueError("date-time out of range") from error


def stamp_text(moment: datetime) -> str:
    """The moment as fixed-width UTC text with microseconds: text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
