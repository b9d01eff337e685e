"""The trail of each document: in order, written before the deed, and not to be touched unnoticed."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from connector.storage.ledger import TABLE
from connector.storage.ledger_events import event_properties
from connector.storage.ports import Delete, Replace
from tests.flows.expectation import expectations
from tests.flows.pipeline import BATCH, DE, ENTITIES, ORDERS, SN_HOST, US, Pipeline, Sent, rows_in, some, where


def test_a_staged_document_was_seen_intended_and_staged_in_this_order() -> None:
    pipeline = Pipeline(data=some())
    pipeline.run()
    for id_, expected in expectations(pipeline.landscape).items():
        company = US if expected.erp_source == "BC-US" else DE
        entity = ENTITIES[expected.kind]
        events = pipeline.trail(company, id_, entity=entity)
        actions = [event.action for event in events]
        assert actions == (["seen", "intent", "staged"] if expected.fate == "staged" else ["seen", "waiting"])
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert pipeline.intact(company, id_, entity=entity)


def test_the_intent_of_every_document_is_on_record_before_its_rows_are_sent() -> None:
    pipeline = Pipeline(data=some())
    carried_ids = {row.document: each.id for each in expectations(pipeline.landscape).values() for row in each.rows}
    sent: set[str] = set()
    too_early: set[str] = set()
    handle = pipeline.sn_exchange.handler

    def watch(request: httpx.Request) -> httpx.Response:
        if request.url.path == BATCH:
            call = Sent(request.method, SN_HOST, BATCH, request.content, 0)
            ids = {carried_ids[row.document] for row in rows_in([call])}
            events = [row.properties for row in pipeline.tables.rows(TABLE) if row.properties.get("action") == "intent"]
            too_early.update(ids - {event["id"] for event in events})
            sent.update(ids)
        return handle(request)

    pipeline.sn_exchange.handler = watch
    pipeline.run()
    assert too_early == set()
    assert sent == set(carried_ids.values())


@pytest.mark.parametrize("action", ["seen", "intent", "staged"])
@pytest.mark.parametrize("what", ["changed", "removed", "backdated"])
def test_a_trail_that_somebody_touched_is_not_intact(action: str, what: str) -> None:
    pipeline = Pipeline(data=some(orders=1, invoices=0))
    pipeline.run()
    id_ = pipeline.find(US, "106001")
    assert pipeline.intact(US, id_)
    (row,) = [
        row
        for row in pipeline.tables.rows(TABLE)
        if row.properties.get("action") == action and row.properties["id"] == id_
    ]
    (event,) = [event for event in pipeline.trail(US, id_) if event.action == action]
    if what == "removed":
        pipeline.tables.write(TABLE, where(US, ORDERS), [Delete(row.row, row.etag)])
    else:
        forged = replace(event, by="somebody") if what == "changed" else replace(event, at=event.at.replace(year=2020))
        pipeline.tables.write(TABLE, where(US, ORDERS), [Replace(row.row, event_properties(forged), row.etag)])
    assert not pipeline.intact(US, id_)
