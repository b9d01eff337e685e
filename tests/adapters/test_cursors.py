"""The cursors' contract: turns and records, on the in-memory store and on the emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connector.decisions.turns import LEASE
from connector.decisions.watermark import MAX_RECENT, Cursor
from connector.errors import RowConflict
from connector.model.stamps import NEVER
from connector.storage.cursors import (
    POLLS,
    SWEEPS,
    TABLE,
    BackfillRecord,
    Cursors,
    PollRecord,
    SweepRecord,
    Turn,
    backfills,
)
from tests.adapters.storage_bench import Bench, emulated, memory

STAMP = datetime(2026, 7, 15, 12, 0, 0, 123000, tzinfo=UTC)
AT_ONCE = timedelta(0)
SOON = timedelta(seconds=4)


@dataclass
class Place:
    """Cursors on a storage, and a place of theirs that no other test uses."""

    bench: Bench
    cursors: Cursors
    where: str

    def take(self, owner: str, interval: timedelta = AT_ONCE, *, asked: bool = False) -> Turn[PollRecord]:
        """The turn, which must be free."""
        taken = self.cursors.take(POLLS, self.where, owner, interval, asked=asked)
        assert isinstance(taken, Turn), taken
        return taken


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    where = f"us|{uuid.uuid4()}"
    if request.param == "memory":
        bench = memory()
        bench.tables.ensure(TABLE)
        yield Place(bench, Cursors(bench.tables), where)
        return
    with emulated(request.getfixturevalue("azurite").connection_string) as bench:
        bench.tables.ensure(TABLE)
        yield Place(bench, Cursors(bench.tables), where)


def test_a_place_where_nobody_was_is_empty(place: Place) -> None:
    assert place.cursors.read(POLLS, place.where) == (PollRecord(), None)


def test_a_record_comes_back_as_it_was_written(place: Place) -> None:
    recent = {str(uuid.uuid4()): STAMP + timedelta(microseconds=number) for number in range(MAX_RECENT)}
    record = PollRecord(Cursor(STAMP, recent), STAMP + timedelta(1), STAMP - timedelta(1))
    place.cursors.end(POLLS, place.take("a"), record)
    assert place.cursors.read(POLLS, place.where)[0] == record
    assert place.take("b").record == record


def test_a_watermark_of_records_never_stamped_comes_back(place: Place) -> None:
    record = PollRecord(Cursor(NEVER, {str(uuid.uuid4()): NEVER}))
    place.cursors.end(POLLS, place.take("a"), record)
    assert place.cursors.read(POLLS, place.where)[0] == record


def test_the_records_of_one_place_do_not_meet(place: Place) -> None:
    sweep = SweepRecord("id", STAMP, STAMP, STAMP, 1, 2, 3, 4, 5)
    backfill = BackfillRecord(STAMP, True, STAMP, 1, 2, True)
    form = backfills(STAMP, again=False)
    polled = place.take("a")
    swept = place.cursors.take(SWEEPS, place.where, "b", AT_ONCE)
    filled = place.cursors.take(form, place.where, "c", AT_ONCE)
    assert isinstance(swept, Turn)
    assert isinstance(filled, Turn)
    assert filled.record == BackfillRecord(STAMP)
    place.cursors.end(POLLS, polled, PollRecord(complete=STAMP))
    place.cursors.end(SWEEPS, swept, sweep)
    place.cursors.end(form, filled, backfill)
    assert place.cursors.read(POLLS, place.where)[0] == PollRecord(complete=STAMP)
    assert place.cursors.read(SWEEPS, place.where)[0] == sweep
    assert place.cursors.read(form, place.where)[0] == backfill


def test_nobody_takes_a_turn_that_is_taken(place: Place) -> None:
    taken = place.take("a")
    assert place.cursors.take(POLLS, place.where, "b", AT_ONCE) == "held"
    assert place.cursors.take(POLLS, place.where, "b", AT_ONCE, asked=True) == "held"
    place.cursors.save(POLLS, taken, PollRecord(complete=STAMP))
    assert place.cursors.take(POLLS, place.where, "b", AT_ONCE) == "held"
    place.cursors.end(POLLS, taken, PollRecord(complete=STAMP))
    assert place.take("b").record == PollRecord(complete=STAMP)


def test_a_turn_is_not_due_again_before_its_interval(place: Place) -> None:
    place.cursors.end(POLLS, place.take("the very first"), PollRecord())
    assert place.cursors.take(POLLS, place.where, "b", SOON) == "not due"
    place.bench.pass_time(4)
    place.take("b", SOON)


def test_a_turn_that_is_asked_for_comes_before_its_interval(place: Place) -> None:
    place.cursors.end(POLLS, place.take("the very first"), PollRecord())
    place.bench.pass_time(9)
    assert place.cursors.take(POLLS, place.where, "b", timedelta(hours=1)) == "not due"
    place.take("b", timedelta(hours=1), asked=True)


def test_of_two_who_take_a_new_place_at_once_one_has_the_turn(place: Place) -> None:
    first, second = Cursors(place.bench.tables), Cursors(place.bench.tables)
    mine = Turn(place.where, PollRecord(), "", "mine", None)
    theirs = Turn(place.where, PollRecord(), "", "theirs", None)
    first.save(POLLS, mine, mine.record)
    with pytest.raises(RowConflict):
        second.save(POLLS, theirs, theirs.record)


def test_whoever_lost_the_turn_cannot_write(place: Place) -> None:
    lost = place.take("a")
    stolen = Turn(place.where, lost.record, lost.etag, "b", lost.began)
    place.cursors.save(POLLS, stolen, PollRecord(complete=STAMP))
    for write in (place.cursors.save, place.cursors.end):
        with pytest.raises(RowConflict):
            write(POLLS, lost, PollRecord(Cursor(STAMP)))
    assert place.cursors.read(POLLS, place.where)[0] == PollRecord(complete=STAMP)


def test_the_turn_of_somebody_who_died_is_free_after_the_lease_and_lost_for_good() -> None:
    bench = memory()
    bench.tables.ensure(TABLE)
    place = Place(bench, Cursors(bench.tables), "us|purchaseOrders")
    dead = place.take("a")
    bench.pass_time(LEASE.total_seconds() - 1)
    assert place.cursors.take(POLLS, place.where, "b", AT_ONCE) == "held"
    place.cursors.save(POLLS, dead, dead.record)
    bench.pass_time(LEASE.total_seconds() - 1)
    assert place.cursors.take(POLLS, place.where, "b", AT_ONCE) == "held", "every write keeps the turn"
    bench.pass_time(1)
    place.take("b", timedelta(days=1))
    with pytest.raises(RowConflict):
        place.cursors.end(POLLS, dead, PollRecord(Cursor(STAMP)))
