"""The entity sets of what posting leaves behind: receipts, credit memos, ledger entries, and archived orders.

Property names and their order follow the API v2.0 pages of the same names in Microsoft's public source. Archived orders came
with version 29: their dimension codes, stamps and version numbers are documented, the rest follows the order pages.
"""

from __future__ import annotations

from tests.sandbox.business_central.document_sets import LINE_TYPES
from tests.sandbox.business_central.entities import EntitySet, Navigation, address, declared
from tests.sandbox.business_central.file_sets import FILE_NAVIGATIONS

# Receipt lines show the document's own line types, not the names that order and invoice lines give them.
RECEIPT_LINE_TYPES = " |G/L Account|Item|Resource|Fixed Asset|Charge (Item)|Allocation Account"
RECEIPT_LINE_TYPE = {"Comment": " ", "Account": "G/L Account", "Charge": "Charge (Item)"}
_DIMENSIONS = Navigation("dimensionSetLines", "dimensionSetLines")

PURCHASE_RECEIPTS = EntitySet(
    name="purchaseReceipts",
    type_name="purchaseReceipt",
    caption="Posted Purchase Receipt",
    source="documents",
    writable=False,
    properties=declared(f"""
        id guid; number text(20); invoiceDate date; postingDate date; dueDate date
        vendorNumber text(20); vendorName text(100); payToName text(100); payToContact text(100)
        payToVendorNumber text(20); shipToName text(100); shipToContact text(100)
        {address("buyFrom")}; {address("shipTo")}; {address("payTo")}
        currencyCode text(10); orderNumber text(20); lastModifiedDateTime datetime
    """),
    navigations=(Navigation("purchaseReceiptLines", "purchaseReceiptLines"), _DIMENSIONS, *FILE_NAVIGATIONS),
)

PURCHASE_RECEIPT_LINES = EntitySet(
    name="purchaseReceiptLines",
    type_name="purchaseReceiptLine",
    caption="Purch. Rcpt. Line",
    writable=False,
    properties=declared(f"""
        id guid; documentId guid; sequence int; lineType enum({RECEIPT_LINE_TYPES}); lineObjectNumber text(20)
        description text(100); description2 text(50); unitOfMeasureCode text(10); unitCost decimal; quantity decimal
        discountPercent decimal; taxPercent decimal; expectedReceiptDate date
    """),
    navigations=(_DIMENSIONS,),
)

PURCHASE_CREDIT_MEMOS = EntitySet(
    name="purchaseCreditMemos",
    type_name="purchaseCreditMemo",
    caption="Purchase Credit Memo",
    source="documents",
    properties=declared(f"""
        id guid ro; number text(20) ro; creditMemoDate date; postingDate date; dueDate date
        vendorId guid; vendorNumber text(20); vendorName text(100) ro; vendorCreditMemoNumber text(35)
        payToVendorId guid; payToVendorNumber text(20); payToName text(100) ro
        {address("buyFrom")}; {address("payTo")}
        shortcutDimension1Code text(20); shortcutDimension2Code text(20); currencyId guid; currencyCode text(10)
        paymentTermsId guid; shipmentMethodId guid; purchaser text(20); pricesIncludeTax bool ro
        discountAmount decimal; discountAppliedBeforeTax bool ro
        totalAmountExcludingTax decimal ro; totalTaxAmount decimal ro; totalAmountIncludingTax decimal ro
        status enum(Draft|In Review|Open|Canceled|Corrective|Paid) ro; lastModifiedDateTime datetime ro
        invoiceId guid; invoiceNumber text(20); vendorReturnReasonId guid
    """),
    navigations=(
        _DIMENSIONS,
        Navigation("purchaseCreditMemoLines", "purchaseCreditMemoLines"),
        *FILE_NAVIGATIONS,
        Navigation("vendor", "vendors", key="vendorId"),
        Navigation("currency", "currencies", key="currencyId"),
        Navigation("paymentTerm", "paymentTerms", key="paymentTermsId"),
        Navigation("shipmentMethod", "shipmentMethods", key="shipmentMethodId"),
    ),
)

