"""The Business Central simulator: what it lets one user do at once and in five minutes.

The rules are those of the pages "Operational limits in Business Central online" and "Working with API limits".
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.on_premises import OnPremises
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.wire import Exchange, serve

COMPANIES = sample.companies()
US = COMPANIES[0]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def probe(watch: Watch) -> Probe:
    probe = Probe(BusinessCentral(COMPANIES, now=watch), US.id)
    probe.simulator.limits.on = True
    return probe


def until(condition: Callable[[], bool]) -> None:
    """Waits until it is so, for five real seconds at most."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.002)


class Crowd:
    """Many requests at once that stay in work until they are let go."""

    def __init__(self, probe: Probe, pool: ThreadPoolExecutor, size: int) -> None:
        self.probe = probe
        self.go = threading.Event()
        probe.simulator.limits.work = lambda: self.go.wait(10) and None
        self.futures = [pool.submit(probe.get, "/companies") for _ in range(size)]

    def statuses(self) -> Counter[int]:
        """Lets all go and counts their statuses."""
        self.go.set()
        return Counter(future.result().status_code for future in self.futures)


@contextmanager
def crowd(probe: Probe, size: int) -> Iterator[Crowd]:
    with ThreadPoolExecutor(size) as pool:
        made = Crowd(probe, pool, size)
        try:
            yield made
        finally:
            made.go.set()


# -- at once


def test_five_are_worked_on_and_the_rest_waits(probe: Probe) -> None:
    with crowd(probe, 12) as requests:
        until(lambda: probe.simulator.limits.peak_waiting == 7)
        assert requests.statuses() == {200: 12}
    assert probe.simulator.limits.peak_working == 5


def test_the_hundred_and_first_connection_is_refused(probe: Probe) -> None:
    limits = probe.simulator.limits
    with crowd(probe, 100) as requests:
        until(lambda: limits.peak_waiting == 95)
        refused = probe.get("/companies")
        assert requests.statuses() == {200: 100}
    assert refused.status_code == 429
    assert refused.json() == {
        "error": {
            "code": "Application_TooManyRequests",
            "message": "Too many requests reached. Actual (101). Maximum (100).",
        }
    }
    assert "Retry-After" not in refused.headers


def test_a_shorter_queue_refuses_sooner(probe: Probe) -> None:
    probe.simulator.limits.at_once, probe.simulator.limits.queue = 1, 2
    with crowd(probe, 3):
        until(lambda: probe.simulator.limits.peak_waiting == 2)
        assert probe.get("/companies").status_code == 429


def test_waiting_too_long_by_the_simulators_clock_ends_with_503(probe: Probe, watch: Watch) -> None:
    with crowd(probe, 7) as requests:
        until(lambda: probe.simulator.limits.peak_waiting == 2)
        watch.forward(8 * 60)
        until(lambda: sum(future.done() for future in requests.futures) == 2)
        assert requests.statuses() == {200: 5, 503: 2}
    late = next(each for each in (future.result() for future in requests.futures) if each.status_code == 503)
    assert late.headers["Retry-After"] == "30"


def test_a_place_is_free_again_after_a_refusal(probe: Probe) -> None:
    probe.simulator.limits.at_once = 1
    for _ in range(3):
        assert probe.get("/companies(nothing)").status_code == 404
    assert probe.get("/companies").status_code == 200


def test_each_user_has_limits_of_his_own(probe: Probe) -> None:
    server = OnPremises(users={"A": "a", "B": "b"})
    probe.simulator.on_premises = server
    probe.simulator.limits.at_once, probe.simulator.limits.queue = 1, 0
    probe.client.auth = None
    address = f"{probe.simulator.base_url}/BC240/api/v2.0/companies"
    first = httpx.BasicAuth("A", "a")
    go = threading.Event()
    started = threading.Event()

    def work() -> None:
        if not started.is_set():
            started.set()
            go.wait(10)

    probe.simulator.limits.work = work
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(probe.client.get, address, auth=first)
        until(started.is_set)
        assert probe.client.get(address, auth=first).status_code == 429
        assert probe.client.get(address, auth=httpx.BasicAuth("B", "b")).status_code == 200
        go.set()
        assert slow.result().status_code == 200


