"""Retention: what is finished for long enough keeps one sealed event of its trail, and nobody can make use of that."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.bootstrap import Ports, build
from connector.decisions.states import FINISHED, Status
from connector.errors import StorageUnavailable
from connector.flows.overview import trails
from connector.flows.retention import retain
from connector.flows.verify import verify
from connector.model.stamps import stamp_text
from connector.ports import SeededRandomness
from connector.storage.ledger import MOST_TRIMMED, TABLE, Change
from connector.storage.ledger_events import Event, event_from, event_properties
from connector.storage.ledger_rows import State
from connector.storage.ledger_trails import TRIMMED, sealed
from connector.storage.ports import Condition, Delete, Entity, Insert, Operation, Property, Replace
from tests.flows.pipeline import ORDERS, US, Pipeline, some, where
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.storage import MemoryTables

DAY = 86_400.0
HERE = where(US, ORDERS)
KEPT = {"RETENTION_DAYS": "90"}


class Tables(MemoryTables):
    """Storage that counts what is asked of it, and does something at a certain write."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.event_reads = self.writes = 0
        self.before: dict[int, Callable[[], None]] = {}
        self.after: dict[int, Callable[[], None]] = {}

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
        self.event_reads += start.startswith("e|")
        return super().query(table, partition, start=start, stop=stop, where=where, limit=limit)

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        self.writes += 1
        number = self.writes
        self.before.pop(number, lambda: None)()
        etags = super().write(table, partition, operations)
        self.after.pop(number, lambda: None)()
        return etags


def fresh(*, orders: int = 4) -> tuple[Pipeline, Tables]:
    """A pipeline that keeps events for 90 days and has carried some orders."""
    clock = VirtualClock()
    tables = Tables(clock)
    data = some(orders=orders, invoices=0, posted=False)[:1]
    pipeline = Pipeline(data=data, settings=KEPT, clock=clock, tables=tables)
    pipeline.run()
    return pipeline, tables


def later(pipeline: Pipeline, days: float = 91) -> None:
    pipeline.clock.advance(days * DAY)


def trimmed() -> Pipeline:
    pipeline, _ = fresh()
    later(pipeline)
    retain(pipeline.parts)
    return pipeline


def finished(pipeline: Pipeline) -> list[State]:
    return [state for state in pipeline.states().values() if state.status in FINISHED]


def stored(pipeline: Pipeline, id_: str) -> list[Event]:
    return pipeline.trail(US, id_)


def actions(pipeline: Pipeline, id_: str) -> list[str]:
    return [event.action for event in stored(pipeline, id_)]


def broken(pipeline: Pipeline) -> set[str]:
    return {one.id for one in verify(pipeline.parts).broken}


def rows(pipeline: Pipeline, kind: str) -> list[Entity]:
    return [row for row in pipeline.tables.rows(TABLE) if row.row.startswith(f"{kind}|")]


def row_of(pipeline: Pipeline, key: str) -> Entity:
    row = pipeline.tables.read(TABLE, HERE, key)
    assert row is not None
    return row


def rewrite(pipeline: Pipeline, key: str, columns: Mapping[str, Property]) -> None:
    """Writes columns of a row as somebody can who may write the table."""
    row = row_of(pipeline, key)
    pipeline.tables.write(TABLE, HERE, [Replace(key, {**row.properties, **columns}, row.etag)])


def grown(pipeline: Pipeline, events: int) -> str:
    """The id of a finished order that has so many events now."""
    state = finished(pipeline)[0]
    while state.seq < events:
        recorded = pipeline.parts.ledger.record(HERE, [Change(state, state, "tracked", {"state": "x"})])
        state = recorded.saved[state.id]
    return state.id


# -- what goes and what stays


