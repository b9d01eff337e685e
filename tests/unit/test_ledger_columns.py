"""Columns of the ledger: whatever the texts hold, storage takes the rows, and what it gives back is sealed as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.decisions.chain import GENESIS
from connector.decisions.states import Status
from connector.storage.ledger import TABLE, Change, Ledger
from connector.storage.ledger_columns import CUT, MAX_TEXT, cut
from connector.storage.ledger_events import Event, event_from, event_properties
from connector.storage.ledger_rows import State, state_from, state_properties
from connector.storage.ledger_trails import sealed
from connector.storage.ports import Entity, Insert, Property
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.storage import MemoryTables

UNITS = 32_768
LONGEST_NUMBER = 40
"""Characters; more than any number or sys_id has."""
KEY = bytes(range(32))
HERE = "us|purchaseOrders"
EDGES = st.sampled_from([1, 2, 3, MAX_TEXT // 2, MAX_TEXT - len(CUT), MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1, UNITS + 1])
PIECES = st.lists(
    st.sampled_from(["a", "ß", "\u20ac", "\U0001f600", "\ud83d", "\ude00", "\x00", "\u2028", "e\u0301"])
    | st.characters(exclude_categories=()),
    min_size=1,
    max_size=6,
)
TEXT = st.builds(lambda pieces, length: ("".join(pieces) * length)[:length], PIECES, EDGES)
"""Texts of every length that matters, of every kind of character, halves of characters among them."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def stored(properties: Mapping[str, Property]) -> Entity:
    """The row as storage gives it back, which refuses what Azure would."""
    tables = MemoryTables(VirtualClock())
    tables.ensure(TABLE)
    tables.write(TABLE, HERE, [Insert("row", properties)])
    row = tables.read(TABLE, HERE, "row")
    assert row is not None
    return row


@given(TEXT)
@example("\U0001f600" * (MAX_TEXT + 1))
@example("\ud83d" * MAX_TEXT)
@example("a" * (MAX_TEXT - len(CUT) - 1) + "\ud83d" + "\ude00" * 20)
def test_a_cut_text_fits_a_column_says_that_it_was_cut_and_is_not_cut_again(text: str) -> None:
    kept = cut(text)
    assert units(kept) <= UNITS
    kept.encode("utf-8")
    assert cut(kept) == kept
    assert kept.endswith(CUT) == (len(text) > MAX_TEXT or text.endswith(CUT))


@given(st.text(max_size=50) | st.sampled_from(["\U0001f600" * MAX_TEXT, "€" * MAX_TEXT]))
def test_a_text_that_fits_is_kept_as_it_is(text: str) -> None:
    assert cut(text) == text


def test_halves_of_a_character_are_one_where_they_meet_and_replaced_where_they_stand_alone() -> None:
    assert cut("a\ud83d\ude00b\ud83dc\ude00") == "a\U0001f600b\ufffdc\ufffd"


@given(TEXT, TEXT, TEXT)
def test_storage_takes_every_event_and_its_seal_still_holds(detail: str, why: str, correlation: str) -> None:
    for text in (detail, json.dumps({"why": why}, ensure_ascii=False)):
        event = Event("id", 1, "replayed", START, "me", Status.PENDING, cut(correlation), text, GENESIS, "k")
        event = sealed(KEY, HERE, event)
        found = event_from(stored(event_properties(event)))
        assert sealed(KEY, HERE, found).hash == found.hash == event.hash
        assert sealed(KEY, HERE, replace(found, detail=f"{found.detail[:-1]}~")).hash != event.hash


@given(TEXT, TEXT, TEXT)
def test_storage_takes_every_state_and_gives_it_back(number: str, label: str, reasons: str) -> None:
    named = State("id", Status.PARKED, number=number, vendor=label, vendor_invoice=number, target=number, sys_id=label)
    state = replace(named, there=label, there_label=label, reasons=reasons, currency=number, taxes=(label[:20],))
    found = state_from(stored(state_properties(state)))
    assert (found.number, found.vendor, found.reasons, found.there_label) == (
        cut(number),
        cut(label),
        cut(reasons),
        cut(label),
    )
    assert [cut(name) for name in found.taxes] == [cut(label[:20])]
    assert state_properties(found) == state_properties(state)


@given(TEXT)
@settings(max_examples=40)
def test_a_document_with_any_text_in_its_trail_is_whole(text: str) -> None:
    clock = VirtualClock()
    tables = MemoryTables(clock)
    tables.ensure(TABLE)
    ledger = Ledger(tables, clock, key=KEY, by="me")
    state = State("7c46f200", Status.CLAIMED, number=text)
    state = ledger.record(HERE, [Change(None, state, "seen", {"why": text}, (text,))]).saved[state.id]
    ledger.record(HERE, [Change(state, replace(state, status=Status.DONE, reasons=text), "staged", {text: text})])
    assert ledger.intact(HERE, state.id)
    if len(text) <= LONGEST_NUMBER and text.strip():
        assert ledger.find(HERE, [text]) == [state.id]
    state = ledger.states(HERE, [state.id])[state.id]
    assert ledger.trim(HERE, state) == "trimmed"
    assert ledger.intact(HERE, state.id)
