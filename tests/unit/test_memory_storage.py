"""What the in-memory storage has beyond the contract: limits the emulator does not know, expiry, views for invariants."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from connector.errors import RowConflict
from connector.storage.ports import Insert, Property, Replace, Upsert
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.storage import MemoryQueues, MemoryTables


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def tables(clock: VirtualClock) -> MemoryTables:
    made = MemoryTables(clock)
    made.ensure("ledger")
    return made


@pytest.fixture
def queues(clock: VirtualClock) -> MemoryQueues:
    made = MemoryQueues(clock)
    made.ensure("documents")
    return made


def test_a_row_over_1_mib_is_refused(tables: MemoryTables) -> None:
    columns: dict[str, Property] = {f"c{n:02}": "x" * 32_000 for n in range(16)}
    tables.write("ledger", "p", [Insert("fits", columns)])
    with pytest.raises(ValueError, match="1 MiB"):
        tables.write("ledger", "p", [Insert("over", columns | {"more": "x" * 15_000})])


def test_a_row_has_at_most_252_columns(tables: MemoryTables) -> None:
    tables.write("ledger", "p", [Insert("fits", {f"c{n}": n for n in range(252)})])
    with pytest.raises(ValueError, match="253"):
        tables.write("ledger", "p", [Insert("over", {f"c{n}": n for n in range(253)})])


@pytest.mark.parametrize("name", ["ab", "1abc", "a-b-c", "x" * 64, ""])
def test_a_name_that_no_table_can_have_is_refused(tables: MemoryTables, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        tables.ensure(name)


def test_table_names_have_no_case(tables: MemoryTables) -> None:
    tables.write("LEDGER", "p", [Insert("r", {"n": 1})])
    tables.ensure("Ledger")
    assert [row.row for row in tables.rows("ledger")] == ["r"]
    assert tables.tables() == ("ledger",)


def test_a_row_carries_the_virtual_time_of_its_write_and_of_its_reading(
    tables: MemoryTables, clock: VirtualClock
) -> None:
    clock.advance(0.75)
    tables.write("ledger", "p", [Insert("r", {})])
    clock.advance(90.5)
    found = tables.read("ledger", "p", "r")
    assert found is not None
    assert found.modified == START + timedelta(seconds=0.75)
    assert found.read_at == START + timedelta(seconds=91)


def test_all_rows_are_seen_by_partition_and_key(tables: MemoryTables) -> None:
    for partition, row in (("q", "a"), ("p", "b"), ("p", "a")):
        tables.write("ledger", partition, [Upsert(row, {})])
    assert [(row.partition, row.row) for row in tables.rows("ledger")] == [("p", "a"), ("p", "b"), ("q", "a")]
    assert tables.rows("missing") == ()


def test_what_a_caller_does_to_its_columns_later_does_not_reach_the_row(tables: MemoryTables) -> None:
    columns: dict[str, Property] = {"n": 1}
    tables.write("ledger", "p", [Insert("r", columns)])
    columns["n"] = 2
    assert tables.rows("ledger")[0].properties == {"n": 1}


def test_rows_written_between_two_pages_show_in_the_second(tables: MemoryTables) -> None:
    for place in range(0, 1_000, 100):
        tables.write("ledger", "p", [Insert(f"r{n:04}", {}) for n in range(place, place + 100)])
    rows = tables.query("ledger", "p", start="r", stop="s")
    assert next(rows).row == "r0000"
    tables.write("ledger", "p", [Insert("r1000", {}), Insert("r0000x", {})])
    assert [row.row for row in rows][-1] == "r1000"


def test_of_many_writers_with_one_etag_exactly_one_wins_each_round(tables: MemoryTables) -> None:
    tables.write("ledger", "p", [Insert("r", {"n": 0})])
    wins = threading.Semaphore(0)

    def add() -> None:
        for _ in range(50):
            while True:
                found = tables.read("ledger", "p", "r")
                assert found is not None
                try:
                    tables.write("ledger", "p", [Replace("r", {"n": int(str(found.properties["n"])) + 1}, found.etag)])
                except RowConflict:
                    continue
                wins.release()
                break

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tables.rows("ledger")[0].properties == {"n": 200}


def test_a_message_with_a_life_ends_with_it(queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "for ever")
    queues.send("documents", "for a day", lives_seconds=86_400)
    clock.advance(86_399)
    assert queues.count("documents") == 2
    clock.advance(1)
    assert [message.text for message in queues.messages("documents")] == ["for ever"]
    clock.advance(100 * 365 * 86_400)
    assert queues.count("documents") == 1


def test_messages_come_in_the_order_they_became_visible(queues: MemoryQueues, clock: VirtualClock) -> None:
    queues.send("documents", "late", delay_seconds=20)
    queues.send("documents", "soon", delay_seconds=10)
    queues.send("documents", "now")
    queues.send("documents", "now too")
    clock.advance(30)
    assert [message.text for message in queues.receive("documents", 32)] == ["now", "now too", "soon", "late"]


def test_every_message_is_seen_whether_visible_or_not(queues: MemoryQueues) -> None:
    queues.send("documents", "a")
    queues.receive("documents", visibility_seconds=60)
    queues.send("documents", "b", delay_seconds=90)
    assert [message.text for message in queues.messages("documents")] == ["a", "b"]
    assert queues.next_visible("documents") == START + timedelta(seconds=60)
    assert queues.messages("missing") == ()
    assert queues.next_visible("missing") is None
    assert queues.queues() == ("documents",)
    assert queues.exists("documents")
    assert not queues.exists("missing")


@pytest.mark.parametrize("maximum", [0, 33])
def test_a_receive_and_a_peek_take_1_to_32(queues: MemoryQueues, maximum: int) -> None:
    with pytest.raises(ValueError, match="1 to 32"):
        queues.receive("documents", maximum)
    with pytest.raises(ValueError, match="1 to 32"):
        queues.peek("documents", maximum)


@pytest.mark.parametrize("seconds", [-1, 7 * 86_400 + 1])
def test_a_lease_is_at_most_seven_days(queues: MemoryQueues, seconds: int) -> None:
    queues.send("documents", "x")
    with pytest.raises(ValueError, match="7 days"):
        queues.receive("documents", 1, seconds)
    (message,) = queues.receive("documents")
    with pytest.raises(ValueError, match="7 days"):
        queues.update("documents", message, seconds)


def test_two_stores_with_the_same_history_are_the_same() -> None:
    def history() -> tuple[object, object]:
        clock = VirtualClock()
        tables, queues = MemoryTables(clock), MemoryQueues(clock)
        tables.ensure("ledger")
        queues.ensure("documents")
        for number in range(3):
            tables.write("ledger", "p", [Upsert(f"r{number}", {"n": number})])
            queues.send("documents", str(number))
            clock.advance(1)
        queues.receive("documents", 2)
        return tables.rows("ledger"), queues.messages("documents")

    assert history() == history()
