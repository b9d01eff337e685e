"""The documents that posting a purchase order makes: a receipt and an invoice for a part of its lines or for all of them.

Discount amounts are split over the partial invoices of a line so that their sum is the line's own amount.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from tests.sandbox.business_central.amounts import ZERO, compute, decimal_of, rounded
from tests.sandbox.business_central.document_sets import PURCHASE_INVOICE_LINES, PURCHASE_INVOICES
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.posted_sets import (
    PURCHASE_RECEIPT_LINES,
    PURCHASE_RECEIPTS,
    RECEIPT_LINE_TYPE,
)
from tests.sandbox.business_central.records import Document, Line, Row
from tests.sandbox.business_central.store import CompanyState, Record

Quantities = Mapping[str, Decimal]


def invoice_of(
    state: CompanyState, order: Record, billed: Quantities, *, number: str, day: date, vendor_invoice_number: str
) -> Document:
    """The posted invoice for these quantities (by line id), with a new id."""
    precision = state.precision(order)
    key = str(uuid.uuid5(uuid.UUID(order.id), f"invoice {number}"))
    document_day = order.values["orderDate"]
    header = _shared(order.values, PURCHASE_INVOICES) | {
        "id": key,
        "number": number,
        "postingDate": day,
        "invoiceDate": document_day,
        "dueDate": due_date(state, order, day),
        "vendorInvoiceNumber": vendor_invoice_number,
        "orderId": order.id,
        "orderNumber": order.values["number"],
        "status": "Open",
    }
    document = Document(header, [], dict(order.dimensions))
    invoice_discount = ZERO
    for line in order.lines:
        quantity = billed.get(line.id, ZERO)
        if not quantity and line.values["lineType"] != "Comment":
            continue
        invoice_discount += _part(line, "invoiceDiscountAllocation", quantity, precision)
        values = _shared(line.values, PURCHASE_INVOICE_LINES) | {
            "id": str(uuid.uuid5(uuid.UUID(key), str(line.values["sequence"]))),
            "quantity": quantity,
            "unitCost": line.values["directUnitCost"],
            "discountAmount": _part(line, "discountAmount", quantity, precision),
        }
        document.lines.append(Line(values, dict(line.dimensions)))
    header["discountAmount"] = invoice_discount
    compute(document, precision)
    return document


def receipt_of(state: CompanyState, order: Record, received: Quantities, *, number: str, day: date) -> Document:
    """The posted receipt for these quantities (by line id)."""
    key = str(uuid.uuid5(uuid.UUID(order.id), f"receipt {number}"))
    header = _shared(order.values, PURCHASE_RECEIPTS) | {
        "id": key,
        "number": number,
        "invoiceDate": order.values["orderDate"],
        "postingDate": day,
        "dueDate": due_date(state, order, day),
        "orderNumber": order.values["number"],
    }
    lines = []
    for line in order.lines:
        quantity = received.get(line.id, ZERO)
        line_type = str(line.values["lineType"])
        if not quantity and line_type != "Comment":
            continue
        values = _shared(line.values, PURCHASE_RECEIPT_LINES) | {
            "id": str(uuid.uuid5(uuid.UUID(key), str(line.values["sequence"]))),
            "lineType": RECEIPT_LINE_TYPE.get(line_type, line_type),
            "unitCost": line.values["directUnitCost"],
            "quantity": quantity,
        }
        lines.append(Line(values, dict(line.dimensions)))
    return Document(header, lines, dict(order.dimensions))


def due_date(state: CompanyState, order: Record, day: date) -> date:
    """The due date by the order's payment terms, counted from its document date; without terms, the day of posting."""
    terms = state.related(order, "paymentTermsId", "paymentTerms")
    start = order.values["orderDate"]
    if terms is None or not isinstance(start, date):
        return day
    formula = str(terms.values["dueDateCalculation"])
    if formula == "CM":
        return _months_on(start.replace(day=1), 1) - timedelta(days=1)
    match = re.fullmatch(r"(\d+)([DM])", formula)
    if match is None:
        return day
    count = int(match.group(1))
    return start + timedelta(days=count) if match.group(2) == "D" else _months_on(start, count)


def next_number(records: Iterable[Record], first: int) -> str:
    """The number after the highest there is, from `first` on."""
    numbers = [str(record.values["number"]) for record in records]
    return str(max([first - 1, *(int(number) for number in numbers if number.isdigit())]) + 1)


def _months_on(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _shared(values: Row, entity: EntitySet) -> Row:
    return {name: values[name] for name in entity.by_name if name in values}


def _part(line: Record, prop: str, quantity: Decimal, precision: Decimal) -> Decimal:
    """The part of an amount of the line that belongs to the next so many pieces to be invoiced."""
    whole, total = decimal_of(line.values, "quantity"), decimal_of(line.values, prop)
    if not whole:
        return ZERO
    before = decimal_of(line.values, "invoicedQuantity")
    return rounded(total * (before + quantity) / whole, precision) - rounded(total * before / whole, precision)
