"""Tracking: whatever the order of updates, the size of pages and the lateness of commits, no update is missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.tracking import (
    BEGINNING,
    OVERLAP,
    Mark,
    Position,
    Progress,
    advanced,
    as_asked,
    beginning,
    condition,
    following,
    moment_of,
    stamp_of,
)

T = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
MOST_PAGES = 500


def at(seconds: int) -> datetime:
    return T + timedelta(seconds=seconds)


def mark(seconds: int, id_: str) -> Mark:
    return Mark(at(seconds), id_)


# -- single steps


def test_the_query_from_a_second_on_has_one_bound_and_both_orders() -> None:
    assert condition(Position(T)) == "sys_updated_on>=2026-05-04 08:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"


def test_the_query_inside_a_second_stays_inside_it() -> None:
    assert condition(Position(T, "5a")) == (
        "sys_updated_on>=2026-05-04 08:00:00^sys_updated_on<=2026-05-04 08:00:00^sys_id>5a"
        "^ORDERBYsys_updated_on^ORDERBYsys_id"
    )


def test_the_first_pass_reads_from_the_beginning_and_the_next_from_the_overlap_behind_the_watermark() -> None:
    assert beginning(Progress()) == Position(BEGINNING)
    assert beginning(Progress(T)) == Position(T - OVERLAP)
    assert beginning(Progress(T, Position(at(9), "a"), at(30))) == Position(at(9), "a")


@pytest.mark.parametrize(
    ("position", "marks", "right"),
    [
        (Position(T), [], True),
        (Position(T), [mark(0, "b"), mark(1, "a")], True),
        (Position(T), [mark(0, "a"), mark(0, "b")], True),
        (Position(T), [mark(-1, "a")], False),
        (Position(T), [mark(1, "a"), mark(0, "b")], False),
        (Position(T), [mark(0, "b"), mark(0, "a")], False),
        (Position(T), [mark(0, "a"), mark(0, "a")], False),
        (Position(T, "a"), [mark(0, "b")], True),
        (Position(T, "b"), [mark(0, "b")], False),
        (Position(T, "b"), [mark(0, "a")], False),
        (Position(T, "a"), [mark(1, "b")], False),
    ],
)
def test_rows_nobody_asked_for_are_told(position: Position, marks: list[Mark], *, right: bool) -> None:
    assert as_asked(position, marks) is right


@pytest.mark.parametrize(
    ("position", "marks", "more", "then"),
    [
        (Position(T), [mark(1, "a"), mark(2, "b")], False, None),
        (Position(T), [mark(1, "a"), mark(2, "b")], True, Position(at(2), "b")),
        (Position(T, "a"), [mark(0, "b")], True, Position(T, "b")),
        (Position(T, "a"), [mark(0, "b")], False, Position(at(1))),
        (Position(T, "a"), [], False, Position(at(1))),
        (Position(T), [], True, Position(T, skip=2)),
        (Position(T, skip=2), [], True, Position(T, skip=4)),
        (Position(T, skip=2), [mark(7, "c")], True, Position(at(7), "c")),
        (Position(T, skip=2), [], False, None),
    ],
)
def test_where_reading_goes_on_after_a_page(
    position: Position, marks: list[Mark], *, more: bool, then: Position | None
) -> None:
    assert following(position, marks, more=more, limit=2) == then


def test_the_watermark_is_the_latest_change_but_not_beyond_the_instances_clock() -> None:
    assert advanced(Progress(), [mark(5, "a")], [], at(60), None) == Progress(at(5))
    assert advanced(Progress(), [mark(5000, "a")], [], at(60), None) == Progress(at(60))
    assert advanced(Progress(at(5)), [], [], at(60), None) == Progress(at(5))
    assert advanced(Progress(), [], [], at(60), None) == Progress()


def test_the_watermark_stays_behind_what_is_not_on_record_to_the_end_of_the_pass() -> None:
    first = advanced(Progress(), [mark(5, "a"), mark(6, "b")], [mark(5, "a")], at(60), Position(at(6), "b"))
    assert first == Progress(at(5), Position(at(6), "b"), at(5))
    assert advanced(first, [mark(30, "c")], [], at(70), None) == Progress(at(5))


def test_a_long_pass_is_taken_up_where_it_was_left_and_ends_at_the_clock_of_its_beginning() -> None:
    first = advanced(Progress(), [mark(5, "a")], [], at(60), Position(at(5), "a", skip=7))
    assert first == Progress(at(5), Position(at(5), "a"), at(60))
    assert advanced(first, [mark(900, "b")], [], at(1000), None) == Progress(at(60))


@pytest.mark.parametrize("text", ["", "2026-05-04", "2026-05-04T08:00:00Z", "2026-5-4 8:00:00", "2026-13-01 00:00:00"])
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert moment_of(text) is None


def test_a_stamp_is_read_as_it_is_written() -> None:
    assert moment_of(stamp_of(T)) == T


# -- the property


@dataclass
class Update:
    """One change of a record: stamped when it was made, to be seen when it is committed."""

    made: int
    late: int
    record: int


updates = st.lists(
    st.builds(
        Update,
        made=st.integers(0, 1500),
        late=st.one_of(st.just(0), st.integers(0, int(OVERLAP.total_seconds()))),
        record=st.integers(0, 12),
    ),
    max_size=40,
)


class Instance:
    """A table in which records change, as a reader sees it at a moment: for each record its last committed change."""

    def __init__(self, changes: list[Update]) -> None:
        self._changes = changes

    def version(self, record: int, now: int) -> int | None:
        """The number of the change that the record shows at this moment."""
        seen = [
            (number, one)
            for number, one in enumerate(self._changes)
            if one.record == record and one.made + one.late <= now
        ]
        return max(seen, key=lambda each: (each[1].made + each[1].late, each[0]))[0] if seen else None

    def page(self, position: Position, now: int, limit: int) -> tuple[list[tuple[Mark, int]], bool]:
        """The records from the position on, and whether there are more."""
        rows = []
        for record in sorted({one.record for one in self._changes}):
            version = self.version(record, now)
            if version is not None:
                rows.append((Mark(at(self._changes[version].made), f"{record:02d}"), version))
        rows.sort(key=lambda row: (row[0].at, row[0].id))
        found = [row for row in rows if row[0].at >= position.at]
        if position.id:
            found = [row for row in found if row[0].at == position.at and row[0].id > position.id]
        return found[:limit], len(found) > limit


@given(
    updates,
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 4)), min_size=1, max_size=12),
    st.integers(0, 40),
)
def test_every_record_is_seen_in_its_last_version(
    changes: list[Update], limit: int, runs: list[tuple[int, int]], page_seconds: int
) -> None:
    """`runs`: the seconds before each run, and how many pages it has time for. At last one has time enough."""
    instance = Instance(changes)
    progress, seen, now = Progress(), dict[str, int](), 0
    for pause, pages in [*runs, (1500 + int(OVERLAP.total_seconds()), MOST_PAGES), (1, MOST_PAGES)]:
        now += pause
        position: Position | None = beginning(progress)
        for _ in range(pages):
            assert position is not None
            rows, more = instance.page(position, now, limit)
            marks = [row[0] for row in rows]
            assert as_asked(position, marks)
            seen |= {row[0].id: row[1] for row in rows}
            position = following(position, marks, more=more, limit=limit)
            progress = advanced(progress, marks, [], at(now), position)
            now += page_seconds
            if position is None:
                break
        else:
            assert pages < MOST_PAGES, "a pass without an end"
    wanted = {f"{one.record:02d}": instance.version(one.record, now) for one in changes}
    assert seen == wanted
