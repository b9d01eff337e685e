"""Translation: an entry wins, a missing one parks or passes as the profile says, an empty code stays empty."""

from __future__ import annotations

from typing import get_args

import pytest

from connector.decisions.translation import translate
from connector.errors import Reason
from connector.model.profile import Profile, Translations
from connector.model.staging import TranslationTable
from connector.named_files import load_profile

TABLES: tuple[TranslationTable, ...] = get_args(TranslationTable)
CODES = {
    "payment_terms": "PAYMENT_TERM_NOT_TRANSLATED",
    "units": "UNIT_NOT_TRANSLATED",
    "tax_types": "TAX_TYPE_NOT_TRANSLATED",
    "tax_codes": "TAX_CODE_NOT_TRANSLATED",
    "accounts": "ACCOUNT_NOT_TRANSLATED",
    "cost_centres": "COST_CENTRE_NOT_TRANSLATED",
    "locations": "LOCATION_NOT_TRANSLATED",
}


def profile(rule: str) -> Profile:
    """The shipped profile with one rule for all missing entries."""
    shipped = load_profile("source_to_pay").model_dump()
    return Profile.model_validate(shipped | {"missing_translation": dict.fromkeys(TABLES, rule)})


@pytest.mark.parametrize("rule", ["park", "same"])
@pytest.mark.parametrize("table", TABLES)
def test_an_entry_gives_servicenows_word(table: TranslationTable, rule: str) -> None:
    tables = Translations.model_validate({table: {"ADM": "CC-100"}})
    assert translate("ADM", table, profile(rule), tables) == "CC-100"


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_entry_parks_with_a_code_of_its_own(table: TranslationTable) -> None:
    reason = translate("1M(8D)", table, profile("park"), Translations(), where="10000")
    assert isinstance(reason, Reason)
    assert reason.code == CODES[table]
    assert "1M(8D)" in reason.message
    assert f"[{table}]" in reason.remedy
    assert "1M(8D)" in reason.remedy
    assert reason.where == "10000"


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_entry_passes_the_code_where_the_profile_lets_it(table: TranslationTable) -> None:
    assert translate("PCS", table, profile("same"), Translations()) == "PCS"


@pytest.mark.parametrize("rule", ["park", "same"])
def test_an_empty_code_needs_no_entry(rule: str) -> None:
    assert translate("", "locations", profile(rule), Translations(locations={"": "wrong"})) == ""


def test_an_entry_may_say_that_servicenow_has_no_word_for_it() -> None:
    assert translate("NOTAX", "tax_codes", profile("park"), Translations(tax_codes={"NOTAX": ""})) == ""


def test_codes_are_compared_exactly() -> None:
    reason = translate("adm", "cost_centres", profile("park"), Translations(cost_centres={"ADM": "CC-100"}))
    assert isinstance(reason, Reason)
