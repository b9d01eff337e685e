"""Whatever the write door: the rows that a rehearsal shows are those that the replay sends, in the door's own form."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from connector.decisions.ap_invoices import invoice_json
from connector.decisions.mapping import MappedDocument
from connector.flows.desk import parked_documents, replay
from connector.flows.rehearse import Rehearsed
from connector.model.documents import Entity
from tests.flows.carriers import CARRIERS, Carrier, carrying, sample
from tests.flows.expectation import Row
from tests.flows.pipeline import BATCH, SN_HOST, Pipeline, Sent
from tests.flows.rehearsed import (
    ACT,
    EVERYTHING,
    IMPORT,
    INSERT_MULTIPLE,
    give_suppliers_back,
    rehearsed,
    rows_of,
    take_suppliers_away,
)

RECORD = "/api/now/table/"
AP_INVOICES = "/api/sn_spend_intg/v1/ap_invoice/json"
OWN = {"sys_id", "purchase_order"}
"""What the table door adds to a record: its id, and a line's reference to its header."""


@pytest.mark.parametrize("door", CARRIERS)
def test_the_rows_are_those_that_are_sent(door: Carrier, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, sample(4, 2)[:1])
    take_suppliers_away(pipeline)
    pipeline.run()
    give_suppliers_back(pipeline)
    found = rehearsed(pipeline)
    assert {one.verdict for one in found} == {"staged"}
    since = len(pipeline.wire.requests)
    replay(pipeline.parts, parked_documents(pipeline.parts, EVERYTHING), ACT)
    pipeline.drain()
    requests = [one for one in pipeline.wire.requests[since:] if (one.method, one.host) == ("POST", SN_HOST)]
    whole = [one for one in found if door == "ap_invoice" and one.document.entity is Entity.PURCHASE_INVOICE]
    expected = [row for one in found if one not in whole for row in rows_of(one)]
    assert len(expected) > 5
    assert counted(rows_in(pipeline, requests)) == counted(expected)
    invoices = [each for one in requests if one.path == AP_INVOICES for each in json.loads(one.body)["invoices"]]
    assert invoices == [as_invoice(pipeline, one) for one in whole]
    assert bool(invoices) == (door == "ap_invoice")


def rows_in(pipeline: Pipeline, requests: Iterable[Sent]) -> Iterable[Row]:
    """The rows and records in the requests, by column names."""
    for sent in requests:
        if sent.path == BATCH:
            for item in json.loads(sent.body)["rest_requests"]:
                address = item["url"].partition("?")[0]
                columns = json.loads(base64.b64decode(item["body"]))
                if address.startswith(RECORD):
                    columns = {name: text for name, text in columns.items() if name not in OWN}
                yield Row(address.removeprefix(RECORD).removeprefix(IMPORT), columns)
        elif sent.path.endswith(INSERT_MULTIPLE):
            table = sent.path.removeprefix(IMPORT).removesuffix(INSERT_MULTIPLE)
            columns = pipeline.servicenow.tables.schema.columns(table)
            names = {column.title: name for name, column in columns.items()}
            for record in json.loads(sent.body)["records"]:
                yield Row(table, {names[label]: text for label, text in record.items()})


def counted(rows: Iterable[Row]) -> Counter[tuple[str, frozenset[tuple[str, str]]]]:
    return Counter((row.table, frozenset(row.columns.items())) for row in rows)


def as_invoice(pipeline: Pipeline, one: Rehearsed) -> object:
    """The rows in the form of the AP Invoice API."""
    return invoice_json(MappedDocument(one.document.state.id, one.rows, ""), pipeline.settings.sn_ap_invoice)
