"""The client of webhook subscriptions against the simulator, what the session may change, and the registry on both storages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import httpx
import pytest

from connector.business_central.permitted import ForbiddenWrite
from connector.business_central.session import BusinessCentralSession, ChangeRefused
from connector.business_central.subscriptions import GONE, MOVED_ON, SubscriptionClient
from connector.errors import Ambiguous, Outage, Refused
from connector.model.feeds import Feed
from connector.model.stamps import NEVER
from connector.model.subscriptions import Scope, Subscription
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from connector.setting_words import Company
from connector.storage import subscriptions
from connector.storage.subscriptions import Notice, Registry, Standing
from tests.adapters.storage_bench import Bench, emulated, memory
from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.receiver import URL, Receiver
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.wire import Exchange, Fault, Router

COMPANIES = sample.companies()
US = Company(
    key="us",
    id=COMPANIES[0].id,
    erp_source="BC-US",
    legal_entity="US01",
    local_currency="USD",
    invoice_source="BC",
    cost_centre_dimension="DEPARTMENT",
)
VENDORS = f"/api/v2.0/companies({US.id})/vendors"
ID = "0123456789abcdef0123456789abcdef"


class Scene:
    """A client at a simulator whose handshakes are answered."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.simulator = BusinessCentral(COMPANIES, now=self.clock.now)
        self.receiver = Receiver()
        self.simulator.webhooks.post.carrier = self.receiver
        self.exchange = Exchange(self.simulator.handle, sleep=self.clock.sleep)
        router = Router({"api.businesscentral.dynamics.com": self.exchange, "login.microsoftonline.com": self.exchange})
        remote = Remote("Business Central", router.transport(), self.clock)
        fields = {"grant_type": "client_credentials", "client_id": self.simulator.client_id}
        fields["scope"] = "https://api.businesscentral.dynamics.com/.default"
        tokens = TokenProvider(
            remote,
            f"https://login.microsoftonline.com/{self.simulator.tenant}/oauth2/v2.0/token",
            fields,
            [lambda: {"client_secret": "first-secret"}],
            self.clock,
        )
        root = f"https://api.businesscentral.dynamics.com/v2.0/{self.simulator.tenant}/{self.simulator.environment}/api"
        self.session = BusinessCentralSession(remote, tokens, root, self.clock, SeededRandomness(random.Random(1)))
        self.client = SubscriptionClient(self.session)

    def created(self) -> Subscription:
        """A subscription to vendors."""
        return self.client.create(VENDORS, URL, "secret")

    def answering(self, path: str, body: Any, *, method: str = ".*", status: int = 200) -> None:
        """From now on this is answered instead."""
        content = httpx.Response(200, json=body).text
        headers = {"Content-Type": "application/json"}
        self.exchange.faults.append(
            Fault("answer", method=method, path=path, status=status, headers=headers, answer=content, times=None)
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


# -- what is offered


def test_the_resources_that_are_offered_are_read_from_the_runtime_api(scene: Scene) -> None:
    offered = scene.client.supported(US)
    assert offered is not None
    assert {"v2.0/purchaseInvoices", "v2.0/vendors"} <= offered
    assert "v2.0/purchaseOrders" not in offered
    assert all(name.startswith("v2.0/") for name in offered)
    scene.simulator.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
    assert scene.client.supported(US) == offered | {"v2.0/purchaseOrders"}


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_an_installation_that_does_not_tell_what_it_offers_is_no_fault(scene: Scene, status: int) -> None:
    code = "Application_DialogException" if status == 400 else "BadRequest_ResourceNotFound"
    scene.answering("webhookSupportedResources", {"error": {"code": code, "message": "no"}}, status=status)
    assert scene.client.supported(US) is None


def test_an_empty_list_of_what_is_offered_tells_nothing(scene: Scene) -> None:
    scene.answering("webhookSupportedResources", {"value": [{"other": 1}, "text"]})
    assert scene.client.supported(US) is None


def test_that_it_cannot_tell_now_is_an_outage(scene: Scene) -> None:
    scene.exchange.faults.append(Fault("answer", path="webhookSupportedResources", times=None))
    with pytest.raises(Outage):
        scene.client.supported(US)


# -- creating, listing, renewing, removing


def test_a_subscription_is_created_with_a_handshake_and_listed(scene: Scene) -> None:
    made = scene.created()
    assert len(scene.receiver.handshakes) == 1
    assert (made.resource, made.url, made.client_state) == (VENDORS, URL, "secret")
    assert made.expires == START + timedelta(days=3)
    listed = scene.client.listing()
    assert listed.subscriptions == (made,)
    assert (listed.count, listed.at) == (1, START)


def test_the_expiry_is_that_of_the_answer(scene: Scene) -> None:
    scene.simulator.webhooks.subscriptions.lifetime = timedelta(hours=5)
    made = scene.created()
    assert made.expires == START + timedelta(hours=5)
    scene.clock.advance(3600)
    assert scene.client.renew(made, URL, "secret").expires == START + timedelta(hours=6)


def test_a_renewal_greets_again_and_may_move_the_subscription(scene: Scene) -> None:
    made = scene.created()
    scene.clock.advance(3600)
    moved = scene.client.renew(made, f"{URL}/other", "new secret")
    assert len(scene.receiver.handshakes) == 2
    assert moved == replace(
        made, url=f"{URL}/other", client_state="new secret", expires=made.expires + timedelta(hours=1), etag=moved.etag
    )
    assert moved.etag != made.etag
    assert scene.client.listing().subscriptions == (moved,)


def test_a_subscription_without_a_version_is_renewed_whatever_its_version(scene: Scene) -> None:
    made = scene.created()
    assert scene.client.renew(replace(made, etag=""), URL, "secret").id == made.id


def test_what_somebody_else_changed_meanwhile_is_neither_renewed_nor_removed(scene: Scene) -> None:
    made = scene.created()
    now = scene.client.renew(made, URL, "secret")
    with pytest.raises(ChangeRefused) as caught:
        scene.client.renew(made, URL, "secret")
    assert caught.value.status in MOVED_ON
    with pytest.raises(ChangeRefused) as caught:
        scene.client.remove(made)
    assert caught.value.status in MOVED_ON
    assert scene.client.listing().subscriptions == (now,)


def test_what_is_gone_cannot_be_renewed_and_is_removed_without_complaint(scene: Scene) -> None:
    made = scene.created()
    scene.client.remove(made)
    assert scene.client.listing().subscriptions == ()
    scene.client.remove(made)
    with pytest.raises(ChangeRefused) as caught:
        scene.client.renew(made, URL, "secret")
    assert caught.value.status in GONE


@pytest.mark.parametrize("fault", ["no handshake", "unsupported", "full"])
def test_a_refusal_is_told_as_such(scene: Scene, fault: str) -> None:
    resource = VENDORS
    if fault == "no handshake":
        scene.simulator.webhooks.post.carrier = None
    elif fault == "unsupported":
        resource = f"/api/v2.0/companies({US.id})/purchaseOrderLines"
    else:
        scene.simulator.webhooks.subscriptions.limit = 0
    with pytest.raises(ChangeRefused, match="400 BadRequest"):
        scene.client.create(resource, URL, "secret")
    assert scene.client.listing().count == 0


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"subscriptionId": ID, "resource": VENDORS, "notificationUrl": URL},
        {"subscriptionId": ID, "resource": VENDORS, "notificationUrl": URL, "expirationDateTime": "soon"},
        {
            "subscriptionId": "x",
            "resource": VENDORS,
            "notificationUrl": URL,
            "expirationDateTime": "2026-03-05T08:00:00Z",
        },
        {"subscriptionId": ID, "resource": 5, "notificationUrl": URL, "expirationDateTime": "2026-03-05T08:00:00Z"},
    ],
)
def test_an_answer_that_describes_no_subscription_leaves_it_open_what_happened(
    scene: Scene, row: dict[str, Any]
) -> None:
    scene.answering("/subscriptions", row, method="POST|PATCH", status=201)
    with pytest.raises(Ambiguous):
        scene.created()


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [408, 413, 504])
def test_an_answer_that_came_too_late_leaves_it_open_what_happened(scene: Scene, method: str, status: int) -> None:
    made = scene.created()
    scene.exchange.faults.append(Fault("answer", method=method, path="/subscriptions", status=status))
    acts: dict[str, Callable[[], object]] = {
        "POST": scene.created,
        "PATCH": lambda: scene.client.renew(made, URL, "secret"),
        "DELETE": lambda: scene.client.remove(made),
    }
    with pytest.raises(Ambiguous):
        acts[method]()


