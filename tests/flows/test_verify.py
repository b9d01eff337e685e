"""Verify: whoever touches a single stored event, or makes one vanish, is found out."""

from __future__ import annotations

from connector.flows.verify import verify
from connector.storage.ledger import TABLE
from connector.storage.ports import Delete, Entity, Insert, Replace
from tests.flows.pipeline import Pipeline, some


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
