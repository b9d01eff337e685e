"""The reader of what changed: ids and stamps of a feed's records since a stamp, and what records there are.

Only a few columns are asked for, so that a page of a thousand changes is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.business_central.odata import guid, query
from connector.business_central.session import SYSTEM, BusinessCentralSession, Page, PageBroken
from connector.business_central.stretches import (
    BARE,
    Change,
    Stretch,
    Window,
    address,
    change_in,
    columns,
    listed,
    set_path,
    status_of,
)
from connector.decisions.paging import next_page_size, smaller
from connector.errors import Outage
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp
from connector.remote.http import AnswerTooSlow
from connector.setting_words import Company

LISTING_PAGE = 20_000
"""The most that BC gives in one page."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes in the order of their stamps. `at`: BC's clock when it answered. `more`: others follow. `whole`: False
    once a record could not be listed, so that what is behind it is not known."""

    changes: list[Change]
    at: datetime
    more: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """All records of an entity that were there at the moment `at` of BC's clock: status, stamp and number by id. `whole`: False
    when BC could not list some of them."""

    statuses: dict[str, str]
    stamps: dict[str, datetime]
    numbers: dict[str, str]
    at: datetime
    whole: bool = True


class ChangeReader:
    """Reads changes and listings from the API v2.0 of one environment."""

    def __init__(self, session: BusinessCentralSession, *, page_size: int) -> None:
        self._session = session
        self._largest = page_size
        self._sizes: dict[Feed, int] = dict.fromkeys(Feed, page_size)

    def changes(self, company: Company, feed: Feed, since: datetime | None) -> Iterator[Changes]:
        """Pages of changes in the order of their stamps, from `since` on, inclusively (None: everything); at least one page.

        There is no upper bound: what is written while pages are read comes at their end. Some changes come twice.
        """
        largest = self._largest
        doubted = ""
        while True:
            # A next link leads on behind the last record of its page, wherever that has been moved to since. So it is followed
            # only among records of one stamp, with an eye on that record (`edge`); else the next page is asked for by stamp.
            start = since or NEVER
            edge: Change | None = None
            try:
                for page in self._session.pages(
                    address(company, feed, Stretch(since), columns(feed)), page_size=lambda: self._sizes[feed]
                ):
                    self._adapt(feed, page, largest)
                    changes = [change_in(row, feed) for row in page.rows]
                    leads_on = not changes or changes[0].modified > start
                    if edge and leads_on and edge.id != doubted and not self._stands(company, feed, edge):
                        doubted = edge.id
                        break
                    yield Changes(changes, page.at, more=page.more)
                    if changes:
                        since = changes[-1].modified
                        if page.more and since > start:
                            break
                        edge = changes[-1] if since == start else None
                else:
                    return
            except AnswerTooSlow:
                # To ask at once for less could take as long again, several times: it is the next poll's business.
                self._sizes[feed] = smaller(self._sizes[feed])
                raise
            except PageBroken as broken:
                if broken.cause == "data":
                    yield from self._around(company, feed, Stretch(since))
                    return
                # Growing again at once could lead to the same refusal, and back to the same stamp, for ever.
                largest = self._smaller(feed, broken)

    def listing(self, company: Company, entity: Entity) -> Listing:
        """Every record that is there now, in pages as large as BC gives; around one that it cannot list, as polls read."""
        try:
            return self._listing(company, entity)
        except PageBroken as broken:
            if broken.cause != "data":
                raise Outage(SYSTEM, f"{entity.value} cannot be listed ({broken})") from broken
        pages = list(self.changes(company, Feed(entity.value), None))
        changes = [change for page in pages for change in page.changes]
        return Listing(
            statuses={change.id: change.status for change in changes},
            stamps={change.id: change.modified for change in changes},
            numbers={change.id: change.number for change in changes},
            at=pages[0].at,
            whole=all(page.whole for page in pages),
        )

    def _listing(self, company: Company, entity: Entity) -> Listing:
        feed = Feed(entity.value)
        path = f"{set_path(company, entity)}?{query(select=listed(feed))}"
        statuses: dict[str, str] = {}
        stamps: dict[str, datetime] = {}
        numbers: dict[str, str] = {}
        moments = []
        try:
            for page in self._session.pages(path, page_size=LISTING_PAGE):
                moments.append(page.at)
                for row in page.rows:
                    id_ = guid(row["id"])
                    statuses[id_] = status_of(row, feed)
                    stamps[id_] = parse_stamp(row["lastModifiedDateTime"])
                    numbers[id_] = str(row["number"])
        except (KeyError, TypeError, ValueError) as error:
            raise Outage(SYSTEM, f"{entity.value} cannot be listed ({error})") from error
        return Listing(statuses, stamps, numbers, moments[0])

    def newest_first(
        self, company: Company, feed: Feed, since: datetime, until: datetime | None, *, page_size: int
    ) -> Iterator[Changes]:
        """Pages of changes from the newest (not after `until`) down to `since`, both inclusively; at least one page.

        Since `NEVER` means everything, at last the records without a stamp. What is changed while pages are read has a newer
        stamp and may not come.
        """
        left = Stretch(since, until, newest_first=True)
        while True:
            try:
                path = address(company, feed, left, columns(feed))
                for page in self._session.pages(path, page_size=page_size):
                    changes = [change_in(row, feed) for row in page.rows]
                    if changes:
                        left = replace(left, until=changes[-1].modified)
                    yield Changes(changes, page.at, more=page.more)
                return
            except PageBroken as broken:
                if broken.cause == "data":
                    yield from self._around(company, feed, left)
                    return
                if page_size == 1:
                    raise Outage(SYSTEM, f"changes of {feed.value} cannot be read: {broken}") from broken
                page_size = smaller(page_size)

    def count(self, company: Company, feed: Feed, since: datetime, until: datetime | None) -> int:
        """How many changes `newest_first` would bring now; 0 when BC cannot say."""
        try:
            body = self._session.get(address(company, feed, Stretch(since, until), "id", top="1", count="true"))
        except PageBroken:
            return 0
        count = body.get("@odata.count")
        return count if isinstance(count, int) else 0

    def _stands(self, company: Company, feed: Feed, change: Change) -> bool:
        """Whether the record still bears that stamp."""
        try:
            row = self._session.get(f"{set_path(company, feed)}({guid(change.id)})?{query(select=BARE)}")
            return parse_stamp(row["lastModifiedDateTime"]) == change.modified
        except (PageBroken, KeyError, TypeError, ValueError):
            return False

    def _adapt(self, feed: Feed, page: Page, largest: int) -> None:
        if len(page.rows) >= self._sizes[feed]:
            self._sizes[feed] = next_page_size(self._sizes[feed], largest, seconds=page.seconds, received=page.size)

    def _smaller(self, feed: Feed, broken: PageBroken) -> int:
        """The size of pages from now on. Raises `Outage` when they cannot be smaller."""
        if self._sizes[feed] == 1:
            raise Outage(SYSTEM, f"changes of {feed.value} cannot be read: {broken}") from broken
        self._sizes[feed] = smaller(self._sizes[feed])
        return self._sizes[feed]

    def _around(self, company: Company, feed: Feed, stretch: Stretch) -> Iterator[Changes]:
        """The changes of the stretch by windows, with the records left out that BC cannot list."""
        window = Window(self._session, company, feed, stretch)
        start = 0
        while True:
            size = self._sizes[feed]
            try:
                found = window.read(start, size)
            except PageBroken as broken:
                self._smaller(feed, broken)
                continue
            yield Changes(found, window.at, more=window.passed >= size, whole=not window.unlisted)
            if window.passed < size:
                return
            # By stamp where that leads on: places shift when a record before them is changed meanwhile.
            start = 0 if found and window.moves_on(found[0].modified) else start + size


def numbers_of(changes: Sequence[Change]) -> list[str]:
    """The numbers of other documents that the changes concern, each once."""
    return sorted({change.concerns for change in changes if change.concerns.strip()})
