"""The webhook route against everything that may arrive there: the function of the app itself, called as the worker calls it.

Bad bodies travel in the place of Business Central's own notifications, so that the simulator treats each answer as the service
does: a wrong one would cost the subscription.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_plus

import azure.functions as func
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import function_app
from connector.bootstrap import Application, Ports, build
from connector.business_central.odata import moment
from connector.decisions.states import Status
from connector.decisions.watermark import read_from
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp
from connector.model.units import Unit
from connector.ports import SeededRandomness
from connector.storage.cursors import POLLS
from tests.flows.pipeline import BC_HOST, US, WEBHOOKS_ON, Pipeline, some
from tests.flows.subscribed import (
    company_id,
    notification,
    polls_waiting,
    references_waiting,
    subscribe,
    waiting,
    webhook_address,
)
from tests.simulation.stage import Cue, Mode, Stage
from tests.simulation.staged import StagedQueues, StagedTables

MIB = 1024 * 1024
ALL_FEEDS = sorted(Feed)
HEADERS = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
SELDOM = {"POLL_SECONDS": json.dumps(dict.fromkeys(Feed, 3600))}
"""No poll is overdue because a test lets some minutes pass."""
ID = "8d46f200-9580-f111-8070-0022483430dd"
FOREIGN = "99999999-9999-9999-9999-999999999999"


class Scene:
    """A connector with subscriptions to everything it watches, its storage on a stage, and the app's own route in front."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.webhooks = pipeline.business_central.webhooks
        self.vendor = pipeline.landscape.data[0].tables["vendors"][0]
        self.down: Callable[[str], bool] = lambda _effect: False
        self.mode: Mode = "fail_before"
        self.stage = Stage(lambda number, name: Cue(number, self.mode) if self.down(name) else None)
        chance = SeededRandomness(random.Random(1))
        tables, queues = StagedTables(pipeline.tables, self.stage), StagedQueues(pipeline.queues, self.stage)
        pipeline.parts = build(pipeline.settings, Ports(pipeline.wire, tables, queues, pipeline.clock, chance))
        self.webhooks.post.carrier = self.route
        self.replies: list[httpx.Response] = []

    def route(self, request: httpx.Request) -> httpx.Response:
        """The app's function, called as the worker calls it: names of headers in lower case, empty parameters left out."""
        given = func.HttpRequest(
            request.method,
            str(request.url),
            headers={name.lower(): value for name, value in request.headers.items()},
            params={name: value for name, value in request.url.params.items() if value},
            route_params={"key": request.url.path.rpartition("/")[2]},
            body=request.content,
        )
        answer = function_app.webhook(given)
        reply = httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.get_body())
        self.replies.append(reply)
        return reply

    def deliver(self, body: bytes, **headers: str) -> httpx.Response:
        """The answer to Business Central when its next notification has this body."""

        def exchanged(request: httpx.Request) -> httpx.Response:
            more = {name.replace("_", "-"): value for name, value in headers.items()}
            return self.route(httpx.Request(request.method, request.url, headers=more, content=body))

        name = f"Name {len(self.replies)}"
        self.pipeline.business_central.edit_header(US, str(self.vendor["number"]), entity="vendors", displayName=name)
        self.webhooks.post.carrier = exchanged
        assert self.pipeline.notify() == 1
        self.webhooks.post.carrier = self.route
        return self.replies[-1]

    def tell(self, *entries: dict[str, Any]) -> httpx.Response:
        """The same for a body with these notifications."""
        return self.deliver(json.dumps({"value": list(entries)}).encode())

    def order(self, **changes: Any) -> dict[str, Any]:
        """A right notification of an order, with changes."""
        return notification(self.pipeline, Feed.ORDERS, changes.pop("id", ID), **changes)

    def shake_hands(self, token: str, *, method: str = "POST") -> httpx.Response:
        """The answer to a handshake."""
        url = httpx.URL(webhook_address(self.pipeline)).copy_merge_params({"validationToken": token})
        return self.route(httpx.Request(method, url))

    def staged_order(self) -> tuple[str, str]:
        """Carries everything, and names an order that is in ServiceNow: its id and number."""
        self.pipeline.run()
        states = self.pipeline.states()
        order = next(one for one in self.pipeline.landscape.data[0].orders if states[one.id].status is Status.DONE)
        return order.id, order.number

    def reads(self) -> int:
        """How many requests Business Central has received."""
        return len(self.pipeline.wire.to(BC_HOST))


