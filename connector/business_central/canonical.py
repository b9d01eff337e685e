"""From the wire form of a document to the canonical one. What is not as it should be parks the document, with every reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict

from pydantic import ValidationError

from connector.business_central.odata import BLANK_GUID
from connector.business_central.selection import LINES
from connector.business_central.wire import (
    WireBilled,
    WireBilledLine,
    WireCreditMemo,
    WireDimension,
    WireDocument,
    WireInvoice,
    WireLine,
    WireOrder,
    WireReceipt,
)
from connector.errors import DocumentFault, Reason
from connector.model.documents import COMMENT, POSTED, DimensionValue, Document, Entity, Line
from connector.model.stamps import NEVER, parse_stamp

RECEIPT_LINE_TYPES = {
    "": COMMENT,
    " ": COMMENT,
    "G/L Account": "Account",
    "Charge (Item)": "Charge",
}
"""Receipt lines have the type's caption where the lines of other documents have a name of the API's own."""
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Codes:
    """What the ids inside a document stand for: codes of locations and payment terms, and the local currency."""

    locations: Mapping[str, str]
    payment_terms: Mapping[str, str]
    local_currency: str


class _Own(TypedDict, total=False):
    """What only documents of some entities have."""

    document_date: date | None
    due_date: date | None
    vendor_invoice_number: str
    payment_terms: str
    order_number: str
    applies_to_id: str
    applies_to_number: str


def canonical(row: Mapping[str, Any], company: str, entity: Entity, codes: Codes) -> Document:
    """The canonical document. Raises `DocumentFault` naming every property that is not as it should be."""
    try:
        return _READINGS[entity](row, company, codes)
    except ValidationError as error:
        faults = [_unreadable(fault["loc"], fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
        raise DocumentFault(faults) from None


def _order(row: Mapping[str, Any], company: str, codes: Codes) -> Document:
    wire = WireOrder.model_validate(row)
    reading = _Reading(company, codes)
    own = _Own(document_date=wire.orderDate, payment_terms=reading.payment_terms(wire.paymentTermsId))
    lines = [reading.billed(line, line.directUnitCost, line.expectedReceiptDate) for line in wire.purchaseOrderLines]
    return reading.document(Entity.PURCHASE_ORDER, wire, lines, own)


def _invoice(row: Mapping[str, Any], company: str, codes: Codes) -> Document:
    wire = WireInvoice.model_validate(row)
    reading = _Reading(company, codes)
    lines = [reading.billed(line, line.unitCost, line.expectedReceiptDate) for line in wire.purchaseInvoiceLines]
    own = _Own(
        document_date=wire.invoiceDate,
        due_date=wire.dueDate,
        vendor_invoice_number=wire.vendorInvoiceNumber,
        order_number=wire.orderNumber,
    )
    return reading.document(Entity.PURCHASE_INVOICE, wire, lines, own)


def _credit_memo(row: Mapping[str, Any], company: str, codes: Codes) -> Document:
    wire = WireCreditMemo.model_validate(row)
    reading = _Reading(company, codes)
    own = _Own(
        document_date=wire.creditMemoDate,
        due_date=wire.dueDate,
        vendor_invoice_number=wire.vendorCreditMemoNumber,
        payment_terms=reading.payment_terms(wire.paymentTermsId),
        applies_to_id="" if wire.invoiceId == BLANK_GUID else wire.invoiceId,
        applies_to_number=wire.invoiceNumber,
    )
    lines = [reading.billed(line, line.unitCost, None) for line in wire.purchaseCreditMemoLines]
    return reading.document(Entity.CREDIT_MEMO, wire, lines, own)


def _receipt(row: Mapping[str, Any], company: str, codes: Codes) -> Document:
    wire = WireReceipt.model_validate(row)
    reading = _Reading(company, codes)
    lines = []
    for line in wire.purchaseReceiptLines:
        kind = RECEIPT_LINE_TYPES.get(line.lineType, line.lineType)
        lines.append(reading.line(line, line.unitCost, line.expectedReceiptDate, kind))
    own = _Own(document_date=wire.invoiceDate, order_number=wire.orderNumber)
    return reading.document(Entity.RECEIPT, wire, lines, own)


_READINGS = {
    Entity.PURCHASE_ORDER: _order,
    Entity.PURCHASE_INVOICE: _invoice,
    Entity.CREDIT_MEMO: _credit_memo,
    Entity.RECEIPT: _receipt,
}


class _Reading:
    """One document on its way from the wire; gathers what its ids stand for, and what stands for nothing."""

    def __init__(self, company: str, codes: Codes) -> None:
        self._company = company
        self._codes = codes
        self._faults: list[Reason] = []

    def document(self, entity: Entity, wire: WireDocument, lines: list[Line], own: _Own) -> Document:
        modified = NEVER
        try:
            modified = parse_stamp(wire.lastModifiedDateTime)
        except ValueError as error:
            self._faults.append(_unreadable(("lastModifiedDateTime",), str(error)))
        if self._faults:
            raise DocumentFault(self._faults)
        billed = wire if isinstance(wire, WireBilled) else None
        return Document(
            entity=entity,
            company=self._company,
            id=wire.id,
            number=wire.number,
            status=billed.status if billed else POSTED,
            modified=modified,
            document_date=own.get("document_date"),
            posting_date=wire.postingDate,
            due_date=own.get("due_date"),
            vendor_number=wire.vendorNumber,
            vendor_name=wire.vendorName,
            vendor_invoice_number=own.get("vendor_invoice_number", ""),
            currency=wire.currencyCode or self._codes.local_currency,
            prices_include_tax=billed.pricesIncludeTax if billed else False,
            payment_terms=own.get("payment_terms", ""),
            order_number=own.get("order_number", ""),
            discount_amount=billed.discountAmount if billed else NOTHING,
            net_total=billed.totalAmountExcludingTax if billed else NOTHING,
            tax_total=billed.totalTaxAmount if billed else NOTHING,
            gross_total=billed.totalAmountIncludingTax if billed else NOTHING,
            dimensions=_dimensions(wire.dimensionSetLines),
            lines=tuple(sorted(lines, key=lambda line: line.sequence)),
            applies_to_id=own.get("applies_to_id", ""),
            applies_to_number=own.get("applies_to_number", ""),
        )

    def billed(self, line: WireBilledLine, cost: Decimal, expected: date | None) -> Line:
        return self.line(line, cost, expected, line.lineType, line)

    def line(
        self, line: WireLine, cost: Decimal, expected: date | None, kind: str, billed: WireBilledLine | None = None
    ) -> Line:
        return Line(
            id=line.id,
            sequence=line.sequence,
            type=kind,
            object_number=line.lineObjectNumber,
            description=line.description,
            unit=line.unitOfMeasureCode,
            quantity=line.quantity,
            unit_cost=cost,
            amount=billed.amountExcludingTax if billed else NOTHING,
            header_discount_share=billed.invoiceDiscountAllocation if billed else NOTHING,
            net_amount=billed.netAmount if billed else NOTHING,
            tax_code=billed.taxCode if billed else "",
            tax_percent=billed.taxPercent if billed else NOTHING,
            tax_amount=billed.netTaxAmount if billed else NOTHING,
            expected_receipt=expected,
            location=self._location(billed) if billed else "",
            dimensions=_dimensions(line.dimensionSetLines),
        )

    def payment_terms(self, id_: str) -> str:
        return self._code(id_, self._codes.payment_terms, "paymentTermsId")

    def _location(self, line: WireBilledLine) -> str:
        return self._code(line.locationId, self._codes.locations, "locationId", str(line.sequence))

    def _code(self, id_: str, codes: Mapping[str, str], name: str, line: str = "") -> str:
        if id_ == BLANK_GUID:
            return ""
        if id_ not in codes:
            self._faults.append(_unreadable((name,), "names a record that does not exist in BC", line))
        return codes.get(id_, "")


def unknown_ids(row: Mapping[str, Any], entity: Entity, codes: Codes) -> bool:
    """Whether the document names a location or payment term that the codes do not hold (they may be older than it)."""
    lines = row.get(LINES[entity])
    named = [line.get("locationId") for line in lines if isinstance(line, Mapping)] if isinstance(lines, list) else []
    locations = {text for text in named if isinstance(text, str)}
    terms = row.get("paymentTermsId", BLANK_GUID)
    return bool(locations - codes.locations.keys() - {BLANK_GUID}) or (
        isinstance(terms, str) and terms not in {BLANK_GUID, *codes.payment_terms}
    )


def _dimensions(rows: list[WireDimension]) -> tuple[DimensionValue, ...]:
    return tuple(sorted((DimensionValue(row.code, row.valueCode) for row in rows), key=lambda pair: pair.dimension))


def _unreadable(where: tuple[int | str, ...], message: str, line: str = "") -> Reason:
    return Reason(
        "DOCUMENT_UNREADABLE",
        f"BC's answer for this document is not as expected: {'.'.join(str(part) for part in where)}: {message}.",
        "Open the document in BC and correct it; if it looks right there, report it as a fault of the connector.",
        line,
    )
