"""Modification stamps: any precision in, one form out, text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.stamps import NEVER, parse_stamp, stamp_text

moments = st.datetimes(timezones=st.just(UTC))
elsewhere = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-15T21:34:51.827Z", datetime(2026, 7, 15, 21, 34, 51, 827000, tzinfo=UTC)),
        ("2026-07-15T21:34:51.82Z", datetime(2026, 7, 15, 21, 34, 51, 820000, tzinfo=UTC)),
        ("2026-07-15T21:34:51.5Z", datetime(2026, 7, 15, 21, 34, 51, 500000, tzinfo=UTC)),
        ("2026-07-15T21:34:51Z", datetime(2026, 7, 15, 21, 34, 51, tzinfo=UTC)),
        ("2026-07-15T21:34:51.1234567Z", datetime(2026, 7, 15, 21, 34, 51, 123456, tzinfo=UTC)),
        ("2026-07-15T21:34:51.123456789Z", datetime(2026, 7, 15, 21, 34, 51, 123456, tzinfo=UTC)),
        ("2026-07-15T23:34:51+02:00", datetime(2026, 7, 15, 21, 34, 51, tzinfo=UTC)),
        ("2026-07-15T16:04:51.5-05:30", datetime(2026, 7, 15, 21, 34, 51, 500000, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", NEVER),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
    ],
)
def test_a_stamp_of_any_precision_is_one_moment(text: str, moment: datetime) -> None:
    assert parse_stamp(text) == moment
    assert parse_stamp(text).tzinfo is UTC


def test_trimmed_zeros_make_no_difference() -> None:
    assert len({parse_stamp(f"2026-01-01T00:00:00.13{zeros}Z") for zeros in ("", "0", "00", "00000")}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-07-15",
        "2026-07-15T21:34:51",
        "2026-07-15 21:34:51Z",
        "2026-07-15T21:34Z",
        "2026-07-15T21:34:51z",
        "2026-07-15T21:34:51.Z",
        "2026-07-15T21:34:51.1234567890Z",
        "2026-13-15T21:34:51Z",
        "2026-02-29T21:34:51Z",
        "2026-07-15T25:34:51Z",
        "2026-07-15T21:34:60Z",
        "2026-07-15T21:34:51+99:99",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "10000-01-01T00:00:00Z",
        " 2026-07-15T21:34:51Z",
        "2026-07-15T21:34:51Z\n",
        "２０２６-07-15T21:34:51Z",  # noqa: RUF001 - full-width digits are the case
    ],
)
def test_what_is_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the form and the range have different words
        parse_stamp(text)


@given(st.text(max_size=40))
def test_parsing_raises_nothing_but_value_errors(text: str) -> None:
    try:
        parse_stamp(text)
    except ValueError:
        return


@given(moments)
def test_a_written_stamp_reads_back_as_the_same_moment(moment: datetime) -> None:
    assert parse_stamp(stamp_text(moment)) == moment


@given(elsewhere)
def test_a_moment_of_any_zone_is_written_in_utc(moment: datetime) -> None:
    assert parse_stamp(stamp_text(moment)) == moment
    assert stamp_text(moment).endswith("Z")


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (stamp_text(one) < stamp_text(other)) == (one < other)
    assert len(stamp_text(one)) == len(stamp_text(other)) == 27


def test_the_year_one_is_written_with_four_digits() -> None:
    assert stamp_text(NEVER) == "0001-01-01T00:00:00.000000Z"
