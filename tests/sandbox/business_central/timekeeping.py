"""What makes stamps deceive a reader: transactions that commit late, rows never touched, a replica that lags behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.sandbox.business_central.data import Data
from tests.sandbox.business_central.entities import BLANK_DATETIME
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.replica import Replica
from tests.sandbox.business_central.row_versions import Held


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction that has written and not committed: when it did, and the row versions in its hands."""

    began: datetime
    held: Held


class Timekeeping(Data):
    """The part of the Python interface that bends time. `replica.lag` is a switch."""

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.replica = Replica(self._companies, now)

    @contextmanager
    def late_commit(self, seconds: float) -> Iterator[None]:
        """All changes within the block belong to a transaction that wrote its stamps so many seconds ago and commits now.

        Nobody reads anything of it before the block ends.
        """
        with self._lock:
            self._edits.stamps_at = self._now() - timedelta(seconds=seconds)
            try:
                yield
            finally:
                self._edits.stamps_at = None

    def begin(self) -> OpenTransaction:
        """Begins a transaction that writes its rows now and commits them later: till then nobody sees them, and the minimum
        active row version stays below them."""
        with self._lock:
            return OpenTransaction(self._now(), self._versions.hold())

    @contextmanager
    def committing(self, transaction: OpenTransaction) -> Iterator[None]:
        """All changes within the block are what that transaction wrote when it began; it ends with the block. Without any
        change it is rolled back."""
        with self._lock, self._versions.writing(transaction.held):
            self._edits.stamps_at = transaction.began
            try:
                yield
            finally:
                self._edits.stamps_at = None
                self._versions.release(transaction.held)

    def never_touched(self, company: str, number_or_id: str, *, entity: str = "purchaseOrders") -> None:
        """Gives the record the blank stamp of rows that nobody has changed since stamps were introduced."""
        with self._lock:
            state = self._company(company)
            record = state.find(entity, number_or_id)
            record.values["lastModifiedDateTime"] = BLANK_DATETIME
            record.rendered.clear()
            state.tell("kept", record)
