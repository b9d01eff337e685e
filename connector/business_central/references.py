"""The reference book: what companies of Business Central know of dimensions, G/L accounts, vendors and their posting window,
kept for as long as the caller allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from connector.business_central.reference_reader import ReferenceReader, Values, askable
from connector.business_central.session import BusinessCentralSession
from connector.model.codes import as_code
from connector.model.references import AccountFacts, PostingWindow, VendorFacts
from connector.ports import Clock
from connector.setting_words import Company

MISSING_FOR = 60.0
"""Seconds for which a vendor that was not found is believed to be missing: somebody may be creating it."""

T = TypeVar("T")


class _Kept(Generic[T]):
    """What was read last. One thread reads, the others wait for what it reads."""

    def __init__(self, clock: Clock, read: Callable[[], T]) -> None:
        self._clock = clock
        self._read = read
        self._lock = threading.Lock()
        self._last: tuple[T, float] | None = None

    def within(self, at_most: float) -> T:
        """It, begun to be read less than so many seconds before this call."""
        asked = self._clock.monotonic()
        with self._lock:
            if self._last is None or asked - self._last[1] >= at_most:
                began = self._clock.monotonic()
                self._last = (self._read(), began)
            return self._last[0]


class ReferenceBook:
    """The master data of companies. `at_most`: what was read within so many seconds is used without a request (0: nothing).

    Every method raises `Outage` when BC cannot serve, or serves rows that are not as they should be. Several threads may ask.
    """

    def __init__(self, session: BusinessCentralSession, clock: Clock, *, max_url: int) -> None:
        self._session = session
        self._clock = clock
        self._max_url = max_url
        self._lock = threading.Lock()
        self._shelves: dict[str, _Shelf] = {}

    def values(self, company: Company, at_most: float) -> tuple[frozenset[str], Values]:
        """The codes of all dimensions, and all their values by dimension and code."""
        return self._shelf(company).values.within(at_most)

    def accounts(self, company: Company, at_most: float) -> Mapping[str, AccountFacts]:
        """All G/L accounts by number."""
        return self._shelf(company).accounts.within(at_most)

    def window(self, company: Company, at_most: float) -> PostingWindow:
        """The days on which posting is allowed to everybody who has no days of his own."""
        return self._shelf(company).window.within(at_most)

    def vendors(self, company: Company, numbers: Iterable[str], at_most: float) -> Mapping[str, VendorFacts]:
        """The vendors with these numbers, as far as there are such, by the number asked for."""
        return self._shelf(company).vendors(numbers, at_most)

    @property
    def unknown_words(self) -> frozenset[tuple[str, str]]:
        """Words of BC's enumerations met so far that are not known here, each with the property that had it."""
        with self._lock:
            shelves = list(self._shelves.values())
        return frozenset().union(*(shelf.reader.unknown for shelf in shelves))

    def _shelf(self, company: Company) -> _Shelf:
        with self._lock:
            if company.key not in self._shelves:
                reader = ReferenceReader(self._session, self._clock, company, self._max_url)
                self._shelves[company.key] = _Shelf(reader, self._clock)
            return self._shelves[company.key]


class _Shelf:
    """What is kept of one company. Each set has a lock of its own: a large one does not hold up those who need another."""

    def __init__(self, reader: ReferenceReader, clock: Clock) -> None:
        self.reader = reader
        self.values = _Kept(clock, reader.values)
        self.accounts = _Kept(clock, reader.accounts)
        self.window = _Kept(clock, reader.window)
        self._clock = clock
        self._lock = threading.Lock()
        self._vendors: dict[str, tuple[VendorFacts | None, float]] = {}

    def vendors(self, numbers: Iterable[str], at_most: float) -> Mapping[str, VendorFacts]:
        asked = self._clock.monotonic()
        codes = {number: as_code(number) for number in numbers}
        with self._lock:
            wanted = {code for code in codes.values() if askable(code) and not self._known(code, asked, at_most)}
            for part in self.reader.parts(sorted(wanted)):
                began = self._clock.monotonic()
                found = self.reader.vendors(part)
                self._vendors |= {code: (found.get(code), began) for code in part}
            facts = {number: self._vendors.get(code, (None, 0.0))[0] for number, code in codes.items()}
        return {number: vendor for number, vendor in facts.items() if vendor is not None}

    def _known(self, code: str, asked: float, at_most: float) -> bool:
        if code not in self._vendors:
            return False
        facts, began = self._vendors[code]
        return asked - began < (at_most if facts is not None else min(at_most, MISSING_FOR))
