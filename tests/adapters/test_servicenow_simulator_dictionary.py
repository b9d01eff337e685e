"""What the ServiceNow stand-in says about itself agrees with what it does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER, ServiceNow, sample
from tests.sandbox.servicenow.schema import Column, Table
from tests.sandbox.wire import Exchange, InProcess

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
STAGING = (
    "sn_fcms_intg_imp_order",
    "sn_fcms_intg_imp_order_line",
    "sn_spend_intg_imp_invoice",
    "sn_spend_intg_imp_invoice_line",
)


@pytest.fixture
def simulator() -> ServiceNow:
    return ServiceNow(now=lambda: NOW, seed=sample.SEED)


@pytest.fixture
def client(simulator: ServiceNow) -> httpx.Client:
    transport = InProcess(Exchange(simulator.handle))
    return httpx.Client(
        transport=transport, base_url="https://example.service-now.com", auth=(ADMIN_USER, ADMIN_PASSWORD)
    )


def read(client: httpx.Client, table: str, query: str, fields: str = "") -> list[dict[str, Any]]:
    parameters = {"sysparm_query": query, "sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
    rows: list[dict[str, Any]] = client.get(f"/api/now/table/{table}", params=parameters).json()["result"]
    return rows


def columns(client: httpx.Client, table: str) -> dict[str, dict[str, str]]:
    """A table's columns as a client finds them: its own dictionary entries, then those of each table above it."""
    found: dict[str, dict[str, str]] = {}
    while table:
        for row in read(client, "sys_dictionary", f"name={table}^internal_type!=collection"):
            found.setdefault(row["element"], row)
        (described,) = read(client, "sys_db_object", f"name={table}", "super_class.name")
        table = described["super_class.name"]
    return found


def test_the_staging_tables_are_found_by_what_they_extend(client: httpx.Client) -> None:
    rows = read(
        client, "sys_db_object", "super_class.name=sys_import_set_row^nameSTARTSWITHsn_", "name,sys_scope.scope"
    )
    assert {row["name"]: row["sys_scope.scope"] for row in rows} == {
        "sn_fcms_intg_imp_order": "sn_fcms_intg",
        "sn_fcms_intg_imp_order_line": "sn_fcms_intg",
        "sn_spend_intg_imp_invoice": "sn_spend_intg",
        "sn_spend_intg_imp_invoice_line": "sn_spend_intg",
        "sn_spend_intg_imp_invoice_tax_line": "sn_spend_intg",
        "sn_spend_intg_imp_invoice_payment_detail": "sn_spend_intg",
        "sn_spend_intg_imp_cost_allocation": "sn_spend_intg",
        "sn_fcms_intg_imp_receipt": "sn_fcms_intg",
        "sn_fcms_intg_imp_cost_center": "sn_fcms_intg",
        "sn_fcms_intg_department_stage": "sn_fcms_intg",
        "sn_fcms_intg_gl_account_stage": "sn_fcms_intg",
        "sn_fcms_intg_imp_supplier": "sn_fcms_intg",
    }


@pytest.mark.parametrize("table", STAGING)
def test_a_staging_column_takes_exactly_as_many_characters_as_the_dictionary_says(
    client: httpx.Client, table: str
) -> None:
    described = {name: row for name, row in columns(client, table).items() if name.startswith("u_")}
    assert described
    client.post(f"/api/now/import/{table}", json={name: "x" * 500 for name in described})
    (row,) = read(client, table, "")
    assert {name: len(row[name]) for name in described} == {
        name: int(entry["max_length"]) for name, entry in described.items()
    }


@pytest.mark.parametrize("table", STAGING)
def test_the_mandatory_columns_of_the_dictionary_are_the_ones_the_map_demands(client: httpx.Client, table: str) -> None:
    described = {row["column_label"] for row in columns(client, table).values() if row["mandatory"] == "true"}
    (result,) = client.post(f"/api/now/import/{table}", json={}).json()["result"]
    assert set(result["error_message"].partition(": ")[2].split(", ")) == described


def test_every_record_has_exactly_the_columns_the_dictionary_lists(client: httpx.Client, simulator: ServiceNow) -> None:
    for table in ("sn_shop_purchase_order", "sn_shop_purchase_order_line", "sn_shop_invoice", "cmn_cost_center"):
        simulator.tables.insert(table, {})
        assert set(read(client, table, "")[-1]) == set(columns(client, table)), table


def test_references_point_to_tables_that_exist(client: httpx.Client) -> None:
    tables = {row["name"] for row in read(client, "sys_db_object", "", "name")}
    references = {row["reference"] for row in read(client, "sys_dictionary", "internal_type=reference", "reference")}
    assert references <= tables


