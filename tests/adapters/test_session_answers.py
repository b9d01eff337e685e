"""What both sessions make of an answer: a table of statuses and bodies, and how often they ask before they give up."""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connector.business_central.session import (
    BusinessCentralSession,
    NotOffered,
    NotPermitted,
    PageBroken,
    Unreadable,
    judged,
)
from connector.errors import Ambiguous, ConnectorError, Outage, Refused, Throttled
from connector.ports import SeededRandomness
from connector.remote.http import MAX_ANSWER_BYTES, Answer, Remote
from connector.remote.patience import PATIENCE
from connector.remote.tokens import TokenProvider
from connector.servicenow.authorisation import ApiKey, Basic, Bearer
from connector.servicenow.session import AnsweredRefusal, RateRuleSpent, ServiceNowSession
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.servicenow import CLIENT_ID, CLIENT_SECRET, ServiceNow
from tests.sandbox.wire import Exchange, Fault, InProcess, Router

BC = "https://bc.example/v2.0/Production/api/v2.0"
SN = "https://sn.example"
JSON = {"Content-Type": "application/json; odata.metadata=minimal"}
CANARY = "c4n4ry-5ecret"

Reply = httpx.Response | Callable[[httpx.Request], httpx.Response]


def bc_error(code: str, message: str = "A message.  CorrelationId:  7fbe0bac.") -> str:
    """An error body as BC writes it."""
    return json.dumps({"error": {"code": code, "message": message}})


def sn_error(message: str = "Operation Failed") -> dict[str, Any]:
    """An error body as ServiceNow writes it."""
    return {"error": {"message": message, "detail": None}, "status": "failure"}


