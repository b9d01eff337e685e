"""Freshness: from a change in Business Central to its row in ServiceNow, with polls every ten seconds and answers that take
their time, on the virtual clock. More changes: ``python -m tests.benchmarks freshness``."""

from __future__ import annotations

from tests.benchmarks.freshness import measure


def test_a_change_is_staged_within_seconds_of_its_poll() -> None:
    measured = measure(600, seed=5)
    assert len(measured.seconds) == 600, "every change arrived"
    assert measured.percentile(50) <= 7
    assert measured.percentile(99) <= 13


def test_lost_notifications_change_nothing_of_it() -> None:
    measured = measure(300, seed=6, webhooks=True)
    assert len(measured.seconds) == 300
    assert measured.percentile(50) <= 7
    assert measured.percentile(99) <= 13
