"""The watermark: how far change detection has come, and which seen changes it may pass over.

Rules: the watermark is the highest BC stamp that is durably queued, but never later than BC's own clock showed: a stamp from
the future (of a server whose clock was wrong) would carry it past changes to come. It is moved only after the queue has the
references; each poll reads again from `overlap` behind it, inclusively, without an upper bound; only BC's own stamps and clock
count, never a clock of ours. `recent` remembers what was queued inside the overlap, so that reading it again costs nothing
downstream. It is a convenience: what is forgotten is queued once more and skipped by its ledger row.
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


def advance(cursor: Cursor, queued: Sequence[Reference], overlap: timedelta, bc_now: datetime) -> Cursor:
    """The cursor after these references are durably queued, when BC's clock showed `bc_now`.

    Moves back only when BC's clock was set back behind it.
    """
    if not queued and (cursor.watermark is None or cursor.watermark <= bc_now):
        return cursor
    stamps = [reference.seen for reference in queued]
    watermark = min(max(stamps if cursor.watermark is None else [cursor.watermark, *stamps]), bc_now)
    recent = dict(cursor.recent) | {reference.id: reference.seen for reference in queued}
    floor = read_from(Cursor(watermark), overlap) or NEVER
    kept = sorted(((seen, id_) for id_, seen in recent.items() if seen >= floor), reverse=True)[:MAX_RECENT]
    return Cursor(watermark, {id_: seen for seen, id_ in kept})


def stay(cursor: Cursor, queued: Sequence[Reference], overlap: timedelta, bc_now: datetime) -> Cursor:
    """As `advance`, but the watermark does not move on: something before these references could not be queued."""
    ahead = advance(cursor, queued, overlap, bc_now)
    if cursor.watermark is None or ahead.watermark is None:
        return Cursor(None, ahead.recent)
    return Cursor(min(cursor.watermark, ahead.watermark), ahead.recent)
