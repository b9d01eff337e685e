"""Staging tables of the Source-to-Pay applications: every column a string.

Invoice staging columns carry the names and lengths of the AP Invoice API reference page; the vendor publishes the order
staging columns by label only, so their names here are the labels in snake case with ``u_`` in front.
"""

from __future__ import annotations

from tests.sandbox.servicenow.schema import Column, Table

FRAMEWORK = "sn_fcms_intg"
SPEND = "sn_spend_intg"
ADDRESS = ("street", "city", "state_or_province", "zip_or_postal_code", "country")
REMIT_TO = ("remit_to_city", "remit_to_country", "remit_to_state_or_province", "remit_to_zip_or_postal_code")


def staging(name: str, scope: str, columns: dict[str, int], mandatory: set[str]) -> Table:
    """An import set table: columns by name without ``u_``, with their lengths."""
    return Table(
        name,
        tuple(
            Column(f"u_{column}", max_length=length, mandatory=column in mandatory)
            for column, length in columns.items()
        ),
        extends="sys_import_set_row",
        scope=scope,
    )


ORDER_STAGING = staging(
    "sn_fcms_intg_imp_order",
    FRAMEWORK,
    {
        "erp_po_number": 40,
        "erp_source": 40,
        "legal_entity": 100,
        "order_type": 40,
        "payment_term": 100,
        "po_amount": 40,
        "po_amount_currency": 40,
        "po_status": 40,
        "purchasing_organization": 100,
        "supplier_company_name": 100,
        "cost_center": 40,
        "business_owner": 100,
        "blanket_order_start_date": 40,
        "blanket_order_end_date": 40,
    },
    {"erp_po_number", "erp_source"},
)
ORDER_LINE_STAGING = staging(
    "sn_fcms_intg_imp_order_line",
    FRAMEWORK,
    {
        "erp_source": 40,
        "erp_po_number": 40,
        "erp_po_line_number": 40,
        "short_description": 100,
        "product_name": 100,
        "supplier_part_number": 100,
        "quantity": 40,
        "unit_price": 40,
        "uom": 100,
        "line_amount": 40,
        "currency": 40,
        "tax_code": 100,
        "tax_amount": 40,
        "expected_delivery_date": 40,
        "cost_center": 40,
        "gl_account": 40,
        "location": 100,
        "erp_line_id": 40,
    },
    {"erp_source", "erp_po_number", "erp_po_line_number"},
)
INVOICE_STAGING = staging(
    "sn_spend_intg_imp_invoice",
    SPEND,
    {
        "external_invoice_number": 40,
        "external_invoice_source": 100,
        "erp_source": 100,
        "supplier_invoice_number": 100,
        "supplier": 100,
        "invoice_date": 40,
        "invoice_type": 100,
        "legal_entity": 100,
        "purchase_order": 40,
        "subtotal": 40,
        "shipping_amount": 40,
        "other_charges": 40,
        "discounts": 40,
        "tax_amount": 40,
        "amount_invoiced": 40,
        "currency": 40,
        "payment_terms": 100,
        "business_owner": 40,
        "erp_number": 40,
        "invoice_line_count": 40,
        "original_invoice": 100,
        "supplier_tax_id": 100,
        "inbound_source": 100,
        "remit_address": 100,
        "final_tax": 40,
        "status": 40,
        "supplier_tax_rate": 100,
        "target_erp": 100,
        "third_party_import_id": 100,
    }
    | dict.fromkeys(
        (*REMIT_TO, *(f"{kind}_{part}" for kind in ("bill_to", "ship_from", "ship_to") for part in ADDRESS)), 100
    ),
    {
        "external_invoice_number",
        "external_invoice_source",
        "erp_source",
        "invoice_date",
        "other_charges",
        "subtotal",
        "supplier",
        "invoice_type",
    },
)
INVOICE_LINE_STAGING = staging(
    "sn_spend_intg_imp_invoice_line",
    SPEND,
    {
        "external_invoice_number": 40,
        "external_invoice_source": 100,
        "erp_source": 100,
        "erp_line_number": 40,
        "line_description": 40,
        "line_quantity": 40,
        "line_unit_price": 40,
        "line_amount_invoiced": 40,
        "subtotal": 40,
        "currency": 40,
        "tax_amount": 40,
        "tax_code": 100,
        "cost_center": 40,
        "gl_account": 40,
        "purchase_order_line": 40,
        "po_line_description": 100,
        "supplier_part_number": 100,
        "uom": 100,
        "unit": 100,
        "purchase_order": 40,
        "third_party_import_id": 100,
    }
    | {f"ship_to_{part}": 100 for part in ADDRESS},
    {
        "external_invoice_number",
        "external_invoice_source",
        "erp_source",
        "erp_line_number",
        "line_description",
        "line_quantity",
        "line_unit_price",
        "subtotal",
    },
)
STAGING = (ORDER_STAGING, ORDER_LINE_STAGING, INVOICE_STAGING, INVOICE_LINE_STAGING)
