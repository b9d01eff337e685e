"""Tracking: a table of ServiceNow is read in the order in which its records were changed, so that no change is missed.

A record's stamp (sys_updated_on) has whole seconds, by the instance's clock. Any number of records may share one second, so a
page that ends inside a second is followed by that second's further records, by id, before later seconds are read. A
transaction that began earlier may commit later, with a stamp that was passed already: so each pass begins an overlap behind
the last, and never behind what the instance's clock showed when the last one began. Only the instance's own stamps and clock
count, never a clock of ours.

Queries are plain conjunctions. Alternatives (^NQ) are not used: how an order applies to them is not documented, and a
condition that the instance drops without a word would be harder to notice. Each row is checked against what was asked.

Source: "Table API" and "Encoded query strings" of ServiceNow's documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

UPDATED = "sys_updated_on"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)
"""How much later than its stamp a change may appear: twice as long as an instance lets a transaction run by default."""
SECOND = timedelta(seconds=1)
_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Mark:
    """A record's place in the order of changes."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: with the records of the second `at` whose id is greater; without an id, with all from that second
    on. `skip`: how many of these to leave out, because access rules hide them and so they have no place to go on from."""

    at: datetime
    id: str = ""
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table was read. `watermark`: the latest change that is on record (None: none yet).

    While a pass over the table is not at its end: `position`, where it goes on, and `ceiling`, beyond which the watermark must
    not come with it: the instance's clock when it began, or the stamp of a record that could not be put on record.
    """

    watermark: datetime | None = None
    position: Position | None = None
    ceiling: datetime | None = None


def beginning(progress: Progress) -> Position:
    """Where to read now: where the pass was left, or the overlap behind the watermark."""
    if progress.position is not None:
        return progress.position
    return Position(BEGINNING if progress.watermark is None else max(progress.watermark - OVERLAP, BEGINNING))


def condition(position: Position) -> str:
    """The encoded query for the records from this position on, in their order."""
    bound = f"{UPDATED}>={stamp_of(position.at)}"
    if position.id:
        bound += f"^{UPDATED}<={stamp_of(position.at)}^sys_id>{position.id}"
    return f"{bound}^ORDERBY{UPDATED}^ORDERBYsys_id"


def as_asked(position: Position, marks: Sequence[Mark]) -> bool:
    """Whether these are records that the condition asks for, in the order it asks for."""
    places = [(mark.at, mark.id.casefold()) for mark in marks]
    if any(earlier >= later for earlier, later in zip(places, places[1:], strict=False)):
        return False
    if not position.id:
        return all(at >= position.at for at, _ in places)
    return all(at == position.at and id_ > position.id.casefold() for at, id_ in places)


def following(position: Position, marks: Sequence[Mark], *, more: bool, limit: int) -> Position | None:
    """Where to read after a page of at most `limit` records; None at the end. `more`: records match that were not in it."""
    if more:
        # Without a record to be seen there is no place to go on from but behind so many more.
        return Position(marks[-1].at, marks[-1].id) if marks else replace(position, skip=position.skip + limit)
    return Position(position.at + SECOND) if position.id else None


def advanced(
    progress: Progress, marks: Sequence[Mark], left: Sequence[Mark], now: datetime, then: Position | None
) -> Progress:
    """The progress after a page. `left`: those of its records that are not on record, because somebody works on their
    documents: the watermark stays behind them. `now`: the instance's clock; `then`: where the pass goes on."""
    ceiling = min([progress.ceiling or now.replace(microsecond=0), *(mark.at for mark in left)])
    known = [mark.at for mark in marks] + ([] if progress.watermark is None else [progress.watermark])
    watermark = min(max(known), ceiling) if known else None
    if then is None:
        return Progress(watermark)
    # What is hidden moves in the order as it changes: how many to leave out holds for this run only.
    return Progress(watermark, replace(then, skip=0), ceiling)


def stamp_of(moment: datetime) -> str:
    """The moment as ServiceNow writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(_FORMAT).rjust(19, "0")


def moment_of(text: str) -> datetime | None:
    """The moment in a stored date and time; None when it is none."""
    try:
        found = datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return found if stamp_of(found) == text else None
