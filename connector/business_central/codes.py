"""The code book: what the ids of locations and payment terms stand for, per company, kept for an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connector.business_central.canonical import Codes
from connector.business_central.odata import guid, query
from connector.business_central.session import BusinessCentralSession, PageBroken
from connector.errors import Outage
from connector.ports import Clock
from connector.setting_words import Company

MAX_AGE = 3600.0
MIN_AGE = 60.0
"""An id that is not in the book makes it read anew, but not more often than this: the id may be wrong for good."""


class CodeBook:
    """Codes per company, read when first needed, when old, or when an id is not in it."""

    def __init__(self, session: BusinessCentralSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._books: dict[str, tuple[Codes, float]] = {}

    def codes(self, company: Company, *, known: Callable[[Codes], bool]) -> Codes:
        """The company's codes; `known` tells whether a book holds what the caller needs."""
        with self._lock:
            codes, read_at = self._books.get(company.key, (None, 0.0))
            age = self._clock.monotonic() - read_at
            if codes is None or age > MAX_AGE or (age > MIN_AGE and not known(codes)):
                codes = Codes(
                    locations=self._read(company, "locations"),
                    payment_terms=self._read(company, "paymentTerms"),
                    local_currency=company.local_currency,
                )
                self._books[company.key] = (codes, self._clock.monotonic())
            return codes

    def _read(self, company: Company, entity_set: str) -> dict[str, str]:
        path = f"companies({guid(company.id)})/{entity_set}?{query(select='id,code')}"
        try:
            return {
                str(row["id"]).lower(): str(row["code"])
                for page in self._session.pages(path, page_size=5000)
                for row in page.rows
            }
        except (PageBroken, KeyError, TypeError) as error:
            raise Outage("Business Central", f"{entity_set} cannot be read ({error})") from error
