"""Liveness: what an operator is told about notifications, from what polls, notifications and renewals have shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.decisions.liveness import ALARM_BELOW, SILENT_AFTER, Liveness, Signs, expected_since, liveness

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
WELL = Signs(obstacle="", expires=NOW + timedelta(days=2), arrived=None, lag=0.0, expected=None, now=NOW)
SILENT = Liveness("polling", "changes are found of which no notification tells")
NOTIFIED = Liveness("notified")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (WELL, NOTIFIED),
        (replace(WELL, obstacle="webhooks are off"), Liveness("polling", "webhooks are off")),
        (
            replace(WELL, obstacle="not subscribed yet", expires=None, lag=1e9),
            Liveness("polling", "not subscribed yet"),
        ),
        (replace(WELL, expires=None), Liveness("polling", "the subscription has ended", alarm=True)),
        (replace(WELL, expires=NOW), Liveness("polling", "the subscription has ended", alarm=True)),
        (replace(WELL, expires=NOW + ALARM_BELOW - timedelta(seconds=1)), Liveness("notified", alarm=True)),
        (replace(WELL, expires=NOW + ALARM_BELOW), NOTIFIED),
        (replace(WELL, expected=NOW - SILENT_AFTER), NOTIFIED),
        (replace(WELL, expected=ago(11)), SILENT),
        (replace(WELL, expected=ago(11), arrived=ago(12)), SILENT),
        (replace(WELL, expected=ago(11), arrived=ago(11)), NOTIFIED),
        (replace(WELL, expected=ago(600), arrived=ago(599)), NOTIFIED),
        (replace(WELL, lag=600.0, arrived=ago(1)), NOTIFIED),
        (replace(WELL, lag=601.0, arrived=ago(1)), Liveness("polling", "notifications come late")),
    ],
)
def test_how_a_feed_is_watched(signs: Signs, expected: Liveness) -> None:
    assert liveness(signs) == expected


@pytest.mark.parametrize("ended", [replace(WELL, expires=None), replace(WELL, obstacle="refused"), SILENT])
def test_every_mode_returns_when_its_cause_is_gone(ended: Signs | Liveness) -> None:
    signs = ended if isinstance(ended, Signs) else replace(WELL, expected=ago(11))
    assert liveness(signs).mode == "polling"
    mended = replace(signs, obstacle="", expires=NOW + timedelta(days=3), arrived=NOW, lag=30.0)
    assert liveness(mended) == NOTIFIED


def test_silence_is_counted_from_the_first_change_nobody_told_of() -> None:
    """Polls find changes at minutes 0, 4 and 11; a notification comes at minute 12; polls find changes at 20 and 31."""
    start, signs = ago(60), WELL
    modes = []
    for minute, happens in [(0, "poll"), (4, "poll"), (11, "poll"), (12, "notice"), (20, "poll"), (31, "poll")]:
        now = start + timedelta(minutes=minute)
        signs = replace(signs, now=now)
        signs = replace(signs, **({"expected": expected_since(signs)} if happens == "poll" else {"arrived": now}))
        modes.append((minute, liveness(signs).mode))
    assert modes == [
        (0, "notified"),
        (4, "notified"),
        (11, "polling"),
        (12, "notified"),
        (20, "notified"),
        (31, "polling"),
    ]
    assert signs.expected == start + timedelta(minutes=20)


def test_where_there_is_no_subscription_nothing_is_expected() -> None:
    assert expected_since(replace(WELL, obstacle="not subscribed yet", expected=ago(5))) is None
