"""The three limiters of the ServiceNow stand-in: rate rules, semaphores and transaction times.

After the vendor's "Inbound REST API rate limiting" page, its article on API semaphores and its default quota rules.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from tests.adapters.servicenow_bench import CENTERS, ORDERS, Bench, error
from tests.sandbox.servicenow import ADMIN_USER, CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, serve

NEXT_HOUR = int(datetime(2026, 5, 4, 9, 0, tzinfo=UTC).timestamp())
CANCELLED = "Transaction cancelled: maximum execution time exceeded"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def limit(bench: Bench, count: int, **columns: str) -> str:
    return bench.tables.insert(
        "sys_rate_limit_rules", {"name": f"{count}", "rest_api": "Table API", "request_limit": str(count), **columns}
    )


def batch(bench: Bench, *items: tuple[str, str, object]) -> dict[str, object]:
    requests = [
        {
            "id": str(number),
            "method": method,
            "url": url,
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "body": base64.b64encode(json.dumps(body).encode()).decode() if body is not None else "",
        }
        for number, (method, url, body) in enumerate(items)
    ]
    answer = bench.post("/api/now/v1/batch", {"batch_request_id": "1", "rest_requests": requests})
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


# Rate limiting page: headers on every matched call, the refusal, the hour, priorities, lazy counting.


def test_without_a_rule_no_call_carries_limit_headers(bench: Bench) -> None:
    assert not [name for name in bench.get(CENTERS).headers if name.startswith("x-ratelimit")]


def test_every_matched_call_carries_the_headers_and_the_one_too_many_is_refused(bench: Bench) -> None:
    rule_id = limit(bench, 2)
    bench.pass_by(600)
    for _ in range(2):
        answer = bench.get(CENTERS)
        assert answer.status_code == 200
        headers = [answer.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Reset", "Rule")]
        assert headers == ["2", str(NEXT_HOUR), rule_id]
        assert "Retry-After" not in answer.headers
    refused = bench.get(CENTERS)
    detail = "Rate limit of 2 requests per hour for Table API exceeded"
    assert error(refused) == (429, "Rate limit exceeded", detail)
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Rule"]) == ("3000", rule_id)
    assert bench.post(ORDERS, sample.order("PO-1")).status_code == 201
    bench.pass_by(3000)
    assert bench.get(CENTERS).status_code == 200


def test_a_refused_call_writes_nothing_and_a_failed_one_counts(bench: Bench) -> None:
    limit(bench, 1, rest_api="Import Set API")
    wrong = bench.post("/api/now/import/no_such_table", {})
    assert (wrong.status_code, wrong.headers["X-RateLimit-Limit"]) == (400, "1")
    assert bench.post(ORDERS, sample.order("PO-1")).status_code == 429
    assert bench.tables.rows("sn_fcms_intg_imp_order") == []


def test_the_users_own_rule_goes_before_those_of_roles_of_which_the_lowest_wins(bench: Bench) -> None:
    limit(bench, 1)
    assert bench.get(CENTERS).headers["X-RateLimit-Limit"] == "1"
    limit(bench, 50, type="role", role="import_transformer")
    limit(bench, 40, type="role", role="snc_internal")
    assert bench.get(CENTERS).headers["X-RateLimit-Limit"] == "40"
    limit(bench, 60, type="user", user="Connector")
    assert bench.get(CENTERS).headers["X-RateLimit-Limit"] == "60"
    limit(bench, 70, type="user", user="Admin", method="POST")
    assert bench.get(CENTERS, user=ADMIN_USER).headers["X-RateLimit-Limit"] == "40"


def test_each_user_has_a_count_of_its_own(bench: Bench) -> None:
    limit(bench, 1)
    bench.add_user("other")
    assert [bench.get(CENTERS).status_code for _ in range(2)] == [200, 429]
    assert bench.get(CENTERS, user="other").status_code == 200


def test_an_inactive_rule_does_not_bind(bench: Bench) -> None:
    limit(bench, 0, active="false")
    assert bench.get(CENTERS).status_code == 200


def test_a_lazy_node_commits_its_count_every_thirty_seconds_and_overshoots(bench: Bench) -> None:
    limit(bench, 3)
    bench.switches.lazy_rate_counting = True
    assert [bench.get(CENTERS).status_code for _ in range(8)] == [200] * 8
    bench.pass_by(30)
    assert bench.get(CENTERS).status_code == 429


@pytest.mark.parametrize(("counted", "statuses"), [(False, [200, 200, 200]), (True, [200, 200, 429])])
def test_the_items_of_a_batch_count_or_not(bench: Bench, counted: bool, statuses: list[int]) -> None:
    bench.switches.rate_counts_batch_items = counted
    limit(bench, 2)
    serviced = batch(bench, *[("GET", CENTERS, None)] * 3)["serviced_requests"]
    assert isinstance(serviced, list)
    assert [item["status_code"] for item in serviced] == statuses
    if counted:
        assert {"name": "retry-after", "value": "3600"} in serviced[2]["headers"]


# Semaphores: four at work, fifty waiting, then a 429 without any of those headers.


def test_other_clients_can_fill_the_queue(bench: Bench) -> None:
    bench.switches.others_in_flight = 53
    assert bench.get(CENTERS).status_code == 200
    bench.switches.others_in_flight = 54
    refused = bench.get(CENTERS)
    assert refused.status_code == 429
    assert not {"retry-after", "x-ratelimit-limit"} & set(refused.headers)
    assert refused.headers["Content-Type"].startswith("text/html")
    bench.switches.semaphore_body = "empty"
    assert bench.get(CENTERS).content == b""


class Crowd:
    """Clients that each send one request to a served instance and keep the answer's status."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.threads: list[threading.Thread] = []

    def send(self, count: int, cookies: dict[str, str] | None = None) -> None:
        def one() -> None:
            auth = (CONNECTOR_USER, CONNECTOR_PASSWORD)
            with httpx.Client(base_url=self.url, auth=auth, timeout=30, cookies=cookies) as client:
                self.statuses.append(client.get(f"{CENTERS}?sysparm_limit=1").status_code)

        fresh = [threading.Thread(target=one) for _ in range(count)]
        self.threads += fresh
        for thread in fresh:
            thread.start()


