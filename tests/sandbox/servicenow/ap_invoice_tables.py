"""What the AP Invoice API is configured by and reports to: field mapping rows, the log, its rate rule.

The mapping's columns are the labels of the developer guide. Of the log only "Batch ID" is published; the other columns are a
guess, kept here in one place.
"""

from __future__ import annotations

from tests.sandbox.servicenow.detail_tables import DETAIL_STAGING
from tests.sandbox.servicenow.schema import Column, Table, reference
from tests.sandbox.servicenow.staging_tables import INVOICE_LINE_STAGING, INVOICE_STAGING
from tests.sandbox.servicenow.store import Store

INVOICE, LINE, TAX_LINE = (
    "sn_spend_intg_imp_invoice",
    "sn_spend_intg_imp_invoice_line",
    "sn_spend_intg_imp_invoice_tax_line",
)
MAPPING, LOG = "sn_spend_intg_invoice_intg_field_mapping", "sn_spend_intg_invoice_integration_log"
EVERY_SOURCE = "Default"
RECEIVED, DONE, PARTLY, FAILED = "received", "processed", "processed_with_errors", "error"
HOURLY_LIMIT = 10
# Set from elsewhere than the payload entry of the same name.
DERIVED = frozenset({"u_external_invoice_source", "u_erp_source", "u_erp_line_number", "u_supplier_tax_rate"})

AP_INVOICE_TABLES = (
    Table(
        MAPPING,
        (
            Column("source_system", max_length=100, display=True),
            Column("source_format", choices=(("json", "JSON"), ("cxml", "cXML"), ("xml", "XML"))),
            Column("source_field", max_length=255),
            Column("attribute", max_length=100),
            Column("related_table", max_length=80),
            Column("target_field", max_length=80),
        ),
        label="Invoice Integration Field Mapping",
        scope="sn_spend_intg",
    ),
    Table(
        LOG,
        (
            Column("number", display=True),
            Column("batch_id", label="Batch ID"),
            Column("source_system", max_length=100),
            Column("external_invoice_number"),
            Column(
                "status",
                default=RECEIVED,
                choices=tuple(
                    (state, state.replace("_", " ").capitalize()) for state in (RECEIVED, DONE, PARTLY, FAILED)
                ),
            ),
            Column("message", max_length=4000),
            reference("invoice", "sn_shop_invoice"),
        ),
        label="Invoice Integration Log",
        prefix="APILOG",
        scope="sn_spend_intg",
    ),
)


def ship(store: Store) -> None:
    """Adds the mapping rows of every source system, and the rate rule the API comes with."""
    (tax_lines,) = (table for table in DETAIL_STAGING if table.name == TAX_LINE)
    for table in (INVOICE_STAGING, INVOICE_LINE_STAGING, tax_lines):
        for column in table.columns:
            if column.name not in DERIVED:
                add_mapping(store, EVERY_SOURCE, column.name.removeprefix("u_"), table.name, column.name)
    add_mapping(store, EVERY_SOURCE, "tax_rate", TAX_LINE, "u_supplier_tax_rate")
    limit = {"name": "Rate limit AP invoice", "rest_api": "AP Invoice", "request_limit": str(HOURLY_LIMIT)}
    if "sys_rate_limit_rules" in store.schema:
        store.insert("sys_rate_limit_rules", limit)


def add_mapping(store: Store, source_system: str, source_field: str, table: str, target_field: str) -> str:
    """Adds one mapping row for JSON payloads. A source system with rows of its own uses no others."""
    row = {
        "source_system": source_system,
        "source_format": "json",
        "source_field": source_field,
        "related_table": table,
        "target_field": target_field,
    }
    return store.insert(MAPPING, row)


def mapping(store: Store, source_system: str, table: str) -> dict[str, str]:
    """Payload entry to staging column, for one source system and staging table."""
    for system in (source_system, EVERY_SOURCE):
        rows = store.find(MAPPING, {"source_system": system, "source_format": "json"}) if system else []
        if rows:
            return {row["source_field"]: row["target_field"] for row in rows if row["related_table"] == table}
    return {}
