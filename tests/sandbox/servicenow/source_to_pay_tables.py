"""Target and finance master data tables of the Source-to-Pay applications, and the applications themselves."""

from __future__ import annotations

from tests.sandbox.servicenow.order_states import STATE
from tests.sandbox.servicenow.schema import Column, Table, reference


def amount(name: str) -> Column:
    """A column that holds a number with decimals."""
    return Column(name, type="decimal", max_length=20)


def numbered() -> Column:
    """The column of automatic numbers, which name the record."""
    return Column("number", display=True)


def text(name: str, length: int = 100) -> Column:
    """A text column."""
    return Column(name, max_length=length)


ADDRESS = ("street", "city", "state_or_province", "zip_or_postal_code", "country")

TARGETS = (
    Table("sn_shop_order", (numbered(),), label="Order", scope="sn_shop"),
    Table(
        "sn_shop_purchase_order",
        (
            text("status"),
            reference("supplier", "sn_fin_supplier"),
            reference("cost_center", "cmn_cost_center"),
            reference("legal_entity", "sn_fin_legal_entity"),
            reference("payment_term", "sn_shop_payment_term"),
            text("purchase_order_type"),
            amount("total_amount"),
            text("currency", 3),
            text("erp_number"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            STATE,
        ),
        label="Purchase Order",
        extends="sn_shop_order",
        prefix="PO",
        scope="sn_shop",
    ),
    Table("sn_shop_line", (numbered(),), label="Line", scope="sn_shop"),
    Table("sn_shop_order_line", (), label="Order Line", extends="sn_shop_line", scope="sn_shop"),
    Table(
        "sn_shop_purchase_order_line",
        (
            reference("purchase_order", "sn_shop_purchase_order"),
            text("erp_line_number"),
            text("short_description", 255),
            text("product_name", 255),
            amount("purchased_quantity"),
            amount("unit_price"),
            text("uom"),
            amount("total_line_amount"),
            amount("tax_amount"),
            Column("expected_delivery_date", type="glide_date"),
            reference("cost_center", "cmn_cost_center"),
            reference("general_ledger_account", "sn_fin_gl_account"),
            STATE,
            Column("received_quantity", type="decimal", max_length=20, calculated=True),
        ),
        label="Purchase Order Line",
        extends="sn_shop_order_line",
        prefix="POL",
        scope="sn_shop",
    ),
    Table("sn_fin_base_invoice", (numbered(),), label="Base Invoice", scope="sn_fin"),
    Table(
        "sn_shop_invoice",
        (
            text("external_invoice_number"),
            text("external_invoice_source"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            text("erp_number"),
            text("supplier_invoice_number"),
            reference("supplier", "sn_fin_supplier"),
            reference("legal_entity", "sn_fin_legal_entity"),
            reference("purchase_order", "sn_shop_purchase_order"),
            Column("invoice_date", type="glide_date"),
            Column(
                "type",
                choices=(
                    ("po_invoice", "PO invoice"),
                    ("non_po_invoice", "Non PO invoice"),
                    ("debit_memo", "Debit memo"),
                    ("credit_memo", "Credit memo"),
                ),
            ),
            amount("subtotal"),
            amount("invoice_amount"),
            amount("tax_amount"),
            text("currency", 3),
            amount("shipping_amount"),
            amount("other_charges"),
            amount("discounts"),
            reference("payment_terms", "sn_shop_payment_term"),
            reference("business_owner", "sys_user"),
            text("supplier_tax_id"),
            text("inbound_source"),
            text("original_invoice"),
            Column("due_date", type="glide_date"),
            Column("payment_date", type="glide_date"),
            text("remit_address"),
            *(text(f"{kind}_{part}") for kind in ("bill_to", "ship_from", "ship_to", "remit_to") for part in ADDRESS),
            Column(
                "state",
                default="draft",
                choices=tuple(
                    (value, value.replace("_", " ").capitalize())
                    for value in (
                        "no_invoice",
                        "draft",
                        "received",
                        "suspected_duplicate",
                        "confirmed_duplicate",
                        "accepted",
                        "po_matching_error",
                        "po_matching_completed",
                        "exceptions_found",
                        "no_exceptions_found",
                        "pending_approval",
                        "approval_recalled",
                        "approved",
                        "pending_payment",
                        "paid",
                        "rejected",
                        "canceled",
                    )
                ),
            ),
        ),
        label="Invoice",
        extends="sn_fin_base_invoice",
        prefix="INV",
        scope="sn_shop",
    ),
    Table(
        "sn_shop_invoice_line",
        (
            numbered(),
            reference("invoice", "sn_shop_invoice"),
            text("erp_line_number"),
            text("line_description", 255),
            amount("invoiced_quantity"),
            amount("line_unit_price"),
            amount("line_amount"),
            amount("sub_total"),
            amount("tax_amount"),
            text("uom"),
            reference("cost_center", "cmn_cost_center"),
            reference("ledger_account", "sn_fin_gl_account"),
            text("order_line"),
        ),
        label="Invoice Line",
        prefix="INVL",
        scope="sn_shop",
    ),
)

FINANCE = (
    Table("sn_fin_erp_source", (Column("name", max_length=100, display=True),), label="ERP Source", scope="sn_fin"),
    Table(
        "sn_fin_legal_entity",
        (
            Column("legal_name", max_length=100, display=True),
            text("erp_company_code", 40),
            text("local_currency", 3),
        ),
        label="Legal Entity",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_supplier",
        (
            Column("legal_name", max_length=100, display=True),
            text("erp_supplier_code", 40),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            Column("active", type="boolean", default="true"),
        ),
        label="Supplier",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_gl_account",
        (text("number", 40), Column("account_name", max_length=100, display=True)),
        label="Ledger Account",
        scope="sn_fin",
    ),
    Table(
        "sn_shop_payment_term",
        (Column("name", max_length=100, display=True), Column("net_days", type="integer")),
        label="Payment Terms",
        scope="sn_shop",
    ),
    Table(
        "sn_fin_tax_code",
        (
            text("tax_code_id", 40),
            Column("name", max_length=100, display=True),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
        ),
        label="Tax Code",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_uom",
        (text("code", 40), Column("name", max_length=100, display=True)),
        label="Unit of Measure",
        scope="sn_fin",
    ),
)

APPLICATIONS = (
    ("sn_fin", "Finance Common Architecture"),
    ("sn_fcms_intg", "Finance - ERP Integration"),
    ("sn_shop", "Source-to-Pay Common Architecture"),
    ("sn_spend_intg", "Source-to-Pay Integration Framework"),
    ("sn_ap_apm", "Accounts Payable Invoice Processing"),
)

SOURCE_TO_PAY_TABLES = (*TARGETS, *FINANCE)
