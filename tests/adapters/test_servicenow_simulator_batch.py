"""The Batch API of the ServiceNow stand-in."""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, InProcess

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
ORDER, ORDER_LINE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line"


def fresh(row_seconds: float = 0.0) -> ServiceNow:
    return ServiceNow(now=lambda: NOW, seed=sample.SEED, row_seconds=row_seconds)


def client(simulator: ServiceNow) -> httpx.Client:
    transport = InProcess(Exchange(simulator.handle))
    return httpx.Client(
        transport=transport, base_url="https://example.service-now.com", auth=(CONNECTOR_USER, CONNECTOR_PASSWORD)
    )


def item(name: object, table: str, row: dict[str, str], **extra: object) -> dict[str, Any]:
    headers = [{"name": "Content-Type", "value": "application/json"}, {"name": "Accept", "value": "application/json"}]
    body = base64.b64encode(json.dumps(row).encode()).decode()
    return {"id": name, "method": "POST", "url": f"/api/now/import/{table}", "headers": headers, "body": body} | extra


def send(simulator: ServiceNow, items: list[dict[str, Any]], **headers: str) -> dict[str, Any]:
    answer = client(simulator).post(
        "/api/now/v1/batch", json={"batch_request_id": 5, "rest_requests": items}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def inner(serviced: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(base64.b64decode(serviced["body"]))
    return body


def statuses(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["id"], inner(one)["result"][0]["status"]) for one in answer["serviced_requests"]]


def test_items_run_in_order_each_with_its_own_outcome() -> None:
    simulator = fresh()
    items = [
        item("early", ORDER_LINE, sample.order_line("PO-1", "1")),
        item("h", ORDER, sample.order("PO-1")),
        item(3, ORDER_LINE, sample.order_line("PO-1", "1")),
        item("again", ORDER, sample.order("PO-1")),
    ]
    answer = send(simulator, items)
    assert statuses(answer) == [("early", "error"), ("h", "inserted"), ("3", "inserted"), ("again", "ignored")]
    assert (answer["batch_request_id"], answer["unserviced_requests"]) == ("5", [])
    first = answer["serviced_requests"][0]
    assert (first["status_code"], first["status_text"], first["execution_time"]) == (201, "Created", 0)
    assert {"name": "content-type", "value": "application/json;charset=UTF-8"} in first["headers"]


def test_headers_can_be_left_out_of_an_item() -> None:
    answer = send(fresh(), [item("h", ORDER, sample.order("PO-1"), exclude_response_headers=True)])
    assert answer["serviced_requests"][0]["headers"] == []


def test_an_empty_batch_is_answered() -> None:
    assert send(fresh(), []) == {"batch_request_id": "5", "serviced_requests": [], "unserviced_requests": []}


def test_items_may_be_of_any_api_and_failures_stay_inside() -> None:
    simulator = fresh()
    headers = [{"name": "Accept", "value": "text/csv"}]
    items: list[dict[str, Any]] = [
        {"id": "list", "method": "GET", "url": "/api/now/table/cmn_cost_center?sysparm_query=code=ALL^ORDERBYname"},
        {"id": "table", "method": "GET", "url": "/api/now/table/nothing"},
        {"id": "path", "method": "GET", "url": "/api/unknown"},
        {"id": "absolute", "method": "GET", "url": "https://elsewhere.example/api/now/table/cmn_cost_center"},
        {"id": "accept", "method": "GET", "url": "/api/now/table/cmn_cost_center", "headers": headers},
        {"id": "acl", "method": "DELETE", "url": "/api/now/table/cmn_cost_center/x"},
        {"id": "nested", "method": "POST", "url": "/api/now/v1/batch", "body": ""},
        item("base64", ORDER, {}, body="*"),
        item("json", ORDER, {}, body=base64.b64encode(b"{").decode()),
    ]
    answer = send(simulator, items)
    assert [(one["id"], one["status_code"]) for one in answer["serviced_requests"]] == [
        ("list", 200),
        ("table", 400),
        ("path", 400),
        ("absolute", 400),
        ("accept", 406),
        ("acl", 404),
        ("nested", 400),
        ("base64", 400),
        ("json", 400),
    ]
    assert [row["code"] for row in inner(answer["serviced_requests"][0])["result"]] == ["ALL"]
    assert simulator.writes() == {}


def test_a_batch_without_credentials_is_a_401_as_a_whole() -> None:
    answer = client(fresh()).post("/api/now/v1/batch", json={"rest_requests": []}, auth=("connector", "wrong"))
    assert answer.status_code == 401


@pytest.mark.parametrize("content", ["{", "[]", '{"rest_requests": {}}', '{"rest_requests": [{"url": "/"}]}'])
def test_a_broken_envelope_is_a_400(content: str) -> None:
    answer = client(fresh()).post("/api/now/v1/batch", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_only_the_versioned_address_exists() -> None:
    assert client(fresh()).post("/api/now/batch", json={"rest_requests": []}).status_code == 400


@pytest.mark.parametrize(("committed", "orders"), [(False, 3), (True, 4)])
def test_what_does_not_fit_into_thirty_seconds_is_listed_as_unserviced(committed: bool, orders: int) -> None:
    simulator = fresh(row_seconds=8.0)
    simulator.switches.commit_at_cutoff = committed
    items = [item(number, ORDER, sample.order(f"PO-{number}")) for number in range(6)]
    answer = send(simulator, items)
    assert [one["id"] for one in answer["serviced_requests"]] == ["0", "1", "2"]
    assert [one["execution_time"] for one in answer["serviced_requests"]] == [8000, 8000, 8000]
    assert answer["unserviced_requests"] == ["3", "4", "5"]
    assert simulator.tables.inserts["sn_shop_purchase_order"] == orders
    # Sent again, the committed one turns out to be there already.
    again = send(simulator, items[3:])
    assert statuses(again) == [("3", "ignored" if committed else "inserted"), ("4", "inserted"), ("5", "inserted")]


def test_reads_take_no_time_from_the_budget() -> None:
    reads = [{"id": f"r{n}", "method": "GET", "url": "/api/now/table/cmn_cost_center"} for n in range(5)]
    answer = send(fresh(row_seconds=30.0), [item("h", ORDER, sample.order("PO-1")), *reads])
    assert (len(answer["serviced_requests"]), answer["unserviced_requests"]) == (6, [])


def test_an_item_over_the_size_limit_ends_the_batch() -> None:
    simulator = fresh()
    large = item("large", ORDER, sample.order("PO-2", u_business_owner="x" * 5_242_880))
    items = [item("a", ORDER, sample.order("PO-1")), large, item("b", ORDER, sample.order("PO-3"))]
    answer = send(simulator, items)
    assert (statuses(answer), answer["unserviced_requests"]) == ([("a", "inserted")], ["large", "b"])
    simulator.properties.set("glide.rest.batch.max.inputSize", "200")
    assert send(simulator, items)["unserviced_requests"] == ["a", "large", "b"]


def test_an_answer_over_the_size_limit_ends_the_batch() -> None:
    items = [
        {"id": name, "method": "GET", "url": "/api/now/table/sys_dictionary?sysparm_limit=50"} for name in ("a", "b")
    ]
    answer = send(fresh(), items, **{"X-BATCHREQUEST-MAX-OUTPUT-SIZE": "1000"})
    assert (answer["serviced_requests"], answer["unserviced_requests"]) == ([], ["a", "b"])


def test_a_hundred_imports_take_well_under_a_second_among_thousands_of_rows() -> None:
    simulator = fresh()
    for number in range(5000):
        supplier = {"legal_name": f"Supplier {number}", "erp_supplier_code": str(number)}
        simulator.tables.insert("sn_fin_supplier", supplier)
        simulator.tables.insert("sn_shop_purchase_order", {"erp_number": f"OLD-{number}", "erp_source": sample.SOURCE})
    orders = [
        item(f"h{n}", ORDER, sample.order(f"PO-{n}", u_supplier_company_name=f"Supplier {n + 4000}")) for n in range(50)
    ]
    lines = [item(f"l{n}", ORDER_LINE, sample.order_line(f"PO-{n}", "10000")) for n in range(50)]
    started = time.perf_counter()
    answer = send(simulator, orders + lines)
    assert time.perf_counter() - started < 1.0
    assert {status for _, status in statuses(answer)} == {"inserted"}


def test_a_long_batch_lets_other_calls_through_between_its_items() -> None:
    simulator = fresh()
    items = [item(number, ORDER, sample.order(f"PO-{number}")) for number in range(1500)]
    thread = threading.Thread(target=send, args=(simulator, items))
    thread.start()
    done = simulator.tables.inserts
    served_meanwhile = 0
    with client(simulator) as other:
        while done["sn_shop_purchase_order"] < len(items):
            begun = done["sn_shop_purchase_order"] > 0
            other.get("/api/now/table/cmn_cost_center")
            served_meanwhile += begun and done["sn_shop_purchase_order"] < len(items)
    thread.join()
    assert served_meanwhile > 0
