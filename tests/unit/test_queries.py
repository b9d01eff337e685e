"""What can be asked of ServiceNow, and how much at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.queries import MOST_CHARACTERS, any_of, askable, portions


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("106001", True),
        ("7c46f200-9580-f111-8070-0022483430dd", True),
        ("a^ORactive=true", False),
        ("javascript:gs.getUserID()", False),
        (" JavaScript:gs.getUserID()", False),
        ("see javascript: below", True),
        ("a,b", False),
        ("a\nb", False),
        ("", True),
    ],
)
def test_what_would_become_another_condition_cannot_be_asked(text: str, can: bool) -> None:
    assert askable(text) == can


def test_a_comma_matters_only_in_a_list() -> None:
    assert askable("Fabrikam, Inc.", also="")


def test_one_value_is_an_equation_and_several_are_a_list() -> None:
    assert any_of("number", ["2", "2"]) == "number=2"
    assert any_of("number", ["2", "1"]) == "numberIN1,2"


@given(st.lists(st.text("x", min_size=1, max_size=400), max_size=60), st.integers(1, 20))
def test_portions_lose_nothing_and_fit(texts: list[str], most: int) -> None:
    cut = list(portions(texts, [[text] for text in texts], most))
    assert [text for portion in cut for text in portion] == texts
    assert all(len(portion) <= most for portion in cut)
    assert all(sum(len(text) + 3 for text in portion) <= MOST_CHARACTERS for portion in cut)