def test_every_field_map_joins_columns_that_exist(client: httpx.Client) -> None:
    entries = read(client, "sys_transform_entry", "")
    assert len(entries) > 40
    for entry in entries:
        assert entry["source_field"] in columns(client, entry["source_table"]), entry
        assert entry["target_field"] in columns(client, entry["target_table"]), entry


def test_labels_are_the_words_of_the_names(client: httpx.Client) -> None:
    labels = {
        row["element"]: row["label"] for row in read(client, "sys_documentation", f"name={STAGING[0]}^language=en")
    }
    assert labels["u_erp_po_number"] == "ERP PO number"
    assert labels["u_supplier_company_name"] == "Supplier company name"
    assert columns(client, STAGING[3])["u_gl_account"]["column_label"] == "GL account"


def test_choices_are_read_from_the_choice_table_and_obeyed(client: httpx.Client, simulator: ServiceNow) -> None:
    query = "name=sn_shop_invoice^element=type^language=en^inactive=false^ORDERBYsequence"
    values = [row["value"] for row in read(client, "sys_choice", query, "value")]
    assert values == ["po_invoice", "non_po_invoice", "debit_memo", "credit_memo"]
    for value in values:
        assert client.post("/api/now/table/sn_shop_invoice", json={"type": value}).json()["result"]["type"] == value
    (memo,) = simulator.tables.find("sys_choice", {"name": "sn_shop_invoice", "value": "debit_memo"})
    simulator.tables.update("sys_choice", memo["sys_id"], {"inactive": "true"})
    assert client.post("/api/now/table/sn_shop_invoice", json={"type": "debit_memo"}).json()["result"]["type"] == ""


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("sn_fcms_intg_imp_order", {"u_erp_source", "u_erp_po_number"}),
        ("sn_fcms_intg_imp_order_line", {"u_erp_po_number", "u_erp_po_line_number"}),
        (
            "sn_spend_intg_imp_invoice",
            {"u_external_invoice_number", "u_external_invoice_source", "u_erp_source"},
        ),
        ("sn_spend_intg_imp_invoice_line", {"u_external_invoice_number", "u_erp_line_number"}),
    ],
)
def test_the_coalesce_keys_of_a_staging_table_are_readable(client: httpx.Client, table: str, keys: set[str]) -> None:
    (found,) = read(client, "sys_transform_map", f"source_table={table}^active=true", "sys_id")
    entries = read(client, "sys_transform_entry", f"map={found['sys_id']}^coalesce=true", "source_field")
    assert {entry["source_field"] for entry in entries} == keys


def test_applications_and_properties_are_listed(client: httpx.Client) -> None:
    apps = read(client, "sys_store_app", "scopeINsn_fin,sn_shop,sn_spend_intg,sn_fcms_intg^active=true", "scope")
    assert {row["scope"] for row in apps} == {"sn_fin", "sn_shop", "sn_spend_intg", "sn_fcms_intg"}
    name = "glide.oauth.inbound.client.credential.grant_type.enabled"
    assert read(client, "sys_properties", f"name={name}", "value") == [{"value": "true"}]


@pytest.mark.parametrize("table", ["sys_db_object", "sys_dictionary", "sys_documentation"])
def test_the_description_itself_cannot_be_written_apart_from_the_tables(
    client: httpx.Client, simulator: ServiceNow, table: str
) -> None:
    sys_id = simulator.tables.rows(table)[0]["sys_id"]
    assert client.post(f"/api/now/table/{table}", json={"name": "x"}).status_code == 403
    assert client.patch(f"/api/now/table/{table}/{sys_id}", json={"name": "x"}).status_code == 403
    assert client.delete(f"/api/now/table/{table}/{sys_id}").status_code == 403


def test_a_changed_table_changes_its_description_and_its_behaviour_together(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    schema = simulator.tables.schema
    column = Column("u_line_description", max_length=10, label="Text")
    simulator.tables.define(schema.table(STAGING[3]).with_column(column))
    simulator.tables.define(Table("u_own_staging", (Column("u_key"),), extends="sys_import_set_row"))
    entry = columns(client, STAGING[3])["u_line_description"]
    assert (entry["max_length"], entry["column_label"], entry["mandatory"]) == ("10", "Text", "false")
    client.post(f"/api/now/import/{STAGING[3]}", json={"u_line_description": "0123456789abc"})
    assert read(client, STAGING[3], "")[0]["u_line_description"] == "0123456789"
    assert "u_key" in columns(client, "u_own_staging")
    assert client.post("/api/now/import/u_own_staging", json={"u_key": "1"}).status_code == 201
