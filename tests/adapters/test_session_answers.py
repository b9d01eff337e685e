"""What both sessions make of an answer: a table of statuses and bodies, and how often they ask before they give up."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connector.business_central.session import BusinessCentralSession, PageBroken, Unreadable, judged
from connector.errors import Ambiguous, ConnectorError, Outage, Refused, Throttled
from connector.ports import SeededRandomness
from connector.remote.http import MAX_ANSWER_BYTES, Answer, Remote
from connector.remote.patience import PATIENCE
from connector.remote.tokens import TokenProvider
from connector.servicenow.session import Basic, Bearer, ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.wire import Exchange, Fault, Router

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
        (400, bc_error("Application_DialogException", "Sorry, the current permissions prevented the action."), Refused),
        (400, bc_error("Application_DialogException", "You do not have permissions to read Purchase Orders."), Refused),
        (400, bc_error("Internal_ServerError", "Sorry, the current permissions prevented the action."), Refused),
        (400, bc_error("Internal_InvalidTableRelation"), PageBroken),
        (400, bc_error("BadRequest"), Outage),
        (400, bc_error("BadRequest_NotFound", "Could not find a property named 'x'."), Outage),
        (400, "", Outage),
        (401, bc_error("Authentication_InvalidCredentials"), Refused),
        (401, "", Refused),
        (403, bc_error("Authorization_Denied"), Refused),
        (403, "<html>", Refused),
        (404, bc_error("BadRequest_ResourceNotFound"), Refused),
        (404, bc_error("Internal_CompanyNotFound"), Refused),
        (404, bc_error("Internal_RecordNotFound", "The Vendor does not exist."), PageBroken),
        (404, "<html>not here</html>", Refused),
        (405, bc_error("BadRequest_MethodNotAllowed"), Refused),
        (405, "", Refused),
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
        (404, "[" * 100_000, Refused),
        (404, '{"error":"text"}', Refused),
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
        (httpx.Response(400, json=sn_error("Invalid table x")), Refused, Refused),
        (httpx.Response(401, json=sn_error("User Not Authenticated")), Refused, Refused),
        (httpx.Response(403, json=sn_error()), Refused, Refused),
        (httpx.Response(404, json=sn_error()), Refused, Refused),
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