PURCHASE_CREDIT_MEMO_LINES = EntitySet(
    name="purchaseCreditMemoLines",
    type_name="purchaseCreditMemoLine",
    caption="Purchase Credit Memo Line",
    source="lines",
    properties=declared(f"""
        id guid ro; documentId guid ro; sequence int ro; itemId guid; accountId guid; lineType enum({LINE_TYPES})
        lineObjectNumber text(20) ro; description text(100); unitOfMeasureId guid; unitOfMeasureCode text(10)
        unitCost decimal; quantity decimal; discountAmount decimal; discountPercent decimal
        discountAppliedBeforeTax bool ro; amountExcludingTax decimal; taxCode text(50); taxPercent decimal ro
        totalTaxAmount decimal ro; amountIncludingTax decimal; invoiceDiscountAllocation decimal ro
        netAmount decimal ro; netTaxAmount decimal ro; netAmountIncludingTax decimal ro
        itemVariantId guid; locationId guid
    """),
    navigations=(
        _DIMENSIONS,
        Navigation("purchaseCreditMemo", "purchaseCreditMemos", key="documentId"),
        Navigation("account", "accounts", key="accountId"),
        Navigation("unitOfMeasure", "unitsOfMeasure", key="unitOfMeasureId"),
        Navigation("location", "locations", key="locationId"),
    ),
)

GENERAL_LEDGER_ENTRIES = EntitySet(
    name="generalLedgerEntries",
    type_name="generalLedgerEntry",
    caption="G/L Entry",
    writable=False,
    properties=declared("""
        id guid; entryNumber int; postingDate date; documentNumber text(20)
        documentType enum( |Payment|Invoice|Credit Memo|Finance Charge Memo|Reminder|Refund)
        accountId guid; accountNumber text(20); description text(100); debitAmount decimal; creditAmount decimal
        additionalCurrencyDebitAmount decimal; additionalCurrencyCreditAmount decimal; lastModifiedDateTime datetime
    """),
    navigations=(
        Navigation("attachments", "attachments", foreign="parentId"),
        _DIMENSIONS,
        Navigation("account", "accounts", key="accountId"),
    ),
)

PURCHASE_ORDER_ARCHIVES = EntitySet(
    name="purchaseOrderArchives",
    type_name="purchaseOrderArchive",
    caption="Purchase Order Archive",
    source="documents",
    writable=False,
    properties=declared("""
        id guid; number text(20); docNoOccurrence int; versionNumber int; orderDate date; postingDate date
        vendorId guid; vendorNumber text(20); vendorName text(100); payToName text(100)
        shortcutDimension1Code text(20); shortcutDimension2Code text(20); currencyId guid; currencyCode text(10)
        pricesIncludeTax bool; paymentTermsId guid; purchaser text(20); requestedReceiptDate date
        status enum(Draft|In Review|Open); lastModifiedDateTime datetime
    """),
    navigations=(Navigation("purchaseOrderArchiveLines", "purchaseOrderArchiveLines"), _DIMENSIONS),
)

PURCHASE_ORDER_ARCHIVE_LINES = EntitySet(
    name="purchaseOrderArchiveLines",
    type_name="purchaseOrderArchiveLine",
    caption="Purchase Line Archive",
    writable=False,
    properties=declared(f"""
        id guid; documentId guid; docNoOccurrence int; versionNumber int; sequence int; lineType enum({LINE_TYPES})
        lineObjectNumber text(20); description text(100); description2 text(50); unitOfMeasureCode text(10)
        quantity decimal; directUnitCost decimal; discountPercent decimal; discountAmount decimal; taxPercent decimal
        expectedReceiptDate date; shortcutDimension1Code text(20); shortcutDimension2Code text(20)
        lastModifiedDateTime datetime
    """),
    navigations=(_DIMENSIONS,),
)
