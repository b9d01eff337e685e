"""insertMultiple and asynchronous import sets of the ServiceNow stand-in.

Rules checked: REST API reference, "Import Set API" (insertMultiple); "Import set mode"; "Import set coalesce"; "Delete import
sets"; security setting "secure insert multiple".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.servicenow.desk import BASE, ORDER, ORDER_LINE, Desk
from tests.sandbox.servicenow.map_scripts import EVENT_SCRIPTS, Transform
from tests.sandbox.servicenow.transform_maps import add_script
from tests.sandbox.wire import Exchange, serve

OPTIMIZE = "com.glide.import_set_api.insert_multiple_optimize"


@pytest.fixture
def desk() -> Desk:
    return Desk()


def labelled(row: dict[str, str]) -> dict[str, str]:
    """A row with the columns' labels as keys."""
    columns = {column.name: column.title for column in Desk().tables.schema.own_columns(ORDER)}
    columns |= {column.name: column.title for column in Desk().tables.schema.own_columns(ORDER_LINE)}
    return {columns[name]: value for name, value in row.items()}


def many(desk: Desk, table: str, rows: list[dict[str, Any]], **parameters: str) -> dict[str, str]:
    answer = desk.client.post(f"/api/now/import/{table}/insertMultiple", json={"records": rows}, params=parameters)
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def by_column(desk: Desk, table: str = ORDER, **columns: str) -> None:
    desk.tables.insert("sys_rest_insert_multiple", {"source_table": table, "column_mapping": "column_name", **columns})


def states(desk: Desk, table: str = ORDER) -> list[str]:
    return [row["sys_import_state"] for row in desk.tables.rows(table)]


def set_states(desk: Desk) -> list[str]:
    return [row["state"] for row in desk.tables.rows("sys_import_set")]


# -- the answer and the keys


def test_the_answer_holds_two_ids_and_nothing_about_the_rows(desk: Desk) -> None:
    answer = many(desk, ORDER, [labelled(sample.order("PO-1"))])
    assert set(answer) == {"import_set_id", "multi_import_set_id"}
    assert desk.tables.get("sys_import_set", answer["import_set_id"]) is not None
    assert desk.tables.get("sys_multi_import_set", answer["multi_import_set_id"]) is not None


def test_keys_are_column_labels(desk: Desk) -> None:
    many(desk, ORDER, [{"ERP PO number": "PO-1", "ERP source": sample.SOURCE, "Supplier company name": "Fabrikam"}])
    staged = desk.staged(ORDER)
    assert (staged["u_erp_po_number"], staged["u_supplier_company_name"]) == ("PO-1", "Fabrikam")


def test_column_names_as_keys_leave_every_column_empty_and_the_answer_a_success(desk: Desk) -> None:
    many(desk, ORDER, [sample.order("PO-1")])
    assert not any(value for name, value in desk.staged(ORDER).items() if name.startswith("u_"))
    desk.simulator.work()
    assert states(desk) == ["error"]
    assert "ERP PO number" in desk.staged(ORDER)["sys_import_state_comment"]


def test_a_configuration_row_switches_a_table_to_column_names(desk: Desk) -> None:
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1")])
    many(desk, ORDER_LINE, [labelled(sample.order_line("PO-1", "1"))])
    assert desk.staged(ORDER)["u_erp_po_number"] == "PO-1"
    assert desk.staged(ORDER_LINE)["u_erp_po_line_number"] == "1"


def test_a_value_that_is_no_string_is_staged_in_changed_form(desk: Desk) -> None:
    many(desk, ORDER, [{"PO amount": 12.50, "Business owner": {"a": 1}}])
    staged = desk.staged(ORDER)
    assert (staged["u_po_amount"], staged["u_business_owner"]) == ("12.5", "{a=1}")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"records": {}}', '{"records": ["x"]}'])
def test_a_body_without_a_list_of_records_is_a_400(desk: Desk, content: str) -> None:
    path, headers = f"/api/now/import/{ORDER}/insertMultiple", {"Content-Type": "application/json"}
    assert desk.client.post(path, content=content, headers=headers).status_code == 400
    assert desk.tables.rows("sys_import_set") == []


def test_only_json_is_taken(desk: Desk) -> None:
    path, headers = f"/api/now/import/{ORDER}/insertMultiple", {"Content-Type": "application/xml"}
    assert desk.client.post(path, content="<x/>", headers=headers).status_code == 415


