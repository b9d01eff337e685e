"""The Business Central simulator: webhook notifications, as "Working with webhooks in Business Central" describes them.

Merging, delays and retries follow the public source of the codeunit that sends notifications.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.post import Effect, Mishap
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.receiver import URL, Receiver, subscribe
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.webhook_resources import CUSTOM
from tests.sandbox.business_central.webhooks import ScaledClock
from tests.sandbox.faults import Scenario
from tests.sandbox.wire import Exchange, InProcess, serve

COMPANIES = sample.companies()
US, DE = COMPANIES[0], COMPANIES[1]
VENDOR = US.tables["vendors"][0]
OTHER = US.tables["vendors"][1]


class Scene:
    """A simulator with a subscription to vendors whose notifications reach a receiver."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.webhooks = self.simulator.webhooks
        self.notifications = self.webhooks.notifications
        self.receiver = Receiver()
        self.webhooks.post.carrier = self.receiver
        self.webhooks.subscriptions.extra |= {"v2.0/purchaseOrders", "v2.0/locations"}
        self.probe = Probe(self.simulator, US.id)
        self.subscription = self.subscribed("vendors")

    def later(self, seconds: float) -> None:
        """Lets time pass and signs in again: a token is good for an hour only."""
        self.watch.forward(seconds)
        self.probe.client.headers["Authorization"] = f"Bearer {self.probe.token()['access_token']}"

    def subscribed(self, entity: str, **more: str) -> dict[str, Any]:
        """A new subscription."""
        response = subscribe(self.probe, entity, **more)
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json()
        return body

    def rename(self, name: str = "New name", vendor: dict[str, Any] = VENDOR, company: str = US.id) -> None:
        """Changes a vendor."""
        self.simulator.edit_header(company, str(vendor["number"]), entity="vendors", displayName=name)

    def after(self, seconds: float) -> list[int | None]:
        """Lets time pass and delivers; the statuses of what was sent."""
        self.watch.forward(seconds)
        return [delivery.status for delivery in self.webhooks.deliver_due()]

    def alive(self) -> bool:
        """Whether the subscription is still there."""
        return self.webhooks.subscriptions.get(self.subscription["subscriptionId"]) is not None


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


# -- the form of a notification


def test_a_notification_has_the_documented_form(scene: Scene) -> None:
    scene.watch.forward(0.05)
    scene.rename()
    scene.after(30)
    (request,) = scene.receiver.requests
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert request.headers["clientRequestId"] == request.headers["x-ms-correlation-id"]
    assert len(request.headers["clientRequestId"]) == 36
    assert request.extensions["timeout"]["read"] == 30
    expected = {
        "subscriptionId": scene.subscription["subscriptionId"],
        "clientState": "s3cret",
        "expirationDateTime": "2026-01-08T09:00:00Z",
        "resource": f"/api/v2.0/companies({US.id})/vendors({VENDOR['id']})",
        "changeType": "updated",
        "lastModifiedDateTime": "2026-01-05T09:00:00.05Z",
    }
    body = json.loads(request.content)
    assert body == {"value": [expected]}
    assert list(body["value"][0]) == list(expected)


def test_a_byte_order_mark_is_sent_only_by_old_versions(scene: Scene) -> None:
    scene.rename()
    scene.after(30)
    scene.notifications.byte_order_mark = True
    scene.rename("Another")
    scene.after(30)
    new, old = scene.receiver.requests
    assert new.content.startswith(b"{")
    assert old.content == b"\xef\xbb\xbf" + old.content.decode("utf-8-sig").encode()


def test_a_renewed_subscription_shows_its_new_end(scene: Scene) -> None:
    scene.later(3600)
    body = {name: scene.subscription[name] for name in ("notificationUrl", "resource", "clientState")}
    key = scene.subscription["subscriptionId"]
    assert scene.probe.send("PATCH", f"/subscriptions('{key}')", body, If_Match="*").status_code == 200
    scene.rename()
    scene.after(30)
    assert scene.receiver.entries[0]["expirationDateTime"] == "2026-01-08T10:00:00Z"


# -- what is told of


def test_created_updated_and_deleted_records_are_told_of(scene: Scene) -> None:
    key = "99999999-0000-0000-0000-000000000001"
    scene.simulator.add_row(US.id, "vendors", {"id": key, "number": "99000", "displayName": "Nod", "blocked": " "})
    scene.after(30)
    scene.simulator.edit_header(US.id, "99000", entity="vendors", city="Paris")
    scene.after(30)
    scene.simulator.delete(US.id, "vendors", "99000")
    scene.after(30)
    assert scene.receiver.kinds == ["created", "updated", "deleted"]
    assert all(entry["resource"].endswith(f"/vendors({key})") for entry in scene.receiver.entries)


