"""The sandbox's page: every look is whole, escaped and harmless; a fault added there strikes at once."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest

from connector.bootstrap import Ports, build
from connector.errors import Outage
from connector.flows.detect import poll_all
from connector.flows.overview import Overview, overview
from connector.ports import SeededRandomness
from connector.settings import load_settings
from tests.benchmarks.reference import reference_company
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import SN_URL, Landscape
from tests.sandbox.page import Site, serve_page
from tests.sandbox.page.markup import VOID
from tests.sandbox.page.site import SECURITY_HEADERS
from tests.sandbox.processes import listening
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.sandbox.wire import Exchange, Fault, InProcess, serve

PAGE = "http://127.0.0.1:8080"
SCRIPT = "<script>alert('x')</script>"
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"


class Checked(HTMLParser):
    """Reads a page, fails on what is not well-formed, and keeps its links and forms' tokens."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.cells = 0
        assert text.startswith("<!DOCTYPE html>\n<html lang=")
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        assert not [name for name in names if name == "style" or name.startswith("on")], "the policy forbids it"
        self.tags.add(tag)
        self.cells += tag == "td"
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(str(dict(attrs)["href"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


class Reader:
    """A browser without a network."""

    def __init__(self, site: Site) -> None:
        self.client = httpx.Client(transport=Direct(site), base_url=PAGE)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page, checked."""
        answer = self.client.get(path)
        assert answer.status_code == status, path
        self.checked(answer)
        return answer.text

    def post(self, address: str, /, **fields: str) -> httpx.Response:
        """Sends a form."""
        return self.client.post(address, data=fields)

    def token(self) -> str:
        """The token in the form."""
        found = re.search(r'name="token" value="([^"]{20,})"', self.page("/faults"))
        assert found is not None
        return found[1]

    @staticmethod
    def checked(answer: httpx.Response) -> Checked:
        """The page behind an answer, after the rules that hold for each."""
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return Checked(answer.text)


class Direct(httpx.BaseTransport):
    """Hands requests to the site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self.site.handle(request)


def landscape_at(clock: VirtualClock) -> Landscape:
    return Landscape(clock.now)


@pytest.fixture(scope="module")
def planted() -> Landscape:
    """A landscape in which everything that people may write holds a script."""
    landscape = landscape_at(VirtualClock())
    company, simulator = landscape.data[0].id, landscape.business_central
    order = simulator.document_ids(company)[0]
    vendor = simulator.document_ids(company, "vendors")[0]
    simulator.edit_header(company, vendor, entity="vendors", displayName=SCRIPT)
    simulator.edit_header(company, order, vendorName=SCRIPT)
    simulator.edit_line(company, order, 10000, description=SCRIPT)
    simulator.set_dimension(company, order, "DEPARTMENT", SCRIPT, sequence=10000)
    landscape.servicenow.tables.insert("cmn_cost_center", {"name": SCRIPT, "code": SCRIPT})
    with httpx.Client(transport=InProcess(landscape.sn_exchange), base_url=SN_URL) as client:
        client.get("/api/now/table/x", params={"sysparm_query": SCRIPT})
    return landscape


@pytest.fixture(scope="module")
def reader(planted: Landscape) -> Reader:
    return Reader(Site(planted))


@pytest.fixture
def landscape() -> Landscape:
    return landscape_at(VirtualClock())


def orders_of(landscape: Landscape) -> str:
    return f"/business-central/{landscape.data[0].id}/purchaseOrders"


def first_order(landscape: Landscape) -> str:
    return f"{orders_of(landscape)}/{landscape.business_central.document_ids(landscape.data[0].id)[0]}"


# -- every page


def test_every_page_within_reach_answers_and_is_well_formed(reader: Reader) -> None:
    waiting, seen, shapes = ["/"], {"/"}, Counter[str]()
    while waiting:
        path = waiting.pop()
        answer = reader.client.get(path)
        assert answer.status_code == 200, path
        page = reader.checked(answer)
        assert "script" not in page.tags
        for link in page.links:
            # Of the rows of one table or entity set, and of the pages of one list, the first two stand for all.
            shape = re.sub(r"[0-9a-f]{8}-?[0-9a-f-]{4,27}(?=$|\?)|page=\d+", "EACH", link)
            if link not in seen and shapes[shape] < 2 and "refresh=0" not in link:
                shapes[shape] += 1
                seen.add(link)
                waiting.append(link)
    places = {link.split("/")[1].partition("?")[0] for link in seen}
    assert places == {"", "business-central", "servicenow", "requests", "faults"}
    assert len(seen) > 200


def test_a_look_changes_nothing_and_is_not_counted(landscape: Landscape) -> None:
    def state() -> object:
        bc = landscape.business_central
        orders = [bc.document(landscape.data[0].id, one).header for one in bc.document_ids(landscape.data[0].id)[:5]]
        exchanges = [dict(one.counts) for one in (landscape.bc_exchange, landscape.sn_exchange)]
        return orders, exchanges, landscape.servicenow.writes(), landscape.sn_exchange.recent()

    before, reader = state(), Reader(Site(landscape))
    for path in ("/", orders_of(landscape), first_order(landscape), "/servicenow/sys_user", "/requests", "/faults"):
        reader.page(path)
    assert reader.client.get("/faults/clear").status_code == 405
    assert state() == before


def test_planted_markup_is_shown_as_text(reader: Reader, planted: Landscape) -> None:
    company = planted.data[0].id
    row = planted.servicenow.tables.find("cmn_cost_center", {"code": SCRIPT})[0]["sys_id"]
    vendor = planted.business_central.document_ids(company, "vendors")[0]
    pages = {
        f"/business-central/{company}/vendors": 1,
        f"/business-central/{company}/vendors/{vendor}": 1,
        orders_of(planted): 1,
        first_order(planted): 4,  # vendor twice, description, dimension value
        "/servicenow/cmn_cost_center": 2,
        f"/servicenow/cmn_cost_center/{row}": 4,  # title, heading, two columns
        "/requests": 1,
    }
    for path, times in pages.items():
        text = reader.page(path)
        assert "<script" not in text, path
        assert text.count(ESCAPED) == times, path


def test_a_script_in_an_address_comes_back_as_text(reader: Reader) -> None:
    text = reader.page(f"/servicenow/{quote(SCRIPT, safe='')}?x={SCRIPT}", 404)
    assert "<script" not in text
    assert ESCAPED in text


def test_the_policy_allows_exactly_the_style_sheet_that_is_sent(reader: Reader) -> None:
    answer = reader.client.get("/")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{allowed}';")
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/servicenow/no_such_table",
        "/servicenow/cmn_cost_center/nothing",
        "/servicenow/cmn_cost_center/a/b",
        "/business-central/nothing",
        "/business-central/{company}/noSuchSet",
        "/business-central/{company}/dimensionSetLines",
        "/business-central/{company}/vendors/nothing",
        "/business-central/nothing/vendors",
        "/requests?system=nothing",
    ],
)
def test_what_is_not_there_is_a_404(reader: Reader, planted: Landscape, path: str) -> None:
    assert "Not Found" in reader.page(path.format(company=planted.data[0].id), 404)


def test_a_page_comes_again_unless_asked_not_to(reader: Reader) -> None:
    assert '<meta http-equiv="refresh" content="5">' in reader.page("/")
    paused = reader.page("/servicenow?refresh=0")
    assert "http-equiv" not in paused
    inner = [link for link in Checked(paused).links if link.startswith("/servicenow/")]
    assert inner
    assert all(link.endswith("?refresh=0") for link in inner)
    assert "http-equiv" not in reader.page("/faults"), "a refresh would empty the form"


# -- Business Central


def test_the_company_page_counts_the_rows_of_each_entity_set(reader: Reader, planted: Landscape) -> None:
    company = planted.data[0]
    text = reader.page(f"/business-central/{company.id}")
    for name, rows in {"purchaseOrders": len(company.orders), "vendors": len(company.tables["vendors"])}.items():
        assert re.search(rf'>{name}</a></td><td>[^<]+</td><td class="number">{rows}</td>', text), name


def test_a_document_shows_its_lines_with_dimensions_and_exact_amounts(reader: Reader, planted: Landscape) -> None:
    company = planted.data[0].id
    order = next(one for one in planted.data[0].orders[1:] if one.header["currencyCode"] == "KWD" and one.dimensions)
    found = planted.business_central.document(company, order.id)
    text = unescape(reader.page(f"{orders_of(planted)}/{order.id}"))
    assert f"{found.header['totalAmountIncludingTax']:,.3f}" in text
    for line in found.lines:
        assert f'<td class="number">{line.values["sequence"]}</td>' in text
        for code, value in line.dimensions.items():
            assert f'<span class="badge">{code} <b>{value}</b></span>' in text


def test_an_edit_of_a_document_shows_at_the_next_look(landscape: Landscape) -> None:
    reader, path = Reader(Site(landscape)), first_order(landscape)
    assert "Rush delivery" not in reader.page(path)
    landscape.business_central.edit_line(
        landscape.data[0].id, path.rpartition("/")[2], 10000, description="Rush delivery"
    )
    assert "Rush delivery" in reader.page(path)


# -- ServiceNow


def test_tables_with_rows_come_before_empty_ones(reader: Reader, planted: Landscape) -> None:
    tables = planted.servicenow.tables
    links = Checked(reader.page("/servicenow")).links
    names = [link.removeprefix("/servicenow/") for link in links if link.startswith("/servicenow/")]
    filled = [bool(tables.rows(name)) for name in names]
    assert sorted(names) == sorted(table.name for table in tables.schema)
    assert filled == sorted(filled, reverse=True)


def test_a_table_is_paged_and_no_page_is_larger_than_the_limit(reader: Reader, planted: Landscape) -> None:
    def rows(query: str) -> int:
        return reader.page(f"/servicenow/sys_dictionary{query}").count("<tr>") - 1

    assert len(planted.servicenow.tables.rows("sys_dictionary")) > 400
    assert [rows(query) for query in ("", "?size=7", "?size=100000", "?size=0", "?size=-3", "?size=x")] == [
        50,
        7,
        200,
        1,
        50,
        50,
    ]
    assert "1 to 50 of" in reader.page("/servicenow/sys_dictionary?page=x")
    last = reader.page("/servicenow/sys_dictionary?page=99999999")
    assert f"to {len(planted.servicenow.tables.rows('sys_dictionary')):,} of" in last


def test_columns_without_a_value_can_be_asked_for(reader: Reader, planted: Landscape) -> None:
    columns = planted.servicenow.tables.schema.columns("sys_user")
    whole = reader.page("/servicenow/sys_user?all=1")
    assert whole.count('<th scope="col"') >= len(columns) - 1
    assert reader.page("/servicenow/sys_user").count('<th scope="col"') < whole.count('<th scope="col"')


def test_a_reference_leads_to_the_row_it_means(reader: Reader, planted: Landscape) -> None:
    row = planted.servicenow.tables.rows("sys_user_has_role")[0]
    text = reader.page(f"/servicenow/sys_user_has_role/{row['sys_id']}")
    role = planted.servicenow.tables.display("sys_user_role", row["role"])
    assert f'<a href="/servicenow/sys_user_role/{row["role"]}">{role}</a>' in text


# -- requests and the connector


def test_the_last_requests_of_both_systems_are_listed_newest_first(landscape: Landscape) -> None:
    reader = Reader(Site(landscape))
    with httpx.Client(transport=landscape.transport(), auth=(CONNECTOR_USER, CONNECTOR_PASSWORD)) as client:
        for number in range(205):
            client.get(f"{SN_URL}/api/now/table/number_{number}")
        client.get("https://api.businesscentral.dynamics.com/v2.0/nowhere")
    text = reader.page("/requests")
    places = [text.index("/v2.0/nowhere"), text.index("number_204"), text.index("number_203")]
    assert places == sorted(places)
    assert text.count("<tr>") == 201
    assert "number_5<" not in text
    assert "nowhere" not in reader.page("/requests?system=ServiceNow")


def test_a_request_that_ends_without_an_answer_is_listed_as_cut(landscape: Landscape) -> None:
    reader = Reader(Site(landscape))
    reader.post("/faults", token=reader.token(), system="ServiceNow", effect="reset_before", times="1")
    with httpx.Client(transport=landscape.transport()) as client, pytest.raises(httpx.ReadError):
        client.get(f"{SN_URL}/api/now/table/cmn_cost_center")
    assert 'cut</span></td><td><span class="badge bad">reset_before</span>' in reader.page("/requests")


def test_the_overview_shows_where_the_connectors_documents_stand() -> None:
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=[reference_company(3)])
    ports = Ports(
        landscape.transport(), MemoryTables(clock), MemoryQueues(clock), clock, SeededRandomness(random.Random(1))
    )
    parts = build(load_settings(landscape.environment()), ports)
    poll_all(parts)
    text = Reader(Site(landscape, now=clock.now, documents=lambda: overview(parts))).page("/")
    assert '<td>purchaseOrders</td><td class="number">3</td><td class="number">3</td>' in text
    assert "1 units wait" in text
    assert clock.now().strftime("%Y-%m-%d %H:%M:%S UTC") in text
    assert "Connector" not in Reader(Site(landscape)).page("/")


