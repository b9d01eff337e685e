"""The virtual clock: it moves only when told, and runs timers at their moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.sandbox.clock import START, VirtualClock


def test_time_stands_still_until_somebody_sleeps() -> None:
    clock = VirtualClock()
    assert (clock.now(), clock.monotonic()) == (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.sleep(1.5)
    assert clock.now() == START + timedelta(seconds=1.5)
    assert clock.monotonic() == 1.5
    clock.advance(0.5)
    assert clock.monotonic() == 2.0


def test_times_are_utc_whatever_the_start() -> None:
    clock = VirtualClock(datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert clock.now().utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 3, 2))  # noqa: DTZ001


def test_time_never_goes_back() -> None:
    clock = VirtualClock()
    clock.advance(10)
    clock.advance_to(START)
    assert clock.monotonic() == 10
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_timers_run_in_order_each_at_its_moment() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    for name, seconds in (("late", 30), ("early", 10), ("second", 10), ("after", 61)):
        clock.at(START + timedelta(seconds=seconds), lambda name=name: seen.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.sleep(60)
    assert seen == [("early", 10), ("second", 10), ("late", 30)]
    assert clock.monotonic() == 60


def test_a_timer_may_set_the_next_one_and_be_cancelled() -> None:
    clock = VirtualClock()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(clock.monotonic())
        clock.at(clock.now() + timedelta(seconds=20), tick)

    clock.at(START + timedelta(seconds=20), tick)
    clock.at(START + timedelta(seconds=5), lambda: ticks.append(-1)).cancel()
    clock.sleep(70)
    assert ticks == [20, 40, 60]


def test_a_timer_of_the_past_runs_at_the_next_move() -> None:
    clock = VirtualClock()
    seen: list[float] = []
    clock.at(START - timedelta(seconds=5), lambda: seen.append(clock.monotonic()))
    assert seen == []
    clock.advance(0)
    assert seen == [0.0]


def test_a_timer_that_takes_time_moves_the_time_on() -> None:
    clock = VirtualClock()
    clock.at(START + timedelta(seconds=5), lambda: clock.sleep(60))
    clock.sleep(10)
    assert clock.monotonic() == 65


def test_a_skewed_clock_is_wrong_about_the_time_and_right_about_spans() -> None:
    clock = VirtualClock()
    ahead = clock.skewed(600)
    assert ahead.now() - clock.now() == timedelta(minutes=10)
    ahead.sleep(5)
    assert clock.monotonic() == ahead.monotonic() == 5
    ahead.offset = -600
    assert clock.now() - ahead.now() == timedelta(minutes=10)