def test_changes_through_the_api_are_told_of_as_well(scene: Scene) -> None:
    scene.probe.send("PATCH", f"vendors({VENDOR['id']})", {"city": "Oslo"}, If_Match="*")
    created = scene.probe.send("POST", "vendors", {"number": "99001", "displayName": "Nod"}).json()
    scene.probe.send("DELETE", f"vendors({created['id']})")
    scene.after(30)
    assert scene.receiver.kinds == ["updated", "created", "deleted"]


def test_other_sets_and_other_companies_are_not_told_of(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, "EAST", entity="locations", city="Oslo")
    scene.rename(company=DE.id, vendor=DE.tables["vendors"][0])
    assert scene.after(30) == []


def test_an_order_is_told_of_only_where_its_buffer_row_changes(scene: Scene) -> None:
    scene.subscribed("purchaseOrders")
    order = next(order for order in US.orders if order.lines[0].values["quantity"])
    sequence = int(str(order.lines[0].values["sequence"]))
    scene.simulator.edit_line(US.id, order.number, sequence, description="Another text")
    scene.simulator.edit_header(US.id, order.number, dueDate=date(2026, 3, 1))
    assert scene.after(30) == []
    scene.simulator.edit_line(US.id, order.number, sequence, quantity=Decimal(17))
    scene.after(30)
    assert scene.receiver.kinds == ["updated"]
    scene.simulator.delete(US.id, "purchaseOrders", order.number)
    scene.after(30)
    assert scene.receiver.kinds == ["updated", "deleted"]


def test_a_custom_page_tells_of_dimension_values_under_its_own_address(scene: Scene) -> None:
    scene.simulator.apis.available.add(CUSTOM)
    base = f"{scene.probe.base.removesuffix('v2.0')}{CUSTOM}"
    resource = f"/api/{CUSTOM}/companies({US.id})/dimensionValues"
    scene.probe.send("POST", f"{base}/subscriptions", {"notificationUrl": URL, "resource": resource})
    value = {"dimensionCode": "DEPARTMENT", "code": "LAB"}
    created = scene.probe.send("POST", f"{base}/companies({US.id})/dimensionValues", value).json()
    scene.after(30)
    assert [entry["resource"] for entry in scene.receiver.entries] == [f"{resource}({created['id']})"]


# -- when


def test_a_job_runs_thirty_seconds_after_the_first_change(scene: Scene) -> None:
    scene.rename()
    assert scene.after(20) == []
    scene.rename(vendor=OTHER)
    assert scene.notifications.next_due() == datetime(2026, 1, 5, 9, 0, 30, tzinfo=UTC)
    assert scene.after(9.9) == []
    assert scene.after(0.1) == [200]
    assert len(scene.receiver.entries) == 2
    assert scene.notifications.next_due() is None


def test_the_next_change_starts_the_next_job(scene: Scene) -> None:
    scene.rename()
    scene.after(30)
    scene.watch.forward(100)
    scene.rename("Third")
    assert scene.after(29) == []
    assert scene.after(1) == [200]


def test_changes_of_a_delegated_admin_wait_for_somebody_else(scene: Scene) -> None:
    scene.notifications.delegated_admin = True
    scene.rename()
    scene.subscribed("locations")
    assert scene.after(86400) == []
    scene.notifications.delegated_admin = False
    scene.simulator.edit_header(US.id, "EAST", entity="locations", city="Oslo")
    assert scene.after(30) == [200]
    assert told(scene) == [next(row["id"] for row in US.tables["locations"] if row["code"] == "EAST")]
    scene.rename(vendor=OTHER)
    assert scene.after(30) == [200]
    assert told(scene)[1:] == [VENDOR["id"], OTHER["id"]]


# -- what is sent together


def test_one_request_for_an_address_tells_of_several_subscriptions(scene: Scene) -> None:
    scene.subscribed("locations", state="other")
    scene.rename()
    scene.simulator.edit_header(US.id, "EAST", entity="locations", city="Oslo")
    assert scene.after(30) == [200]
    assert {entry["clientState"] for entry in scene.receiver.entries} == {"s3cret", "other"}


def test_every_address_gets_its_own_request(scene: Scene) -> None:
    scene.subscribed("vendors", url=URL + "/second")
    scene.rename()
    assert scene.after(30) == [200, 200]
    assert [str(request.url) for request in scene.receiver.requests] == [URL, URL + "/second"]