def test_a_missing_permission_is_a_refusal_for_the_admin(scene: Scene) -> None:
    scene.exchange.faults.append(Fault("answer", path="/subscriptions", status=403, times=None))
    with pytest.raises(Refused):
        scene.client.listing()
    with pytest.raises(Refused):
        scene.created()


def test_rows_that_cannot_be_read_do_not_hide_the_others(scene: Scene) -> None:
    good = {
        "@odata.etag": "e",
        "subscriptionId": ID.upper(),
        "resource": VENDORS,
        "notificationUrl": URL,
        "clientState": "s",
        "expirationDateTime": "2026-03-05T08:00:00Z",
    }
    rows: list[Any] = [
        "text",
        None,
        {},
        good | {"resource": None},
        good | {"notificationUrl": 7},
        good | {"subscriptionId": "'); DROP"},
        good | {"expirationDateTime": None, "clientState": None, "@odata.etag": 3},
        good,
    ]
    scene.answering("/subscriptions", {"value": rows})
    listed = scene.client.listing()
    assert listed.count == len(rows)
    assert [one.id for one in listed.subscriptions] == ["", ID, ID]
    assert [one.expires == NEVER for one in listed.subscriptions] == [False, True, False]
    assert listed.subscriptions[1].client_state == listed.subscriptions[1].etag == ""


def test_a_listing_that_cannot_be_read_is_an_outage(scene: Scene) -> None:
    scene.answering("/subscriptions", {"value": "none"})
    with pytest.raises(Outage):
        scene.client.listing()


