"""The Table API of the ServiceNow stand-in: shapes, paging, single records, writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, InProcess

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
BASE = "https://example.service-now.com"
CENTERS = "/api/now/table/cmn_cost_center"
NOT_FOUND = {
    "error": {"message": "No Record found", "detail": "Record doesn't exist or ACL restricts the record retrieval"},
    "status": "failure",
}


@pytest.fixture
def simulator() -> ServiceNow:
    return ServiceNow(now=lambda: NOW, seed=sample.SEED)


@pytest.fixture
def client(simulator: ServiceNow) -> httpx.Client:
    transport = InProcess(Exchange(simulator.handle))
    return httpx.Client(transport=transport, base_url=BASE, auth=(ADMIN_USER, ADMIN_PASSWORD))


def only(client: httpx.Client, path: str) -> dict[str, Any]:
    (row,) = client.get(path).json()["result"]
    found: dict[str, Any] = row
    return found


def test_each_display_value_setting_has_its_own_shape(client: httpx.Client, simulator: ServiceNow) -> None:
    (company,) = simulator.tables.find("cmn_cost_center", {"code": "ALL"})
    link, value = f"{BASE}/api/now/table/cmn_cost_center/{company['sys_id']}", company["sys_id"]
    path = f"{CENTERS}?code=SALES&sysparm_fields=name,parent,manager"
    assert only(client, path) == {"name": "Sales", "parent": {"link": link, "value": value}, "manager": ""}
    assert only(client, f"{path}&sysparm_exclude_reference_link=true") == {
        "name": "Sales",
        "parent": value,
        "manager": "",
    }
    shown = f"{path}&sysparm_display_value=true"
    assert only(client, shown) == {"name": "Sales", "parent": {"display_value": "Company", "link": link}, "manager": ""}
    assert only(client, f"{shown}&sysparm_exclude_reference_link=true")["parent"] == "Company"
    assert only(client, f"{path}&sysparm_display_value=all") == {
        "name": {"display_value": "Sales", "value": "Sales"},
        "parent": {"display_value": "Company", "link": link, "value": value},
        "manager": {"display_value": "", "value": ""},
    }
    assert only(client, f"{path}&sysparm_display_value=all&sysparm_exclude_reference_link=true")["parent"] == {
        "display_value": "Company",
        "value": value,
    }


def test_capital_false_and_empty_parameters_count_as_not_set(client: httpx.Client) -> None:
    path = (
        f"{CENTERS}?sysparm_query=&sysparm_limit=10000&sysparm_offset=0&sysparm_display_value=False&sysparm_view="
        "&sysparm_suppress_pagination_header=False&sysparm_exclude_reference_link=False&sysparm_fields="
    )
    answer = client.get(path)
    assert len(answer.json()["result"]) == 3
    assert "link" in answer.json()["result"][1]["parent"]
    assert "Link" in answer.headers


def test_every_value_is_a_string_and_system_columns_are_always_there(client: httpx.Client) -> None:
    row = only(client, "/api/now/table/sn_shop_payment_term?name=Net 30")
    assert set(row) == {
        "sys_id",
        "sys_created_on",
        "sys_created_by",
        "sys_updated_on",
        "sys_updated_by",
        "sys_mod_count",
        "sys_tags",
        "name",
        "net_days",
    }
    assert all(isinstance(value, str) for value in row.values())
    assert (row["net_days"], row["sys_created_on"]) == ("30", "2026-05-04 08:00:00")


def test_choices_show_their_label_and_dates_the_users_time(client: httpx.Client, simulator: ServiceNow) -> None:
    simulator.tables.insert("sn_shop_invoice", {"external_invoice_number": "E-1", "type": "non_po_invoice"})
    (admin,) = simulator.tables.find("sys_user", {"user_name": ADMIN_USER})
    simulator.tables.update("sys_user", admin["sys_id"], {"time_zone": "Europe/Berlin"})
    path = "/api/now/table/sn_shop_invoice?sysparm_display_value=all&sysparm_fields=type,state,sys_created_on"
    assert only(client, path) == {
        "type": {"display_value": "Non PO invoice", "value": "non_po_invoice"},
        "state": {"display_value": "Draft", "value": "draft"},
        "sys_created_on": {"display_value": "2026-05-04 10:00:00", "value": "2026-05-04 08:00:00"},
    }


def test_dotted_fields_keep_their_path_as_key_and_unknown_ones_are_ignored(client: httpx.Client) -> None:
    path = f"{CENTERS}?sysparm_query=ORDERBYaccount_number&sysparm_fields=parent.name,parent.parent,nonsense,name.x"
    assert client.get(path).json()["result"] == [
        {"parent.name": "", "parent.parent": ""},
        {"parent.name": "Company", "parent.parent": ""},
        {"parent.name": "Company", "parent.parent": ""},
    ]
    user = only(
        client,
        "/api/now/table/sys_user_has_role?sysparm_query=user.user_name=admin&sysparm_limit=1&sysparm_fields=role",
    )
    assert set(user["role"]) == {"link", "value"}


def test_a_list_is_cut_into_pages_that_link_to_each_other(client: httpx.Client, simulator: ServiceNow) -> None:
    for number in range(7):
        simulator.tables.insert("sn_fin_uom", {"code": f"U{number}", "name": str(number)})
    path = "/api/now/table/sn_fin_uom?sysparm_query=ORDERBYcode&sysparm_fields=code&sysparm_limit=3&sysparm_offset="

    def page(offset: int) -> tuple[list[str], dict[str, str]]:
        answer = client.get(f"{path}{offset}")
        assert answer.headers["X-Total-Count"] == "7"
        links = {}
        for link in answer.headers["Link"].split(","):
            address, rel = link.split(";")
            assert address.startswith(f"<{BASE}/api/now/table/sn_fin_uom?sysparm_query=ORDERBYcode&")
            links[rel.removeprefix('rel="').rstrip('"')] = unquote(address).rstrip(">").rpartition("=")[2]
        return [row["code"] for row in answer.json()["result"]], links

    assert page(0) == (["U0", "U1", "U2"], {"next": "3", "first": "0", "last": "6"})
    assert page(3) == (["U3", "U4", "U5"], {"next": "6", "prev": "0", "first": "0", "last": "6"})
    assert page(6) == (["U6"], {"prev": "3", "first": "0", "last": "6"})
    assert page(9) == ([], {"prev": "6", "first": "0", "last": "6"})


def test_count_and_links_can_be_left_out(client: httpx.Client) -> None:
    plain = client.get(f"{CENTERS}?sysparm_suppress_pagination_header=true")
    assert "Link" not in plain.headers
    assert plain.headers["X-Total-Count"] == "3"
    uncounted = client.get(f"{CENTERS}?sysparm_no_count=true&sysparm_limit=1")
    assert "X-Total-Count" not in uncounted.headers
    assert 'rel="next"' in uncounted.headers["Link"]
    assert 'rel="last"' not in uncounted.headers["Link"]


def test_without_a_limit_ten_thousand_rows_come_and_no_more(client: httpx.Client, simulator: ServiceNow) -> None:
    for number in range(10_001):
        simulator.tables.insert("sn_fin_uom", {"code": str(number)})
    answer = client.get("/api/now/table/sn_fin_uom?sysparm_fields=code&sysparm_suppress_pagination_header=true")
    assert (len(answer.json()["result"]), answer.headers["X-Total-Count"]) == (10_000, "10001")


def test_an_empty_list_is_a_200_but_a_404_in_version_one(client: httpx.Client) -> None:
    for version in ("", "v2/"):
        answer = client.get(f"/api/now/{version}table/cmn_cost_center?code=none")
        assert (answer.status_code, answer.json()) == (200, {"result": []})
    old = client.get("/api/now/v1/table/cmn_cost_center?code=none")
    assert (old.status_code, old.json()) == (404, NOT_FOUND)
    assert client.get("/api/now/v1/table/cmn_cost_center").status_code == 200


def test_a_negative_offset_is_refused(client: httpx.Client) -> None:
    assert client.get(f"{CENTERS}?sysparm_offset=-1").status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_an_unknown_table_is_a_400(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/api/now/table/bad_name", json={} if method == "POST" else None)
    assert answer.status_code == 400
    if method != "HEAD":
        assert answer.json() == {"error": {"message": "Invalid table bad_name", "detail": None}, "status": "failure"}


def test_head_is_get_without_a_body(client: httpx.Client) -> None:
    answer = client.head(f"{CENTERS}?sysparm_limit=1")
    assert (answer.status_code, answer.content, answer.headers["X-Total-Count"]) == (200, b"", "3")


def test_a_single_record_is_read_by_its_sys_id_also_through_a_parent_table(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    sys_id = simulator.tables.insert("sn_shop_purchase_order", {"erp_number": "PO-1"})
    own = client.get(f"/api/now/table/sn_shop_purchase_order/{sys_id}?sysparm_fields=number,erp_number").json()
    assert own == {"result": {"number": "PO0010001", "erp_number": "PO-1"}}
    parent = client.get(f"/api/now/table/sn_shop_order/{sys_id}?sysparm_fields=erp_number,sys_class_name").json()
    assert parent == {"result": {"sys_class_name": "sn_shop_purchase_order"}}
    missing = client.get(f"/api/now/table/sn_shop_purchase_order/{'0' * 32}")
    assert (missing.status_code, missing.json()) == (404, NOT_FOUND)


def test_a_post_makes_a_record_and_says_where(client: httpx.Client, simulator: ServiceNow) -> None:
    (company,) = simulator.tables.find("cmn_cost_center", {"code": "ALL"})
    body = {"name": "Research", "code": "RES", "parent": company["sys_id"], "bunk_field": "x", "sys_created_by": "me"}
    answer = client.post(f"{CENTERS}?sysparm_exclude_reference_link=true", json=body)
    record = answer.json()["result"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{BASE}{CENTERS}/{record['sys_id']}"
    assert (record["name"], record["parent"], record["sys_created_by"]) == ("Research", company["sys_id"], "admin")
    assert "bunk_field" not in record
    assert simulator.writes() == {"cmn_cost_center": 1}


def test_of_an_array_only_the_first_record_is_made(client: httpx.Client, simulator: ServiceNow) -> None:
    assert client.post(CENTERS, json=[{"name": "one"}, {"name": "two"}]).json()["result"]["name"] == "one"
    assert simulator.writes() == {"cmn_cost_center": 1}


def test_a_sys_id_of_the_clients_own_is_kept_and_never_made_twice(client: httpx.Client, simulator: ServiceNow) -> None:
    own = "AAAABBBBCCCCDDDDEEEEFFFF00001111"
    assert client.post(CENTERS, json={"sys_id": own, "name": "x"}).json()["result"]["sys_id"] == own
    again = client.post(CENTERS, json={"sys_id": own, "name": "y"})
    assert (again.status_code, again.json()["error"]["message"]) == (403, "Operation Failed")
    assert "Unique Key violation detected by database" in again.json()["error"]["detail"]
    assert len(simulator.tables.rows("cmn_cost_center")) == 4


def test_a_unique_column_refuses_a_second_holder(client: httpx.Client) -> None:
    assert client.post("/api/now/table/sys_user", json={"user_name": "Admin"}).status_code == 403


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_changes_only_the_fields_sent(client: httpx.Client, simulator: ServiceNow, method: str) -> None:
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    path = f"{CENTERS}/{sales['sys_id']}"
    record = client.request(method, path, json={"name": "Sales and more"}).json()["result"]
    assert (record["name"], record["code"], record["sys_mod_count"]) == ("Sales and more", "SALES", "1")
    same = client.request(method, path, json={"name": "Sales and more"}).json()["result"]
    assert same["sys_mod_count"] == "1"
    assert client.request(method, f"{CENTERS}/{'0' * 32}", json={"name": "x"}).status_code == 404


def test_a_post_may_carry_another_method_in_its_header(client: httpx.Client, simulator: ServiceNow) -> None:
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    headers = {"X-HTTP-Method-Override": "PATCH"}
    answer = client.post(f"{CENTERS}/{sales['sys_id']}", json={"code": "S"}, headers=headers)
    assert (answer.status_code, answer.json()["result"]["code"]) == (200, "S")


def test_a_delete_is_a_204_without_a_body(client: httpx.Client, simulator: ServiceNow) -> None:
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    answer = client.delete(f"{CENTERS}/{sales['sys_id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.delete(f"{CENTERS}/{sales['sys_id']}").status_code == 404


def test_the_body_can_be_left_out(client: httpx.Client, simulator: ServiceNow) -> None:
    answer = client.post(CENTERS, json={"name": "quiet"}, headers={"X-no-response-body": "true"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert simulator.tables.find("cmn_cost_center", {"name": "quiet"})


def test_values_that_do_not_fit_vanish_without_a_word(client: httpx.Client) -> None:
    body = {
        "type": "unheard of",
        "supplier": "Fabrikam",
        "subtotal": "ten",
        "invoice_date": "2026-02-30",
        "currency": "EURO",
    }
    record = client.post("/api/now/table/sn_shop_invoice", json=body).json()["result"]
    assert {name: record[name] for name in body} == {
        "type": "",
        "supplier": "",
        "subtotal": "",
        "invoice_date": "",
        "currency": "EUR",
    }


def test_a_choice_outside_the_list_is_kept_where_the_property_allows_it(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    simulator.properties.set("glide.rest.choice.allow_non_existing_value", "true")
    record = client.post("/api/now/table/sn_shop_invoice", json={"type": "proforma"}).json()["result"]
    assert record["type"] == "proforma"


def test_an_empty_string_clears_a_field_but_not_a_choice(client: httpx.Client, simulator: ServiceNow) -> None:
    sys_id = simulator.tables.insert("sn_shop_invoice", {"type": "credit_memo", "erp_number": "1"})
    answer = client.patch(f"/api/now/table/sn_shop_invoice/{sys_id}", json={"type": "", "erp_number": ""})
    assert (answer.json()["result"]["type"], answer.json()["result"]["erp_number"]) == ("credit_memo", "")


def test_display_values_can_be_written_on_request(client: httpx.Client, simulator: ServiceNow) -> None:
    (admin,) = simulator.tables.find("sys_user", {"user_name": ADMIN_USER})
    simulator.tables.update("sys_user", admin["sys_id"], {"time_zone": "Europe/Berlin"})
    path = "/api/now/table/{}?sysparm_input_display_value=true&sysparm_exclude_reference_link=true"
    invoice = client.post(path.format("sn_shop_invoice"), json={"type": "Credit memo", "supplier": "fabrikam"})
    (fabrikam,) = simulator.tables.find("sn_fin_supplier", {"legal_name": "Fabrikam"})
    assert (invoice.json()["result"]["type"], invoice.json()["result"]["supplier"]) == (
        "credit_memo",
        fabrikam["sys_id"],
    )
    center = client.post(path.format("cmn_cost_center"), json={"valid_from": "2026-07-01 02:00:00"})
    assert center.json()["result"]["valid_from"] == "2026-07-01 00:00:00"


def test_the_answer_to_a_write_has_the_shape_asked_for(client: httpx.Client) -> None:
    answer = client.post(f"{CENTERS}?sysparm_fields=name&sysparm_display_value=all", json={"name": "x"})
    assert answer.json() == {"result": {"name": {"display_value": "x", "value": "x"}}}


def test_an_update_cannot_take_a_unique_value_and_may_send_a_reference_as_an_object(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    (user,) = simulator.tables.find("sys_user", {"user_name": "connector"})
    path = f"/api/now/table/sys_user/{user['sys_id']}"
    assert client.patch(path, json={"user_name": "admin"}).status_code == 403
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    client.patch(path, json={"cost_center": {"value": sales["sys_id"], "link": "x"}})
    assert user["cost_center"] == sales["sys_id"]
