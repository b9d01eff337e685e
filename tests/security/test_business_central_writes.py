"""What may be written to Business Central: every public method of every class that can reach it is called, every hostile
address is tried, and nothing but subscriptions and dimension values ever leaves. A second list, on the far side, judges."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import business_central
from connector.business_central import permitted as permitted_module
from connector.business_central.dimension_values import DimensionValues, RouteFound
from connector.business_central.permitted import API_V2, PAGE_SERVICES, ForbiddenWrite, Permitted
from connector.business_central.session import SYSTEM, BusinessCentralSession
from connector.errors import ConnectorError
from connector.model.alignment import Value
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.subscriptions import Subscription
from connector.ports import Clock, Randomness, SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from connector.setting_words import Company
from tests.flows.pipeline import Pipeline, some
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.receiver import URL, Receiver
from tests.sandbox.business_central.webhook_resources import EXTENSION
from tests.sandbox.business_central.write_watch import ForbiddenRequest, WatchedTransport, may_be_sent
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.wire import Exchange, Router

HOST = "https://api.businesscentral.dynamics.com"
SERVICE = "DimensionValues"
DATA = some(orders=2, invoices=1)
ID = "0123456789abcdef0123456789abcdef"
"""Of a subscription."""
US, DE = (data.id for data in DATA)
ORDER = DATA[0].orders[0].id
VALUE = Value("ADM", "Administration", id="0f91419f-7b01-f111-a1fd-7ced8d2674f8", etag='W/"tag"')


class Desk:
    """A session that may write what it may for the first company only; whatever it sends is kept, and none of it is stopped."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.simulator = BusinessCentral(DATA, now=self.clock.now)
        self.simulator.apis.available.add(EXTENSION)
        self.simulator.webhooks.post.carrier = Receiver()
        self.sent: list[tuple[str, str]] = []
        exchange = Exchange(self.simulator.handle, sleep=self.clock.sleep)
        inner = Router(
            dict.fromkeys(("api.businesscentral.dynamics.com", "login.microsoftonline.com"), exchange)
        ).transport()
        self.remote = Remote(SYSTEM, _Kept(inner, self.sent), self.clock)
        tenant = self.simulator.tenant
        self.tokens = TokenProvider(
            self.remote,
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            {
                "grant_type": "client_credentials",
                "client_id": self.simulator.client_id,
                "scope": f"{HOST}/.default",
            },
            [lambda: {"client_secret": "first-secret"}],
            self.clock,
        )
        self.root = f"{HOST}/v2.0/{tenant}/Production/api"
        self.chance = SeededRandomness(random.Random(1))
        self.permitted = Permitted([US], extension=EXTENSION, service=SERVICE)
        self.session = BusinessCentralSession(
            self.remote, self.tokens, self.root, self.clock, self.chance, self.permitted
        )

    def writes(self) -> list[tuple[str, str]]:
        """What was sent that is no read and asks for no token."""
        return [(method, path) for method, path in self.sent if method != "GET" and not path.endswith("/token")]

    def stray(self) -> list[tuple[str, str]]:
        """What was sent and must never be."""
        return [each for each in self.sent if not may_be_sent(self.simulator, *each)]


class _Kept(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, sent: list[tuple[str, str]]) -> None:
        self._inner = inner
        self._sent = sent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._sent.append((request.method, request.url.raw_path.decode("ascii")))
        return self._inner.handle_request(request)


def company(id_: str = US) -> Company:
    """The settings of a company."""
    return Company(
        key="us",
        id=id_,
        erp_source="BC-US",
        legal_entity="US01",
        local_currency="USD",
        invoice_source="BC",
        cost_centre_dimension="DEPARTMENT",
    )


# -- every public method


def classes() -> list[type]:
    """Every class of the room."""
    found = []
    for module in pkgutil.iter_modules(business_central.__path__, f"{business_central.__name__}."):
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if each.__module__ == module.name:
                found.append(each)
    return found


def speaking() -> list[type]:
    """The classes that can reach BC: they are made with a remote, or with one that is."""
    found: set[type] = set()
    while True:
        reach = found | {Remote}
        more = {each for each in classes() if reach & set(_arguments(each.__init__).values())}
        if more == found:
            return sorted(found, key=lambda each: each.__name__)
        found = more


