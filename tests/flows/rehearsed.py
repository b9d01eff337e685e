"""Rehearsals in tests: everything there is before and after one, and what a real replay makes of the same documents."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from connector.bootstrap import Ports
from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.flows.desk import Act, Parked, parked_documents, replay
from connector.flows.rehearse import Rehearsal, Rehearsed, rehearse
from connector.ports import SeededRandomness
from connector.rehearsal import rehearsal
from connector.storage.ledger import partition
from connector.storage.ledger_rows import State
from tests.flows.expectation import Row
from tests.flows.pipeline import BATCH, ENTITIES, SN_HOST, TOKEN, Pipeline, Sent, reasons

EVERYTHING = Selection()
ACT = Act("clerk@example.com", "its cause is mended")
IMPORT, INSERT_MULTIPLE = "/api/now/import/", "/insertMultiple"
SUPPLIERS = {"sn_fin_supplier": "erp_supplier_code", "core_company": "u_source_id"}
GONE = "WAS "


def take_suppliers_away(pipeline: Pipeline, *vendors: str) -> None:
    """ServiceNow does not know these vendors (default: any) any more."""
    for row, table, column in _suppliers(pipeline):
        if (row[column] in vendors or not vendors) and row[column] and not row[column].startswith(GONE):
            pipeline.servicenow.tables.update(table, row["sys_id"], {column: GONE + row[column]})


def give_suppliers_back(pipeline: Pipeline, *, every: int = 1) -> None:
    """Every so-manieth of them is known again, and what was read of ServiceNow's suppliers is out of date by now."""
    gone = [one for one in _suppliers(pipeline) if one[0][one[2]].startswith(GONE)]
    for row, table, column in gone[::every]:
        pipeline.servicenow.tables.update(table, row["sys_id"], {column: row[column].removeprefix(GONE)})
    pipeline.clock.advance(3600)


def _suppliers(pipeline: Pipeline) -> Iterator[tuple[Mapping[str, str], str, str]]:
    for table, column in SUPPLIERS.items():
        for row in pipeline.servicenow.tables.rows(table):
            if column in row:
                yield row, table, column


def everything(pipeline: Pipeline) -> dict[str, object]:
    """Every row and message in storage, every record of both systems."""
    bc, store = pipeline.business_central, pipeline.servicenow.tables
    return {
        "tables": {name: pipeline.tables.rows(name) for name in pipeline.tables.tables()},
        "queues": {name: pipeline.queues.messages(name) for name in pipeline.queues.queues()},
        "ServiceNow": {table.name: store.rows(table.name) for table in store.schema},
        "counts": (dict(store.inserts), dict(store.updates), dict(store.deletes)),
        "Business Central": {
            (company.name, entity, id_): bc.document(company.name, id_, entity=entity)
            for company in pipeline.landscape.data
            for entity in ENTITIES.values()
            for id_ in bc.document_ids(company.name, entity)
        },
    }


@contextmanager
def untouched(pipeline: Pipeline) -> Iterator[None]:
    """Nothing changes anywhere inside the block, and nobody is asked to change anything."""
    before, since = everything(pipeline), len(pipeline.wire.requests)
    yield
    after = everything(pipeline)
    assert {name: after[name] == before[name] for name in before} == dict.fromkeys(before, True)
    asked = pipeline.wire.requests[since:]
    assert [
        one for one in asked if one.method != "GET" and one.path.rpartition("/")[2] not in (TOKEN[1:], "token")
    ] == []


def room(pipeline: Pipeline) -> Rehearsal:
    """A rehearsal in the pipeline's surroundings."""
    chance = SeededRandomness(random.Random(7))
    return rehearsal(pipeline.settings, Ports(pipeline.wire, pipeline.tables, pipeline.queues, pipeline.clock, chance))


def rehearsed(pipeline: Pipeline, selection: Selection = EVERYTHING) -> list[Rehearsed]:
    """What a rehearsal says of the parked documents; that it left everything as it was is made sure of."""
    with untouched(pipeline):
        there = room(pipeline)
        return rehearse(there, parked_documents(there.parts, selection))


def said(found: Iterable[Rehearsed]) -> dict[str, tuple[str, frozenset[str]]]:
    """Verdict and codes by number."""
    return {one.document.state.number: (one.verdict, frozenset(map(_code, one.reasons))) for one in found}


def _code(reason: Mapping[str, str]) -> str:
    return reason["code"]


def agreed(
    pipeline: Pipeline, selection: Selection = EVERYTHING, *, go: Callable[[Pipeline], object] = Pipeline.drain
) -> list[Rehearsed]:
    """A rehearsal, and then the real replay, which must come to the same: verdicts, reasons and rows. Goes by batches."""
    found = rehearsed(pipeline, selection)
    parked = parked_documents(pipeline.parts, selection)
    assert [one.document for one in found] == parked
    since = len(pipeline.wire.requests)
    assert replay(pipeline.parts, parked, ACT).count == len(parked)
    go(pipeline)
    told = [(one.document.state.number, one.verdict, [*one.reasons]) for one in found]
    assert told == [became(_state(pipeline, one.document)) for one in found]
    sent = rows_sent(pipeline.wire.requests[since:])
    chosen = {row.document for one in found for row in rows_of(one)}
    assert [row for row in sent if row.document in chosen] == in_order_of(
        [row for one in found for row in rows_of(one)], sent
    )
    for one in found:
        mine = {row.document for row in rows_of(one)}
        assert rows_of(one) == [row for row in sent if row.document in mine], one.document.state.number
    return found


def _state(pipeline: Pipeline, document: Parked) -> State:
    where = partition(document.company.key, document.entity)
    return pipeline.parts.ledger.states(where, [document.state.id])[document.state.id]


def in_order_of(rows: Sequence[Row], sent: Sequence[Row]) -> list[Row]:
    """The rows as they were sent; those that were not come last."""
    places = {repr(row): place for place, row in enumerate(sent)}
    return sorted(rows, key=lambda row: places.get(repr(row), len(places)))


def rows_of(one: Rehearsed) -> list[Row]:
    """What is said would be sent."""
    return [Row(row.table, dict(row.columns)) for row in one.rows]


def became(state: State) -> tuple[str, str, list[dict[str, Any]]]:
    """The number, and what really became of the document, in a rehearsal's words."""
    if state.status is Status.PARKED:
        return state.number, "parked", reasons(state)
    word = {Status.WAITING: "waiting", Status.SUPERSEDED: "superseded"}.get(state.status, state.outcome)
    if state.status is Status.CLOSED and word != "cancelled":
        word = "closed"
    return state.number, word, []


def rows_sent(requests: Iterable[Sent]) -> list[Row]:
    """Every staging row inside batches, in order, exactly as it went."""
    rows = []
    for sent in requests:
        if sent.host == SN_HOST and sent.path == BATCH:
            for item in json.loads(sent.body)["rest_requests"]:
                rows.append(Row(item["url"].removeprefix(IMPORT), json.loads(base64.b64decode(item["body"]))))
    return rows
