"""What a write must fulfil on the ServiceNow stand-in, after the pages on data policies, business rules and the Table API."""

from __future__ import annotations

import pytest

from tests.adapters.servicenow_bench import CENTERS, ORDERS, Bench, error
from tests.sandbox.servicenow import ADMIN_USER, sample
from tests.sandbox.servicenow.schema import Column

TARGET = "sn_shop_purchase_order"
TARGETS = f"/api/now/table/{TARGET}"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def policy(bench: Bench, table: str, *fields: str, **columns: str) -> None:
    sys_id = bench.tables.insert("sys_data_policy2", {"short_description": "P", "model_table": table, **columns})
    for name in fields:
        row = {"sys_data_policy": sys_id, "table": table, "field": name, "mandatory": "true"}
        bench.tables.insert("sys_data_policy_rule", row)


def business_rule(bench: Bench, name: str, **columns: str) -> str:
    row = {"name": name, "collection": "cmn_cost_center", "action_insert": "true", "action_update": "true", **columns}
    return bench.tables.insert("sys_script", row)


# Data policies page: mandatory fields, by label, on every way in; conditions; import sets by a flag of the policy.


def test_a_data_policy_names_the_labels_of_all_missing_fields(bench: Bench) -> None:
    policy(bench, "cmn_cost_center", "code", "account_number")
    refused = bench.post(CENTERS, {"name": "New"}, user=ADMIN_USER)
    assert error(refused) == (
        403,
        "Operation Failed",
        "Data Policy Exception: The following fields are mandatory: Code, Account number",
    )
    assert bench.post(CENTERS, {"name": "N", "code": "N", "account_number": "1"}, user=ADMIN_USER).status_code == 201


def test_the_dictionarys_mandatory_flag_alone_does_not_bind_the_api(bench: Bench) -> None:
    bench.tables.define(
        bench.tables.schema.table("cmn_cost_center").with_column(Column("region", mandatory=True, label="Region"))
    )
    assert bench.post(CENTERS, {}, user=ADMIN_USER).status_code == 201


def test_a_policy_with_conditions_looks_at_the_record_as_it_would_be(bench: Bench) -> None:
    policy(bench, "cmn_cost_center", "manager", conditions="codeSTARTSWITHX")
    (sales,) = bench.tables.find("cmn_cost_center", {"code": "SALES"})
    path = f"{CENTERS}/{sales['sys_id']}"
    assert bench.send("PATCH", path, json={"name": "S"}, user=ADMIN_USER).status_code == 200
    assert bench.send("PATCH", path, json={"code": "X1"}, user=ADMIN_USER).status_code == 403
    assert bench.tables.find("cmn_cost_center", {"code": "X1"}) == []


def test_a_policy_makes_an_import_row_an_error_unless_it_spares_import_sets(bench: Bench) -> None:
    policy(bench, TARGET, "payment_term")
    (result,) = bench.post(ORDERS, sample.order("PO-1", u_payment_term="")).json()["result"]
    assert result["status"] == "error"
    assert "fields are mandatory: Payment term" in result["error_message"]
    (row,) = bench.tables.rows("sys_data_policy2")
    bench.tables.update("sys_data_policy2", row["sys_id"], {"apply_import_set": "false"})
    (result,) = bench.post(ORDERS, sample.order("PO-1", u_payment_term="")).json()["result"]
    assert result["status"] == "inserted"


def test_a_dropped_choice_may_then_fail_a_policy(bench: Bench) -> None:
    table = bench.tables.schema.table("cmn_cost_center")
    bench.tables.define(table.with_column(Column("kind", choices=(("a", "A"), ("b", "B")), label="Kind")))
    dropped = bench.post(CENTERS, {"name": "1", "kind": "c"}, user=ADMIN_USER)
    assert (dropped.status_code, dropped.json()["result"]["kind"]) == (201, "")
    policy(bench, "cmn_cost_center", "kind")
    assert bench.post(CENTERS, {"name": "2", "kind": "c"}, user=ADMIN_USER).status_code == 403
    bench.properties.set("glide.rest.choice.allow_non_existing_value", "true")
    kept = bench.post(CENTERS, {"name": "3", "kind": "c"}, user=ADMIN_USER)
    assert (kept.status_code, kept.json()["result"]["kind"]) == (201, "c")


# Business rules page: before rules abort or set values; the stack is named in the refusal.