def _arguments(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):
        return {}
    return {name: hint for name, hint in hints.items() if name != "return"}


def _public(owner: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(owner) if not name.startswith("_")]


TEXTS: Mapping[str, Sequence[str]] = {
    "method": ("POST", "PATCH", "DELETE"),
    "path": ("subscriptions", f"companies({US})/purchaseOrders", f"companies({US})/purchaseOrders({ORDER})", "$batch"),
    "api": (API_V2, EXTENSION),
    "dimension": ("DEPARTMENT",),
    "resource": (f"/api/v2.0/companies({US})/vendors",),
    "url": (URL,),
}


class Maker:
    """Makes arguments by their annotations. One that it cannot make fails the test: it has to be taught here."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._spools = ExitStack()

    def close(self) -> None:
        """Closes what was made and is open."""
        self._spools.close()

    def all(self, name: str, hint: Any) -> list[Any]:
        """The values to try for an argument."""
        if name in TEXTS:
            return list(TEXTS[name])
        return [self.one(name, hint)]

    def one(self, name: str, hint: Any) -> Any:
        """One value."""
        desk = self.desk
        if name == "root":
            return desk.root
        known: dict[Any, Any] = {
            BusinessCentralSession: desk.session,
            Remote: desk.remote,
            TokenProvider: desk.tokens,
            Clock: desk.clock,
            Randomness: desk.chance,
            Permitted: desk.permitted,
            Company: company(),
            Feed: Feed.ORDERS,
            Entity: Entity.PURCHASE_ORDER,
            Value: VALUE,
            Subscription: Subscription(ID, f"/api/v2.0/companies({US})/vendors", URL, "s", START, 'W/"x"'),
            datetime: datetime(2026, 1, 1, tzinfo=UTC),
            str: ORDER,
            int: 5,
            float: 30.0,
            bool: True,
            type(None): None,
            Any: None,
        }
        if hint in known:
            return known[hint]
        if isinstance(hint, type) and hint in speaking():
            return made(hint, self)
        return self._built(name, hint)

    def _built(self, name: str, hint: Any) -> Any:
        origin, inner = get_origin(hint), get_args(hint)
        if origin is Literal:
            return inner[0]
        if origin is Union or str(origin) == "<class 'types.UnionType'>":
            return self.one(name, inner[0])
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            return {}
        if origin is tuple:
            return tuple(self.one(name, each) for each in inner if each is not Ellipsis)
        if inspect.isclass(origin) and origin.__module__ in ("collections.abc", "builtins"):
            if "Callable" in str(origin):
                return lambda *_, **__: True
            return [self.one(name, inner[0])]
        if isinstance(hint, type) and issubclass(hint, Protocol):  # type: ignore[arg-type]
            return _Anything()
        if isinstance(hint, type):
            thing = hint(**{each: self.one(each, kind) for each, kind in _arguments(hint.__init__).items()})
            return self._spools.enter_context(thing) if hasattr(thing, "__exit__") else thing
        raise AssertionError(f"no sample for {name}: {hint}")


class _Anything:
    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_, **__: True


def made(each: type, maker: Maker) -> Any:
    """An object of the class."""
    return each(**{name: maker.one(name, hint) for name, hint in _arguments(each.__init__).items()})


def called(method: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Calls a method and goes through whatever it returns."""
    try:
        result = method(**arguments)
        if isinstance(result, Iterator):
            list(result)
    except (ConnectorError, ValueError, KeyError, TypeError, AttributeError):
        pass  # what it makes of it is for other tests


def every_call(method: Callable[..., Any], maker: Maker) -> Iterator[dict[str, Any]]:
    """The arguments to try: each value of each argument beside the first of the others, and all pairs of method and path."""
    hints = {name: hint for name, hint in _arguments(method).items() if name != "self"}
    choices = {name: maker.all(name, hint) for name, hint in hints.items()}
    first = {name: values[0] for name, values in choices.items()}
    for name, values in choices.items():
        for value in values:
            for way in choices.get("method", [None]):
                yield first | ({} if way is None else {"method": way}) | {name: value}
    if not choices:
        yield {}


