"""Notices: what each form of a change notification tells, and that no body whatever tells more or raises."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.client_state import client_state
from connector.decisions.notices import EARLY, MAX_BYTES, MAX_NOTIFICATIONS, Notices, read_notices
from connector.model.feeds import Feed
from connector.model.stamps import parse_stamp
from connector.model.subscriptions import Scope
from connector.model.units import Reference
from tests.unit.builders import COMPANY

KEY, BEFORE = b"k" * 32, b"b" * 32
NOW = datetime(2026, 8, 1, 13, 0, tzinfo=UTC)
STAMP = "2026-08-01T12:59:30.5Z"
SEEN = parse_stamp(STAMP)
ID, OTHER_ID = "7253cc12-5580-f111-8070-7c1e52167ef6", "7253cc12-5580-f111-8070-7c1e52167ef7"
SECOND = COMPANY.model_copy(update={"key": "de", "id": "abcdefab-3333-3333-3333-333333333333"})
WATCHED = [(company, feed) for company in (COMPANY, SECOND) for feed in Feed]
CARRIED = frozenset({Feed.ORDERS, Feed.INVOICES})
ORDERS, VENDORS = Scope("us", Feed.ORDERS), Scope("us", Feed.VENDORS)
RESOURCE = f"/api/v2.0/companies({COMPANY.id})/purchaseOrders({ID})"


def entry(feed: Feed = Feed.ORDERS, **changes: Any) -> dict[str, Any]:
    """A right notification, with changes."""
    right = {
        "subscriptionId": "c670ea73cacb459bb51dc1740da2f1db",
        "clientState": client_state(KEY, COMPANY.id, feed),
        "expirationDateTime": "2026-08-04T10:00:00Z",
        "resource": f"/api/v2.0/companies({COMPANY.id})/{feed}({ID})",
        "changeType": "updated",
        "lastModifiedDateTime": STAMP,
    }
    return right | changes


def read(body: bytes, encoding: str = "") -> Notices:
    return read_notices(body, encoding, WATCHED, CARRIED, [KEY, BEFORE], NOW)


def told(*entries: Any) -> Notices:
    return read(json.dumps({"value": list(entries)}).encode())


NOTHING = Notices()
ONE = Notices(references={ORDERS: (Reference(ID, SEEN),)}, heard={ORDERS: 29.5})
POLL = Notices(polls=frozenset({ORDERS}), heard={ORDERS: 29.5})


def dropped(reason: Any, times: int = 1) -> Notices:
    return Notices(dropped={reason: times})


@pytest.mark.parametrize("kind", ["created", "updated", "deleted", "renamed", "", None, 5, [], "x" * 1000])
def test_every_kind_of_change_of_a_record_is_a_reference_to_it(kind: object) -> None:
    assert told(entry(changeType=kind)) == ONE


def test_a_missing_kind_of_change_is_an_update() -> None:
    one = entry()
    del one["changeType"]
    assert told(one) == ONE


@pytest.mark.parametrize(
    "resource",
    [
        RESOURCE,
        RESOURCE[1:],
        RESOURCE.removeprefix("/api/v2.0/"),
        "/" + RESOURCE.removeprefix("/api/v2.0/"),
        RESOURCE.replace(ID, ID.upper()),
        RESOURCE + "?",
        RESOURCE + "?tenant=default",
        RESOURCE + "?a\r\nb\u2028c\ud800",
        RESOURCE + "?" + "x" * 500_000,
    ],
)
def test_a_record_is_named_with_and_without_the_ways_in_front_of_it(resource: str) -> None:
    assert told(entry(resource=resource)) == ONE


@pytest.mark.parametrize(
    "changes",
    [
        {"changeType": "collection"},
        {"resource": RESOURCE.removesuffix(f"({ID})")},
        {"resource": RESOURCE.removesuffix(f"({ID})"), "changeType": "collection"},
        {
            "resource": RESOURCE.removesuffix(f"({ID})")
            + "?$filter=lastModifiedDateTime%20gt%202026-08-01T12:50:00.353Z"
        },
    ],
    ids=["with an id", "bare", "bare collection", "filtered"],
)
def test_a_collection_and_whatever_names_no_record_is_a_poll(changes: dict[str, Any]) -> None:
    assert told(entry(**changes)) == POLL


@pytest.mark.parametrize("feed", [feed for feed in Feed if not feed.carried])
def test_a_feed_that_only_points_to_others_is_polled(feed: Feed) -> None:
    scope = Scope("us", feed)
    assert told(entry(feed)) == Notices(polls=frozenset({scope}), heard={scope: 29.5})


@pytest.mark.parametrize(
    "stamp",
    [None, "", 5, "0001-01-01T00:00:00Z", "2026-08-01T13:00:00", "2026-13-01T00:00:00Z", "x" * 100_000, STAMP + " "],
)
def test_a_stamp_that_cannot_be_used_is_a_poll(stamp: object) -> None:
    expected = Notices(polls=frozenset({ORDERS}), heard={ORDERS: 0.0})
    assert told(entry(lastModifiedDateTime=stamp)) == expected


def test_a_stamp_is_used_up_to_what_clocks_may_differ_by() -> None:
    last, beyond = NOW + EARLY, NOW + EARLY + timedelta(microseconds=1)
    written = [f"{one:%Y-%m-%dT%H:%M:%S.%fZ}" for one in (last, beyond)]
    assert told(entry(lastModifiedDateTime=written[0])).references == {ORDERS: (Reference(ID, last),)}
    assert told(entry(lastModifiedDateTime=written[1])).references == {}


def test_of_several_notifications_of_a_record_the_newest_stamp_counts_once() -> None:
    stamps = ["2026-08-01T12:00:00Z", "2026-08-01T12:30:00Z", "2026-08-01T11:00:00Z"]
    entries = [entry(lastModifiedDateTime=stamp) for stamp in stamps]
    entries[2]["resource"] = entries[2]["resource"].replace(ID, ID.upper())
    found = told(*entries)
    assert found.references == {ORDERS: (Reference(ID, parse_stamp(stamps[1])),)}
    assert found.heard == {ORDERS: 7200.0}, "the longest lag"


def test_scopes_are_kept_apart() -> None:
    de = entry(resource=RESOURCE.replace(COMPANY.id, SECOND.id), clientState=client_state(KEY, SECOND.id, Feed.ORDERS))
    other = entry(resource=RESOURCE.replace(ID, OTHER_ID))
    found = told(entry(Feed.INVOICES), de, entry(), entry(Feed.VENDORS), other)
    assert found.references == {
        Scope("us", Feed.INVOICES): (Reference(ID, SEEN),),
        Scope("de", Feed.ORDERS): (Reference(ID, SEEN),),
        ORDERS: (Reference(ID, SEEN), Reference(OTHER_ID, SEEN)),
    }
    assert found.polls == {VENDORS}
    assert set(found.heard) == {*found.references, VENDORS}


def test_a_companys_id_may_be_written_in_capitals() -> None:
    resource = RESOURCE.replace(COMPANY.id, SECOND.id.upper())
    found = told(entry(resource=resource, clientState=client_state(KEY, SECOND.id, Feed.ORDERS)))
    assert set(found.references) == {Scope("de", Feed.ORDERS)}


def test_what_is_right_for_one_scope_is_forged_for_another_in_the_same_body() -> None:
    state = client_state(KEY, COMPANY.id, Feed.ORDERS)
    found = told(entry(), entry(Feed.INVOICES, clientState=state), entry(Feed.VENDORS, clientState=state))
    assert found == Notices(references=ONE.references, heard=ONE.heard, dropped={"forged": 2})


def test_a_feed_that_is_not_watched_is_unknown() -> None:
    body = json.dumps({"value": [entry(), entry(Feed.INVOICES)]}).encode()
    watched = [(COMPANY, Feed.INVOICES)]
    found = read_notices(body, "", watched, CARRIED, [KEY], NOW)
    assert set(found.references) == {Scope("us", Feed.INVOICES)}
    assert found.dropped == {"unknown": 1}


@pytest.mark.parametrize(
    "value",
    [None, 5, "text", [], {}, {"resource": RESOURCE.replace("(", "[")}, {"clientState": "x"}, {"resource": None}],
)
def test_what_names_no_resource_is_malformed(value: object) -> None:
    assert told(value) == dropped("malformed")


@pytest.mark.parametrize(
    "name", ["companies(99999999-9999-9999-9999-999999999999)/purchaseOrders", f"companies({COMPANY.id})/items"]
)
def test_another_company_or_set_is_unknown(name: str) -> None:
    assert told(entry(resource=f"/api/v2.0/{name}({ID})")) == dropped("unknown")


@pytest.mark.parametrize(
    "state", ["", "x", None, 5, [], "0" * 64, "x" * 513, client_state(b"o" * 32, COMPANY.id, "vendors")]
)
def test_a_wrong_client_state_is_forged_and_no_sign_of_life(state: object) -> None:
    assert told(entry(clientState=state)) == dropped("forged")


def test_the_key_before_is_accepted_as_well() -> None:
    assert told(entry(clientState=client_state(BEFORE, COMPANY.id, Feed.ORDERS))) == ONE


@pytest.mark.parametrize(("name", "reason"), [("clientState", "forged"), ("resource", "malformed")])
def test_a_name_given_twice_has_no_value(name: str, reason: str) -> None:
    text = json.dumps(entry())
    twice = f'{text[:-1]},"{name}":{json.dumps(entry()[name])}}}'
    assert read(f'{{"value":[{twice},{text}]}}'.encode()) == Notices(
        references=ONE.references, heard=ONE.heard, dropped={reason: 1}
    )


def test_only_so_many_are_looked_at_and_the_rest_is_said() -> None:
    assert told(*[entry()] * MAX_NOTIFICATIONS) == ONE
    more = told(*[entry()] * MAX_NOTIFICATIONS, entry(resource=RESOURCE.replace(ID, OTHER_ID)))
    assert more == Notices(references=ONE.references, heard=ONE.heard, gap="more")


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"null", b"[]", b"7", b'"x"', b"{}", b'{"value":5}', b'{"value":[],"value":[]}']
)
def test_a_body_without_notifications_is_counted(body: bytes) -> None:
    assert read(body) == dropped("malformed")


def test_an_empty_list_tells_nothing() -> None:
    assert told() == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        json.dumps({"value": []}).encode("utf-16"),
        b'{"value":[]}\xff',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"NaN",
        b"Infinity",
        b"1" * 5000,
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"{'value':[]}",
    ],
    ids=range(12),
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    assert read(body) == Notices(gap="unreadable")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps({"value": [entry()]}).encode()) == ONE


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_a_gzip_body_is_unpacked(encoding: str) -> None:
    body = json.dumps({"value": [entry()]}).encode()
    assert read(gzip.compress(body), encoding) == ONE
    assert read(body, encoding) == Notices(gap="unreadable")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "\ud800"])
def test_another_encoding_is_unreadable(encoding: str) -> None:
    assert read(json.dumps({"value": [entry()]}).encode(), encoding) == Notices(gap="unreadable")


def test_a_gzip_body_that_is_cut_or_goes_on_is_unreadable() -> None:
    body = gzip.compress(json.dumps({"value": [entry()]}).encode())
    for bad in (body[:-1], body[:20], body + b"x", body + body, b"\x1f\x8b", zlib.compress(b"{}")):
        assert read(bad, "gzip") == Notices(gap="unreadable")


def test_the_cap_counts_before_and_after_unpacking() -> None:
    body = json.dumps({"value": [entry()]}).encode()
    assert read(body.ljust(MAX_BYTES)) == ONE
    assert read(body.ljust(MAX_BYTES + 1)) == Notices(gap="too large")
    assert read(gzip.compress(body.ljust(MAX_BYTES)), "gzip") == ONE
    assert read(gzip.compress(body.ljust(MAX_BYTES + 1)), "gzip") == Notices(gap="too large")


def test_a_bomb_costs_no_more_memory_than_the_cap() -> None:
    bomb = gzip.compress(bytes(64 * MAX_BYTES))
    tracemalloc.start()
    try:
        assert read(bomb, "gzip") == Notices(gap="too large")
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
    finally:
        tracemalloc.stop()


# -- whatever arrives

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
entries = st.builds(
    lambda feed, changes: entry(feed) | changes,
    st.sampled_from(Feed),
    st.dictionaries(
        st.sampled_from(["clientState", "resource", "changeType", "lastModifiedDateTime"]), values, max_size=2
    ),
)


@given(st.binary(max_size=300), st.sampled_from(["", "gzip", "br"]))
def test_any_bytes_tell_nothing(body: bytes, encoding: str) -> None:
    found = read(body, encoding)
    assert (found.references, found.polls, found.heard) == ({}, frozenset(), {})


@given(st.lists(values | entries, max_size=8))
def test_every_notification_is_kept_or_counted(given_entries: list[Any]) -> None:
    found = told(*given_entries)
    kept = [one for one in given_entries if told(one).dropped == {}]
    assert len(kept) + sum(found.dropped.values()) == len(given_entries)
    assert set(found.heard) == {*found.references, *found.polls}
    assert bool(kept) == bool(found.heard)
    for scope, references in found.references.items():
        assert scope.feed.carried
        assert len({one.id for one in references}) == len(references)
        assert all(one.seen <= NOW + EARLY and one.seen.year > 1 for one in references)


@given(st.lists(entries, min_size=1, max_size=6), st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_body_never_raises_and_never_tells_of_a_stranger(
    given_entries: list[dict[str, Any]], place: int, value: int
) -> None:
    body = bytearray(json.dumps({"value": given_entries}).encode())
    body[place % len(body)] = value
    found = read(bytes(body))
    assert set(found.heard) <= {Scope("us", feed) for feed in Feed}


@given(st.permutations([STAMP, "2026-08-01T12:00:00Z", "2026-07-01T00:00:00Z", "2026-08-01T13:05:00Z"]))
def test_the_order_of_a_records_notifications_makes_no_difference(stamps: list[str]) -> None:
    found = told(*[entry(lastModifiedDateTime=stamp) for stamp in stamps])
    assert found == told(*[entry(lastModifiedDateTime=stamp) for stamp in sorted(stamps)])
