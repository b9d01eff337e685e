"""The Business Central simulator behind its two mounts, and in front of a client that was written for the real service."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from dynamics import Dynamics  # type: ignore[import-untyped]
from dynamics.exceptions.dynamics_exceptions import InvalidTokenError  # type: ignore[import-untyped]

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.wire import Exchange, Served, serve

US = sample.companies()[0]
VOLATILE = {"request-id", "ms-correlation-x", "mise-correlation-id", "content-length"}


@pytest.fixture
def simulator() -> BusinessCentral:
    return BusinessCentral(sample.companies(), now=Watch())


@pytest.fixture
def served(simulator: BusinessCentral) -> Iterator[Served]:
    with serve(Exchange(simulator.handle), control=simulator.control) as running:
        yield running


@pytest.mark.parametrize(
    "address",
    [
        "/companies",
        f"/companies({US.id})/purchaseOrders?$top=3&$expand=purchaseOrderLines($expand=dimensionSetLines),dimensionSetLines",
        f"/companies({US.id})/vendors?$filter=contains(displayName,'%C3%9Cbersee')+and+number%20ge%20'1'",
        f"/companies({US.id})/vendors/$count",
        f"/companies({US.id})/vendors?$filter=number+eq+'1'+or+city+eq+'x'",
        f"/companies({US.id})/nothing",
    ],
)
def test_both_mounts_give_the_same_answer(simulator: BusinessCentral, served: Served, address: str) -> None:
    inside = Probe(simulator, US.id)
    host = {"Host": "api.businesscentral.dynamics.com"}
    near = inside.client.get(
        f"http://{host['Host']}/v2.0/Production/api/v2.0{address}", headers={"Prefer": "odata.maxpagesize=2"}
    )
    far = httpx.get(
        f"{served.url}/v2.0/Production/api/v2.0{address}",
        headers=host | {"Prefer": "odata.maxpagesize=2", "Authorization": inside.client.headers["Authorization"]},
    )
    assert far.status_code == near.status_code
    assert without_correlation(far.text) == without_correlation(near.text)
    assert stable(far.headers) == stable(near.headers)


def without_correlation(text: str) -> str:
    return text.partition("  CorrelationId:")[0]


def stable(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in VOLATILE}


def test_next_links_lead_back_to_the_mount_they_came_from(simulator: BusinessCentral, served: Served) -> None:
    token = Probe(simulator, US.id).client.headers["Authorization"]
    headers = {"Authorization": token, "Prefer": "odata.maxpagesize=60"}
    link: str | None = f"{served.url}/v2.0/Production/api/v2.0/companies({US.id})/purchaseOrders?$select=id"
    seen = []
    with httpx.Client(headers=headers) as client:
        while link:
            assert link.startswith(served.url)
            body = client.get(link).json()
            seen += [row["id"] for row in body["value"]]
            link = body.get("@odata.nextLink")
    assert sorted(seen) == sorted(order.id for order in US.orders)
    assert served.exchange.counts["GET"] == 3


def test_a_served_simulator_is_changed_by_its_control_interface(served: Served) -> None:
    body = {"company": US.id, "document": "106001", "changes": {"purchaser": "RB"}}
    assert httpx.post(f"{served.url}/_control/edit", json=body).json() == {}
    shown = httpx.post(f"{served.url}/_control/document", json={"company": US.id, "document": "106001"}).json()
    assert shown["lastModifiedDateTime"].startswith("2026-01-05")


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Lets threads take turns so often that a missing lock shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_an_edit_is_never_seen_half_done(simulator: BusinessCentral) -> None:
    order = max(US.orders, key=lambda each: len(each.lines))
    probe = Probe(simulator, US.id)
    address = f"purchaseOrders({order.id})?$expand=purchaseOrderLines"
    torn = []
    ended = threading.Event()

    def edit() -> None:
        for quantity in range(1, 60):
            simulator.edit_line(US.id, order.number, 10000, quantity=Decimal(quantity))
        ended.set()

    editor = threading.Thread(target=edit)
    editor.start()
    while not ended.is_set():
        shown = json.loads(probe.get(address).text, parse_float=Decimal)
        if sum(line["netAmount"] for line in shown["purchaseOrderLines"]) != shown["totalAmountExcludingTax"]:
            torn.append(shown)
    editor.join()
    assert not torn


# -- a foreign client


def client_of(served: Served, token_path: str, refresh_token: str = "refresh-token") -> Dynamics:
    class Local(Dynamics):  # type: ignore[misc]
        TOKEN_URL = served.url + token_path
        BASE_URL = served.url + "/v2.0/{environment}/api/v2.0"
        API_URL = served.url

    simulator_client = "3e0c5a55-7a21-4c09-9d0c-2f4f6f1f7a10"
    return Local(simulator_client, "first-secret", refresh_token, environment="Production", company_id=US.id)


TOKEN_PATHS = [
    "/organizations/oauth2/v2.0/token?resource=https://api.businesscentral.dynamics.com",
    "/common/oauth2/token",
]


@pytest.mark.parametrize("token_path", TOKEN_PATHS)
def test_a_client_made_for_the_real_service_reads_everything(served: Served, token_path: str) -> None:
    client = client_of(served, token_path)
    assert {row["number"] for row in client.vendors.get_all()} == {row["number"] for row in US.tables["vendors"]}
    assert client.vendors.count() == len(US.tables["vendors"])
    assert {row["number"] for row in client.accounts.get_all()} == {row["number"] for row in US.tables["accounts"]}
    invoices = client.purchase_invoices.get_all(**{"$filter": "status eq 'Open'"})
    assert {row["number"] for row in invoices} == {
        invoice.number for invoice in US.invoices if invoice.header["status"] == "Open"
    }
    lines = client.purchase_invoice_line_items.get_all(invoices[0]["id"])
    assert {line["documentId"] for line in lines} == {invoices[0]["id"]}
    assert {row["name"] for row in client.companies.get_all()} == {"CRONUS USA, Inc.", "CRONUS AG"}
    assert client.environments.get_all()["value"][0]["name"] == "Production"
    departments = next(row for row in client.dimensions.get_all_dimensions() if row["code"] == "DEPARTMENT")
    assert client.dimensions.count_dimension_values(departments["id"]) == 7
    assert {row["code"] for row in client.locations.get_all()} == {"EAST", "WEST", "MAIN"}


def test_that_client_understands_a_refused_refresh_token(served: Served) -> None:
    with pytest.raises(InvalidTokenError, match="Invalid refresh token"):
        client_of(served, TOKEN_PATHS[0], refresh_token="stale")
