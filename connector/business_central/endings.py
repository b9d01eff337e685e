"""The reader of endings: what became of orders that Business Central does not have any more.

An order leaves BC when its last invoice is posted. Its invoices and receipts name it, and so do archives
where the installation keeps them (from version 29 on they are in the API).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connector.business_central.odata import any_text_of, guid, query
from connector.business_central.session import SYSTEM, BusinessCentralSession, PageBroken
from connector.decisions.endings import Trace
from connector.errors import Outage, Refused
from connector.setting_words import Company

NUMBERS_A_REQUEST = 100
FILTER_LENGTH = 6000
"""Characters of a filter as it stands in an address, where a letter may take nine."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What orders left behind: the numbers that are named by invoices, by receipts, in archives."""

    invoiced: frozenset[str] = frozenset()
    received: frozenset[str] = frozenset()
    archived: frozenset[str] = frozenset()

    def of(self, number: str) -> Trace:
        """What the order of this number left behind."""
        return Trace(number in self.invoiced, number in self.received, number in self.archived)


class EndingReader:
    """Looks for traces of orders in the API v2.0 of one environment."""

    def __init__(self, session: BusinessCentralSession) -> None:
        self._session = session

    def traces(self, company: Company, numbers: Sequence[str]) -> Traces:
        """What the orders of these numbers left behind. Raises `Outage` when BC cannot say."""
        wanted = sorted({number for number in numbers if number})
        if not wanted:
            return Traces()
        return Traces(
            invoiced=self._naming(company, "purchaseInvoices", "orderNumber", wanted),
            received=self._naming(company, "purchaseReceipts", "orderNumber", wanted),
            archived=self._archived(company, wanted),
        )

    def _archived(self, company: Company, numbers: Sequence[str]) -> frozenset[str]:
        try:
            return self._naming(company, "purchaseOrderArchives", "number", numbers)
        except Refused:
            return frozenset()  # this version has no archives in its API, or the app may not read them

    def _naming(self, company: Company, entity_set: str, field: str, numbers: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        for part in _parts(field, numbers):
            path = f"companies({guid(company.id)})/{entity_set}?{query(filter=any_text_of(field, part), select=f'id,{field}')}"
            try:
                for page in self._session.pages(path, page_size=1000):
                    found |= {str(row.get(field, "")) for row in page.rows}
            except PageBroken as broken:
                raise Outage(SYSTEM, f"{entity_set} of an order cannot be read: {broken}") from broken
        return frozenset(found & set(numbers))


def _parts(field: str, numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    """The numbers, as many at a time as an address holds."""
    part: list[str] = []
    length = 0
    for number in numbers:
        more = len(query(filter=f" or {any_text_of(field, [number])}"))
        if part and (len(part) == NUMBERS_A_REQUEST or length + more > FILTER_LENGTH):
            yield part
            part, length = [], 0
        part.append(number)
        length += more
    if part:
        yield part
