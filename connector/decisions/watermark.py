"""The watermark: how far change detection has come, and which seen changes it may pass over.

Rules: the watermark is the highest BC stamp that is durably queued; it is moved only after the queue has the references;
each poll reads again from `overlap` behind it, inclusively, without an upper bound; only BC's own stamps count, never a
clock of ours. `recent` remembers what was queued inside the overlap, so that reading it again costs nothing downstream. It
is a convenience: what is forgotten is queued once more and skipped by its ledger row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.model.stamps import NEVER
from connector.model.units import Reference

MAX_RECENT = 400


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where one entity of one company stands. `watermark` None: nothing was ever queued."""

    watermark: datetime | None = None
    recent: Mapping[str, datetime] = field(default_factory=dict)


def read_from(cursor: Cursor, overlap: timedelta) -> datetime | None:
    """The lower bound of the next poll, inclusive; None reads everything (records may carry no stamp at all)."""
    if cursor.watermark is None or cursor.watermark - NEVER <= overlap:
        return None
    return cursor.watermark - overlap


def fresh(cursor: Cursor, seen: Sequence[Reference]) -> list[Reference]:
    """Those not queued yet at that stamp; of several of one id in the sequence, the newest."""
    newest: dict[str, Reference] = {}
    for reference in seen:
        known = newest.get(reference.id)
        if known is None or reference.seen >= known.seen:
            newest[reference.id] = reference
    return [reference for reference in newest.values() if cursor.recent.get(reference.id) != reference.seen]


def advance(cursor: Cursor, queued: Sequence[Reference], overlap: timedelta) -> Cursor:
    """The cursor after these references are durably queued. Never moves back."""
    if not queued:
        return cursor
    highest = max(reference.seen for reference in queued)
    watermark = highest if cursor.watermark is None else max(cursor.watermark, highest)
    recent = dict(cursor.recent) | {reference.id: reference.seen for reference in queued}
    floor = read_from(Cursor(watermark), overlap) or NEVER
    kept = sorted(((seen, id_) for id_, seen in recent.items() if seen >= floor), reverse=True)[:MAX_RECENT]
    return Cursor(watermark, {id_: seen for seen, id_ in kept})
