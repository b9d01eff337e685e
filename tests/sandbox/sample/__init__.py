"""The sample company: two companies in the manner of CRONUS, 250 purchase orders and 120 purchase invoices, as plain data."""

from __future__ import annotations

import random
from pathlib import Path

from tests.sandbox.business_central.records import CompanyData, Document, Line
from tests.sandbox.sample.catalogue import BLUEPRINTS
from tests.sandbox.sample.documents import Maker
from tests.sandbox.sample.masters import company_row, tables
from tests.sandbox.sample.people import files, people_tables
from tests.sandbox.sample.posted import archives, credit_memos, ledger_entries, receipts

TRANSLATIONS = Path(__file__).with_name("translations.toml")


def companies() -> list[CompanyData]:
    """Both companies, fresh and always the same."""
    made = []
    for blueprint in BLUEPRINTS:
        rows = tables(blueprint)
        maker = Maker(blueprint, rows, random.Random(f"CRONUS {blueprint.key}"))
        documents = {"purchaseOrders": maker.all_orders(), "purchaseInvoices": maker.all_invoices()}
        orders, invoices = documents["purchaseOrders"], documents["purchaseInvoices"]
        memos = credit_memos(blueprint, invoices, rows["currencies"])
        history = {
            "purchaseReceipts": receipts(blueprint, orders),
            "purchaseCreditMemos": memos,
            "generalLedgerEntries": ledger_entries(blueprint, invoices, memos),
            "purchaseOrderArchives": archives(blueprint, orders),
        }
        attached, content = files(blueprint, invoices)
        rows |= people_tables(blueprint) | attached
        made.append(CompanyData(company_row(blueprint), rows, documents, history, content))
    return made


__all__ = ["TRANSLATIONS", "CompanyData", "Document", "Line", "companies"]
