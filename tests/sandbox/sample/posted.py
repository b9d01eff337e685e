"""What posting left behind in a sample company: receipts, credit memos, ledger entries, archived orders.

All of it follows from the orders and invoices and changes none of them: each order with received goods has one receipt, each
cancelled invoice its corrective credit memo, each posted document a balanced set of ledger entries. Tax is booked with the
cost it belongs to, for the sample's chart of accounts has no tax account.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from tests.sandbox.business_central.amounts import LOCAL_PRECISION, compute, currency_precision, decimal_of, rounded
from tests.sandbox.business_central.posted_sets import (
    PURCHASE_CREDIT_MEMO_LINES,
    PURCHASE_CREDIT_MEMOS,
    PURCHASE_ORDER_ARCHIVE_LINES,
    PURCHASE_ORDER_ARCHIVES,
    PURCHASE_RECEIPT_LINES,
    PURCHASE_RECEIPTS,
    RECEIPT_LINE_TYPE,
)
from tests.sandbox.business_central.records import NO_ID, Document, Line, Row
from tests.sandbox.sample.catalogue import CURRENCIES, Blueprint
from tests.sandbox.sample.masters import record_id

POSTED_STATUSES = ("Open", "Paid", "Canceled", "Corrective")
ARCHIVED_EVERY = 12
RETURNED_EVERY = 9


def receipts(blueprint: Blueprint, orders: Iterable[Document]) -> list[Document]:
    """A posted receipt of what was received of each order."""
    made: list[Document] = []
    for order in orders:
        received = [line for line in order.lines if decimal_of(line.values, "receivedQuantity")]
        if received:
            made.append(_receipt(blueprint, order, received, str(107001 + len(made))))
    return made


def _receipt(blueprint: Blueprint, order: Document, received: list[Line], number: str) -> Document:
    receipt_id = record_id(blueprint.key, "receipt", number)
    day = _day(order.header, "postingDate") + timedelta(days=4)
    header = _kept(order.header, PURCHASE_RECEIPTS.by_name) | {
        "id": receipt_id,
        "number": number,
        "invoiceDate": order.header["orderDate"],
        "postingDate": day,
        "dueDate": day + timedelta(days=30),
        "payToContact": "",
        "orderNumber": order.number,
        "lastModifiedDateTime": _stamp(day, receipt_id),
    }
    lines = []
    for line in received:
        kind = str(line.values["lineType"])
        values = _kept(line.values, PURCHASE_RECEIPT_LINES.by_name) | {
            "id": record_id(blueprint.key, "receipt", number, str(line.values["sequence"])),
            "documentId": receipt_id,
            "lineType": RECEIPT_LINE_TYPE.get(kind, kind),
            "unitCost": line.values["directUnitCost"],
            "quantity": line.values["receivedQuantity"],
        }
        lines.append(Line(values, dict(line.dimensions)))
    return Document(header, lines, dict(order.dimensions))


def credit_memos(blueprint: Blueprint, invoices: Iterable[Document], currencies: list[Row]) -> list[Document]:
    """A corrective credit memo for each cancelled invoice, one for returned goods here and there, one of them a draft."""
    made: list[Document] = []
    returns = 0
    for invoice in invoices:
        status = str(invoice.header["status"])
        if status == "Canceled":
            made.append(_credit_memo(blueprint, invoice, len(made), "Corrective", invoice.lines, currencies))
        elif status in {"Open", "Paid"} and decimal_of(invoice.lines[0].values, "quantity") > 0:
            returns += 1
            if returns % RETURNED_EVERY == 0:
                shown = "Draft" if returns == RETURNED_EVERY else status
                made.append(_credit_memo(blueprint, invoice, len(made), shown, invoice.lines[:1], currencies))
    return made


def _credit_memo(
    blueprint: Blueprint, invoice: Document, position: int, status: str, of: list[Line], currencies: list[Row]
) -> Document:
    number = str((1001 if status == "Draft" else 109001) + position)
    memo_id = record_id(blueprint.key, "credit memo", number)
    day = _day(invoice.header, "postingDate") + timedelta(days=12)
    header = _kept(invoice.header, PURCHASE_CREDIT_MEMOS.by_name) | {
        "id": memo_id,
        "number": number,
        "creditMemoDate": day,
        "postingDate": day,
        "dueDate": day,
        "vendorCreditMemoNumber": f"CM-{invoice.header['vendorNumber']}-{position + 1}",
        "invoiceId": invoice.id,
        "invoiceNumber": invoice.number,
        "vendorReturnReasonId": NO_ID,
        "status": status,
        "lastModifiedDateTime": _stamp(day, memo_id),
    }
    if status != "Corrective":
        header["discountAmount"] = Decimal(0)
    lines = []
    for line in of:
        values = _kept(line.values, PURCHASE_CREDIT_MEMO_LINES.by_name) | {
            "id": record_id(blueprint.key, "credit memo", number, str(line.values["sequence"])),
            "documentId": memo_id,
        }
        lines.append(Line(values, dict(line.dimensions)))
    document = Document(header, lines, dict(invoice.dimensions))
    compute(document, currency_precision(currencies, str(header["currencyCode"])))
    return document


def ledger_entries(blueprint: Blueprint, invoices: Iterable[Document], memos: Iterable[Document]) -> list[Document]:
    """The entries of all posted invoices and credit memos, numbered in the order of their posting days."""
    posted = [("Invoice", each) for each in invoices] + [("Credit Memo", each) for each in memos]
    posted = [each for each in posted if each[1].header["status"] in POSTED_STATUSES]
    posted.sort(key=lambda each: (_day(each[1].header, "postingDate"), each[1].id))
    entries: list[Document] = []
    for kind, document in posted:
        for account, dimensions, amount in _bookings(blueprint, document):
            number = len(entries) + 1
            entry_id = record_id(blueprint.key, "ledger entry", str(number))
            debit = amount if kind == "Invoice" else -amount
            row: Row = {
                "id": entry_id,
                "entryNumber": number,
                "postingDate": document.header["postingDate"],
                "documentNumber": document.number,
                "documentType": kind,
                "accountId": record_id(blueprint.key, "account", account),
                "accountNumber": account,
                "description": f"{kind} {document.number}",
                "debitAmount": max(debit, Decimal(0)),
                "creditAmount": max(-debit, Decimal(0)),
                "lastModifiedDateTime": _stamp(_day(document.header, "postingDate"), entry_id),
            }
            entries.append(Document(row, [], dimensions))
    return entries


def _bookings(blueprint: Blueprint, document: Document) -> list[tuple[str, dict[str, str], Decimal]]:
    """Account, dimensions and amount in local currency: each line's cost, and the vendor's account against their sum."""
    rate = Decimal(1)
    if document.header["currencyCode"] != blueprint.currency:
        rate = CURRENCIES[str(document.header["currencyCode"])].rate
    cost = next(account.number for account in blueprint.accounts if account.category == "Cost of Goods Sold")
    payable = next(account.number for account in blueprint.accounts if account.category == "Liabilities")
    bookings = []
    for line in document.lines:
        amount = rounded(decimal_of(line.values, "netAmountIncludingTax") / rate, LOCAL_PRECISION)
        if amount:
            number = str(line.values["lineObjectNumber"]) if line.values["lineType"] == "Account" else cost
            bookings.append((number, dict(line.dimensions), amount))
    total = sum((amount for _, _, amount in bookings), Decimal(0))
    return [*bookings, (payable, dict(document.dimensions), -total)] if total else bookings


def archives(blueprint: Blueprint, orders: Iterable[Document]) -> list[Document]:
    """The version that was kept when an order was released, for every twelfth of the released ones."""
    released = [order for order in orders if order.header["status"] == "Open"]
    made = []
    for order in released[::ARCHIVED_EVERY]:
        archive_id = record_id(blueprint.key, "archive", order.number)
        version: Row = {"docNoOccurrence": 1, "versionNumber": 1}
        stamp = _stamp(_day(order.header, "postingDate"), archive_id)
        header = _kept(order.header, PURCHASE_ORDER_ARCHIVES.by_name) | version
        header |= {"id": archive_id, "lastModifiedDateTime": stamp}
        lines = []
        for line in order.lines:
            values = _kept(line.values, PURCHASE_ORDER_ARCHIVE_LINES.by_name) | version
            values |= {
                "id": record_id(blueprint.key, "archive", order.number, str(line.values["sequence"])),
                "documentId": archive_id,
                "shortcutDimension1Code": line.dimensions.get("DEPARTMENT", ""),
                "shortcutDimension2Code": line.dimensions.get("PROJECT", ""),
                "lastModifiedDateTime": stamp,
            }
            lines.append(Line(values, dict(line.dimensions)))
        made.append(Document(header, lines, dict(order.dimensions)))
    return made


def _kept(row: Row, properties: Iterable[str]) -> Row:
    return {name: row[name] for name in properties if name in row}


def _day(row: Row, prop: str) -> date:
    value = row[prop]
    if not isinstance(value, date):
        raise TypeError(f"{prop} is not a day: {value!r}")
    return value


def _stamp(day: date, key: str) -> datetime:
    milliseconds = int(key[:6], 16) % 28_800_000
    return datetime.combine(day, time(8), UTC) + timedelta(milliseconds=milliseconds)
