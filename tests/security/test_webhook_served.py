"""The webhook route where it is served: the unchanged app on the local Functions host, with Business Central on a socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.bootstrap import build, real_ports
from connector.decisions.client_state import client_state, path_part
from connector.decisions.states import Status
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.settings import load_settings
from connector.storage.ledger import partition
from tests.flows.pipeline import US, WEBHOOKS_ON, some
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.landscape import Landscape
from tests.sandbox.running import Sandbox, running_sandbox

pytestmark = [pytest.mark.azurite, pytest.mark.host]

NO_TIMER = {f"{timer}_SCHEDULE": "0 0 0 1 1 *" for timer in ("POLL", "SWEEP", "RESCUE", "TRACK", "RENEW")}
# The host's port is known only once it runs, and only the key in the address matters to the app.
ADDRESS = {"WEBHOOK_URL": "http://127.0.0.1/api/bc"}
QUIET = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    landscape = Landscape(lambda: datetime.now(UTC), data=some(orders=6, invoices=0)[:1])
    landscape.business_central.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
    landscape.business_central.webhooks.notifications.delay = timedelta(0)
    with running_sandbox(landscape=landscape, settings=WEBHOOKS_ON | ADDRESS | NO_TIMER) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def parts(sandbox: Sandbox) -> Parts:
    """The app's storage, seen from outside."""
    return build(settings := load_settings(sandbox.environment), real_ports(settings))


@pytest.fixture
def address(sandbox: Sandbox, parts: Parts) -> str:
    return f"{sandbox.host.url}/api/bc/{path_part(parts.settings.webhook_keys[0])}"


def until(sandbox: Sandbox, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"it did not happen in time\n{sandbox.host.log_text()[-3000:]}"
        time.sleep(0.1)


def shown(reply: httpx.Response) -> dict[str, str]:
    return {name: reply.headers.get(name, "") for name in QUIET}


def test_a_subscription_is_made_and_an_edit_travels_without_any_timer(
    sandbox: Sandbox, parts: Parts, address: str
) -> None:
    central, company = sandbox.landscape.business_central, parts.settings.companies[0]
    probe = Probe(central, company.id)
    body = {
        "notificationUrl": address,
        "resource": f"/api/v2.0/companies({company.id})/{Feed.ORDERS}",
        "clientState": client_state(parts.settings.webhook_keys[0], company.id, Feed.ORDERS),
    }
    with closing(probe.client):
        assert probe.send("POST", "/subscriptions", body).status_code == 400, "nobody has asked for a handshake"
        parts.registry.open_handshake("ours")
        assert probe.send("POST", "/subscriptions", body).status_code == 201
        parts.registry.close_handshake("ours")
    order = next(one for one in sandbox.landscape.data[0].orders if one.header["status"] == "Open")
    central.edit_line(US, order.number, 10000, quantity=17)
    where = partition(company.key, Entity.PURCHASE_ORDER)

    def staged() -> bool:
        state = parts.ledger.states(where, [order.id]).get(order.id)
        return state is not None and state.status is Status.DONE

    until(sandbox, staged)
    assert [one.id for one in parts.ledger.all_states(where)] == [order.id]
    assert len(central.webhooks.subscriptions.all()) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_comes_back_as_it_went(parts: Parts, address: str, method: str) -> None:
    token = "a b+c&d=e%20<é>"
    parts.registry.open_handshake("ours")
    reply = httpx.request(method, address, params={"validationToken": token})
    parts.registry.close_handshake("ours")
    assert (reply.status_code, reply.content, shown(reply)) == (200, token.encode(), QUIET)


@pytest.mark.parametrize("params", [{"validationToken": "token"}, {"validationToken": ""}, {}], ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("key", ["", "guess"], ids=["ours", "another"])
def test_anything_else_is_answered_with_an_empty_200(
    address: str, key: str, method: str, params: dict[str, str]
) -> None:
    url = f"{address.rpartition('/')[0]}/{key}" if key else address
    for body in (b"", b"null", b'{"value":[5]}'):
        reply = httpx.request(method, url, params=params, content=body)
        assert (reply.status_code, reply.content, shown(reply)) == (200, b"", QUIET)


def test_a_body_of_101_mib_is_answered_and_the_host_goes_on(address: str) -> None:
    assert httpx.post(address, content=bytes(101 * 1024 * 1024), timeout=60).status_code == 200
    assert httpx.post(address, content=b"{}").status_code == 200
