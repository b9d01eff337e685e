"""The watermark: never back, never past what is not queued, and the overlap catches what was committed late."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.watermark import MAX_RECENT, Cursor, advance, fresh, read_from
from connector.model.stamps import NEVER, stamp_text
from connector.model.units import Reference

START = datetime(2026, 7, 15, 12, tzinfo=UTC)
OVERLAP = timedelta(minutes=5)
LATER = START + timedelta(days=1)


def at(seconds: float) -> datetime:
    """A moment of that afternoon."""
    return START + timedelta(seconds=seconds)


stamps = st.integers(0, 900).map(at)
seen_lists = st.lists(st.builds(Reference, id=st.sampled_from("abcdefgh"), seen=stamps), max_size=12)
overlaps = st.integers(1, 600).map(lambda seconds: timedelta(seconds=seconds))
cursors = st.builds(
    lambda watermark, recent: Cursor(watermark, recent),
    st.none() | stamps,
    st.dictionaries(st.sampled_from("abcdefgh"), stamps, max_size=8),
)


def test_the_first_poll_reads_everything() -> None:
    assert read_from(Cursor(), OVERLAP) is None


def test_a_later_poll_reads_from_the_overlap_behind_the_watermark() -> None:
    assert read_from(Cursor(at(600)), OVERLAP) == at(300)


@pytest.mark.parametrize("watermark", [NEVER, NEVER + timedelta(minutes=4), NEVER + OVERLAP])
def test_records_that_were_never_stamped_are_read_again_without_a_bound(watermark: datetime) -> None:
    assert read_from(Cursor(watermark), OVERLAP) is None


def test_the_bound_starts_just_above_the_overlap() -> None:
    assert read_from(Cursor(NEVER + OVERLAP + timedelta(milliseconds=1)), OVERLAP) == NEVER + timedelta(milliseconds=1)


@given(cursors, seen_lists, overlaps)
def test_the_watermark_never_moves_back(cursor: Cursor, queued: list[Reference], overlap: timedelta) -> None:
    after = advance(cursor, queued, overlap, LATER)
    if cursor.watermark is not None:
        assert after.watermark is not None
        assert after.watermark >= cursor.watermark


@given(cursors, seen_lists, overlaps)
def test_the_watermark_is_a_stamp_that_was_queued(cursor: Cursor, queued: list[Reference], overlap: timedelta) -> None:
    after = advance(cursor, queued, overlap, LATER)
    assert after.watermark in {cursor.watermark, *(reference.seen for reference in queued)}


@given(cursors, seen_lists, overlaps, stamps)
def test_the_watermark_is_never_ahead_of_the_clock_of_bc(
    cursor: Cursor, queued: list[Reference], overlap: timedelta, now: datetime
) -> None:
    after = advance(cursor, queued, overlap, now)
    assert after.watermark is None or after.watermark <= now


def test_a_stamp_from_the_future_does_not_hide_what_is_changed_until_then() -> None:
    cursor = advance(Cursor(at(10)), [Reference("a", at(900))], OVERLAP, at(11))
    assert cursor.watermark == at(11)
    bound = read_from(cursor, OVERLAP)
    assert bound is not None
    assert bound < at(12)


def test_a_clock_of_bc_that_was_set_back_takes_the_watermark_back() -> None:
    assert advance(Cursor(at(600)), [], OVERLAP, at(100)).watermark == at(100)


def test_nothing_queued_leaves_the_cursor_as_it_is() -> None:
    cursor = Cursor(at(10), {"a": at(10)})
    assert advance(cursor, [], OVERLAP, LATER) is cursor


@given(cursors, seen_lists.filter(bool), overlaps)
def test_what_was_queued_within_the_overlap_is_remembered(
    cursor: Cursor, queued: list[Reference], overlap: timedelta
) -> None:
    ordered = sorted(queued, key=lambda reference: reference.seen)
    after = advance(cursor, ordered, overlap, LATER)
    floor = read_from(after, overlap) or NEVER
    again = [reference for reference in ordered if reference.seen >= floor]
    assert fresh(after, again) == []


@given(cursors, seen_lists.filter(bool), overlaps)
def test_what_lies_before_the_overlap_is_forgotten(cursor: Cursor, queued: list[Reference], overlap: timedelta) -> None:
    after = advance(cursor, queued, overlap, LATER)
    floor = read_from(after, overlap)
    assert floor is None or all(seen >= floor for seen in after.recent.values())


def test_the_edge_of_the_overlap_itself_is_remembered() -> None:
    after = advance(Cursor(), [Reference("a", at(300)), Reference("b", at(600))], OVERLAP, LATER)
    assert set(after.recent) == {"a", "b"}


@given(cursors, seen_lists)
def test_a_stamp_that_is_not_remembered_is_fresh(cursor: Cursor, seen: list[Reference]) -> None:
    found = {reference.id: reference.seen for reference in fresh(cursor, seen)}
    for reference in seen:
        newest = max(other.seen for other in seen if other.id == reference.id)
        if cursor.recent.get(reference.id) == newest:
            assert reference.id not in found
        else:
            assert found[reference.id] == newest


def test_a_document_that_changed_again_is_fresh_again() -> None:
    cursor = advance(Cursor(), [Reference("a", at(10))], OVERLAP, LATER)
    assert fresh(cursor, [Reference("a", at(10)), Reference("a", at(11))]) == [Reference("a", at(11))]


def test_the_memory_is_bounded_and_keeps_the_newest() -> None:
    queued = [Reference(str(UUID(int=number)), at(number / 1000)) for number in range(3 * MAX_RECENT)]
    after = advance(Cursor(), queued, OVERLAP, LATER)
    assert len(after.recent) == MAX_RECENT
    assert set(after.recent) == {reference.id for reference in queued[-MAX_RECENT:]}


def test_a_full_memory_fits_into_one_column_of_table_storage() -> None:
    queued = [Reference(str(UUID(int=number)), at(1)) for number in range(MAX_RECENT)]
    recent = advance(Cursor(), queued, OVERLAP, LATER).recent
    text = json.dumps({id_: stamp_text(seen) for id_, seen in recent.items()}, separators=(",", ":"))
    assert len(text) <= 32_768


@given(
    commits=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 2000), st.integers(0, 300)), min_size=1, max_size=25
    ),
    polls=st.lists(st.integers(0, 2400), max_size=12),
)
def test_a_commit_as_late_as_the_overlap_is_never_missed(commits: list[tuple[str, int, int]], polls: list[int]) -> None:
    """Each commit carries the stamp of its writing and shows up to 300 s later; polls come at any moment."""
    queued: set[tuple[str, datetime]] = set()
    current: dict[str, datetime] = {}
    cursor = Cursor()
    for moment in [*sorted(polls), 3000]:
        visible: dict[str, tuple[int, datetime]] = {}
        for id_, stamp, late in commits:
            if stamp + late <= moment:
                visible[id_] = max(visible.get(id_, (0, NEVER)), (stamp, at(stamp)))
        rows = sorted((seen, id_) for id_, (_, seen) in visible.items())
        bound = read_from(cursor, timedelta(seconds=300)) or NEVER
        page = [Reference(id_, seen) for seen, id_ in rows if seen >= bound]
        queued |= _stamps(fresh(cursor, page))
        cursor = advance(cursor, page, timedelta(seconds=300), LATER)
        current = {id_: seen for id_, (_, seen) in visible.items()}
    assert set(current.items()) <= queued


def _stamps(references: Sequence[Reference]) -> set[tuple[str, datetime]]:
    return {(reference.id, reference.seen) for reference in references}
