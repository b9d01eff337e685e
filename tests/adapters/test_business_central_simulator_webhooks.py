"""The Business Central simulator: webhook subscriptions, as "Working with webhooks in Business Central" describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.receiver import URL, Receiver, subscribe
from tests.sandbox.business_central.webhook_resources import CUSTOM, LISTED

COMPANIES = sample.companies()
US, DE = COMPANIES[0], COMPANIES[1]
PROPERTIES = (
    "subscriptionId notificationUrl resource timestamp userId lastModifiedDateTime clientState expirationDateTime "
    "systemCreatedAt systemCreatedBy systemModifiedAt systemModifiedBy"
).split()


class Scene:
    """A simulator whose webhook requests reach a receiver."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.receiver = Receiver()
        self.post = self.simulator.webhooks.post
        self.post.carrier = self.receiver
        self.subscriptions = self.simulator.webhooks.subscriptions
        self.probe = Probe(self.simulator, US.id)

    def later(self, seconds: float) -> None:
        """Lets time pass and signs in again: a token is good for an hour only."""
        self.watch.forward(seconds)
        self.probe.client.headers["Authorization"] = f"Bearer {self.probe.token()['access_token']}"

    def subscribed(self, entity: str = "vendors", **more: str) -> dict[str, Any]:
        """A new subscription."""
        response = subscribe(self.probe, entity, **more)
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json()
        return body

    def listed(self) -> list[dict[str, Any]]:
        """The subscriptions that the API lists."""
        return self.probe.rows("/subscriptions")

    def renewed(self, subscription: dict[str, Any], body: Any = None, **headers: str) -> httpx.Response:
        """The answer to a renewal with everything the subscription was created with, unless another body is given."""
        names = ("notificationUrl", "resource", "clientState")
        whole = {name: subscription[name] for name in names}
        address = f"/subscriptions('{subscription['subscriptionId']}')"
        return self.probe.send("PATCH", address, whole if body is None else body, **headers)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# -- create: POST subscriptions