def test_the_data_source_format_is_refused_aloud(desk: Desk) -> None:
    by_column(desk, use_data_source_format="true")
    answer = desk.client.post(f"/api/now/import/{ORDER}/insertMultiple", json={"records": []})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Not simulated")


def test_an_array_posted_to_the_single_door_stores_only_its_first_record(desk: Desk) -> None:
    answer = desk.client.post(f"/api/now/import/{ORDER}", json=[sample.order("PO-1"), sample.order("PO-2")])
    assert answer.status_code == 201
    assert [row["u_erp_po_number"] for row in desk.tables.rows(ORDER)] == ["PO-1"]


# -- the transformation behind it


def test_rows_stay_pending_until_the_workers_have_time(desk: Desk) -> None:
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2", u_cost_center="none"), sample.order("PO-1")])
    assert (states(desk), desk.tables.rows("sn_shop_purchase_order")) == (["pending"] * 3, [])
    desk.simulator.work()
    assert states(desk) == ["inserted", "error", "ignored"]


def test_rows_read_back_by_their_import_set_tell_what_became_of_each(desk: Desk) -> None:
    by_column(desk)
    answer = many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2", u_cost_center="none")])
    desk.simulator.work()
    fields = (
        "sys_import_row,sys_import_state,sys_import_state_comment,sys_target_sys_id,sys_target_table,u_erp_po_number"
    )
    query = f"sys_import_set={answer['import_set_id']}^ORDERBYsys_import_row"
    parameters = {"sysparm_query": query, "sysparm_fields": fields}
    good, bad = desk.client.get(f"/api/now/table/{ORDER}", params=parameters).json()["result"]
    (order,) = desk.tables.rows("sn_shop_purchase_order")
    assert (good["sys_import_row"], good["sys_import_state"]) == ("1", "inserted")
    assert (good["sys_target_table"], good["sys_target_sys_id"]) == ("sn_shop_purchase_order", order["sys_id"])
    assert (bad["u_erp_po_number"], bad["sys_import_state"], bad["sys_target_sys_id"]) == ("PO-2", "error", "")
    assert "Cost center 'none'" in bad["sys_import_state_comment"]


def test_a_set_goes_from_loading_over_loaded_to_processed() -> None:
    desk = Desk(row_seconds=2.0)
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2")])
    seen = set_states(desk)
    for _ in range(3):
        desk.simulator.work(1.5)
        seen += set_states(desk)
    assert seen == ["loading", "loaded", "loaded", "processed"]
    assert desk.tables.rows("sys_import_set")[0]["load_completed"] == "2026-05-04 08:00:00"


def test_the_run_counts_what_happened(desk: Desk) -> None:
    by_column(desk)
    answer = many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2", u_cost_center="none")])
    desk.simulator.work()
    (run,) = desk.tables.rows("sys_import_set_run")
    assert run["set"] == answer["import_set_id"]
    counted = {name: run[name] for name in ("total", "inserts", "errors", "state")}
    assert counted == {"total": "2", "inserts": "1", "errors": "1", "state": "complete_with_errors"}


def test_two_workers_take_the_blocks_in_order_and_two_at_a_time() -> None:
    desk = Desk(row_seconds=1.0)
    by_column(desk)
    for block in range(3):
        many(desk, ORDER, [sample.order(f"PO-{block}{row}") for row in range(2)])
    desk.simulator.work(1.0)
    assert states(desk) == ["inserted", "pending", "inserted", "pending", "pending", "pending"]
    desk.simulator.work(1.0)
    assert states(desk) == ["inserted"] * 4 + ["pending"] * 2
    desk.simulator.work(2.0)
    assert set_states(desk) == ["processed"] * 3
    assert desk.simulator.workers.idle


def test_work_follows_the_clock() -> None:
    desk = Desk(row_seconds=1.0)
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2")])
    desk.time += timedelta(seconds=1)
    desk.simulator.run_jobs()
    assert states(desk) == ["inserted", "pending"]
    desk.simulator.run_jobs()
    assert states(desk) == ["inserted", "pending"]
    desk.time += timedelta(seconds=1)
    desk.simulator.run_jobs()
    assert states(desk) == ["inserted", "inserted"]


def test_lines_beside_their_headers_meet_orders_that_are_not_there_yet() -> None:
    desk = Desk(row_seconds=1.0)
    by_column(desk)
    by_column(desk, ORDER_LINE)
    many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2")])
    many(desk, ORDER_LINE, [sample.order_line("PO-2", "1")])
    desk.simulator.work()
    assert states(desk, ORDER_LINE) == ["error"]
    assert "Purchase order PO-2" in desk.staged(ORDER_LINE)["sys_import_state_comment"]


