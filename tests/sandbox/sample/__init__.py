"""The sample company: two companies in the manner of CRONUS, 250 purchase orders and 120 purchase invoices, as plain data."""

from __future__ import annotations

import random
from pathlib import Path

from tests.sandbox.business_central.records import CompanyData, Document, Line
from tests.sandbox.sample.catalogue import BLUEPRINTS
from tests.sandbox.sample.documents import Maker
from tests.sandbox.sample.masters import company_row, tables

TRANSLATIONS = Path(__file__).with_name("translations.toml")


def companies() -> list[CompanyData]:
    """Both companies, fresh and always the same."""
    made = []
    for blueprint in BLUEPRINTS:
        rows = tables(blueprint)
        maker = Maker(blueprint, rows, random.Random(f"CRONUS {blueprint.key}"))
        documents = {"purchaseOrders": maker.all_orders(), "purchaseInvoices": maker.all_invoices()}
        made.append(CompanyData(company_row(blueprint), rows, documents))
    return made


__all__ = ["TRANSLATIONS", "CompanyData", "Document", "Line", "companies"]
