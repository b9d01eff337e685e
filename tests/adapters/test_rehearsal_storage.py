"""A rehearsal's storage: to whoever asks it is storage in which both have written, and the real one never learns of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import RowConflict, SettingsFault
from connector.storage.ports import Condition, Delete, Entity, Insert, Operation, Replace, TableStore, Upsert
from connector.storage.rehearsal import OverlayTables, SilentQueues
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryTables

TABLE = "ledger"
ROWS = ["-", "B", "a", "b", "c", "￠", "😀"]
Step = tuple[str, str, int]
"""What is done to which row, with which number in it."""

steps = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "upsert", "delete", "stale"]), st.sampled_from(ROWS), st.integers(0, 3)
    ),
    max_size=3,
    unique_by=lambda step: step[1],
)


def fresh() -> MemoryTables:
    tables = MemoryTables(VirtualClock())
    tables.ensure(TABLE)
    return tables


def done(tables: TableStore, transaction: Sequence[Step]) -> object:
    """What became of the transaction: which row lost, or how many ETags came back."""
    operations: list[Operation] = []
    for kind, row, number in transaction:
        there = tables.read(TABLE, "p", row)
        etag = "stale" if kind == "stale" or there is None else there.etag
        operations.append(
            {
                "insert": Insert(row, {"n": number}),
                "upsert": Upsert(row, {"n": number}),
                "delete": Delete(row, etag),
            }.get(kind, Replace(row, {"n": number}, etag))
        )
    if not operations:
        return None
    try:
        etags = tables.write(TABLE, "p", operations)
    except RowConflict as conflict:
        return conflict.index, conflict.row
    assert [etag == "" for etag in etags] == [isinstance(one, Delete) for one in operations]
    for operation, etag in zip(operations, etags, strict=True):
        written = tables.read(TABLE, "p", operation.row)
        assert (written.etag if written else "") == etag
    return len(etags)


def shown(tables: TableStore, start: str, stop: str, least: int, limit: int | None) -> list[tuple[str, object]]:
    where = [Condition("n", "ge", least)] if least else []
    found = tables.query(TABLE, "p", start=start, stop=stop, where=where, limit=limit)
    return [(entity.row, entity.properties["n"]) for entity in found]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    before=st.lists(steps, max_size=4),
    after=st.lists(steps, max_size=6),
    span=st.tuples(st.sampled_from(ROWS), st.sampled_from([*ROWS, "\uffff"])),
    least=st.integers(0, 3),
    limit=st.none() | st.integers(1, 4),
)
def test_it_is_as_if_all_had_been_written_into_one_storage(
    before: list[list[Step]], after: list[list[Step]], span: tuple[str, str], least: int, limit: int | None
) -> None:
    alone, under = fresh(), fresh()
    for transaction in before:
        assert done(alone, transaction) == done(under, transaction)
    kept = under.rows(TABLE)
    over = OverlayTables(under, VirtualClock())
    for transaction in after:
        assert done(over, transaction) == done(alone, transaction)
        assert shown(over, *span, least, limit) == shown(alone, *span, least, limit)
    assert shown(over, "", "\uffff", 0, None) == shown(alone, "", "\uffff", 0, None)
    assert under.rows(TABLE) == kept


def test_more_than_a_page_is_merged_in_order_and_cut_where_it_should() -> None:
    under = fresh()
    rows = [f"r{number:04}" for number in range(2_400)]
    for place in range(0, len(rows), 100):
        under.write(TABLE, "p", [Insert(row, {"n": 1}) for row in rows[place : place + 100]])
    over = OverlayTables(under, VirtualClock())
    for place in range(0, 2_400, 400):
        there = [over.read(TABLE, "p", row) for row in rows[place : place + 100]]
        over.write(TABLE, "p", [Delete(one.row, one.etag) for one in there if one])
        over.write(TABLE, "p", [Insert(f"{row}x", {"n": 1}) for row in rows[place + 100 : place + 200]])
    expected = [
        name
        for place, row in enumerate(rows)
        if place % 400 >= 100
        for name in ([row, f"{row}x"] if place % 400 < 200 else [row])
    ]
    assert [row for row, _ in shown(over, "r", "s", 0, None)] == expected
    for limit in (1, 150, 1_000, 1_700):
        assert [row for row, _ in shown(over, "r", "s", 0, limit)] == expected[:limit]


def test_what_somebody_else_changes_meanwhile_is_a_conflict_as_in_life() -> None:
    under = fresh()
    under.write(TABLE, "p", [Insert("a", {"n": 1}), Insert("b", {"n": 1})])
    over = OverlayTables(under, VirtualClock())
    seen = {row: _there(over, row) for row in "ab"}
    under.write(TABLE, "p", [Upsert("b", {"n": 2})])
    with pytest.raises(RowConflict) as caught:
        over.write(TABLE, "p", [Replace(row, {"n": 3}, seen[row].etag) for row in "ab"])
    assert caught.value.row == "b"
    assert shown(over, "a", "c", 0, None) == [("a", 1), ("b", 2)]
    over.write(TABLE, "p", [Replace("a", {"n": 3}, seen["a"].etag)])
    under.write(TABLE, "p", [Upsert("a", {"n": 4})])
    assert shown(over, "a", "c", 0, None) == [("a", 3), ("b", 2)]


def _there(tables: TableStore, row: str) -> Entity:
    found = tables.read(TABLE, "p", row)
    assert found is not None
    return found


def test_rows_that_were_not_written_here_keep_the_servers_stamps() -> None:
    server, here = VirtualClock(), VirtualClock()
    under = MemoryTables(server)
    under.ensure(TABLE)
    under.write(TABLE, "p", [Insert("a", {"n": 1})])
    server.advance(90)
    here.advance(7_200)
    over = OverlayTables(under, here)
    assert _there(over, "a") == _there(under, "a")
    (listed,) = over.query(TABLE, "p", start="a", stop="b")
    assert listed == _there(under, "a")
    over.write(TABLE, "p", [Upsert("b", {"n": 1})])
    here.advance(5)
    written = _there(over, "b")
    assert (written.read_at - written.modified).total_seconds() == 5
    assert written.modified.replace(microsecond=0) == written.read_at - (here.now() - written.modified)


def test_a_table_that_is_missing_is_not_made_behind_anybodys_back() -> None:
    under = MemoryTables(VirtualClock())
    over = OverlayTables(under, VirtualClock())
    for act in (
        lambda: over.read(TABLE, "p", "a"),
        lambda: list(over.query(TABLE, "p", start="a", stop="b")),
        lambda: over.write(TABLE, "p", [Upsert("a", {})]),
    ):
        with pytest.raises(SettingsFault, match=TABLE):
            act()
    over.ensure(TABLE)
    over.write(TABLE, "p", [Upsert("a", {"n": 1})])
    assert shown(over, "a", "b", 0, None) == [("a", 1)]
    assert under.tables() == ()


def test_a_row_over_1_mib_is_refused() -> None:
    over = OverlayTables(fresh(), VirtualClock())
    columns = {f"c{number:02}": "x" * 32_000 for number in range(16)}
    over.write(TABLE, "p", [Insert("fits", columns)])
    with pytest.raises(ValueError, match="1 MiB"):
        over.write(TABLE, "p", [Insert("over", columns | {"more": "x" * 15_000})])


def test_messages_are_kept_and_nothing_waits_for_others() -> None:
    queues = SilentQueues()
    queues.ensure("documents")
    first = queues.send("documents", "now")
    second = queues.send("documents", "later", delay_seconds=3)
    assert first != second
    assert queues.delete("documents", replace(first))
    assert queues.count("documents") == 0
    assert [(one.text, one.delay_seconds) for one in queues.take()] == [("now", 0), ("later", 3)]
    assert queues.take() == []
