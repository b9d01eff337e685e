"""Check of master data: whether what documents are held against can be read, and whether the cost centres that a translation
table names are there. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.decisions.findings import Finding, ok, unserved, warn
from connector.errors import Outage, Refused, Throttled
from connector.flows.parts import Parts
from connector.setting_words import Company

MOST_NAMED = 10


def check_references(parts: Parts, company: Company) -> Iterator[Finding]:
    """Whether the company's master data can be read."""

    def values() -> Finding:
        dimensions, known = parts.references.values(company, 0.0)
        if any(facts.type is None for facts in known.values()):
            return warn(
                "BC_DIMENSION_VALUES",
                company.key,
                f"{len(known)} values of {len(dimensions)} dimensions, without their types and blocks",
                "Give the application's user access to the API microsoft/reportsFinance/beta, or mind that blocked values "
                "are not found out.",
            )
        return ok(
            "BC_DIMENSION_VALUES", company.key, f"{len(known)} values of {len(dimensions)} dimensions can be read"
        )

    def accounts() -> Finding:
        return ok(
            "BC_ACCOUNTS", company.key, f"{len(parts.references.accounts(company, 0.0))} G/L accounts can be read"
        )

    def window() -> Finding:
        found = parts.references.window(company, 0.0)
        return ok("BC_POSTING_WINDOW", company.key, f"posting from {found.first or 'ever'} to {found.last or 'ever'}")

    for code, what, ask in (
        ("BC_DIMENSION_VALUES", "dimension values", values),
        ("BC_ACCOUNTS", "G/L accounts", accounts),
        ("BC_POSTING_WINDOW", "the general ledger setup", window),
    ):
        yield _asked(code, what, company.key, ask)
    for name, word in sorted(parts.references.unknown_words):
        yield warn(
            "BC_UNKNOWN_WORD",
            company.key,
            f"{name} is {word!r} somewhere, which an extension must have added",
            "Mind that the connector takes it as it is and draws nothing from it.",
        )


def _asked(code: str, what: str, where: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except Outage as outage:
        return unserved(code, outage, f"Give the application's user a permission set that reads {what}.", where)


def check_cost_centres(parts: Parts) -> Iterator[Finding]:
    """Whether ServiceNow has the cost centres that the translation table names."""
    rules, words = parts.profile.cost_centres, sorted(set(parts.translations.cost_centres.values()))
    if rules is None or parts.cost_centres is None or not words:
        return
    try:
        found = parts.cost_centres.found(words, 0.0)
    except (Refused, Throttled) as error:
        yield unserved("SN_COST_CENTRES", error, f"Let the user read {rules.table}.", rules.table)
        return
    except Outage as outage:
        yield unserved("SN_COST_CENTRES", outage, "Look again later.", rules.table)
        return
    missing = [word for word in words if not found[word]]
    if not missing:
        yield ok("SN_COST_CENTRES", rules.table, f"all {len(words)} cost centres of the translation table are there")
        return
    named = ", ".join(missing[:MOST_NAMED]) + (
        f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    )
    yield warn(
        "SN_COST_CENTRES",
        rules.table,
        f"{len(missing)} of {len(words)} cost centres of the translation table are not there: {named}",
        f"Create them in ServiceNow ({rules.code} is what counts), or correct [cost_centres] in the translations file.",
    )
