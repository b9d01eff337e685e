"""Backfill: the documents modified in Business Central since a date are queued, newest first, on an operator's demand.

It is a guest of the running app: a unit is queued only while few wait, so what the poll finds overtakes it, and the poll's
cursor is none of its business. How far it came is on record after the queue has each page: a death between the two repeats a
page, which its ledger rows make cheap, and loses nothing. What is modified meanwhile has a new stamp and is the poll's to find.

Records without a stamp (0001-01-01: not modified since BC keeps stamps) are in no backfill but that from 0001-01-01, which has
no lower bound. The others count them, so that nobody takes them for carried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.business_central.changes import Changes
from connector.decisions.admission import admit
from connector.decisions.retry import wait_seconds
from connector.decisions.turns import LEASE
from connector.errors import ConnectorError, Outage, Refused, RowConflict, StorageUnavailable
from connector.flows.courtesy import asking_business_central
from connector.flows.messages import send_units
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.stamps import NEVER
from connector.model.units import MAX_REFERENCES, Origin, Reference
from connector.setting_words import Company
from connector.storage.cursors import BackfillRecord, Form, Turn, backfills
from connector.storage.ledger import partition

MOST_WAITING = 4
"""So many units on the queue make it wait."""
AT_ONCE = timedelta(seconds=-10)
"""No interval between turns. Below zero: the server's clock shows whole seconds, so a turn may seem to begin in the future."""
LOOK_AGAIN = 3.0
KEEP_AFTER = 30.0
"""Seconds after which a turn in which nothing was saved is kept alive."""
TRIES = 5
"""Outages in a row, without a page between them, after which it gives up."""
TURN_BACK = LEASE.total_seconds() + 30
"""Seconds within which a turn of one's own, of which storage did not say whether it was kept, has ended."""


