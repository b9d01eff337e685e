"""Mapped words: what alignment has found out about cost centres serves documents as a translation table, behind the one that a
clerk writes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from connector.ports import Clock
from connector.setting_words import Company
from connector.storage.mappings import Mappings

MAX_AGE = 60.0


class MappedWords:
    """Per aligned company, ServiceNow's account number of each value that has a cost centre; read anew once a minute."""

    def __init__(self, mappings: Mappings, clock: Clock, aligned: Collection[str]) -> None:
        self._mappings = mappings
        self._clock = clock
        self._aligned = frozenset(aligned)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Mapping[str, str], float]] = {}

    def of(self, company: Company) -> Mapping[str, str]:
        """By value code; nothing for a company that is not aligned. Raises `StorageUnavailable`."""
        if company.key not in self._aligned:
            return {}
        with self._lock:
            now = self._clock.monotonic()
            words, read_at = self._kept.get(company.key, ({}, -MAX_AGE))
            if now - read_at >= MAX_AGE:
                agreed = self._mappings.all(company.key, company.cost_centre_dimension)
                rows = [kept.row for kept in agreed.rows.values() if kept.row.status == "aligned"]
                words = {row.code: row.account_number for row in rows if row.account_number}
                self._kept[company.key] = (words, now)
            return words
