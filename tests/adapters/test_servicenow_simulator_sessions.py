"""Sessions of the ServiceNow stand-in, after the vendor's articles on session reuse queues, node switches and token expiry."""

from __future__ import annotations

import threading

import httpx
import pytest

from tests.adapters.servicenow_bench import BASE, CENTERS, ORDERS, Bench, basic, error
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, sample
from tests.sandbox.wire import InProcess

AUTH = {"Authorization": basic(CONNECTOR_USER, CONNECTOR_PASSWORD)}
COOKIES_END = "glide.authenticate.oauth.post.token.expiration.cookie_auth.disabled"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def browser(bench: Bench) -> httpx.Client:
    """A client that keeps cookies."""
    return httpx.Client(transport=InProcess(bench.exchange), base_url=BASE)


def waits(condition: object, tries: int = 2000) -> bool:
    pause = threading.Event()
    for _ in range(tries):
        if callable(condition) and condition():
            return True
        pause.wait(0.005)
    return False


def test_cookies_come_once_and_name_the_session_and_the_node(bench: Bench) -> None:
    with browser(bench) as client:
        first, second = client.get(CENTERS, headers=AUTH), client.get(CENTERS, headers=AUTH)
        assert {cookie.split("=")[0] for cookie in first.headers.get_list("Set-Cookie")} == {
            "JSESSIONID",
            "glide_user_route",
        }
        assert "Set-Cookie" not in second.headers
        assert client.cookies["glide_user_route"] == "glide.node1"


def test_requests_of_one_session_run_one_at_a_time_and_those_of_two_do_not(bench: Bench) -> None:
    with browser(bench) as client:
        client.get(CENTERS, headers=AUTH)
        cookies = dict(client.cookies)
    at_work, peak, opened = [0], [0], threading.Event()
    lock = threading.Lock()

    def working(_request: httpx.Request) -> None:
        with lock:
            at_work[0] += 1
            peak[0] = max(peak[0], at_work[0])
        opened.wait(0.05)
        with lock:
            at_work[0] -= 1

    bench.simulator.front.working = working

    def crowd(jar: dict[str, str] | None) -> int:
        peak[0] = 0

        def one() -> None:
            with httpx.Client(transport=InProcess(bench.exchange), base_url=BASE, cookies=jar) as client:
                assert client.get(CENTERS, headers=AUTH).status_code == 200

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return peak[0]

    assert crowd(cookies) == 1
    assert crowd(None) == 3


def test_the_twelfth_request_on_a_busy_session_is_a_202_that_never_ran(bench: Bench) -> None:
    with browser(bench) as client:
        client.get(CENTERS, headers=AUTH)
        cookies = dict(client.cookies)
    opened = threading.Event()
    bench.simulator.front.working = lambda _request: None if opened.wait(20) else None
    statuses: list[int] = []

    def post(number: int) -> None:
        with httpx.Client(transport=InProcess(bench.exchange), base_url=BASE, cookies=cookies) as client:
            answer = client.post(ORDERS, json=sample.order(f"PO-{number}"), headers=AUTH)
            statuses.append(answer.status_code)
            assert answer.status_code == 201 or answer.content == b""

    threads = [threading.Thread(target=post, args=(number,)) for number in range(11)]
    for thread in threads:
        thread.start()
    assert waits(lambda: bench.simulator.front.sessions.waiting() == 10)
    post(99)
    assert statuses == [202]
    opened.set()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 11 + [202]
    assert bench.tables.find("sn_shop_purchase_order", {"erp_number": "PO-99"}) == []
    assert bench.tables.inserts["sn_shop_purchase_order"] == 11


def test_a_switch_fills_the_queue_of_sessions_and_spares_requests_without_cookies(bench: Bench) -> None:
    bench.switches.others_on_session = 10
    with browser(bench) as client:
        assert client.get(CENTERS, headers=AUTH).status_code == 200
        dropped = client.get(CENTERS, headers=AUTH)
        assert (dropped.status_code, dropped.content) == (202, b"")
    assert bench.get(CENTERS).status_code == 200


def test_a_session_cookie_alone_authenticates_by_switch(bench: Bench) -> None:
    with browser(bench) as client:
        assert client.get(CENTERS).status_code == 401
        assert client.get(CENTERS, headers=AUTH).status_code == 200
        assert client.get(CENTERS).status_code == 200
        bench.switches.session_logs_in = False
        assert client.get(CENTERS).status_code == 401
        bench.switches.session_logs_in = True
        (user,) = bench.tables.find("sys_user", {"user_name": CONNECTOR_USER})
        bench.tables.update("sys_user", user["sys_id"], {"active": "false"})
        assert client.get(CENTERS).status_code == 401


@pytest.mark.parametrize(("ends", "status"), [(None, 401), ("true", 401), ("false", 200)])
def test_a_session_made_with_a_token_ends_with_it_unless_a_property_says_otherwise(
    bench: Bench, ends: str | None, status: int
) -> None:
    if ends is not None:
        bench.properties.set(COOKIES_END, ends)
    bearer = {"Authorization": bench.token()}
    with browser(bench) as client:
        assert client.get(CENTERS, headers=bearer).status_code == 200
        bench.pass_by(1800)
        assert client.get(CENTERS, headers=bearer).status_code == status
    assert bench.get(CENTERS, headers=bearer).status_code == 401


def test_a_token_of_somebody_else_does_not_pass_for_the_sessions_own(bench: Bench) -> None:
    bench.properties.set(COOKIES_END, "false")
    with browser(bench) as client:
        assert client.get(CENTERS, headers={"Authorization": bench.token()}).status_code == 200
        assert client.get(CENTERS, headers={"Authorization": "Bearer forged"}).status_code == 401


def test_after_a_node_switch_a_kept_session_meets_refusals_now_and_then(bench: Bench) -> None:
    bench.switches.forbidden_after_node_switch = True
    with browser(bench) as client:
        assert [client.get(CENTERS, headers=AUTH).status_code for _ in range(3)] == [200] * 3
        bench.simulator.control("switch_node", None)
        answers = [client.get(CENTERS, headers=AUTH) for _ in range(4)]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 403, 403]
        refused = next(answer for answer in answers if answer.status_code == 403)
        assert error(refused) == (403, "User Not Authorized", "Failed API level ACL Validation")
        assert client.cookies["glide_user_route"] == "glide.node2"
        client.cookies.clear()
        assert [client.get(CENTERS, headers=AUTH).status_code for _ in range(3)] == [200] * 3
