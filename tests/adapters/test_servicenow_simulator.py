"""The ServiceNow stand-in as a whole: both mounts, the control interface, threads, and what is no API at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, InProcess, serve

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
BASE = "https://example.service-now.com"
AUTH = (CONNECTOR_USER, CONNECTOR_PASSWORD)


def fresh() -> ServiceNow:
    return ServiceNow(now=lambda: NOW, seed=sample.SEED)


def in_process(simulator: ServiceNow) -> httpx.Client:
    return httpx.Client(transport=InProcess(Exchange(simulator.handle)), base_url=BASE, auth=AUTH)


@pytest.fixture
def on_the_wire() -> Iterator[httpx.Client]:
    simulator = fresh()
    with (
        serve(Exchange(simulator.handle), control=simulator.control) as served,
        httpx.Client(base_url=served.url, auth=AUTH) as client,
    ):
        yield client


def test_both_mounts_give_the_same_answers(on_the_wire: httpx.Client) -> None:
    calls: list[tuple[str, str, object]] = [
        ("POST", "/api/now/import/sn_fcms_intg_imp_order", sample.order("PO-1")),
        ("POST", "/api/now/import/sn_fcms_intg_imp_order", sample.order("PO-2", u_cost_center="gone")),
        ("GET", "/api/now/table/sn_shop_purchase_order?sysparm_display_value=all", None),
        ("GET", "/api/now/table/cmn_cost_center?sysparm_query=nameLIKEs^ORDERBYcode&sysparm_limit=1", None),
        ("HEAD", "/api/now/table/cmn_cost_center", None),
        ("GET", "/api/now/table/no_such_table", None),
        ("POST", "/api/now/v1/batch", {"batch_request_id": 7, "rest_requests": []}),
        ("DELETE", "/api/now/table/cmn_cost_center/nothing", None),
    ]
    with in_process(fresh()) as inside:
        for method, path, body in calls:
            here, there = (client.request(method, path, json=body) for client in (inside, on_the_wire))
            assert (here.status_code, here.content) == (there.status_code, there.content), path
            # A transaction number and a session cookie come with each answer; the first is equal on equal instances.
            ignored = {"set-cookie", "content-length"}
            assert {k: v for k, v in here.headers.items() if k not in ignored} == {
                k: v for k, v in there.headers.items() if k not in ignored
            }, path


def test_the_control_interface_reads_and_writes_past_the_apis(on_the_wire: httpx.Client) -> None:
    def control(name: str, body: object) -> object:
        return on_the_wire.post(f"/_control/{name}", json=body).json()

    rows = [{"name": "Research", "code": "RES", "account_number": "CC-30"}]
    (sys_id,) = on_the_wire.post("/_control/insert", json={"table": "cmn_cost_center", "rows": rows}).json()
    assert control("update", {"table": "cmn_cost_center", "sys_id": sys_id, "changes": {"code": "R"}}) == ["code"]
    control("property", {"name": "x.y", "value": "1"})
    found = on_the_wire.post("/_control/rows", json={"table": "cmn_cost_center", "query": "code=R"}).json()
    assert [row["name"] for row in found] == ["Research"]
    assert control("writes", None) == {"cmn_cost_center": 2, "sys_properties": 1}
    assert control("delete", {"table": "cmn_cost_center", "sys_id": sys_id}) is True
    assert control("rows", {"table": "cmn_cost_center", "query": "code=R"}) == []
    assert "no control named nothing" in str(control("nothing", None))


def test_a_path_that_is_no_api_leads_to_the_login_page() -> None:
    with in_process(fresh()) as client:
        answer = client.get("/incident_list.do")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{BASE}/login.do")


def test_an_unknown_api_is_a_400_with_the_path() -> None:
    with in_process(fresh()) as client:
        answer = client.get("/api/sn_none/v1/thing")
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "Requested URI does not represent any resource",
        "detail": "/api/sn_none/v1/thing",
    }


def test_a_method_the_resource_does_not_have_is_a_405() -> None:
    with in_process(fresh()) as client:
        assert client.delete("/api/now/import/sn_fcms_intg_imp_order").status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "application/json"}, 200),
        ({"Accept": "*/*"}, 200),
        ({"Accept": "text/html, application/*;q=0.8"}, 200),
        ({"Accept": "text/csv"}, 406),
    ],
)
def test_the_accept_header_is_checked(headers: dict[str, str], status: int) -> None:
    with in_process(fresh()) as client:
        assert client.get("/api/now/table/cmn_cost_center", headers=headers).status_code == status


def test_a_body_that_is_not_json_is_refused_by_its_type_and_by_its_content() -> None:
    simulator = fresh()
    with in_process(simulator) as client:
        path = "/api/now/import/sn_fcms_intg_imp_order"
        assert client.post(path, content="a=b", headers={"Content-Type": "text/plain"}).status_code == 415
        broken = client.post(path, content="{", headers={"Content-Type": "application/json"})
        assert (broken.status_code, broken.json()["error"]["message"]) == (400, "Exception while reading request")
        large = client.post(path, content=b" " * 10_485_761, headers={"Content-Type": "application/json"})
    assert large.status_code == 400
    assert "content-length = 10485761 bytes. Max allowed: 10485760 bytes." in large.json()["error"]["detail"]
    assert simulator.writes() == {}


def test_parallel_identical_imports_make_one_record() -> None:
    simulator = fresh()
    statuses: list[str] = []

    def post() -> None:
        with in_process(simulator) as client:
            for _ in range(10):
                answer = client.post("/api/now/import/sn_fcms_intg_imp_order", json=sample.order("PO-1"))
                statuses.append(answer.json()["result"][0]["status"])

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["ignored"] * 79 + ["inserted"]
    assert simulator.tables.inserts["sn_shop_purchase_order"] == 1


def test_instance_addresses_do_not_follow_the_host_of_the_request() -> None:
    simulator = ServiceNow(now=lambda: NOW, instance_url="https://true.service-now.com", seed=sample.SEED)
    with in_process(simulator) as client:
        answer = client.get("/api/now/table/cmn_cost_center")
    assert answer.headers["Link"].startswith("<https://true.service-now.com/api/now/table/cmn_cost_center?")


def test_a_typing_error_in_a_test_row_fails_aloud() -> None:
    tables = fresh().tables
    with pytest.raises(ValueError, match="has no column nane"):
        tables.insert("cmn_cost_center", {"nane": "x"})
    with pytest.raises(ValueError, match="no record of cmn_cost_center is called 'Nowhere'"):
        tables.insert("cmn_cost_center", {"parent": "Nowhere"})
    with pytest.raises(KeyError):
        tables.update("cmn_cost_center", "0" * 32, {"name": "x"})
    assert tables.delete("cmn_cost_center", "0" * 32) is False


def test_a_reference_may_point_at_a_record_that_is_gone() -> None:
    simulator = fresh()
    simulator.tables.insert("cmn_cost_center", {"name": "orphan", "code": "O", "parent": "f" * 32})
    with in_process(simulator) as client:
        path = "/api/now/table/cmn_cost_center?code=O&sysparm_fields=parent,parent.name&sysparm_display_value=all"
        (row,) = client.get(f"{path}&sysparm_exclude_reference_link=true").json()["result"]
    assert row == {
        "parent": {"display_value": "", "value": "f" * 32},
        "parent.name": {"display_value": "", "value": ""},
    }


def test_switches_can_be_set_over_the_control_interface() -> None:
    simulator = fresh()
    simulator.control("switches", {"commit_at_cutoff": True})
    assert simulator.switches.commit_at_cutoff is True
    with pytest.raises(ValueError, match="no switch named other"):
        simulator.control("switches", {"other": True})