def test_an_outage_of_the_connectors_storage_leaves_the_rest_of_the_overview(landscape: Landscape) -> None:
    def silent() -> Overview:
        raise Outage("storage", "no answer")

    text = Reader(Site(landscape, documents=silent)).page("/")
    assert "Its storage does not answer" in text
    assert "ServiceNow" in text


# -- faults


def test_a_fault_from_the_form_meets_the_next_request_and_is_shown_as_counted(landscape: Landscape) -> None:
    reader = Reader(Site(landscape))
    fields = {"effect": "answer", "path": "cmn_cost_center", "times": "2", "status": "429", "headers": "Retry-After: 7"}
    answer = reader.post("/faults", token=reader.token(), system="ServiceNow", answer="later", **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/faults")
    assert "status 429, Retry-After: 7, later" in reader.page("/faults")
    with httpx.Client(transport=landscape.transport(), auth=(CONNECTOR_USER, CONNECTOR_PASSWORD)) as client:
        met = client.get(f"{SN_URL}/api/now/table/cmn_cost_center")
        other = client.get(f"{SN_URL}/api/now/table/sys_user")
    assert (met.status_code, met.headers["Retry-After"], met.text) == (429, "7", "later")
    assert other.status_code != 429
    text = reader.page("/")
    assert "Struck so far: answer 1." in text
    assert '<td class="number">0</td><td class="number">1</td>' in text, "passes first, may still strike"
    assert "<b>1</b><span>met by a fault</span>" in text
    assert '429</span></td><td><span class="badge bad">answer</span>' in reader.page("/requests")


def test_the_form_asks_for_every_field_of_a_fault(reader: Reader) -> None:
    names = set(re.findall(r'<(?:input|select|textarea)\b[^>]* name="(\w+)"', reader.page("/faults")))
    assert names == {field.name for field in dataclasses.fields(Fault)} | {"system", "token"}


def test_clearing_empties_one_systems_table(landscape: Landscape) -> None:
    reader = Reader(Site(landscape))
    token = reader.token()
    for system in ("ServiceNow", "Business Central"):
        reader.post("/faults", token=token, system=system, effect="slow", delay="0.5", times="")
    assert [fault.times for fault in landscape.bc_exchange.faults] == [None]
    assert reader.post("/faults/clear", token=token, system="ServiceNow").status_code == 303
    assert (len(landscape.bc_exchange.faults), len(landscape.sn_exchange.faults)) == (1, 0)


@pytest.mark.parametrize("path", ["/faults", "/faults/clear"])
def test_a_form_without_the_pages_own_token_is_refused(landscape: Landscape, path: str) -> None:
    reader = Reader(Site(landscape))
    reader.post("/faults", token=reader.token(), system="ServiceNow", effect="slow")
    other = Reader(Site(landscape)).token()
    for fields in ({}, {"token": ""}, {"token": "ü"}, {"token": other}):
        answer = reader.post(path, system="ServiceNow", effect="refuse", **fields)
        assert answer.status_code == 403
        reader.checked(answer)
    assert [fault.effect for fault in landscape.sn_exchange.faults] == ["slow"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("effect", "explode", "effect"),
        ("path", "(", "path is no regular expression"),
        ("skip", "-1", "skip must be a number"),
        ("times", "many", "times must be a number"),
        ("status", "99", "status must be a number"),
        ("delay", "3600", "delay must be a number"),
        ("delay", "nan", "delay must be a number"),
        ("probability", "1.5", "probability must be a number"),
        ("headers", "no colon", "is no header"),
        ("headers", "X: ☃", "is no header"),
    ],
)
def test_a_form_with_a_mistake_comes_back_as_filled_in(
    reader: Reader, planted: Landscape, name: str, value: str, said: str
) -> None:
    fields = {"effect": "answer", "method": "PATCH|PUT", name: value}
    answer = reader.post("/faults", token=reader.token(), system="ServiceNow", **fields)
    assert answer.status_code == 400
    reader.checked(answer)
    assert said in answer.text
    assert 'value="PATCH|PUT"' in answer.text
    assert planted.sn_exchange.faults == []


