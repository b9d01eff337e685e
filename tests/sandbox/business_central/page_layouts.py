"""The fields of each page, in the order of the page: the name, its kind, and where its value comes from.

Source: the pages of the same numbers in Microsoft's public source. Controls that are hidden on the page are among them: web
services show those too. The totals below the lines stand outside the repeater.
"""

from __future__ import annotations

from tests.sandbox.business_central.page_fields import page_fields
from tests.sandbox.business_central.page_values import COMPUTED
from tests.sandbox.business_central.posted_sets import RECEIPT_LINE_TYPES

_STATUS = "Open|Released|Pending Approval|Pending Prepayment"
_TYPES = "Quote|Order|Invoice|Credit Memo|Blanket Order|Return Order"


def _party(prefix: str, raw: str) -> str:
    return f"""
    {prefix}_Address text(100) < {raw}AddressLine1; {prefix}_Address_2 text(50) < {raw}AddressLine2
    {prefix}_City text(30) < {raw}City; {prefix}_County text(30) < {raw}State
    {prefix}_Post_Code text(20) < {raw}PostCode; {prefix}_Country_Region_Code text(10) < {raw}Country
    """


_VENDOR = f"""
Buy_from_Vendor_No text(20) < vendorNumber; Buy_from_Vendor_Name text(100) < vendorName
{_party("Buy_from", "buyFrom")}
"""
_HEADER_END = f"""
Currency_Code text(10) < :currency; Prices_Including_VAT bool < pricesIncludeTax
Payment_Terms_Code text(10) < :terms
Shortcut_Dimension_1_Code text(20) < shortcutDimension1Code; Shortcut_Dimension_2_Code text(20) < shortcutDimension2Code
Location_Code text(10) < locationCode; On_Hold text(3) < onHold
Ship_to_Name text(100) < shipToName; Ship_to_Contact text(100) < shipToContact
{_party("Ship_to", "shipTo")}
Pay_to_Name text(100) < payToName
{_party("Pay_to", "payTo")}
"""

PURCHASE_ORDER = page_fields(
    f"""
    Document_Type option({_TYPES}) < :document_type; No text(20) < number
    {_VENDOR}
    Document_Date date < orderDate; Posting_Date date < postingDate; Due_Date date < dueDate; Order_Date date < orderDate
    Vendor_Invoice_No text(35) < vendorInvoiceNumber; Vendor_Order_No text(35) < vendorOrderNumber
    Purchaser_Code text(20) < purchaser; Status option({_STATUS}) < :status
    Expected_Receipt_Date date < expectedReceiptDate; Requested_Receipt_Date date < requestedReceiptDate
    Shipment_Method_Code text(10) < :shipment_method
    {_HEADER_END}
    """,
    COMPUTED,
)
PURCHASE_INVOICE = page_fields(
    f"""
    Document_Type option({_TYPES}) < :document_type; No text(20) < number
    {_VENDOR}
    Document_Date date < invoiceDate; Posting_Date date < postingDate; Due_Date date < dueDate
    Vendor_Invoice_No text(35) < vendorInvoiceNumber; Purchaser_Code text(20) < purchaser
    Status option({_STATUS}) < :status
    {_HEADER_END}
    """,
    COMPUTED,
)
POSTED_INVOICE = page_fields(
    f"""
    No text(20) < number
    {_VENDOR}
    Document_Date date < invoiceDate; Posting_Date date < postingDate; Due_Date date < dueDate
    Order_No text(20) < orderNumber; Vendor_Invoice_No text(35) < vendorInvoiceNumber; Purchaser_Code text(20) < purchaser
    Closed bool < :paid flow; Cancelled bool < :cancelled flow; Corrective bool < :corrective flow
    {_HEADER_END}
    """,
    COMPUTED,
)

_LINE_START = f"""
Type option({RECEIPT_LINE_TYPES}) < :line_type; No text(20) < lineObjectNumber; Description text(100) < description
Description_2 text(50) < description2; Location_Code text(10) < :location; Quantity decimal < quantity
Unit_of_Measure_Code text(10) < unitOfMeasureCode; Direct_Unit_Cost decimal < :unit_cost
Unit_Cost_LCY decimal < :unit_cost; Unit_Price_LCY decimal < -
Tax_Group_Code text(20) < taxCode; Line_Discount_Percent decimal < discountPercent
Line_Discount_Amount decimal < discountAmount; Line_Amount decimal < :line_amount
"""
_LINE_DIMENSIONS = "\n".join(
    [f"Shortcut_Dimension_{number}_Code text(20) < :shortcut{number}" for number in (1, 2)]
    + [f"ShortcutDimCode{number} text(20) < :shortcut{number}" for number in range(3, 9)]
)
_TOTALS = """
Invoice_Discount_Amount decimal < :total_discount outside; Total_Amount_Excl_VAT decimal < :total_without_tax outside
Total_VAT_Amount decimal < :total_tax outside; Total_Amount_Incl_VAT decimal < :total_with_tax outside
"""

