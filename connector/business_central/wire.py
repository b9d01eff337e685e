"""The wire form of API v2.0 purchase documents, and their way into canonical ones.

Property names and their meaning: API reference v2.0, resources purchaseOrder, purchaseOrderLine, purchaseInvoice,
purchaseInvoiceLine, dimensionSetLine. Unknown properties are ignored; a missing or mistyped one parks the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from connector.business_central.odata import BLANK_GUID, blank_to_none, decoded_word, guid
from connector.errors import DocumentFault, Reason
from connector.model.documents import DimensionValue, Document, Entity, Line
from connector.model.money import Exact
from connector.model.stamps import NEVER, parse_stamp


def _whole_characters(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character (a lone surrogate)")
    return text


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _system_id(text: str) -> str:
    if guid(text) == BLANK_GUID:
        raise ValueError("is blank")
    return guid(text)


def _day(value: object) -> date | None:
    # Pydantic would also take numbers as seconds since 1970, and date-times.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return blank_to_none(date.fromisoformat(value))


def _decoded(value: object) -> object:
    return decoded_word(value) if isinstance(value, str) else value


Text = Annotated[StrictStr, AfterValidator(_whole_characters)]
Word = Annotated[Text, BeforeValidator(_decoded)]
SystemId = Annotated[StrictStr, AfterValidator(_system_id)]
AnyId = Annotated[StrictStr, AfterValidator(guid)]
Day = Annotated[date | None, BeforeValidator(_day)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireDimension(_Wire):
    """A dimensionSetLine."""

    code: Text
    valueCode: Text


class WireLine(_Wire):
    """What order and invoice lines share."""

    id: SystemId
    sequence: StrictInt
    lineType: Word
    lineObjectNumber: Text
    description: Text
    unitOfMeasureCode: Text
    quantity: Exact
    amountExcludingTax: Exact
    invoiceDiscountAllocation: Exact
    netAmount: Exact
    taxCode: Text
    taxPercent: Exact
    netTaxAmount: Exact
    expectedReceiptDate: Day
    locationId: AnyId
    dimensionSetLines: list[WireDimension]


class WireOrderLine(WireLine):
    """A purchaseOrderLine."""

    directUnitCost: Exact


class WireInvoiceLine(WireLine):
    """A purchaseInvoiceLine, which calls its cost unitCost."""

    unitCost: Exact


class WireDocument(_Wire):
    """What orders and invoices share."""

    id: SystemId
    number: Text
    status: Word
    lastModifiedDateTime: Text
    postingDate: Day
    vendorNumber: Text
    vendorName: Text
    currencyCode: Text
    pricesIncludeTax: StrictBool
    discountAmount: Exact
    totalAmountExcludingTax: Exact
    totalTaxAmount: Exact
    totalAmountIncludingTax: Exact
    dimensionSetLines: list[WireDimension]


class WireOrder(WireDocument):
    """A purchaseOrder. BC's API gives its document date under the name orderDate."""

    orderDate: Day
    paymentTermsId: AnyId
    purchaseOrderLines: list[WireOrderLine]


class WireInvoice(WireDocument):
    """A purchaseInvoice, draft or posted."""

    invoiceDate: Day
    dueDate: Day
    vendorInvoiceNumber: Text
    orderNumber: Text
    purchaseInvoiceLines: list[WireInvoiceLine]


@dataclass(frozen=True, slots=True)
class Codes:
    """What the ids inside a document stand for: codes of locations and payment terms, and the local currency."""

    locations: Mapping[str, str]
    payment_terms: Mapping[str, str]
    local_currency: str


def canonical(row: Mapping[str, Any], company: str, entity: Entity, codes: Codes) -> Document:
    """The canonical document. Raises `DocumentFault` naming every property that is not as it should be."""
    try:
        if entity is Entity.PURCHASE_ORDER:
            return _order(WireOrder.model_validate(row), company, codes)
        return _invoice(WireInvoice.model_validate(row), company, codes)
    except ValidationError as error:
        raise DocumentFault([_unreadable(fault["loc"], fault["msg"]) for fault in error.errors()]) from None