@pytest.mark.parametrize("id_", ["", "x", "'", ID + "0", f"{ID[:-1]}'", f"{ID}\n", "٠" * 32, "../../companies"])
def test_an_id_that_is_none_never_enters_an_address(scene: Scene, id_: str) -> None:
    scene.client.listing()
    before = scene.exchange.counts["requests"]
    odd = Subscription(id_, VENDORS, URL, "", START, "")
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        scene.client.remove(odd)
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        scene.client.renew(odd, URL, "secret")
    assert scene.exchange.counts["requests"] == before


# -- what may be changed


METHODS: tuple[Literal["POST", "PATCH", "DELETE"], ...] = ("POST", "PATCH", "DELETE")
ONE = f"subscriptions('{ID}')"
PATHS = [
    "",
    "subscriptions",
    ONE,
    ONE.upper(),
    f"subscriptions({ID})",
    "subscriptions('')",
    f"subscriptions('{ID}')/x",
    f"subscriptions('{ID}')?x=1",
    f"/subscriptions('{ID}')",
    f"subscriptions('{ID}')\n",
    f"subscriptions('{ID}')/../../companies({US.id})/vendors",
    "subscriptions/../companies",
    "subscriptions?company=x",
    "$batch",
    f"companies({US.id})",
    f"companies({US.id})/subscriptions",
    *(f"companies({US.id})/{feed}" for feed in Feed),
    *(f"companies({US.id})/{feed}({US.id})" for feed in Feed),
    f"companies({US.id})/purchaseOrders({US.id})/Microsoft.NAV.receiveAndInvoice",
    f"companies({US.id})/purchaseInvoices({US.id})/Microsoft.NAV.post",
]
ALLOWED = {("POST", "subscriptions"), ("PATCH", ONE), ("DELETE", ONE)}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_the_session_changes_subscriptions_and_nothing_else(
    scene: Scene, method: Literal["POST", "PATCH", "DELETE"], path: str
) -> None:
    forbidden = (method, path) not in ALLOWED
    with pytest.raises(ForbiddenWrite if forbidden else ChangeRefused):
        scene.session.change(method, path, {"notificationUrl": URL}, etag="*")
    assert scene.exchange.counts["requests"] == (0 if forbidden else 2), "refused before anything is sent"


# -- the registry


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # Its table has one name; here each test has one of its own. The emulator's time is real: three minutes are too long.
    monkeypatch.setattr(subscriptions, "HANDSHAKE_LASTS", timedelta(seconds=3))
    if request.param == "memory":
        ready = memory()
        monkeypatch.setattr(subscriptions, "TABLE", ready.table)
        yield ready
        return
    with emulated(request.getfixturevalue("azurite").connection_string) as ready:
        monkeypatch.setattr(subscriptions, "TABLE", ready.table)
        yield ready


SCOPE, OTHER = Scope("us", Feed.VENDORS), Scope("de", Feed.INVOICES)


def test_nothing_is_known_at_first(bench: Bench) -> None:
    known = Registry(bench.tables).read()
    assert (known.standings, known.notices, known.read_at) == ({}, {}, NEVER)


def test_a_standing_comes_back_as_it_was_kept_and_the_last_one_counts(bench: Bench) -> None:
    registry = Registry(bench.tables)
    kept = Standing("active", ID, START, "why not")
    registry.keep(SCOPE, Standing("not offered"))
    registry.keep(SCOPE, kept)
    registry.keep(OTHER, Standing("refused", why="said so"))
    known = registry.read()
    assert {scope: replace(one, checked=NEVER) for scope, one in known.standings.items()} == {
        SCOPE: kept,
        OTHER: Standing("refused", why="said so"),
    }
    assert abs(known.read_at - known.standings[SCOPE].checked) < timedelta(seconds=5)


def test_a_notice_is_kept_beside_the_standing(bench: Bench) -> None:
    registry = Registry(bench.tables)
    registry.keep(SCOPE, Standing("active", ID, START))
    registry.noticed(SCOPE, 31.25)
    known = registry.read()
    assert known.notices == {SCOPE: Notice(known.notices[SCOPE].arrived, 31.2)}
    assert known.standings.keys() == {SCOPE}


def test_a_handshake_is_under_way_from_opening_to_closing(bench: Bench) -> None:
    registry = Registry(bench.tables)
    assert not registry.handshake_under_way()
    registry.open_handshake("a")
    registry.open_handshake("b")
    registry.close_handshake("a")
    assert registry.handshake_under_way(), "another one is still under way"
    registry.close_handshake("b")
    assert not registry.handshake_under_way()
    registry.close_handshake("b")
    assert registry.read().standings == {}


def test_a_handshake_of_a_process_that_died_ends_by_itself_and_is_removed(bench: Bench) -> None:
    registry = Registry(bench.tables)
    registry.open_handshake("dead")
    bench.pass_time(4)
    assert not registry.handshake_under_way()
    registry.open_handshake("alive")
    registry.close_handshake("alive")
    assert list(bench.tables.query(bench.table, subscriptions.PARTITION, start="h", stop="i")) == []
