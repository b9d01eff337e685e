"""States of the ServiceNow stand-in and its XML side, after what real instances show and the Table API page on formats."""

from __future__ import annotations

from xml.etree import ElementTree

import httpx
import pytest

from tests.adapters.servicenow_bench import CENTERS, ORDERS, Bench
from tests.sandbox.servicenow import ADMIN_USER, sample

XML = {"Accept": "application/xml"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Developer instances hibernate; upgrades show a page; stale sessions lead to the login page.


@pytest.mark.parametrize(
    ("state", "status", "text"),
    [
        ("hibernating", 200, "Instance Hibernating page"),
        ("maintenance", 503, "being upgraded"),
        ("maintenance_200", 200, "being upgraded"),
    ],
)
def test_an_instance_that_is_away_answers_every_api_with_a_page(
    bench: Bench, state: str, status: int, text: str
) -> None:
    bench.switches.state = state
    for answer in (bench.get(CENTERS), bench.post(ORDERS, sample.order("PO-1")), bench.send("POST", "/oauth_token.do")):
        assert (answer.status_code, text in answer.text) == (status, True)
        assert answer.headers["Content-Type"].startswith("text/html")
    assert bench.simulator.writes() == {}
    bench.switches.state = "up"
    assert bench.get(CENTERS).status_code == 200


@pytest.mark.parametrize(
    ("state", "target"),
    [
        ("hibernating_redirect", "https://developer.servicenow.com/"),
        ("login", "https://example.service-now.com/login.do"),
    ],
)
def test_an_instance_may_also_send_the_caller_away(bench: Bench, state: str, target: str) -> None:
    bench.simulator.control("switches", {"state": state})
    answer = bench.get(CENTERS)
    assert (answer.status_code, answer.headers["X-Is-Logged-In"]) == (302, "false")
    assert answer.headers["Location"].startswith(target)


def test_a_state_with_a_typing_error_fails_aloud(bench: Bench) -> None:
    bench.switches.state = "asleep"
    with pytest.raises(ValueError, match="no instance state named asleep"):
        bench.get(CENTERS)


# Table API page, supported formats: JSON and XML, in and out; 406 and 415 for everything else.


def parsed(answer: httpx.Response) -> ElementTree.Element:
    assert answer.headers["Content-Type"] == "application/xml;charset=UTF-8"
    return ElementTree.fromstring(answer.content)  # noqa: S314 - our own answer


@pytest.mark.parametrize("accept", ["application/xml", "text/xml"])
def test_the_table_api_answers_in_xml(bench: Bench, accept: str) -> None:
    path = f"{CENTERS}?sysparm_query=codeINSALES,PROD^ORDERBYcode&sysparm_fields=code,parent,name"
    answer = bench.get(path, headers={"Accept": accept})
    root = parsed(answer)
    assert (answer.status_code, root.tag, answer.headers["X-Total-Count"]) == (200, "response", "2")
    assert [row.findtext("code") for row in root.findall("result")] == ["PROD", "SALES"]
    link = root.findtext("result/parent/link")
    assert link is not None
    assert link.startswith("https://example.service-now.com/api/now/table/cmn_cost_center/")


def test_refusals_are_xml_as_well(bench: Bench) -> None:
    root = parsed(bench.get("/api/now/table/no_such", headers=XML))
    assert (root.findtext("error/message"), root.findtext("status")) == ("Invalid table no_such", "failure")
    assert bench.get(CENTERS, headers=XML | {"Authorization": ""}).status_code == 401


def test_json_is_preferred_where_both_are_accepted(bench: Bench) -> None:
    answer = bench.get(CENTERS, headers={"Accept": "application/xml, application/json"})
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_body_may_be_xml_and_its_special_characters_survive(bench: Bench) -> None:
    body = "<request><entry><name>R &amp; D &lt;1&gt;</name><code>RD</code></entry></request>"
    headers = XML | {"Content-Type": "application/xml"}
    answer = bench.send("POST", CENTERS, content=body, headers=headers, user=ADMIN_USER)
    assert (answer.status_code, parsed(answer).findtext("result/name")) == (201, "R & D <1>")
    assert [row["code"] for row in bench.tables.find("cmn_cost_center", {"name": "R & D <1>"})] == ["RD"]


@pytest.mark.parametrize("body", ["<request>", "<!DOCTYPE a [<!ENTITY b 'c'>]><request/>"])
def test_xml_that_cannot_be_read_is_a_400(bench: Bench, body: str) -> None:
    answer = bench.send("POST", CENTERS, content=body, headers={"Content-Type": "text/xml"}, user=ADMIN_USER)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Exception while reading request")


def test_other_apis_know_json_only(bench: Bench) -> None:
    assert bench.post(ORDERS, sample.order("PO-1"), headers=XML).status_code == 406
    answer = bench.send("POST", ORDERS, content="<a/>", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415
    assert bench.get(CENTERS, headers={"Accept": "text/html"}).status_code == 406