@pytest.mark.parametrize(("apart", "requests"), [(True, 2), (False, 1)])
def test_companies_are_told_of_apart_unless_switched(scene: Scene, apart: bool, requests: int) -> None:
    scene.notifications.one_company_each = apart
    scene.subscribed("vendors", company=DE.id)
    scene.rename()
    scene.rename(company=DE.id, vendor=DE.tables["vendors"][0])
    assert scene.after(30) == [200] * requests
    assert len(scene.receiver.entries) == 2


# -- merging


def test_consecutive_updates_of_one_record_become_one_with_the_latest_stamp(scene: Scene) -> None:
    scene.rename("One")
    scene.rename("Other", vendor=OTHER)
    scene.watch.forward(5)
    scene.rename("Two")
    scene.after(25)
    shown = {entry["resource"].split("(")[-1][:-1]: entry["lastModifiedDateTime"] for entry in scene.receiver.entries}
    assert scene.receiver.kinds == ["updated", "updated"]
    assert shown == {VENDOR["id"]: "2026-01-05T09:00:05Z", OTHER["id"]: "2026-01-05T09:00:00Z"}


def test_created_then_updated_and_created_then_deleted_stay_two_entries(scene: Scene) -> None:
    for number in ("99000", "99001"):
        key = f"99999999-0000-0000-0000-0000000{number}"
        scene.simulator.add_row(US.id, "vendors", {"id": key, "number": number, "blocked": " "})
    scene.simulator.edit_header(US.id, "99000", entity="vendors", city="Paris")
    scene.simulator.edit_header(US.id, "99000", entity="vendors", city="Rome")
    scene.simulator.delete(US.id, "vendors", "99001")
    scene.after(30)
    assert scene.receiver.kinds == ["created", "created", "updated", "deleted"]


def test_an_update_that_changed_nothing_is_dropped_beyond_a_tolerance_of_two_seconds(scene: Scene) -> None:
    scene.rename()
    scene.watch.forward(2)
    scene.webhooks.save_unchanged(US.id, str(VENDOR["number"]), entity="vendors")
    scene.webhooks.save_unchanged(US.id, str(OTHER["number"]), entity="vendors")
    scene.after(28)
    assert [entry["lastModifiedDateTime"] for entry in scene.receiver.entries] == ["2026-01-05T09:00:02Z"]
    scene.rename("Another")
    scene.after(30)
    scene.webhooks.save_unchanged(US.id, str(VENDOR["number"]), entity="vendors")
    assert scene.after(30) == []


def test_a_change_can_be_logged_a_little_later_than_its_stamp(scene: Scene) -> None:
    scene.notifications.clock_gap = timedelta(milliseconds=40)
    scene.rename()
    scene.after(31)
    assert scene.receiver.entries[0]["lastModifiedDateTime"] == "2026-01-05T09:00:00.04Z"


# -- collections


def many(scene: Scene, count: int) -> None:
    for number in range(count):
        row: Row = {"id": f"99999999-0000-0000-0000-{number:012d}", "number": f"N{number}", "blocked": " "}
        scene.simulator.add_row(US.id, "vendors", row)


def test_a_thousand_changed_records_are_told_of_one_by_one(scene: Scene) -> None:
    many(scene, 1000)
    scene.after(30)
    assert scene.receiver.kinds == ["created"] * 1000


def test_more_than_a_thousand_become_a_collection_with_a_filter(scene: Scene) -> None:
    scene.subscribed("locations")
    scene.watch.forward(10.4)
    many(scene, 1)
    scene.watch.forward(5)
    many_more: list[Row] = [
        {"id": f"88888888-0000-0000-0000-{n:012d}", "number": f"M{n}", "blocked": " "} for n in range(1000)
    ]
    for row in many_more:
        scene.simulator.add_row(US.id, "vendors", row)
    scene.simulator.edit_header(US.id, "EAST", entity="locations", city="Oslo")
    scene.after(30)
    assert scene.receiver.kinds == ["collection", "updated"]
    entry = scene.receiver.entries[0]
    expected = "?$filter=lastModifiedDateTime%20gt%202026-01-05T09:00:10.35Z"
    assert entry["resource"] == f"/api/v2.0/companies({US.id})/vendors{expected}"
    assert entry["lastModifiedDateTime"] == "2026-01-05T09:00:15.4Z"
    assert len(scene.probe.rows(f"{scene.probe.base}/companies({US.id})/vendors{expected}")) == 1001


