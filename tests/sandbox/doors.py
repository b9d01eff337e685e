"""Landscapes for the other write doors: profiles that lead to them, and what an instance needs besides.

insertMultiple is asynchronous, so the instance's workers are given the time that has passed before each request. The base
Procurement tables get the columns, rights and suppliers that the profile ``procurement`` asks an administrator for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import httpx

from tests.sandbox.landscape import Landscape
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.shipped import CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow

ROLE = "procurement_user"
CUSTOM = {
    "core_company": ("u_source_system", "u_source_id"),
    "proc_po": ("u_source_system", "u_source_id", "u_currency"),
    "proc_po_item": (
        "u_line_number",
        "u_source_id",
        "u_currency",
        "u_unit_of_measure",
        "u_cost_center",
        "u_gl_account",
        "u_location",
    ),
}


def by_door(door: str, folder: Path) -> Mapping[str, str]:
    """The settings that lead a connector to the door."""
    if door == "batch":
        return {}
    if door == "table":
        return {"PROFILE": "procurement"}
    text = resources.files("connector.profiles").joinpath("source_to_pay.toml").read_text("utf-8")
    path = folder / f"{door}.toml"
    path.write_text(re.sub(r"(?m)^(\[routes\.\w+\])$", rf'\1\ndoor = "{door}"', text), "utf-8")
    return {"PROFILE": str(path)}


def open_doors(landscape: Landscape) -> None:
    """Makes the landscape fit for every door."""
    servicenow = landscape.servicenow
    answered = landscape.sn_exchange.handler

    def after_work(request: httpx.Request) -> httpx.Response:
        servicenow.run_jobs()
        return answered(request)

    landscape.sn_exchange.handler = after_work
    open_procurement(servicenow)


def open_procurement(servicenow: ServiceNow) -> None:
    """Gives the base Procurement tables what the profile ``procurement`` asks for; the suppliers are those of Source-to-Pay."""
    tables = servicenow.tables
    for table, names in CUSTOM.items():
        for name in names:
            tables.define(tables.schema.table(table).with_column(Column(name, max_length=100)))
    servicenow.access.add(rule("proc_po*", ("read", "create", "write"), (ROLE,)))
    servicenow.access.grant(CONNECTOR_USER, ROLE)
    for row in tables.rows("sn_fin_supplier"):
        source = tables.display("sn_fin_erp_source", row["erp_source"])
        company = {"name": row["legal_name"], "u_source_system": source, "u_source_id": row["erp_supplier_code"]}
        tables.insert("core_company", company | {"vendor": "true"})
    tables.inserts.clear()