@pytest.mark.parametrize(
    "each", [each for each in speaking() if not each.__name__.startswith("_")], ids=lambda each: each.__name__
)
def test_no_public_method_writes_anything_but_subscriptions_and_dimension_values(each: type) -> None:
    desk = Desk()
    maker = Maker(desk)
    for name in _public(each):
        thing = made(each, maker)
        member = getattr(thing, name)
        if callable(member):
            for arguments in every_call(getattr(each, name), maker):
                called(member, arguments)
    assert desk.stray() == []
    assert [method for method, path in desk.sent if not path.endswith("/token")], "nothing was tried"
    maker.close()


def test_every_class_that_can_reach_bc_is_among_them() -> None:
    names = {each.__name__ for each in speaking()}
    assert {"BusinessCentralSession", "SubscriptionClient", "DimensionValues", "ApiV2Reader", "FileReader"} <= names
    held = {each.__name__ for each in classes() if Remote in _arguments(each.__init__).values()}
    assert held == {"BusinessCentralSession"}, "everybody else goes by the session, and so by its list"


def test_the_walk_does_write_what_may_be_written() -> None:
    desk = Desk()
    values = DimensionValues(desk.session, desk.clock)
    read = values.read(company(), "DEPARTMENT")
    values.change(
        company(), "DEPARTMENT", values.create(company(), "DEPARTMENT", replace(read[0], code="X1")), name="x"
    )
    desk.session.change("POST", "subscriptions", {"notificationUrl": URL, "resource": TEXTS["resource"][0]})
    assert [method for method, _ in desk.writes()] == ["POST", "PATCH", "POST"]
    assert desk.stray() == []


# -- the list itself

VALUES = f"companies({US})/dimensionValues"
PAGE = f"Company(Id={US})/{SERVICE}"
ONE = f"{VALUES}({ORDER})"
ONE_OF_PAGE = f"{PAGE}(Dimension_Code='DEPARTMENT',Code='A%2FB')"
NAME, PAGE_NAME = {"displayName": "x"}, {"Name": "x"}
GOOD: list[tuple[str, str, str, dict[str, Any]]] = [
    ("POST", API_V2, "subscriptions", {"notificationUrl": "x", "resource": "x", "clientState": "x"}),
    ("PATCH", API_V2, f"subscriptions('{ID}')", {"clientState": "x"}),
    ("DELETE", API_V2, f"subscriptions('{ID}')", {}),
    ("POST", EXTENSION, VALUES, {"dimensionCode": "D", "code": "A", "blocked": False}),
    ("PATCH", EXTENSION, ONE, {"displayName": "x", "blocked": True, "dimensionValueType": "Total", "totaling": "A..B"}),
    ("POST", PAGE_SERVICES, PAGE, {"Dimension_Code": "D", "Code": "A", "Name": "x"}),
    ("PATCH", PAGE_SERVICES, ONE_OF_PAGE, {"Name": "x", "Blocked": True, "Dimension_Value_Type": "x", "Totaling": ""}),
]
LIST = Permitted([US], extension=EXTENSION, service=SERVICE)


def allowed(method: str, api: str, path: str, body: Mapping[str, Any], etag: str = 'W/"x"') -> bool:
    """Whether the list lets it pass."""
    try:
        LIST.check(method, api, path, body, etag)
    except ForbiddenWrite:
        return False
    return True


@pytest.mark.parametrize("good", GOOD, ids=lambda good: f"{good[0]} {good[1]}")
def test_these_seven_writes_pass_each_by_its_own_method_api_and_body_only(good: tuple[str, str, str, Any]) -> None:
    method, api, path, body = good
    assert allowed(*good)
    others = {each for each, one_api, one_path, _ in GOOD if (one_api, one_path) == (api, path)}
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE", "MERGE", "post", ""} - others:
        assert not allowed(other, api, path, body)
    for other in {API_V2, EXTENSION, PAGE_SERVICES, "microsoft/automation/v2.0", "erpbridge/sourceToPay/v2.0", ""} - {
        api
    }:
        assert not allowed(method, other, path, body)
    for more in ({"id": "x"}, {"status": "Open"}, {"number": "1"}):
        assert not allowed(method, api, path, body | more)
    for change in ("/", "?x=1", "#x", "\n", " ", "/..", "/$ref", "/Microsoft.NAV.post", "%2F", ";x"):
        assert not allowed(method, api, path + change, body)
    assert not allowed(method, api, f"/{path}", body)
    assert not allowed(method, api, path.replace(US, DE), body) or US not in path