def test_a_finished_document_keeps_its_state_its_numbers_and_one_event_that_says_what_is_gone() -> None:
    pipeline, _ = fresh()
    before = {state.id: (state, stored(pipeline, state.id)) for state in finished(pipeline)}
    indexed = [row.row for row in rows(pipeline, "i")]
    later(pipeline)
    retain(pipeline.parts)
    assert len(before) > 1
    for id_, (state, events) in before.items():
        now = pipeline.states()[id_]
        (tomb,) = stored(pipeline, id_)
        assert (tomb.action, tomb.seq, tomb.previous) == (TRIMMED, state.seq + 1, state.head)
        assert json.loads(tomb.detail) == {
            "events": len(events),
            "from": stamp_text(events[0].at),
            "until": stamp_text(events[-1].at),
        }
        changed = {"seq", "head", "seal", "trimmed", "gone", "etag", "modified", "read_at"}
        same = {name: getattr(state, name) for name in State.__slots__ if name not in changed}
        assert same == {name: getattr(now, name) for name in same}
        assert [one.intact for one in trails(pipeline.parts, state.number)] == [True]
    assert [row.row for row in rows(pipeline, "i")] == indexed
    assert verify(pipeline.parts).sound


def test_a_document_is_trimmed_when_its_row_is_older_than_the_days_and_not_a_second_before() -> None:
    pipeline, _ = fresh()
    state = finished(pipeline)[0]
    pipeline.clock.advance_to(START + timedelta(hours=1))  # storage tells its time in whole seconds
    pipeline.parts.ledger.record(HERE, [Change(state, state, "tracked", {})])
    later(pipeline, 90)
    retain(pipeline.parts)
    assert actions(pipeline, state.id) == ["seen", "intent", "staged", "tracked"]
    pipeline.clock.advance(1)
    retain(pipeline.parts)
    assert actions(pipeline, state.id) == [TRIMMED]


def test_a_process_whose_clock_is_a_year_ahead_trims_nothing_that_storage_finds_young() -> None:
    pipeline, tables = fresh()
    clock = VirtualClock(pipeline.clock.now()).skewed(400 * DAY)
    ports = Ports(pipeline.wire, tables, pipeline.queues, clock, SeededRandomness(random.Random(2)))
    retain(build(pipeline.settings, ports))
    assert not any(event.properties["action"] == TRIMMED for event in rows(pipeline, "e"))


def test_without_the_setting_everything_is_kept() -> None:
    pipeline = Pipeline(data=some(orders=3, invoices=0, posted=False)[:1])
    pipeline.run()
    kept = rows(pipeline, "e")
    later(pipeline, 4000)
    retain(pipeline.parts)
    assert [row.properties for row in rows(pipeline, "e")] == [row.properties for row in kept]


def test_only_what_is_finished_is_ever_trimmed() -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=0, posted=False)[:1], settings=KEPT)
    ledger = pipeline.parts.ledger
    new = [Change(None, State(id=f"of {status}", status=Status.CLAIMED), "seen") for status in Status]
    saved = ledger.record(HERE, new).saved
    for status in Status:
        state = saved[f"of {status}"]
        if status is Status.DISCARDED:
            state = ledger.record(HERE, [Change(state, replace(state, status=Status.PARKED), "parked")]).saved[state.id]
        ledger.record(HERE, [Change(state, replace(state, status=status), "so it is")])
    later(pipeline, 4000)
    retain(pipeline.parts)
    gone = {id_.removeprefix("of ") for id_ in pipeline.states() if actions(pipeline, id_) == [TRIMMED]}
    assert gone == {Status.DONE, Status.SUPERSEDED, Status.CLOSED, Status.DISCARDED}
    assert verify(pipeline.parts).sound


def test_what_stands_at_its_tombstone_costs_no_reading_of_events_and_no_writing() -> None:
    pipeline, tables = fresh()
    later(pipeline)
    retain(pipeline.parts)
    tables.event_reads = tables.writes = 0
    before = pipeline.tables.rows(TABLE)
    for _ in range(3):
        later(pipeline)
        retain(pipeline.parts)
    assert (tables.event_reads, tables.writes) == (0, 0)
    assert [row.etag for row in pipeline.tables.rows(TABLE)] == [row.etag for row in before]


