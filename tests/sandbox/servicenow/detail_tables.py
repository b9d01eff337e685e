"""What hangs on orders and invoices: receipts, tax lines, payment details, cost allocations; staging, targets and maps.

Labels are the vendor's (inbound staging table pages); column names follow the pattern ``u_`` and the label's words. Coalesce
keys are not published: the ones here are the natural keys.
"""

from __future__ import annotations

from tests.sandbox.servicenow.schema import Column, Table, reference
from tests.sandbox.servicenow.source_to_pay_tables import amount, numbered, text
from tests.sandbox.servicenow.staging_tables import FRAMEWORK, SPEND, staging
from tests.sandbox.servicenow.transform_maps import ERP_SOURCE, Entry, key, lookup, plain

PAYMENT_METHODS = ("bank_transfer", "cash_payment", "cheque", "credit_card", "debit_card", "wire_transfer")
PAYMENT_LABELS = {
    "currency": 40,
    "erp_invoice_number": 40,
    "erp_source": 100,
    "erp_supplier_code": 100,
    "payment_amount": 40,
    "payment_date": 40,
    "payment_method": 40,
    "payment_reference_id": 100,
    "remit_to_city": 100,
    "remit_to_country": 100,
    "remit_to_state": 100,
    "remit_to_street": 100,
    "remit_to_zip": 100,
    "scheduled_payment_date": 40,
}

DETAIL_STAGING = (
    staging(
        "sn_fcms_intg_imp_receipt",
        FRAMEWORK,
        {
            "erp_po_number": 40,
            "erp_po_line_number": 40,
            "erp_receipt_number": 40,
            "erp_source": 40,
            "milestone": 100,
            "percentage_received": 40,
            "po_line_number": 40,
            "quantity_received": 40,
            "state": 40,
            "supplier_product": 100,
            "type": 40,
        },
        {"erp_po_number", "erp_po_line_number", "erp_receipt_number", "erp_source"},
    ),
    staging(
        "sn_spend_intg_imp_invoice_tax_line",
        SPEND,
        {
            "external_invoice_number": 40,
            "external_invoice_source": 100,
            "erp_source": 100,
            "erp_line_number": 40,
            "tax_type": 100,
            "taxable_amount": 40,
            "tax_amount": 40,
            "supplier_tax_rate": 100,
        },
        {"external_invoice_number", "external_invoice_source", "erp_source", "tax_type"},
    ),
    staging(
        "sn_spend_intg_imp_invoice_payment_detail",
        SPEND,
        PAYMENT_LABELS | {"third_party_import_id": 100},
        set(PAYMENT_LABELS),
    ),
    staging(
        "sn_spend_intg_imp_cost_allocation",
        SPEND,
        {
            "erp_source": 100,
            "erp_po_number": 40,
            "erp_po_line_number": 40,
            "external_invoice_number": 40,
            "external_invoice_source": 100,
            "erp_line_number": 40,
            "allocation_type": 40,
            "cost_center": 40,
            "allocation_percentage": 40,
            "allocation_amount": 40,
        },
        {"erp_source", "allocation_type", "cost_center"},
    ),
)