@pytest.mark.parametrize("how", [{"abort_action": "true"}, {"script": "current.setAbortAction(true);"}])
def test_an_aborting_rule_refuses_with_its_name(bench: Bench, how: dict[str, str]) -> None:
    sys_id = business_rule(bench, "No drafts", filter_condition="nameLIKEdraft^EQ", **how)
    refused = bench.post(CENTERS, {"name": "A draft"}, user=ADMIN_USER)
    assert error(refused) == (
        403,
        "Operation Failed",
        f"Operation against file 'cmn_cost_center' was aborted by Business Rule 'No drafts^{sys_id}'. "
        "Business Rule Stack:No drafts",
    )
    assert bench.post(CENTERS, {"name": "Final"}, user=ADMIN_USER).status_code == 201


def test_a_rule_created_over_the_api_takes_effect_at_once(bench: Bench) -> None:
    body = {"name": "Stop", "collection": "cmn_cost_center", "action_update": True, "abort_action": True}
    assert bench.post("/api/now/table/sys_script", body, user=ADMIN_USER).status_code == 201
    (sales,) = bench.tables.find("cmn_cost_center", {"code": "SALES"})
    path = f"{CENTERS}/{sales['sys_id']}"
    assert bench.send("PATCH", path, json={"name": "x"}, user=ADMIN_USER).status_code == 403
    assert bench.send("DELETE", path, user=ADMIN_USER).status_code == 204


def test_rules_run_in_order_and_may_change_what_is_written(bench: Bench) -> None:
    business_rule(bench, "Second", order="200", script="current.code = 'TWO';", filter_condition="code=ONE")
    business_rule(bench, "First", order="100", template="code=ONE^account_number=CC-1")
    created = bench.post(CENTERS, {"name": "N", "code": "mine"}, user=ADMIN_USER).json()["result"]
    assert (created["code"], created["account_number"]) == ("TWO", "CC-1")


def test_a_map_that_does_not_run_business_rules_passes_them_by(bench: Bench) -> None:
    business_rule(bench, "Stop", collection=TARGET, abort_action="true")
    (result,) = bench.post(ORDERS, sample.order("PO-1")).json()["result"]
    assert (result["status"], "aborted by Business Rule 'Stop^" in result["error_message"]) == ("error", True)
    (row,) = bench.tables.find("sys_transform_map", {"name": "Order stage"})
    bench.tables.update("sys_transform_map", row["sys_id"], {"run_business_rules": "false"})
    (result,) = bench.post(ORDERS, sample.order("PO-1")).json()["result"]
    assert result["status"] == "inserted"


# Table API page: a sys_id of the client's own; unique indexes (the REST answer is not documented).


def test_a_sys_id_of_the_clients_own_is_kept_and_cannot_be_used_twice(bench: Bench) -> None:
    body = {"sys_id": "AAAABBBBCCCCDDDDEEEEFFFF00001111", "name": "Own"}
    created = bench.post(CENTERS, body, user=ADMIN_USER)
    assert (created.status_code, created.json()["result"]["sys_id"]) == (201, body["sys_id"])
    assert created.headers["Location"].endswith(f"/cmn_cost_center/{body['sys_id']}")
    again = bench.post(CENTERS, body, user=ADMIN_USER)
    assert error(again)[0] == 403
    assert f"Duplicate entry '{body['sys_id']}' for key 'PRIMARY'" in error(again)[2]


@pytest.mark.parametrize(
    ("status", "message"), [(403, "Operation Failed"), (500, "Error during insert of sys_properties")]
)
def test_a_unique_index_answers_in_either_way(bench: Bench, status: int, message: str) -> None:
    bench.switches.unique_violation_status = status
    bench.properties.set("x.y", "1")
    refused = bench.post("/api/now/table/sys_properties", {"name": "x.y"}, user=ADMIN_USER)
    assert error(refused)[:2] == (status, message)
    assert "Unique Key violation detected by database" in error(refused)[2]


# Instance profiles: without the add-on there are the base Procurement tables and no others.


def test_an_instance_without_the_add_on_has_the_base_procurement_tables_only() -> None:
    bench = Bench(licensed=False, seed={})
    missing = bench.get(TARGETS)
    assert (missing.status_code, missing.json()["error"]) == (
        400,
        {"message": f"Invalid table {TARGET}", "detail": None},
    )
    assert bench.post(ORDERS, sample.order("PO-1")).status_code == 400
    assert bench.get("/api/now/table/proc_po").json() == {"result": []}
    assert bench.post("/api/now/table/proc_po_item", {}, user=ADMIN_USER).status_code == 201
    assert bench.get("/api/now/table/sys_store_app").json() == {"result": []}
    names = bench.get("/api/now/table/sys_db_object?sysparm_query=nameSTARTSWITHsn_").json()
    assert names == {"result": []}
    assert not any(row["name"].startswith("sn_") for row in bench.tables.rows("sys_user_role"))


def test_a_licensed_instance_has_both() -> None:
    bench = Bench()
    assert bench.get(TARGETS).status_code == 200
    assert bench.get("/api/now/table/proc_po").status_code == 200
