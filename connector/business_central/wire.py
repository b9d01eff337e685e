"""The wire form of API v2.0 purchase documents, and their way into canonical ones.

Property names and their meaning: API reference v2.0, resources purchaseOrder, purchaseOrderLine, purchaseInvoice,
purchaseInvoiceLine, dimensionSetLine. Unknown properties are ignored; a missing or mistyped one parks the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
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

from connector.business_central.odata import BLANK_GUID, blank_to_none, decoded_word
from connector.errors import DocumentFault, Reason
from connector.model.documents import DimensionValue, Document, Entity, Line
from connector.model.money import Exact
from connector.model.stamps import parse_stamp


def _whole_characters(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character (a lone surrogate)")
    return text


Text = Annotated[StrictStr, AfterValidator(_whole_characters)]
Word = Annotated[Text, BeforeValidator(lambda value: decoded_word(value) if isinstance(value, str) else value)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireDimension(_Wire):
    """A dimensionSetLine."""

    code: Text
    valueCode: Text


class WireLine(_Wire):
    """A purchaseOrderLine, or a purchaseInvoiceLine (which calls its cost unitCost)."""

    id: Text
    sequence: StrictInt
    lineType: Word
    lineObjectNumber: Text
    description: Text
    unitOfMeasureCode: Text
    quantity: Exact
    directUnitCost: Exact | None = None
    unitCost: Exact | None = None
    amountExcludingTax: Exact
    invoiceDiscountAllocation: Exact
    netAmount: Exact
    taxCode: Text
    taxPercent: Exact
    netTaxAmount: Exact
    expectedReceiptDate: date
    locationId: Text
    dimensionSetLines: list[WireDimension]


class WireDocument(_Wire):
    """A purchaseOrder or purchaseInvoice with its lines and dimensions."""

    id: Text
    number: Text
    status: Word
    lastModifiedDateTime: Text
    orderDate: date | None = None
    invoiceDate: date | None = None
    postingDate: date
    dueDate: date | None = None
    vendorNumber: Text
    vendorName: Text
    vendorInvoiceNumber: Text = ""
    currencyCode: Text
    pricesIncludeTax: StrictBool
    paymentTermsId: Text = BLANK_GUID
    orderNumber: Text = ""
    discountAmount: Exact
    totalAmountExcludingTax: Exact
    totalTaxAmount: Exact
    totalAmountIncludingTax: Exact
    dimensionSetLines: list[WireDimension]
    purchaseOrderLines: list[WireLine] | None = None
    purchaseInvoiceLines: list[WireLine] | None = None


SELECTED_LINE = (
    "id,sequence,lineType,lineObjectNumber,description,unitOfMeasureCode,quantity,{cost},amountExcludingTax,"
    "invoiceDiscountAllocation,netAmount,taxCode,taxPercent,netTaxAmount,expectedReceiptDate,locationId"
)
_SELECTED_BOTH = (
    "id,number,status,lastModifiedDateTime,{date},postingDate,vendorNumber,vendorName,currencyCode,pricesIncludeTax,"
    "discountAmount,totalAmountExcludingTax,totalTaxAmount,totalAmountIncludingTax"
)
SELECTED: Mapping[Entity, str] = {
    Entity.PURCHASE_ORDER: _SELECTED_BOTH.format(date="orderDate") + ",paymentTermsId",
    Entity.PURCHASE_INVOICE: _SELECTED_BOTH.format(date="invoiceDate") + ",dueDate,vendorInvoiceNumber,orderNumber",
}
LINES: Mapping[Entity, tuple[str, str]] = {
    Entity.PURCHASE_ORDER: ("purchaseOrderLines", "directUnitCost"),
    Entity.PURCHASE_INVOICE: ("purchaseInvoiceLines", "unitCost"),
}


@dataclass(frozen=True, slots=True)
class Codes:
    """What the ids inside a document stand for: codes of locations and payment terms, and the local currency."""

    locations: Mapping[str, str]
    payment_terms: Mapping[str, str]
    local_currency: str


def expansion(entity: Entity) -> str:
    """The $expand that brings a document's lines and all dimensions, with only what is used."""
    lines, cost = LINES[entity]
    dimensions = "dimensionSetLines($select=code,valueCode)"
    return f"{lines}($select={SELECTED_LINE.format(cost=cost)};$expand={dimensions}),{dimensions}"