@pytest.mark.parametrize(
    ("method", "api", "path", "body"),
    [
        ("PATCH", EXTENSION, ONE, {"code": "B"}),
        ("PATCH", EXTENSION, ONE, {"dimensionCode": "B"}),
        ("PATCH", PAGE_SERVICES, ONE_OF_PAGE, {"Code": "B"}),
        ("PATCH", PAGE_SERVICES, ONE_OF_PAGE, {"Dimension_Code": "B"}),
        ("POST", EXTENSION, VALUES, {"code": {"deep": "insert"}}),
        ("POST", EXTENSION, VALUES, {"code": ["A"]}),
        ("POST", EXTENSION, VALUES, {"code": None}),
        ("PATCH", EXTENSION, ONE, {}),
        ("PATCH", PAGE_SERVICES, ONE_OF_PAGE, {}),
    ],
)
def test_no_value_gets_another_code_and_no_body_holds_more_than_texts_and_flags(
    method: str, api: str, path: str, body: dict[str, Any]
) -> None:
    assert not allowed(method, api, path, body)


@pytest.mark.parametrize("etag", ["", "*"])
@pytest.mark.parametrize(("api", "path", "body"), [(EXTENSION, ONE, NAME), (PAGE_SERVICES, ONE_OF_PAGE, PAGE_NAME)])
def test_no_value_is_changed_whatever_it_has_become(api: str, path: str, body: dict[str, Any], etag: str) -> None:
    assert allowed("PATCH", api, path, body)
    assert not allowed("PATCH", api, path, body, etag)


@pytest.mark.parametrize(
    "code",
    ["", "%", "%2f", "A/B", "A'B", "A%2F..%2FB", "..%5CX", "%252F..%252F", "A%0AB", "1" * 21, "A') or ('1", "A%FFB%"],
)
def test_a_key_is_one_code_and_leads_nowhere_else(code: str) -> None:
    path = f"{PAGE}(Dimension_Code='DEPARTMENT',Code='{code}')"
    assert not allowed("PATCH", PAGE_SERVICES, path, PAGE_NAME)
    assert not allowed("PATCH", PAGE_SERVICES, path.replace("DEPARTMENT", "A%2F..%2FB"), PAGE_NAME)


def test_without_settings_only_subscriptions_pass() -> None:
    bare = Permitted()
    bare.check("POST", API_V2, "subscriptions", {})
    for method, api, path, body in GOOD[3:]:
        with pytest.raises(ForbiddenWrite):
            bare.check(method, api, path, body, 'W/"x"')
    for path in ("companies()/dimensionValues", "Company(Id=)/"):
        for api in ("", PAGE_SERVICES):
            with pytest.raises(ForbiddenWrite):
                bare.check("POST", api, path, {"code": "A", "Code": "A"})


# -- hostile addresses