class System:
    """A remote system that gives these replies in turn, the last one for ever, next to an endpoint that numbers tokens."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.clock = VirtualClock()
        self.api = Exchange(self._answer)
        self.login = Exchange(self._token)
        self.tokens = 0
        router = Router({"bc.example": self.api, "sn.example": self.api, "login.example": self.login})
        self.remote = Remote("the system", router.transport(), self.clock)
        self.provider = TokenProvider(
            self.remote, "https://login.example/token", {}, [lambda: {"client_secret": "s"}], self.clock
        )
        self.randomness = SeededRandomness(random.Random(7))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if not isinstance(reply, httpx.Response):
            return reply(request)
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def _token(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - the interface's
        self.tokens += 1
        return httpx.Response(200, json={"access_token": f"{CANARY}-{self.tokens}", "expires_in": 3600})

    def business_central(self) -> BusinessCentralSession:
        """A session with it as Business Central."""
        return BusinessCentralSession(self.remote, self.provider, BC.removesuffix("/v2.0"), self.clock, self.randomness)

    def servicenow(self, *, basic: bool = False) -> ServiceNowSession:
        """A session with it as ServiceNow."""
        authorisation = Basic("user", CANARY, self.clock) if basic else Bearer(self.provider)
        return ServiceNowSession(self.remote, authorisation, SN, self.clock, self.randomness)


def page(*rows: dict[str, Any], link: str | None = None) -> httpx.Response:
    """A page of a collection."""
    return httpx.Response(200, json={"value": list(rows)} | ({} if link is None else {"@odata.nextLink": link}))


# -- Business Central: the table


def test_a_good_answer_is_its_body_with_exact_numbers() -> None:
    answer = Answer(200, {"content-type": "application/json; odata.metadata=minimal"}, b'\xef\xbb\xbf{"amount":506.60}')
    assert judged(answer, None) == {"amount": Decimal("506.60")}
    assert str(judged(answer, None)["amount"]) == "506.60"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, bc_error("Application_DialogException", "The Vendor does not exist."), PageBroken),
        (
            400,
            bc_error("Application_DialogException", "Sorry, the current permissions prevented the action."),
            NotPermitted,
        ),
        (
            400,
            bc_error("Application_DialogException", "You do not have permissions to read Purchase Orders."),
            NotPermitted,
        ),
        (400, bc_error("Internal_ServerError", "Sorry, the current permissions prevented the action."), NotPermitted),
        (400, bc_error("Internal_InvalidTableRelation"), PageBroken),
        (400, bc_error("BadRequest"), Outage),
        (400, bc_error("BadRequest_NotFound", "Could not find a property named 'x'."), Outage),
        (400, "", Outage),
        (401, bc_error("Authentication_InvalidCredentials"), Refused),
        (401, "", Refused),
        (403, bc_error("Authorization_Denied"), NotPermitted),
        (403, "<html>", NotPermitted),
        (404, bc_error("BadRequest_NotFound", "No HTTP resource was found that matches the request URI."), NotOffered),
        (404, bc_error("BadRequest_ResourceNotFound"), NotOffered),
        (404, bc_error("Internal_CompanyNotFound"), Refused),
        (404, bc_error("Internal_RecordNotFound", "The Vendor does not exist."), PageBroken),
        (404, "<html>not here</html>", NotOffered),
        (405, bc_error("BadRequest_MethodNotAllowed"), NotOffered),
        (405, "", NotOffered),
        (408, bc_error("Application_OperationTimeout"), PageBroken),
        (409, bc_error("Request_EntityChanged"), Outage),
        (413, "", PageBroken),
        (429, bc_error("Application_TooManyRequests"), Throttled),
        (429, "", Throttled),
        (500, bc_error("Internal_ServerError"), Outage),
        (500, bc_error("Unknown"), Outage),
        (500, bc_error("Internal_RecordNotFound"), PageBroken),
        (500, "<html>", Outage),
        (502, "<html>", Outage),
        (503, bc_error("Internal_TenantUnavailable"), Outage),
        (503, "", Outage),
        (504, "", PageBroken),
        (204, "", Outage),
        (302, "", Outage),
        (404, "[" * 100_000, NotOffered),
        (404, '{"error":"text"}', NotOffered),
        (404, '{"error":{"code":"Internal_CompanyNotFound","message":null}}', Refused),
    ],
)
def test_bcs_answers_are_judged_by_status_and_code(status: int, body: str, error: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as caught:
        judged(Answer(status, {"content-type": "application/json"}, body.encode()), None)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "cause"), [(408, "size"), (413, "size"), (504, "size"), (400, "data"), (404, "data"), (500, "data")]
)
def test_what_breaks_a_page_is_told_apart(status: int, cause: str) -> None:
    body = bc_error("Internal_RecordNotFound").encode()
    with pytest.raises(PageBroken) as caught:
        judged(Answer(status, {}, body), None)
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("text/html", b"<html>Sign in</html>", Outage),
        ("", b'{"value":[]}', Outage),
        ("application/json", b'{"error":{"code":"x","message":"y"}}', Outage),
        ("application/json", b"", Unreadable),
        ("application/json", b'{"value":[{"id":"7c46', Unreadable),
        ("application/json", b"[]", Unreadable),
        ("application/json", b'{"value":[{"amount":NaN}]}', Unreadable),
        ("application/json", b'{"value":[{"amount":1e99999999999999999999}]}', Unreadable),
        ("application/json", b'{"value":[{"amount":' + b"9" * 5000 + b"}]}", Unreadable),
        ("application/json", b'{"value":[{"name":"\xff"}]}', Unreadable),
        ("application/json", b"[" * 100_000, Unreadable),
    ],
)
def test_a_200_that_is_no_good_answer_is_never_taken(kind: str, body: bytes, error: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as caught:
        judged(Answer(200, {"content-type": kind}, body), None)
    assert type(caught.value) is error


@pytest.mark.parametrize(("told", "wait"), [(None, 30.0), (17.0, 17.0)])
def test_a_throttled_answer_says_how_long_to_wait(told: float | None, wait: float) -> None:
    with pytest.raises(Throttled) as caught:
        judged(Answer(429, {}, b""), told)
    assert caught.value.retry_after == wait


def test_an_outage_says_what_the_server_told() -> None:
    with pytest.raises(Outage) as caught:
        judged(Answer(503, {}, b""), 42.0)
    assert caught.value.retry_after == 42.0


# -- Business Central: the session


def test_a_read_is_a_get_with_token_language_and_page_size() -> None:
    system = System(page({"a": 1}))
    pages = list(system.business_central().pages("companies", page_size=50))
    assert [each.rows for each in pages] == [[{"a": 1}]]
    (request,) = system.requests
    assert (request.method, str(request.url)) == ("GET", f"{BC}/companies")
    assert request.headers["authorization"] == f"Bearer {CANARY}-1"
    assert request.headers["prefer"] == "odata.maxpagesize=50"
    assert request.headers["accept-language"] == "en-US"


def test_a_token_refused_before_its_time_is_replaced_once() -> None:
    system = System(httpx.Response(401), httpx.Response(200, json={"a": 1}))
    assert system.business_central().get("companies") == {"a": 1}
    assert [request.headers["authorization"] for request in system.requests] == [
        f"Bearer {CANARY}-1",
        f"Bearer {CANARY}-2",
    ]


def test_a_client_that_is_refused_for_good_is_asked_twice_and_no_more() -> None:
    system = System(httpx.Response(401, json={"error": {"code": "Unauthorized", "message": CANARY}}))
    with pytest.raises(Refused, match="Microsoft Entra Applications") as caught:
        system.business_central().get("companies")
    assert (len(system.requests), system.tokens) == (2, 2)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("failures", [1, 2])
def test_a_short_outage_is_bridged(failures: int) -> None:
    system = System(*[httpx.Response(503)] * failures, httpx.Response(200, json={"a": 1}))
    assert system.business_central().get("companies") == {"a": 1}
    assert system.clock.monotonic() <= PATIENCE


def test_an_outage_is_tried_three_times_within_ten_seconds() -> None:
    system = System(httpx.Response(503))
    with pytest.raises(Outage):
        system.business_central().get("companies")
    assert len(system.requests) == 3
    assert 0 < system.clock.monotonic() <= PATIENCE == 10


def test_a_long_wait_that_was_told_is_left_to_the_queue() -> None:
    system = System(httpx.Response(503, headers={"Retry-After": "60"}))
    with pytest.raises(Outage) as caught:
        system.business_central().get("companies")
    assert caught.value.retry_after == 60
    assert len(system.requests) == 1
    assert system.clock.monotonic() == 0


def test_a_short_wait_that_was_told_is_kept() -> None:
    system = System(httpx.Response(503, headers={"Retry-After": "3"}), httpx.Response(200, json={"a": 1}))
    system.business_central().get("companies")
    assert system.clock.monotonic() == 3


@pytest.mark.parametrize("status", [401, 403, 405, 429, 413])
def test_what_waiting_does_not_cure_is_not_tried_again(status: int) -> None:
    system = System(httpx.Response(status))
    with pytest.raises(ConnectorError):
        system.business_central().get("companies")
    assert len(system.requests) == (2 if status == 401 else 1)


def test_a_lost_answer_to_a_read_is_asked_for_again() -> None:
    system = System(httpx.Response(200, json={"a": 1}))
    system.api.faults = [Fault("reset_after"), Fault("cut_body")]
    assert system.business_central().get("companies") == {"a": 1}


def test_an_answer_cut_short_under_a_whole_status_is_asked_for_again() -> None:
    # A proxy can end a chunked answer early and cleanly: that says nothing about the documents in it.
    system = System(httpx.Response(200, headers=JSON, content=b'{"value":[{"id":"7c46'), page({"id": "1"}))
    assert [page.rows for page in system.business_central().pages("purchaseOrders", page_size=10)] == [[{"id": "1"}]]


def test_pages_follow_the_links_as_they_are_with_the_same_wish() -> None:
    links = [f"{BC}/purchaseOrders?$skiptoken={number}&aid=FIN" for number in (1, 2)]
    system = System(page({"id": "1"}, link=links[0]), page({"id": "2"}, link=links[1]), page({"id": "3"}))
    rows = [each.rows for each in system.business_central().pages("purchaseOrders?$select=id", page_size=1)]
    assert rows == [[{"id": "1"}], [{"id": "2"}], [{"id": "3"}]]
    assert [str(request.url) for request in system.requests] == [f"{BC}/purchaseOrders?$select=id", *links]
    assert {request.headers["prefer"] for request in system.requests} == {"odata.maxpagesize=1"}


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v2.0/Production/api/v2.0/purchaseOrders?$skiptoken=1",
        "http://bc.example/v2.0/Production/api/v2.0/purchaseOrders?$skiptoken=1",
        f"{BC}/../../admin",
        f"{BC}/purchaseOrders",
        "https://[/",
        "https://bc.example:port/v2.0/Production/api/v2.0/purchaseOrders",
        f"{BC}/purchaseOrders?$skiptoken=1\u0001",
        "",
    ],
)
def test_a_link_that_leads_away_or_back_ends_the_reading(link: str) -> None:
    system = System(page({"id": "1"}, link=link))
    pages = system.business_central().pages("purchaseOrders", page_size=1)
    assert next(pages).rows == [{"id": "1"}]
    with pytest.raises(Outage):
        next(pages)
    assert len(system.requests) == 1


def test_a_page_that_is_too_large_asks_for_less() -> None:
    system = System(httpx.Response(200, headers=JSON, content=b" " * (MAX_ANSWER_BYTES + 1)))
    with pytest.raises(PageBroken) as caught:
        system.business_central().get("purchaseOrders")
    assert caught.value.cause == "size"
    assert len(system.requests) == 1


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, {"value": "rows"}])
def test_an_answer_without_a_list_of_records_breaks_the_page(body: dict[str, Any]) -> None:
    with pytest.raises(PageBroken) as caught:
        list(System(httpx.Response(200, json=body)).business_central().pages("purchaseOrders", page_size=1))
    assert caught.value.cause == "unreadable"


# -- ServiceNow


def rows(system: System, *, basic: bool = False) -> Sequence[dict[str, Any]]:
    """One read of a table."""
    return system.servicenow(basic=basic).rows("sn_fin_supplier", query="a=b^cINd,e", fields="a,c", limit=5)


def post(system: System, *, basic: bool = False) -> dict[str, Any]:
    """One write."""
    return system.servicenow(basic=basic).post("/api/now/v1/batch", {"a": "\u00e4"}, timeout=45.0, settles_after=30.0)


def test_rows_are_read_with_the_query_in_the_address() -> None:
    system = System(httpx.Response(200, json={"result": [{"a": "1"}]}))
    assert rows(system) == [{"a": "1"}]
    (request,) = system.requests
    assert request.method == "GET"
    assert request.url.path == "/api/now/table/sn_fin_supplier"
    assert dict(request.url.params) == {
        "sysparm_query": "a=b^cINd,e",
        "sysparm_fields": "a,c",
        "sysparm_limit": "5",
        "sysparm_exclude_reference_link": "true",
        "sysparm_no_count": "true",
    }


def test_a_write_carries_its_body_as_json() -> None:
    system = System(httpx.Response(201, json={"result": []}))
    assert post(system) == {"result": []}
    (request,) = system.requests
    assert json.loads(request.content) == {"a": "\u00e4"}
    assert request.headers["content-type"] == "application/json"


def test_basic_sends_user_and_password() -> None:
    system = System(httpx.Response(200, json={"result": []}))
    rows(system, basic=True)
    scheme, _, value = system.requests[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", f"user:{CANARY}")
    assert system.tokens == 0


@pytest.mark.parametrize(
    ("reply", "write_error", "read_error"),
    [
        (httpx.Response(200, json=sn_error()), Ambiguous, Outage),
        (httpx.Response(200, headers=JSON, content=b'{"result":[{"a":'), Ambiguous, Outage),
        (httpx.Response(200, headers=JSON, content=b""), Ambiguous, Outage),
        (httpx.Response(200, headers=JSON, content=b"[]"), Ambiguous, Outage),
        (httpx.Response(200, headers=JSON, content=b"[" * 100_000), Ambiguous, Outage),
        (httpx.Response(200, html="<title>Instance Hibernating page</title>"), Outage, Outage),
        (httpx.Response(201, html="<html>"), Outage, Outage),
        (httpx.Response(202), Outage, Outage),
        (httpx.Response(302, headers={"Location": "/login.do"}), Outage, Outage),
        (httpx.Response(400, json=sn_error("Invalid table x")), AnsweredRefusal, AnsweredRefusal),
        (httpx.Response(401, json=sn_error("User Not Authenticated")), AnsweredRefusal, AnsweredRefusal),
        (httpx.Response(403, json=sn_error()), AnsweredRefusal, AnsweredRefusal),
        (httpx.Response(404, json=sn_error()), AnsweredRefusal, AnsweredRefusal),
        (httpx.Response(429, html="<html>"), Throttled, Throttled),
        (httpx.Response(500, json=sn_error("Transaction cancelled")), Ambiguous, Outage),
        (httpx.Response(502, html="<html>"), Ambiguous, Outage),
        (httpx.Response(503), Ambiguous, Outage),
    ],
    ids=lambda value: f"{value.status_code} {value.content[:20]!r}" if isinstance(value, httpx.Response) else "",
)
def test_servicenows_answers_are_judged_by_status_and_body(
    reply: httpx.Response, write_error: type[Outage], read_error: type[Outage]
) -> None:
    for call, error in ((post, write_error), (rows, read_error)):
        with pytest.raises(Outage) as caught:
            call(System(reply))
        assert type(caught.value) is error
        assert CANARY not in str(caught.value)


def test_a_page_that_is_no_json_is_named_as_such() -> None:
    with pytest.raises(Outage, match="hibernation"):
        post(System(httpx.Response(200, html="<html>")))


@pytest.mark.parametrize("body", [{"result": {}}, {"result": None}, {}])
def test_a_read_without_a_list_of_rows_is_an_outage(body: dict[str, Any]) -> None:
    with pytest.raises(Outage, match="sn_fin_supplier"):
        rows(System(httpx.Response(200, json=body)))


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "cut_body"])
def test_a_write_is_never_repeated_after_a_lost_answer(effect: Any) -> None:
    system = System(httpx.Response(201, json={"result": []}))
    system.api.faults = [Fault(effect, times=None)]
    with pytest.raises(Ambiguous) as caught:
        post(system)
    assert system.api.counts["POST"] == 1
    assert caught.value.settles_after == 30


def test_a_write_is_never_repeated_after_an_error_of_the_server() -> None:
    system = System(httpx.Response(500, json=sn_error()))
    with pytest.raises(Ambiguous):
        post(system)
    assert len(system.requests) == 1


def test_an_ambiguous_write_settles_no_sooner_than_the_server_says() -> None:
    with pytest.raises(Ambiguous) as caught:
        post(System(httpx.Response(503, headers={"Retry-After": "120"})))
    assert caught.value.settles_after == 120
    assert caught.value.retry_after == 120


def test_a_write_that_was_not_executed_is_sent_once_more() -> None:
    system = System(httpx.Response(202), httpx.Response(201, json={"result": []}))
    assert post(system) == {"result": []}
    assert len(system.requests) == 2


def test_a_write_that_is_dropped_twice_is_an_outage() -> None:
    system = System(httpx.Response(202))
    with pytest.raises(Outage) as caught:
        post(system)
    assert type(caught.value) is Outage
    assert len(system.requests) == 2


def test_a_stale_token_costs_one_more_try() -> None:
    system = System(httpx.Response(401), httpx.Response(201, json={"result": []}))
    assert post(system) == {"result": []}
    assert (len(system.requests), system.tokens) == (2, 2)


def test_a_refused_password_is_not_sent_again() -> None:
    system = System(httpx.Response(401, json=sn_error("User Not Authenticated")))
    with pytest.raises(Refused):
        post(system, basic=True)
    assert len(system.requests) == 1


def test_a_refused_password_rests_for_a_minute() -> None:
    system = System(httpx.Response(401, json=sn_error("User Not Authenticated")), httpx.Response(200, json={"a": 1}))
    session = system.servicenow(basic=True)
    for wait in (0, 59):
        system.clock.advance(wait)
        with pytest.raises(Refused):
            session.post("/x", {}, timeout=1, settles_after=1)
    assert len(system.requests) == 1
    system.clock.advance(2)
    assert session.post("/x", {}, timeout=1, settles_after=1) == {"a": 1}


def test_a_rate_rule_says_when_its_hour_ends() -> None:
    date = "Mon, 02 Mar 2026 08:00:00 GMT"
    system = System(httpx.Response(429, headers={"Date": date, "X-RateLimit-Reset": "1772438700"}))
    with pytest.raises(Throttled) as caught:
        rows(system)
    assert caught.value.retry_after == 300.0


@pytest.mark.parametrize(("headers", "wait"), [({}, 20.0), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "0"}, 20.0)])
def test_a_throttled_request_says_how_long_to_wait_and_is_not_tried_again(headers: dict[str, str], wait: float) -> None:
    system = System(httpx.Response(429, headers=headers))
    with pytest.raises(Throttled) as caught:
        rows(system)
    assert caught.value.retry_after == wait
    assert len(system.requests) == 1


def test_a_read_bridges_a_short_outage() -> None:
    system = System(httpx.Response(503), httpx.Response(500), httpx.Response(200, json={"result": []}))
    assert rows(system) == []
    assert system.clock.monotonic() <= 10


def test_a_read_is_tried_three_times_within_ten_seconds() -> None:
    system = System(httpx.Response(503))
    with pytest.raises(Outage):
        rows(system)
    assert len(system.requests) == 3
    assert system.clock.monotonic() <= 10


# -- ServiceNow: who is asking

NO_ACL = {"error": {"message": "User Not Authorized", "detail": "Failed API level ACL Validation"}, "status": "failure"}
GOOD = httpx.Response(200, json={"result": []})


def keyed(system: System, *keys: str) -> ServiceNowSession:
    """A session with these API keys."""
    return ServiceNowSession(system.remote, ApiKey(keys, system.clock), SN, system.clock, system.randomness)


def only(*good: str) -> Callable[[httpx.Request], httpx.Response]:
    """An instance that takes these keys."""

    def answer(request: httpx.Request) -> httpx.Response:
        taken = request.headers.get("x-sn-apikey") in good and "authorization" not in request.headers
        return httpx.Response(200, json={"result": []}) if taken else httpx.Response(401, json=sn_error())

    return answer


def sent_keys(system: System) -> list[str]:
    """The keys in the order in which they were sent."""
    return [request.headers["x-sn-apikey"] for request in system.requests]


def ask(session: ServiceNowSession) -> None:
    """One read."""
    session.rows("cmn_cost_center", query="", fields="name", limit=1)


def test_an_api_key_is_a_header_of_its_own() -> None:
    system = System(only("first"))
    ask(keyed(system, "first"))
    assert sent_keys(system) == ["first"]
    assert system.tokens == 0


def test_the_next_key_is_tried_when_one_is_refused_and_remembered() -> None:
    system = System(only("second"))
    session = keyed(system, "first", "second")
    ask(session)
    ask(session)
    assert sent_keys(system) == ["first", "second", "second"]


def test_keys_may_be_replaced_and_put_back() -> None:
    system = System(only("first"))
    session = keyed(system, "first", "second")
    ask(session)
    system.replies = [only("second")]
    ask(session)
    system.replies = [only("first")]
    with pytest.raises(Refused):
        ask(session)
    system.clock.advance(60)
    ask(session)
    assert sent_keys(system) == ["first", "first", "second", "second", "first"]


def test_keys_that_are_all_refused_rest_for_a_minute() -> None:
    system = System(only("third"))
    session = keyed(system, f"{CANARY}-1", f"{CANARY}-2")
    for _ in range(5):
        with pytest.raises(Refused) as caught:
            ask(session)
        assert CANARY not in str(caught.value)
    assert len(system.requests) == 3
    system.clock.advance(60)
    system.replies = [only(f"{CANARY}-1")]
    ask(session)


def test_a_write_is_sent_once_more_with_the_next_key() -> None:
    system = System(only("second"))
    assert keyed(system, "first", "second").post("/x", {}, timeout=1, settles_after=1) == {"result": []}
    assert sent_keys(system) == ["first", "second"]


def test_a_refusal_by_an_apis_access_rule_is_asked_for_once_more() -> None:
    for call in (rows, post):
        system = System(httpx.Response(403, json=NO_ACL), GOOD)
        call(system)
        assert len(system.requests) == 2


def test_a_refusal_that_stays_is_one() -> None:
    for call in (rows, post):
        system = System(httpx.Response(403, json=NO_ACL))
        with pytest.raises(AnsweredRefusal) as caught:
            call(system)
        assert (caught.value.status, caught.value.words) == (
            403,
            "User Not Authorized / Failed API level ACL Validation",
        )
        assert len(system.requests) == 2


def test_any_other_403_is_a_refusal_at_once() -> None:
    for call in (rows, post):
        system = System(httpx.Response(403, json=sn_error()), GOOD)
        with pytest.raises(AnsweredRefusal):
            call(system)
        assert len(system.requests) == 1


# -- ServiceNow: work for later


def submit(system: System) -> dict[str, Any]:
    """One call of an API that works later."""
    return system.servicenow().submit(
        "/later", b"{}", {"Source-System": "BC", "Authorization": "mine"}, timeout=45.0, settles_after=30.0
    )


def test_work_is_accepted_with_202_and_json_and_by_this_call_only() -> None:
    accepted = httpx.Response(202, json={"batchId": "APIINV1"})
    system = System(accepted)
    assert submit(system) == {"batchId": "APIINV1"}
    (request,) = system.requests
    assert (request.headers["source-system"], request.headers["content-type"]) == ("BC", "application/json")
    assert request.headers["authorization"] == f"Bearer {CANARY}-1"
    with pytest.raises(Outage):
        post(System(accepted))


@pytest.mark.parametrize(
    ("reply", "error", "requests"),
    [
        (httpx.Response(202), Outage, 2),
        (httpx.Response(202, headers=JSON, content=b'{"batchId'), Ambiguous, 1),
        (httpx.Response(202, json=sn_error()), Ambiguous, 1),
        (httpx.Response(200, html="<html>"), Outage, 1),
        (httpx.Response(400, json=sn_error()), AnsweredRefusal, 1),
        (httpx.Response(403, json=NO_ACL), AnsweredRefusal, 2),
        (httpx.Response(429, html="<h1>429</h1>"), Throttled, 1),
        (httpx.Response(429, headers={"X-RateLimit-Limit": "10"}), RateRuleSpent, 1),
        (httpx.Response(500, json=sn_error()), Ambiguous, 1),
    ],
)
def test_anything_else_is_judged_like_every_answer(reply: httpx.Response, error: type[Outage], requests: int) -> None:
    system = System(reply)
    with pytest.raises(Outage) as caught:
        submit(system)
    assert (type(caught.value), len(system.requests)) == (error, requests)


# -- ServiceNow: tokens over their life


class Shelf:
    """The ServiceNow stand-in, with a session that gets its tokens there; tokens live for half an hour."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.simulator = ServiceNow(now=self.clock.now)
        self.exchange = Exchange(self.simulator.handle)
        remote = Remote("ServiceNow", InProcess(self.exchange), self.clock)
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID}
        secrets = [lambda: {"client_secret": "an old one"}, lambda: {"client_secret": CLIENT_SECRET}]
        tokens = TokenProvider(remote, f"{SN}/oauth_token.do", form, secrets, self.clock)
        self.session = ServiceNowSession(remote, Bearer(tokens), SN, self.clock, SeededRandomness(random.Random(7)))

    def seen(self) -> list[tuple[str, int]]:
        """What was asked, and the answers' statuses."""
        return [(passed.path.decode().partition("?")[0], passed.status) for passed in self.exchange.recent()]


def test_a_token_is_replaced_before_it_ends_and_no_request_meets_its_end() -> None:
    shelf = Shelf()
    for minutes in (0, 26, 29, 31):
        shelf.clock.advance_to(START + timedelta(minutes=minutes))
        ask(shelf.session)
    token, table = "/oauth_token.do", "/api/now/table/cmn_cost_center"
    # The refused secret is not tried again; the token of the start is used until it is near its end, at thirty minutes.
    assert shelf.seen()[:4] == [(token, 401), (token, 200), (table, 200), (table, 200)]
    assert {status for _, status in shelf.seen()[4:]} == {200}
    assert shelf.seen().count((table, 200)) == 4


def test_ten_calls_at_once_ask_for_one_token() -> None:
    shelf = Shelf()
    barrier = threading.Barrier(10)

    def one() -> None:
        barrier.wait()
        ask(shelf.session)

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = [path for path, status in shelf.seen() if status == 200]
    assert (answered.count("/oauth_token.do"), len(answered)) == (1, 11)