def test_the_log_says_how_many_and_nothing_when_there_were_none(caplog: pytest.LogCaptureFixture) -> None:
    pipeline, _ = fresh()
    later(pipeline)
    with caplog.at_level(logging.INFO, "connector"):
        retain(pipeline.parts)
        retain(pipeline.parts)
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("trimmed")]
    assert told == [f"trimmed company=us entity={ORDERS} count={len(finished(pipeline))}"]


# -- going on afterwards


def test_a_trimmed_document_that_changes_is_one_record_still_and_its_removed_line_is_taken_back() -> None:
    pipeline, _ = fresh(orders=12)
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if pipeline.states()[one.id].status is Status.DONE
        and sum(row.values["lineType"] != "Comment" and bool(row.values["netAmount"]) for row in one.lines) >= 3
    )
    removed = next(int(str(row.values["sequence"])) for row in order.lines if row.values["netAmount"])
    later(pipeline)
    retain(pipeline.parts)
    assert actions(pipeline, order.id) == [TRIMMED]
    pipeline.business_central.remove_line(US, order.number, removed)
    pipeline.run()
    store = pipeline.servicenow.tables
    (header,) = store.find("sn_shop_purchase_order", {"erp_number": order.number})
    lines = store.find("sn_shop_purchase_order_line", {"purchase_order": header["sys_id"]})
    (taken_back,) = [line for line in lines if line["erp_line_number"] == str(removed)]
    assert (float(taken_back["purchased_quantity"]), float(taken_back["total_line_amount"])) == (0, 0)
    assert actions(pipeline, order.id) == [TRIMMED, "intent", "staged"]
    assert verify(pipeline.parts).sound


def test_a_second_trimming_counts_all_that_is_gone_and_speaks_of_the_first_stamp_of_all() -> None:
    pipeline, _ = fresh()
    id_ = finished(pipeline)[0].id
    first = stored(pipeline, id_)[0].at
    later(pipeline)
    retain(pipeline.parts)
    state = pipeline.states()[id_]
    pipeline.parts.ledger.record(HERE, [Change(state, state, "tracked", {})])
    last = stored(pipeline, id_)[-1]
    later(pipeline)
    retain(pipeline.parts)
    (tomb,) = stored(pipeline, id_)
    assert json.loads(tomb.detail) == {"events": last.seq, "from": stamp_text(first), "until": stamp_text(last.at)}
    assert verify(pipeline.parts).sound


# -- cut short, and two at once


def die() -> None:
    raise StorageUnavailable("the process was killed")


@pytest.mark.parametrize("transaction", [1, 2, 3])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_trimming_that_is_cut_short_leaves_a_whole_trail_and_goes_on_the_next_day(
    transaction: int, *, arrived: bool
) -> None:
    pipeline, tables = fresh()
    id_ = grown(pipeline, 2 * MOST_TRIMMED + 40)
    for state in finished(pipeline):
        if state.id != id_:  # the large one alone is due
            pipeline.parts.ledger.trim(HERE, state)
    later(pipeline)
    (tables.after if arrived else tables.before)[tables.writes + transaction] = die
    retain(pipeline.parts)
    left = stored(pipeline, id_)
    done = transaction if arrived else transaction - 1
    assert len(left) == {0: 2 * MOST_TRIMMED + 40, 1: MOST_TRIMMED + 41, 2: 42, 3: 1}[done]
    assert verify(pipeline.parts).sound
    later(pipeline, 1)
    retain(pipeline.parts)
    assert actions(pipeline, id_) == [TRIMMED]
    assert json.loads(stored(pipeline, id_)[0].detail)["events"] == pipeline.states()[id_].seq - 1
    assert verify(pipeline.parts).sound


def test_one_that_changed_between_the_parts_of_its_trimming_waits_until_it_is_old_again() -> None:
    pipeline, tables = fresh()
    id_ = grown(pipeline, MOST_TRIMMED + 40)
    later(pipeline)
    for state in finished(pipeline):
        if state.id != id_:
            pipeline.parts.ledger.trim(HERE, state)
    tables.before[tables.writes + 2] = die
    retain(pipeline.parts)
    state = pipeline.states()[id_]
    pipeline.parts.ledger.record(HERE, [Change(state, state, "tracked", {})])
    retain(pipeline.parts)
    assert actions(pipeline, id_)[-2:] == [TRIMMED, "tracked"]
    later(pipeline)
    retain(pipeline.parts)
    assert actions(pipeline, id_) == [TRIMMED]


