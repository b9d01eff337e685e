"""References: what documents refer to, held against the master data of both systems before anything is written.

Master data is believed for as long as the settings say. Before it is held against a document, it is read anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.decisions.mapping import Rules
from connector.decisions.reference_faults import reference_faults
from connector.decisions.severity import any_asked, weighed
from connector.decisions.uses import Uses, uses
from connector.errors import Reason
from connector.flows.courtesy import asking_business_central
from connector.flows.parts import Parts
from connector.model.documents import Document, Entity
from connector.model.references import PostingWindow, References
from connector.setting_words import Company

FRESH = 60.0
"""Seconds within which what was read is new enough to be held against a document."""
VALUE_CODES = (
    "DIMENSION_UNKNOWN",
    "DIMENSION_VALUE_MISSING",
    "DIMENSION_VALUE_BLOCKED",
    "DIMENSION_VALUE_NOT_FOR_POSTING",
)
ACCOUNT_CODES = ("ACCOUNT_UNKNOWN", "ACCOUNT_BLOCKED", "ACCOUNT_NOT_FOR_POSTING", "ACCOUNT_NO_DIRECT_POSTING")
VENDOR_CODES = ("VENDOR_UNKNOWN", "VENDOR_BLOCKED", "VENDOR_BLOCKED_FOR_PAYMENT", "DEFAULT_DIMENSION_BROKEN")
COST_CENTRE_CODES = ("COST_CENTRE_UNKNOWN", "COST_CENTRE_INACTIVE", "COST_CENTRE_NOT_VALID")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which master data is asked for: all dimension values, all accounts, the posting window, and some vendors and cost
    centres."""

    values: bool = False
    accounts: bool = False
    window: bool = False
    vendors: frozenset[str] = frozenset()
    cost_centres: frozenset[str] = frozenset()


def reference_reasons(parts: Parts, company: Company, documents: Sequence[Document]) -> Mapping[str, list[Reason]]:
    """What the documents' references have against them that matters, by document. Raises `Outage`."""
    rules = parts.rules(company)
    # A receipt refers to its order only: goods that came are there, whatever was blocked since.
    used = {one.id: uses(one, rules) for one in documents if one.entity is not Entity.RECEIPT}
    held = [one for one in documents if one.id in used]
    reasons = _held(parts, company, held, used, rules, parts.settings.reference_minutes * 60.0)
    doubted = [one for one in held if reasons[one.id]]
    return reasons | _held(parts, company, doubted, used, rules, FRESH)


def _held(
    parts: Parts,
    company: Company,
    documents: Sequence[Document],
    used: Mapping[str, Uses],
    rules: Rules,
    at_most: float,
) -> dict[str, list[Reason]]:
    if not documents:
        return {}
    references = gather(parts, company, _wanted(rules, documents, [used[one.id] for one in documents]), at_most)
    found = {}
    for one in documents:
        parking, noted = weighed(reference_faults(one, used[one.id], rules, references), rules.checks)
        found[one.id] = parking + noted
    return found


def _wanted(rules: Rules, documents: Iterable[Document], used: Iterable[Uses]) -> Wanted:
    """What the documents use, less what no fault that matters could come of."""
    used, checks = list(used), rules.checks
    values = any(one.values for one in used) and any_asked(VALUE_CODES, checks)
    accounts = any(one.accounts for one in used) and any_asked(ACCOUNT_CODES, checks)
    vendors = {one.vendor for one in used if one.vendor} if any_asked(VENDOR_CODES, checks) else set()
    codes = {code for one in used for (code,) in one.cost_centres} if any_asked(COST_CENTRE_CODES, checks) else set()
    dated = any(one.posting_date for one in documents) and any_asked(("POSTING_DATE_OUTSIDE_WINDOW",), checks)
    return Wanted(values, accounts, dated, frozenset(vendors), frozenset(codes))


def gather(parts: Parts, company: Company, wanted: Wanted, at_most: float) -> References:
    """The master data asked for, read at most so many seconds ago. Raises `Outage`."""
    book, centres = parts.references, parts.cost_centres
    with asking_business_central(parts):
        dimensions, values = book.values(company, at_most) if wanted.values else (frozenset(), {})
        accounts = book.accounts(company, at_most) if wanted.accounts else {}
        window = book.window(company, at_most) if wanted.window else PostingWindow()
        vendors = book.vendors(company, sorted(wanted.vendors), at_most) if wanted.vendors else {}
    asked = sorted(wanted.cost_centres)
    found = centres.found(asked, at_most) if asked and centres is not None else {}
    return References(dimensions, values, accounts, vendors, window, found)
