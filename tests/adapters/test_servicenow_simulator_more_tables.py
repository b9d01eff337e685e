"""The tables around orders and invoices in the ServiceNow stand-in: details, master data, base Procurement, custom staging.

Rules checked: the inbound staging table pages (receipt, invoice payment detail, cost center, department, supplier), "Source-to-
Pay transform maps", "Duplicate cost allocation", "Create a purchase order" (Procurement), "Creating a new web service".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, Desk
from tests.sandbox.servicenow.schema import Column, Table
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.servicenow.transform_maps import add_map, key, lookup, plain

RECEIPT, PAYMENT = "sn_fcms_intg_imp_receipt", "sn_spend_intg_imp_invoice_payment_detail"
TAX_LINE, ALLOCATION = "sn_spend_intg_imp_invoice_tax_line", "sn_spend_intg_imp_cost_allocation"
MAPS = {
    RECEIPT: ("Receipt stage", "sn_shop_receipt"),
    PAYMENT: ("Invoice payment detail import", "sn_shop_invoice_payment_detail"),
    ALLOCATION: ("Cost allocation stage", "sn_shop_cost_allocation"),
    "sn_fcms_intg_imp_cost_center": ("Master data cost center", "cmn_cost_center"),
    "sn_fcms_intg_department_stage": ("Load department", "cmn_department"),
    "sn_fcms_intg_gl_account_stage": ("GL account load data", "sn_fin_gl_account"),
    "sn_fcms_intg_imp_supplier": ("Master data supplier", "sn_fin_supplier"),
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def documents(desk: Desk) -> Desk:
    desk.post(ORDER, sample.order("PO-1"))
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))
    desk.post(INVOICE, sample.invoice("E-1", u_erp_number="PI-1"))
    desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1"))
    desk.tables.insert("sn_fin_tax_type", {"name": "VAT", "code": "V"})
    return desk


def again(desk: Desk, table: str, row: dict[str, str]) -> list[str]:
    """The statuses of the same row sent twice."""
    return [desk.post(table, row)["status"] for _ in range(2)]


@pytest.mark.parametrize("table", MAPS)
def test_each_staging_table_has_the_map_the_vendor_names(desk: Desk, table: str) -> None:
    (row,) = desk.tables.find("sys_transform_map", {"source_table": table})
    assert (row["name"], row["target_table"]) == MAPS[table]


@pytest.mark.parametrize("table", [*MAPS, TAX_LINE])
def test_staging_columns_are_strings_named_after_their_labels(desk: Desk, table: str) -> None:
    for column in desk.tables.schema.own_columns(table):
        assert column.type == "string"
        assert column.name == "u_" + column.title.casefold().replace(" ", "_")


# -- details of orders and invoices


def test_a_receipt_finds_its_line_through_the_order(documents: Desk) -> None:
    row = {
        "u_erp_source": sample.SOURCE,
        "u_erp_po_number": "PO-1",
        "u_erp_po_line_number": "1",
        "u_erp_receipt_number": "R-1",
        "u_quantity_received": "4",
        "u_state": "Received",
    }
    assert again(documents, RECEIPT, row) == ["inserted", "ignored"]
    (receipt,), (line,) = documents.tables.rows("sn_shop_receipt"), documents.tables.rows("sn_shop_purchase_order_line")
    assert (receipt["purchase_order_line"], receipt["quantity_received"]) == (line["sys_id"], "4")
    assert (receipt["erp_gr_number"], receipt["status"]) == ("R-1", "Received")
    unknown = documents.post(RECEIPT, row | {"u_erp_po_line_number": "9"})
    assert unknown["error_message"] == "Line 9 of purchase order PO-1 does not exist"


def test_a_tax_line_belongs_to_an_invoice_and_its_type_must_exist(documents: Desk) -> None:
    row = {
        "u_external_invoice_number": "E-1",
        "u_external_invoice_source": sample.INVOICE_SOURCE,
        "u_erp_source": sample.SOURCE,
        "u_tax_type": "VAT",
        "u_tax_amount": "19.00",
        "u_supplier_tax_rate": "19",
    }
    assert again(documents, TAX_LINE, row) == ["inserted", "ignored"]
    assert again(documents, TAX_LINE, row | {"u_erp_line_number": "1"}) == ["inserted", "ignored"]
    assert "Tax type 'GST'" in documents.post(TAX_LINE, row | {"u_tax_type": "GST"})["error_message"]
    assert documents.post(TAX_LINE, row | {"u_external_invoice_number": "E-9"})["status"] == "error"
    assert [tax["erp_line_number"] for tax in documents.tables.rows("sn_shop_invoice_tax_line")] == ["", "1"]


def payment(**changes: str) -> dict[str, str]:
    row = {
        "u_currency": "EUR",
        "u_erp_invoice_number": "PI-1",
        "u_erp_source": sample.SOURCE,
        "u_erp_supplier_code": "10000",
        "u_payment_amount": "119.00",
        "u_payment_date": "2026-05-20",
        "u_payment_method": "bank_transfer",
        "u_payment_reference_id": "PAY-1",
        "u_scheduled_payment_date": "2026-05-21",
    }
    return row | {f"u_remit_to_{part}": "x" for part in ("street", "city", "state", "zip", "country")} | changes


def test_a_payment_detail_finds_its_invoice_by_the_erp_number(documents: Desk) -> None:
    assert again(documents, PAYMENT, payment()) == ["inserted", "ignored"]
    (detail,), (invoice,) = (
        documents.tables.rows("sn_shop_invoice_payment_detail"),
        documents.tables.rows("sn_shop_invoice"),
    )
    assert (detail["invoice"], detail["payment_date"]) == (invoice["sys_id"], "2026-05-20")


def test_all_payment_columns_but_the_import_id_are_mandatory_and_the_method_is_a_choice(documents: Desk) -> None:
    assert documents.post(PAYMENT, payment(u_remit_to_zip=""))["error_message"].endswith(": Remit to zip")
    assert "'barter'" in documents.post(PAYMENT, payment(u_payment_method="barter"))["error_message"]


def test_an_invoice_line_takes_one_allocation_of_each_type(documents: Desk) -> None:
    row = {
        "u_erp_source": sample.SOURCE,
        "u_external_invoice_number": "E-1",
        "u_external_invoice_source": sample.INVOICE_SOURCE,
        "u_erp_line_number": "1",
        "u_allocation_type": "percentage",
        "u_allocation_percentage": "100",
        "u_cost_center": "CC-10",
    }
    assert documents.post(ALLOCATION, row)["status"] == "inserted"
    assert documents.post(ALLOCATION, row)["error_message"] == (
        "Allocation type already exists for this invoice line. Verify the information is correct before proceeding."
    )
    assert documents.post(ALLOCATION, row | {"u_allocation_type": "amount"})["status"] == "inserted"
    order_line = {"u_erp_po_number": "PO-1", "u_erp_po_line_number": "1"}
    assert documents.post(ALLOCATION, row | order_line | {"u_allocation_type": "quantity"})["status"] == "inserted"
    allocations = documents.tables.rows("sn_shop_cost_allocation")
    assert [bool(row["order_line"]) for row in allocations] == [False, False, True]


def test_the_invoice_header_carries_charges_terms_owner_and_addresses(desk: Desk) -> None:
    desk.tables.insert("sys_user", {"user_name": "owner", "name": "Owner", "email": "owner@example.com"})
    row = sample.invoice(
        "E-1",
        u_shipping_amount="3.00",
        u_discounts="1.50",
        u_payment_terms="Net 30",
        u_business_owner="owner@example.com",
        u_ship_to_city="Berlin",
        u_bill_to_country="DE",
        u_remit_to_zip_or_postal_code="10115",
        u_final_tax="19.00",
    )
    assert desk.post(INVOICE, row)["status"] == "inserted"
    (invoice,) = desk.tables.rows("sn_shop_invoice")
    names = ("shipping_amount", "discounts", "ship_to_city", "bill_to_country", "remit_to_zip_or_postal_code")
    assert [invoice[name] for name in names] == ["3.00", "1.50", "Berlin", "DE", "10115"]
    assert desk.name("sn_shop_payment_term", invoice["payment_terms"]) == "Net 30"
    assert desk.name("sys_user", invoice["business_owner"]) == "Owner"
    assert desk.staged(INVOICE)["u_final_tax"] == "19.00"


# -- master data


def test_a_cost_center_is_known_by_its_account_number(desk: Desk) -> None:
    row = {
        "u_account_number": "CC-10",
        "u_erp_source": sample.SOURCE,
        "u_name": "Sales and service",
        "u_valid_from": "2026-01-01 00:00:00",
        "u_controlling_area": "A000",
        "u_legal_entity": "CRONUS",
    }
    result = desk.post("sn_fcms_intg_imp_cost_center", row)
    assert result["status"] == "updated"
    (center,) = desk.tables.find("cmn_cost_center", {"account_number": "CC-10"})
    assert (center["name"], center["code"], center["controlling_area"]) == ("Sales and service", "SALES", "A000")
    assert center["valid_from"] == "2026-01-01 00:00:00"
    assert desk.post("sn_fcms_intg_imp_cost_center", row | {"u_account_number": "CC-30"})["status"] == "inserted"


def test_a_department_is_known_by_its_erp_id(desk: Desk) -> None:
    row = {"u_erp_department_id": "D1", "u_department_name": "Finance", "u_erp_source": sample.SOURCE}
    assert again(desk, "sn_fcms_intg_department_stage", row) == ["inserted", "ignored"]
    assert desk.tables.find("cmn_department", {"id": "D1"})[0]["name"] == "Finance"


def test_an_onboarded_supplier_becomes_a_company_once(desk: Desk) -> None:
    table = "sn_fcms_intg_imp_supplier"
    row = {"u_legal_name": "New Vendor", "u_erp_supplier_code": "90000", "u_erp_source": sample.SOURCE}
    assert desk.post(table, row)["status"] == "inserted"
    assert desk.tables.rows("core_company") == []
    for name in ("New Vendor", "New Vendor Ltd"):
        desk.post(table, row | {"u_onboarded": "true", "u_payment_term": "Net 30", "u_legal_name": name})
    (company,) = desk.tables.rows("core_company")
    (supplier,) = desk.tables.find("sn_fin_supplier", {"erp_supplier_code": "90000"})
    assert (company["name"], company["vendor"], supplier["company"]) == ("New Vendor", "true", company["sys_id"])
    assert supplier["legal_name"] == "New Vendor Ltd"


# -- base tables, licensed or not


def test_a_procurement_order_and_its_items_are_written_by_the_table_api(desk: Desk) -> None:
    desk.simulator.access.grant("connector", "admin")
    vendor = desk.tables.insert("core_company", {"name": "Fabrikam", "vendor": "true"})
    order = desk.client.post(
        "/api/now/table/proc_po", json={"vendor": vendor, "short_description": "Paper", "total_cost": "120.00"}
    ).json()["result"]
    item: dict[str, Any] = {"purchase_order": order["sys_id"], "ordered_quantity": "12", "cost": "10.00"}
    created = desk.client.post("/api/now/table/proc_po_item", json=item)
    assert created.status_code == 201
    assert order["number"].startswith("PO")
    assert created.json()["result"]["purchase_order"]["value"] == order["sys_id"]


def test_the_status_of_a_procurement_order_is_never_set_and_follows_its_items(desk: Desk) -> None:
    desk.simulator.access.grant("connector", "admin")
    order = desk.tables.insert("proc_po", {"short_description": "Paper"})
    item = desk.tables.insert("proc_po_item", {"purchase_order": order, "ordered_quantity": "12"})
    seen = []
    for table, sys_id, changes in (
        ("proc_po", order, {"status": "received"}),
        ("proc_po_item", item, {"status": "canceled", "received_quantity": "5"}),
        ("proc_po_item", item, {"received_quantity": "12"}),
    ):
        assert desk.client.patch(f"/api/now/table/{table}/{sys_id}", json=changes).status_code == 200
        found = [desk.tables.rows(name)[0] for name in ("proc_po", "proc_po_item")]
        seen.append(tuple(row["status"] for row in found))
    assert seen == [("requested", "requested"), ("pending_delivery", "pending_delivery"), ("received", "received")]


def test_companies_departments_and_business_units_have_their_columns(desk: Desk) -> None:
    unit = desk.tables.insert("business_unit", {"name": "Europe"})
    desk.tables.insert("cmn_department", {"name": "Finance", "business_unit": unit, "head_count": "7"})
    desk.tables.insert("core_company", {"name": "Fabrikam", "vendor": "true", "vendor_type": "goods"})
    desk.tables.insert("core_company", {"name": "Contoso", "customer": "true"})
    path = "/api/now/table/core_company?sysparm_query=vendor=true&sysparm_fields=name"
    assert desk.client.get(path).json()["result"] == [{"name": "Fabrikam"}]
    path = "/api/now/table/cmn_department?sysparm_fields=business_unit.name,head_count"
    assert desk.client.get(path).json()["result"] == [{"business_unit.name": "Europe", "head_count": "7"}]


def test_an_instance_without_the_licence_has_the_base_tables_and_attachments_only() -> None:
    tables = ServiceNow(now=lambda: datetime(2026, 5, 4, tzinfo=UTC), licensed=False).tables
    names = {table.name for table in tables.schema}
    assert {"proc_po", "proc_po_item", "business_unit", "sys_attachment", "cmn_cost_center"} <= names
    assert not {name for name in names if name.startswith(("sn_shop", "sn_fin", "sn_spend_intg", "sn_fcms_intg"))}


def test_a_custom_staging_table_with_a_map_works_like_a_licensed_one(desk: Desk) -> None:
    columns = tuple(Column(f"u_{name}") for name in ("source_id", "vendor", "short_description", "total_cost"))
    desk.tables.define(Table("u_imp_purchase_order", columns, extends="sys_import_set_row"))
    proc_po = desk.tables.schema.table("proc_po")
    desk.tables.define(proc_po.with_column(Column("u_source_id", unique=True)))
    entries = (
        key("source_id", "u_source_id"),
        lookup("vendor", "vendor", "name", "reject"),
        plain("short_description", "short_description"),
        plain("total_cost", "total_cost"),
    )
    add_map(desk.tables, "Purchase orders", "u_imp_purchase_order", "proc_po", entries)
    desk.tables.insert("core_company", {"name": "Fabrikam", "vendor": "true"})
    desk.simulator.access.grant("connector", "admin")
    row = {"u_source_id": "BC-1", "u_vendor": "Fabrikam", "u_short_description": "Paper", "u_total_cost": "120.00"}
    assert again(desk, "u_imp_purchase_order", row) == ["inserted", "ignored"]
    assert desk.post("u_imp_purchase_order", row | {"u_vendor": "nobody"})["status"] == "error"
    (order,) = desk.tables.rows("proc_po")
    assert (order["u_source_id"], order["total_cost"]) == ("BC-1", "120.00")
    described = desk.client.get("/api/now/table/sys_db_object?sysparm_query=name=u_imp_purchase_order").json()["result"]
    assert len(described) == 1