def test_a_subscription_is_created_with_its_properties_in_order(scene: Scene) -> None:
    scene.watch.forward(0.123)
    body = scene.subscribed()
    assert list(body) == ["@odata.context", "@odata.etag", *PROPERTIES]
    assert body["@odata.context"] == f"{scene.probe.base}/$metadata#subscriptions/$entity"
    assert re.fullmatch(r"[0-9a-f]{32}", body["subscriptionId"])
    assert body["notificationUrl"] == URL
    assert body["resource"] == f"/api/v2.0/companies({US.id})/vendors"
    assert body["clientState"] == "s3cret"
    assert body["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"
    assert body["systemCreatedAt"] == body["systemModifiedAt"] == "2026-01-05T09:00:00.123Z"


def test_it_lives_three_days(scene: Scene) -> None:
    assert scene.subscribed()["expirationDateTime"] == "2026-01-08T09:00:00Z"
    scene.later(3 * 86400 - 1)
    assert len(scene.listed()) == 1
    scene.later(1)
    assert scene.listed() == []


@pytest.mark.parametrize("start", ["/api/v2.0/", "api/v2.0/", "", "/"])
def test_the_resource_may_be_written_in_several_ways_and_is_kept_as_given(scene: Scene, start: str) -> None:
    resource = f"{start}companies({US.id})/vendors"
    body = {"notificationUrl": URL, "resource": resource}
    created = scene.probe.send("POST", "/subscriptions", body)
    assert created.status_code == 201
    assert (created.json()["resource"], created.json()["clientState"]) == (resource, "")


@pytest.mark.parametrize("missing", ["notificationUrl", "resource"])
def test_address_and_resource_are_mandatory(scene: Scene, missing: str) -> None:
    body = {"notificationUrl": URL, "resource": f"companies({US.id})/vendors"}
    del body[missing]
    assert code_of(scene.probe.send("POST", "/subscriptions", body)) == (400, "BadRequest_RequiredParamNotProvided")


def test_a_client_state_has_up_to_2048_characters(scene: Scene) -> None:
    assert scene.subscribed(state="x" * 2048)["clientState"] == "x" * 2048
    assert code_of(subscribe(scene.probe, "vendors", state="x" * 2049)) == (400, "Application_StringExceededLength")


def test_what_the_service_sets_itself_cannot_be_sent(scene: Scene) -> None:
    body = {
        "notificationUrl": URL,
        "resource": f"companies({US.id})/vendors",
        "expirationDateTime": "2030-01-01T00:00:00Z",
    }
    assert code_of(scene.probe.send("POST", "/subscriptions", body)) == (400, "BadRequest_InvalidOperation")


def test_a_token_is_needed(scene: Scene) -> None:
    scene.probe.client.headers["Authorization"] = "Bearer nonsense"
    assert subscribe(scene.probe, "vendors").status_code == 401
    assert scene.probe.get("/subscriptions").status_code == 401
    assert scene.receiver.handshakes == []


def test_another_environment_has_no_such_address(scene: Scene) -> None:
    address = scene.probe.base.replace("Production", "Test") + "/subscriptions"
    assert scene.probe.send("POST", address, {}).status_code == 404


def test_the_environment_holds_two_hundred_subscriptions(scene: Scene) -> None:
    for number in range(200):
        scene.subscribed(url=f"{URL}/{number}")
    refused = subscribe(scene.probe, "vendors")
    assert refused.status_code == 400
    assert len(scene.listed()) == 200
    scene.probe.send("DELETE", f"/subscriptions('{scene.listed()[0]['subscriptionId']}')")
    assert subscribe(scene.probe, "vendors").status_code == 201


# -- the handshake


def test_the_receiver_is_asked_to_repeat_a_token(scene: Scene) -> None:
    scene.subscribed()
    (handshake,) = scene.receiver.handshakes
    assert handshake.method == "POST"
    assert str(handshake.url).startswith(f"{URL}?validationToken=")


def test_the_token_is_appended_to_a_query_that_is_there(scene: Scene) -> None:
    scene.subscribed(url=f"{URL}?code=a%2Bb")
    assert str(scene.receiver.handshakes[0].url).startswith(f"{URL}?code=a%2Bb&validationToken=")


def test_the_handshake_can_be_a_get(scene: Scene) -> None:
    scene.subscriptions.handshake_method = "GET"
    scene.subscribed()
    assert scene.receiver.handshakes[0].method == "GET"


def test_every_token_is_another_and_any_text_can_be_one(scene: Scene) -> None:
    scene.subscribed()
    scene.subscribed()
    first, second = (str(each.url) for each in scene.receiver.handshakes)
    assert first != second
    scene.subscriptions.fresh_token = lambda: "a+b/c =&ü"
    scene.subscribed()
    assert scene.receiver.handshakes[-1].url.params["validationToken"] == "a+b/c =&ü"


def test_a_token_may_come_back_with_any_content_type_but_nothing_around_it(scene: Scene) -> None:
    scene.receiver.echo = lambda token: httpx.Response(
        200, content=token.encode(), headers={"Content-Type": "text/html"}
    )
    scene.subscribed()
    scene.receiver.echo = lambda token: httpx.Response(200, text=f'"{token}"')
    assert subscribe(scene.probe, "vendors").status_code == 400


@pytest.mark.parametrize("status", [201, 204, 302, 404, 500])
def test_only_200_is_a_greeting(scene: Scene, status: int) -> None:
    scene.receiver.echo = lambda token: httpx.Response(status, text=token)
    assert subscribe(scene.probe, "vendors").status_code == 400
    assert scene.listed() == []


def test_a_receiver_that_takes_longer_than_five_seconds_is_refused(scene: Scene) -> None:
    scene.post.stopwatch = lambda: scene.watch.time.timestamp()
    scene.receiver.slow = lambda: scene.watch.forward(4.9)
    scene.subscribed()
    scene.receiver.slow = lambda: scene.watch.forward(5.1)
    assert subscribe(scene.probe, "vendors").status_code == 400


def test_a_receiver_that_cannot_be_reached_is_refused(scene: Scene) -> None:
    def unreachable() -> None:
        raise httpx.ConnectError("no route")

    scene.receiver.slow = unreachable
    assert subscribe(scene.probe, "vendors").status_code == 400
    assert subscribe(scene.probe, "vendors", url="no address").status_code == 400


def test_the_receiver_may_read_from_the_service_while_it_is_greeted(scene: Scene) -> None:
    seen: list[int] = []
    scene.receiver.slow = lambda: seen.append(scene.probe.get("/companies").status_code)
    scene.subscribed()
    assert seen == [200]


# -- list, one, renew, delete


def test_the_list_is_of_the_whole_environment(scene: Scene) -> None:
    one, other = scene.subscribed(), scene.subscribed(company=DE.id)
    body = scene.probe.get("/subscriptions").json()
    assert body["@odata.context"] == f"{scene.probe.base}/$metadata#subscriptions"
    assert {row["subscriptionId"] for row in body["value"]} == {one["subscriptionId"], other["subscriptionId"]}
    assert all(list(row) == ["@odata.etag", *PROPERTIES] for row in body["value"])


def test_the_key_is_a_quoted_text(scene: Scene) -> None:
    key = scene.subscribed()["subscriptionId"]
    assert scene.probe.get(f"/subscriptions('{key}')").json()["subscriptionId"] == key
    assert scene.probe.get(f"/subscriptions({key})").status_code == 400
    assert code_of(scene.probe.get("/subscriptions('00000000000000000000000000000000')")) == (
        404,
        "Internal_RecordNotFound",
    )


def test_a_renewal_greets_again_and_gives_three_more_days(scene: Scene) -> None:
    subscription = scene.subscribed()
    scene.later(86400)
    renewed = scene.renewed(subscription, If_Match=subscription["@odata.etag"])
    assert renewed.status_code == 200
    assert renewed.json()["expirationDateTime"] == "2026-01-09T09:00:00Z"
    assert renewed.json()["@odata.etag"] != subscription["@odata.etag"]
    assert renewed.json()["systemCreatedAt"] == subscription["systemCreatedAt"]
    assert len(scene.receiver.handshakes) == 2
    assert code_of(scene.renewed(subscription, If_Match=subscription["@odata.etag"])) == (409, "Request_EntityChanged")
    assert scene.renewed(subscription, If_Match="*").status_code == 200


def test_a_renewal_needs_a_concurrency_token_and_a_body(scene: Scene) -> None:
    subscription = scene.subscribed()
    assert code_of(scene.renewed(subscription)) == (400, "BadRequest_InvalidToken")
    assert code_of(scene.renewed(subscription, {}, If_Match="*")) == (400, "BadRequest_RequiredParamNotProvided")


def test_a_renewal_that_is_not_greeted_back_changes_nothing(scene: Scene) -> None:
    subscription = scene.subscribed()
    scene.later(86400)
    scene.receiver.echo = lambda _: httpx.Response(503)
    assert scene.renewed(subscription, If_Match="*").status_code == 400
    assert scene.listed()[0]["expirationDateTime"] == subscription["expirationDateTime"]


def test_a_renewal_after_the_end_finds_nothing(scene: Scene) -> None:
    subscription = scene.subscribed()
    scene.later(3 * 86400)
    assert scene.renewed(subscription, If_Match="*").status_code == 404


def test_a_deletion_is_answered_204(scene: Scene) -> None:
    subscription = scene.subscribed()
    address = f"/subscriptions('{subscription['subscriptionId']}')"
    assert scene.probe.send("DELETE", address, If_Match='W/"b2xk"').status_code == 409
    assert scene.probe.send("DELETE", address, If_Match=subscription["@odata.etag"]).status_code == 204
    assert scene.listed() == []
    assert scene.probe.send("DELETE", address, If_Match="*").status_code == 404


def test_other_verbs_are_refused(scene: Scene) -> None:
    key = scene.subscribed()["subscriptionId"]
    for method, address in (
        ("POST", f"/subscriptions('{key}')"),
        ("PATCH", "/subscriptions"),
        ("DELETE", "/subscriptions"),
    ):
        assert scene.probe.send(method, address, {}).status_code == 405


def test_copying_the_environment_clears_all_subscriptions(scene: Scene) -> None:
    scene.subscribed()
    scene.subscriptions.clear()
    assert scene.listed() == []


def test_the_life_of_a_subscription_is_a_setting(scene: Scene) -> None:
    scene.subscriptions.lifetime = timedelta(minutes=10)
    assert scene.subscribed()["expirationDateTime"] == "2026-01-05T09:10:00Z"


# -- which resources


RUNTIME = "/api/microsoft/runtime/beta"


def supported(scene: Scene, query: str = "") -> list[str]:
    base = scene.probe.base.removesuffix("/api/v2.0") + RUNTIME
    rows = scene.probe.rows(f"{base}/companies({US.id})/webhookSupportedResources{query}")
    assert all(list(row) == ["resource"] for row in rows)
    return [row["resource"] for row in rows]


def test_the_published_list_has_invoices_and_vendors_but_no_orders(scene: Scene) -> None:
    found = supported(scene, "?$filter=resource eq 'v2.0*'")
    assert found == sorted(LISTED)
    assert {"v2.0/purchaseInvoices", "v2.0/vendors", "v2.0/dimensions"} <= set(found)
    assert not {"v2.0/purchaseOrders", "v2.0/purchaseReceipts", "v2.0/dimensionValues", "v2.0/locations"} & set(found)


def test_a_switch_adds_what_is_fit_but_not_listed(scene: Scene) -> None:
    assert subscribe(scene.probe, "purchaseOrders").status_code == 400
    scene.subscriptions.extra |= {"v2.0/purchaseOrders", "v2.0/dimensionValues"}
    assert "v2.0/purchaseOrders" in supported(scene, "?$filter=resource eq 'v2.0*'")
    assert subscribe(scene.probe, "purchaseOrders").status_code == 201
    assert subscribe(scene.probe, "dimensionValues").status_code == 201


@pytest.mark.parametrize("entity", ["purchaseOrderLines", "purchaseInvoiceLines", "dimensionSetLines", "nonsense"])
def test_lines_and_unknown_sets_cannot_be_subscribed_to(scene: Scene, entity: str) -> None:
    assert subscribe(scene.probe, entity).status_code == 400
    assert scene.receiver.handshakes == []


def test_a_company_that_does_not_exist_cannot_be_subscribed_to(scene: Scene) -> None:
    missing = "11111111-2222-3333-4444-555555555555"
    assert code_of(subscribe(scene.probe, "vendors", company=missing)) == (404, "Internal_CompanyNotFound")


@pytest.mark.parametrize(
    "resource",
    [
        "vendors",
        "/api/v1.0/companies({})/vendors",
        "companies({})/vendors?$top=1",
        f"/api/{CUSTOM}/companies({{}})/vendors",
    ],
)
def test_a_resource_of_another_form_is_refused(scene: Scene, resource: str) -> None:
    body = {"notificationUrl": URL, "resource": resource.format(US.id)}
    assert scene.probe.send("POST", "/subscriptions", body).status_code == 400


def test_a_custom_api_has_its_own_address_and_resources(scene: Scene) -> None:
    base = f"{scene.probe.base.removesuffix('v2.0')}{CUSTOM}"
    resource = f"/api/{CUSTOM}/companies({US.id})/dimensionValues"
    body = {"notificationUrl": URL, "resource": resource}
    assert scene.probe.send("POST", f"{base}/subscriptions", body).status_code == 404
    scene.simulator.apis.available.add(CUSTOM)
    assert f"{CUSTOM}/dimensionValues" in supported(scene)
    assert scene.probe.send("POST", f"{base}/subscriptions", body).status_code == 201
    assert scene.probe.send("POST", "/subscriptions", body).status_code == 400
    assert [row["resource"] for row in scene.listed()] == [resource]
