"""The entity sets of purchase documents: orders, invoices, their lines, and the dimension sets of all of them.

Property names and their order follow the API v2.0 pages of the same names in Microsoft's public source.
"""

from __future__ import annotations

from tests.sandbox.business_central.entities import EntitySet, Navigation, address, declared
from tests.sandbox.business_central.file_sets import FILE_NAVIGATIONS

LINE_TYPES = "Comment|Account|Item|Resource|Fixed Asset|Charge|Allocation Account"

_LINE_START = f"""
id guid ro; documentId guid ro; sequence int ro; itemId guid; accountId guid; lineType enum({LINE_TYPES})
lineObjectNumber text(20) ro; description text(100); description2 text(50); unitOfMeasureId guid; unitOfMeasureCode text(10)
"""
_LINE_DISCOUNT = "discountAmount decimal; discountPercent decimal; discountAppliedBeforeTax bool ro"
_LINE_TAX = """
taxCode text(50); taxPercent decimal ro; totalTaxAmount decimal ro; amountIncludingTax decimal{end}
invoiceDiscountAllocation decimal ro; netAmount decimal ro; netTaxAmount decimal ro; netAmountIncludingTax decimal ro
expectedReceiptDate date
"""
_LINE_END = "itemVariantId guid; locationId guid"
_LINE_NAVIGATIONS = (
    Navigation("dimensionSetLines", "dimensionSetLines"),
    Navigation("account", "accounts", key="accountId"),
    Navigation("unitOfMeasure", "unitsOfMeasure", key="unitOfMeasureId"),
    Navigation("location", "locations", key="locationId"),
)
_TOTALS = """
discountAmount decimal; discountAppliedBeforeTax bool ro
totalAmountExcludingTax decimal ro; totalTaxAmount decimal ro; totalAmountIncludingTax decimal ro
"""

PURCHASE_ORDERS = EntitySet(
    name="purchaseOrders",
    type_name="purchaseOrder",
    caption="Purchase Order",
    source="documents",
    properties=declared(f"""
        id guid ro; number text(20) ro; orderDate date; postingDate date
        vendorId guid; vendorNumber text(20); vendorName text(100) ro
        payToName text(100) ro; payToVendorId guid; payToVendorNumber text(20)
        shipToName text(100); shipToContact text(100)
        {address("buyFrom")}; {address("payTo", read_only=True)}; {address("shipTo")}
        shortcutDimension1Code text(20); shortcutDimension2Code text(20)
        currencyId guid; currencyCode text(10); pricesIncludeTax bool; paymentTermsId guid; shipmentMethodId guid
        purchaser text(20); requestedReceiptDate date
        {_TOTALS}
        fullyReceived bool; status enum(Draft|In Review|Open) ro; lastModifiedDateTime datetime ro
    """),
    navigations=(
        Navigation("purchaseOrderLines", "purchaseOrderLines"),
        *FILE_NAVIGATIONS,
        Navigation("dimensionSetLines", "dimensionSetLines"),
        Navigation("vendor", "vendors", key="vendorId"),
        Navigation("currency", "currencies", key="currencyId"),
        Navigation("paymentTerm", "paymentTerms", key="paymentTermsId"),
        Navigation("shipmentMethod", "shipmentMethods", key="shipmentMethodId"),
    ),
)

PURCHASE_INVOICES = EntitySet(
    name="purchaseInvoices",
    type_name="purchaseInvoice",
    caption="Purchase Invoice",
    source="documents",
    properties=declared(f"""
        id guid ro; number text(20) ro; postingDate date; invoiceDate date; dueDate date; vendorInvoiceNumber text(35)
        vendorId guid; vendorNumber text(20); vendorName text(100) ro
        payToName text(100) ro; payToContact text(100) ro; payToVendorId guid; payToVendorNumber text(20)
        shipToName text(100); shipToContact text(100)
        {address("buyFrom")}; {address("shipTo")}; {address("payTo", read_only=True)}
        shortcutDimension1Code text(20); shortcutDimension2Code text(20)
        currencyId guid; currencyCode text(10); orderId guid ro; orderNumber text(20) ro; purchaser text(20)
        pricesIncludeTax bool
        {_TOTALS}
        status enum( |Draft|In Review|Open|Paid|Canceled|Corrective) ro; lastModifiedDateTime datetime ro
    """),
    navigations=(
        Navigation("dimensionSetLines", "dimensionSetLines"),
        Navigation("purchaseInvoiceLines", "purchaseInvoiceLines"),
        *FILE_NAVIGATIONS,
        Navigation("vendor", "vendors", key="vendorId"),
        Navigation("currency", "currencies", key="currencyId"),
    ),
)

PURCHASE_ORDER_LINES = EntitySet(
    name="purchaseOrderLines",
    type_name="purchaseOrderLine",
    caption="Purchase Line",
    source="lines",
    properties=declared(f"""
        {_LINE_START}
        quantity decimal; directUnitCost decimal; {_LINE_DISCOUNT}; amountExcludingTax decimal ro
        {_LINE_TAX.format(end=" ro")}
        receivedQuantity decimal; invoicedQuantity decimal; invoiceQuantity decimal; receiveQuantity decimal
        {_LINE_END}
    """),
    navigations=(*_LINE_NAVIGATIONS, Navigation("purchaseOrder", "purchaseOrders", key="documentId")),
)

PURCHASE_INVOICE_LINES = EntitySet(
    name="purchaseInvoiceLines",
    type_name="purchaseInvoiceLine",
    caption="Purchase Invoice Line",
    source="lines",
    properties=declared(f"""
        {_LINE_START}
        unitCost decimal; quantity decimal; {_LINE_DISCOUNT}; amountExcludingTax decimal
        {_LINE_TAX.format(end="")}
        {_LINE_END}
    """),
    navigations=(*_LINE_NAVIGATIONS, Navigation("purchaseInvoice", "purchaseInvoices", key="documentId")),
)

PARENT_TYPES = {
    "purchaseOrders": "Purchase Order",
    "purchaseOrderLines": "Purchase Order Line",
    "purchaseInvoices": "Purchase Invoice",
    "purchaseInvoiceLines": "Purchase Invoice Line",
    "generalLedgerEntries": "General Ledger Entry",
    "purchaseReceipts": "Purchase Receipt",
    "purchaseReceiptLines": "Purchase Receipt Line",
    "purchaseCreditMemos": "Purchase Credit Memo",
    "purchaseCreditMemoLines": "Purchase Credit Memo Line",
    "purchaseOrderArchives": "Purchase Order Archive",
    "purchaseOrderArchiveLines": "Purchase Order Archive Line",
}

DIMENSION_SET_LINES = EntitySet(
    name="dimensionSetLines",
    type_name="dimensionSetLine",
    caption="Dimension Set Line",
    source="dimensions",
    properties=declared(f"""
        id guid ro; code text(20); consolidationCode text(20) ro; parentId guid ro
        parentType enum({"|".join(PARENT_TYPES.values())}) ro
        displayName text(30) ro; valueId guid; valueCode text(20); valueConsolidationCode text(20) ro
        valueDisplayName text(50) ro
    """),
)