def test_a_fault_with_markup_in_every_field_is_shown_as_text(landscape: Landscape) -> None:
    reader = Reader(Site(landscape))
    markup = '"><script>'
    fields = dict.fromkeys(("method", "path", "body", "answer"), markup) | {"headers": f"X: {markup}"}
    reader.post("/faults", token=reader.token(), system="ServiceNow", effect="answer", **fields)
    assert len(landscape.sn_exchange.faults) == 1
    for path in ("/", "/faults"):
        assert "<script" not in reader.page(path)
    wrong = reader.post("/faults", token=reader.token(), system="ServiceNow", effect=markup, **fields)
    assert "<script" not in wrong.text
    reader.checked(wrong)


# -- methods, addresses, the server


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(reader: Reader, method: str) -> None:
    answer = reader.client.request(method, "/faults")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/", "/requests", "/servicenow/sys_user", "/nothing"])
def test_nothing_can_be_posted_to_a_page_that_only_shows(reader: Reader, path: str) -> None:
    answer = reader.post(path, token=reader.token(), system="ServiceNow")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_another_name_for_the_address_is_refused(reader: Reader) -> None:
    assert reader.client.get("http://evil.example:8080/faults").status_code == 421
    assert reader.client.get("http://localhost:8080/faults").status_code == 200


