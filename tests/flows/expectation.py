"""What ServiceNow must receive for each document of Business Central, computed from the raw records and the written rules.

This room knows nothing of the connector: it imports none of it. It follows the profile's column lists and the sample's
translation tables with arithmetic of its own, so that a mistake in the product cannot hide in its own test.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.flows.figures import day, decimal, money, plain, unit_price
from tests.sandbox.business_central.records import CompanyData, Document
from tests.sandbox.business_central.records import Row as Values
from tests.sandbox.landscape import Landscape
from tests.sandbox.sample import TRANSLATIONS
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, RECEIPT
from tests.sandbox.servicenow.detail_tables import DETAIL_STAGING
from tests.sandbox.servicenow.staging_tables import STAGING

_TABLES = (*STAGING, *(table for table in DETAIL_STAGING if table.name == RECEIPT))
LENGTHS = {table.name: {column.name: column.max_length for column in table.columns} for table in _TABLES}
EMPTIED = "NULL"
# What ServiceNow takes as the order to empty a column; as good as no value.
CANCELLED = {
    ORDER: {"u_po_amount": "0.00"},
    ORDER_LINE: {"u_quantity": "0", "u_unit_price": "0.00", "u_line_amount": "0.00", "u_tax_amount": "0.00"},
}
# What the rows of a deleted order say then; their other columns stay as they were.

Translations = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Row:
    """One staging row: a column that is not named was not sent."""

    table: str
    columns: Mapping[str, str]

    @property
    def document(self) -> tuple[str, str, str]:
        """Which document the row belongs to: its kind, ERP source, and number (orders, receipts) or id (invoices)."""
        source = self.columns.get("u_erp_source", "")
        if self.table in (ORDER, ORDER_LINE):
            return "order", source, self.columns.get("u_erp_po_number", "")
        if self.table == RECEIPT:
            return "receipt", source, self.columns.get("u_erp_receipt_number", "")
        return "invoice", source, self.columns.get("u_external_invoice_number", "")

    @property
    def line(self) -> str:
        """The line's number; empty for a header."""
        return self.columns.get("u_erp_po_line_number", "") or self.columns.get("u_erp_line_number", "")

    @property
    def name(self) -> str:
        """How reports call the row."""
        kind, source, number = self.document
        return f"{kind} {source} {number}" + (f" line {self.line}" if self.line else "")


@dataclass(frozen=True)
class Expected:
    """One document: what must become of it, and its rows, header first (none unless it is staged).

    ``held``: whether it is staged or waits is the history's matter; if it is staged, its rows are these.
    """

    id: str
    number: str
    kind: Literal["order", "invoice", "credit memo", "receipt"]
    erp_source: str
    vendor: str
    fate: Literal["staged", "waiting", "parked", "held", "invoiced", "received", "cancelled", "deleted"]
    reasons: frozenset[tuple[str, str]] = frozenset()
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What a company's documents are mapped with. `suppliers`: the legal name by vendor number."""

    erp_source: str
    legal_entity: str
    invoice_source: str
    dimension: str
    suppliers: Mapping[str, str]
    translations: Translations
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def expectations(landscape: Landscape) -> dict[str, Expected]:
    """Every document as it is in Business Central at this moment, by its id."""
    found: dict[str, Expected] = {}
    for company in landscape.data:
        around = _surroundings(landscape, company)
        here: dict[str, Expected] = {}
        for entity, expected in (
            ("purchaseOrders", expected_order),
            ("purchaseInvoices", expected_invoice),
            ("purchaseCreditMemos", expected_credit_memo),
        ):
            for document in _documents(landscape, company, entity):
                here[document.id] = expected(document, around)
        staged = {each.number for each in here.values() if each.kind == "order" and each.fate == "staged"}
        for receipt in _documents(landscape, company, "purchaseReceipts"):
            here[receipt.id] = expected_receipt(receipt, around, staged)
        found |= here
    return found


