"""Translation: BC's codes to ServiceNow's words, by tables that a clerk edits."""

from __future__ import annotations

from connector.errors import Reason
from connector.model.profile import Profile, Translations
from connector.model.staging import TranslationTable

_NAMES: dict[TranslationTable, tuple[str, str]] = {
    "payment_terms": ("PAYMENT_TERM_NOT_TRANSLATED", "payment term"),
    "units": ("UNIT_NOT_TRANSLATED", "unit of measure"),
    "tax_codes": ("TAX_CODE_NOT_TRANSLATED", "tax code"),
    "tax_types": ("TAX_TYPE_NOT_TRANSLATED", "tax code"),
    "accounts": ("ACCOUNT_NOT_TRANSLATED", "G/L account"),
    "cost_centres": ("COST_CENTRE_NOT_TRANSLATED", "cost centre"),
    "locations": ("LOCATION_NOT_TRANSLATED", "location"),
}
MISSING_CODES = frozenset(code for code, _ in _NAMES.values())
"""The reasons for a missing entry."""


def translate(
    code: str, table: TranslationTable, profile: Profile, translations: Translations, *, where: str = ""
) -> str | Reason:
    """ServiceNow's word for the code; the code itself where the profile lets it pass; else the reason to park."""
    if not code:
        return ""
    word = translations.table(table).get(code)
    if word is not None:
        return word
    if profile.missing_translation[table] == "same":
        return code
    reason, name = _NAMES[table]
    return Reason(
        reason,
        f"The {name} {code} has no entry in the translation table {table}.",
        f"Add {code} to [{table}] in the translations file, then replay.",
        where,
    )