@pytest.fixture
def on_the_wire(planted: Landscape) -> Iterator[httpx.Client]:
    with serve_page(Site(planted), port=0) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def test_every_answer_on_the_wire_carries_the_security_headers(on_the_wire: httpx.Client) -> None:
    calls = [("GET", "/", 200), ("GET", "/nothing", 404), ("POST", "/faults", 403), ("POST", "/", 405)]
    calls += [(method, "/", 405) for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "BREW")]
    for method, path, status in calls:
        answer = on_the_wire.request(method, path, content=b"x=1" if method in {"POST", "PUT"} else None)
        assert answer.status_code == status, method
        Reader.checked(answer)
    head = on_the_wire.head("/")
    assert (head.status_code, head.content) == (405, b"")
    assert head.headers["X-Content-Type-Options"] == "nosniff"


def test_a_fault_is_added_over_the_wire(landscape: Landscape) -> None:
    with serve_page(Site(landscape), port=0) as url, httpx.Client(base_url=url, trust_env=False) as client:
        token = re.findall(r'name="token" value="([^"]+)"', client.get("/faults").text)[0]
        fields = {"token": token, "system": "Business Central", "effect": "answer", "answer": 'größer & "<b>"'}
        answer = client.post("/faults", data=fields, follow_redirects=True)
    assert "größer &amp; &quot;&lt;b&gt;&quot;" in answer.text
    assert [fault.answer for fault in landscape.bc_exchange.faults] == ['größer & "<b>"']