@pytest.mark.parametrize("transaction", [1, 2, 3])
def test_two_retentions_at_once_trim_each_document_once(transaction: int) -> None:
    pipeline, tables = fresh()
    id_ = grown(pipeline, MOST_TRIMMED + 40)
    later(pipeline)
    tables.before[tables.writes + transaction] = lambda: retain(pipeline.parts)
    retain(pipeline.parts)
    assert {tuple(actions(pipeline, state.id)) for state in finished(pipeline)} == {(TRIMMED,)}
    assert json.loads(stored(pipeline, id_)[0].detail)["events"] == pipeline.states()[id_].seq - 1
    assert verify(pipeline.parts).sound


def test_a_worker_who_is_faster_keeps_every_event() -> None:
    pipeline, tables = fresh(orders=1)
    (state,) = finished(pipeline)
    later(pipeline)

    def work() -> None:
        pipeline.parts.ledger.record(HERE, [Change(state, replace(state, status=Status.PENDING), "replayed")])

    tables.before[tables.writes + 1] = work
    retain(pipeline.parts)
    assert actions(pipeline, state.id) == ["seen", "intent", "staged", "replayed"]
    assert verify(pipeline.parts).sound


# -- whoever may write the table


def half_trimmed() -> Pipeline:
    """One document stands at its tombstone, one went on after it, and one is trimmed by half."""
    pipeline, tables = fresh()
    large = grown(pipeline, MOST_TRIMMED + 5)
    others = [state for state in finished(pipeline) if state.id != large]
    later(pipeline)
    for state in others:
        pipeline.parts.ledger.trim(HERE, state)
    on = pipeline.states()[others[0].id]
    pipeline.parts.ledger.record(HERE, [Change(on, on, "tracked", {"state": "paid"})])
    tables.before[tables.writes + 2] = die
    retain(pipeline.parts)
    assert broken(pipeline) == set()
    assert len(stored(pipeline, large)) == 6
    return pipeline


def test_a_change_of_any_column_of_any_stored_event_is_found_after_trimming_too() -> None:
    pipeline = half_trimmed()
    for event in rows(pipeline, "e"):
        for name, value in event.properties.items():
            changed = value + 1 if isinstance(value, int) else f"{value} "
            rewrite(pipeline, event.row, {name: changed})
            assert broken(pipeline), f"{name} of {event.row}"
            rewrite(pipeline, event.row, {name: value})
    assert broken(pipeline) == set()


def test_any_stored_event_that_is_removed_is_found_the_tombstone_above_all() -> None:
    pipeline = half_trimmed()
    for event in rows(pipeline, "e"):
        pipeline.tables.write(TABLE, HERE, [Delete(event.row, row_of(pipeline, event.row).etag)])
        assert broken(pipeline) == {event.properties["id"]}
        pipeline.tables.write(TABLE, HERE, [Insert(event.row, event.properties)])
    assert broken(pipeline) == set()


def test_the_oldest_event_that_is_left_cannot_be_made_to_look_trimmed() -> None:
    pipeline = half_trimmed()
    (large,) = [state for state in finished(pipeline) if len(actions(pipeline, state.id)) > 2]
    oldest = next(row for row in rows(pipeline, "e") if row.properties["id"] == large.id)
    pipeline.tables.write(TABLE, HERE, [Delete(oldest.row, oldest.etag)])
    rewrite(pipeline, f"s|{large.id}", {"gone": large.gone + 1})
    assert broken(pipeline) == {large.id}


@pytest.mark.parametrize(
    "detail", ["", "{}", "[]", "5", '{"events":"many"}', '{"events":null}', '{"events":-1}', "[" * 9000]
)
def test_a_tombstone_that_says_nothing_one_could_count_is_found(detail: str) -> None:
    pipeline = trimmed()
    state = finished(pipeline)[0]
    rewrite(pipeline, f"e|{state.id}|{state.seq:08d}", {"detail": detail})
    assert broken(pipeline) == {state.id}


