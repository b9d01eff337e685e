"""Target and finance master data tables of the Source-to-Pay applications, and the applications themselves."""

from __future__ import annotations

from tests.sandbox.servicenow.schema import Column, Table, reference


def _amount(name: str) -> Column:
    return Column(name, type="decimal", max_length=20)


def _number() -> Column:
    return Column("number", display=True)


def _text(name: str, length: int = 100) -> Column:
    return Column(name, max_length=length)


TARGETS = (
    Table("sn_shop_order", (_number(),), label="Order", scope="sn_shop"),
    Table(
        "sn_shop_purchase_order",
        (
            _text("status"),
            reference("supplier", "sn_fin_supplier"),
            reference("cost_center", "cmn_cost_center"),
            reference("legal_entity", "sn_fin_legal_entity"),
            reference("payment_term", "sn_shop_payment_term"),
            _text("purchase_order_type"),
            _amount("total_amount"),
            _text("currency", 3),
            _text("erp_number"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
        ),
        label="Purchase Order",
        extends="sn_shop_order",
        prefix="PO",
        scope="sn_shop",
    ),
    Table("sn_shop_line", (_number(),), label="Line", scope="sn_shop"),
    Table("sn_shop_order_line", (), label="Order Line", extends="sn_shop_line", scope="sn_shop"),
    Table(
        "sn_shop_purchase_order_line",
        (
            reference("purchase_order", "sn_shop_purchase_order"),
            _text("erp_line_number"),
            _text("short_description", 255),
            _text("product_name", 255),
            _amount("purchased_quantity"),
            _amount("unit_price"),
            _text("uom"),
            _amount("total_line_amount"),
            _amount("tax_amount"),
            Column("expected_delivery_date", type="glide_date"),
            reference("cost_center", "cmn_cost_center"),
            reference("general_ledger_account", "sn_fin_gl_account"),
        ),
        label="Purchase Order Line",
        extends="sn_shop_order_line",
        prefix="POL",
        scope="sn_shop",
    ),
    Table("sn_fin_base_invoice", (_number(),), label="Base Invoice", scope="sn_fin"),
    Table(
        "sn_shop_invoice",
        (
            _text("external_invoice_number"),
            _text("external_invoice_source"),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            _text("erp_number"),
            _text("supplier_invoice_number"),
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
            _amount("subtotal"),
            _amount("invoice_amount"),
            _amount("tax_amount"),
            _text("currency", 3),
            Column(
                "state",
                default="draft",
                choices=tuple(
                    (value, value.replace("_", " ").capitalize())
                    for value in (
                        "draft",
                        "received",
                        "po_matching_completed",
                        "exceptions_found",
                        "no_exceptions_found",
                        "pending_approval",
                        "approval_recalled",
                        "approved",
                        "pending_payment",
                        "paid",
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
            _number(),
            reference("invoice", "sn_shop_invoice"),
            _text("erp_line_number"),
            _text("line_description", 255),
            _amount("invoiced_quantity"),
            _amount("line_unit_price"),
            _amount("line_amount"),
            _amount("sub_total"),
            _amount("tax_amount"),
            _text("uom"),
            reference("cost_center", "cmn_cost_center"),
            reference("ledger_account", "sn_fin_gl_account"),
            _text("order_line"),
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
            _text("erp_company_code", 40),
            _text("local_currency", 3),
        ),
        label="Legal Entity",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_supplier",
        (
            Column("legal_name", max_length=100, display=True),
            _text("erp_supplier_code", 40),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
            Column("active", type="boolean", default="true"),
        ),
        label="Supplier",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_gl_account",
        (_text("number", 40), Column("account_name", max_length=100, display=True)),
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
            _text("tax_code_id", 40),
            Column("name", max_length=100, display=True),
            reference("erp_source", "sn_fin_erp_source", label="ERP source"),
        ),
        label="Tax Code",
        scope="sn_fin",
    ),
    Table(
        "sn_fin_uom",
        (_text("code", 40), Column("name", max_length=100, display=True)),
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