def _documents(landscape: Landscape, company: CompanyData, entity: str) -> list[Document]:
    bc = landscape.business_central
    return [bc.document(company.name, id_, entity=entity) for id_ in bc.document_ids(company.name, entity)]


def vanished(landscape: Landscape) -> dict[str, Expected]:
    """Every order that Business Central had at first and has not any more, by its id, with the rows that its record must agree
    with. Speaks of orders that were carried, or could not be, as they were at first: none that was edited later."""
    found: dict[str, Expected] = {}
    for company in landscape.data:
        around = _surroundings(landscape, company)
        there = set(landscape.business_central.document_ids(company.name))
        billed, received = (
            _orders_named(landscape, company, name) for name in ("purchaseInvoices", "purchaseReceipts")
        )
        for order in company.orders:
            if order.id in there:
                continue
            at_first = expected_order(order, around)
            if order.number in billed:
                found[order.id] = replace(at_first, fate="invoiced")
            elif order.number in received:
                found[order.id] = replace(at_first, fate="received")
            elif at_first.fate == "staged":
                rows = tuple(replace(row, columns=dict(row.columns) | CANCELLED[row.table]) for row in at_first.rows)
                found[order.id] = replace(at_first, fate="cancelled", rows=rows)
            else:
                found[order.id] = replace(at_first, fate="deleted")
    return found


def _orders_named(landscape: Landscape, company: CompanyData, entity: str) -> set[str]:
    bc = landscape.business_central
    ids = bc.document_ids(company.name, entity)
    return {str(bc.document(company.name, id_, entity=entity).header["orderNumber"]) for id_ in ids}


def _surroundings(landscape: Landscape, company: CompanyData) -> Surroundings:
    (row,) = (row for row in json.loads(landscape.environment()["COMPANIES"]) if row["id"] == company.id)
    return Surroundings(
        row["erp_source"],
        row["legal_entity"],
        row["invoice_source"],
        row["cost_centre_dimension"],
        _suppliers(landscape, row["erp_source"]),
        tomllib.loads(TRANSLATIONS.read_text("utf-8")),
        {table: _codes(company, table) for table in ("paymentTerms", "locations")},
    )


def staged_rows(expected: Iterable[Expected]) -> list[Row]:
    """All rows of the documents that are carried."""
    return [row for each in expected if each.fate != "held" for row in each.rows]


def receipts_of(expected: Mapping[str, Expected], orders: Iterable[str]) -> set[str]:
    """The ids of the receipts of these orders (by id)."""
    named = {(expected[id_].erp_source, expected[id_].number) for id_ in orders if expected[id_].kind == "order"}
    return {
        each.id
        for each in expected.values()
        if each.kind == "receipt" and (each.erp_source, each.rows[0].columns["u_erp_po_number"]) in named
    }


def _codes(company: CompanyData, table: str) -> dict[str, str]:
    return {str(row["id"]): str(row["code"]) for row in company.tables[table]}


def _suppliers(landscape: Landscape, erp_source: str) -> dict[str, str]:
    tables = landscape.servicenow.tables
    return {
        row["erp_supplier_code"]: row["legal_name"]
        for row in tables.rows("sn_fin_supplier")
        if tables.display("sn_fin_erp_source", row["erp_source"]) == erp_source
    }


# -- documents