def canonical(row: Mapping[str, Any], company: str, entity: Entity, codes: Codes) -> Document:
    """The canonical document. Raises `DocumentFault` naming every property that is not as it should be."""
    try:
        wire = WireDocument.model_validate(row)
        modified = parse_stamp(wire.lastModifiedDateTime)
    except ValidationError as error:
        raise DocumentFault([_unreadable(fault["loc"], fault["msg"]) for fault in error.errors()]) from None
    except ValueError as error:
        raise DocumentFault([_unreadable(("lastModifiedDateTime",), str(error))]) from None
    lines = wire.purchaseOrderLines if entity is Entity.PURCHASE_ORDER else wire.purchaseInvoiceLines
    if lines is None:
        raise DocumentFault([_unreadable((LINES[entity][0],), "is missing")])
    faults: list[Reason] = []
    document = Document(
        entity=entity,
        company=company,
        id=wire.id.lower(),
        number=wire.number,
        status=wire.status,
        modified=modified,
        # BC's API gives the document date of an order under the name orderDate.
        document_date=blank_to_none(wire.orderDate or wire.invoiceDate),
        posting_date=blank_to_none(wire.postingDate),
        due_date=blank_to_none(wire.dueDate),
        vendor_number=wire.vendorNumber,
        vendor_name=wire.vendorName,
        vendor_invoice_number=wire.vendorInvoiceNumber,
        currency=wire.currencyCode or codes.local_currency,
        prices_include_tax=wire.pricesIncludeTax,
        payment_terms=_code(wire.paymentTermsId, codes.payment_terms, "paymentTermsId", faults),
        order_number=wire.orderNumber,
        discount_amount=wire.discountAmount,
        net_total=wire.totalAmountExcludingTax,
        tax_total=wire.totalTaxAmount,
        gross_total=wire.totalAmountIncludingTax,
        dimensions=_dimensions(wire.dimensionSetLines),
        lines=tuple(_line(line, codes, faults) for line in sorted(lines, key=lambda line: line.sequence)),
    )
    if faults:
        raise DocumentFault(faults)
    return document


def unknown_ids(row: Mapping[str, Any], codes: Codes) -> bool:
    """Whether the document names a location or payment term that the codes do not hold (they may be older than it)."""
    lines = row.get("purchaseOrderLines") or row.get("purchaseInvoiceLines") or []
    locations = {str(line.get("locationId", BLANK_GUID)) for line in lines if isinstance(line, Mapping)}
    terms = str(row.get("paymentTermsId", BLANK_GUID))
    return bool(locations - codes.locations.keys() - {BLANK_GUID}) or terms not in {BLANK_GUID, *codes.payment_terms}


def _line(line: WireLine, codes: Codes, faults: list[Reason]) -> Line:
    cost = line.directUnitCost if line.directUnitCost is not None else line.unitCost
    if cost is None:
        faults.append(_unreadable(("directUnitCost or unitCost",), "is missing", str(line.sequence)))
        cost = line.amountExcludingTax
    return Line(
        id=line.id.lower(),
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
        expected_receipt=blank_to_none(line.expectedReceiptDate),
        location=_code(line.locationId, codes.locations, "locationId", faults, str(line.sequence)),
        dimensions=_dimensions(line.dimensionSetLines),
    )


def _dimensions(rows: list[WireDimension]) -> tuple[DimensionValue, ...]:
    return tuple(sorted((DimensionValue(row.code, row.valueCode) for row in rows), key=lambda pair: pair.dimension))


def _code(id_: str, codes: Mapping[str, str], name: str, faults: list[Reason], where: str = "") -> str:
    if id_ == BLANK_GUID:
        return ""
    code = codes.get(id_)
    if code is None:
        faults.append(_unreadable((name,), "names a record that does not exist in BC", where))
        return ""
    return code


def _unreadable(where: tuple[int | str, ...], message: str, line: str = "") -> Reason:
    return Reason(
        "DOCUMENT_UNREADABLE",
        f"BC's answer for this document is not as expected: {'.'.join(str(part) for part in where)}: {message}.",
        "Open the document in BC and correct it; if it looks right there, report it as a fault of the connector.",
        line,
    )