PIECES = (
    *(
        "/",
        "../",
        "..",
        "./",
        "//",
        "%2F",
        "%2f",
        "%5C",
        "\\",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%2F",
        "?",
        "#",
        "&",
        "%00",
        "%0d%0a",
    ),
    *(
        "$batch",
        "$ref",
        "$value",
        "$metadata",
        "subscriptions",
        f"subscriptions('{ID}')",
        "Microsoft.NAV.post",
        "@x",
        ";",
    ),
    *(
        VALUES,
        ONE,
        PAGE,
        ONE_OF_PAGE,
        f"companies({DE})",
        f"Company(Id={DE})",
        f"Company('{DATA[1].name}')",
        "(",
        ")",
        "'",
        ",",
    ),
    *(
        f"companies({US})",
        f"Company(Id={US})",
        "dimensionValues",
        f"({ORDER})",
        "DimensionValues",
        "Vendors",
        "PurchaseOrder",
    ),
    *(f"companies({US})/{feed}" for feed in Feed),
    *(
        "purchaseOrders",
        "vendors",
        "accounts",
        "generalLedgerEntries",
        "defaultDimensions",
        "?company=",
        "Code='A'",
        "’",
        "é",
    ),
)
APIS = st.sampled_from(
    [API_V2, EXTENSION, PAGE_SERVICES, "microsoft/automation/v2.0", "..", "../ODataV4", f"{EXTENSION}/.."]
)
ADDRESSES = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), min_size=1, max_size=4).map("".join),
    st.sampled_from([path for _, _, path, _ in GOOD]),
)
METHODS = st.sampled_from(["POST", "PATCH", "DELETE", "PUT", "MERGE"])
BODIES = st.sampled_from([*(body for _, _, _, body in GOOD), {"status": "Open"}])
RIGHT = re.compile(
    rf"(subscriptions(\('{ID}'\))?"
    rf"|{re.escape(VALUES)}(\({ORDER}\))?"
    rf"|{re.escape(PAGE)}(\(Dimension_Code='[^'/]+',Code='[^'/]+'\))?)"
)
DESK = Desk()


@given(METHODS, APIS, ADDRESSES, BODIES)
@settings(max_examples=1500, deadline=None)
def test_a_hostile_address_is_refused_before_the_socket(method: Any, api: str, path: str, body: dict[str, Any]) -> None:
    DESK.session.authenticate()
    DESK.sent.clear()
    refused = False
    try:
        DESK.session.change(method, path, body, api=api, etag='W/"x"')
    except ForbiddenWrite:
        refused = True
    except ConnectorError:
        pass
    assert refused == (not DESK.sent)
    assert DESK.stray() == []
    # What was sent went to exactly the address that was meant, of the one company that may be written.
    for sent_method, sent_path in DESK.sent:
        assert sent_method == method
        assert RIGHT.fullmatch(path)
        assert sent_path.endswith(f"/{api}/{path}")


# -- the judge and the wiring


def test_the_judge_on_the_far_side_finds_what_must_not_be_sent() -> None:
    root = f"/v2.0/{DESK.simulator.tenant}/Production"
    for method, path in [
        ("POST", f"{root}/api/v2.0/companies({US})/purchaseOrders"),
        ("PATCH", f"{root}/api/v2.0/companies({US})/vendors({ORDER})"),
        ("POST", f"{root}/api/v2.0/$batch"),
        ("DELETE", f"{root}/api/{EXTENSION}/{ONE}"),
        ("POST", f"{root}/api/{EXTENSION}/{ONE}"),
        ("PATCH", f"{root}/api/{EXTENSION}/{VALUES}"),
        ("POST", f"{root}/api/microsoft/automation/v2.0/{VALUES}"),
        ("POST", f"{root}/ODataV4/Company(Id={US})/PurchaseOrder"),
        ("DELETE", f"{root}/ODataV4/{ONE_OF_PAGE}"),
        ("POST", f"{root}/WS/{DATA[0].name}/Page/{SERVICE}"),
    ]:
        assert not may_be_sent(DESK.simulator, method, path)
        forbidden: list[str] = []
        transport = WatchedTransport(httpx.MockTransport(lambda _: httpx.Response(200)), DESK.simulator, forbidden)
        with pytest.raises(ForbiddenRequest):
            transport.handle_request(httpx.Request(method, f"{HOST}{path}"))
        assert len(forbidden) == 1


def test_the_connector_as_it_is_put_together_may_write_for_its_companies_and_by_its_settings() -> None:
    pipeline = Pipeline(data=DATA, settings={"BC_EXTENSION": "contoso/masterData/v1.0"})
    pipeline.business_central.apis.available.add("contoso/masterData/v1.0")
    values = DimensionValues(pipeline.parts.bc_probe._session, pipeline.clock)
    for each in pipeline.settings.companies:
        assert values.route(each) == RouteFound("extension", "contoso/masterData/v1.0", values.route(each).why)
        assert values.create(each, "DEPARTMENT", Value("X1", "x")).code == "X1"
    assert pipeline.landscape.forbidden_writes == []


def test_the_list_is_in_one_place() -> None:
    source = inspect.getsource(permitted_module)
    assert source.count("_Rule(") == len(GOOD)
