"""Faults of what a document refers to: its vendor, G/L accounts, cost centres, warehouses and posting date, held against the
master data of both systems; its dimensions besides (`dimension_faults`).

Rules of BC: an account takes an entry when it is of the type Posting, open for direct posting and not blocked (page "Chart of
Accounts"); a vendor blocked for All takes no document, one blocked for Payment no payment ("Blocking vendors").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from connector.decisions.dimension_faults import dimension_faults
from connector.decisions.found import facts_text
from connector.decisions.mapping import Rules
from connector.decisions.uses import Uses, carried_lines, places
from connector.errors import Reason
from connector.model.documents import Document, Entity
from connector.model.references import AccountFacts, CostCentreFacts, PostingWindow, References

OWED = (Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO)
CHART = "page Chart of Accounts in BC"


def reference_faults(document: Document, used: Uses, rules: Rules, references: References) -> list[Reason]:
    """Every fault, whatever its severity. `references` must know about everything in `used`."""
    return [
        *_vendor_faults(document, references),
        *dimension_faults(document, used, rules, references),
        *_warehouse_faults(document, rules),
        *_cost_centre_faults(document, used, rules, references),
        *_account_faults(used, references),
        *_window_faults(document, references.window),
    ]


def _vendor_faults(document: Document, references: References) -> list[Reason]:
    number = document.vendor_number
    if not number:
        return []  # a fault of the document itself
    facts = references.vendors.get(number)
    about, found = ("vendor", number), facts_text(facts)
    if facts is None:
        remedy = "Create the vendor on the page Vendors in BC, or correct the document."
        return [Reason("VENDOR_UNKNOWN", f"Vendor {number} does not exist in BC.", remedy, "", about, found)]
    if facts.blocked == "All":
        remedy = "Set Blocked on the Vendor Card in BC back, or give the document up (discard)."
        return [Reason("VENDOR_BLOCKED", f"Vendor {number} is blocked for everything in BC.", remedy, "", about, found)]
    if facts.blocked and document.entity in OWED:
        remedy = "Set Blocked on the Vendor Card in BC back before it is paid."
        what = f"Vendor {number} is blocked for payments in BC."
        return [Reason("VENDOR_BLOCKED_FOR_PAYMENT", what, remedy, "", about, found)]
    return []


def _warehouse_faults(document: Document, rules: Rules) -> list[Reason]:
    warehouses = rules.checks.of(rules.company.key).warehouses
    if not warehouses:
        return []
    without: dict[str, list[str]] = defaultdict(list)
    wrong: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in carried_lines(document, rules):
        if not line.location:
            continue
        rule = warehouses.get(line.location)
        cost_centre = line.dimension(rules.company.cost_centre_dimension)
        if rule is None:
            without[line.location].append(str(line.sequence))
        elif rule.cost_centres and cost_centre not in rule.cost_centres:
            wrong[line.location, cost_centre].append(str(line.sequence))
    return [
        Reason(
            "WAREHOUSE_WITHOUT_RULE",
            f"The warehouse {location} is not in the checks file, which says what cost centres belong to which.",
            f'Add [companies.{rules.company.key}.warehouses."{location}"] to the checks file, or correct the line in BC.',
            places(wheres),
        )
        for location, wheres in without.items()
    ] + [
        Reason(
            "WAREHOUSE_COST_CENTRE_WRONG",
            f"The warehouse {location} goes with the cost centre {' or '.join(warehouses[location].cost_centres)}, "
            f"and the line has {cost_centre or 'none'}.",
            "Correct the location or the cost centre of the line in BC.",
            places(wheres),
        )
        for (location, cost_centre), wheres in wrong.items()
    ]


def _cost_centre_faults(document: Document, used: Uses, rules: Rules, references: References) -> list[Reason]:
    if rules.profile.cost_centres is None:
        return []
    day = document.posting_date or document.document_date
    faults = []
    for (code,), wheres in used.cost_centres.items():
        found = references.cost_centres.get(code, ())
        fault = _cost_centre_fault(code, found, day)
        if fault is not None:
            kind, what, remedy = fault
            about = ("cost centre", code)
            text = f"The cost centre {code} {what}."
            faults.append(Reason(kind, text, remedy, places(wheres), about, facts_text(found)))
    return faults


def _cost_centre_fault(code: str, found: Sequence[CostCentreFacts], day: date | None) -> tuple[str, str, str] | None:
    """Several may share a code; one that can be used is enough."""
    if not found:
        remedy = f"Create a cost centre with the account number {code} in ServiceNow (Cost Centers)."
        return "COST_CENTRE_UNKNOWN", "does not exist in ServiceNow", remedy
    open_ = [one for one in found if one.available is not False]
    if not open_:
        remedy = "Make it available for use in ServiceNow (Cost Centers), or choose another one on the document in BC."
        return "COST_CENTRE_INACTIVE", "is not available for use in ServiceNow", remedy
    if day is not None and not any(_valid(one, day) for one in open_):
        one = open_[0]
        span = f"{f'from {one.valid_from} ' if one.valid_from else ''}{f'to {one.valid_to}' if one.valid_to else ''}".strip()
        remedy = "Extend its validity in ServiceNow (Cost Centers), or choose another one on the document in BC."
        return "COST_CENTRE_NOT_VALID", f"is valid {span} in ServiceNow, not on {day}", remedy
    return None


def _valid(one: CostCentreFacts, day: date) -> bool:
    return (one.valid_from is None or one.valid_from <= day) and (one.valid_to is None or day <= one.valid_to)


def _account_faults(used: Uses, references: References) -> list[Reason]:
    faults = []
    for (number,), wheres in used.accounts.items():
        facts = references.accounts.get(number)
        fault = _account_fault(facts)
        if fault is not None:
            kind, what, remedy = fault
            text = f"The G/L account {number} {what}."
            faults.append(Reason(kind, text, remedy, places(wheres), ("account", number), facts_text(facts)))
    return faults


def _account_fault(facts: AccountFacts | None) -> tuple[str, str, str] | None:
    choose = "Choose another account on the line in BC"
    if facts is None:
        return "ACCOUNT_UNKNOWN", "does not exist in BC", f"Create it on the {CHART}, or correct the line."
    if facts.type != "Posting":
        what = f"is of the type {facts.type}, which takes no entries"
        return "ACCOUNT_NOT_FOR_POSTING", what, f"{choose}; its Account Type is on the {CHART}."
    if facts.blocked:
        return "ACCOUNT_BLOCKED", "is blocked in BC", f"{choose}, or unblock this one (G/L Account Card)."
    if not facts.direct_posting:
        what = "takes no direct posting in BC"
        return "ACCOUNT_NO_DIRECT_POSTING", what, f"{choose}, or set Direct Posting of this one (G/L Account Card)."
    return None


def _window_faults(document: Document, window: PostingWindow) -> list[Reason]:
    day = document.posting_date
    if day is None or ((window.first is None or window.first <= day) and (window.last is None or day <= window.last)):
        return []
    limits = [f"from {window.first}"] if window.first else []
    limits += [f"to {window.last}"] if window.last else []
    return [
        Reason(
            "POSTING_DATE_OUTSIDE_WINDOW",
            f"The posting date {day} of {document.number} lies outside the days on which BC allows posting "
            f"({' '.join(limits)}).",
            "Change the posting date in BC, or Allow Posting From/To on the page General Ledger Setup.",
            "",
            ("posting window",),
            facts_text(window),
        )
    ]
