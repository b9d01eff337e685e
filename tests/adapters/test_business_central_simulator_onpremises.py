"""The Business Central simulator as a server on the customer's own premises.

The rules are those of the pages "Endpoints for the APIs", "Web Services Authentication" and "Configuring Business Central
Server".
"""

from __future__ import annotations

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.on_premises import OnPremises
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.wire import Exchange, InProcess

COMPANIES = sample.companies()
US = COMPANIES[0]
ROOT = "https://nav.example:7048"
KEY = "pQc2Zx0sV5r8Nf3hLk7mTj1bYw9eUa4gDi6oRv2xS0A="


@pytest.fixture
def simulator() -> BusinessCentral:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    simulator.on_premises = OnPremises()
    return simulator


@pytest.fixture
def client(simulator: BusinessCentral) -> httpx.Client:
    return httpx.Client(
        transport=InProcess(Exchange(simulator.handle)), auth=("CONNECTOR", KEY), base_url=f"{ROOT}/BC240/api/v2.0"
    )


def test_the_api_lives_under_the_instance(client: httpx.Client) -> None:
    body = client.get("/companies").json()
    assert body["@odata.context"] == f"{ROOT}/BC240/api/v2.0/$metadata#companies"
    assert {row["name"] for row in body["value"]} == {"CRONUS USA, Inc.", "CRONUS AG"}
    vendors = client.get(f"/companies({US.id})/vendors").json()["value"]
    assert len(vendors) == len(US.tables["vendors"])
    assert client.get("/$metadata").headers["Content-Type"] == "application/xml"


@pytest.mark.parametrize(
    "path", ["/BC230/api/v2.0/companies", "/v2.0/Production/api/v2.0/companies", "/environments/v1.1"]
)
def test_other_instances_and_online_addresses_are_not_there(client: httpx.Client, path: str) -> None:
    assert client.get(ROOT + path).status_code == 404


def test_online_has_no_such_addresses() -> None:
    probe = Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)
    assert probe.get(f"{ROOT}/BC240/api/v2.0/companies").status_code == 404


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer abc", "Basic", "Basic !!!", "Basic Q09OTkVDVE9SOndyb25n", "Basic /w=="],
    ids=["none", "bearer", "empty", "no base64", "wrong key", "no text"],
)
def test_without_name_and_key_the_answer_is_a_challenge(client: httpx.Client, authorization: str) -> None:
    client.auth = None
    response = client.get("/companies", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm=""'
    assert response.content == b""


def test_the_challenge_itself_is_not_established(simulator: BusinessCentral, client: httpx.Client) -> None:
    client.auth = None
    simulator.uncertainties.basic_challenge = None
    assert "WWW-Authenticate" not in client.get("/companies").headers


def test_a_service_that_is_switched_off_answers_405(simulator: BusinessCentral, client: httpx.Client) -> None:
    assert simulator.on_premises is not None
    simulator.on_premises.api_enabled = False
    assert client.get("/companies").status_code == 405
    simulator.on_premises.api_enabled = True
    assert client.get("/companies").status_code == 200


# -- tenants


@pytest.fixture
def multitenant(simulator: BusinessCentral, client: httpx.Client) -> httpx.Client:
    assert simulator.on_premises is not None
    simulator.on_premises.tenants = ("default", "second")
    return client


def test_a_multitenant_server_wants_the_tenant_with_every_request(multitenant: httpx.Client) -> None:
    assert multitenant.get("/companies?tenant=default").status_code == 200
    assert multitenant.get("/companies?Tenant=Second").status_code == 200
    for address in ("/companies", "/companies?tenant=third", f"/companies({US.id})/vendors", "/$metadata"):
        refused = multitenant.get(address)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "Internal_TenantUnavailable")


def test_how_a_missing_tenant_is_refused_is_not_established(
    simulator: BusinessCentral, multitenant: httpx.Client
) -> None:
    simulator.uncertainties.missing_tenant_status = 404
    assert multitenant.get("/companies").status_code == 404


def test_next_links_carry_the_tenant(multitenant: httpx.Client) -> None:
    address: str | None = f"/companies({US.id})/vendors?tenant=default&$select=number"
    seen = []
    while address:
        body = multitenant.get(address, headers={"Prefer": "odata.maxpagesize=5"}).json()
        seen += [row["number"] for row in body["value"]]
        address = body.get("@odata.nextLink")
        assert address is None or "tenant=default" in address
    assert sorted(seen) == sorted(str(row["number"]) for row in US.tables["vendors"])


def test_or_they_do_not_and_the_caller_has_to_add_it(simulator: BusinessCentral, multitenant: httpx.Client) -> None:
    assert simulator.on_premises is not None
    simulator.on_premises.links_name_tenant = False
    address = f"/companies({US.id})/vendors?tenant=default"
    link = multitenant.get(address, headers={"Prefer": "odata.maxpagesize=5"}).json()["@odata.nextLink"]
    assert "tenant" not in link
    assert multitenant.get(link).status_code == 503
    rest = multitenant.get(f"{link}&tenant=default").json()["value"]
    assert len(rest) == len(US.tables["vendors"]) - 5


def test_a_server_without_tenants_ignores_the_parameter(client: httpx.Client) -> None:
    assert client.get("/companies?tenant=whatever").status_code == 200


def test_writes_and_batches_work_there_too(multitenant: httpx.Client) -> None:
    vendor = US.tables["vendors"][0]["id"]
    address = f"/companies({US.id})/vendors({vendor})?tenant=default"
    changed = multitenant.patch(address, json={"phoneNumber": "1"}, headers={"If-Match": "*"})
    assert changed.json()["phoneNumber"] == "1"
    parts = [
        {"id": "1", "method": "GET", "url": "companies?tenant=default"},
        {"id": "2", "method": "GET", "url": "companies"},
    ]
    answers = multitenant.post("/$batch?tenant=default", json={"requests": parts}).json()["responses"]
    assert [each["status"] for each in answers] == [200, 503]
