"""Holds the records of the base Procurement tables against the expectation: what an order of Business Central must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.flows.expectation import Expected, Row
from tests.sandbox.servicenow.store import Store

HEADER, LINE = "proc_po", "proc_po_item"
TEXTS = {
    "short_description": "u_short_description",
    "part_number": "u_supplier_part_number",
    "u_currency": "u_currency",
    "u_unit_of_measure": "u_uom",
    "u_cost_center": "u_cost_center",
    "u_gl_account": "u_gl_account",
    "u_location": "u_location",
    "u_source_id": "u_erp_line_id",
}
NUMBERS = {"ordered_quantity": "u_quantity", "cost": "u_unit_price", "total_cost": "u_line_amount"}


def procurement_differences(expected: Iterable[Expected], store: Store) -> list[str]:
    """Every order and line that is missing, there twice, too many, half or another than it should be. A line of which
    nothing is left may stay; so may an order of which no line is left."""
    orders = {each.id: each for each in expected if each.kind == "order" and each.rows}
    records = store.rows(HEADER)
    report = [f"{id_} is there twice" for id_, n in Counter(row["u_source_id"] for row in records).items() if n > 1]
    report += [f"{orders[id_].number} is missing" for id_ in orders.keys() - {row["u_source_id"] for row in records}]
    for record in records:
        lines = store.find(LINE, {"purchase_order": record["sys_id"]})
        order = orders.get(record["u_source_id"])
        if order is None:
            if Decimal(record["total_cost"] or 0) or not all(map(_taken_back, lines)):
                report.append(f"{record['number']} should not be there")
            continue
        report += _header(order, record, store)
        report += _lines(order, lines)
    known = {row["sys_id"] for row in records}
    return report + [
        f"a line belongs to {row['purchase_order']!r}" for row in store.rows(LINE) if row["purchase_order"] not in known
    ]


def _header(order: Expected, record: Mapping[str, str], store: Store) -> list[str]:
    columns = order.rows[0].columns
    vendor = store.get("core_company", record["vendor"]) or {"u_source_id": "", "u_source_system": ""}
    found = (record["u_source_system"], record["number"], vendor["u_source_system"], vendor["u_source_id"])
    wanted = (order.erp_source, order.number, order.erp_source, order.vendor)
    report = [] if found == wanted else [f"{order.number} is {found} instead of {wanted}"]
    amount = Decimal(record["total_cost"]), record["u_currency"]
    if amount != (Decimal(columns["u_po_amount"]), columns["u_po_amount_currency"]):
        report.append(f"{order.number} has the amount {amount} instead of {columns['u_po_amount']}")
    return report


def _lines(order: Expected, records: Iterable[Mapping[str, str]]) -> list[str]:
    wanted: dict[str, Row] = {row.columns["u_erp_po_line_number"]: row for row in order.rows[1:]}
    report, seen = [], Counter(record["u_line_number"] for record in records)
    report += [f"{order.number} line {number} is there twice" for number, n in seen.items() if n > 1]
    report += [f"{order.number} line {number} is missing" for number in wanted.keys() - seen.keys()]
    for record in records:
        row = wanted.get(record["u_line_number"])
        if row is None:
            if not _taken_back(record):
                report.append(f"{order.number} line {record['u_line_number']} should not be there")
            continue
        for name, source in TEXTS.items():
            if record[name] != row.columns.get(source, ""):
                report.append(f"{row.name}: {name} is {record[name]!r} instead of {row.columns.get(source, '')!r}")
        for name, source in NUMBERS.items():
            if Decimal(record[name]) != Decimal(row.columns[source]):
                report.append(f"{row.name}: {name} is {record[name]} instead of {row.columns[source]}")
    return report


def _taken_back(record: Mapping[str, str]) -> bool:
    return not any(Decimal(record[name] or 0) for name in ("ordered_quantity", "total_cost"))
