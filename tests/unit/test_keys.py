"""Table keys: legal for any text, readable for plain text, reversible, never the same for two texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.storage import keys

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=600)
AWKWARD = st.text(st.sampled_from("/\\#?%|~'\" a0F\x00\x7f\x85ü€😀\ud800"), max_size=600)
TEXT = ANY_TEXT | AWKWARD
LEGAL = re.compile(r"[^/\\#?%\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("text", ["", "PO-10042", "s", "Müller & Söhne", "a=b+c@d.e", "it's", "5d1e-4b", "日本 😀"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert keys.key_part(text) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("PO/10042", "PO~2F10042"),
        ("50%", "50~25"),
        ("a|b", "a~7Cb"),
        ("~", "~7E"),
        ("~2F", "~7E2F"),
        ("a\\b#c?d", "a~5Cb~23c~3Fd"),
        ("line\nend", "line~0Aend"),
        ("\x85", "~C2~85"),
    ],
)
def test_what_a_key_cannot_hold_is_escaped(text: str, part: str) -> None:
    assert keys.key_part(text) == part
    assert keys.split(part) == (text,)


@given(TEXT)
@example("😀" * 300)
def test_a_part_is_legal_short_and_without_separator(text: str) -> None:
    part = keys.key_part(text)
    assert LEGAL.fullmatch(part)
    assert "|" not in part
    assert units(part) <= keys.MAX_UNITS
    assert keys.require_legal(part) == part


@given(st.lists(TEXT.filter(lambda text: len(text) <= 30), min_size=1, max_size=4))
@example(["", ""])
@example(["a", ""])
@example(["a|", "b"])
def test_parts_that_fit_come_back_from_the_key(parts: list[str]) -> None:
    assert keys.split(keys.join(*parts)) == tuple(parts)


@given(st.lists(TEXT, min_size=1, max_size=5), st.lists(TEXT, min_size=1, max_size=5))
@example(["a", "b"], ["a|b"])
@example(["", ""], [""])
@example(["x" * 600], ["x" * 601])
def test_different_parts_make_different_keys(one: list[str], other: list[str]) -> None:
    assert (keys.join(*one) == keys.join(*other)) == (one == other)


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_a_joined_key_always_fits(parts: list[str]) -> None:
    key = keys.join(*parts)
    assert keys.require_legal(key) == key
    assert len(keys.split(key)) == len(parts)


def test_a_long_part_keeps_its_beginning_and_ends_in_a_hash() -> None:
    part = keys.key_part("x" * 5_000)
    assert len(part) == 512
    assert re.fullmatch(r"x{470}~~[0-9a-f]{40}", part)
    assert keys.split(part) == (part,)
    assert keys.key_part("x" * 512) == "x" * 512


def test_a_cut_never_halves_an_escape_or_a_surrogate_pair() -> None:
    for filler in range(6):
        for text in ("😀", "/", "\x85"):
            part = keys.key_part("x" * filler + text * 600)
            begun, cut, _ = part.partition("~~")
            assert cut
            assert keys.split(begun) == ("x" * filler + text * (len(keys.split(begun)[0]) - filler),)


def test_a_hash_that_looks_like_an_escape_is_left_alone() -> None:
    cut = "x~2F~~41" + "0" * 38
    assert keys.split(cut) == ("x/~~41" + "0" * 38,)


def test_the_range_below_some_parts_holds_exactly_their_children() -> None:
    start, stop = keys.below("e", "PO/1")
    inside = [keys.join("e", "PO/1", child) for child in ("", "0", "~", "ü", "😀")]
    outside = [keys.join("e", "PO/1"), keys.join("e", "PO/10", "0"), keys.join("e", "PO"), keys.join("f", "PO/1", "0")]
    assert all(start <= key < stop for key in inside)
    assert not any(start <= key < stop for key in outside)


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\x00b", "a\x9fb", "a\ud800", "x" * 513, "😀" * 257])
def test_an_illegal_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        keys.require_legal(key)


def test_a_key_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="part"):
        keys.join()


def test_a_limit_without_room_for_the_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="42"):
        keys.key_part("x" * 50, limit=41)