class AlreadyRunning(ConnectorError):
    """Another backfill of the same documents has the turn."""

    def __init__(self, company: Company, entity: Entity) -> None:
        minutes = int(LEASE.total_seconds() // 60)
        super().__init__(
            f"A backfill of {entity.value} in {company.key} is running already. Let it finish or stop it; if it was "
            f"killed, its turn ends {minutes} minutes after its last sign of life: start again then."
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: `read` of about `total` documents looked at, `queued` of them by this run, `waiting` units on the queue.

    `resumed`: the stamp from which this run went on, None when it began at the newest. `pause`: why nothing is read at the
    moment, "" while it is.
    """

    read: int
    total: int
    queued: int
    waiting: int
    resumed: datetime | None
    pause: str = ""


@dataclass(frozen=True, slots=True)
class Backfilled:
    """How a run ended: at the end, because it was told to stop, or at once because an earlier one had come to the end.

    `position`: the stamp down to which everything is queued, None for nothing yet. `unstamped`: documents without a stamp that
    are not among those looked at. `whole`: False when BC could not list some records, which are therefore not queued.
    """

    ended: bool
    earlier: bool
    read: int
    queued: int
    position: datetime | None
    unstamped: int = 0
    whole: bool = True


def backfill(
    parts: Parts,
    company: Company,
    entity: Entity,
    since: datetime,
    *,
    show: Callable[[Progress], None],
    again: bool = False,
    restart: bool = False,
    may_go_on: Callable[[], bool] = lambda: True,
    page_size: int = MAX_REFERENCES,
) -> Backfilled:
    """Queues what was modified from `since` on (`NEVER`: everything) and is not known in that version; with `again`, all of it.

    Goes on where an earlier run with the same `since` and `again` stopped, unless told to `restart`. `show` is told of every
    step, `may_go_on` asked before each; both every few seconds while it waits. Raises `AlreadyRunning`, and an `Outage` that
    does not pass; whatever it ends with, the same call goes on from there.
    """
    where, owner = partition(company.key, entity), parts.randomness.token()
    taken = parts.cursors.take(backfills(since, again=again), where, owner, AT_ONCE)
    if not isinstance(taken, Turn):
        raise AlreadyRunning(company, entity)
    run = _Backfill(parts, company, entity, taken, BackfillRecord(since, again), show, may_go_on, page_size)
    try:
        done = run.go(restart=restart)
        run.end(ended=done.ended)
    except RowConflict:
        raise AlreadyRunning(company, entity) from None
    except StorageUnavailable:
        raise  # the turn ends by itself
    except (Exception, KeyboardInterrupt):
        run.give_back()
        raise
    outcome = "all" if done.ended else "stopped"
    parts.telemetry.event("backfilled", company=company.key, entity=entity.value, count=done.queued, outcome=outcome)
    return done


@dataclass
class _Backfill:
    """One run over one entity of one company. `turn_sure`: False while storage has not said whether a write to it was kept."""

    parts: Parts
    company: Company
    entity: Entity
    taken: Turn[BackfillRecord]
    wanted: BackfillRecord
    show: Callable[[Progress], None]
    may_go_on: Callable[[], bool]
    page_size: int
    saved_at: float = 0.0
    turn_sure: bool = True
    resumed: datetime | None = None
    outages: int = 0
    queued: int = 0
    waiting: int = 0
    unstamped: int = 0
    whole: bool = True

    @property
    def form(self) -> Form[BackfillRecord]:
        """How the record is kept."""
        return backfills(self.wanted.since, again=self.wanted.again)

    def go(self, *, restart: bool) -> Backfilled:
        """Works to the end, or until it may not go on."""
        if restart or not self._is_wanted():
            self._save(self.wanted)
        elif self.taken.record.done:
            return self._result(ended=True, earlier=True)
        self.resumed = self.taken.record.position
        outage: Outage | None = None
        while True:
            try:
                if outage is not None and not self._wait_out(outage):
                    return self._result(ended=False)
                return self._result(ended=self._walk())
            except Refused:
                raise  # somebody has to do something first
            except Outage as met:
                outage = met
                self.turn_sure = self.turn_sure and not isinstance(met, StorageUnavailable)
                self.outages += 1
                if self.outages >= TRIES:
                    raise

    def end(self, *, ended: bool) -> None:
        """Gives the turn back, and puts on record whether the end was reached."""
        if self.turn_sure:
            self.parts.cursors.end(self.form, self.taken, replace(self.taken.record, done=ended))

    def give_back(self) -> None:
        """Gives the turn back as far as it came, after a fault."""
        if self.turn_sure:
            self.parts.cursors.give_back(self.form, self.taken)

    def _is_wanted(self) -> bool:
        record = self.taken.record
        return (record.since, record.again) == (self.wanted.since, self.wanted.again)

    def _walk(self) -> bool:
        """Page after page from where the record stands; whether it came to the end."""
        record, changes, feed = self.taken.record, self.parts.changes, Feed(self.entity.value)
        with asking_business_central(self.parts):
            left = changes.count(self.company, feed, record.since, record.position)
        # What bears the stamp of the position comes once more, so it is counted once more too.
        self._save(replace(record, total=record.read + left))
        self._tell()
        pages = changes.newest_first(self.company, feed, record.since, record.position, page_size=self.page_size)
        while self.may_go_on():
            with asking_business_central(self.parts):
                page = next(pages, None)
                if page is None:
                    self.unstamped = changes.count(self.company, feed, NEVER, NEVER) if record.since > NEVER else 0
                    return True
            if not self._queue(page):
                return False
        return False

    def _queue(self, page: Changes) -> bool:
        """Queues a page's documents and puts that on record; False when it was stopped before."""
        self.whole = self.whole and page.whole
        references = self._to_queue(page)
        origin = Origin.SWEEP if self.wanted.again else Origin.BACKFILL
        for begin in range(0, len(references), MAX_REFERENCES):
            if not self._wait_for_room():
                return False
            some = references[begin : begin + MAX_REFERENCES]
            send_units(self.parts, self.company, self.entity, origin, self.parts.randomness.token(), some)
            self.queued += len(some)
            self.waiting += 1
        record = self.taken.record
        passed = [change.modified for change in page.changes] + ([record.position] if record.position else [])
        self._save(replace(record, position=min(passed, default=None), read=record.read + len(page.changes)))
        self.outages = 0
        self._tell()
        return True

    def _to_queue(self, page: Changes) -> list[Reference]:
        """The page's documents, newest first, that the ledger does not know in this version; all with `again`."""
        origin = Origin.SWEEP if self.wanted.again else Origin.BACKFILL
        states = self.parts.ledger.states(self.taken.where, [change.id for change in page.changes])
        references = []
        for change in page.changes:
            state = states.get(change.id)
            reference = Reference(change.id, change.modified, state.generation if state else 0)
            if state is None or admit(reference, origin, state.standing) not in ("known", "void"):
                references.append(reference)
        return references

    def _wait_for_room(self) -> bool:
        """Waits until few units are on the queue; False when it may not go on."""
        while (waiting := self.parts.queues.count(self.parts.settings.documents_queue)) >= MOST_WAITING:
            self.waiting = waiting
            if not self._pause("waits until the app has worked some off", LOOK_AGAIN):
                return False
        self.waiting = waiting
        return True

    def _wait_out(self, outage: Outage) -> bool:
        """Waits as long as the outage says, and until the turn is sure again; False when it may not go on."""
        chance = self.parts.randomness.uniform(0.0, 1.0)
        left = wait_seconds(self.outages, chance, told=outage.retry_after)
        while left > 0:
            if not self._pause(f"{outage}; tries again in {left:.0f} s", min(left, LOOK_AGAIN)):
                return False
            left -= LOOK_AGAIN
        end = self.parts.clock.monotonic() + TURN_BACK
        while not self.turn_sure:
            where, owner = self.taken.where, self.parts.randomness.token()
            taken = self.parts.cursors.take(self.form, where, owner, AT_ONCE)
            if isinstance(taken, Turn):
                self.taken, self.turn_sure = taken, True
                if not self._is_wanted():
                    raise RowConflict(0, self.form.row)
            elif self.parts.clock.monotonic() >= end:
                raise RowConflict(0, self.form.row)
            elif not self._pause("waits for its turn, which storage did not confirm", LOOK_AGAIN):
                return False
        return True

    def _pause(self, why: str, seconds: float) -> bool:
        """Sleeps a little, the turn kept alive; False when it may not go on."""
        self._tell(why)
        if not self.may_go_on():
            return False
        self.parts.clock.sleep(seconds)
        if self.turn_sure and self.parts.clock.monotonic() - self.saved_at >= KEEP_AFTER:
            self._save(self.taken.record)
        return True

    def _save(self, record: BackfillRecord) -> None:
        self.parts.cursors.save(self.form, self.taken, record)
        self.saved_at = self.parts.clock.monotonic()

    def _tell(self, pause: str = "") -> None:
        record = self.taken.record
        total = max(record.total, record.read)
        self.show(Progress(record.read, total, self.queued, self.waiting, self.resumed, pause))

    def _result(self, *, ended: bool, earlier: bool = False) -> Backfilled:
        record = self.taken.record
        return Backfilled(ended, earlier, record.read, self.queued, record.position, self.unstamped, self.whole)
