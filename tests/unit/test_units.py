"""Messages: they come back as they went, stay small, and whatever else lies in the queue is a ValueError."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.documents import Entity
from connector.model.stamps import NEVER
from connector.model.units import (
    MAX_MESSAGE_BYTES,
    MAX_REFERENCES,
    Origin,
    ParkedNote,
    Reference,
    Unit,
    decode_unit,
    units,
)

SEEN = datetime(2026, 7, 15, 21, 34, 51, 827000, tzinfo=UTC)
ID = "7c46f200-9580-f111-8070-0022483430dd"

references = st.builds(
    Reference,
    id=st.uuids().map(str),
    seen=st.datetimes(timezones=st.just(UTC)),
    generation=st.integers(0, 2**31),
)
some_units = st.builds(
    Unit,
    company=st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True),
    entity=st.sampled_from(Entity),
    origin=st.sampled_from(Origin),
    correlation=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    references=st.lists(references, min_size=1, max_size=20).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def message(**changes: Any) -> str:
    """A sound message with these fields changed; a field given as ... is left out."""
    body = {
        "v": 1,
        "company": "us",
        "entity": "purchaseOrders",
        "origin": "poll",
        "correlation": "c",
        "references": [[ID, "2026-07-15T21:34:51.827Z", 0]],
    } | changes
    return json.dumps({name: value for name, value in body.items() if value is not ...})


@given(some_units)
def test_a_unit_comes_back_as_it_went(unit: Unit) -> None:
    assert decode_unit(unit.encode()) == unit


def test_a_full_unit_fits_into_32_kib() -> None:
    full = tuple(Reference(str(UUID(int=2**128 - 1 - number)), SEEN, 2**31) for number in range(MAX_REFERENCES))
    unit = Unit("c" * 31, Entity.PURCHASE_INVOICE, Origin.REPLAY, "f" * 512, full)
    assert len(unit.encode().encode()) <= MAX_MESSAGE_BYTES == 32 * 1024
    assert decode_unit(unit.encode()) == unit


@pytest.mark.parametrize("count", [0, 201])
def test_a_unit_of_no_or_too_many_references_cannot_be_sent(count: int) -> None:
    unit = Unit("us", Entity.PURCHASE_ORDER, Origin.POLL, "c", tuple(Reference(ID, SEEN) for _ in range(count)))
    with pytest.raises(ValueError, match="1 to 200"):
        unit.encode()


def test_a_unit_of_more_than_32_kib_cannot_be_sent() -> None:
    wide = tuple(Reference("x" * 500, SEEN) for _ in range(100))
    with pytest.raises(ValueError, match="32768 bytes"):
        Unit("us", Entity.PURCHASE_ORDER, Origin.POLL, "c", wide).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "[]",
        "1",
        '"v"',
        "{}",
        "[" * 100_000,
        '{"v":' + "9" * 5000 + "}",
        message(v=2),
        message(v="1"),
        message(v=True),
        message(v=None),
        message(v=...),
        message(company=...),
        message(company=""),
        message(company=7),
        message(company="x" * 513),
        message(entity="purchaseorders"),
        message(entity=[]),
        message(entity={}),
        message(entity=None),
        message(origin="webhook!"),
        message(origin=...),
        message(correlation=""),
        message(correlation="\ud800"),
        message(references=...),
        message(references=[]),
        message(references=None),
        message(references=3),
        message(references="abc"),
        message(references=[[ID, "2026-07-15T21:34:51Z", 0]] * 201),
        message(references=[[ID, "2026-07-15T21:34:51Z"]]),
        message(references=[[ID, "2026-07-15T21:34:51Z", 0, 0]]),
        message(references=[[ID, "2026-07-15", 0]]),
        message(references=[[ID, None, 0]]),
        message(references=[[ID, "2026-07-15T21:34:51Z", -1]]),
        message(references=[[ID, "2026-07-15T21:34:51Z", True]]),
        message(references=[[ID, "2026-07-15T21:34:51Z", "0"]]),
        message(references=[[ID, "2026-07-15T21:34:51Z", 0.0]]),
        message(references=[["", "2026-07-15T21:34:51Z", 0]]),
        message(references=[[7, "2026-07-15T21:34:51Z", 0]]),
        message(references=["abc"]),
        message(references=[7]),
        message(parked=ID),
        message(parked=None, generation=1),
        message(parked=ID, generation="1"),
        message(parked=ID, generation=1, entity="vendors"),
    ],
    ids=lambda text: text[:60] if len(text) < 200 else f"{text[:20]}...",
)
def test_a_malformed_message_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says it in its own words
        decode_unit(text)


@pytest.mark.parametrize("id_", ["not-a-guid", "../secrets", "7c46f200-9580-f111-8070-0022483430dd ", "%"])
def test_an_id_that_is_no_guid_makes_a_message_malformed(id_: str) -> None:
    # It could only fail later, in the query, as a fault nobody foresaw and with four more tries.
    with pytest.raises(ValueError):  # noqa: PT011
        decode_unit(message(references=[[id_, "2026-07-15T21:34:51Z", 0]]))


@given(anything)
def test_no_json_raises_anything_but_a_value_error(value: Any) -> None:
    _decodes_or_value_error(json.dumps(value))


@given(st.sampled_from(["v", "company", "entity", "origin", "correlation", "references", "parked"]), anything)
def test_no_change_of_one_field_raises_anything_but_a_value_error(name: str, value: Any) -> None:
    _decodes_or_value_error(message(**{name: value}))


@given(anything)
def test_no_reference_raises_anything_but_a_value_error(row: Any) -> None:
    _decodes_or_value_error(message(references=[row]))


def _decodes_or_value_error(text: str) -> None:
    try:
        unit = decode_unit(text)
    except ValueError:
        return
    assert decode_unit(unit.encode()) == unit


def test_a_parked_note_put_back_by_hand_is_a_unit_of_one_to_replay() -> None:
    note = ParkedNote("us", Entity.PURCHASE_INVOICE, ID, 3)
    unit = decode_unit(note.encode())
    assert unit == Unit("us", Entity.PURCHASE_INVOICE, Origin.REPLAY, f"replay-{ID}", (Reference(ID, NEVER, 3),))
    assert decode_unit(unit.encode()) == unit


def test_references_are_cut_into_units_in_their_order() -> None:
    many = [Reference(str(UUID(int=number)), SEEN) for number in range(401)]
    cut = units("us", Entity.PURCHASE_ORDER, Origin.RESCUE, "c", many)
    assert [len(unit.references) for unit in cut] == [200, 200, 1]
    assert [reference for unit in cut for reference in unit.references] == many
    assert {(unit.company, unit.entity, unit.origin, unit.correlation) for unit in cut} == {
        ("us", Entity.PURCHASE_ORDER, Origin.RESCUE, "c")
    }


def test_no_references_make_no_unit() -> None:
    assert units("us", Entity.PURCHASE_ORDER, Origin.POLL, "c", []) == []
