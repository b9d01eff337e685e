"""Spans of the calendar: moving a moment by units, and where the unit around a moment begins and ends."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta

FIXED = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "dayofweek": 86_400, "week": 604_800}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS = tuple(name.lower() for name in calendar.day_name)
MONTH_NAMES = tuple(name.lower() for name in calendar.month_name)


def moved(moment: datetime, unit: str, count: int) -> datetime | None:
    """The moment so many units later; None for a unit that does not exist or a year out of range."""
    try:
        if unit in FIXED:
            return moment + timedelta(seconds=FIXED[unit] * count)
        if unit not in MONTHS:
            return None
        months = moment.year * 12 + moment.month - 1 + MONTHS[unit] * count
        year, month = divmod(months, 12)
        last_day = calendar.monthrange(year, month + 1)[1]
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))
    except (OverflowError, ValueError):
        return None


def start_of(moment: datetime, unit: str) -> datetime:
    """Where the unit around the moment begins; weeks begin on Monday."""
    if unit in {"second", "minute", "hour"}:
        minute = 0 if unit == "hour" else moment.minute
        return moment.replace(minute=minute, second=moment.second if unit == "second" else 0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit in {"month", "quarter", "year"}:
        first = {"month": day.month, "quarter": day.month - (day.month - 1) % 3, "year": 1}[unit]
        return day.replace(month=first, day=1)
    return day


def end_of(moment: datetime, unit: str) -> datetime:
    """The last second of the unit around the moment."""
    following = moved(start_of(moment, unit), unit, 1)
    return (following or moment) - timedelta(seconds=1)


def part_of(moment: datetime, part: str) -> int | None:
    """One part of a date as a number: day of the week from Monday, month, quarter, year, week or hour."""
    parts = {
        "dayofweek": moment.weekday(),
        "month": moment.month,
        "quarter": (moment.month + 2) // 3,
        "year": moment.year,
        "week": moment.isocalendar().week,
        "hour": moment.hour,
    }
    return parts.get(part)


def named_part(part: str, name: str) -> int | None:
    """The number behind a written part: ``monday``, ``january`` or digits."""
    text = name.strip().lower()
    if part == "dayofweek" and text in DAYS:
        return DAYS.index(text)
    if part == "month" and text in MONTH_NAMES[1:]:
        return MONTH_NAMES.index(text)
    return int(text) if text.isascii() and text.isdigit() else None