def expected_order(order: Document, around: Surroundings) -> Expected:
    """A purchase order in the order staging tables."""
    header, currency = order.header, str(order.header["currencyCode"])
    terms = around.codes["paymentTerms"].get(str(header["paymentTermsId"]), "")
    reasons = _untranslated(order.dimensions, "", around)
    if terms and terms not in around.translations["payment_terms"]:
        reasons.add(("PAYMENT_TERM_NOT_TRANSLATED", ""))
    if header["vendorNumber"] not in around.suppliers:
        reasons.add(("SUPPLIER_MISSING", ""))
    key = {"u_erp_source": around.erp_source, "u_erp_po_number": order.number}
    rows = [
        Row(
            ORDER,
            _filled(
                **key,
                u_legal_entity=around.legal_entity,
                u_supplier_company_name=around.suppliers.get(str(header["vendorNumber"]), ""),
                u_order_type="Standard",
                u_payment_term=around.translations["payment_terms"].get(terms, ""),
                u_po_amount=money(header["totalAmountExcludingTax"], currency),
                u_po_amount_currency=currency,
                u_cost_center=_cost_centre(order.dimensions, around),
            ),
        )
    ]
    for line in order.lines:
        values = line.values
        if values["lineType"] == "Comment":
            continue
        location = around.codes["locations"].get(str(values["locationId"]), "")
        rows.append(
            Row(
                ORDER_LINE,
                _filled(
                    **key,
                    u_erp_po_line_number=plain(values["sequence"]),
                    u_erp_line_id=str(values["id"]),
                    u_short_description=str(values["description"]),
                    u_supplier_part_number=_object(values, "Item"),
                    u_quantity=plain(values["quantity"]),
                    u_unit_price=money(unit_price(values, "directUnitCost", header), currency),
                    u_uom=_translated("units", values["unitOfMeasureCode"], around),
                    u_line_amount=money(values["netAmount"], currency),
                    u_currency=currency,
                    u_tax_code=_translated("tax_codes", values["taxCode"], around),
                    u_tax_amount=money(values["netTaxAmount"], currency),
                    u_expected_delivery_date=day(values["expectedReceiptDate"]),
                    u_cost_center=_cost_centre(line.dimensions, around),
                    u_gl_account=_translated("accounts", _object(values, "Account"), around),
                    u_location=_translated("locations", location, around),
                ),
            )
        )
    return _judged("order", order, around, rows, reasons)


def expected_invoice(invoice: Document, around: Surroundings) -> Expected:
    """A purchase invoice in the invoice staging tables."""
    header = invoice.header
    own = {
        "u_supplier_invoice_number": str(header["vendorInvoiceNumber"]),
        "u_invoice_date": day(header["invoiceDate"]),
        "u_invoice_type": "po_invoice" if header["orderNumber"] else "non_po_invoice",
        "u_purchase_order": str(header["orderNumber"]),
    }
    return _judged("invoice", invoice, around, _invoice_rows(invoice, around, own), set())


def expected_credit_memo(memo: Document, around: Surroundings) -> Expected:
    """A credit memo in the same tables. One that only cancels an invoice goes where that invoice has gone."""
    header = memo.header
    own = {
        "u_supplier_invoice_number": str(header["vendorCreditMemoNumber"]),
        "u_invoice_date": day(header["creditMemoDate"]),
        "u_invoice_type": "credit_memo",
        "u_original_invoice": str(header["invoiceNumber"]),
    }
    reasons = set()
    if header["vendorNumber"] not in around.suppliers:
        reasons.add(("SUPPLIER_MISSING", ""))
    found = _judged("credit memo", memo, around, _invoice_rows(memo, around, own), reasons)
    return replace(found, fate="held") if header["status"] == "Corrective" else found


def expected_receipt(receipt: Document, around: Surroundings, staged: Collection[str]) -> Expected:
    """A receipt in the receipt staging table, one row for each line with a quantity. `staged`: the numbers of the orders that
    are carried now; a receipt of another order was carried if its order once was."""
    order = str(receipt.header["orderNumber"])
    rows = [
        Row(
            RECEIPT,
            _filled(
                u_erp_source=around.erp_source,
                u_erp_receipt_number=receipt.number,
                u_erp_po_number=order,
                u_erp_po_line_number=plain(line.values["sequence"]),
                u_quantity_received=plain(line.values["quantity"]),
                u_supplier_product=_object(line.values, "Item"),
            ),
        )
        for line in receipt.lines
        if decimal(line.values["quantity"])
    ]
    start = (receipt.id, receipt.number, "receipt", around.erp_source, str(receipt.header["vendorNumber"]))
    return Expected(*start, "staged" if order in staged else "held", rows=tuple(rows))


