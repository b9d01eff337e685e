"""Master data that ERP systems load: cost centers, departments, ledger accounts, suppliers; staging, finance columns, maps.

Labels are the vendor's (inbound staging table pages); column names follow the pattern ``u_`` and the label's words.
"""

from __future__ import annotations

from tests.sandbox.servicenow.platform_tables import BUSINESS
from tests.sandbox.servicenow.schema import Column, Table, reference
from tests.sandbox.servicenow.source_to_pay_tables import FINANCE, text
from tests.sandbox.servicenow.staging_tables import FRAMEWORK, staging
from tests.sandbox.servicenow.transform_maps import ERP_SOURCE, Entry, key, lookup, plain

SUPPLIER_ADDRESS = ("street", "city", "state", "zip", "country")
FINANCE_ERP_SOURCE = reference("erp_source", "sn_fin_erp_source", label="ERP source")

MASTER_STAGING = (
    staging(
        "sn_fcms_intg_imp_cost_center",
        FRAMEWORK,
        {
            "account_number": 40,
            "available_for_user": 40,
            "code": 40,
            "cost_center_type": 40,
            "controlling_area": 40,
            "erp_source": 40,
            "legal_entity": 100,
            "manager": 100,
            "name": 100,
            "profit_center": 100,
            "valid_from": 40,
            "valid_to": 40,
        },
        {"account_number", "erp_source", "name"},
    ),
    staging(
        "sn_fcms_intg_department_stage",
        FRAMEWORK,
        {
            "erp_department_id": 40,
            "department_name": 100,
            "department_head": 100,
            "description": 1000,
            "erp_source": 40,
            "primary_contact": 100,
        },
        {"erp_department_id", "department_name", "erp_source"},
    ),
    staging(
        "sn_fcms_intg_gl_account_stage",
        FRAMEWORK,
        {
            "account_currency": 40,
            "account_name": 100,
            "alternate_currency": 40,
            "category": 100,
            "entity": 100,
            "erp_source": 40,
            "gl_account": 40,
            "inactive": 40,
            "ledger_type": 40,
            "local_currency": 40,
            "number": 40,
            "short_description": 255,
            "sub_ledger_account": 40,
            "type": 40,
        },
        {"number", "account_name", "erp_source"},
    ),
    staging(
        "sn_fcms_intg_imp_supplier",
        FRAMEWORK,
        {
            "legal_name": 100,
            "erp_company_code": 40,
            "erp_supplier_code": 40,
            "erp_source": 40,
            "duns": 40,
            "tax_id": 40,
            "payment_term": 100,
            "general_ledger_account": 40,
            "legal_entities": 255,
            "purchasing_entities": 255,
            "accepted_purchasing_currency": 40,
            "onboarded": 40,
            "status": 40,
        }
        | dict.fromkeys(SUPPLIER_ADDRESS, 100),
        {"legal_name", "erp_supplier_code", "erp_source"},
    ),
)


def _extended(tables: tuple[Table, ...], name: str, *columns: Column) -> Table:
    (table,) = (table for table in tables if table.name == name)
    for column in columns:
        table = table.with_column(column)
    return table


FINANCE_COLUMNS = (
    _extended(
        BUSINESS,
        "cmn_cost_center",
        Column("available_for_use", type="boolean"),
        Column("controlling_area"),
        Column("cost_center_type"),
        FINANCE_ERP_SOURCE,
        reference("legal_entity", "sn_fin_legal_entity"),
    ),
    _extended(BUSINESS, "cmn_department", FINANCE_ERP_SOURCE),
    _extended(
        FINANCE,
        "sn_fin_gl_account",
        FINANCE_ERP_SOURCE,
        text("ledger_account", 40),
        text("category"),
        text("type", 40),
        text("short_description", 255),
        text("currency", 3),
        Column("inactive", type="boolean"),
    ),
    _extended(
        FINANCE,
        "sn_fin_supplier",
        text("duns", 40),
        text("tax_id", 40),
        text("status", 40),
        text("currency", 3),
        reference("payment_term", "sn_shop_payment_term"),
        reference("general_ledger_account", "sn_fin_gl_account"),
        reference("company", "core_company"),
        *(text(part) for part in SUPPLIER_ADDRESS),
    ),
)

MASTER_TABLES = (*MASTER_STAGING, *FINANCE_COLUMNS)
MASTER_MAPS: dict[str, tuple[str, str, tuple[Entry, ...]]] = {
    "Master data cost center": (
        "sn_fcms_intg_imp_cost_center",
        "cmn_cost_center",
        (
            key("account_number", "account_number"),
            lookup("erp_source", "erp_source", "name", "reject"),
            plain("name", "name"),
            plain("code", "code"),
            plain("cost_center_type", "cost_center_type"),
            plain("controlling_area", "controlling_area"),
            plain("available_for_user", "available_for_use"),
            lookup("legal_entity", "legal_entity", "erp_company_code", "ignore"),
            lookup("manager", "manager", "email", "ignore"),
            plain("valid_from", "valid_from"),
            plain("valid_to", "valid_to"),
        ),
    ),
    "Load department": (
        "sn_fcms_intg_department_stage",
        "cmn_department",
        (
            key("erp_department_id", "id"),
            lookup("erp_source", "erp_source", "name", "reject"),
            plain("department_name", "name"),
            plain("description", "description"),
            lookup("department_head", "dept_head", "email", "ignore"),
            lookup("primary_contact", "primary_contact", "email", "ignore"),
        ),
    ),
    "GL account load data": (
        "sn_fcms_intg_gl_account_stage",
        "sn_fin_gl_account",
        (
            ERP_SOURCE,
            key("number", "number"),
            plain("gl_account", "ledger_account"),
            plain("account_name", "account_name"),
            plain("category", "category"),
            plain("type", "type"),
            plain("short_description", "short_description"),
            plain("local_currency", "currency"),
            plain("inactive", "inactive"),
        ),
    ),
    "Master data supplier": (
        "sn_fcms_intg_imp_supplier",
        "sn_fin_supplier",
        (
            ERP_SOURCE,
            key("erp_supplier_code", "erp_supplier_code"),
            plain("legal_name", "legal_name"),
            plain("duns", "duns"),
            plain("tax_id", "tax_id"),
            plain("status", "status"),
            plain("accepted_purchasing_currency", "currency"),
            lookup("payment_term", "payment_term", "name", "ignore"),
            lookup("general_ledger_account", "general_ledger_account", "number", "ignore"),
            *(plain(part, part) for part in SUPPLIER_ADDRESS),
        ),
    ),
}
# The map, the moment, and the key of the script in `EVENT_SCRIPTS`.
MASTER_SCRIPTS = (("Master data supplier", "onAfter", "companyOfSupplier"),)
