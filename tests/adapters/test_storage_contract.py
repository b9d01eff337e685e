"""The contract of `TableStore`: every case runs on the in-memory store, on a rehearsal's tables and on the emulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import RowConflict, SettingsFault
from connector.storage import keys
from connector.storage.ports import Condition, Delete, Entity, Insert, Operation, Property, Replace, Upsert
from tests.adapters.storage_bench import Bench, emulated, memory, overlaid

WHEN = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
FOREIGN_ETAG = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""


@pytest.fixture(params=["memory", "overlay", pytest.param("azurite", marks=pytest.mark.azurite)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param != "azurite":
        yield memory() if request.param == "memory" else overlaid()
        return
    with emulated(request.getfixturevalue("azurite").connection_string) as ready:
        yield ready


def put(bench: Bench, row: str, properties: Mapping[str, Property], partition: str = "p") -> str:
    return bench.tables.write(bench.table, partition, [Upsert(row, properties)])[0]


def got(bench: Bench, row: str, partition: str = "p") -> Entity:
    found = bench.tables.read(bench.table, partition, row)
    assert found is not None
    return found


def asked(
    bench: Bench, start: str, stop: str, *where: Condition, limit: int | None = None, partition: str = "p"
) -> list[str]:
    found = bench.tables.query(bench.table, partition, start=start, stop=stop, where=where, limit=limit)
    return [entity.row for entity in found]


def conflict(bench: Bench, operations: Sequence[Operation]) -> RowConflict:
    with pytest.raises(RowConflict) as caught:
        bench.tables.write(bench.table, "p", operations)
    return caught.value


def test_every_kind_of_value_comes_back_as_it_was_written(bench: Bench) -> None:
    columns: dict[str, Property] = {
        "text": "quote' \" <&> \n\t\0 ü € 😀",
        "empty": "",
        "zero": 0,
        "small": 5,
        "least": -(2**63),
        "most": 2**63 - 1,
        "yes": True,
        "no": False,
        "when": WHEN,
        "elsewhere": datetime(2026, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5))),
    }
    put(bench, "r", columns)
    found = got(bench, "r")
    assert found.properties == columns
    assert {name: type(value) for name, value in found.properties.items()} == {
        name: type(value) for name, value in columns.items()
    }
    assert found.properties["elsewhere"] == datetime(2026, 2, 2, 23, 5, tzinfo=UTC)
    assert isinstance(found.properties["elsewhere"], datetime)
    assert found.properties["elsewhere"].utcoffset() == timedelta(0)
    assert (found.partition, found.row) == ("p", "r")


def test_a_row_tells_the_servers_stamp_and_the_age_by_the_servers_clock(bench: Bench) -> None:
    put(bench, "r", {})
    bench.pass_time(2)
    found = got(bench, "r")
    assert found.read_at.microsecond == 0
    assert found.modified.utcoffset() == found.read_at.utcoffset() == timedelta(0)
    age = (found.read_at - found.modified).total_seconds()
    assert 1 <= age <= 5
    (listed,) = bench.tables.query(bench.table, "p", start="r", stop="s")
    assert listed.modified == found.modified
    assert 0 <= (listed.read_at - found.read_at).total_seconds() <= 2


def test_a_row_that_is_not_there_reads_as_none(bench: Bench) -> None:
    put(bench, "r", {})
    assert bench.tables.read(bench.table, "p", "other") is None
    assert bench.tables.read(bench.table, "q", "r") is None


def test_ensure_can_be_repeated_and_keeps_the_rows(bench: Bench) -> None:
    put(bench, "r", {"n": 1})
    bench.tables.ensure(bench.table)
    assert got(bench, "r").properties == {"n": 1}


def test_a_missing_table_is_an_error_of_the_set_up_for_every_method(bench: Bench) -> None:
    table = "missing"
    delete = Delete("r", FOREIGN_ETAG)
    replace = Replace("r", {}, FOREIGN_ETAG)
    for operations in ([Insert("r", {})], [Upsert("r", {})], [replace], [delete], [Insert("r", {}), Insert("s", {})]):
        with pytest.raises(SettingsFault, match="missing"):
            bench.tables.write(table, "p", operations)
    with pytest.raises(SettingsFault, match="missing"):
        bench.tables.read(table, "p", "r")
    with pytest.raises(SettingsFault, match="missing"):
        list(bench.tables.query(table, "p", start="a", stop="z"))


def test_a_write_returns_the_etag_that_a_read_shows(bench: Bench) -> None:
    first = bench.tables.write(bench.table, "p", [Insert("a", {})])
    assert list(first) == [got(bench, "a").etag]
    several = bench.tables.write(bench.table, "p", [Upsert("b", {}), Replace("a", {"n": 1}, first[0]), Insert("c", {})])
    assert list(several) == [got(bench, row).etag for row in ("b", "a", "c")]
    assert several[1] != first[0]
    removed = bench.tables.write(bench.table, "p", [Delete("a", several[1]), Delete("b", several[0])])
    assert list(removed) == ["", ""]
    assert list(bench.tables.write(bench.table, "p", [Delete("c", several[2])])) == [""]
    assert asked(bench, "a", "z") == []


def test_each_write_changes_the_etag_even_when_the_columns_stay(bench: Bench) -> None:
    assert len({put(bench, "r", {"n": 1}) for _ in range(5)}) == 5


def test_replace_and_upsert_drop_the_columns_left_out(bench: Bench) -> None:
    etag = put(bench, "r", {"a": 1, "b": 2})
    bench.tables.write(bench.table, "p", [Replace("r", {"b": 3}, etag)])
    assert got(bench, "r").properties == {"b": 3}
    put(bench, "r", {"c": 4})
    assert got(bench, "r").properties == {"c": 4}
    bench.tables.write(bench.table, "p", [Upsert("r", {"d": 5}), Insert("s", {})])
    assert got(bench, "r").properties == {"d": 5}


@pytest.mark.parametrize("company", [[], [Insert("company", {})]], ids=["alone", "in a transaction"])
@pytest.mark.parametrize("kind", ["insert", "replace", "delete", "replace missing", "delete missing"])
def test_a_lost_write_names_its_operation_and_changes_nothing(
    bench: Bench, company: list[Operation], kind: str
) -> None:
    old = put(bench, "r", {"n": 1})
    put(bench, "r", {"n": 2})
    lost: dict[str, Operation] = {
        "insert": Insert("r", {"n": 3}),
        "replace": Replace("r", {"n": 3}, old),
        "delete": Delete("r", old),
        "replace missing": Replace("missing", {"n": 3}, old),
        "delete missing": Delete("missing", old),
    }
    caught = conflict(bench, [*company, lost[kind]])
    assert (caught.index, caught.row) == (len(company), lost[kind].row)
    assert got(bench, "r").properties == {"n": 2}
    assert asked(bench, "a", "z") == ["r"]


def test_the_first_of_two_lost_operations_is_named(bench: Bench) -> None:
    put(bench, "b", {})
    put(bench, "c", {})
    assert conflict(bench, [Insert("a", {}), Insert("b", {}), Insert("c", {})]).index == 1


def test_a_transaction_of_100_rows_is_taken_whole(bench: Bench) -> None:
    made = bench.tables.write(bench.table, "p", [Insert(f"r{n:03}", {"n": n}) for n in range(100)])
    assert len(made) == 100
    assert len(asked(bench, "r", "s")) == 100
    caught = conflict(bench, [Insert(f"s{n:03}", {}) for n in range(99)] + [Insert("r050", {})])
    assert caught.index == 99
    assert len(asked(bench, "a", "z")) == 100


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [Insert(f"r{n:03}", {}) for n in range(101)],
        [Insert("r", {}), Upsert("r", {})],
        [Insert("a/b", {})],
        [Insert("a\\b", {}), Insert("c", {})],
        [Insert("a#b", {})],
        [Insert("a?b", {})],
        [Insert("a\x1fb", {})],
        [Insert("a\x85b", {})],
        [Insert("a" * 513, {})],
        [Insert("r", {"text": "a" * 32_769})],
        [Insert("r", {"text": "😀" * 16_385})],
        [Insert("s", {}), Insert("r", {"text": "a" * 32_769})],
        [Insert(f"r{n:03}", {"a": "a" * 32_000, "b": "b" * 32_000}) for n in range(70)],
        [Insert("r", {"half": "\ud800"})],
        [Insert("r", {"n": 2**63})],
        [Insert("r", {"when": datetime(2026, 1, 1)})],  # noqa: DTZ001
        [Insert("r", {"when": datetime(1600, 1, 1, tzinfo=UTC)})],
        [Insert("r", {"RowKey": "s"})],
        [Insert("r", {"Timestamp": WHEN})],
        [Insert("r", {"a-b": 1})],
        [Insert("r", {"1a": 1})],
        [Replace("r", {}, "")],
        [Replace("r", {}, "*")],
        [Delete("r", "*")],
    ],
    ids=lambda operations: f"{len(operations)} {str(operations[:1])[:45]}",
)
def test_what_passes_a_limit_is_refused_and_writes_nothing(bench: Bench, operations: list[Operation]) -> None:
    with pytest.raises(ValueError, match="."):
        bench.tables.write(bench.table, "p", operations)
    assert asked(bench, "", "~") == []


def test_the_largest_text_and_key_are_taken(bench: Bench) -> None:
    put(bench, "k" * 512, {"ascii": "a" * 32_768, "pairs": "😀" * 16_384})
    found = got(bench, "k" * 512)
    assert found.properties == {"ascii": "a" * 32_768, "pairs": "😀" * 16_384}


def test_a_query_has_its_start_and_lacks_its_stop(bench: Bench) -> None:
    for row in ("a", "b", "c", "d"):
        put(bench, row, {})
    put(bench, "b", {}, partition="other")
    assert asked(bench, "b", "d") == ["b", "c"]
    assert asked(bench, "bb", "cc") == ["c"]
    assert asked(bench, "d", "b") == []
    assert asked(bench, "a", "z", partition="other") == ["b"]


def test_rows_come_in_the_order_of_utf_16_units(bench: Bench) -> None:
    rows = ["-", "1", "10", "2", "B", "Z", "_", "a", "b", "|", "~", "é", "😀", "￠"]
    bench.tables.write(bench.table, "p", [Insert(row, {}) for row in reversed(rows)])
    assert asked(bench, "", "￿") == rows
    assert asked(bench, "B", "b") == ["B", "Z", "_", "a"]


def test_a_query_stops_at_its_limit(bench: Bench) -> None:
    bench.tables.write(bench.table, "p", [Insert(f"r{n}", {"n": n}) for n in range(5)])
    assert asked(bench, "r", "s", limit=2) == ["r0", "r1"]
    assert asked(bench, "r", "s", Condition("n", "ge", 2), limit=2) == ["r2", "r3"]
    assert asked(bench, "r", "s", limit=9) == ["r0", "r1", "r2", "r3", "r4"]
    with pytest.raises(ValueError, match="0"):
        bench.tables.query(bench.table, "p", start="r", stop="s", limit=0)


def test_a_query_goes_on_over_the_servers_pages(bench: Bench) -> None:
    rows = [f"r{n:04}" for n in range(1_050)]
    for place in range(0, len(rows), 100):
        bench.tables.write(bench.table, "p", [Insert(row, {}) for row in rows[place : place + 100]])
    assert asked(bench, "r", "s") == rows
    assert asked(bench, "r", "s", limit=1_020) == rows[:1_020]


# Times a millisecond apart: the emulator, unlike Azure, compares no finer.
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("n", "eq", 2), ["b"]),
        (Condition("n", "ne", 2), ["a", "c"]),
        (Condition("n", "lt", 2), ["a"]),
        (Condition("n", "le", 2), ["a", "b"]),
        (Condition("n", "gt", 2), ["c"]),
        (Condition("n", "ge", 2), ["b", "c"]),
        (Condition("n", "gt", -(2**40)), ["a", "b", "c"]),
        (Condition("text", "eq", "it's"), ["a"]),
        (Condition("text", "lt", "j"), ["a"]),
        (Condition("yes", "eq", True), ["a"]),
        (Condition("yes", "ne", True), ["b", "c"]),
        (Condition("when", "ge", WHEN + timedelta(milliseconds=1)), ["b", "c"]),
        (Condition("absent", "ne", "x"), []),
        (Condition("Timestamp", "gt", datetime(2020, 1, 1, tzinfo=UTC)), ["a", "b", "c", "d"]),
        (Condition("Timestamp", "gt", datetime(2120, 1, 1, tzinfo=UTC)), []),
    ],
    ids=str,
)
def test_a_condition_picks_rows_that_have_the_column(bench: Bench, condition: Condition, expected: list[str]) -> None:
    put(bench, "a", {"n": 1, "text": "it's", "yes": True, "when": WHEN})
    put(bench, "b", {"n": 2, "text": "ju", "yes": False, "when": WHEN + timedelta(milliseconds=1)})
    put(bench, "c", {"n": 3, "text": "kü", "yes": False, "when": WHEN + timedelta(days=1)})
    put(bench, "d", {})
    assert asked(bench, "a", "z", condition) == expected


def test_conditions_must_all_hold_and_eleven_are_the_most(bench: Bench) -> None:
    bench.tables.write(bench.table, "p", [Insert(f"r{n:02}", {"n": n}) for n in range(20)])
    eleven = [Condition("n", "ne", n) for n in range(11)]
    assert asked(bench, "r", "s", *eleven) == [f"r{n:02}" for n in range(11, 20)]
    with pytest.raises(ValueError, match="12|16"):
        bench.tables.query(bench.table, "p", start="r", stop="s", where=[*eleven, Condition("n", "ne", 19)])
    with pytest.raises(ValueError, match="or true"):
        bench.tables.query(bench.table, "p", start="r", stop="s", where=[Condition("n or true", "eq", 1)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(text=st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text_can_be_part_of_a_key(bench: Bench, text: str) -> None:
    key = keys.join("s", text)
    put(bench, key, {"n": 1})
    assert got(bench, key).row == key
    start, stop = keys.below("s")
    assert key in asked(bench, start, stop)
