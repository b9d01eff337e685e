"""Verify: whoever touches a single stored event, or makes one vanish, is found out, and so is a document in no state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from connector.decisions.states import Status
from connector.flows.verify import Conservation, verify
from connector.storage.ledger import TABLE, Change
from connector.storage.ledger_rows import State
from connector.storage.ledger_trails import READINGS
from connector.storage.ports import Condition, Delete, Entity, Insert, Property, Replace
from tests.flows.pipeline import ORDERS, Pipeline, some
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryTables


def carried() -> Pipeline:
    pipeline = Pipeline(data=some(orders=3, invoices=1, posted=False)[:1])
    pipeline.run()
    return pipeline


def rows(pipeline: Pipeline, kind: str) -> list[Entity]:
    return [row for row in pipeline.tables.rows(TABLE) if row.row.startswith(f"{kind}|")]


def broken(pipeline: Pipeline) -> set[str]:
    return {one.id for one in verify(pipeline.parts).broken}


def test_what_nobody_touched_is_whole_and_every_document_is_counted_once() -> None:
    pipeline = carried()
    found = verify(pipeline.parts)
    assert found.broken == []
    assert found.documents == len(pipeline.states()) == 4
    assert found.events == len(rows(pipeline, "e"))


def test_a_change_of_any_column_of_any_event_is_found() -> None:
    pipeline = carried()
    for event in rows(pipeline, "e"):
        for name, value in event.properties.items():
            changed = value + 1 if isinstance(value, int) else f"{value} "
            tables, partition = pipeline.tables, event.partition
            now = tables.read(TABLE, partition, event.row)
            assert now is not None
            tables.write(TABLE, partition, [Replace(event.row, {**event.properties, name: changed}, now.etag)])
            assert broken(pipeline), f"{name} of {event.row}"
            now = tables.read(TABLE, partition, event.row)
            assert now is not None
            tables.write(TABLE, partition, [Replace(event.row, dict(event.properties), now.etag)])
    assert broken(pipeline) == set()


def test_an_event_that_was_removed_is_found() -> None:
    pipeline = carried()
    for event in rows(pipeline, "e"):
        now = pipeline.tables.read(TABLE, event.partition, event.row)
        assert now is not None
        pipeline.tables.write(TABLE, event.partition, [Delete(event.row, now.etag)])
        assert broken(pipeline) == {event.properties["id"]}
        pipeline.tables.write(TABLE, event.partition, [Insert(event.row, dict(event.properties))])
    assert broken(pipeline) == set()


def test_the_end_of_a_trail_that_was_cut_off_is_found_even_if_its_state_was_moved_back() -> None:
    pipeline = carried()
    for state in rows(pipeline, "s"):
        events = [one for one in rows(pipeline, "e") if one.properties["id"] == state.properties["id"]]
        for kept in range(1, len(events)):
            cut = [pipeline.tables.read(TABLE, one.partition, one.row) for one in events[kept:]]
            now = pipeline.tables.read(TABLE, state.partition, state.row)
            assert now is not None
            last = events[kept - 1].properties
            back = {**state.properties, "seq": last["seq"], "head": last["hash"], "status": last["status"]}
            gone = [Delete(one.row, one.etag) for one in cut if one is not None]
            pipeline.tables.write(TABLE, state.partition, [Replace(state.row, back, now.etag), *gone])
            assert broken(pipeline) == {state.properties["id"]}
            now = pipeline.tables.read(TABLE, state.partition, state.row)
            assert now is not None
            again = [Insert(one.row, dict(one.properties)) for one in events[kept:]]
            pipeline.tables.write(
                TABLE, state.partition, [Replace(state.row, dict(state.properties), now.etag), *again]
            )
    assert broken(pipeline) == set()


def test_events_that_changed_places_are_found() -> None:
    pipeline = carried()
    first, second = [
        event for event in rows(pipeline, "e") if event.properties["id"] == rows(pipeline, "e")[0].properties["id"]
    ][:2]
    for mine, other in ((first, second), (second, first)):
        now = pipeline.tables.read(TABLE, mine.partition, mine.row)
        assert now is not None
        pipeline.tables.write(TABLE, mine.partition, [Replace(mine.row, dict(other.properties), now.etag)])
    assert broken(pipeline) == {first.properties["id"]}


def test_a_state_that_was_set_back_or_vanished_is_found_and_so_is_a_whole_document() -> None:
    pipeline = carried()
    state = rows(pipeline, "s")[0]
    id_ = state.properties["id"]
    tables = pipeline.tables
    tables.write(TABLE, state.partition, [Replace(state.row, {**state.properties, "seq": 1}, state.etag)])
    assert broken(pipeline) == {id_}
    now = tables.read(TABLE, state.partition, state.row)
    assert now is not None
    tables.write(TABLE, state.partition, [Delete(state.row, now.etag)])
    assert broken(pipeline) == {id_}
    for event in rows(pipeline, "e"):
        if event.properties["id"] == id_:
            tables.write(TABLE, event.partition, [Delete(event.row, event.etag)])
    assert broken(pipeline) == {id_}, "it can still be found by its number"


# -- conservation


def place(pipeline: Pipeline, entity: str = ORDERS) -> Conservation:
    return next(one for one in verify(pipeline.parts).places if one.kind == entity)


def of_a_document(pipeline: Pipeline, id_: str) -> list[Entity]:
    return [row for row in pipeline.tables.rows(TABLE) if id_ in row.row.split("|")]


def test_every_document_seen_is_counted_in_exactly_one_state() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=8))
    pipeline.run()
    found = verify(pipeline.parts)
    states = Counter(state.status for state in pipeline.states().values())
    assert len(states) > 1
    assert sum((one.counts for one in found.places), Counter()) == states
    assert sum(one.seen for one in found.places) == found.documents == len(pipeline.states())
    assert {(one.company, one.kind) for one in found.places} == {
        (company, entity.value) for company, entity in pipeline.parts.entities()
    }
    assert all(one.holds for one in found.places)
    assert found.sound


@pytest.mark.parametrize("left", ["e", "i", "ei"])
def test_a_document_of_which_only_events_or_texts_are_left_is_seen_and_missing_from_every_state(left: str) -> None:
    pipeline = carried()
    before = place(pipeline)
    (id_, *_) = sorted(state.id for state in pipeline.states().values() if place_of(pipeline, state.id) == ORDERS)
    for row in of_a_document(pipeline, id_):
        if row.row[0] not in left:
            pipeline.tables.write(TABLE, row.partition, [Delete(row.row, row.etag)])
    after = place(pipeline)
    assert (after.seen, sum(after.counts.values())) == (before.seen, before.seen - 1)
    assert not after.holds
    assert not verify(pipeline.parts).sound
    assert broken(pipeline) == {id_}


def place_of(pipeline: Pipeline, id_: str) -> str:
    row = next(row for row in rows(pipeline, "s") if row.row == f"s|{id_}")
    return row.partition.split("|")[1]


@pytest.mark.parametrize(
    "columns", [{"status": "lost"}, {"seq": "3"}, {"due": "soon"}, {"taxes": "["}, {"id": "another"}, {"gone": 1}]
)
def test_a_state_that_nobody_here_wrote_is_named_and_stops_nothing(columns: Mapping[str, Property]) -> None:
    pipeline = carried()
    state = rows(pipeline, "s")[0]
    pipeline.tables.write(TABLE, state.partition, [Replace(state.row, {**state.properties, **columns}, state.etag)])
    assert broken(pipeline) == {state.row.split("|")[1]}
    assert verify(pipeline.parts).documents == 4


class Busy(MemoryTables):
    """Storage in which others write just before rows of a kind are read: as often as there are acts for it."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.acts: dict[str, list[Callable[[], object]]] = {}

    def query(
        self,
        table: str,
        partition: str,
        *,
        start: str,
        stop: str,
        where: Sequence[Condition] = (),
        limit: int | None = None,
    ) -> Iterator[Entity]:
        acts = self.acts.get(start[:2], [])
        if acts:
            acts.pop(0)()
        return super().query(table, partition, start=start, stop=stop, where=where, limit=limit)


@pytest.mark.parametrize("times", range(READINGS))
def test_one_that_goes_on_while_it_is_looked_at_is_neither_broken_nor_counted_twice(times: int) -> None:
    clock = VirtualClock()
    tables = Busy(clock)
    pipeline = Pipeline(data=some(orders=1, invoices=0, posted=False)[:1], clock=clock, tables=tables)
    pipeline.run()
    ledger, partition = pipeline.parts.ledger, rows(pipeline, "s")[0].partition
    (id_,) = pipeline.states()

    def go_on() -> None:
        state = ledger.states(partition, [id_])[id_]
        ledger.record(partition, [Change(state, state, "tracked", {})])

    def another_comes() -> None:
        go_on()
        ledger.record(partition, [Change(None, State("ffffffff", Status.WAITING), "seen", {}, ("PO-1",))])

    # All events are read, then it goes on, then the states are read; then it is read anew, and goes on again.
    tables.acts = {"s|": [another_comes], "e|": [lambda: None, *[go_on] * times]}
    found = list(ledger.documents(partition))
    assert tables.acts == {"s|": [], "e|": []}
    assert [one.fault for one in found] == ["", ""]
    assert {one.id for one in found} == {id_, "ffffffff"}
