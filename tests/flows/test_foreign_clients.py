"""What the connector wrote, read back by clients that know nothing of it: PySNC, the vendor's own, and pysnow.

They are served over loopback from the very instance that the connector writes to, while it writes: a reader never meets an
error, nor a header with values of two versions; and at the end each reads what Business Central has, to the cent.
"""

from __future__ import annotations

import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pysnc import ServiceNowClient  # type: ignore[import-untyped]

from tests.flows.carriers import Carrier, carrying, sample
from tests.flows.expectation import Expected, expectations
from tests.flows.pipeline import INVOICES, ORDERS, Pipeline
from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER
from tests.sandbox.wire import Exchange, Served, serve

with warnings.catch_warnings():
    # Its pinned time zone library uses a date call that newer Pythons call out of date.
    warnings.simplefilter("ignore")
    import pysnow  # type: ignore[import-untyped]

DOORS: tuple[Carrier, ...] = ("batch", "insert_multiple", "ap_invoice")
ROUNDS = 6
PAGE = 20
KEYS = {"sn_shop_purchase_order": "erp_number", "sn_shop_invoice": "external_invoice_number"}
PARENTS = {"sn_shop_purchase_order_line": "purchase_order", "sn_shop_invoice_line": "invoice"}
FIELDS = {
    "sn_shop_purchase_order": ("erp_number", "erp_source", "currency", "total_amount"),
    "sn_shop_purchase_order_line": ("purchase_order", "purchased_quantity", "total_line_amount", "cost_center"),
    "sn_shop_invoice": ("external_invoice_number", "erp_source", "currency", "subtotal", "invoice_amount"),
    "sn_shop_invoice_line": ("invoice", "invoiced_quantity", "line_amount", "cost_center"),
}
AMOUNTS = {
    "sn_shop_purchase_order": {"total_amount": "u_po_amount"},
    "sn_shop_invoice": {"subtotal": "u_subtotal", "invoice_amount": "u_amount_invoiced"},
}
LINE_AMOUNTS = {
    "sn_shop_purchase_order_line": ("purchased_quantity", "total_line_amount", "u_quantity", "u_line_amount"),
    "sn_shop_invoice_line": ("invoiced_quantity", "line_amount", "u_line_quantity", "u_line_amount_invoiced"),
}

Records = list[dict[str, str]]
Reader = Callable[[str, tuple[str, ...]], Records]
"""Reads these fields of all records of a table, page by page."""


@contextmanager
def pysnc_reader(served: Served) -> Iterator[Reader]:
    # The client refuses addresses that begin with "http://" in small letters.
    client = ServiceNowClient(f"HTTP://127.0.0.1:{served.port}", (ADMIN_USER, ADMIN_PASSWORD))

    def read(table: str, fields: tuple[str, ...]) -> Records:
        records = client.GlideRecord(table, batch_size=PAGE)
        records.fields = [*fields, "sys_id"]
        records.order_by("sys_id")
        records.query()
        return [{name: record.get_value(name) or "" for name in (*fields, "sys_id")} for record in records]

    yield read
    client.session.close()


@contextmanager
def pysnow_reader(served: Served) -> Iterator[Reader]:
    host = f"127.0.0.1:{served.port}"
    client = pysnow.Client(host=host, user=ADMIN_USER, password=ADMIN_PASSWORD, use_ssl=False)
    client.parameters.exclude_reference_link = True

    def read(table: str, fields: tuple[str, ...]) -> Records:
        resource, found = client.resource(api_path=f"/table/{table}"), []
        while True:
            query = {"query": "ORDERBYsys_id", "fields": [*fields, "sys_id"], "limit": PAGE, "offset": len(found)}
            page = [dict(row) for row in resource.get(**query).all()]
            found += page
            if len(page) < PAGE:
                return found

    yield read
    client.close()


CLIENTS: dict[str, Callable[[Served], Any]] = {"pysnc": pysnc_reader, "pysnow": pysnow_reader}


def references(pipeline: Pipeline) -> dict[str, str]:
    """The texts behind the references that the clients read as ids."""
    tables = pipeline.servicenow.tables
    sources = {row["sys_id"]: row["name"] for row in tables.rows("sn_fin_erp_source")}
    return sources | {row["sys_id"]: row["account_number"] for row in tables.rows("cmn_cost_center")}


def carried(pipeline: Pipeline) -> list[Expected]:
    return [each for each in expectations(pipeline.landscape).values() if each.fate == "staged"]


def key_of(each: Expected) -> tuple[str, str, str]:
    table = "sn_shop_purchase_order" if each.kind == "order" else "sn_shop_invoice"
    return table, each.erp_source, each.number if each.kind == "order" else each.id


