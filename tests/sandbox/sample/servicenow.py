"""The master data that ServiceNow holds for the sample companies, as rows of its tables; all values are strings."""

from __future__ import annotations

from tests.sandbox.sample.catalogue import BLUEPRINTS, DIMENSIONS, OTHER_LEGAL_NAMES, UNKNOWN_SUPPLIER

COST_CENTRE_NUMBERS = {
    "ADM": "1000-ADM",
    "PROD": "2000-PRD",
    "PURCHASING": "3000-PUR",
    "SALES": "4000-SAL",
    "WAREHOUSE": "5000-WHS",
    "WORKSHOP": "6000-WSH",
}
PAYMENT_TERMS = {
    "Due on receipt": "0",
    "End of month": "30",
    "2% 8 Net 30": "30",
    "Net 7": "7",
    "Net 14": "14",
    "Net 21": "21",
    "Net 30": "30",
    "Net 60": "60",
}
UNITS = {"EA": "Each", "BX": "Box", "KGM": "Kilogram", "HUR": "Hour", "MTR": "Metre"}


def ledger_account(number: str) -> str:
    """ServiceNow's number of a ledger account: six digits."""
    return number.ljust(6, "0")


def master_rows() -> dict[str, list[dict[str, str]]]:
    """The rows by table."""
    return {
        "sn_fin_erp_source": [{"name": blueprint.erp_source} for blueprint in BLUEPRINTS],
        "sn_fin_legal_entity": [
            {
                "legal_name": blueprint.name,
                "erp_company_code": blueprint.entity_code,
                "local_currency": blueprint.currency,
            }
            for blueprint in BLUEPRINTS
        ],
        "sn_fin_supplier": [
            {
                "legal_name": OTHER_LEGAL_NAMES.get((blueprint.key, vendor.number), vendor.name),
                "erp_supplier_code": vendor.number,
                "erp_source": blueprint.erp_source,
                "active": "true",
            }
            for blueprint in BLUEPRINTS
            for vendor in blueprint.vendors
            if (blueprint.key, vendor.number) != UNKNOWN_SUPPLIER
        ],
        "cmn_cost_center": [
            {
                "name": name,
                "code": code,
                "account_number": COST_CENTRE_NUMBERS[code],
                "valid_from": "2020-01-01 00:00:00",
                "valid_to": "2024-12-31 23:59:59" if blocked else "",
            }
            for code, name, kind, blocked in DIMENSIONS["DEPARTMENT"][1]
            if kind == "Standard"
        ],
        "sn_fin_gl_account": [
            {
                "number": ledger_account(account.number),
                "account_name": account.name,
                "erp_source": blueprint.erp_source,
            }
            for blueprint in BLUEPRINTS
            for account in blueprint.accounts
            if account.kind == "Posting"
        ],
        "sn_shop_payment_term": [{"name": name, "net_days": days} for name, days in PAYMENT_TERMS.items()],
        "sn_fin_tax_code": [
            {
                "tax_code_id": f"{blueprint.key}-{code}",
                "name": f"{code} {percent}%",
                "erp_source": blueprint.erp_source,
            }
            for blueprint in BLUEPRINTS
            for code, percent in blueprint.tax_percents.items()
        ],
        "sn_fin_uom": [{"code": code, "name": name} for code, name in UNITS.items()],
    }
