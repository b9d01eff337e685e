"""The event chain: editing, removing and reordering an event is noticed by whoever holds the key, and only so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.decisions.chain import GENESIS, event_hash, key_id

KEY = bytes(range(32))
Content = Mapping[str, str | int]

contents = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=5)
trails = st.lists(contents, min_size=1, max_size=6)


def sealed(trail: Sequence[Content], key: bytes = KEY) -> list[tuple[Content, str]]:
    """Each event with its hash."""
    head, events = GENESIS, []
    for content in trail:
        head = event_hash(key, head, content)
        events.append((content, head))
    return events


def intact(events: Sequence[tuple[Content, str]], head: str, key: bytes = KEY) -> bool:
    """Whether the events lead, one by one, from the beginning to the head on record."""
    reached = GENESIS
    for content, hash_ in events:
        reached = event_hash(key, reached, content)
        if reached != hash_:
            return False
    return reached == head


@given(trails)
def test_an_untouched_trail_is_intact(trail: list[Content]) -> None:
    events = sealed(trail)
    assert intact(events, events[-1][1])


@given(trails, st.data())
def test_an_edited_event_is_noticed(trail: list[Content], data: st.DataObject) -> None:
    events = sealed(trail)
    place = data.draw(st.integers(0, len(trail) - 1))
    other = data.draw(contents)
    assume(other != trail[place])
    head = events[-1][1]
    events[place] = (other, events[place][1])
    assert not intact(events, head)


@given(trails, st.data())
def test_a_removed_event_is_noticed(trail: list[Content], data: st.DataObject) -> None:
    events = sealed(trail)
    head = events[-1][1]
    del events[data.draw(st.integers(0, len(trail) - 1))]
    assert not intact(events, head)


@given(trails.filter(lambda trail: len(trail) > 1), st.data())
def test_reordered_events_are_noticed(trail: list[Content], data: st.DataObject) -> None:
    events = sealed(trail)
    place = data.draw(st.integers(0, len(trail) - 2))
    swapped = [*events]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert not intact(swapped, events[-1][1])


@given(trails, st.binary(min_size=1, max_size=40))
def test_hashes_made_with_another_key_are_noticed(trail: list[Content], other: bytes) -> None:
    assume(other.rstrip(b"\0") != KEY.rstrip(b"\0"))
    events = sealed(trail, other)
    assert not intact(events, events[-1][1])


def test_the_order_of_the_properties_does_not_matter() -> None:
    assert event_hash(KEY, GENESIS, {"a": "1", "b": 2}) == event_hash(KEY, GENESIS, {"b": 2, "a": "1"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"seq": 1}, {"seq": "1"}),
        ({"a": "b"}, {"ab": ""}),
        ({"a": 'x","b":"y'}, {"a": "x", "b": "y"}),
        ({"a": "\u00e9"}, {"a": "e\u0301"}),
        ({"a": ""}, {}),
    ],
)
def test_contents_that_look_alike_have_different_hashes(one: Content, other: Content) -> None:
    assert event_hash(KEY, GENESIS, one) != event_hash(KEY, GENESIS, other)


def test_a_hash_is_64_hexadecimal_digits() -> None:
    text = event_hash(KEY, GENESIS, {"action": "seen"})
    assert len(text) == len(GENESIS) == 64
    assert int(text, 16) > 0


def test_a_hash_never_changes_from_one_version_to_the_next() -> None:
    # Trails on record must stay verifiable: a change of this value breaks every ledger.
    content: Content = {"id": "7c46f200", "seq": 1, "action": "seen", "detail": '{"number":"106001 \u00e9"}'}
    assert event_hash(KEY, GENESIS, content) == "0c41765332ac9c9b0948102ce65871d8395b45f881e2e90619a5800ca5acebc1"


def test_text_that_has_no_utf_8_form_can_be_sealed() -> None:
    # BC stores UTF-16, which may hold half a pair; an event about it must not stop a whole poll.
    assert event_hash(KEY, GENESIS, {"detail": "\ud83d"}) != event_hash(KEY, GENESIS, {"detail": "?"})


def test_a_key_is_named_without_being_told() -> None:
    assert len(key_id(KEY)) == 8
    assert key_id(KEY) == key_id(bytes(range(32)))
    assert key_id(KEY) != key_id(bytes(32))
    assert key_id(KEY) not in KEY.hex()