def test_a_collection_with_a_deletion_has_the_bare_address(scene: Scene) -> None:
    scene.notifications.threshold = 2
    many(scene, 2)
    scene.simulator.delete(US.id, "vendors", "N0")
    scene.rename()
    scene.after(30)
    assert [(entry["changeType"], entry["resource"]) for entry in scene.receiver.entries] == [
        ("collection", f"/api/v2.0/companies({US.id})/vendors")
    ]


# -- what the receiver answers


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_settles_it(scene: Scene, status: int) -> None:
    scene.receiver.statuses = [status]
    scene.rename()
    assert scene.after(30) == [status]
    assert scene.after(86400) == []
    assert scene.alive()


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_a_wrong_answer_costs_the_subscription_and_what_is_pending(scene: Scene, status: int) -> None:
    scene.receiver.statuses = [status]
    scene.rename()
    scene.watch.forward(29)
    assert scene.after(1) == [status]
    assert not scene.alive()
    scene.rename("Again")
    assert scene.notifications.pending() == []
    assert scene.after(86400) == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_trouble_keeps_the_notification_for_later(scene: Scene, status: int) -> None:
    scene.receiver.statuses = [status, 200]
    scene.rename()
    assert scene.after(30) == [status]
    assert scene.after(59) == []
    assert scene.after(1) == [200]
    assert scene.alive()


def test_no_answer_within_thirty_seconds_is_trouble_as_well(scene: Scene) -> None:
    scene.webhooks.post.stopwatch = lambda: scene.watch.time.timestamp()
    scene.receiver.slow = lambda: scene.watch.forward(31)
    scene.rename()
    assert scene.after(30) == [None]
    scene.receiver.slow = lambda: None
    assert scene.after(60) == [200]
    assert scene.receiver.kinds == ["updated", "updated"]


def test_the_retries_follow_a_ladder_to_the_end_of_the_subscription(scene: Scene) -> None:
    scene.receiver.statuses = [503]
    scene.rename()
    assert scene.after(30) == [503]
    start = scene.watch.time
    for minutes in (1, 1, 1, 10, 100, 1000):
        assert scene.alive()
        assert scene.after(minutes * 60 - 1) == []
        assert scene.after(1) == [503]
    assert not scene.alive()
    assert scene.notifications.pending() == []
    assert scene.watch.time - start == timedelta(minutes=1113)


def test_later_changes_go_their_own_way_while_earlier_ones_wait(scene: Scene) -> None:
    scene.receiver.statuses = [503, 503, 503, 503, 200]
    scene.rename()
    scene.after(30)
    for _ in range(3):
        scene.after(60)
    scene.rename(vendor=OTHER)
    assert scene.after(30) == [200]
    assert scene.receiver.entries[-1]["resource"].endswith(f"({OTHER['id']})")
    assert scene.after(570) == [200]
    assert scene.receiver.entries[-1]["resource"].endswith(f"({VENDOR['id']})")


def test_a_collection_stays_one_when_it_is_sent_again(scene: Scene) -> None:
    scene.notifications.threshold = 2
    scene.receiver.statuses = [503, 200]
    many(scene, 3)
    scene.after(30)
    scene.after(60)
    first, second = scene.receiver.entries
    assert first == second
    assert "$filter" in second["resource"]


def test_pending_notifications_of_an_expired_subscription_are_dropped(scene: Scene) -> None:
    scene.watch.forward(3 * 86400 - 10)
    scene.rename()
    assert scene.after(30) == []
    assert scene.notifications.pending() == []


# -- what can happen on the way


def told(scene: Scene) -> list[str]:
    return [str(entry["resource"]).split("(")[-1][:-1] for entry in scene.receiver.entries]


def befall(scene: Scene, effect: Effect, **more: Any) -> None:
    scene.webhooks.post.mishaps.append(Mishap(effect, **more))


def test_a_notification_can_be_lost_without_anybody_noticing(scene: Scene) -> None:
    befall(scene, "lose")
    scene.rename()
    assert scene.after(30) == [200]
    assert scene.after(86400) == []
    assert told(scene) == []


def test_a_notification_can_arrive_twice(scene: Scene) -> None:
    befall(scene, "duplicate")
    scene.rename()
    scene.after(30)
    assert told(scene) == [VENDOR["id"]] * 2


def test_a_notification_can_arrive_hours_later(scene: Scene) -> None:
    befall(scene, "delay", seconds=7200)
    scene.rename()
    assert scene.after(30) == [200]
    assert scene.notifications.next_due() == scene.watch.time + timedelta(hours=2)
    scene.after(7199)
    assert told(scene) == []
    scene.after(1)
    assert told(scene) == [VENDOR["id"]]


