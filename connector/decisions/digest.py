"""The daily digest: what is parked and why, where all documents stand, and a seal over the ends of all trails. As plain data.

It names documents by number, never anybody by name: sentences that repeat the words of Business Central, of ServiceNow or of a
file's name are left out, and stand in the list of the parked only.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from connector.model.money import exact_arithmetic, plain_text
from connector.model.stamps import stamp_text

MOST_NUMBERS = 5
MOST_LONGEST = 5
MOST_WORDS = 300
"""Characters of a sentence."""
QUOTING = frozenset(
    "SUPPLIER_NAME_NOT_UNIQUE REJECTED_BY_SERVICENOW ATTACHMENT_TOO_LARGE ATTACHMENT_REFUSED FILE_NOT_READABLE_IN_BC "
    "DOCUMENT_NOT_READABLE_IN_BC DOCUMENT_UNREADABLE UNFORESEEN_FAULT".split()
)
"""Causes whose sentence repeats words that are not ours."""
DAY, SOON = timedelta(hours=20), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked document. `amount`: "" where it is not known; `reasons`: each with code, message and remedy."""

    id: str
    number: str
    amount: str
    currency: str
    age: timedelta
    reasons: Sequence[Mapping[str, object]]

    @property
    def name(self) -> str:
        """Its number, or its id where BC gave it none."""
        return plain(self.number or self.id, 40)

    @property
    def codes(self) -> list[str]:
        """Why it is parked, each cause once."""
        return sorted({str(reason["code"]) for reason in self.reasons})


@dataclass(frozen=True, slots=True)
class Cause:
    """What is parked for one cause in one place. `example`: the document that has been so for the longest time, what is wrong
    with it ("" where the words are not ours) and what to do."""

    code: str
    company: str
    entity: str
    count: int
    amounts: Mapping[str, Decimal]
    oldest: timedelta
    numbers: Sequence[str]
    example: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """An entity of a company. `counts`: documents by state; `causes`: why some are parked; `fresh`: how many of those were not
    so at the time of the last digest; `resolved`: of those that were, how many stand where now (None: it is not known); `head`:
    see `head_line`."""

    company: str
    entity: str
    counts: Mapping[str, int]
    parked: Sequence[Parked]
    causes: Sequence[Cause]
    fresh: int
    resolved: Mapping[str, int] | None
    head: str

    @property
    def seen(self) -> int:
        """All documents ever seen."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything there is to say. `since`: when the last daily digest was made (None: there was none)."""

    at: datetime
    since: datetime | None
    places: Sequence[Place]
    unreadable: int

    @property
    def parked(self) -> int:
        """How many documents are parked."""
        return sum(len(place.parked) for place in self.places)

    @property
    def fresh(self) -> int:
        """How many of them were not, last time."""
        return sum(place.fresh for place in self.places)

    @property
    def resolved(self) -> Mapping[str, int] | None:
        """What was parked last time and is not any more, by the state it is in now; None: not known."""
        total: dict[str, int] = defaultdict(int)
        for place in self.places:
            if place.resolved is None:
                return None
            for status, count in place.resolved.items():
                total[status] += count
        return dict(total)

    @property
    def longest(self) -> list[tuple[Place, Parked]]:
        """What has been parked for the longest time, that first."""
        every = [(place, one) for place in self.places for one in oldest_first(place.parked)[:MOST_LONGEST]]
        return sorted(every, key=lambda item: -item[1].age)[:MOST_LONGEST]


@dataclass(frozen=True, slots=True)
class Room:
    """How long the lists may be: places, and causes (of a place in the data, in all in the text)."""

    places: int
    causes: int


ALL = Room(10_000, 10_000)


def due(last: datetime | None, now: datetime) -> bool:
    """Whether it is time for a daily digest: one for each day (UTC), and none for a timer that runs twice. Timers and the clock
    do not tick together: a full day after the last one it is time, whatever the date says."""
    if last is None:
        return True
    return now - last >= DAY or (now.date() > last.date() and now - last >= SOON)


def mark_of(company: str, entity: str, id_: str) -> str:
    """Eight characters to remember a document by."""
    text = f"{company}|{entity}|{id_}"
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:6]).decode()