def test_run_after_holds_a_set_back_until_the_other_is_processed() -> None:
    desk = Desk(row_seconds=1.0)
    by_column(desk)
    by_column(desk, ORDER_LINE)
    first = many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2")])
    group = first["multi_import_set_id"]
    second = many(
        desk,
        ORDER_LINE,
        [sample.order_line("PO-2", "1")],
        run_after=first["import_set_id"],
        multi_import_set_id=group,
    )
    assert second["multi_import_set_id"] == group
    desk.simulator.work(2.0)
    assert (states(desk), states(desk, ORDER_LINE)) == (["inserted", "inserted"], ["pending"])
    desk.simulator.work(1.0)
    assert states(desk, ORDER_LINE) == ["inserted"]
    assert len(desk.tables.rows("sys_multi_import_set")) == 1
    assert {row["multi_import_set"] for row in desk.tables.rows("sys_import_set")} == {group}


@pytest.mark.parametrize("name", ["run_after", "multi_import_set_id"])
def test_an_id_that_does_not_exist_is_a_400(desk: Desk, name: str) -> None:
    path = f"/api/now/import/{ORDER}/insertMultiple"
    assert desk.client.post(path, json={"records": []}, params={name: "0" * 32}).status_code == 400


def test_a_table_can_be_set_to_transform_at_once_and_the_answer_stays_silent(desk: Desk) -> None:
    by_column(desk, transformation="synchronous")
    answer = many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2", u_cost_center="none")])
    assert set(answer) == {"import_set_id", "multi_import_set_id"}
    assert (states(desk), set_states(desk)) == (["inserted", "error"], ["processed"])


def test_a_synchronous_call_that_takes_too_long_is_cancelled() -> None:
    desk = Desk(row_seconds=10.0)
    by_column(desk, transformation="synchronous")
    rows = [sample.order(f"PO-{number}") for number in range(7)]
    answer = desk.client.post(f"/api/now/import/{ORDER}/insertMultiple", json={"records": rows})
    assert (answer.status_code, desk.tables.rows(ORDER)) == (500, [])


def test_the_same_block_twice_makes_each_record_once(desk: Desk) -> None:
    by_column(desk)
    for _ in range(2):
        many(desk, ORDER, [sample.order("PO-1"), sample.order("PO-2")])
    desk.simulator.work()
    assert sorted(states(desk)) == ["ignored", "ignored", "inserted", "inserted"]
    assert desk.tables.inserts["sn_shop_purchase_order"] == 2


@pytest.fixture
def stopping() -> Iterator[None]:
    def stop(transform: Transform) -> None:
        transform.error = transform.source["u_erp_po_number"] == "PO-2"
        transform.error_message = "stop here"

    EVENT_SCRIPTS["stop"] = stop
    yield
    del EVENT_SCRIPTS["stop"]


@pytest.mark.usefixtures("stopping")
@pytest.mark.parametrize(("when", "orders"), [("onBefore", 1), ("onAfter", 2)])
def test_a_script_that_sets_error_halts_the_rest_of_the_set(desk: Desk, when: str, orders: int) -> None:
    by_column(desk)
    add_script(desk.tables, "Order stage", when, "stop")
    many(desk, ORDER, [sample.order(f"PO-{number}") for number in (1, 2, 3)])
    desk.simulator.work()
    assert states(desk) == ["inserted", "error", "pending"]
    assert desk.tables.rows(ORDER)[1]["sys_import_state_comment"] == "stop here"
    assert desk.tables.rows("sys_import_set_run")[0]["state"] == "did_not_complete"
    assert len(desk.tables.rows("sn_shop_purchase_order")) == orders


# -- who may


def test_table_rules_decide_by_default(desk: Desk) -> None:
    desk.simulator.access.revoke("connector", "sn_fcms_intg.integration_user")
    answer = desk.client.post(f"/api/now/import/{ORDER}/insertMultiple", json={"records": []})
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "Operation Failed")


def test_with_the_security_property_the_import_role_decides_and_the_table_does_not(desk: Desk) -> None:
    desk.simulator.properties.set(OPTIMIZE, "true")
    desk.simulator.access.revoke("connector", "sn_fcms_intg.integration_user")
    many(desk, ORDER, [])
    desk.simulator.access.revoke("connector", "import_transformer")
    answer = desk.client.post(f"/api/now/import/{ORDER}/insertMultiple", json={"records": []})
    assert (answer.status_code, answer.json()["error"]["detail"]) == (403, "Failed API level ACL Validation")