def _order(wire: WireOrder, company: str, codes: Codes) -> Document:
    reading = _Reading(wire, company, codes)
    payment_terms = reading.code(wire.paymentTermsId, codes.payment_terms, "paymentTermsId")
    lines = [reading.line(line, line.directUnitCost) for line in wire.purchaseOrderLines]
    return reading.document(Entity.PURCHASE_ORDER, lines, document_date=wire.orderDate, payment_terms=payment_terms)


def _invoice(wire: WireInvoice, company: str, codes: Codes) -> Document:
    reading = _Reading(wire, company, codes)
    return reading.document(
        Entity.PURCHASE_INVOICE,
        [reading.line(line, line.unitCost) for line in wire.purchaseInvoiceLines],
        document_date=wire.invoiceDate,
        due_date=wire.dueDate,
        vendor_invoice_number=wire.vendorInvoiceNumber,
        order_number=wire.orderNumber,
    )


class _Reading:
    """One document on its way from the wire; gathers what its ids stand for, and what stands for nothing."""

    def __init__(self, wire: WireDocument, company: str, codes: Codes) -> None:
        self._wire = wire
        self._company = company
        self._codes = codes
        self._faults: list[Reason] = []

    def document(
        self,
        entity: Entity,
        lines: list[Line],
        *,
        document_date: date | None,
        due_date: date | None = None,
        vendor_invoice_number: str = "",
        payment_terms: str = "",
        order_number: str = "",
    ) -> Document:
        wire = self._wire
        modified = NEVER
        try:
            modified = parse_stamp(wire.lastModifiedDateTime)
        except ValueError as error:
            self._faults.append(_unreadable(("lastModifiedDateTime",), str(error)))
        if self._faults:
            raise DocumentFault(self._faults)
        return Document(
            entity=entity,
            company=self._company,
            id=wire.id,
            number=wire.number,
            status=wire.status,
            modified=modified,
            document_date=document_date,
            posting_date=wire.postingDate,
            due_date=due_date,
            vendor_number=wire.vendorNumber,
            vendor_name=wire.vendorName,
            vendor_invoice_number=vendor_invoice_number,
            currency=wire.currencyCode or self._codes.local_currency,
            prices_include_tax=wire.pricesIncludeTax,
            payment_terms=payment_terms,
            order_number=order_number,
            discount_amount=wire.discountAmount,
            net_total=wire.totalAmountExcludingTax,
            tax_total=wire.totalTaxAmount,
            gross_total=wire.totalAmountIncludingTax,
            dimensions=_dimensions(wire.dimensionSetLines),
            lines=tuple(sorted(lines, key=lambda line: line.sequence)),
        )

    def line(self, line: WireLine, cost: Decimal) -> Line:
        return Line(
            id=line.id,
            sequence=line.sequence,
            type=line.lineType,
            object_number=line.lineObjectNumber,
            description=line.description,
            unit=line.unitOfMeasureCode,
            quantity=line.quantity,
            unit_cost=cost,
            amount=line.amountExcludingTax,
            header_discount_share=line.invoiceDiscountAllocation,
            net_amount=line.netAmount,
            tax_code=line.taxCode,
            tax_percent=line.taxPercent,
            tax_amount=line.netTaxAmount,
            expected_receipt=line.expectedReceiptDate,
            location=self.code(line.locationId, self._codes.locations, "locationId", str(line.sequence)),
            dimensions=_dimensions(line.dimensionSetLines),
        )

    def code(self, id_: str, codes: Mapping[str, str], name: str, line: str = "") -> str:
        if id_ == BLANK_GUID:
            return ""
        if id_ not in codes:
            self._faults.append(_unreadable((name,), "names a record that does not exist in BC", line))
        return codes.get(id_, "")


def unknown_ids(row: Mapping[str, Any], codes: Codes) -> bool:
    """Whether the document names a location or payment term that the codes do not hold (they may be older than it)."""
    lines = row.get("purchaseOrderLines") or row.get("purchaseInvoiceLines")
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