def test_notifications_can_arrive_in_the_wrong_order(scene: Scene) -> None:
    befall(scene, "swap")
    scene.rename()
    scene.after(30)
    assert told(scene) == []
    scene.rename(vendor=OTHER)
    scene.after(30)
    assert told(scene) == [OTHER["id"], VENDOR["id"]]


def test_a_lost_answer_brings_the_notification_again(scene: Scene) -> None:
    befall(scene, "lose_answer", skip=1)
    scene.rename()
    assert scene.after(30) == [200]
    scene.rename("Another")
    assert scene.after(30) == [None]
    assert scene.after(60) == [200]
    assert told(scene) == [VENDOR["id"]] * 3


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize(
    ("name", "arrivals"),
    [
        ("bc.notification_lost", [0, 1, 1]),
        ("bc.notification_twice", [2, 3, 3]),
        ("bc.notification_late", [0, 1, 2]),
        ("bc.notification_out_of_order", [0, 2, 2]),
        ("bc.notification_answer_lost", [1, 2, 3]),
    ],
)
def test_a_named_fault_meets_the_next_notification(
    scene: Scene, name: str, arrivals: list[int], *, served: bool
) -> None:
    scenario = Scenario(0, ((name, {}),))
    if served:
        with serve(Exchange(scene.simulator.handle), control=scene.simulator.control) as site:
            for control, body in scenario.controls("bc"):
                assert httpx.post(f"{site.url}/_control/{control}", json=body).status_code == 200
    else:
        scenario.install("bc", Exchange(scene.simulator.handle), scene.simulator)
    seen = []
    for vendor, wait in ((VENDOR, 30), (OTHER, 30), (None, 7200)):
        if vendor is not None:
            scene.rename(vendor=vendor)
        scene.after(wait)
        seen.append(len(told(scene)))
    assert seen == arrivals


def test_a_mishap_can_be_meant_for_certain_bodies(scene: Scene) -> None:
    befall(scene, "lose", body=str(OTHER["id"]), times=None)
    for vendor in (VENDOR, OTHER, VENDOR):
        scene.rename(str(scene.watch.time), vendor=vendor)
        scene.after(30)
    assert told(scene) == [VENDOR["id"]] * 2


def test_anyone_can_forge_a_notification(scene: Scene) -> None:
    answer = scene.webhooks.post.forge(URL, [{"subscriptionId": "x", "clientState": "guess", "changeType": "updated"}])
    assert answer.status_code == 200
    assert scene.receiver.entries[0]["clientState"] == "guess"


def test_what_was_sent_is_on_record(scene: Scene) -> None:
    scene.receiver.statuses = [503]
    scene.rename()
    scene.after(30)
    handshake, notification = scene.webhooks.post.sent
    assert (handshake.status, notification.status) == (200, 503)
    assert notification.moment == scene.watch.time


# -- carriers


def test_a_transport_can_carry_as_well_as_a_function(scene: Scene) -> None:
    scene.webhooks.post.carrier = InProcess(Exchange(scene.receiver))
    scene.rename()
    assert scene.after(30) == [200]


def test_without_a_carrier_nobody_can_be_reached() -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    probe = Probe(simulator, US.id)
    assert subscribe(probe, "vendors").status_code == 400


def test_a_served_simulator_delivers_over_real_connections_on_a_fast_clock() -> None:
    simulator = BusinessCentral(COMPANIES, now=ScaledClock(200))
    receiver = Receiver()
    with (
        httpx.HTTPTransport() as way_out,
        serve(Exchange(receiver)) as hook,
        serve(Exchange(simulator.handle)) as served,
    ):
        simulator.webhooks.post.carrier = way_out
        with httpx.Client(base_url=served.url, timeout=10) as client, simulator.webhooks.delivering(every=0.01):
            form = {
                "grant_type": "client_credentials",
                "client_id": simulator.client_id,
                "client_secret": "first-secret",
                "scope": f"{simulator.base_url}/.default",
            }
            token = client.post(f"/{simulator.tenant}/oauth2/v2.0/token", data=form).json()["access_token"]
            body = {"notificationUrl": f"{hook.url}/hook", "resource": f"companies({US.id})/vendors"}
            created = client.post(
                "/v2.0/Production/api/v2.0/subscriptions", json=body, headers={"Authorization": f"Bearer {token}"}
            )
            assert created.status_code == 201
            simulator.edit_header(US.id, str(VENDOR["number"]), entity="vendors", displayName="New")
            patience = time.monotonic() + 5
            while not receiver.requests and time.monotonic() < patience:
                time.sleep(0.01)
    assert receiver.kinds == ["updated"]
