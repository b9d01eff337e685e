"""The reader of whole documents by their ids, from API v2.0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connector.business_central.canonical import canonical, unknown_ids
from connector.business_central.codes import CodeBook
from connector.business_central.odata import any_of, guid, query
from connector.business_central.selection import SELECTED, expansion
from connector.business_central.session import BusinessCentralSession, Json, PageBroken
from connector.decisions.paging import next_page_size, smaller
from connector.errors import DocumentFault, Outage, Reason
from connector.model.documents import Document, Entity
from connector.model.units import MAX_REFERENCES
from connector.remote.http import AnswerTooSlow
from connector.setting_words import Company


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

    def __init__(self, session: BusinessCentralSession, codes: CodeBook, *, max_url: int) -> None:
        self._session = session
        self._codes = codes
        self._max_url = max_url
        # How many documents BC delivers at a time without effort, per entity, learnt from its times, sizes and refusals.
        self._most: dict[Entity, int] = dict.fromkeys(Entity, MAX_REFERENCES)

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
        fixed = len(self._session.base()) + len(self._path(company, entity, ids[:1])) + 1
        each = len("+or+id+eq+") + 36
        start = 0
        while start < len(ids):
            # Anew for each part: what the one before has shown counts for the next.
            room = max(1, min(self._most[entity], (self._max_url - fixed) // each + 1))
            yield ids[start : start + room]
            start += room

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
            rows, seconds, received = self._rows(company, entity, ids)
        except AnswerTooSlow:
            # To ask at once for less could take as long again, several times: the unit comes back.
            self._most[entity] = smaller(len(ids))
            raise
        except PageBroken as broken:
            if len(ids) > 1:
                middle = len(ids) // 2
                if broken.cause == "size":
                    self._most[entity] = smaller(len(ids))
                self._read(company, entity, ids[:middle], reading, may_go_on)
                self._read(company, entity, ids[middle:], reading, may_go_on)
                return
            if broken.cause == "size":
                raise Outage("Business Central", f"a single document {broken}") from broken
            if broken.cause == "unreadable":
                self._require_readable(broken)
            reading.faults[ids[0]] = DocumentFault([_broken(broken)])
            return
        fit = next_page_size(len(ids), MAX_REFERENCES, seconds=seconds, received=received)
        if fit < len(ids) or len(ids) == self._most[entity]:
            self._most[entity] = fit
        codes = self._codes.codes(
            company, known=lambda codes: not any(unknown_ids(row, entity, codes) for row in rows.values())
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

    def _rows(self, company: Company, entity: Entity, ids: Sequence[str]) -> tuple[Mapping[str, Json], float, int]:
        """The rows by id, and the seconds and bytes they took."""
        path = self._path(company, entity, ids)
        rows: dict[str, Json] = {}
        seconds, received = 0.0, 0
        for page in self._session.pages(path, page_size=max(len(ids), 1)):
            rows |= {str(row.get("id", "")).lower(): row for row in page.rows if isinstance(row, dict)}
            seconds += page.seconds
            received += page.size
        return rows, seconds, received


def _set(company: Company, entity: Entity) -> str:
    return f"companies({guid(company.id)})/{entity.value}"


def _broken(broken: PageBroken) -> Reason:
    return Reason(
        "DOCUMENT_NOT_READABLE_IN_BC",
        f"Business Central cannot deliver this document: {broken}",
        "Open the document in BC; correct what it complains of (often a dimension value that no longer exists), then replay.",
    )
