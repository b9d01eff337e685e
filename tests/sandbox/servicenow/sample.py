"""A small consistent set of master data, and staging rows that fit it; for tests, the demo and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SOURCE, OTHER_SOURCE, INVOICE_SOURCE = "BC-MAIN", "BC-OTHER", "BC-CRONUS"

SEED: Mapping[str, Sequence[Mapping[str, str]]] = {
    "sn_fin_erp_source": [{"name": SOURCE}, {"name": OTHER_SOURCE}],
    "sn_fin_legal_entity": [
        {"legal_name": "CRONUS International", "erp_company_code": "CRONUS", "local_currency": "EUR"}
    ],
    "sn_fin_supplier": [
        {"legal_name": "Fabrikam", "erp_supplier_code": "10000", "erp_source": SOURCE},
        {"legal_name": "First Up Consultants", "erp_supplier_code": "20000", "erp_source": SOURCE},
        {"legal_name": "Fabrikam elsewhere", "erp_supplier_code": "10000", "erp_source": OTHER_SOURCE},
    ],
    "sn_shop_payment_term": [{"name": "Net 30", "net_days": "30"}],
    "sn_fin_gl_account": [{"number": "6110", "account_name": "Office supplies", "erp_source": SOURCE}],
    "cmn_cost_center": [
        {"name": "Company", "code": "ALL", "account_number": "CC-0"},
        {"name": "Sales", "code": "SALES", "account_number": "CC-10", "parent": "Company"},
        {
            "name": "Production",
            "code": "PROD",
            "account_number": "CC-20",
            "parent": "Company",
            "valid_from": "2020-01-01",
        },
    ],
}


def order(number: str, **changes: str) -> dict[str, str]:
    """A purchase order row."""
    row = {
        "u_erp_po_number": number,
        "u_erp_source": SOURCE,
        "u_supplier_company_name": "Fabrikam",
        "u_legal_entity": "CRONUS",
        "u_payment_term": "Net 30",
        "u_cost_center": "CC-10",
        "u_po_amount": "120.00",
        "u_po_amount_currency": "EUR",
        "u_po_status": "Open",
    }
    return row | changes


def order_line(number: str, line: str, **changes: str) -> dict[str, str]:
    """A line of that order."""
    row = {
        "u_erp_source": SOURCE,
        "u_erp_po_number": number,
        "u_erp_po_line_number": line,
        "u_short_description": "Paper",
        "u_quantity": "12",
        "u_unit_price": "10.00",
        "u_line_amount": "120.00",
        "u_expected_delivery_date": "2026-06-01",
        "u_cost_center": "CC-10",
        "u_gl_account": "6110",
        "u_uom": "PCS",
    }
    return row | changes


def invoice(number: str, **changes: str) -> dict[str, str]:
    """A vendor invoice row."""
    row = {
        "u_external_invoice_number": number,
        "u_external_invoice_source": INVOICE_SOURCE,
        "u_erp_source": SOURCE,
        "u_supplier": "10000",
        "u_supplier_invoice_number": f"V-{number}",
        "u_invoice_date": "2026-05-01",
        "u_invoice_type": "non_po_invoice",
        "u_legal_entity": "CRONUS",
        "u_subtotal": "100.00",
        "u_other_charges": "0",
        "u_tax_amount": "19.00",
        "u_amount_invoiced": "119.00",
        "u_currency": "EUR",
    }
    return row | changes


def invoice_line(number: str, line: str, **changes: str) -> dict[str, str]:
    """A line of that invoice."""
    row = {
        "u_external_invoice_number": number,
        "u_external_invoice_source": INVOICE_SOURCE,
        "u_erp_source": SOURCE,
        "u_erp_line_number": line,
        "u_line_description": "Paper",
        "u_line_quantity": "10",
        "u_line_unit_price": "10.00",
        "u_subtotal": "100.00",
        "u_line_amount_invoiced": "119.00",
        "u_cost_center": "CC-20",
        "u_gl_account": "6110",
    }
    return row | changes