def _invoice_rows(invoice: Document, around: Surroundings, own: Mapping[str, str]) -> list[Row]:
    header, currency = invoice.header, str(invoice.header["currencyCode"])
    key = {
        "u_external_invoice_number": invoice.id,
        "u_external_invoice_source": around.invoice_source,
        "u_erp_source": around.erp_source,
    }
    lines = [line for line in invoice.lines if line.values["lineType"] != "Comment"]
    rows = [
        Row(
            INVOICE,
            _filled(
                **key,
                u_erp_number=invoice.number,
                **own,
                u_supplier=str(header["vendorNumber"]),
                u_legal_entity=around.legal_entity,
                u_subtotal=money(header["totalAmountExcludingTax"], currency),
                u_other_charges="0.00",
                u_discounts="0.00",
                u_tax_amount=money(header["totalTaxAmount"], currency),
                u_amount_invoiced=money(header["totalAmountIncludingTax"], currency),
                u_currency=currency,
                u_invoice_line_count=str(len(lines)),
            ),
        )
    ]
    for line in lines:
        values = line.values
        gross = decimal(values["netAmount"]) + decimal(values["netTaxAmount"])
        rows.append(
            Row(
                INVOICE_LINE,
                _filled(
                    **key,
                    u_erp_line_number=plain(values["sequence"]),
                    u_line_description=str(values["description"]),
                    u_line_quantity=plain(values["quantity"]),
                    u_line_unit_price=money(unit_price(values, "unitCost", header), currency),
                    u_subtotal=money(values["netAmount"], currency),
                    u_line_amount_invoiced=money(gross, currency),
                    u_tax_code=_translated("tax_codes", values["taxCode"], around),
                    u_tax_amount=money(values["netTaxAmount"], currency),
                    u_currency=currency,
                    u_cost_center=_cost_centre(line.dimensions, around),
                    u_gl_account=_translated("accounts", _object(values, "Account"), around),
                    u_uom=_translated("units", values["unitOfMeasureCode"], around),
                    u_supplier_part_number=_object(values, "Item"),
                ),
            )
        )
    return rows


def _judged(
    kind: Literal["order", "invoice", "credit memo"],
    document: Document,
    around: Surroundings,
    rows: list[Row],
    reasons: set[tuple[str, str]],
) -> Expected:
    reasons |= {
        ("TEXT_TOO_LONG", row.line)
        for row in rows
        for name, text in row.columns.items()
        if len(text) > LENGTHS[row.table][name]
    }
    for line in document.lines:
        if line.values["lineType"] != "Comment":
            reasons |= _untranslated(line.dimensions, plain(line.values["sequence"]), around)
    vendor = str(document.header["vendorNumber"])
    start = (document.id, document.number, kind, around.erp_source, vendor)
    if document.header["status"] not in ("Open", "Corrective"):
        return Expected(*start, "waiting")
    if reasons:
        return Expected(*start, "parked", frozenset(reasons))
    return Expected(*start, "staged", rows=tuple(rows))


def _object(line: Values, kind: str) -> str:
    return str(line["lineObjectNumber"]) if line["lineType"] == kind else ""


def _translated(table: str, code: object, around: Surroundings) -> str:
    return around.translations[table].get(str(code), str(code))


def _cost_centre(dimensions: Mapping[str, str], around: Surroundings) -> str:
    code = dimensions.get(around.dimension, "")
    return around.translations["cost_centres"].get(code, "")


def _untranslated(dimensions: Mapping[str, str], place: str, around: Surroundings) -> set[tuple[str, str]]:
    code = dimensions.get(around.dimension, "")
    known = not code or code in around.translations["cost_centres"]
    return set() if known else {("COST_CENTRE_NOT_TRANSLATED", place)}


def _filled(**columns: str) -> dict[str, str]:
    return {name: text for name, text in columns.items() if text}
