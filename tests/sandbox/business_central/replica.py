"""The read replica: what reads with ``Data-Access-Intent: ReadOnly`` see, which may be a little behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tests.sandbox.business_central.store import Change, CompanyState, Record, copied


class Replica:
    """Follows the companies at a distance; without a lag it is the companies themselves."""

    def __init__(self, companies: Sequence[CompanyState], now: Callable[[], datetime]) -> None:
        self._live = companies
        self._now = now
        self._lag = timedelta(0)
        self._twins: list[CompanyState] = []
        self._journal: deque[tuple[datetime, CompanyState, str, str, Record | None]] = deque()

    @property
    def lag(self) -> timedelta:
        """How far behind it is."""
        return self._lag

    @lag.setter
    def lag(self, lag: timedelta) -> None:
        if lag and not self._lag:
            self._twins = [state.twin() for state in self._live]
            for state in self._live:
                state.observers.append(self._observe)
        elif self._lag and not lag:
            for state in self._live:
                state.observers.remove(self._observe)
            self._twins = []
            self._journal.clear()
        self._lag = lag

    def companies(self) -> Sequence[CompanyState]:
        """The companies as they were so long ago."""
        if not self._lag:
            return self._live
        shown = self._now() - self._lag
        while self._journal and self._journal[0][0] <= shown:
            _, twin, entity, key, record = self._journal.popleft()
            if record is None:
                twin.drop(entity, key)
            else:
                twin.take(record)
        return self._twins

    def _observe(self, state: CompanyState, change: Change, record: Record) -> None:
        owner = record.parent or record
        gone = change == "deleted" and record.parent is None
        twin = next(each for each in self._twins if each.id == state.id)
        self._journal.append((self._now(), twin, owner.entity.name, owner.id, None if gone else copied(owner)))
