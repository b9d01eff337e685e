"""The page on profiles is true: its examples load, and it names every key and every fact there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from connector.model.master_data import MASTER_FACTS, Departments, MasterData, MasterTable
from connector.model.profile import Files, Profile, Route, Tracking, Translations
from connector.model.staging import FACTS, Column, StagingTable
from tests.unit.profile_page import PAGE, examples, laid_over, shipped

DOTTED, WORDS = set(re.findall(r"[a-z]+\.[a-z_0-9]+", PAGE)), set(re.findall(r"[A-Za-z_]+", PAGE))


@pytest.mark.parametrize(
    ("name", "change"), list(examples()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_example_fits_the_profile_it_names_and_changes_it(name: str, change: Mapping[str, Any]) -> None:
    assert laid_over(name, change) != Profile.model_validate(shipped(name)) or "tracking" in str(change)


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 3


def test_every_fact_is_named_and_no_other() -> None:
    facts = frozenset().union(*FACTS.values(), *MASTER_FACTS.values())
    named = re.compile(r"(?:company|document|vendor|supplier|line|tax|allocation|value|account)\.\w+")
    assert {word for word in DOTTED if named.fullmatch(word)} == facts


FORMS = [Profile, Route, StagingTable, Column, Files, Tracking, Translations, MasterData, MasterTable, Departments]


@pytest.mark.parametrize("form", FORMS)
def test_every_key_is_named(form: type) -> None:
    assert set(form.model_fields) - WORDS == set()  # type: ignore[attr-defined]
