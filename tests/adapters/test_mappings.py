"""The mapping's contract: pairs kept, moved and raced for, on the in-memory store and on the emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from connector.errors import RowConflict, StorageUnavailable
from connector.model.alignment import MappingRow
from connector.storage.mappings import TABLE, Agreed, Mappings
from connector.storage.ports import Operation
from tests.adapters.storage_bench import Bench, emulated, memory

DIMENSION = "DEPARTMENT"


def pair(number: int, **changes: object) -> MappingRow:
    """A pair; each number is another cost centre and another value."""
    row = MappingRow(f"{number:032x}", f"C{number}", f"{number}-C", f"Centre {number}")
    return replace(row, **changes)  # type: ignore[arg-type]


@dataclass
class Place:
    """Mappings on a storage, and a company of theirs that no other test uses."""

    bench: Bench
    mappings: Mappings
    company: str

    def read(self, dimension: str = DIMENSION) -> Agreed:
        """What is on record."""
        return self.mappings.all(self.company, dimension)

    def rows(self, dimension: str = DIMENSION) -> list[MappingRow]:
        """The pairs on record, in order."""
        return [kept.row for _, kept in sorted(self.read(dimension).rows.items())]

    def put(self, *rows: MappingRow, remove: Sequence[str] = (), run: str = "run-1") -> None:
        """Changes them in a run of their own."""
        self.mappings.write(self.read(), rows, remove, run)


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    company = f"us-{uuid.uuid4()}"
    if request.param == "memory":
        bench = memory()
        bench.tables.ensure(TABLE)
        yield Place(bench, Mappings(bench.tables), company)
        return
    with emulated(request.getfixturevalue("azurite").connection_string) as bench:
        bench.tables.ensure(TABLE)
        yield Place(bench, Mappings(bench.tables), company)


def test_a_dimension_that_was_never_aligned_has_no_pairs(place: Place) -> None:
    agreed = place.read()
    assert (agreed.rows, agreed.checked_at, agreed.run) == ({}, None, "")


@pytest.mark.parametrize(
    "row",
    [
        pair(1),
        pair(2, parent=pair(1).sys_id, blocked=True),
        pair(3, status="conflict", name="Å / 50% #1 | 'x' ^ \U0001f600", code="A/B #1"),
        pair(4, status="gone", name="", account_number=""),
        pair(5, sys_id="AAAABBBBCCCCDDDDEEEEFFFF00001111"),
    ],
)
def test_a_pair_comes_back_as_it_was_written(place: Place, row: MappingRow) -> None:
    place.put(row)
    assert place.rows() == [row]
    assert [kept.row for kept in place.mappings.by_code(place.company, DIMENSION, row.code)] == [row]


def test_pairs_of_other_dimensions_and_companies_do_not_meet(place: Place) -> None:
    place.put(pair(1))
    assert place.rows("AREA") == []
    assert place.mappings.all(f"{place.company}-2", DIMENSION).rows == {}
    assert place.mappings.by_code(place.company, "AREA", "C1") == ()


def test_a_change_replaces_a_pair_and_a_removal_takes_it_away(place: Place) -> None:
    place.put(pair(1), pair(2))
    place.put(pair(1, name="Renamed"), remove=[pair(2).sys_id, "never there"], run="run-2")
    assert place.rows() == [pair(1, name="Renamed")]
    assert place.mappings.by_code(place.company, DIMENSION, "C2") == ()


def test_five_hundred_pairs_are_written_changed_and_removed(place: Place) -> None:
    rows = [pair(number) for number in range(500)]
    place.put(*rows)
    assert place.rows() == rows
    renamed = [replace(row, name="Renamed") for row in rows[:250]]
    place.put(*renamed, remove=[row.sys_id for row in rows[250:]])
    assert place.rows() == renamed


def test_a_run_that_read_before_another_wrote_loses_and_changes_nothing(place: Place) -> None:
    place.put(pair(1))
    early, late = place.read(), place.read()
    place.mappings.write(early, [pair(1, name="By the first")], (), "run-2")
    for write in (
        lambda: place.mappings.write(late, [pair(2)], (), "run-3"),
        lambda: place.mappings.write(late, (), [pair(1).sys_id], "run-3"),
        lambda: place.mappings.confirm(late, "run-3"),
    ):
        with pytest.raises(RowConflict):
            write()
    assert place.rows() == [pair(1, name="By the first")]
    assert place.read().checked_at is None


def test_of_two_first_runs_one_loses_though_they_map_different_cost_centres_to_one_value(place: Place) -> None:
    one, other = place.read(), place.read()
    place.mappings.write(one, [pair(1, code="SALES")], (), "run-1")
    with pytest.raises(RowConflict):
        place.mappings.write(other, [pair(2, code="SALES")], (), "run-2")
    assert place.rows() == [pair(1, code="SALES")]
    place.mappings.write(place.read(), [pair(2)], (), "run-2")
    assert place.rows() == [pair(1, code="SALES"), pair(2)]


def test_a_run_goes_on_writing_and_confirms_with_what_it_read(place: Place) -> None:
    agreed = place.read()
    place.mappings.write(agreed, [pair(1)], (), "run-1")
    place.mappings.write(agreed, [pair(2)], (), "run-1")
    place.mappings.write(agreed, (), (), "run-1")
    place.mappings.confirm(agreed, "run-1")
    assert place.rows() == [pair(1), pair(2)]
    assert place.read().run == "run-1"


def test_a_pair_was_checked_when_it_was_written_or_when_a_run_compared_everything(place: Place) -> None:
    place.put(pair(1), run="run-1")
    written = place.read().rows[pair(1).sys_id]
    assert written.run == "run-1"
    place.bench.pass_time(0.1)
    place.mappings.confirm(place.read(), "run-2")
    agreed = place.read()
    assert agreed.checked_at is not None
    assert agreed.checked_at > written.checked_at
    assert (agreed.rows[pair(1).sys_id].checked_at, agreed.rows[pair(1).sys_id].run) == (agreed.checked_at, "run-2")
    place.bench.pass_time(0.1)
    place.put(pair(2), run="run-3")
    again = place.read().rows
    assert [again[pair(number).sys_id].run for number in (1, 2)] == ["run-2", "run-3"]
    assert again[pair(2).sys_id].checked_at > again[pair(1).sys_id].checked_at
    assert place.mappings.by_code(place.company, DIMENSION, "C1")[0] == again[pair(1).sys_id]


class Breaking:
    """A storage that stops answering after so many transactions."""

    def __init__(self, place: Place, transactions: int) -> None:
        self._tables = place.bench.tables
        self._left = transactions
        self.sizes: list[int] = []

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Writes, as long as it answers."""
        if not self._left:
            raise StorageUnavailable("gone")
        self._left -= 1
        self.sizes.append(len(operations))
        return self._tables.write(table, partition, operations)

    def __getattr__(self, name: str) -> object:
        return getattr(self._tables, name)


