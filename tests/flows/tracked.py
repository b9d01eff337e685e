"""Invoices that are in ServiceNow, and what people do to them there and in Business Central, for tests of tracking."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import connector.profiles
from connector.decisions.states import Status
from connector.flows.track import tables, track, track_all
from connector.storage.ledger_events import Event
from connector.storage.ledger_rows import State
from tests.flows.pipeline import INVOICES, SN_HOST, US, Pipeline, some
from tests.sandbox.business_central import Document
from tests.sandbox.clock import VirtualClock
from tests.sandbox.storage import MemoryTables

INVOICE_TABLE, ORDER_TABLE = "sn_shop_invoice", "sn_shop_purchase_order"
TICK = 300


def own_profile(folder: Path, *changes: tuple[str, str]) -> dict[str, str]:
    """The settings that point to the shipped profile with these texts replaced."""
    text = Path(connector.profiles.__file__).with_name("source_to_pay.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return {"PROFILE": str(path)}


def when_frozen(folder: Path, way: str) -> dict[str, str]:
    """The settings for another way with what is frozen."""
    return own_profile(folder, ('when_frozen = "report"', f'when_frozen = "{way}"'))


def carried(
    *,
    invoices: int = 8,
    orders: int = 0,
    companies: int = 1,
    settings: Mapping[str, str] | None = None,
    tables: MemoryTables | None = None,
    clock: VirtualClock | None = None,
) -> Pipeline:
    """A pipeline whose first invoices are in ServiceNow, and were tracked once."""
    pipeline = Pipeline(
        data=some(orders=orders, invoices=invoices)[:companies], settings=settings, tables=tables, clock=clock
    )
    pipeline.run()
    tick(pipeline)
    pipeline.clock.advance(60)
    return pipeline


def tick(pipeline: Pipeline, *, limit: int = 1000) -> None:
    """The timer of tracking, some minutes later; what it queues is worked."""
    pipeline.clock.advance(TICK)
    if limit == 1000:
        track_all(pipeline.parts)
    else:
        for table in tables(pipeline.parts):
            track(pipeline.parts, table, lambda: True, limit)
    pipeline.drain()


def staged(pipeline: Pipeline, company: int = 0) -> list[Document]:
    """The company's invoices that are in ServiceNow."""
    states = pipeline.states()
    documents = pipeline.landscape.data[company].documents[INVOICES]
    return [one for one in documents if states[one.id].status is Status.DONE and states[one.id].sys_id]


def long_one(pipeline: Pipeline) -> Document:
    """A staged invoice with at least two lines that count."""
    return next(one for one in staged(pipeline) if len(sequences(one)) > 1)


def sequences(invoice: Document) -> list[int]:
    """The numbers of the lines that count."""
    return [int(str(row.values["sequence"])) for row in invoice.lines if row.values["lineType"] != "Comment"]


def state(pipeline: Pipeline, invoice: Document) -> State:
    """The invoice's row in the ledger."""
    return pipeline.states()[invoice.id]


def becomes(pipeline: Pipeline, invoice: Document, value: str) -> None:
    """In ServiceNow the invoice comes to that state."""
    pipeline.servicenow.tables.update(INVOICE_TABLE, state(pipeline, invoice).sys_id, {"state": value})


def edit(pipeline: Pipeline, invoice: Document, quantity: int, *, company: str = US) -> None:
    """In Business Central the quantity of the invoice's first line is changed, and that arrives."""
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(
        company, invoice.number, sequences(invoice)[0], entity=INVOICES, quantity=quantity
    )
    pipeline.run()


def amount_there(pipeline: Pipeline, invoice: Document) -> Decimal:
    """The invoice's amount in ServiceNow."""
    record = pipeline.servicenow.tables.get(INVOICE_TABLE, state(pipeline, invoice).sys_id)
    assert record is not None
    return Decimal(record["invoice_amount"])


def amount_here(pipeline: Pipeline, invoice: Document, *, company: str = US) -> Decimal:
    """The invoice's amount in Business Central."""
    header = pipeline.business_central.document(company, invoice.number, entity=INVOICES).header
    return Decimal(str(header["totalAmountIncludingTax"]))


def events(pipeline: Pipeline, invoice: Document, *actions: str, company: str = US) -> list[Event]:
    """The events of these actions in the invoice's trail."""
    trail = pipeline.trail(company, invoice.id, entity=INVOICES)
    return [event for event in trail if event.action in actions]


def detail(event: Event) -> dict[str, Any]:
    """What an event says."""
    found: dict[str, Any] = json.loads(event.detail)
    return found


def looks(pipeline: Pipeline, since: int) -> int:
    """How often tracked tables were read since so many requests."""
    paths = {f"/api/now/table/{INVOICE_TABLE}", f"/api/now/table/{ORDER_TABLE}"}
    return sum(sent.path in paths for sent in pipeline.wire.to(SN_HOST, method="GET", since=since))


def rewrites(pipeline: Pipeline, act: Callable[[], None]) -> int:
    """How many documents' rows are written in the course of this."""
    before = pipeline.states()
    act()
    return sum(before[id_].etag != after.etag for id_, after in pipeline.states().items())
