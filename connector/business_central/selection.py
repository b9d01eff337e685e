"""What is asked of API v2.0: of each document and line only the properties that are used, lines and dimensions expanded."""

from __future__ import annotations

from collections.abc import Mapping

from connector.model.documents import Entity

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


def expansion(entity: Entity) -> str:
    """The $expand that brings a document's lines and all dimensions, with only what is used."""
    lines, cost = LINES[entity]
    dimensions = "dimensionSetLines($select=code,valueCode)"
    return f"{lines}($select={SELECTED_LINE.format(cost=cost)};$expand={dimensions}),{dimensions}"
