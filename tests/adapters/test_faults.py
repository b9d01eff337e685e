"""The named faults of both stand-ins: what a client sees, what has happened behind it, and scenarios on either mount."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.adapters.servicenow_bench import BASE, CENTERS, ORDERS, Bench, basic
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.fault_names import BUSINESS_CENTRAL, FAULTS, SERVICENOW
from tests.sandbox.faults import SCENARIOS, Scenario, load_scenario, prepare
from tests.sandbox.sample import companies
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, Fault, InProcess, serve

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
ORDER_TARGET = "sn_shop_purchase_order"
AUTH = {"Authorization": basic(CONNECTOR_USER, CONNECTOR_PASSWORD)}


def faulty(name: str, **rule: Any) -> Bench:
    bench = Bench()
    found = prepare(name, moment=NOW, **rule)
    bench.exchange.faults = found.wire
    bench.simulator.front.injected.rows = found.inside
    for switch, value in found.switches.items():
        bench.switches.set(switch, value)
    return bench


def order_of(bench: Bench) -> httpx.Response:
    return bench.post(ORDERS, sample.order("PO-1"))


def batch_of(bench: Bench, count: int) -> dict[str, Any]:
    items = [
        {
            "id": f"{number}",
            "method": "POST",
            "url": ORDERS,
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "body": base64.b64encode(json.dumps(sample.order(f"PO-{number}")).encode()).decode(),
        }
        for number in range(count)
    ]
    answer = bench.post("/api/now/v1/batch", {"batch_request_id": "1", "rest_requests": items})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def written(bench: Bench) -> int:
    return len(bench.tables.rows(ORDER_TARGET))


# Each name: status, a piece of the body, and whether the order was written.


@pytest.mark.parametrize(
    ("name", "status", "text", "orders"),
    [
        ("sn.rate_limited", 429, "Rate limit exceeded", 0),
        ("sn.semaphore_full", 429, "429", 0),
        ("sn.dropped_202", 202, "", 0),
        ("sn.error_before_commit_500", 500, "java.lang.Exception", 0),
        ("sn.error_after_commit_500", 500, "maximum execution time exceeded", 1),
        ("sn.forbidden_after_commit_403", 403, "ACL Exception Insert Failed", 1),
        ("sn.forbidden_403", 403, "Failed API level ACL Validation", 0),
        ("sn.transaction_cancelled_500", 500, "maximum execution time exceeded", 0),
        ("sn.hibernating", 200, "Instance Hibernating page", 0),
        ("sn.hibernating_redirect", 302, "", 0),
        ("sn.maintenance_503", 503, "being upgraded", 0),
        ("sn.maintenance_200", 200, "being upgraded", 0),
        ("sn.bad_gateway_502", 502, "Bad Gateway", 0),
        ("sn.login_redirect", 302, "", 0),
        ("sn.token_expired", 401, "User Not Authenticated", 0),
        ("sn.import_error", 201, '"status":"error"', 0),
        ("sn.import_empty_result", 201, '"result":[]', 0),
        ("sn.import_asynchronous", 201, '"table":"sn_fcms_intg_imp_order"', 0),
        ("sn.others_use_all_semaphores", 429, "Too Many Requests", 0),
    ],
)
def test_a_named_servicenow_fault_meets_a_write_once(name: str, status: int, text: str, orders: int) -> None:
    bench = faulty(name)
    answer = order_of(bench)
    assert (answer.status_code, text in answer.text, written(bench)) == (status, True, orders)
    bench.switches.others_in_flight = 0
    again = order_of(bench)
    assert (again.status_code, again.json()["result"][0]["status"]) == (201, "ignored" if orders else "inserted")


@pytest.mark.parametrize(
    ("name", "fault", "orders"),
    [
        ("sn.refused", httpx.ConnectError, 0),
        ("sn.reset_before", httpx.ReadError, 0),
        ("sn.reset_after", httpx.ReadError, 1),
        ("sn.cut_body", httpx.RemoteProtocolError, 1),
    ],
)
def test_a_named_servicenow_fault_cuts_the_connection(name: str, fault: type[Exception], orders: int) -> None:
    bench = faulty(name)
    with pytest.raises(fault):
        order_of(bench)
    assert written(bench) == orders


def test_an_answer_beyond_the_clients_patience_is_a_time_out_of_what_took_effect() -> None:
    slept: list[float] = []
    simulator = ServiceNow(now=lambda: NOW, seed=sample.SEED)
    exchange = Exchange(simulator.handle, sleep=slept.append)
    exchange.faults = prepare("sn.slow_beyond_limit").wire
    with httpx.Client(transport=InProcess(exchange), base_url=BASE, timeout=30, headers=AUTH) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(ORDERS, json=sample.order("PO-1"))
        assert (slept, len(simulator.tables.rows(ORDER_TARGET))) == ([30], 1)
        exchange.faults = prepare("sn.slow_beyond_limit", delay=20.0).wire
        assert client.get(CENTERS).status_code == 200
    assert slept == [30, 20.0]


def test_a_rate_limit_has_its_headers_and_a_full_semaphore_has_none() -> None:
    limited = faulty("sn.rate_limited", retry_after=45).get(CENTERS)
    assert limited.headers["Retry-After"] == "45"
    assert limited.headers["X-RateLimit-Reset"] == str(int(NOW.timestamp()) + 45)
    full = faulty("sn.semaphore_full").get(CENTERS)
    assert not {"retry-after", "x-ratelimit-limit"} & set(full.headers)


def test_a_truncated_list_cannot_be_parsed_and_names_the_reason() -> None:
    answer = faulty("sn.truncated_200").get(CENTERS)
    assert (answer.status_code, "maximum execution time exceeded" in answer.text) == (200, True)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_the_token_endpoint_has_a_fault_of_its_own() -> None:
    bench = faulty("sn.token_refused")
    assert bench.get(CENTERS).status_code == 200
    assert bench.send("POST", "/oauth_token.do").json()["error"] == "server_error"


def test_pages_can_be_short_empty_reordered_or_without_a_field() -> None:
    path = f"{CENTERS}?sysparm_fields=code,name&sysparm_query=ORDERBYcode"
    assert [row["code"] for row in faulty("sn.acl_short_page").get(path).json()["result"]] == ["ALL", "PROD"]
    empty = faulty("sn.acl_empty_page").get(path)
    assert (empty.json()["result"], empty.headers["X-Total-Count"]) == ([], "3")
    assert [row["code"] for row in faulty("sn.rows_reordered").get(path).json()["result"]] == ["SALES", "PROD", "ALL"]
    assert "name" not in faulty("sn.field_stripped").get(path).json()["result"][0]
    assert "code" not in faulty("sn.field_stripped", field="code").get(path).json()["result"][0]


def test_a_field_can_be_silently_not_written() -> None:
    bench = faulty("sn.field_ignored", field="u_cost_center")
    (result,) = order_of(bench).json()["result"]
    assert result["status"] == "inserted"
    assert bench.tables.rows(ORDER_TARGET)[0]["cost_center"] == ""


def test_import_faults_leave_the_staging_row_in_the_state_they_claim() -> None:
    states = {}
    for name in ("sn.import_error", "sn.import_empty_result", "sn.import_asynchronous"):
        bench = faulty(name)
        order_of(bench)
        states[name] = bench.tables.rows("sn_fcms_intg_imp_order")[0]["sys_import_state"]
    assert list(states.values()) == ["error", "pending", "pending"]


def test_a_line_can_come_before_its_order() -> None:
    bench = faulty("sn.line_before_order")
    order_of(bench)
    path = "/api/now/import/sn_fcms_intg_imp_order_line"
    statuses = [bench.post(path, sample.order_line("PO-1", "1")).json()["result"][0]["status"] for _ in range(2)]
    assert statuses == ["error", "inserted"]


@pytest.mark.parametrize(("name", "orders"), [("sn.batch_unserviced", 2), ("sn.batch_unserviced_committed", 3)])
def test_a_batch_ends_at_the_item_the_rule_chooses(name: str, orders: int) -> None:
    bench = faulty(name, skip=2)
    body = batch_of(bench, 5)
    assert [item["id"] for item in body["serviced_requests"]] == ["0", "1"]
    assert body["unserviced_requests"] == ["2", "3", "4"]
    assert written(bench) == orders
    assert batch_of(bench, 5)["unserviced_requests"] == []


def test_faults_inside_the_instance_meet_the_items_of_a_batch() -> None:
    bench = faulty("sn.error_after_commit_500", path="/import/", skip=1)
    statuses = [item["status_code"] for item in batch_of(bench, 3)["serviced_requests"]]
    assert (statuses, written(bench)) == ([201, 500, 201], 3)


def test_a_fault_by_switch_lasts_until_the_switch_is_set_back() -> None:
    bench = faulty("sn.session_is_busy")
    with httpx.Client(transport=InProcess(bench.exchange), base_url=BASE, headers=AUTH) as client:
        assert [client.get(CENTERS).status_code for _ in range(3)] == [200, 202, 202]
        bench.switches.others_on_session = 0
        assert client.get(CENTERS).status_code == 200


# Business Central.


class Central:
    """A Business Central stand-in with a client that carries a token."""

    def __init__(self, name: str, **rule: Any) -> None:
        self.simulator = BusinessCentral(companies(), now=lambda: NOW)
        self.slept: list[float] = []
        self.exchange = Exchange(self.simulator.handle, sleep=self.slept.append)
        self.client = httpx.Client(transport=InProcess(self.exchange), base_url=self.simulator.base_url)
        self.headers = {"Authorization": f"Bearer {self.token().json()['access_token']}"}
        self.exchange.faults = prepare(name, **rule).wire

    def token(self) -> httpx.Response:
        simulator = self.simulator
        form = {
            "grant_type": "client_credentials",
            "client_id": simulator.client_id,
            "client_secret": "first-secret",
            "scope": "https://api.businesscentral.dynamics.com/.default",
        }
        return self.client.post(f"/{simulator.tenant}/oauth2/v2.0/token", data=form)

    def get(self, rest: str = "companies") -> httpx.Response:
        simulator = self.simulator
        path = f"/v2.0/{simulator.tenant}/{simulator.environment}/api/v2.0/{rest}"
        return self.client.get(path, headers=self.headers)


@pytest.mark.parametrize(
    ("name", "status", "code", "wait"),
    [
        ("bc.throttled", 429, "Application_TooManyRequests", None),
        ("bc.throttled_with_retry_after", 429, "Application_TooManyRequests", "20"),
        ("bc.token_expired", 401, "Authentication_InvalidCredentials", None),
        ("bc.forbidden_403", 403, "Authorization_AccessDenied", None),
        ("bc.server_error_500", 500, "Internal_ServerError", None),
        ("bc.unavailable_503", 503, "Internal_TenantUnavailable", "30"),
        ("bc.timeout_408", 408, "Unknown", None),
        ("bc.conflict_409", 409, "Request_EntityChanged", None),
        ("bc.translated_error", 404, "Internal_RecordNotFound", None),
    ],
)
def test_a_named_business_central_fault_is_an_odata_error(name: str, status: int, code: str, wait: str | None) -> None:
    central = Central(name)
    answer = central.get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"].endswith("  CorrelationId:  7fbe0bac-b30b-4c26-aa52-653622f9cce2.")
    assert answer.headers.get("Retry-After") == wait
    assert central.get().status_code == 200


@pytest.mark.parametrize(
    ("name", "status"), [("bc.bad_gateway_502", 502), ("bc.gateway_timeout_504", 504), ("bc.html_200", 200)]
)
def test_a_proxys_answer_is_no_json(name: str, status: int) -> None:
    answer = Central(name).get()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html;charset=UTF-8")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("bc.refused", httpx.ConnectError),
        ("bc.reset_before", httpx.ReadError),
        ("bc.reset_after", httpx.ReadError),
        ("bc.cut_body", httpx.RemoteProtocolError),
        ("bc.slow", httpx.ReadTimeout),
    ],
)
def test_a_named_business_central_fault_cuts_the_connection(name: str, fault: type[Exception]) -> None:
    central = Central(name)
    with pytest.raises(fault):
        central.get()
    assert central.get().status_code == 200


def test_half_a_document_looks_whole_to_the_transport() -> None:
    answer = Central("bc.truncated_json").get()
    assert (answer.status_code, answer.text.startswith('{"@odata.context"')) == (200, True)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_dangling_dimension_fails_only_what_expands_dimension_sets() -> None:
    central = Central("bc.dangling_dimension")
    company = central.get().json()["value"][0]["id"]
    plain = central.get(f"companies({company})/purchaseOrders")
    expanded = central.get(f"companies({company})/purchaseOrders?$expand=dimensionSetLines")
    assert (plain.status_code, expanded.status_code) == (200, 404)


def test_the_identity_provider_can_fail_alone() -> None:
    central = Central("bc.token_refused")
    assert central.get().status_code == 200
    assert central.token().status_code == 503


# Rules.


def statuses(bench: Bench, count: int) -> list[int]:
    return [bench.get(CENTERS).status_code for _ in range(count)]


def test_a_rule_skips_meets_and_stops() -> None:
    assert statuses(faulty("sn.forbidden_403", skip=2, times=2), 6) == [200, 200, 403, 403, 200, 200]
    assert statuses(faulty("sn.dropped_202", times=0), 4) == [202] * 4


def test_a_rule_chooses_by_method_path_and_body() -> None:
    bench = faulty("sn.rate_limited", method="POST", path="/import/", body="PO-2", times=0)
    assert bench.get(CENTERS).status_code == 200
    assert order_of(bench).status_code == 201
    assert bench.post(ORDERS, sample.order("PO-2")).status_code == 429


def test_a_rule_can_let_the_system_act_first() -> None:
    bench = faulty("sn.transaction_cancelled_500", after=True)
    assert (order_of(bench).status_code, written(bench)) == (500, 1)
    with pytest.raises(ValueError, match=r"sn\.cut_body cannot show after the system acted"):
        prepare("sn.cut_body", after=True)


def test_chance_depends_on_the_seed_and_nothing_else() -> None:
    def run(seed: int) -> list[int]:
        bench = Bench()
        Scenario(seed, (("sn.dropped_202", {"probability": 0.5, "times": 0}),)).install("sn", bench.exchange)
        return statuses(bench, 40)

    first = run(1)
    assert first == run(1)
    assert first != run(2)
    assert 10 < first.count(202) < 30


def test_chance_inside_the_instance_depends_on_the_seed_as_well() -> None:
    def run(seed: int) -> list[int]:
        bench = Bench()
        scenario = Scenario(seed, (("sn.forbidden_403", {"probability": 0.5, "times": 0}),))
        scenario.install("sn", bench.exchange, bench.simulator)
        return statuses(bench, 40)

    assert run(1) == run(1) != run(2)


def test_a_fault_without_a_probability_draws_no_chance() -> None:
    bench = Bench()
    bench.exchange.faults = [Fault("answer", status=418, times=None)]
    before = bench.exchange.chance.getstate()
    assert statuses(bench, 2) == [418, 418]
    assert bench.exchange.chance.getstate() == before


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_has_a_meaning_and_can_be_sent_to_a_served_simulator(name: str) -> None:
    assert FAULTS[name].meaning.endswith(".")
    system = "sn" if name in SERVICENOW else "bc"
    assert name.startswith(f"{system}.")
    assert (name in BUSINESS_CENTRAL) == (system == "bc")
    scenario = Scenario(0, ((name, {}),))
    assert json.loads(json.dumps(scenario.controls("sn" if system == "sn" else "bc")))


@pytest.mark.parametrize(
    ("name", "rule", "words"),
    [
        ("sn.nothing", {}, "no fault named sn.nothing"),
        ("sn.import_error", {"delay": 1}, "sn.import_error takes no delay"),
        ("bc.throttled", {"pathh": "x"}, "bc.throttled takes no pathh"),
        ("sn.session_is_busy", {"times": 1}, "sn.session_is_busy takes no times"),
    ],
)
def test_a_typing_error_in_a_rule_fails_aloud(name: str, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepare(name, **rule)


# Scenarios.


def outcome(send: Callable[[], httpx.Response]) -> tuple[int | str, str]:
    try:
        answer = send()
    except httpx.TransportError:
        return "cut", ""
    return answer.status_code, answer.text


@contextmanager
def mounted(scenario: Scenario, *, on_the_wire: bool) -> Iterator[httpx.Client]:
    simulator = ServiceNow(now=lambda: NOW, seed=sample.SEED)
    exchange = Exchange(simulator.handle)
    if not on_the_wire:
        scenario.install("sn", exchange, simulator)
        with httpx.Client(transport=InProcess(exchange), base_url=BASE, headers=AUTH) as client:
            yield client
        return
    with (
        serve(exchange, control=simulator.control) as served,
        httpx.Client(base_url=served.url, headers=AUTH) as client,
    ):
        for name, body in scenario.controls("sn"):
            client.post(f"/_control/{name}", json=body).raise_for_status()
        yield client


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_scenario_gives_the_same_faults_on_both_mounts(path: Path) -> None:
    scenario = load_scenario(path)

    def run(*, on_the_wire: bool) -> list[tuple[int | str, str]]:
        with mounted(scenario, on_the_wire=on_the_wire) as client:

            def sent(number: int) -> tuple[int | str, str]:
                client.cookies.clear()
                if number % 2:
                    return outcome(lambda: client.get(f"{CENTERS}?sysparm_fields=code"))
                return outcome(lambda: client.post(ORDERS, json=sample.order(f"PO-{number}")))

            return [sent(number) for number in range(60)]

    inside, outside = run(on_the_wire=False), run(on_the_wire=True)
    assert inside == outside
    assert len({status for status, _ in inside}) > 3


def test_a_scenario_with_faults_inside_needs_the_simulator() -> None:
    scenario = load_scenario(SCENARIOS / "instance_away.toml")
    with pytest.raises(ValueError, match="give its simulator"):
        scenario.install("sn", Exchange(ServiceNow(now=lambda: NOW).handle))
    assert scenario.prepared("bc").wire == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[fault]]\nname = "sn.hibernated"', "no fault named sn.hibernated"),
        ('[[fault]]\nname = "sn.hibernating"\nprobabilty = 1', "takes no probabilty"),
        ("sed = 1", "unknown sed"),
    ],
)
def test_a_typing_error_in_a_scenario_fails_when_it_is_loaded(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        load_scenario(path)
