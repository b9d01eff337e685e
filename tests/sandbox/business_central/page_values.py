"""What pages show of a record beyond its plain properties: real document status, codes behind ids, shortcut dimensions, totals.

The status of purchase documents on their pages is the real one: the API's ``Draft`` is Open, ``In Review`` is Pending Approval,
and ``Open`` is Released, or Pending Prepayment for an order whose raw value `prepaymentPending` is set. A currency code is
blank for the local currency, as the table stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from tests.sandbox.business_central.amounts import decimal_of, gross, unit_cost
from tests.sandbox.business_central.api_rows import dimension_code
from tests.sandbox.business_central.dimension_rules import value_type
from tests.sandbox.business_central.entities import BLANK_DATE
from tests.sandbox.business_central.page_fields import Read
from tests.sandbox.business_central.posted_sets import RECEIPT_LINE_TYPE
from tests.sandbox.business_central.records import Value
from tests.sandbox.business_central.store import CompanyState, Record

DOCUMENT_STATUS = {"Draft": "Open", "In Review": "Pending Approval", "Open": "Released"}
DOCUMENT_TYPES = {"purchaseOrders": "Order", "purchaseInvoices": "Invoice"}


def _document(record: Record) -> Record:
    return record.parent or record


def _document_type(_state: CompanyState, record: Record) -> Value:
    return DOCUMENT_TYPES[_document(record).entity.name]


def _status(_state: CompanyState, record: Record) -> Value:
    status = DOCUMENT_STATUS[str(record.values["status"])]
    return "Pending Prepayment" if status == "Released" and record.values.get("prepaymentPending") else status


def _document_value(name: str, _state: CompanyState, record: Record) -> Value:
    return _document(record).values[name]


def _currency(state: CompanyState, record: Record) -> Value:
    code = str(_document(record).values["currencyCode"])
    local = {setup.values["localCurrencyCode"] for setup in state.all_of("generalLedgerSetup")}
    return "" if code in local else code


def _terms(state: CompanyState, record: Record) -> Value:
    owner = record if "paymentTermsId" in record.values else state.related(record, "vendorId", "vendors")
    terms = None if owner is None else state.related(owner, "paymentTermsId", "paymentTerms")
    return "" if terms is None else terms.values["code"]


def _shipment_method(state: CompanyState, record: Record) -> Value:
    method = state.related(record, "shipmentMethodId", "shipmentMethods")
    return "" if method is None else method.values["code"]


def _location(state: CompanyState, record: Record) -> Value:
    location = state.related(record, "locationId", "locations")
    return "" if location is None else location.values["code"]


def _line_type(_state: CompanyState, record: Record) -> Value:
    kind = str(record.values["lineType"])
    return RECEIPT_LINE_TYPE.get(kind, kind)


def _unit_cost(_state: CompanyState, record: Record) -> Value:
    return unit_cost(record.values)


def _line_amount(state: CompanyState, record: Record) -> Value:
    precision = state.precision(_document(record))
    return gross(record.values, precision) - decimal_of(record.values, "discountAmount")


def _shortcut(number: int, state: CompanyState, record: Record) -> Value:
    for setup in state.all_of("generalLedgerSetup"):
        return record.dimensions.get(str(setup.values[f"shortcutDimension{number}Code"]), "")
    return ""


def _dimension_code(state: CompanyState, record: Record) -> Value:
    return dimension_code(state, record)


def _value_type(_state: CompanyState, record: Record) -> Value:
    return value_type(record)


def _modified(_state: CompanyState, record: Record) -> Value:
    return _document(record).values["lastModifiedDateTime"]


def _modified_day(_state: CompanyState, record: Record) -> Value:
    stamp = record.values["lastModifiedDateTime"]
    return stamp.date() if isinstance(stamp, datetime) else BLANK_DATE


def _income_or_balance(_state: CompanyState, record: Record) -> Value:
    return "Balance Sheet" if record.values["category"] in {"Assets", "Liabilities", "Equity"} else "Income Statement"


def _has_status(status: str, _state: CompanyState, record: Record) -> Value:
    return record.values["status"] == status


_PLAIN: dict[str, Read] = {
    "document_type": _document_type,
    "status": _status,
    "document_no": partial(_document_value, "number"),
    "document_day": partial(_document_value, "orderDate"),
    "currency": _currency,
    "terms": _terms,
    "shipment_method": _shipment_method,
    "location": _location,
    "line_type": _line_type,
    "unit_cost": _unit_cost,
    "line_amount": _line_amount,
    "dimension_code": _dimension_code,
    "value_type": _value_type,
    "modified": _modified,
    "modified_day": _modified_day,
    "income_or_balance": _income_or_balance,
    "paid": partial(_has_status, "Paid"),
    "cancelled": partial(_has_status, "Canceled"),
    "corrective": partial(_has_status, "Corrective"),
    "total_without_tax": partial(_document_value, "totalAmountExcludingTax"),
    "total_tax": partial(_document_value, "totalTaxAmount"),
    "total_with_tax": partial(_document_value, "totalAmountIncludingTax"),
    "total_discount": partial(_document_value, "discountAmount"),
}
_SHORTCUTS: dict[str, Read] = {f"shortcut{number}": partial(_shortcut, number) for number in range(1, 9)}
COMPUTED: Mapping[str, Read] = _PLAIN | _SHORTCUTS
