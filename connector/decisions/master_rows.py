"""Master rows: Business Central's cost centres, accounts, vendors and departments become rows of staging tables, by the rules
of a profile and with the same faults as documents.

Each record is one row, and goes to the door as a document of one row. A record with a fault is left out and the others go on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from connector.decisions.facts import FAULTY, Fact, Facts
from connector.decisions.mapping import MappedDocument, Rules, StagingRow, Writer
from connector.decisions.translation import translate
from connector.errors import Reason
from connector.model.master_data import DimensionRecord, LedgerAccount, SectionName, Vendor

NUMBER = "value.account_number"
_REPLAY = ", then replay."


@dataclass(frozen=True, slots=True)
class MasterRows:
    """What became of records, known by code or number. `documents`: those that can be staged, one row each, in order of their
    ids. `faults`: why others cannot. `twins`: groups of records that ServiceNow would take for one; none of them is staged,
    for each would overwrite the other."""

    documents: tuple[MappedDocument, ...] = ()
    faults: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    twins: tuple[tuple[str, ...], ...] = ()


def cost_centre_rows(records: Iterable[DimensionRecord], rules: Rules) -> MasterRows:
    """The rows of cost centres. A new one gets the account number its code is translated to: documents will name it by that.
    One that ServiceNow has without an account number cannot be found by it, and must not be doubled: a fault."""
    section = rules.profile.master_data.cost_centres
    numbered = section is not None and any(column.value == NUMBER for column in section.columns.values())
    facts: dict[str, Facts] = {}
    untranslated: dict[str, Reason] = {}
    for one in records:
        number: Fact = one.account_number
        if numbered and not number and not one.exists:
            word = translate(one.code, "cost_centres", rules.profile, rules.translations)
            number = FAULTY if isinstance(word, Reason) else word
            if isinstance(word, Reason):
                untranslated[one.code] = word
        facts[one.code] = {
            **_of_value(one),
            NUMBER: number,
            "value.parent_code": one.parent_code,
            "value.valid_from": one.valid_from,
            "value.valid_to": one.valid_to,
        }
    return _written("cost_centres", facts, rules, untranslated)


def department_rows(records: Iterable[DimensionRecord], rules: Rules) -> MasterRows:
    """The rows of departments."""
    return _written("departments", {one.code: _of_value(one) for one in records}, rules)


def account_rows(accounts: Iterable[LedgerAccount], rules: Rules) -> MasterRows:
    """The rows of accounts. Headings and totals are no ledger accounts, and are left out."""
    facts: dict[str, Facts] = {
        one.number: {
            "account.number": one.number,
            "account.name": one.name,
            "account.category": one.category,
            "account.subcategory": one.subcategory,
            "account.blocked": _flag(one.blocked),
            "account.direct_posting": _flag(one.direct_posting),
        }
        for one in accounts
        if one.type == "Posting"
    }
    return _written("accounts", facts, rules)


def supplier_rows(vendors: Iterable[Vendor], rules: Rules) -> MasterRows:
    """The rows of vendors."""
    facts: dict[str, Facts] = {
        one.number: {
            "vendor.number": one.number,
            "vendor.name": one.name,
            "vendor.currency": one.currency or rules.company.local_currency,
            "vendor.payment_terms": one.payment_terms,
            "vendor.blocked": one.blocked,
            "vendor.tax_id": one.tax_id,
            "vendor.address_line1": one.address_line1,
            "vendor.address_line2": one.address_line2,
            "vendor.city": one.city,
            "vendor.state": one.state,
            "vendor.postal_code": one.postal_code,
            "vendor.country": one.country,
            "vendor.phone": one.phone,
            "vendor.email": one.email,
            "vendor.website": one.website,
        }
        for one in vendors
    }
    return _written("suppliers", facts, rules)


def emptying_what_was_filled(mapped: MappedDocument, filled: Collection[str], word: str) -> MappedDocument:
    """The record as it must be sent when its row last had values in the columns `filled`: those that are empty now are emptied.
    What BC never filled is left alone: ServiceNow may know it better."""
    if not word:
        return mapped
    rows = tuple(
        replace(row, columns=dict(row.columns) | {name: word for name in row.empty if name in filled})
        for row in mapped.rows
    )
    return replace(mapped, rows=rows)


def _of_value(one: DimensionRecord) -> Facts:
    told = one.blocked is not None
    return {
        "value.code": one.code,
        "value.name": one.name,
        "value.blocked": _flag(bool(one.blocked)) if told else "",
        "value.available": _flag(not one.blocked) if told else "",
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _written(
    kind: SectionName, records: Mapping[str, Facts], rules: Rules, known: Mapping[str, Reason] | None = None
) -> MasterRows:
    """The rows of one section; none where it is not staged. `known`: faults found already."""
    section = rules.profile.master_data.staged.get(kind)
    if section is None:
        return MasterRows()
    company: Facts = {
        "company.erp_source": rules.company.erp_source,
        "company.legal_entity": rules.company.legal_entity,
        "company.local_currency": rules.company.local_currency,
    }
    rows: dict[str, StagingRow] = {}
    faults: dict[str, tuple[Reason, ...]] = {}
    for id_, facts in sorted(records.items()):
        writer = Writer("", rules, optional=True)
        row = writer.row(section, company | facts, "")
        found = [*([known[id_]] if known and id_ in known else []), *writer.faults]
        if found:
            faults[id_] = tuple(_of_its_own_accord(reason) for reason in found)
        else:
            rows[id_] = row
    alike: dict[tuple[str, ...], list[str]] = {}
    for id_, row in rows.items():
        # ServiceNow compares keys without regard to case, and to blanks around them.
        alike.setdefault(tuple(part.strip().casefold() for part in row.key), []).append(id_)
    single = {ids[0] for ids in alike.values() if len(ids) == 1}
    return MasterRows(
        tuple(_document(id_, row) for id_, row in rows.items() if id_ in single),
        faults,
        tuple(tuple(ids) for ids in alike.values() if len(ids) > 1),
    )


def _document(id_: str, row: StagingRow) -> MappedDocument:
    content = json.dumps([row.table, sorted(row.columns.items())], separators=(",", ":"))
    # `earlier`: an older row of it may be in the staging table, and says nothing about this one.
    return MappedDocument(id_, (row,), hashlib.sha256(content.encode()).hexdigest(), earlier=())


def _of_its_own_accord(reason: Reason) -> Reason:
    """Nobody replays master data: what was corrected goes with the next run."""
    numberless = NUMBER in reason.message
    cure = "Give the cost centre an account number in ServiceNow" if numberless else reason.remedy.removesuffix(_REPLAY)
    return replace(reason, remedy=f"{cure}; the next run stages it.")
