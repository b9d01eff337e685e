"""Retry: how long to wait before the next try, as a decision. One place in the flows applies it."""

from __future__ import annotations

from datetime import timedelta

SHORTEST = 1.0
LONGEST_TOLD = timedelta(minutes=15).total_seconds()
LONGEST = timedelta(hours=6).total_seconds()
FIRST = 15.0


def wait_seconds(attempt: int, chance: float, *, told: float | None = None) -> float:
    """Seconds until the next try, after `attempt` tries (1 for the first) that met an outage.

    What the other side told (Retry-After, rate headers, time to settle) wins, clamped to [1 s, 15 min]. Else exponential
    with full jitter: `chance` (0 to 1) of a ceiling that doubles from 30 s to 6 h, and never less than half the first wait,
    so that a herd spreads out without hammering.
    """
    if told is not None:
        return min(max(told, SHORTEST), LONGEST_TOLD)
    ceiling = min(LONGEST, FIRST * 2.0 ** min(attempt, 20))
    return max(FIRST / 2, ceiling * chance)


def retry_after(value: str | None, now_seconds: float, date_seconds: float | None = None) -> float | None:
    """A Retry-After header as seconds from now: plain seconds, or (when the caller parsed a date) the difference.

    None for anything that is neither; negative and absurd values are clamped by `wait_seconds`.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return float(text)
    if date_seconds is not None:
        return max(0.0, date_seconds - now_seconds)
    return None
