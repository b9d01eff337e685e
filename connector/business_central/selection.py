"""What is asked of API v2.0: of each document and line only the properties that are used, lines and dimensions expanded."""

from __future__ import annotations

from collections.abc import Mapping

from connector.model.documents import Entity

_EVERY = "id,number,lastModifiedDateTime,postingDate,vendorNumber,vendorName,currencyCode,"
_BILLED = (
    _EVERY + "status,pricesIncludeTax,discountAmount,totalAmountExcludingTax,totalTaxAmount,totalAmountIncludingTax,"
)
SELECTED: Mapping[Entity, str] = {
    Entity.PURCHASE_ORDER: _BILLED + "orderDate,paymentTermsId",
    Entity.PURCHASE_INVOICE: _BILLED + "invoiceDate,dueDate,vendorInvoiceNumber,orderNumber",
    Entity.CREDIT_MEMO: _BILLED
    + "creditMemoDate,dueDate,vendorCreditMemoNumber,paymentTermsId,invoiceId,invoiceNumber",
    Entity.RECEIPT: _EVERY + "invoiceDate,orderNumber",
}
LINES: Mapping[Entity, str] = {
    Entity.PURCHASE_ORDER: "purchaseOrderLines",
    Entity.PURCHASE_INVOICE: "purchaseInvoiceLines",
    Entity.CREDIT_MEMO: "purchaseCreditMemoLines",
    Entity.RECEIPT: "purchaseReceiptLines",
}
"""What the lines are called."""
_EVERY_LINE = "id,sequence,lineType,lineObjectNumber,description,unitOfMeasureCode,quantity,"
_BILLED_LINE = (
    _EVERY_LINE + "amountExcludingTax,invoiceDiscountAllocation,netAmount,taxCode,taxPercent,netTaxAmount,locationId,"
)
SELECTED_LINE: Mapping[Entity, str] = {
    Entity.PURCHASE_ORDER: _BILLED_LINE + "directUnitCost,expectedReceiptDate",
    Entity.PURCHASE_INVOICE: _BILLED_LINE + "unitCost,expectedReceiptDate",
    Entity.CREDIT_MEMO: _BILLED_LINE + "unitCost",
    Entity.RECEIPT: _EVERY_LINE + "unitCost,expectedReceiptDate",
}


def expansion(entity: Entity) -> str:
    """The $expand that brings a document's lines and all dimensions, with only what is used."""
    dimensions = "dimensionSetLines($select=code,valueCode)"
    return f"{LINES[entity]}($select={SELECTED_LINE[entity]};$expand={dimensions}),{dimensions}"
