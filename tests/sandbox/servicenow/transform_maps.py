"""The shipped transform maps, as the rows of sys_transform_map and sys_transform_entry that drive the engine."""

from __future__ import annotations

from tests.sandbox.servicenow.dictionary import identity
from tests.sandbox.servicenow.source_to_pay_tables import ADDRESS
from tests.sandbox.servicenow.store import Store

Entry = dict[str, str]


def plain(source: str, target: str, **options: str) -> Entry:
    """A field map that copies a value."""
    return {"source_field": f"u_{source}", "target_field": target, **options}


def key(source: str, target: str, **options: str) -> Entry:
    """A field map that is part of the coalesce key."""
    return plain(source, target, coalesce="true", **options)


def lookup(source: str, target: str, by: str, action: str, script: str = "") -> Entry:
    """A field map that finds a record by one of its columns."""
    scripted = {"use_source_script": "true", "source_script": script} if script else {}
    return plain(source, target, reference_value_field=by, choice_action=action, **scripted)


ERP_SOURCE = {**lookup("erp_source", "erp_source", "name", "reject"), "coalesce": "true"}

MAPS: dict[str, tuple[str, str, tuple[Entry, ...]]] = {
    "Order stage": (
        "sn_fcms_intg_imp_order",
        "sn_shop_purchase_order",
        (
            ERP_SOURCE,
            key("erp_po_number", "erp_number"),
            lookup("supplier_company_name", "supplier", "legal_name", "reject"),
            lookup("legal_entity", "legal_entity", "erp_company_code", "reject"),
            lookup("payment_term", "payment_term", "name", "ignore"),
            lookup("cost_center", "cost_center", "account_number", "reject"),
            plain("order_type", "purchase_order_type"),
            plain("po_amount", "total_amount"),
            plain("po_amount_currency", "currency"),
            plain("po_status", "status"),
        ),
    ),
    "Order line stage": (
        "sn_fcms_intg_imp_order_line",
        "sn_shop_purchase_order_line",
        (
            {**lookup("erp_po_number", "purchase_order", "erp_number", "reject", "orderOfLine"), "coalesce": "true"},
            key("erp_po_line_number", "erp_line_number"),
            plain("short_description", "short_description"),
            plain("product_name", "product_name"),
            plain("quantity", "purchased_quantity"),
            plain("unit_price", "unit_price"),
            plain("uom", "uom"),
            plain("line_amount", "total_line_amount"),
            plain("tax_amount", "tax_amount"),
            plain("expected_delivery_date", "expected_delivery_date"),
            lookup("cost_center", "cost_center", "account_number", "reject"),
            lookup("gl_account", "general_ledger_account", "number", "reject"),
        ),
    ),
    "Invoice import": (
        "sn_spend_intg_imp_invoice",
        "sn_shop_invoice",
        (
            key("external_invoice_number", "external_invoice_number"),
            key("external_invoice_source", "external_invoice_source"),
            ERP_SOURCE,
            plain("erp_number", "erp_number"),
            plain("supplier_invoice_number", "supplier_invoice_number"),
            lookup("supplier", "supplier", "erp_supplier_code", "reject", "withinErpSource"),
            lookup("legal_entity", "legal_entity", "erp_company_code", "reject"),
            lookup("purchase_order", "purchase_order", "erp_number", "ignore", "withinErpSource"),
            plain("invoice_date", "invoice_date"),
            plain("invoice_type", "type", choice_action="ignore"),
            plain("subtotal", "subtotal"),
            plain("amount_invoiced", "invoice_amount"),
            plain("tax_amount", "tax_amount"),
            plain("currency", "currency"),
            plain("shipping_amount", "shipping_amount"),
            plain("other_charges", "other_charges"),
            plain("discounts", "discounts"),
            lookup("payment_terms", "payment_terms", "name", "ignore"),
            lookup("business_owner", "business_owner", "email", "ignore"),
            *(plain(name, name) for name in ("supplier_tax_id", "inbound_source", "original_invoice", "remit_address")),
            *(plain(f"remit_to_{part}", f"remit_to_{part}") for part in ADDRESS if part != "street"),
            *(
                plain(f"{kind}_{part}", f"{kind}_{part}")
                for kind in ("bill_to", "ship_from", "ship_to")
                for part in ADDRESS
            ),
        ),
    ),
    "Invoice line import": (
        "sn_spend_intg_imp_invoice_line",
        "sn_shop_invoice_line",
        (
            {
                **lookup("external_invoice_number", "invoice", "external_invoice_number", "reject", "invoiceOfLine"),
                "coalesce": "true",
            },
            key("erp_line_number", "erp_line_number"),
            plain("line_description", "line_description"),
            plain("line_quantity", "invoiced_quantity"),
            plain("line_unit_price", "line_unit_price"),
            plain("line_amount_invoiced", "line_amount"),
            plain("subtotal", "sub_total"),
            plain("tax_amount", "tax_amount"),
            plain("uom", "uom"),
            lookup("cost_center", "cost_center", "account_number", "reject"),
            lookup("gl_account", "ledger_account", "number", "reject"),
            plain("purchase_order_line", "order_line"),
        ),
    ),
}


def add_script(store: Store, map_name: str, when: str, script: str) -> None:
    """Lets a map run an event script."""
    (row,) = store.find("sys_transform_map", {"name": map_name})
    store.insert("sys_transform_script", {"map": row["sys_id"], "when": when, "script": script})


def add_map(store: Store, name: str, source: str, target: str, entries: tuple[Entry, ...], **options: str) -> str:
    """Adds a map with its field maps and returns the map's sys_id."""
    row = {"name": name, "source_table": source, "target_table": target, **options}
    map_id = store.insert("sys_transform_map", {"sys_id": identity("sys_transform_map", name), **row})
    for entry in entries:
        store.insert("sys_transform_entry", {"map": map_id, "source_table": source, "target_table": target, **entry})
    return map_id


def ship(store: Store) -> None:
    """Adds the maps of the Source-to-Pay applications."""
    for name, (source, target, entries) in MAPS.items():
        add_map(store, name, source, target, entries, enforce_mandatory_fields="all")
