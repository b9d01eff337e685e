"""The entity sets of master data and of the company itself, and the list of all sets the simulator serves."""

from __future__ import annotations

from tests.sandbox.business_central import document_sets, file_sets, posted_sets, setup_sets
from tests.sandbox.business_central.entities import EntitySet, Navigation, declared

COMPANIES = EntitySet(
    name="companies",
    type_name="company",
    caption="Company",
    source="companies",
    writable=False,
    etags=False,
    properties=declared("""
        id guid; systemVersion text; timestamp long; name text(30); displayName text(250); businessProfileId text(250)
        systemCreatedAt datetime; systemCreatedBy guid; systemModifiedAt datetime; systemModifiedBy guid
    """),
)

VENDORS = EntitySet(
    name="vendors",
    type_name="vendor",
    caption="Vendor",
    properties=declared("""
        id guid ro; number text(20); displayName text(100); addressLine1 text(100); addressLine2 text(50); city text(30)
        state text(30); country text(10); postalCode text(20); phoneNumber text(30); email text(80); website text(255)
        taxRegistrationNumber text(50); currencyId guid; currencyCode text(10); irs1099Code text(10); paymentTermsId guid
        paymentMethodId guid; taxLiable bool; blocked enum( |Payment|All); balance decimal ro
        lastModifiedDateTime datetime ro
    """),
    navigations=(
        Navigation("defaultDimensions", "defaultDimensions", foreign="parentId"),
        Navigation("documentAttachments", "documentAttachments", foreign="parentId"),
        Navigation("currency", "currencies", key="currencyId"),
        Navigation("paymentTerm", "paymentTerms", key="paymentTermsId"),
        Navigation("paymentMethod", "paymentMethods", key="paymentMethodId"),
    ),
)

ACCOUNTS = EntitySet(
    name="accounts",
    type_name="account",
    caption="G/L Account",
    writable=False,
    properties=declared("""
        id guid; number text(20); displayName text(100)
        category enum( |Assets|Liabilities|Equity|Income|Cost of Goods Sold|Expense); subCategory text(80); blocked bool
        accountType enum(Posting|Heading|Total|Begin-Total|End-Total); directPosting bool; netChange decimal
        consolidationTranslationMethod text; consolidationDebitAccount text(20); consolidationCreditAccount text(20)
        excludeFromConsolidation bool; lastModifiedDateTime datetime
    """),
)

DIMENSIONS = EntitySet(
    name="dimensions",
    type_name="dimension",
    caption="Dimension",
    writable=False,
    properties=declared("""
        id guid; code text(20); displayName text(30); consolidationCode text(20); lastModifiedDateTime datetime
    """),
    navigations=(Navigation("dimensionValues", "dimensionValues", foreign="dimensionId"),),
)

DIMENSION_VALUES = EntitySet(
    name="dimensionValues",
    type_name="dimensionValue",
    caption="Dimension Value",
    writable=False,
    properties=declared("""
        id guid; code text(20); dimensionId guid; displayName text(50); consolidationCode text(20)
        lastModifiedDateTime datetime
    """),
)

LOCATIONS = EntitySet(
    name="locations",
    type_name="location",
    caption="Location",
    properties=declared("""
        id guid ro; code text(10); displayName text(100); contact text(100); addressLine1 text(100); addressLine2 text(50)
        city text(30); state text(30); country text(10); postalCode text(20); phoneNumber text(30); email text(80)
        website text(80); lastModifiedDateTime datetime ro
    """),
)

CURRENCIES = EntitySet(
    name="currencies",
    type_name="currency",
    caption="Currency",
    properties=declared("""
        id guid ro; code text(10); displayName text(30); symbol text(10); amountDecimalPlaces text(5)
        amountRoundingPrecision decimal; lastModifiedDateTime datetime ro
    """),
)

PAYMENT_TERMS = EntitySet(
    name="paymentTerms",
    type_name="paymentTerm",
    caption="Payment Terms",
    properties=declared("""
        id guid ro; code text(10); displayName text(100); dueDateCalculation text; discountDateCalculation text
        discountPercent decimal; calculateDiscountOnCreditMemos bool; lastModifiedDateTime datetime ro
    """),
)

UNITS_OF_MEASURE = EntitySet(
    name="unitsOfMeasure",
    type_name="unitOfMeasure",
    caption="Unit of Measure",
    properties=declared("""
        id guid ro; code text(10); displayName text(50); internationalStandardCode text(10); symbol text(10)
        lastModifiedDateTime datetime ro
    """),
)

GENERAL_LEDGER_SETUP = EntitySet(
    name="generalLedgerSetup",
    type_name="generalLedgerSetup",
    caption="General Ledger Setup",
    writable=False,
    properties=declared("""
        id guid; allowPostingFrom date; allowPostingTo date; additionalReportingCurrency text(10)
        localCurrencyCode text(10); localCurrencySymbol text(10); lastModifiedDateTime datetime
        allowQueryFromConsolidation bool
        shortcutDimension1Code text(20); shortcutDimension2Code text(20); shortcutDimension3Code text(20)
        shortcutDimension4Code text(20); shortcutDimension5Code text(20); shortcutDimension6Code text(20)
        shortcutDimension7Code text(20); shortcutDimension8Code text(20)
    """),
)

ENTITY_SETS: dict[str, EntitySet] = {
    entity.name: entity
    for entity in (
        COMPANIES,
        document_sets.PURCHASE_ORDERS,
        document_sets.PURCHASE_ORDER_LINES,
        document_sets.PURCHASE_INVOICES,
        document_sets.PURCHASE_INVOICE_LINES,
        document_sets.DIMENSION_SET_LINES,
        VENDORS,
        ACCOUNTS,
        DIMENSIONS,
        DIMENSION_VALUES,
        LOCATIONS,
        CURRENCIES,
        PAYMENT_TERMS,
        UNITS_OF_MEASURE,
        GENERAL_LEDGER_SETUP,
        posted_sets.PURCHASE_RECEIPTS,
        posted_sets.PURCHASE_RECEIPT_LINES,
        posted_sets.PURCHASE_CREDIT_MEMOS,
        posted_sets.PURCHASE_CREDIT_MEMO_LINES,
        posted_sets.GENERAL_LEDGER_ENTRIES,
        setup_sets.EMPLOYEES,
        setup_sets.DEFAULT_DIMENSIONS,
        setup_sets.COMPANY_INFORMATION,
        setup_sets.ITEM_CATEGORIES,
        setup_sets.PAYMENT_METHODS,
        setup_sets.SHIPMENT_METHODS,
        setup_sets.COUNTRIES_REGIONS,
        file_sets.ATTACHMENTS,
        file_sets.DOCUMENT_ATTACHMENTS,
        file_sets.PDF_DOCUMENTS,
    )
}
# Sets of a later version, served only where the simulator's switch says so.
ARCHIVE_SETS: dict[str, EntitySet] = {
    entity.name: entity for entity in (posted_sets.PURCHASE_ORDER_ARCHIVES, posted_sets.PURCHASE_ORDER_ARCHIVE_LINES)
}
ALL_SETS = ENTITY_SETS | ARCHIVE_SETS