class Gate:
    """Holds every transaction at work until it opens."""

    def __init__(self, simulator: ServiceNow) -> None:
        self.simulator = simulator
        self.opened = threading.Event()
        simulator.front.working = lambda _request: self.hold()

    def hold(self) -> None:
        assert self.opened.wait(20)

    def wait_for(self, in_flight: int, queued: int) -> None:
        semaphores, deadline = self.simulator.front.semaphores, threading.Event()
        for _ in range(2000):
            if (semaphores.in_flight, semaphores.queued) == (in_flight, queued):
                return
            deadline.wait(0.005)
        raise AssertionError((semaphores.in_flight, semaphores.queued))


@contextmanager
def crowded() -> Iterator[tuple[Gate, Crowd]]:
    bench = Bench()
    gate = Gate(bench.simulator)
    with serve(Exchange(bench.simulator.handle)) as served:
        crowd = Crowd(served.url)
        try:
            yield gate, crowd
        finally:
            gate.opened.set()
            for thread in crowd.threads:
                thread.join()


def test_the_fifth_request_waits_and_the_fifty_fifth_is_turned_away() -> None:
    with crowded() as (gate, crowd):
        crowd.send(4)
        gate.wait_for(4, 0)
        crowd.send(50)
        gate.wait_for(4, 50)
        crowd.send(1)
        crowd.threads[-1].join()
        assert crowd.statuses == [429]
    assert sorted(crowd.statuses) == [200] * 54 + [429]


# Default quota rules: 60 s for a call, 30 s for a batch; both forms of a cancelled transaction.


def test_an_import_beyond_the_limit_is_cancelled_before_or_after_it_took_effect() -> None:
    for committed in (False, True):
        bench = Bench(row_seconds=61.0)
        bench.switches.commit_at_cutoff = committed
        refused = bench.post(ORDERS, sample.order("PO-1"))
        assert error(refused) == (500, CANCELLED, f"{CANCELLED}. Check logs for error trace.")
        assert len(bench.tables.rows("sn_shop_purchase_order")) == committed


def test_an_import_within_the_limit_is_not_cancelled() -> None:
    assert Bench(row_seconds=60.0).post(ORDERS, sample.order("PO-1")).status_code == 201


def test_a_long_list_is_cancelled_and_a_smaller_page_is_not(bench: Bench) -> None:
    bench.switches.read_row_seconds = 25.0
    assert error(bench.get(CENTERS))[:2] == (500, CANCELLED)
    assert len(bench.get(f"{CENTERS}?sysparm_limit=2").json()["result"]) == 2


def test_a_cancelled_list_may_break_off_in_a_record_with_the_error_behind_it(bench: Bench) -> None:
    bench.switches.read_row_seconds, bench.switches.cancelled_reads = 25.0, "truncated"
    answer = bench.get(f"{CENTERS}?sysparm_fields=code&sysparm_query=ORDERBYcode")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json;charset=UTF-8")
    assert answer.text.startswith('{"result":[{"code":"ALL"},{"code":"PROD"},{"cod')
    assert CANCELLED in answer.text
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_cancelled_list_may_also_look_like_a_short_one(bench: Bench) -> None:
    bench.switches.read_row_seconds, bench.switches.cancelled_reads = 25.0, "closed"
    body = bench.get(f"{CENTERS}?sysparm_fields=code").json()
    assert len(body["result"]) == 2
    assert body["error"]["message"] == CANCELLED


def test_a_batch_ends_after_thirty_seconds_of_reads_and_imports() -> None:
    bench = Bench(row_seconds=12.0)
    items = [("POST", ORDERS, sample.order(f"PO-{number}")) for number in range(4)]
    assert batch(bench, *items)["unserviced_requests"] == ["2", "3"]
    bench.switches.read_row_seconds = 6.0
    body = batch(bench, ("GET", CENTERS, None), ("GET", f"{CENTERS}?sysparm_limit=2", None), ("GET", CENTERS, None))
    assert body["unserviced_requests"] == ["2"]