PURCHASE_ORDER_LINES = page_fields(
    f"""
    Document_Type option({_TYPES}) < :document_type; Document_No text(20) < :document_no; Line_No int < sequence
    {_LINE_START}
    Qty_to_Receive decimal < receiveQuantity; Quantity_Received decimal < receivedQuantity
    Qty_to_Invoice decimal < invoiceQuantity; Quantity_Invoiced decimal < invoicedQuantity
    Expected_Receipt_Date date < expectedReceiptDate; Order_Date date < :document_day
    {_LINE_DIMENSIONS}
    {_TOTALS}
    """,
    COMPUTED,
)
PURCHASE_INVOICE_LINES = page_fields(
    f"""
    Document_Type option({_TYPES}) < :document_type; Document_No text(20) < :document_no; Line_No int < sequence
    {_LINE_START}
    {_LINE_DIMENSIONS}
    {_TOTALS}
    """,
    COMPUTED,
)
POSTED_INVOICE_LINES = page_fields(
    f"""
    Document_No text(20) < :document_no; Line_No int < sequence
    {_LINE_START}
    {_LINE_DIMENSIONS}
    {_TOTALS}
    """,
    COMPUTED,
)

_VENDOR_START = """
No text(20) < number; Name text(100) < displayName; Phone_No text(30) < phoneNumber; Contact text(100) < -
Post_Code text(20) < postalCode; Country_Region_Code text(10) < country; Purchaser_Code text(20) < -
Payment_Terms_Code text(10) < :terms; Currency_Code text(10) < :currency; Blocked option( |Payment|All) < blocked
Last_Date_Modified date < :modified_day; Balance_LCY decimal < balance flow
"""
VENDOR_LIST = page_fields(_VENDOR_START, COMPUTED)
VENDOR_CARD = page_fields(
    f"""
    {_VENDOR_START}
    Address text(100) < addressLine1; Address_2 text(50) < addressLine2; City text(30) < city; County text(30) < state
    E_Mail text(80) < email; Home_Page text(255) < website; VAT_Registration_No text(20) < taxRegistrationNumber
    """,
    COMPUTED,
)

_ACCOUNT_START = """
No text(20) < number; Name text(100) < displayName
Income_Balance option(Income Statement|Balance Sheet) < :income_or_balance
Account_Category option( |Assets|Liabilities|Equity|Income|Cost of Goods Sold|Expense) < category
Account_Subcategory_Descript text(80) < subCategory
Account_Type option(Posting|Heading|Total|Begin-Total|End-Total) < accountType; Direct_Posting bool < directPosting
Net_Change decimal < netChange flow
"""
ACCOUNTS = page_fields(_ACCOUNT_START, COMPUTED)
ACCOUNT_CARD = page_fields(
    f"{_ACCOUNT_START}\nBlocked bool < blocked; Last_Date_Modified date < :modified_day", COMPUTED
)

DIMENSION_VALUES = page_fields(
    """
    Dimension_Code text(20) < :dimension_code rw=dimensionCode; Code text(20) < code rw=code
    Name text(50) < displayName rw=displayName
    Dimension_Value_Type option(Standard|Heading|Total|Begin-Total|End-Total) < :value_type rw=dimensionValueType
    Totaling text(250) < totaling rw=totaling; Blocked bool < blocked rw=blocked
    Map_to_IC_Dimension_Value_Code text(20) < mapToICDimensionValueCode rw=mapToICDimensionValueCode
    Consolidation_Code text(20) < consolidationCode rw=consolidationCode
    """,
    COMPUTED,
)

LOCATIONS = page_fields("Code text(10) < code; Name text(100) < displayName", COMPUTED)
LOCATION_CARD = page_fields(
    """
    Code text(10) < code; Name text(100) < displayName; Address text(100) < addressLine1; Address_2 text(50) < addressLine2
    City text(30) < city; County text(30) < state; Post_Code text(20) < postalCode; Country_Region_Code text(10) < country
    Contact text(100) < contact; Phone_No text(30) < phoneNumber; E_Mail text(80) < email; Home_Page text(255) < website
    """,
    COMPUTED,
)
PAYMENT_TERMS = page_fields(
    """
    Code text(10) < code; Due_Date_Calculation text(32) < dueDateCalculation
    Discount_Date_Calculation text(32) < discountDateCalculation; Discount_Percent decimal < discountPercent
    Calc_Pmt_Disc_on_Cr_Memos bool < calculateDiscountOnCreditMemos; Description text(100) < displayName
    """,
    COMPUTED,
)
MODIFIED_STAMP = page_fields("SystemModifiedAt datetime < :modified", COMPUTED)
