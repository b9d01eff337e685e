"""The entity sets of Microsoft's other APIs, and of a small API page for dimension values that a customer can install.

Sources: the public source of the apps "API Reports Finance" and "Power BI Reports", the automate API page of posted purchase
invoices, and the table "Dimension Value". Rows of a query have no key, no ETag and no stamp.
"""

from __future__ import annotations

from tests.sandbox.business_central.entities import EntitySet, declared
from tests.sandbox.business_central.posted_sets import RECEIPT_LINE_TYPES

_DOCUMENT_TYPES = "Quote|Order|Invoice|Credit Memo|Blanket Order|Return Order"

FINANCE_VALUES = EntitySet(
    name="dimensionValues",
    type_name="dimensionValue",
    caption="Dimension Value",
    writable=False,
    properties=declared("""
        id guid; dimensionCode text(20); dimensionValueCode text(20); dimensionValueName text(50); dimensionValueId int
        dimensionValueType text; blocked bool; indentation int; consolidationCode text(20); globalDimensionNumber int
        lastModifiedDateTime datetime
    """),
)

FINANCE_SETS = EntitySet(
    name="dimensionSetEntries",
    type_name="dimensionSetEntry",
    caption="Dimension Set Entry",
    writable=False,
    properties=declared("""
        id guid; setId int; dimensionCode text(20); dimensionDisplayName text(30); dimensionValueCode text(20)
        dimensionValueDisplayName text(50); dimensionValueId int; lastModifiedDateTime datetime
    """),
)

PURCHASE_LINES = EntitySet(
    name="purchaseLines",
    type_name="purchaseLine",
    caption="Purchase Line",
    writable=False,
    etags=False,
    properties=declared(f"""
        orderNo text(20); documentType enum({_DOCUMENT_TYPES}); payToVendorNo text(20); buyFromVendorNo text(20)
        purchaserCode text(20); quoteNo text(20); orderDate date; documentDate date; dueDate date; campaignNo text(20)
        purchaseLineDocumentType enum({_DOCUMENT_TYPES}); documentNo text(20); type enum({RECEIPT_LINE_TYPES})
        description text(100); lineNo int; itemNo text(20); locationCode text(10)
        quantityBase decimal; outstandingQtyBase decimal; outstandingAmountLCY decimal; amount decimal; unitCostLCY decimal
        outstandingQuantity decimal; returnReasonCode text(10); plannedReceiptDate date; expectedReceiptDate date
        promisedReceiptDate date; requestedReceiptDate date; dimensionSetID int; qtyRcdNotInvd decimal
        qtyToReceive decimal; qtyReceived decimal; quantityInvoiced decimal; projectNo text(20); prepmtAmountInvLCY decimal
    """),
)

OUTSTANDING_LINES = EntitySet(
    name="outstandingPurchaseLines",
    type_name="outstandingPurchaseLine",
    caption="Purchase Line",
    writable=False,
    etags=False,
    properties=declared(f"""
        itemNo text(20); outstandingQtyBase decimal; expectedReceiptDate date; locationCode text(10)
        buyFromVendorNo text(20); documentNo text(20); documentType enum({_DOCUMENT_TYPES}); dimensionSetID int
        qtyPerUnitOfMeasure decimal; unitOfMeasureCode text(10)
    """),
)

FLAT_SETS = EntitySet(
    name="dimensionSetEntries",
    type_name="dimensionSetEntry",
    caption="PowerBI Flat Dim. Set Entry",
    writable=False,
    etags=False,
    properties=declared(
        "id guid; dimensionSetID int; valueCount int\n"
        + "\n".join(f"dimension{n}ValueCode text(20); dimension{n}ValueName text(50)" for n in range(1, 9))
    ),
)
QUERIES = (PURCHASE_LINES, OUTSTANDING_LINES, FLAT_SETS)

POSTED_INVOICES = EntitySet(
    name="postedPurchaseInvoices",
    type_name="postedPurchaseInvoice",
    caption="Purch. Inv. Header",
    writable=False,
    properties=declared("id guid; apiId guid"),
)

CUSTOM_VALUES = EntitySet(
    name="dimensionValues",
    type_name="dimensionValue",
    caption="Dimension Value",
    properties=declared("""
        id guid ro; dimensionCode text(20); code text(20); displayName text(50); dimensionValueType text
        totaling text(250); blocked bool; indentation int ro; consolidationCode text(20); globalDimensionNo int ro
        lastModifiedDateTime datetime ro
    """),
)