@pytest.mark.parametrize("transactions", range(5))
def test_wherever_a_run_breaks_off_no_value_belongs_to_two_cost_centres(transactions: int) -> None:
    bench = memory()
    bench.tables.ensure(TABLE)
    place = Place(bench, Mappings(bench.tables), "us")
    before = [pair(number) for number in range(150)]
    place.put(*before)
    # The same values, each now with a cost centre that was created anew.
    after = [replace(row, sys_id=f"f{row.sys_id[1:]}") for row in before]
    storage = Breaking(place, transactions)
    mappings = Mappings(storage)  # type: ignore[arg-type]
    gone = [row.sys_id for row in before]
    if transactions < 4:
        with pytest.raises(StorageUnavailable):
            mappings.write(place.read(), after, gone, "run-2")
    else:
        mappings.write(place.read(), after, gone, "run-2")
    codes = [row.code for row in place.rows()]
    assert len(codes) == len(set(codes))
    assert max(storage.sizes, default=0) <= 100
    place.put(*after, remove=gone)
    assert place.rows() == after


def test_who_reads_while_another_writes_does_not_build_upon_it(place: Place) -> None:
    place.put(pair(1))

    class Between:
        """A storage on which somebody writes between two readings of ours."""

        def query(self, *args: object, **kwargs: object) -> object:
            """Rows, after the other's writing."""
            place.put(pair(2), run="run-2")
            return place.bench.tables.query(*args, **kwargs)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(place.bench.tables, name)

    mappings = Mappings(Between())  # type: ignore[arg-type]
    agreed = mappings.all(place.company, DIMENSION)
    with pytest.raises(RowConflict):
        mappings.write(agreed, [pair(3)], (), "run-3")
    assert place.rows() == [pair(1), pair(2)]