DETAIL_TARGETS = (
    Table(
        "sn_shop_receipt",
        (
            numbered(),
            reference("purchase_order_line", "sn_shop_purchase_order_line"),
            amount("quantity_received"),
            amount("percentage_received"),
            text("status"),
            text("type"),
            text("milestone"),
            text("erp_gr_number"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
        ),
        label="Receipt",
        prefix="RCT",
        scope="sn_shop",
    ),
    Table(
        "sn_fin_tax_type",
        (Column("name", max_length=100, display=True), text("code", 40), text("category", 40)),
        label="Tax Type",
        scope="sn_fin",
    ),
    Table(
        "sn_shop_invoice_tax_line",
        (
            numbered(),
            reference("invoice", "sn_shop_invoice"),
            text("erp_line_number"),
            reference("tax_type", "sn_fin_tax_type"),
            amount("taxable_amount"),
            amount("supplier_tax"),
            amount("supplier_tax_rate"),
        ),
        label="Invoice Tax Line",
        prefix="INTL",
        scope="sn_shop",
    ),
    Table(
        "sn_shop_invoice_payment_detail",
        (
            numbered(),
            reference("invoice", "sn_shop_invoice"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            text("payment_reference_id"),
            amount("payment_amount"),
            text("currency", 3),
            Column("payment_date", type="glide_date"),
            Column("scheduled_payment_date", type="glide_date"),
            Column(
                "payment_method",
                choices=tuple((method, method.replace("_", " ").capitalize()) for method in PAYMENT_METHODS),
            ),
            *(text(f"remit_to_{part}") for part in ("street", "city", "state", "zip", "country")),
        ),
        label="Invoice Payment Detail",
        prefix="PAYD",
        scope="sn_shop",
    ),
    Table(
        "sn_shop_cost_allocation",
        (
            numbered(),
            reference("order_line", "sn_shop_purchase_order_line"),
            reference("invoice_line", "sn_shop_invoice_line"),
            reference("cost_center", "cmn_cost_center"),
            reference("cost_owner", "sys_user"),
            text("allocation_type", 40),
            amount("allocation_percentage"),
            amount("allocation_amount"),
        ),
        label="Purchase Cost Allocation",
        prefix="ALOC",
        scope="sn_shop",
    ),
)

DETAIL_TABLES = (*DETAIL_STAGING, *DETAIL_TARGETS)
DETAIL_MAPS: dict[str, tuple[str, str, tuple[Entry, ...]]] = {
    "Receipt stage": (
        "sn_fcms_intg_imp_receipt",
        "sn_shop_receipt",
        (
            ERP_SOURCE,
            key("erp_receipt_number", "erp_gr_number"),
            {
                **lookup("erp_po_line_number", "purchase_order_line", "erp_line_number", "reject", "lineOfOrder"),
                "coalesce": "true",
            },
            plain("quantity_received", "quantity_received"),
            plain("percentage_received", "percentage_received"),
            plain("state", "status"),
            plain("type", "type"),
            plain("milestone", "milestone"),
        ),
    ),
    "Invoice tax line import": (
        "sn_spend_intg_imp_invoice_tax_line",
        "sn_shop_invoice_tax_line",
        (
            {
                **lookup("external_invoice_number", "invoice", "external_invoice_number", "reject", "invoiceOfLine"),
                "coalesce": "true",
            },
            key("erp_line_number", "erp_line_number", coalesce_empty_fields="true"),
            {**lookup("tax_type", "tax_type", "name", "reject"), "coalesce": "true"},
            plain("taxable_amount", "taxable_amount"),
            plain("tax_amount", "supplier_tax"),
            plain("supplier_tax_rate", "supplier_tax_rate"),
        ),
    ),
    "Invoice payment detail import": (
        "sn_spend_intg_imp_invoice_payment_detail",
        "sn_shop_invoice_payment_detail",
        (
            ERP_SOURCE,
            key("payment_reference_id", "payment_reference_id"),
            lookup("erp_invoice_number", "invoice", "erp_number", "reject", "withinErpSource"),
            plain("payment_amount", "payment_amount"),
            plain("currency", "currency"),
            plain("payment_date", "payment_date"),
            plain("scheduled_payment_date", "scheduled_payment_date"),
            plain("payment_method", "payment_method", choice_action="reject"),
            *(plain(f"remit_to_{part}", f"remit_to_{part}") for part in ("street", "city", "state", "zip", "country")),
        ),
    ),
    "Cost allocation stage": (
        "sn_spend_intg_imp_cost_allocation",
        "sn_shop_cost_allocation",
        (
            lookup("erp_po_line_number", "order_line", "erp_line_number", "reject", "lineOfOrder"),
            lookup("erp_line_number", "invoice_line", "erp_line_number", "reject", "lineOfInvoice"),
            lookup("cost_center", "cost_center", "account_number", "reject"),
            plain("allocation_type", "allocation_type"),
            plain("allocation_percentage", "allocation_percentage"),
            plain("allocation_amount", "allocation_amount"),
        ),
    ),
}
# The map, the moment, and the key of the script in `EVENT_SCRIPTS`.
DETAIL_SCRIPTS = (("Cost allocation stage", "onBefore", "oneAllocationPerType"),)
