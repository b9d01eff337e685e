"""Dimension values by both ways against the simulator: finding the way, reading, adding, changing, and every refusal."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from connector.business_central.dimension_values import (
    MISSING_FOR,
    PAGE,
    REMEMBERED_FOR,
    DimensionValues,
    Outdated,
    RouteMissing,
    ValueRefused,
)
from connector.business_central.permitted import Permitted
from connector.business_central.session import SYSTEM, BusinessCentralSession, NotOffered, NotPermitted
from connector.errors import Ambiguous, ConnectorError, Outage, Refused, Throttled
from connector.model.alignment import Value, ValueType
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from connector.setting_words import Company
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.other_apis import FINANCE
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.webhook_resources import CUSTOM, EXTENSION
from tests.sandbox.business_central.write_watch import WatchedTransport
from tests.sandbox.clock import VirtualClock
from tests.sandbox.sample import companies
from tests.sandbox.wire import Exchange, Fault, Router

HOST = "https://api.businesscentral.dynamics.com"
SERVICE = "DimensionValues"
DATA = [replace(data, documents={}, history={}, files={}) for data in companies()]
DEPARTMENT, AREA = "DEPARTMENT", "AREA"
USED = "This dimension value has been used in posted or budget entries and is included in a dimension set."
ODD = (
    *(
        "O'NEIL",
        "''",
        "A&B",
        "A/B",
        "/",
        "A\\B",
        "50%",
        "%2F",
        "A+B",
        "10,5",
        "A;B",
        "#1",
        "(X)",
        "A=B",
        "A?B",
        '"Q"',
        "A B",
    ),
    *(
        "A:B",
        "@A",
        "$COUNT",
        ".",
        "..",
        "A..B",
        "GROßE",
        "ÅÄÖ 1",
        "Ж1",
        "漢字",
        "12345678901234567890",
        "'/&%?#+,;=()'",
    ),
)
"""Codes as BC keeps them."""
Kind = Literal["extension", "page service"]
NEW = Value("CC4711", "Cost centre 4711")


class Scene:
    """A simulated BC without documents, and a client of its dimension values that may use both ways.

    `kind`: the way that BC offers ("": none). `more`: values that the first company has besides, without their ids.
    """

    def __init__(self, kind: str, *, more: list[Row] | None = None) -> None:
        self.kind = kind
        tables = {name: list(rows) for name, rows in DATA[0].tables.items()}
        department = next(row for row in tables["dimensions"] if row["code"] == DEPARTMENT)
        for number, row in enumerate(more or []):
            id_ = f"00000000-0000-4000-8000-{number:012d}"
            stamp = {"consolidationCode": "", "lastModifiedDateTime": datetime(2026, 1, 1, tzinfo=UTC)}
            tables["dimensionValues"].append({"id": id_, "dimensionId": department["id"]} | stamp | row)
        self.clock = VirtualClock()
        self.clock.advance(5)
        self.business_central = BusinessCentral([replace(DATA[0], tables=tables), DATA[1]], now=self.clock.now)
        self.offer(kind)
        self.exchange = Exchange(self.business_central.handle, sleep=self.clock.sleep)
        hosts = dict.fromkeys(("api.businesscentral.dynamics.com", "login.microsoftonline.com"), self.exchange)
        self.forbidden: list[str] = []
        transport = WatchedTransport(Router(hosts).transport(), self.business_central, self.forbidden)
        self.remote = Remote(SYSTEM, transport, self.clock)
        self.company, self.other = (_company(key, data.id) for key, data in zip(("us", "de"), DATA, strict=True))
        self.values = self.client(EXTENSION, SERVICE)
        self.person = Probe(self.business_central, self.company.id)
        self.exchange.counts.clear()

    def client(self, extension: str, service: str) -> DimensionValues:
        """A client that looks for this extension and this service, for both companies."""
        bc = self.business_central
        tokens = TokenProvider(
            self.remote,
            f"https://login.microsoftonline.com/{bc.tenant}/oauth2/v2.0/token",
            {"grant_type": "client_credentials", "client_id": bc.client_id, "scope": f"{HOST}/.default"},
            [lambda: {"client_secret": "first-secret"}],
            self.clock,
        )
        permitted = Permitted([self.company.id, self.other.id], extension=extension, service=service)
        root, chance = f"{HOST}/v2.0/{bc.tenant}/Production/api", SeededRandomness(random.Random(1))
        self.session = BusinessCentralSession(self.remote, tokens, root, self.clock, chance, permitted)
        return DimensionValues(self.session, self.clock)

    def offer(self, kind: str) -> None:
        """From now on BC offers this way and no other."""
        self.business_central.apis.available.discard(EXTENSION)
        self.business_central.page_services.published.pop(SERVICE, None)
        if kind == "extension":
            self.business_central.apis.available.add(EXTENSION)
        if kind == "page service":
            self.business_central.page_services.published[SERVICE] = 537

    def read(self, dimension: str = DEPARTMENT) -> dict[str, Value]:
        """The values of a dimension by code."""
        return {value.code: value for value in self.values.read(self.company, dimension)}

    def write(self, method: str, value: Value) -> Value:
        """Adds the new value, or gives this one its name."""
        if method == "create":
            return self.values.create(self.company, DEPARTMENT, NEW)
        return self.values.change(self.company, DEPARTMENT, value, name=NEW.name)

    def kept(self, code: str, dimension: str = DEPARTMENT) -> dict[str, Any]:
        """A value as BC has it, seen by another client on a page of another name."""
        self.business_central.apis.available.add(CUSTOM)
        base = self.person.base.removesuffix("v2.0")
        rows = self.person.rows(f"{base}{CUSTOM}/companies({self.company.id})/dimensionValues")
        return next((row for row in rows if (row["dimensionCode"], row["code"]) == (dimension, code)), {})

    def edited(self, code: str, **changes: Any) -> None:
        """Somebody else changes a value."""
        id_ = self.kept(code)["id"]
        self.business_central.edit_header(DATA[0].name, id_, entity="dimensionValues", **changes)

    def failing(self, status: int, code: str, words: str = "No.", *, method: str = "POST|PATCH") -> None:
        """From now on writes are answered with this error."""
        text = json.dumps({"error": {"code": code, "message": f"{words}  CorrelationId:  7fbe0bac."}}) if code else ""
        headers = {"Content-Type": "application/json"}
        fault = Fault("answer", method=method, path=".*imensionValues.*", status=status, headers=headers, answer=text)
        self.exchange.faults.append(replace(fault, times=None))

    def answering(self, *rows: dict[str, Any]) -> None:
        """The next reading of values is answered with these rows; the way is known by then."""
        self.values.route(self.company)
        body, headers = json.dumps({"value": rows}), {"Content-Type": "application/json"}
        self.exchange.faults.append(
            Fault("answer", path=".*imensionValues.*", status=200, headers=headers, answer=body)
        )

    def calls(self, do: Callable[[], object]) -> list[tuple[str, str]]:
        """Method and address of what is sent to BC while something is done."""
        before = self.exchange.counts["requests"]
        do()
        count = self.exchange.counts["requests"] - before
        passed = self.exchange.recent()
        sent = [(each.method, each.path.decode()) for each in passed[len(passed) - count :]]
        return [(method, path) for method, path in sent if not path.endswith("/token")]


def _company(key: str, id_: str) -> Company:
    return Company(
        key=key,
        id=id_,
        erp_source=f"BC-{key}",
        legal_entity=key,
        local_currency="USD",
        invoice_source="BC",
        cost_centre_dimension=DEPARTMENT,
    )


@pytest.fixture(params=["extension", "page service"])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


# -- the way


def test_the_way_that_the_tenant_offers_is_found_by_reading(scene: Scene) -> None:
    sent = scene.calls(lambda: scene.values.route(scene.company))
    found = scene.values.route(scene.company)
    assert (found.kind, found.name) == (scene.kind, EXTENSION if scene.kind == "extension" else SERVICE)
    assert found.name in found.why
    assert [method for method, _ in sent] == ["GET"] * (1 if scene.kind == "extension" else 2)


def test_the_extension_is_preferred() -> None:
    scene = Scene("page service")
    scene.business_central.apis.available.add(EXTENSION)
    assert scene.values.route(scene.company).kind == "extension"


def test_names_of_a_customers_own_are_found_by_their_settings() -> None:
    scene = Scene("")
    scene.business_central.page_services.published["KST"] = 537
    assert scene.client(EXTENSION, "KST").route(scene.company).name == "KST"
    scene.business_central.apis.available.add(CUSTOM)
    values = scene.client(CUSTOM, "KST")
    assert values.route(scene.company).name == CUSTOM
    assert values.create(scene.company, DEPARTMENT, NEW).code == NEW.code


def test_without_a_way_the_sentence_says_what_to_install_and_to_publish() -> None:
    scene = Scene("")
    found = scene.values.route(scene.company)
    assert (found.kind, found.name) == ("none", "")
    for part in (EXTENSION, "page 537", SERVICE, "table 349"):
        assert part in found.why
    for write in (
        lambda: scene.values.create(scene.company, DEPARTMENT, NEW),
        lambda: scene.values.change(scene.company, DEPARTMENT, NEW, name="x"),
    ):
        with pytest.raises(RouteMissing, match="page 537"):
            write()
    assert scene.exchange.counts["POST"] == 1, "the token"


def test_another_page_under_the_name_is_no_way_and_is_named() -> None:
    scene = Scene("")
    scene.business_central.page_services.published[SERVICE] = 15
    found = scene.values.route(scene.company)
    assert found.kind == "none"
    assert f"{SERVICE} lacks Dimension_Code" in found.why


def test_a_way_is_remembered_for_hours_and_a_missing_one_for_minutes() -> None:
    scene = Scene("")

    def look() -> object:
        return scene.values.route(scene.company)

    assert len(scene.calls(look)) == 2
    scene.offer("page service")
    scene.clock.advance(MISSING_FOR - 1)
    assert scene.calls(look) == []
    scene.clock.advance(1)
    assert len(scene.calls(look)) == 2
    assert scene.values.route(scene.company).kind == "page service"
    scene.offer("extension")
    scene.clock.advance(REMEMBERED_FOR - 1)
    assert scene.calls(look) == []
    scene.clock.advance(1)
    assert scene.values.route(scene.company).kind == "extension"


def test_each_company_has_its_own_way(scene: Scene) -> None:
    scene.values.route(scene.company)
    assert scene.calls(lambda: scene.values.route(scene.other)) != []


def test_a_way_that_is_gone_is_looked_for_again(scene: Scene) -> None:
    scene.values.route(scene.company)
    scene.offer("")
    with pytest.raises(NotOffered):
        scene.values.read(scene.company, DEPARTMENT)
    assert scene.values.route(scene.company).kind == "none"


@pytest.mark.parametrize("method", ["create", "change"])
def test_a_way_that_goes_while_it_is_used_is_missing_and_looked_for_again(scene: Scene, method: str) -> None:
    value = scene.read()["SALES"]
    scene.offer("")
    with pytest.raises(RouteMissing):
        scene.write(method, value)
    assert scene.values.route(scene.company).kind == "none"


def test_a_page_that_takes_no_changes_is_told_as_such(scene: Scene) -> None:
    scene.failing(405, "BadRequest_MethodNotAllowed")
    with pytest.raises(RouteMissing, match="takes no changes"):
        scene.values.create(scene.company, DEPARTMENT, NEW)


@pytest.mark.parametrize(("status", "error"), [(403, NotPermitted), (401, Refused), (503, Outage), (429, Throttled)])
def test_what_hides_a_way_does_not_make_it_missing(scene: Scene, status: int, error: type[Outage]) -> None:
    scene.failing(status, "Some_Code", method="GET")
    with pytest.raises(error):
        scene.values.route(scene.company)
    scene.exchange.faults.clear()
    assert scene.values.route(scene.company).kind == scene.kind


def test_a_company_that_is_not_there_is_no_missing_way(scene: Scene) -> None:
    company = scene.company.model_copy(update={"id": "00000000-0000-4000-8000-000000000001"})
    with pytest.raises(Refused, match="company id"):
        scene.values.route(company)


# -- reading


def test_all_values_of_the_dimension_are_read_and_no_others(scene: Scene) -> None:
    read = scene.values.read(scene.company, DEPARTMENT)
    assert [value.code for value in read] == ["00", "ADM", "PROD", "PURCHASING", "SALES", "WAREHOUSE", "WORKSHOP"]
    by_code = {value.code: value for value in read}
    assert (by_code["00"].type, by_code["00"].name) == ("Heading", "Departments")
    assert (by_code["WORKSHOP"].blocked, by_code["ADM"].blocked) == (True, False)
    assert all(value.etag for value in read)
    assert all(bool(value.id) == bool(value.modified) == (scene.kind == "extension") for value in read)


def test_types_and_totals_are_read(scene: Scene) -> None:
    scene.values.change(scene.company, AREA, scene.read(AREA)["55"], totaling="10..55")
    read = scene.read(AREA)
    assert [value.type for value in read.values()] == ["Begin-Total", "Standard", "Standard", "End-Total", "Standard"]
    assert read["55"].totaling == "10..55"


def test_words_may_come_encoded_ids_in_capitals_and_stamps_blank(scene: Scene) -> None:
    id_ = "0F91419F-7B01-F111-A1FD-7CED8D2674F8"
    scene.answering(of(scene.kind, type="Begin_x002D_Total", id=id_, modified="0001-01-01T00:00:00Z"))
    (value,) = scene.values.read(scene.company, DEPARTMENT)
    assert (value.type, value.modified) == ("Begin-Total", None)
    assert value.id == (id_.lower() if scene.kind == "extension" else "")


def test_a_dimension_that_is_not_there_has_no_values(scene: Scene) -> None:
    assert scene.values.read(scene.company, "O'NEIL & SONS/") == []


def test_a_dimension_is_asked_for_as_bc_keeps_its_code(scene: Scene) -> None:
    assert len(scene.values.read(scene.company, " department ")) == 7


def test_five_thousand_values_are_read_in_a_few_calls(scene: Scene) -> None:
    many = [{"code": f"C{number:05d}", "displayName": f"Cost centre {number}"} for number in range(5000)]
    scene = Scene(scene.kind, more=many)
    scene.values.route(scene.company)
    read: list[Value] = []
    sent = scene.calls(lambda: read.extend(scene.values.read(scene.company, DEPARTMENT)))
    assert len(read) == len({value.code for value in read}) == 5007
    assert [method for method, _ in sent] == ["GET"] * 2
    assert PAGE == 5000
    scene.business_central.limits.page_size = 500
    again: list[Value] = []
    sent = scene.calls(lambda: again.extend(scene.values.read(scene.company, DEPARTMENT)))
    assert len(sent) == 11
    assert again == read


def test_where_nothing_can_be_written_values_are_read_for_reports() -> None:
    scene = Scene("")
    read = scene.read()
    assert len(read) == 7
    assert (read["WORKSHOP"].blocked, read["00"].type, read["ADM"].name) == (True, "Heading", "Administration")
    assert {(value.etag, value.id, value.totaling) for value in read.values()} == {("", "", "")}
    scene.offer("extension")
    scene.clock.advance(MISSING_FOR)
    with pytest.raises(Outdated):
        scene.values.change(scene.company, DEPARTMENT, read["ADM"], name="x")


def test_where_nothing_can_be_read_either_the_missing_way_is_told() -> None:
    scene = Scene("")
    scene.business_central.apis.available.discard(FINANCE)
    with pytest.raises(RouteMissing, match="page 537"):
        scene.values.read(scene.company, DEPARTMENT)


def of(kind: str, **changes: Any) -> dict[str, Any]:
    """A row of one of the ways, with these attributes otherwise; None: without."""
    names = {"dimension": "dimensionCode", "code": "code", "name": "displayName", "type": "dimensionValueType"}
    names |= {"totaling": "totaling", "blocked": "blocked", "id": "id", "modified": "lastModifiedDateTime"}
    if kind == "page service":
        names = {"dimension": "Dimension_Code", "code": "Code", "name": "Name", "type": "Dimension_Value_Type"}
        names |= {"totaling": "Totaling", "blocked": "Blocked"}
    right = {"dimension": DEPARTMENT, "code": "A", "name": "A", "type": "Standard", "totaling": "", "blocked": False}
    right |= {"id": "0f91419f-7b01-f111-a1fd-7ced8d2674f8", "modified": "2026-01-01T00:00:00Z"}
    row = {names[name]: value for name, value in (right | changes).items() if name in names and value is not None}
    return row | {"@odata.etag": 'W/"x"'}


BAD: list[dict[str, Any]] = [
    {"code": ""},
    {"code": 7},
    {"name": None},
    {"name": "\ud800"},
    {"type": "Other"},
    {"type": 1},
    {"blocked": "false"},
    {"dimension": AREA},
    {"totaling": None},
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_a_row_that_is_no_value_of_the_dimension_is_an_outage(scene: Scene, bad: dict[str, Any]) -> None:
    scene.answering(of(scene.kind), of(scene.kind, **bad))
    with pytest.raises(Outage, match="cannot be read"):
        scene.values.read(scene.company, DEPARTMENT)


@pytest.mark.parametrize("bad", [{"id": "x"}, {"id": "00000000-0000-0000-0000-000000000000"}, {"modified": "today"}])
def test_an_extension_has_to_tell_id_and_stamp(bad: dict[str, Any]) -> None:
    scene = Scene("extension")
    scene.answering(of("extension", **bad))
    with pytest.raises(Outage, match="cannot be read"):
        scene.values.read(scene.company, DEPARTMENT)


# -- adding


def test_a_value_is_added_with_everything_it_has(scene: Scene) -> None:
    value = Value("T99", "A total", "Total", True, "A..C")
    made = scene.values.create(scene.company, DEPARTMENT, value)
    assert (made.code, made.name, made.type, made.blocked, made.totaling) == ("T99", "A total", "Total", True, "A..C")
    assert scene.read()["T99"] == made
    kept = scene.kept("T99")
    assert (kept["displayName"], kept["dimensionValueType"], kept["totaling"]) == ("A total", "Total", "A..C")
    assert kept["blocked"] is True


def test_adding_takes_one_request(scene: Scene) -> None:
    scene.values.route(scene.company)
    sent = scene.calls(lambda: scene.values.create(scene.company, DEPARTMENT, NEW))
    assert [method for method, _ in sent] == ["POST"]


def test_only_the_company_that_is_meant_gets_the_value(scene: Scene) -> None:
    scene.values.create(scene.company, DEPARTMENT, NEW)
    codes = {value.code for value in scene.values.read(scene.other, DEPARTMENT)}
    assert NEW.code not in codes


def test_codes_come_back_as_bc_keeps_them(scene: Scene) -> None:
    made = scene.values.create(scene.company, "department", Value(" cc-x ", "lower"))
    assert made.code == "CC-X"
    assert scene.values.change(scene.company, DEPARTMENT, made, name="renamed").name == "renamed"


@pytest.mark.parametrize("code", ODD)
def test_odd_codes_are_added_read_and_changed(scene: Scene, code: str) -> None:
    other = scene.values.create(scene.company, DEPARTMENT, Value("A", "Other"))
    made = scene.values.create(scene.company, DEPARTMENT, Value(code, "Odd 'name' & more/\\"))
    assert (made.code, made.name) == (code, "Odd 'name' & more/\\")
    read = scene.read()
    assert read[code] == made
    changed = scene.values.change(scene.company, DEPARTMENT, read[code], name="Renamed", blocked=True)
    assert (changed.code, changed.name, changed.blocked) == (code, "Renamed", True)
    assert scene.kept(code)["displayName"] == "Renamed"
    assert scene.read()["A"] == other
    assert scene.forbidden == []


@pytest.mark.parametrize("code", ["A/../B", "..\\X", "%2F..%2FX", "A\tB", "A\ud800"])
def test_a_code_that_an_address_cannot_hold_is_refused_before_anything_is_sent(code: str) -> None:
    scene = Scene("page service")
    scene.values.route(scene.company)

    def change() -> None:
        with pytest.raises(ValueRefused, match="in an address"):
            scene.values.change(scene.company, DEPARTMENT, Value(code, "x", etag='W/"x"'), name="y")

    assert scene.calls(change) == []


def test_a_server_that_loses_its_way_at_a_slash_says_nothing_about_the_service() -> None:
    scene = Scene("page service")
    made = scene.values.create(scene.company, DEPARTMENT, Value("A/B", "x"))
    scene.failing(404, "BadRequest_ResourceNotFound", method="PATCH")
    with pytest.raises(ValueRefused, match="slash"):
        scene.values.change(scene.company, DEPARTMENT, made, name="y")
    assert scene.calls(lambda: scene.values.route(scene.company)) == [], "the way is still known"


def test_a_value_that_is_there_already_is_told_apart(scene: Scene) -> None:
    scene.values.create(scene.company, DEPARTMENT, NEW)
    with pytest.raises(Outdated) as caught:
        scene.values.create(scene.company, DEPARTMENT, Value("cc4711", "Another name"))
    assert caught.value.cause == "there already"
    assert scene.kept(NEW.code)["displayName"] == NEW.name


@pytest.mark.parametrize(
    ("dimension", "value", "code", "words"),
    [
        (DEPARTMENT, Value("(CONFLICT)", "x"), "Application_DialogException", "Code can not be (CONFLICT)."),
        (DEPARTMENT, Value("", "x"), "Application_FieldValidationException", "Code must have a value"),
        (DEPARTMENT, Value("1" * 21, "x"), "Application_StringExceededLength", "less than or equal to 20"),
        (DEPARTMENT, Value("A", "n" * 51), "Application_StringExceededLength", "less than or equal to 50"),
        (DEPARTMENT, Value("A", "x", totaling="A..B"), "Application_FieldValidationException", "must not be Standard"),
        ("NOWHERE", Value("A", "x"), "Internal_InvalidTableRelation", "NOWHERE"),
    ],
    ids=lambda each: each.code[:8] if isinstance(each, Value) else None,
)
def test_what_bc_will_not_have_is_refused_in_its_words(
    scene: Scene, dimension: str, value: Value, code: str, words: str
) -> None:
    with pytest.raises(ValueRefused) as caught:
        scene.values.create(scene.company, dimension, value)
    assert caught.value.code == code
    assert words in caught.value.words
    assert "CorrelationId" not in caught.value.words


# -- changing


@pytest.mark.parametrize(
    "changes", [{"name": "New"}, {"blocked": True}, {"type": "Heading"}, {"type": "End-Total", "totaling": "A..B"}]
)
def test_what_is_given_is_changed_and_nothing_else(scene: Scene, changes: dict[str, Any]) -> None:
    made = scene.values.create(scene.company, DEPARTMENT, NEW)
    changed = scene.values.change(scene.company, DEPARTMENT, made, **changes)
    assert changed == replace(made, **changes, etag=changed.etag, modified=changed.modified)
    assert scene.read()[NEW.code] == changed
    assert changed.etag != made.etag


def test_false_and_blank_are_changes_too(scene: Scene) -> None:
    made = scene.values.create(scene.company, DEPARTMENT, Value("T", "x", "Total", True, "A..B"))
    changed = scene.values.change(scene.company, DEPARTMENT, made, blocked=False, totaling="", name="")
    assert (changed.blocked, changed.totaling, changed.name) == (False, "", "")


def test_nothing_to_change_is_nothing_to_send(scene: Scene) -> None:
    value = scene.read()["ADM"]
    assert scene.calls(lambda: scene.values.change(scene.company, DEPARTMENT, value)) == []


def test_a_change_of_a_change_goes_by_the_new_etag(scene: Scene) -> None:
    first = scene.values.change(scene.company, DEPARTMENT, scene.read()["ADM"], name="One")
    assert scene.values.change(scene.company, DEPARTMENT, first, name="Two").name == "Two"


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(scene: Scene) -> None:
    value = scene.read()["ADM"]
    scene.edited("ADM", displayName="By hand")
    with pytest.raises(Outdated) as caught:
        scene.values.change(scene.company, DEPARTMENT, value, name="By us")
    assert caught.value.cause == "changed"
    assert scene.kept("ADM")["displayName"] == "By hand"
    assert scene.values.change(scene.company, DEPARTMENT, scene.read()["ADM"], name="By us").name == "By us"


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (409, "Request_EntityChanged", "changed"),
        (412, "Request_EntityChanged", "changed"),
        (412, "", "changed"),
        (400, "BadRequest_InvalidToken", "changed"),
        (404, "Internal_RecordNotFound", "gone"),
        (400, "Internal_RecordNotFound", "gone"),
        (410, "", "gone"),
    ],
)
def test_every_versions_answer_to_a_stale_change_is_known(scene: Scene, status: int, code: str, cause: str) -> None:
    value = scene.read()["ADM"]
    scene.failing(status, code)
    with pytest.raises(Outdated) as caught:
        scene.values.change(scene.company, DEPARTMENT, value, name="x")
    assert caught.value.cause == cause


def test_something_else_that_is_missing_when_a_value_is_added_is_no_value_that_is_gone(scene: Scene) -> None:
    scene.failing(404, "Internal_RecordNotFound", "The Cost Accounting Setup does not exist.")
    with pytest.raises(ValueRefused, match="Cost Accounting Setup"):
        scene.values.create(scene.company, DEPARTMENT, NEW)


def test_a_value_that_is_gone_is_told_apart(scene: Scene) -> None:
    made = scene.values.create(scene.company, DEPARTMENT, NEW)
    scene.business_central.delete(DATA[0].name, "dimensionValues", scene.kept(NEW.code)["id"])
    with pytest.raises(Outdated) as caught:
        scene.values.change(scene.company, DEPARTMENT, made, name="x")
    assert caught.value.cause == "gone"


def test_the_type_of_a_used_value_cannot_be_changed(scene: Scene) -> None:
    scene.business_central.apis.numbers.set_of(scene.business_central._company(DATA[0].name), {DEPARTMENT: "ADM"})
    kind: ValueType = "Begin-Total"
    with pytest.raises(ValueRefused) as caught:
        scene.values.change(scene.company, DEPARTMENT, scene.read()["ADM"], type=kind)
    assert caught.value.words == f"{USED}\\You cannot change the type."
    assert scene.kept("ADM")["dimensionValueType"] == "Standard"


@pytest.mark.parametrize("method", ["create", "change"])
@pytest.mark.parametrize(
    ("status", "code", "words", "error", "says"),
    [
        (403, "Authorization_AccessDenied", "", NotPermitted, "table 349"),
        (
            400,
            "Internal_ServerError",
            "Sorry, the current permissions prevented the action.",
            NotPermitted,
            "table 349",
        ),
        (400, "Application_DialogException", "You do not have permissions to.", NotPermitted, "table 349"),
        (400, "Application_CallbackNotAllowed", "", Refused, "Align Cost Center Dimension"),
        (404, "Internal_CompanyNotFound", "", Refused, "COMPANIES"),
        (401, "Authentication_InvalidCredentials", "", Refused, "Microsoft Entra Applications"),
        (404, "BadRequest_ResourceNotFound", "", RouteMissing, "no longer there"),
        (404, "", "", RouteMissing, "no longer there"),
        (409, "Internal_Deadlock", "", Outage, "now"),
        (429, "Application_TooManyRequests", "", Throttled, "slow down"),
        (503, "Internal_TenantUnavailable", "", Outage, "503"),
        (408, "Application_OperationTimeout", "", Ambiguous, "may have been written"),
        (504, "", "", Ambiguous, "may have been written"),
        (500, "Application_X", "", Ambiguous, "may have been written"),
        (422, "Application_X", "Why not.", ValueRefused, "Why not."),
    ],
)
def test_every_answer_says_what_to_do(
    scene: Scene, method: str, status: int, code: str, words: str, error: type[ConnectorError], says: str
) -> None:
    value = scene.read()["ADM"]
    scene.failing(status, code, words)
    with pytest.raises(ConnectorError, match=says) as caught:
        scene.write(method, value)
    assert type(caught.value) is error


@pytest.mark.parametrize("method", ["create", "change"])
@pytest.mark.parametrize("lost", ["reset_after", "cut_body", "truncate"])
def test_a_lost_answer_leaves_open_whether_it_was_written_and_is_not_sent_again(
    scene: Scene, method: str, lost: Literal["reset_after", "cut_body", "truncate"]
) -> None:
    value = scene.read()["ADM"]
    scene.exchange.faults.append(Fault(lost, method="POST|PATCH", path=".*imensionValues.*", times=None))

    def write() -> None:
        with pytest.raises(Ambiguous):
            scene.write(method, value)

    assert len(scene.calls(write)) == 1
    assert scene.read()[NEW.code if method == "create" else "ADM"].name == NEW.name


@pytest.mark.parametrize(("status", "body"), [(201, "{}"), (204, ""), (200, '{"code":"A"}'), (201, "[]")])
def test_an_answer_that_describes_no_value_leaves_it_open(scene: Scene, status: int, body: str) -> None:
    scene.values.route(scene.company)
    headers = {"Content-Type": "application/json"}
    scene.exchange.faults.append(
        Fault("answer", method="POST", path=".*imensionValues.*", status=status, headers=headers, answer=body)
    )
    with pytest.raises(Ambiguous):
        scene.values.create(scene.company, DEPARTMENT, NEW)


def test_nothing_that_was_sent_is_forbidden_and_nothing_is_ever_deleted(scene: Scene) -> None:
    made = scene.values.create(scene.company, DEPARTMENT, NEW)
    scene.values.change(scene.company, DEPARTMENT, made, name="x", blocked=True)
    assert scene.forbidden == []
    assert {passed.method for passed in scene.exchange.recent()} == {"GET", "POST", "PATCH"}