def head_line(id_: str, seq: int, head: str) -> bytes:
    """A document's line in the seal of its place: SHA-256 over the lines of all its documents, in the order of their ids.

    Whoever keeps the seals can hold an older copy of the ledger against them, and see whether it is what it was then.
    """
    return f"{id_}|{seq}|{head}\n".encode()


def causes_of(company: str, entity: str, parked: Iterable[Parked]) -> tuple[Cause, ...]:
    """Why documents of a place are parked, the most frequent cause first. A document counts under each of its causes."""
    by_code: dict[str, list[Parked]] = defaultdict(list)
    for one in oldest_first(parked):
        for code in one.codes:
            by_code[code].append(one)
    found = [_cause(code, company, entity, ones) for code, ones in by_code.items()]
    return tuple(sorted(found, key=frequency))


def oldest_first(parked: Iterable[Parked]) -> list[Parked]:
    """What has been parked for the longest time, that first."""
    return sorted(parked, key=lambda one: (-one.age, one.number, one.id))


def frequency(cause: Cause) -> tuple[int, str]:
    """The order in which causes are told."""
    return (-cause.count, cause.code)


def _cause(code: str, company: str, entity: str, ones: Sequence[Parked]) -> Cause:
    oldest = ones[0]
    reason = next(reason for reason in oldest.reasons if reason["code"] == code)
    message = "" if code in QUOTING else plain(str(reason["message"]), MOST_WORDS)
    example = (oldest.name, message, plain(str(reason["remedy"]), MOST_WORDS))
    numbers = [one.name for one in ones[:MOST_NUMBERS]]
    return Cause(code, company, entity, len(ones), _amounts(ones), oldest.age, numbers, example)


def _amounts(ones: Iterable[Parked]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    with exact_arithmetic():
        for one in ones:
            if one.amount:
                totals[plain(one.currency, 10)] += Decimal(one.amount)
    return dict(sorted(totals.items()))


def shown(digest: Digest, room: Room) -> list[Place]:
    """The places there is room for, those with the most parked documents, in their order."""
    by_need = sorted(range(len(digest.places)), key=lambda index: -len(digest.places[index].parked))
    return [digest.places[index] for index in sorted(by_need[: room.places])]


def as_data(digest: Digest, room: Room = ALL) -> dict[str, object]:
    """The digest as JSON's types. Lists longer than the room are cut, and say how much is left out."""
    places = shown(digest, room)
    return {
        "at": stamp_text(digest.at),
        "since": None if digest.since is None else stamp_text(digest.since),
        "documents": sum(place.seen for place in digest.places),
        "parked": digest.parked,
        "newly_parked": digest.fresh,
        "resolved": digest.resolved,
        "unreadable": digest.unreadable,
        "longest": [
            {
                "company": place.company,
                "entity": place.entity,
                "number": one.name,
                "codes": one.codes[:MOST_NUMBERS],
                "hours": hours(one.age),
            }
            for place, one in digest.longest
        ],
        "places": [_place_data(place, room) for place in places],
        "places_left_out": len(digest.places) - len(places),
    }


def _place_data(place: Place, room: Room) -> dict[str, object]:
    causes = place.causes
    return {
        "company": place.company,
        "entity": place.entity,
        "counts": dict(place.counts),
        "newly_parked": place.fresh,
        "resolved": None if place.resolved is None else dict(place.resolved),
        "causes": [_cause_data(cause) for cause in causes[: room.causes]],
        "causes_left_out": max(0, len(causes) - room.causes),
        "heads": {"count": place.seen, "sha256": place.head},
    }


def _cause_data(cause: Cause) -> dict[str, object]:
    number, message, remedy = cause.example
    return {
        "code": cause.code,
        "count": cause.count,
        "amounts": {currency: plain_text(amount) for currency, amount in cause.amounts.items()},
        "oldest_hours": hours(cause.oldest),
        "numbers": list(cause.numbers),
        "numbers_left_out": cause.count - len(cause.numbers),
        "example": {"number": number, "message": message, "remedy": remedy},
    }


def hours(age: timedelta) -> int:
    """Whole hours."""
    return int(age.total_seconds()) // 3600


def plain(text: str, most: int) -> str:
    """One line of printable characters, at most so many: no control characters, no marks that turn the direction of text."""
    begun = text[: 4 * most]
    line = " ".join("".join(character if character.isprintable() else " " for character in begun).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
