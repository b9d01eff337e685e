"""The secrets of the webhook address: what is accepted, for whom, and while a key is being replaced."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.client_state import authentic, client_state, known_path, path_part

KEY, BEFORE, OTHER = b"k" * 32, b"b" * 32, b"o" * 32
US, DE = "22222222-2222-2222-2222-222222222222", "abcdefab-3333-3333-3333-333333333333"
ORDERS, VENDORS = "purchaseOrders", "vendors"

keys = st.binary(min_size=32, max_size=48)
companies, feeds = st.uuids().map(str), st.sampled_from([ORDERS, VENDORS, "purchaseInvoices"])


@given(keys, companies, feeds)
def test_a_client_state_is_authentic_for_its_own_company_and_feed(key: bytes, company: str, feed: str) -> None:
    assert authentic(client_state(key, company, feed), [key], company, feed)


@given(keys, keys, companies, companies, feeds, feeds)
def test_no_two_keys_companies_or_feeds_share_a_client_state(
    key: bytes, other: bytes, company: str, another: str, feed: str, second: str
) -> None:
    same = (key, company, feed) == (other, another, second)
    assert authentic(client_state(key, company, feed), [other], another, second) is same


@given(st.one_of(st.text(), st.none(), st.integers(), st.booleans(), st.binary(), st.lists(st.text())))
def test_nothing_else_is_authentic_and_nothing_raises(given_value: object) -> None:
    assert not authentic(given_value, [KEY, BEFORE], US, ORDERS)


@pytest.mark.parametrize(
    "text", ["\ud800", "\udfff" * 64, "é" * 64, "\0", "x" * 1_000_000], ids=["half", "halves", "accents", "NUL", "long"]
)
def test_texts_of_any_content_are_compared(text: str) -> None:
    assert not authentic(text, [KEY], US, ORDERS)
    assert not known_path(text, [KEY])


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text + " ", lambda text: text[:-1], lambda text: text + "0"]
)
def test_a_client_state_counts_exactly_as_it_is(change: Callable[[str], str]) -> None:
    assert not authentic(change(client_state(KEY, US, ORDERS)), [KEY], US, ORDERS)


def test_a_text_of_another_kind_is_not_taken_for_its_content() -> None:
    state = client_state(KEY, US, ORDERS)
    assert not authentic(state.encode(), [KEY], US, ORDERS)
    assert not authentic([state], [KEY], US, ORDERS)


def test_the_key_before_is_accepted_as_long_as_it_is_given() -> None:
    old = client_state(BEFORE, US, ORDERS)
    assert authentic(old, [KEY, BEFORE], US, ORDERS)
    assert not authentic(old, [KEY], US, ORDERS)
    assert known_path(path_part(BEFORE), [KEY, BEFORE])
    assert not known_path(path_part(BEFORE), [KEY])


def test_without_a_key_nothing_is_accepted() -> None:
    assert not authentic(client_state(KEY, US, ORDERS), [], US, ORDERS)
    assert not authentic("", [], US, ORDERS)
    assert not known_path("", [])


def test_the_companys_id_counts_in_either_case() -> None:
    assert client_state(KEY, DE, ORDERS) == client_state(KEY, DE.upper(), ORDERS)
    assert authentic(client_state(KEY, DE.upper(), ORDERS), [KEY], DE, ORDERS)


@given(keys, companies, feeds)
def test_every_secret_fits_where_it_is_written(key: bytes, company: str, feed: str) -> None:
    for secret in (path_part(key), client_state(key, company, feed)):
        assert len(secret) == 64
        assert set(secret) <= {*string.hexdigits.lower()}
    assert path_part(key) != client_state(key, company, feed)


def test_the_secrets_stay_what_they_are() -> None:
    # Another value would cut off every subscription that is there.
    assert path_part(KEY) == "fd95abcfbab69f6745ecb73e231f68540b89694279a20064799820efd6b14e7a"
    assert client_state(KEY, US, ORDERS) == "17e5987582af35032c77f3eab6d5add919b945715640098ee1fab7b59235684f"