def header_of(each: Expected) -> tuple[object, ...]:
    """The amounts of a version, as a record's header shows them."""
    return tuple(Decimal(each.rows[0].columns[source]) for source in AMOUNTS[key_of(each)[0]].values())


def lines_of(each: Expected) -> list[tuple[Decimal, Decimal, str]]:
    _, _, quantity, amount = LINE_AMOUNTS[f"{key_of(each)[0]}_line"]
    return sorted(
        (Decimal(row.columns[quantity]), Decimal(row.columns[amount]), row.columns.get("u_cost_center", ""))
        for row in each.rows[1:]
        if Decimal(row.columns[quantity]) or Decimal(row.columns[amount])
    )


def headers(read: Reader, names: Mapping[str, str]) -> list[tuple[tuple[str, str, str], tuple[object, ...], str]]:
    """Every header: which document it is of, its amounts, its id."""
    found = []
    for table, key in KEYS.items():
        for row in read(table, FIELDS[table]):
            amounts = tuple(Decimal(row[name]) for name in AMOUNTS[table])
            found.append(((table, names[row["erp_source"]], row[key]), amounts, row["sys_id"]))
    return found


def lines(read: Reader, names: Mapping[str, str]) -> dict[str, list[tuple[Decimal, Decimal, str]]]:
    """Every line of which something is left, by its header's id; one that comes to nothing looks as if it was taken back."""
    found: dict[str, list[tuple[Decimal, Decimal, str]]] = defaultdict(list)
    for table, parent in PARENTS.items():
        quantity, amount, _, _ = LINE_AMOUNTS[table]
        for row in read(table, FIELDS[table]):
            if Decimal(row[quantity] or 0) or Decimal(row[amount] or 0):
                centre = names.get(row["cost_center"], "")
                found[row[parent]].append((Decimal(row[quantity]), Decimal(row[amount]), centre))
    return {sys_id: sorted(mine) for sys_id, mine in found.items()}


class Watching(threading.Thread):
    """Reads everything again and again; keeps the headers it saw, or what went wrong."""

    def __init__(self, read: Reader, names: Mapping[str, str]) -> None:
        super().__init__()
        self.seen: set[tuple[tuple[str, str, str], tuple[object, ...]]] = set()
        self.rounds = 0
        self.fault: BaseException | None = None
        self.over = threading.Event()
        self.read_once = threading.Event()
        self._read, self._names = read, names

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.seen |= {(key, amounts) for key, amounts, _ in headers(self._read, self._names)}
                lines(self._read, self._names)
                self.rounds += 1
                self.read_once.set()
        except BaseException as fault:  # noqa: BLE001 - told to the test
            self.fault = fault
            self.read_once.set()


def edit(pipeline: Pipeline, round_: int) -> None:
    """Changes a line of every third document, so that its totals change."""
    for each in carried(pipeline)[round_ % 3 :: 3]:
        entity = ORDERS if each.kind == "order" else INVOICES
        company = next(
            one.name for one in pipeline.landscape.data if any(d.id == each.id for d in one.documents[entity])
        )
        line = int(each.rows[1].line)
        pipeline.business_central.edit_line(company, each.id, line, entity=entity, quantity=round_ + 2)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("door", DOORS)
def test_a_foreign_client_reads_whole_versions_while_the_connector_writes_and_the_truth_in_the_end(
    door: Carrier, client: str, tmp_path: Path
) -> None:
    pipeline = carrying(door, tmp_path, sample(14, 10), rows_a_batch=10)
    names = references(pipeline)
    versions: dict[tuple[str, str, str], set[tuple[object, ...]]] = defaultdict(set)
    with serve(Exchange(pipeline.servicenow.handle)) as served, CLIENTS[client](served) as read:
        watching = Watching(read, names)
        watching.start()
        try:
            for round_ in range(ROUNDS):
                for each in carried(pipeline):
                    versions[key_of(each)].add(header_of(each))
                pipeline.run()
                watching.read_once.clear()
                assert watching.read_once.wait(20)
                pipeline.clock.advance(60)
                if round_ < ROUNDS - 1:
                    edit(pipeline, round_)
        finally:
            watching.over.set()
            watching.join()
        if watching.fault is not None:
            raise watching.fault
        assert {(key, amounts) for key, amounts in watching.seen if amounts not in versions[key]} == set()
        assert sum(len(each) > 1 for each in versions.values()) >= 10
        assert len({key for key, _ in watching.seen}) < len(watching.seen)
        there, its_lines = headers(read, names), lines(read, names)
    expected = carried(pipeline)
    assert sorted((key, amounts) for key, amounts, _ in there) == sorted((key_of(e), header_of(e)) for e in expected)
    by_key = {key: its_lines.get(sys_id, []) for key, _, sys_id in there}
    assert by_key == {key_of(each): lines_of(each) for each in expected}
    assert watching.rounds >= ROUNDS