def test_without_the_import_role_rows_are_stored_and_never_transformed(desk: Desk) -> None:
    desk.simulator.access.revoke("connector", "import_transformer")
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1")])
    desk.simulator.work()
    assert states(desk) == ["pending"]


@pytest.mark.parametrize("table", ["no_such_table", "cmn_cost_center"])
def test_a_table_that_is_no_import_set_table_is_a_400(desk: Desk, table: str) -> None:
    answer = desk.client.post(f"/api/now/import/{table}/insertMultiple", json={"records": []})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f"Invalid table {table}")


# -- asynchronous sets behind the single door


def test_a_set_switched_to_asynchronous_answers_with_the_staging_table_and_keeps_the_row_pending(desk: Desk) -> None:
    number = desk.answer(ORDER, sample.order("PO-1"))["import_set"]
    (row,) = desk.tables.find("sys_import_set", {"number": number})
    desk.tables.update("sys_import_set", row["sys_id"], {"mode": "asynchronous"})
    result = desk.post(ORDER, sample.order("PO-2"))
    staged = desk.staged(ORDER)
    assert (result["table"], result["sys_id"]) == (ORDER, staged["sys_id"])
    assert (result["status"], staged["sys_import_state"]) == ("pending", "pending")
    assert result["record_link"] == f"{BASE}/api/now/table/{ORDER}/{staged['sys_id']}"
    desk.simulator.transform(number)
    desk.simulator.work()
    assert states(desk) == ["inserted", "inserted"]


def test_with_transform_synchronously_off_the_answer_is_an_error_without_a_map(desk: Desk) -> None:
    desk.simulator.control("switches", {"transform_synchronously": False})
    result = desk.post(ORDER, sample.order("PO-1"))
    assert result == {"transform_map": "", "status": "error", "error_message": "Invalid table "}
    assert (states(desk), desk.tables.rows("sn_shop_purchase_order")) == (["pending"], [])


def test_a_row_posted_one_by_one_does_not_join_a_block_that_is_loading(desk: Desk) -> None:
    block = many(desk, ORDER, [labelled(sample.order("PO-1"))])
    desk.post(ORDER, sample.order("PO-2"))
    assert desk.staged(ORDER)["sys_import_set"] != block["import_set_id"]


# -- retention


def test_the_daily_job_removes_rows_and_sets_older_than_seven_days(desk: Desk) -> None:
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1")])
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))
    desk.time += timedelta(days=1)
    assert "Import Set Deleter" in desk.simulator.run_jobs()
    assert set_states(desk) == ["processed", "processed"]
    desk.time += timedelta(days=7)
    desk.simulator.run_jobs()
    assert (desk.tables.rows(ORDER), desk.tables.rows(ORDER_LINE), desk.tables.rows("sys_import_set")) == ([], [], [])
    assert len(desk.tables.rows("sn_shop_purchase_order")) == 1


# -- on the wire


def test_a_served_sandbox_works_by_itself() -> None:
    simulator = ServiceNow(now=lambda: datetime.now(UTC), seed=sample.SEED)
    simulator.tables.insert("sys_rest_insert_multiple", {"source_table": ORDER, "column_mapping": "column_name"})
    with (
        serve(Exchange(simulator.handle)) as served,
        simulator.background(0.01),
        httpx.Client(base_url=served.url, auth=(CONNECTOR_USER, CONNECTOR_PASSWORD)) as client,
    ):
        rows = [sample.order(f"PO-{number}") for number in range(20)]
        answer = client.post(f"/api/now/import/{ORDER}/insertMultiple", json={"records": rows})
        query = {"sysparm_query": f"sys_id={answer.json()['import_set_id']}", "sysparm_fields": "state"}
        for _ in range(500):
            if client.get("/api/now/table/sys_import_set", params=query).json()["result"] == [{"state": "processed"}]:
                break
    assert {row["sys_import_state"] for row in simulator.tables.rows(ORDER)} == {"inserted"}


def test_the_control_interface_gives_workers_time(desk: Desk) -> None:
    by_column(desk)
    many(desk, ORDER, [sample.order("PO-1")])
    assert desk.simulator.control("work", {"seconds": 0}) == {}
    assert states(desk) == ["inserted"]
    desk.time += timedelta(minutes=30)
    assert json.dumps(desk.simulator.control("run_jobs", None)) == '["Process draft invoices"]'