def scene_of(monkeypatch: pytest.MonkeyPatch, **more: str) -> Scene:
    scene = Scene(Pipeline(data=some(orders=12, invoices=8)[:1], settings=WEBHOOKS_ON | SELDOM | more))
    monkeypatch.setattr(function_app, "connector", SimpleNamespace(parts=scene.pipeline.parts))
    return scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Whatever a test does: at its end no subscription is lost, and nothing was asked of anybody but Business Central."""
    scene = scene_of(monkeypatch)
    made = subscribe(scene.pipeline, *Feed)
    sent = len(scene.replies)
    yield scene
    assert sorted(one.id for one in scene.webhooks.subscriptions.all()) == sorted(made)
    assert {reply.status_code for reply in scene.replies[sent:]} <= {200, 503}
    assert {sent.host for sent in scene.pipeline.wire.requests} <= set(
        httpx.URL(url).host
        for url in (
            scene.pipeline.settings.bc_url,
            scene.pipeline.settings.bc_token_url,
            scene.pipeline.settings.sn_url,
        )
    )


def headers_of(reply: httpx.Response) -> dict[str, str]:
    """The headers that the route has set; httpx adds the length."""
    return {name: value for name, value in reply.headers.items() if name != "content-length"}


def assert_taken(reply: httpx.Response) -> None:
    assert (reply.status_code, reply.content) == (200, b"")
    assert headers_of(reply) == HEADERS


def assert_dropped(scene: Scene, reply: httpx.Response) -> None:
    assert_taken(reply)
    assert waiting(scene.pipeline) == []
    assert scene.pipeline.wire.requests == []


def assert_polls_everything(scene: Scene, reply: httpx.Response) -> None:
    assert_taken(reply)
    assert references_waiting(scene.pipeline) == []
    assert polls_waiting(scene.pipeline) == ALL_FEEDS
    assert scene.pipeline.wire.requests == []


# -- bodies


@pytest.mark.parametrize(
    "body", [b"", b" \r\n", b"null", b"[]", b"5", b'"x"', b"true", b"{}", b'{"value":null}', b'{"value":[]}']
)
def test_b1_a_body_that_holds_no_notification_is_taken_and_nothing_is_queued(scene: Scene, body: bytes) -> None:
    assert_dropped(scene, scene.deliver(body))


def test_b2_a_body_of_101_mib_asks_for_polls_and_costs_no_memory(scene: Scene) -> None:
    body = b'{"value":[' + b" " * (101 * MIB)
    tracemalloc.start()
    try:
        reply = scene.deliver(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_polls_everything(scene, reply)
    assert peak < 2 * MIB


def test_b2_the_largest_body_is_read_and_one_byte_more_is_not(scene: Scene) -> None:
    body = json.dumps({"value": [scene.order()]}).encode()
    scene.deliver(body.ljust(MIB))
    assert references_waiting(scene.pipeline) == [ID]
    assert polls_waiting(scene.pipeline) == []
    scene.deliver(body.ljust(MIB + 1))
    assert references_waiting(scene.pipeline) == [ID]
    assert polls_waiting(scene.pipeline) == ALL_FEEDS


def test_b3_a_gzip_bomb_is_stopped_at_the_cap(scene: Scene) -> None:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MIB)
    bomb = b"".join(packing.compress(block) for _ in range(1000)) + packing.flush()
    assert len(bomb) < MIB
    tracemalloc.start()
    try:
        reply = scene.deliver(bomb, content_encoding="gzip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_polls_everything(scene, reply)
    assert peak < 4 * MIB


def test_b3_an_honest_gzip_body_is_read(scene: Scene) -> None:
    body = gzip.compress(json.dumps({"value": [scene.order()]}).encode())
    assert_taken(scene.deliver(body, content_encoding="GZip"))
    assert references_waiting(scene.pipeline) == [ID]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress", "x" * 10_000])
def test_b3_other_encodings_ask_for_polls(scene: Scene, encoding: str) -> None:
    assert_polls_everything(scene, scene.deliver(b"anything", content_encoding=encoding))


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"value":[' + b'{"resource":' * 100_000, b'{"value":[' * 50_000 + b"]}" * 50_000],
    ids=["lists", "objects", "closed again"],
)
def test_b4_nesting_without_end_is_taken(scene: Scene, body: bytes) -> None:
    assert_polls_everything(scene, scene.deliver(body))


def test_b5_a_byte_order_mark_is_accepted(scene: Scene) -> None:
    pipeline = scene.pipeline
    scene.webhooks.notifications.byte_order_mark = True
    order = pipeline.landscape.data[0].orders[0]
    pipeline.business_central.edit_line(US, order.number, 10000, quantity=17)
    assert pipeline.notify() == 1
    assert_taken(scene.replies[-1])
    assert references_waiting(pipeline) == [order.id]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_b6_a_body_in_another_encoding_asks_for_polls(scene: Scene, encoding: str) -> None:
    body = json.dumps({"value": [scene.order()]}).encode(encoding)
    assert_polls_everything(scene, scene.deliver(body))


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80"], ids=["ff", "overlong", "surrogate", "80"]
)
def test_b6_a_body_that_is_no_utf8_asks_for_polls(scene: Scene, bad: bytes) -> None:
    body = json.dumps({"value": [scene.order(subscriptionId="HERE")]}).encode().replace(b"HERE", bad)
    assert_polls_everything(scene, scene.deliver(body))


@pytest.mark.parametrize("name", ["resource", "clientState"])
def test_b6_half_a_character_in_a_notification_drops_it(scene: Scene, name: str) -> None:
    entry = scene.order()
    assert_dropped(scene, scene.tell(entry | {name: entry[name] + "\ud800"}))


@pytest.mark.parametrize(
    "body", [b"NaN", b'{"value":[NaN]}', b'{"value":[-Infinity]}', b'{"value":[' + b"9" * 5000 + b"]}"]
)
def test_numbers_that_are_none_ask_for_polls(scene: Scene, body: bytes) -> None:
    assert_polls_everything(scene, scene.deliver(body))


@pytest.mark.parametrize("name", ["clientState", "resource"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_b7_a_name_given_twice_is_hostile_whichever_would_win(scene: Scene, name: str, first: bool) -> None:
    right = json.dumps(scene.order())
    other = f'"{name}":"other"'
    text = "{" + other + "," + right[1:] if first else right[:-1] + "," + other + "}"
    assert_dropped(scene, scene.deliver(f'{{"value":[{text}]}}'.encode()))


def test_b8_of_too_many_notifications_the_first_thousand_are_looked_at(scene: Scene) -> None:
    company = company_id(scene.pipeline, US)
    short = {name: scene.order()[name] for name in ("clientState", "lastModifiedDateTime")}
    ids = [f"00000000-0000-0000-0000-{number:012d}" for number in range(2500)]
    entries = [short | {"resource": f"companies({company})/purchaseOrders({id_})"} for id_ in ids]
    assert_taken(scene.tell(*entries))
    assert references_waiting(scene.pipeline) == ids[:1000]
    assert polls_waiting(scene.pipeline) == ALL_FEEDS


def test_b8_a_million_notifications_ask_for_polls(scene: Scene) -> None:
    entry = json.dumps(scene.order()).encode()
    assert_polls_everything(scene, scene.deliver(b'{"value":[' + b"{}," * 999_999 + entry + b"]}"))


# -- forgery


@pytest.mark.parametrize(
    "state",
    ["", "wrong", None, 5, True, [], {}, "0" * 64, "x" * 100_000, "\u0000", "é"],
    ids=lambda value: repr(value)[:12],
)
def test_b9_a_wrong_client_state_drops_the_notification(scene: Scene, state: object) -> None:
    assert_dropped(scene, scene.tell(scene.order(clientState=state)))


def test_b9_a_missing_client_state_drops_the_notification(scene: Scene) -> None:
    entry = scene.order()
    del entry["clientState"]
    assert_dropped(scene, scene.tell(entry))


def test_b9_the_client_state_of_one_feed_does_not_speak_for_another(scene: Scene) -> None:
    vendors = notification(scene.pipeline, Feed.VENDORS, ID)
    assert_dropped(scene, scene.tell(scene.order(clientState=vendors["clientState"])))


def test_b9_a_forged_notification_among_others_is_dropped_and_they_are_queued(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "connector")
    invoice = notification(scene.pipeline, Feed.INVOICES, ID)
    forged = scene.order(id=FOREIGN, clientState="guess")
    assert_taken(scene.tell(scene.order(), forged, invoice))
    found = [(one.entity.value, one.references[0].id) for one in waiting(scene.pipeline) if isinstance(one, Unit)]
    assert found == [("purchaseOrders", ID), ("purchaseInvoices", ID)]
    assert "forged=1" in caplog.text


def test_b9_nothing_in_the_answer_tells_a_forged_notification_from_a_good_one(scene: Scene) -> None:
    good, forged = scene.tell(scene.order()), scene.tell(scene.order(clientState="guess"))
    assert (good.status_code, good.headers.raw, good.content) == (
        forged.status_code,
        forged.headers.raw,
        forged.content,
    )


OLD, NEW = WEBHOOKS_ON["WEBHOOK_KEY"], base64.b64encode(b"the key that comes after it ....").decode()


@pytest.mark.parametrize(("previous", "accepted"), [(OLD, True), ("", False)], ids=["in the window", "after it"])
def test_b10_the_key_before_is_accepted_until_its_window_ends(
    monkeypatch: pytest.MonkeyPatch, previous: str, accepted: bool
) -> None:
    scene = scene_of(monkeypatch)
    old = scene.pipeline
    (made,) = subscribe(old, Feed.ORDERS)
    order = old.landscape.data[0].orders[0]
    later = Pipeline(
        settings=WEBHOOKS_ON | SELDOM | {"WEBHOOK_KEY": NEW, "WEBHOOK_KEY_PREVIOUS": previous},
        clock=old.clock,
        landscape=old.landscape,
    )
    scene = Scene(later)
    monkeypatch.setattr(function_app, "connector", SimpleNamespace(parts=later.parts))
    later.business_central.edit_line(US, order.number, 10000, quantity=17)
    assert later.notify() == 1
    assert_taken(scene.replies[-1])
    assert references_waiting(later) == ([order.id] if accepted else [])
    assert [one.id for one in scene.webhooks.subscriptions.all()] == [made]


# -- resources


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example/api/v2.0/{set}",
        "//evil.example/api/v2.0/{set}",
        "http://169.254.169.254/latest/meta-data/{set}",
        "/api/v2.0/..%2f..%2f{set}",
        "/api/v2.0/../{set}",
        "/api/v2.0/{set}/../../admin",
        "/api/v2.0/user@evil.example/{set}",
        "@evil.example/{set}",
        "/api/v2.0\u3002evil/{set}",
        "\uff0fapi/v2.0/{set}",
        "/api/v2.0/{set}#fragment",
        "/api/v2.0/{set}\n",
        "\r\n/api/v2.0/{set}",
        "/api/v2.0//{set}",
        "/api/beta/{set}",
        "/api/contoso/masterData/v1.0/{set}",
        "/api/v2.0/{set}/purchaseOrderLines",
        "/api/v2.0/%63ompanies({company})/purchaseOrders({id})",
        "",
    ],
)
def test_b11_a_foreign_resource_is_dropped_and_nothing_is_requested(scene: Scene, resource: str) -> None:
    company = company_id(scene.pipeline, US)
    text = resource.format(set=f"companies({company})/purchaseOrders({ID})", company=company, id=ID)
    assert_dropped(scene, scene.tell(scene.order(resource=text)))
    scene.pipeline.drain()
    assert scene.pipeline.wire.requests == []


@pytest.mark.parametrize("resource", [None, 5, [], {}, "x" * 500_000], ids=["null", "5", "list", "object", "long"])
def test_b11_a_resource_that_is_no_address_is_dropped(scene: Scene, resource: object) -> None:
    assert_dropped(scene, scene.tell(scene.order(resource=resource)))


@pytest.mark.parametrize(
    "resource",
    [
        f"/api/v2.0/companies({FOREIGN})/purchaseOrders({ID})",
        f"/api/v2.0/companies(CRONUS)/purchaseOrders({ID})",
        "/api/v2.0/companies({company})/salesOrders(" + ID + ")",
        "/api/v2.0/companies({company})/PurchaseOrders(" + ID + ")",
        "/api/v2.0/companies({company})/purchaseOrders(8d46f200)",
        "/api/v2.0/companies({company})/purchaseOrders('" + ID + "')",
        "/api/v2.0/companies({company})/purchaseOrders(" + ID.replace("8", "\u0668") + ")",
    ],
)
def test_b12_an_unknown_company_or_set_or_a_malformed_id_is_dropped(scene: Scene, resource: str) -> None:
    assert_dropped(
        scene, scene.tell(scene.order(resource=resource.replace("{company}", company_id(scene.pipeline, US))))
    )


@pytest.mark.parametrize(
    "query",
    [
        "$filter=" + "x" * 100_000,
        "$filter=1 eq 1&$skiptoken=https://evil.example",
        "' or 1 eq 1\r\nHost: evil.example",
        "?(((" * 9_000,
    ],
    ids=["100 kB", "a token", "a header", "brackets"],
)
def test_b13_a_collection_is_read_from_our_own_cursor_whatever_its_filter(scene: Scene, query: str) -> None:
    pipeline = scene.pipeline
    pipeline.run()
    pipeline.clock.advance(60)
    before = len(pipeline.bc_exchange.recent())
    cursor = pipeline.parts.cursors.read(POLLS, "us|purchaseOrders")[0].cursor
    since = read_from(cursor, pipeline.settings.poll_overlap)
    assert since is not None
    entry = notification(pipeline, Feed.ORDERS)
    assert_taken(scene.tell(entry | {"resource": f"{entry['resource']}?{query}"}))
    assert polls_waiting(pipeline) == [Feed.ORDERS]
    pipeline.drain()
    (read,) = [unquote_plus(passed.path.decode()) for passed in pipeline.bc_exchange.recent()[before:]]
    assert f"/purchaseOrders?$filter=lastModifiedDateTime ge {moment(since)}&" in read
    assert len(read) < 400
    assert "evil" not in read


# -- kinds and stamps


def test_b14_an_unknown_kind_of_change_is_an_update(scene: Scene) -> None:
    for kind in ("renamed", "", None, 5, "x" * 10_000):
        scene.tell(scene.order(changeType=kind))
    assert references_waiting(scene.pipeline) == [ID] * 5


def test_b14_a_deleted_order_is_closed_after_it_was_looked_for(scene: Scene) -> None:
    id_, number = scene.staged_order()
    pipeline = scene.pipeline
    pipeline.clock.advance(60)
    pipeline.business_central.delete(US, "purchaseOrders", number)
    assert pipeline.notify() == 1
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.CLOSED


def test_b14_a_deletion_that_never_was_closes_nothing(scene: Scene) -> None:
    id_, _ = scene.staged_order()
    scene.tell(scene.order(id=id_, changeType="deleted"))
    scene.pipeline.drain()
    assert scene.pipeline.states()[id_].outcome == "unchanged"


@pytest.mark.parametrize(
    "stamp",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-03-02T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-03-02T08:00:00+99:99",
        "yesterday",
        "",
        None,
        1772438400,
        "2" * 100_000,
        "２０２６-03-02T08:00:00Z",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_b15_a_stamp_that_cannot_be_used_asks_for_a_poll_and_is_nowhere_on_record(scene: Scene, stamp: object) -> None:
    id_, _ = scene.staged_order()
    pipeline = scene.pipeline
    pipeline.clock.advance(60)
    cursor = pipeline.parts.cursors.read(POLLS, "us|purchaseOrders")[0].cursor
    noticed = pipeline.states()[id_].noticed
    assert_taken(scene.tell(scene.order(id=id_, lastModifiedDateTime=stamp)))
    assert references_waiting(pipeline) == []
    assert polls_waiting(pipeline) == [Feed.ORDERS]
    pipeline.drain()
    assert pipeline.parts.cursors.read(POLLS, "us|purchaseOrders")[0].cursor == cursor
    assert pipeline.states()[id_].noticed == noticed == NEVER


def test_b15_a_stamp_of_seven_digits_and_another_zone_is_read(scene: Scene) -> None:
    scene.tell(scene.order(lastModifiedDateTime="2026-03-02T10:00:00.1234567+02:00"))
    (unit,) = waiting(scene.pipeline)
    assert isinstance(unit, Unit)
    assert unit.references[0].seen == parse_stamp("2026-03-02T08:00:00.123456Z")


@pytest.mark.parametrize(("minutes", "used"), [(9, True), (11, False)])
def test_b15_a_stamp_from_the_future_is_used_only_as_far_as_clocks_differ(
    scene: Scene, minutes: int, used: bool
) -> None:
    ahead = scene.pipeline.clock.now() + timedelta(seconds=30, minutes=minutes)
    scene.tell(scene.order(lastModifiedDateTime=f"{ahead:%Y-%m-%dT%H:%M:%SZ}"))
    assert references_waiting(scene.pipeline) == ([ID] if used else [])
    assert polls_waiting(scene.pipeline) == ([] if used else [Feed.ORDERS])


# -- handshakes

ECHOED = [
    "6f1b2a3c4d5e4f608a7b9c0d1e2f3a4b",
    "a b+c&d=e%20",
    "<script>alert(1)</script>",
    "Grüße 漢字",
    "x" * 4096,
    "é" * 2048,
]
NOT_ECHOED = {
    "a line end": "token\r\nSet-Cookie: a=b",
    "a line feed": "token\n",
    "a tabulator": "a\tb",
    "nothing": "",
    "NUL": "a\0b",
    "escape": "\x1b[31mred",
    "delete": "a\x7f",
    "a C1 control": "a\x85b",
    "a line separator": "a\u2028b",
    "a direction": "a\u202eb",
    "a byte order mark": "\ufefftoken",
    "no break": "a\xa0b",
    "a byte more": "x" * 4097,
    "more in bytes": "é" * 2049,
    "10 kB": "x" * 10_000,
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ECHOED, ids=lambda token: token[:12])
def test_b16_a_token_is_echoed_exactly_as_plain_text(scene: Scene, token: str, method: str) -> None:
    scene.pipeline.parts.registry.open_handshake("ours")
    reply = scene.shake_hands(token, method=method)
    assert (reply.status_code, reply.content) == (200, token.encode())
    assert headers_of(reply) == HEADERS


@pytest.mark.parametrize("token", NOT_ECHOED.values(), ids=NOT_ECHOED)
def test_b16_a_token_that_could_be_more_than_text_is_not_echoed(scene: Scene, token: str) -> None:
    scene.pipeline.parts.registry.open_handshake("ours")
    assert_dropped(scene, scene.shake_hands(token))


def test_b16_half_a_character_is_not_echoed(scene: Scene) -> None:
    scene.pipeline.parts.registry.open_handshake("ours")
    request = func.HttpRequest(
        "GET",
        "https://connector.example",
        params={"validationToken": "a\ud800"},
        route_params={"key": webhook_address(scene.pipeline).rpartition("/")[2]},
        body=b"",
    )
    assert function_app.webhook(request).get_body() == b""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_b17_a_handshake_nobody_asked_for_is_not_echoed(scene: Scene, method: str) -> None:
    assert_dropped(scene, scene.shake_hands("token", method=method))


def test_b17_a_handshake_is_not_echoed_any_more_once_it_is_over(scene: Scene) -> None:
    scene.pipeline.parts.registry.open_handshake("ours")
    assert scene.shake_hands("token").text == "token"
    scene.pipeline.parts.registry.close_handshake("ours")
    assert_dropped(scene, scene.shake_hands("token"))
    scene.pipeline.parts.registry.open_handshake("of a process that died")
    scene.pipeline.clock.advance(180)
    assert_dropped(scene, scene.shake_hands("token"))


def test_b17_a_subscription_that_is_not_ours_cannot_be_made_to_this_address(scene: Scene) -> None:
    with pytest.raises(AssertionError, match="could not be validated"):
        subscribe(scene.pipeline, Feed.VENDORS, announced=False)


# -- repetition


def test_b18_the_same_notification_ten_thousand_times_is_one_read(scene: Scene) -> None:
    id_, number = scene.staged_order()
    pipeline = scene.pipeline
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, number, 10000, quantity=17)
    entry = scene.order(id=id_)
    before, written = scene.reads(), pipeline.writes()
    for _ in range(9):
        scene.tell(*[entry] * 1000)
    for _ in range(10):
        for _ in range(100):
            scene.webhooks.post.forge(webhook_address(pipeline), [entry])
        pipeline.work()
    pipeline.drain()
    assert scene.reads() - before == 1
    assert pipeline.writes() - written == 1
    assert pipeline.states()[id_].outcome == "staged"


def test_b19_a_version_older_than_the_stored_one_is_neither_read_nor_written(scene: Scene) -> None:
    id_, _ = scene.staged_order()
    pipeline = scene.pipeline
    settled = pipeline.states()[id_].standing.settled
    assert settled is not None
    before, written = scene.reads(), pipeline.writes()
    for earlier in (settled, settled - timedelta(milliseconds=1), settled - timedelta(days=300)):
        scene.tell(scene.order(id=id_, lastModifiedDateTime=f"{earlier:%Y-%m-%dT%H:%M:%S.%fZ}"))
    assert references_waiting(pipeline) == [id_] * 3
    pipeline.drain()
    assert (scene.reads(), pipeline.writes()) == (before, written)


# -- addresses


@pytest.mark.parametrize("key", ["", "guess", "0" * 64, "é\ud800", "x" * 10_000], ids=lambda key: repr(key)[:12])
@pytest.mark.parametrize("query", [{}, {"validationToken": "token"}], ids=["notification", "handshake"])
def test_a_wrong_address_is_answered_like_a_right_one_and_touches_nothing(
    scene: Scene, key: str, query: dict[str, str]
) -> None:
    scene.pipeline.parts.registry.open_handshake("ours")
    touched = len(scene.stage.effects)
    body = json.dumps({"value": [scene.order()]}).encode()
    request = func.HttpRequest("POST", "https://connector.example", params=query, route_params={"key": key}, body=body)
    answer = function_app.webhook(request)
    assert (answer.status_code, answer.get_body()) == (200, b"")
    assert {name.lower(): value for name, value in answer.headers.items()} == HEADERS
    assert len(scene.stage.effects) == touched
    assert waiting(scene.pipeline) == []


def test_with_webhooks_off_nothing_is_touched(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    address, body = webhook_address(scene.pipeline), {"value": [scene.order()]}
    off = Pipeline(clock=scene.pipeline.clock, landscape=scene.pipeline.landscape)
    monkeypatch.setattr(function_app, "connector", SimpleNamespace(parts=off.parts))
    for request in (
        httpx.Request("POST", address, json=body),
        httpx.Request("GET", address, params={"validationToken": "t"}),
    ):
        assert_taken(scene.route(request))
    assert waiting(off) == []


# -- storage and set-up

EFFECTS = {
    "the queue": lambda effect: effect.startswith("queues.send"),
    "everything": lambda _effect: True,
}


@pytest.mark.parametrize("mode", ["fail_before", "fail_after"])
@pytest.mark.parametrize("down", EFFECTS.values(), ids=EFFECTS)
def test_with_storage_down_business_central_sends_again_and_nothing_is_lost(
    scene: Scene, down: Callable[[str], bool], mode: Mode
) -> None:
    id_, number = scene.staged_order()
    pipeline = scene.pipeline
    pipeline.clock.advance(60)
    pipeline.business_central.edit_line(US, number, 10000, quantity=17)
    scene.down, scene.mode = down, mode
    statuses = []
    for _ in range(5):
        assert pipeline.notify() == 1
        statuses.append(scene.replies[-1].status_code)
    scene.down = lambda _effect: False
    assert statuses == [503] * 5
    assert pipeline.notify() == 1
    assert_taken(scene.replies[-1])
    pipeline.drain()
    assert pipeline.states()[id_].outcome == "staged"


def test_when_only_a_part_could_be_queued_the_whole_body_is_sent_again(scene: Scene) -> None:
    invoice = notification(scene.pipeline, Feed.INVOICES, ID)
    sent = 0

    def the_second(effect: str) -> bool:
        nonlocal sent
        sent += effect.startswith("queues.send")
        return sent == 2

    scene.down = the_second
    assert scene.tell(scene.order(), invoice).status_code == 503
    assert references_waiting(scene.pipeline) == [ID]


def test_when_only_a_poll_could_not_be_asked_for_the_body_is_sent_again(scene: Scene) -> None:
    scene.down = lambda effect: effect.startswith("queues.send")
    assert scene.tell(notification(scene.pipeline, Feed.VENDORS, ID)).status_code == 503
    assert scene.deliver(b"unreadable").status_code == 503


def test_a_notification_is_taken_when_only_its_trace_cannot_be_kept(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.down = lambda effect: effect.startswith("tables.")
    assert_taken(scene.tell(scene.order()))
    assert references_waiting(scene.pipeline) == [ID]
    assert "notice_not_kept" in caplog.text


def test_a_handshake_with_storage_down_may_come_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.down = lambda effect: effect.startswith("tables.query subscriptions")
    reply = scene.shake_hands("token")
    assert (reply.status_code, reply.content) == (503, b"")
    assert caplog.messages == ["not_taken system=storage error=StorageUnavailable"]


@pytest.mark.parametrize("environment", [{}, {"BC_URL": "secret://"}], ids=["no settings", "wrong settings"])
def test_an_app_that_cannot_start_answers_503(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(function_app, "connector", Application(environment))
    reply = scene.tell(scene.order())
    assert (reply.status_code, reply.content) == (503, b"")
    assert "SettingsFault" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_that_arrives_is_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scene.pipeline.parts.registry.open_handshake("ours")
    entry = scene.order(changeType="canary-kind", subscriptionId="canary-id")
    scene.tell(entry, scene.order(clientState="canary-state"), scene.order(resource="https://canary.example"))
    scene.deliver(b"canary-body")
    scene.shake_hands("canary-token")
    secrets = [entry["clientState"], webhook_address(scene.pipeline).rpartition("/")[2], entry["resource"], "canary"]
    assert "notified" in caplog.text
    assert [secret for secret in secrets if secret in caplog.text] == []


# -- anything

SMALL = some(orders=2, invoices=1)[:1]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
unhurried = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@unhurried
@given(body=st.binary(max_size=400), encoding=st.sampled_from(["", "gzip", "br"]) | st.text(max_size=10))
def test_any_bytes_are_answered_with_200(scene: Scene, body: bytes, encoding: str) -> None:
    assert_anything_is_taken(scene, body, encoding)


@unhurried
@given(value=json_values)
def test_any_json_is_answered_with_200(scene: Scene, value: Any) -> None:
    for body in (value, {"value": value}, {"value": [value]}):
        assert_anything_is_taken(scene, json.dumps(body).encode(), "")


@unhurried
@given(
    changes=st.dictionaries(
        st.sampled_from(["clientState", "resource", "changeType", "lastModifiedDateTime"]), json_values
    ),
    cut=st.integers(0, 500),
    flipped=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3),
)
def test_any_mutation_of_a_good_body_is_answered_with_200(
    scene: Scene, changes: dict[str, Any], cut: int, flipped: list[tuple[int, int]]
) -> None:
    body = bytearray(json.dumps({"value": [scene.order() | changes]}).encode())
    for place, value in flipped:
        body[place % len(body)] = value
    assert_anything_is_taken(scene, bytes(body), "")
    assert_anything_is_taken(scene, bytes(body[:cut]), "")
    assert_anything_is_taken(scene, gzip.compress(bytes(body))[:cut], "gzip")


@unhurried
@given(key=st.text(), token=st.none() | st.text())
def test_any_address_and_token_are_answered_with_200(scene: Scene, key: str, token: str | None) -> None:
    params = {} if token is None else {"validationToken": token}
    for part in (key, webhook_address(scene.pipeline).rpartition("/")[2]):
        request = func.HttpRequest(
            "POST", "https://connector.example", params=params, route_params={"key": part}, body=b""
        )
        answer = function_app.webhook(request)
        assert (answer.status_code, answer.get_body()) == (200, b"")


def assert_anything_is_taken(scene: Scene, body: bytes, encoding: str) -> None:
    answer = function_app.webhook(
        func.HttpRequest(
            "POST",
            "https://connector.example",
            headers={"content-encoding": encoding},
            route_params={"key": webhook_address(scene.pipeline).rpartition("/")[2]},
            body=body,
        )
    )
    assert (answer.status_code, answer.get_body()) == (200, b"")
