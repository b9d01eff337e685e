"""The reader of API v2.0: what changed since a stamp, and whole documents by id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.business_central.codes import CodeBook
from connector.business_central.odata import any_of, decoded_word, guid, literal, moment, query
from connector.business_central.selection import SELECTED, expansion
from connector.business_central.session import BusinessCentralSession, Json, PageBroken
from connector.business_central.wire import canonical, unknown_ids
from connector.errors import DocumentFault, Outage, Reason
from connector.model.documents import Document, Entity
from connector.model.stamps import parse_stamp
from connector.model.units import MAX_REFERENCES
from connector.settings import Company

LISTING_PAGE = 20_000
"""The most that BC gives in one page."""


@dataclass(frozen=True, slots=True)
class Change:
    """A record that may differ from what is known: its id, its stamp, and the numbers it is searched by."""

    id: str
    number: str
    vendor_number: str
    modified: datetime


@dataclass(slots=True)
class Reading:
    """What came of reading several documents: each id asked for is in exactly one of the four.

    `missing`: BC does not have it. `unread`: there was no time to get to it.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    faults: dict[str, DocumentFault] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)


class ApiV2Reader:
    """Reads canonical documents from the API v2.0 of one environment."""

    def __init__(self, session: BusinessCentralSession, codes: CodeBook, *, page_size: int, max_url: int) -> None:
        self._session = session
        self._codes = codes
        self._page_size = page_size
        self._max_url = max_url
        # How many documents BC delivered at a time lately, per entity; a bound that size faults lower.
        self._most: dict[Entity, int] = dict.fromkeys(Entity, MAX_REFERENCES)

    def changes(self, company: Company, entity: Entity, since: datetime | None) -> Iterator[list[Change]]:
        """Pages of changes in the order of their stamps, from `since` on, inclusively (None: everything)."""
        options = query(
            filter=f"lastModifiedDateTime ge {moment(since)}" if since else "",
            orderby="lastModifiedDateTime asc,id asc",
            select="id,number,vendorNumber,lastModifiedDateTime",
        )
        try:
            for rows in self._session.pages(f"{_set(company, entity)}?{options}", page_size=self._page_size):
                yield [_change(row) for row in rows]
        except PageBroken as broken:
            raise Outage("Business Central", f"changes of {entity.value} cannot be read: {broken}") from broken

    def listing(self, company: Company, entity: Entity) -> dict[str, str]:
        """Every record that is there now: its id and its status."""
        path = f"{_set(company, entity)}?{query(select='id,status')}"
        try:
            return {
                guid(row["id"]): decoded_word(row["status"])
                for rows in self._session.pages(path, page_size=LISTING_PAGE)
                for row in rows
            }
        except (PageBroken, KeyError, TypeError, ValueError) as error:
            raise Outage("Business Central", f"{entity.value} cannot be listed ({error})") from error

    def invoiced(self, company: Company, order_number: str) -> bool:
        """Whether invoices of the order exist."""
        options = query(filter=f"orderNumber eq {literal(order_number)}", select="id", top="1")
        try:
            pages = self._session.pages(f"{_set(company, Entity.PURCHASE_INVOICE)}?{options}", page_size=1)
            return bool(next(pages, []))
        except PageBroken as broken:
            raise Outage("Business Central", f"invoices of an order cannot be read: {broken}") from broken

    def documents(
        self, company: Company, entity: Entity, ids: Sequence[str], *, may_go_on: Callable[[], bool]
    ) -> Reading:
        """The documents, with as few requests as the address length allows; one that breaks the answer is isolated.

        `may_go_on` is asked before each request. Raises `Outage` when BC cannot serve; never for the fault of a single
        document.
        """
        reading = Reading()
        for part in self._parts(company, entity, ids):
            self._read(company, entity, part, reading, may_go_on)
        return reading

    def _parts(self, company: Company, entity: Entity, ids: Sequence[str]) -> Iterator[Sequence[str]]:
        fixed = len(self._session.base) + len(self._path(company, entity, ids[:1])) + 1
        each = len("+or+id+eq+") + 36
        room = max(1, min(self._most[entity], (self._max_url - fixed) // each + 1))
        for start in range(0, len(ids), room):
            yield ids[start : start + room]

    def _path(self, company: Company, entity: Entity, ids: Sequence[str]) -> str:
        options = query(filter=any_of("id", ids), expand=expansion(entity), select=SELECTED[entity])
        return f"{_set(company, entity)}?{options}"

    def _read(
        self,
        company: Company,
        entity: Entity,
        ids: Sequence[str],
        reading: Reading,
        may_go_on: Callable[[], bool],
    ) -> None:
        if not may_go_on():
            reading.unread.update(ids)
            return
        try:
            rows = self._rows(company, entity, ids)
        except PageBroken as broken:
            if len(ids) > 1:
                middle = len(ids) // 2
                if broken.cause == "size":
                    self._most[entity] = middle
                self._read(company, entity, ids[:middle], reading, may_go_on)
                self._read(company, entity, ids[middle:], reading, may_go_on)
                return
            if broken.cause == "size":
                raise Outage("Business Central", f"a single document {broken}") from broken
            if broken.cause == "unreadable":
                self._require_readable(broken)
            reading.faults[ids[0]] = DocumentFault([_broken(broken)])
            return
        if len(ids) == self._most[entity]:
            self._most[entity] = min(MAX_REFERENCES, len(ids) + max(1, len(ids) // 4))
        codes = self._codes.codes(
            company, known=lambda codes: not any(unknown_ids(row, codes) for row in rows.values())
        )
        for id_ in ids:
            row = rows.get(id_)
            if row is None:
                reading.missing.add(id_)
                continue
            try:
                reading.documents[id_] = canonical(row, company.key, entity, codes)
            except DocumentFault as fault:
                reading.faults[id_] = fault

    def _require_readable(self, broken: PageBroken) -> None:
        """Raises `Outage` unless BC answers readably to something else: then it is not the document that is at fault."""
        try:
            self._session.get(f"companies?{query(select='id', top='1')}")
        except PageBroken:
            raise Outage("Business Central", f"answers nothing that can be read: {broken}") from broken

    def _rows(self, company: Company, entity: Entity, ids: Sequence[str]) -> Mapping[str, Json]:
        path = self._path(company, entity, ids)
        pages = self._session.pages(path, page_size=max(len(ids), 1))
        return {str(row.get("id", "")).lower(): row for rows in pages for row in rows if isinstance(row, dict)}


def _set(company: Company, entity: Entity) -> str:
    return f"companies({guid(company.id)})/{entity.value}"


def _change(row: Json) -> Change:
    try:
        return Change(
            id=guid(row["id"]),
            number=_writable(row["number"]),
            vendor_number=_writable(row["vendorNumber"]),
            modified=parse_stamp(row["lastModifiedDateTime"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        # Without id and stamp nothing can be queued, and passing over it would lose it: the cursor must stand still.
        raise Outage("Business Central", f"a changed record has no readable id or stamp ({error})") from error


def _writable(text: object) -> str:
    """The text with half characters (lone surrogates) replaced: nothing could store them. Reading the document parks it."""
    return str(text).encode("utf-8", "replace").decode()


def _broken(broken: PageBroken) -> Reason:
    return Reason(
        "DOCUMENT_NOT_READABLE_IN_BC",
        f"Business Central cannot deliver this document: {broken}",
        "Open the document in BC; correct what it complains of (often a dimension value that no longer exists), then replay.",
    )
