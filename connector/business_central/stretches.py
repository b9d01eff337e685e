"""Stretches: a feed's changes between two stamps, in the order of their stamps, and windows on them around records that BC
cannot list.

A record that BC cannot list breaks every answer that would hold it. It is looked for by halves, so that the others are seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from connector.business_central.odata import decoded_word, guid, moment, query
from connector.business_central.session import SYSTEM, BusinessCentralSession, Json, PageBroken
from connector.errors import Outage
from connector.model.documents import POSTED
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp
from connector.setting_words import Company

ROUNDING = timedelta(milliseconds=50)
"""SQL and AL round stamps differently; the base application's own webhook code (codeunit API Webhook Notification Send) allows
for as much."""
BEFORE_ALL_STAMPS = datetime(1900, 1, 1, tzinfo=UTC)
"""No record was stamped before: up to here are exactly the records without a stamp, however a database keeps that."""
BARE = "id,lastModifiedDateTime"
"""What BC has for every record, however broken what it refers to."""
_NUMBERS: Mapping[Feed, tuple[str, str]] = {
    # The property with the vendor's number, and the one with the number of another document that may be concerned.
    Feed.ORDERS: ("vendorNumber", ""),
    Feed.INVOICES: ("vendorNumber", "orderNumber"),
    Feed.RECEIPTS: ("vendorNumber", "orderNumber"),
    Feed.CREDIT_MEMOS: ("vendorNumber", "invoiceNumber"),
    Feed.VENDORS: ("", "number"),
}
_WITH_STATUS = frozenset({Feed.ORDERS, Feed.INVOICES, Feed.CREDIT_MEMOS})


@dataclass(frozen=True, slots=True)
class Change:
    """A record that may differ from what is known: its id, its stamp, and the numbers it is searched by.

    `concerns`: the number by which the documents are found that the change concerns besides the record itself; "" for none.
    `status`: of a record that has one; everything else is posted or master data.
    """

    id: str
    number: str
    vendor_number: str
    modified: datetime
    concerns: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Changes between two stamps, both inclusively (None: open), in the order of their stamps or against it."""

    since: datetime | None
    until: datetime | None = None
    newest_first: bool = False

    @property
    def filter(self) -> str:
        """Its bounds as a filter."""
        bounds = []
        if self.since is not None and self.since > NEVER:
            bounds.append(f"lastModifiedDateTime ge {moment(self.since)}")
        if self.until is not None:
            # A literal holds milliseconds, rounded down: without the allowance it could cut off what bears the stamp itself.
            bounds.append(f"lastModifiedDateTime le {moment(max(self.until + ROUNDING, BEFORE_ALL_STAMPS))}")
        return " and ".join(bounds)

    def rest(self, first: datetime, edge: datetime) -> Stretch:
        """What is left of it from the stamp `edge` on, inclusively; the same when that would still hold the stamp `first`."""
        if self.newest_first:
            return replace(self, until=edge) if edge + ROUNDING < first else self
        return replace(self, since=edge) if moment(edge) > moment(first) else self

    @property
    def order(self) -> str:
        """Its order; records of one stamp in that of their ids."""
        way = "desc" if self.newest_first else "asc"
        return f"lastModifiedDateTime {way},id {way}"


class Window:
    """Reads a part of a stretch by its place in the order. `passed`: how many records the last part held; `edge`: the stamp of
    the last of them, None when it could not be listed."""

    def __init__(self, session: BusinessCentralSession, company: Company, feed: Feed, stretch: Stretch) -> None:
        self._session = session
        self._company = company
        self._feed = feed
        self._stretch = stretch
        self.unlisted = 0
        self.passed = 0
        self.edge: datetime | None = None
        self.at = NEVER

    def read(self, start: int, size: int) -> list[Change]:
        """The changes from place `start` on, at most `size`. Raises `PageBroken` when they are too many, `Outage`."""
        self.passed = 0
        return list(self._read(start, size))

    def moves_on(self, first: datetime) -> bool:
        """Lets the stretch begin with the stamp of the last record read, if the one read first has another; whether it does."""
        rest = self._stretch if self.edge is None else self._stretch.rest(first, self.edge)
        self._stretch, before = rest, self._stretch
        return rest is not before

    def _read(self, start: int, size: int) -> Iterator[Change]:
        try:
            rows = self._rows(start, size, columns(self._feed))
        except PageBroken as broken:
            if broken.cause != "data":
                raise
            if size == 1:
                yield from self._alone(start)
                return
            half = size // 2
            yield from self._read(start, half)
            yield from self._read(start + half, size - half)
            return
        self.passed += len(rows)
        for row in rows:
            change = change_in(row, self._feed)
            self.edge = change.modified
            yield change

    def _alone(self, start: int) -> Iterator[Change]:
        """The record that breaks its page, with nothing but id and stamp, if BC gives those."""
        self.passed += 1
        self.edge = None
        try:
            for row in self._rows(start, 1, BARE):
                self.edge = parse_stamp(row["lastModifiedDateTime"])
                yield Change(guid(row["id"]), "", "", self.edge)
        except (PageBroken, KeyError, TypeError, ValueError):
            self.unlisted += 1

    def _rows(self, start: int, size: int, selected: str) -> list[Json]:
        path = address(self._company, self._feed, self._stretch, selected, top=str(size), skip=str(start))
        rows: list[Json] = []
        for page in self._session.pages(path, page_size=size):
            self.at = page.at
            rows += page.rows
        return rows


def set_path(company: Company, name: str) -> str:
    """The address of a record set of the company."""
    return f"companies({guid(company.id)})/{name}"


def columns(feed: Feed) -> str:
    """What is asked for of each record."""
    more = sorted({name for name in _NUMBERS[feed] if name and name != "number"})
    if feed in _WITH_STATUS:
        more.append("status")
    return ",".join(["id", "number", *more, "lastModifiedDateTime"])


def listed(feed: Feed) -> str:
    """What is asked for of each record of a listing."""
    return "id,number,status,lastModifiedDateTime" if feed in _WITH_STATUS else "id,number,lastModifiedDateTime"


def status_of(row: Json, feed: Feed) -> str:
    """The status that a row tells. Raises KeyError."""
    return decoded_word(row["status"]) if feed in _WITH_STATUS else POSTED


def address(company: Company, feed: Feed, stretch: Stretch, selected: str, **more: str) -> str:
    """The address of the records in the stretch, in its order."""
    return f"{set_path(company, feed)}?{query(filter=stretch.filter, orderby=stretch.order, select=selected, **more)}"


def change_in(row: Json, feed: Feed) -> Change:
    """The change that a row tells of. Raises `Outage`."""
    vendor, other = _NUMBERS[feed]
    try:
        return Change(
            id=guid(row["id"]),
            number=writable(row["number"]),
            vendor_number=writable(row[vendor]) if vendor else "",
            modified=parse_stamp(row["lastModifiedDateTime"]),
            concerns=writable(row[other]) if other else "",
            status=status_of(row, feed),
        )
    except (KeyError, TypeError, ValueError) as error:
        # Without id and stamp nothing can be queued, and passing over it would lose it: the cursor must stand still.
        raise Outage(SYSTEM, f"a changed record has no readable id or stamp ({error})") from error


def writable(text: object) -> str:
    """The text with half characters (lone surrogates) replaced: nothing could store them. Reading the document parks it."""
    return str(text).encode("utf-8", "replace").decode()