def test_the_tombstone_of_another_document_is_found_even_when_the_state_was_made_to_fit() -> None:
    pipeline = trimmed()
    mine, other = finished(pipeline)[:2]
    (tomb,) = stored(pipeline, other.id)
    columns = {"head": tomb.hash, "seq": tomb.seq, "trimmed": tomb.seq, "gone": other.gone}
    key = f"e|{mine.id}|{mine.seq:08d}"
    for id_ in (other.id, mine.id):  # word for word, and under this document's name
        pipeline.tables.write(TABLE, HERE, [Delete(key, row_of(pipeline, key).etag)])
        key = f"e|{mine.id}|{tomb.seq:08d}"
        pipeline.tables.write(TABLE, HERE, [Insert(key, event_properties(replace(tomb, id=id_)))])
        rewrite(pipeline, f"s|{mine.id}", columns)
        assert broken(pipeline) == {mine.id}


def test_a_tombstone_made_without_the_key_is_found() -> None:
    pipeline, _ = fresh()
    state = finished(pipeline)[0]
    events = stored(pipeline, state.id)
    detail = {"events": len(events), "from": stamp_text(events[0].at), "until": stamp_text(events[-1].at)}
    forged = replace(
        events[-1], seq=state.seq + 1, action=TRIMMED, detail=json.dumps(detail), previous=state.head, hash=""
    )
    for seal in (events[0].hash, sealed(b"another key", HERE, forged).hash):
        made = replace(forged, hash=seal)
        gone = [row for row in rows(pipeline, "e") if row.properties["id"] == state.id]
        key = f"e|{state.id}|{made.seq:08d}"
        operations: list[Operation] = [Delete(row.row, row.etag) for row in gone if row.row != key]
        overwritten = [row.etag for row in gone if row.row == key]
        operations.append(
            Replace(key, event_properties(made), overwritten[0]) if overwritten else Insert(key, event_properties(made))
        )
        pipeline.tables.write(TABLE, HERE, operations)
        columns = {"head": made.hash, "seq": made.seq, "trimmed": made.seq, "gone": len(events)}
        rewrite(pipeline, f"s|{state.id}", columns)
        assert broken(pipeline) == {state.id}


def test_an_older_tombstone_does_not_hide_the_events_after_it() -> None:
    pipeline = half_trimmed()
    (on,) = [state for state in finished(pipeline) if len(actions(pipeline, state.id)) == 2]
    tomb, last = (row for row in rows(pipeline, "e") if row.properties["id"] == on.id)
    pipeline.tables.write(TABLE, HERE, [Delete(last.row, last.etag)])
    assert broken(pipeline) == {on.id}
    assert event_from(tomb).action == TRIMMED


def test_a_state_that_claims_to_be_half_trimmed_gets_nobody_to_trim_what_is_young() -> None:
    pipeline, _ = fresh()
    state = finished(pipeline)[0]
    rewrite(pipeline, f"s|{state.id}", {"trimmed": state.seq})
    retain(pipeline.parts)
    assert actions(pipeline, state.id) == ["seen", "intent", "staged"]
    assert broken(pipeline) == {state.id}


def test_a_broken_trail_is_never_trimmed_so_that_the_traces_stay(caplog: pytest.LogCaptureFixture) -> None:
    pipeline, _ = fresh()
    ids = [state.id for state in finished(pipeline)]
    rewrite(pipeline, f"e|{ids[0]}|00000002", {"by": "nobody"})
    later(pipeline)
    with caplog.at_level(logging.INFO, "connector"):
        retain(pipeline.parts)
    assert actions(pipeline, ids[0]) == ["seen", "intent", "staged"]
    assert {tuple(actions(pipeline, id_)) for id_ in ids[1:]} == {(TRIMMED,)}
    assert f"trail_broken company=us entity={ORDERS} count=1" in [record.getMessage() for record in caplog.records]
