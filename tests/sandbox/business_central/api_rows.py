"""The rows of Microsoft's other APIs, made from a company's records whenever they are read."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from tests.sandbox.business_central import api_sets
from tests.sandbox.business_central.amounts import LOCAL_PRECISION, ZERO, decimal_of, rounded
from tests.sandbox.business_central.dimension_rules import DimensionNumbers, global_number, value_of, value_type
from tests.sandbox.business_central.entities import BLANK_DATE, EntitySet
from tests.sandbox.business_central.posted_sets import RECEIPT_LINE_TYPE
from tests.sandbox.business_central.records import NO_ID, Row, Value
from tests.sandbox.business_central.store import CompanyState, Record

REPORTED_LINE_TYPES = frozenset({"Item", "Account", "Resource"})
COST_PRECISION = Decimal("0.00001")


class ApiRows:
    """Makes rows.

    Switches: `rates` (units of a foreign currency for one of the local one), `flat_sets_up_to` (the last dimension set that
    the job of the Power BI app has seen, None while it is always up to date).
    """

    def __init__(self, numbers: DimensionNumbers) -> None:
        self.rates: Mapping[str, Decimal] = {}
        self.flat_sets_up_to: int | None = None
        self._numbers = numbers

    def finance_values(self, state: CompanyState) -> list[Record]:
        """Dimension values with type, blocked flag and global number."""
        return [
            _seen(record, row, api_sets.FINANCE_VALUES)
            for record in state.all_of("dimensionValues")
            for row in [
                {
                    "dimensionCode": dimension_code(state, record),
                    "dimensionValueCode": record.values["code"],
                    "dimensionValueName": record.values["displayName"],
                    "dimensionValueId": self._numbers.value(record),
                    "dimensionValueType": value_type(record),
                    "blocked": bool(record.values.get("blocked")),
                    "indentation": record.values.get("indentation", 0),
                    "consolidationCode": record.values["consolidationCode"],
                    "globalDimensionNumber": global_number(state, dimension_code(state, record)),
                    "lastModifiedDateTime": record.values["lastModifiedDateTime"],
                }
            ]
        ]

    def finance_sets(self, state: CompanyState) -> list[Record]:
        """Dimension sets, one row for each of their values."""
        rows = []
        names = {str(each.values["code"]): each.values["displayName"] for each in state.all_of("dimensions")}
        for number, combination in self._numbers.sets(state).items():
            for dimension, code in combination:
                value = value_of(state, dimension, code)
                if value is None:
                    continue
                row: Row = {
                    "id": str(uuid.uuid5(uuid.UUID(state.id), f"set {number} {dimension}")),
                    "setId": number,
                    "dimensionCode": dimension,
                    "dimensionDisplayName": names[dimension],
                    "dimensionValueCode": code,
                    "dimensionValueDisplayName": value.values["displayName"],
                    "dimensionValueId": self._numbers.value(value),
                    "lastModifiedDateTime": value.values["lastModifiedDateTime"],
                }
                rows.append(Record(row, number, api_sets.FINANCE_SETS))
        return rows

    def flat_sets(self, state: CompanyState) -> list[Record]:
        """Dimension sets, one row for each, with the values of the eight dimensions of the general ledger setup."""
        rows = []
        last = self.flat_sets_up_to
        for number, combination in self._numbers.sets(state).items():
            if last is not None and number > last:
                continue
            row: Row = {"dimensionSetID": number, "valueCount": len(combination)}
            for place in range(1, 9):
                row |= {f"dimension{place}ValueCode": "", f"dimension{place}ValueName": ""}
            for dimension, code in combination:
                place = global_number(state, dimension)
                value = value_of(state, dimension, code)
                if place and value is not None:
                    row[f"dimension{place}ValueCode"] = code
                    row[f"dimension{place}ValueName"] = value.values["displayName"]
            rows.append(row)
        return [
            Record(row | {"id": str(uuid.uuid5(uuid.UUID(state.id), f"set {row['dimensionSetID']}"))}, 0, entity)
            for row in rows
            for entity in [api_sets.FLAT_SETS]
        ]

    def purchase_lines(self, state: CompanyState) -> list[Record]:
        """The lines of all orders that are about items, accounts or resources."""
        lines = (self._purchase_line(state, line) for line in _order_lines(state, REPORTED_LINE_TYPES))
        return _numbered(lines, api_sets.PURCHASE_LINES)

    def outstanding_lines(self, state: CompanyState) -> list[Record]:
        """The item lines of orders of which something has still to come."""
        found = []
        for line in _order_lines(state, frozenset({"Item"})):
            row = self._purchase_line(state, line)
            if row["outstandingQuantity"]:
                row |= {"qtyPerUnitOfMeasure": Decimal(1), "unitOfMeasureCode": line.values["unitOfMeasureCode"]}
                found.append({name: row[name] for name in api_sets.OUTSTANDING_LINES.by_name})
        return _numbered(iter(found), api_sets.OUTSTANDING_LINES)

    def posted_invoices(self, state: CompanyState) -> list[Record]:
        """The posted invoices' own ids beside their ids in API v2.0: the same, unless the invoice was once a draft."""
        rows = []
        for record in state.all_of("purchaseInvoices"):
            if record.values["status"] in {"Draft", "In Review"}:
                continue
            from_order = record.values["orderId"] != NO_ID
            own = record.id if from_order else str(uuid.uuid5(uuid.UUID(record.id), "posted"))
            rows.append(Record({"id": own, "apiId": record.id}, record.version, api_sets.POSTED_INVOICES))
        return rows

    def _purchase_line(self, state: CompanyState, line: Record) -> Row:
        order = line.parent
        if order is None:
            raise ValueError("a line belongs to an order")
        values, header = line.values, order.values
        rate = self.rates.get(str(header["currencyCode"]), Decimal(1))
        quantity = decimal_of(values, "quantity")
        outstanding = quantity - decimal_of(values, "receivedQuantity")
        amount = decimal_of(values, "netAmountIncludingTax")
        open_amount = amount * outstanding / quantity / rate if quantity else ZERO
        line_type = str(values["lineType"])
        location = state.related(line, "locationId", "locations")
        receipt_day = values["expectedReceiptDate"]
        return {
            "orderNo": header["number"],
            "documentType": "Order",
            "payToVendorNo": header["payToVendorNumber"],
            "buyFromVendorNo": header["vendorNumber"],
            "purchaserCode": header["purchaser"],
            "quoteNo": "",
            "orderDate": header["orderDate"],
            "documentDate": header["orderDate"],
            "dueDate": header.get("dueDate", BLANK_DATE),
            "campaignNo": "",
            "purchaseLineDocumentType": "Order",
            "documentNo": header["number"],
            "type": RECEIPT_LINE_TYPE.get(line_type, line_type),
            "description": values["description"],
            "lineNo": values["sequence"],
            "itemNo": values["lineObjectNumber"],
            "locationCode": "" if location is None else location.values["code"],
            "quantityBase": quantity,
            "outstandingQtyBase": outstanding,
            "outstandingAmountLCY": rounded(open_amount, LOCAL_PRECISION),
            "amount": values["netAmount"],
            "unitCostLCY": rounded(decimal_of(values, "directUnitCost") / rate, COST_PRECISION),
            "outstandingQuantity": outstanding,
            "returnReasonCode": "",
            "plannedReceiptDate": receipt_day,
            "expectedReceiptDate": receipt_day,
            "promisedReceiptDate": BLANK_DATE,
            "requestedReceiptDate": header["requestedReceiptDate"],
            "dimensionSetID": self._numbers.set_of(state, line.dimensions),
            "qtyRcdNotInvd": decimal_of(values, "receivedQuantity") - decimal_of(values, "invoicedQuantity"),
            "qtyToReceive": values["receiveQuantity"],
            "qtyReceived": values["receivedQuantity"],
            "quantityInvoiced": values["invoicedQuantity"],
            "projectNo": "",
            "prepmtAmountInvLCY": ZERO,
        }


def dimension_code(state: CompanyState, value: Record) -> str:
    """The code of the dimension that a value belongs to."""
    owner = state.related(value, "dimensionId", "dimensions")
    return "" if owner is None else str(owner.values["code"])


def _seen(record: Record, values: Mapping[str, Value], entity: EntitySet) -> Record:
    return Record({"id": record.id, **values}, record.version, entity)


def _order_lines(state: CompanyState, types: frozenset[str]) -> Iterator[Record]:
    by_number: Callable[[Record], str] = lambda order: str(order.values["number"])  # noqa: E731 - typed for the sort
    for order in sorted(state.all_of("purchaseOrders"), key=by_number):
        for line in order.lines:
            if line.values["lineType"] in types:
                yield line


def _numbered(rows: Iterator[Row], entity: EntitySet) -> list[Record]:
    """The rows of a query under numbers instead of ids, so that pages can follow each other."""
    return [Record(row | {"id": str(uuid.UUID(int=number))}, 0, entity) for number, row in enumerate(rows, 1)]