def test_a_form_that_is_too_large_or_has_no_length_is_not_read(on_the_wire: httpx.Client) -> None:
    large = on_the_wire.post("/faults", content=b"x" * 70000)
    endless = on_the_wire.post("/faults", content=iter([b"x=1"]))
    assert [large.status_code, endless.status_code] == [413, 411]
    Reader.checked(large)
    Reader.checked(endless)


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_gets_a_page_too(on_the_wire: httpx.Client, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", on_the_wire.base_url.port or 0), timeout=5) as connection:
        connection.sendall(raw)
        head = connection.makefile("rb").read(600).decode("latin-1")
    assert re.match(r"HTTP/1.1 (400|414|505) ", head)
    assert "Content-Security-Policy: default-src 'none'" in head.title().replace(
        "Default-Src 'None'", "default-src 'none'"
    )


def test_the_page_takes_another_port_when_its_own_is_taken_and_leaves_none_behind(planted: Landscape) -> None:
    site, threads = Site(planted), threading.active_count()
    with serve_page(site) as first, serve_page(site) as second:
        assert first != second
        ports = [httpx.URL(url).port or 0 for url in (first, second)]
        assert [httpx.get(url, trust_env=False).status_code for url in (first, second)] == [200, 200]
        with pytest.raises(OSError, match="in use"), serve_page(site, port=ports[1]):
            pass
    assert not listening(ports[1])
    assert threading.active_count() <= threads + 2, "a connection's own thread may still be on its way out"


def test_a_body_under_a_status_that_has_none_does_not_spoil_the_next_answer() -> None:
    exchange = Exchange(lambda _request: httpx.Response(200, text="right"))
    exchange.faults = [Fault("answer", status=204, answer="no body may follow")]
    with serve(exchange) as served, httpx.Client(base_url=served.url, trust_env=False) as client:
        answers = [client.get("/") for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(204, ""), (200, "right")]