def test_a_served_simulator_never_works_on_more_than_five() -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    headers = {"Authorization": Probe(simulator, US.id).client.headers["Authorization"]}
    simulator.limits.on = True
    simulator.limits.work = lambda: time.sleep(0.01)
    with serve(Exchange(simulator.handle)) as served, httpx.Client(headers=headers) as client:
        address = f"{served.url}/v2.0/Production/api/v2.0/companies"
        with ThreadPoolExecutor(30) as pool:
            statuses = Counter(each.status_code for each in pool.map(client.get, [address] * 60))
    assert statuses == {200: 60}
    assert simulator.limits.peak_working == 5
    assert simulator.limits.peak_waiting > 0


# -- in five minutes


def test_the_window_slides(probe: Probe, watch: Watch) -> None:
    probe.simulator.limits.in_window = 10
    for _ in range(6):
        assert probe.get("/companies").status_code == 200
    watch.forward(200)
    statuses = [probe.get("/companies").status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    watch.forward(99)
    assert probe.get("/companies").status_code == 429
    watch.forward(1)
    statuses = [probe.get("/companies").status_code for _ in range(7)]
    assert statuses == [200] * 6 + [429]


def test_six_thousand_are_the_documented_number(probe: Probe) -> None:
    limits = probe.simulator.limits
    assert (limits.in_window, limits.window) == (6_000, timedelta(minutes=5))
    limits.count(probe.simulator.client_id, 5_999)
    assert probe.get("/companies").status_code == 200
    refused = probe.get("/companies")
    assert refused.json()["error"]["message"] == "Too many requests reached. Actual (6001). Maximum (6000)."


def test_whether_429_says_when_to_come_again_is_not_established(probe: Probe) -> None:
    probe.simulator.limits.in_window = 0
    assert "Retry-After" not in probe.get("/companies").headers
    probe.simulator.uncertainties.retry_after_on_429 = 17
    assert probe.get("/companies").headers["Retry-After"] == "17"


def test_whether_parts_of_a_batch_count_is_not_established(probe: Probe) -> None:
    body = {"requests": [{"method": "GET", "url": "companies"}] * 9}
    probe.simulator.limits.in_window = 10
    assert probe.send("POST", "/$batch", body).status_code == 200
    probe.simulator.uncertainties.batch_parts_count = True
    assert probe.send("POST", "/$batch", body).status_code == 429


def test_requests_of_nobody_are_not_counted(probe: Probe) -> None:
    probe.simulator.limits.in_window = 1
    for _ in range(3):
        assert probe.client.get(f"{probe.base}/companies", headers={"Authorization": "Bearer x"}).status_code == 401
        assert probe.token_response().status_code == 200
    assert probe.get("/companies").status_code == 200


def test_without_the_switch_nothing_is_counted(probe: Probe) -> None:
    probe.simulator.limits.on = False
    probe.simulator.limits.in_window = 0
    assert probe.get("/companies").status_code == 200


# -- sizes


def test_larger_pages_are_clamped_or_refused(probe: Probe) -> None:
    assert probe.simulator.limits.page_size == 20_000
    probe.simulator.limits.page_size = 3
    page = probe.get("vendors", Prefer="odata.maxpagesize=4").json()
    assert len(page["value"]) == 3
    assert len(probe.rows("vendors")) == len(US.tables["vendors"])
    probe.simulator.uncertainties.oversized_pages_are_clamped = False
    assert probe.get("vendors", Prefer="odata.maxpagesize=4").status_code == 413
    assert probe.get("vendors", Prefer="odata.maxpagesize=3").status_code == 200


def test_a_body_above_the_limit_is_refused_before_anybody_reads_it(probe: Probe) -> None:
    assert probe.simulator.limits.body_bytes == 350 * 1024 * 1024
    probe.simulator.limits.body_bytes = 40
    response = probe.send("POST", "locations", {"code": "SOUTH", "displayName": "x" * 60})
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "text/html"
    assert probe.send("POST", "locations", {"code": "SOUTH"}).status_code == 201
