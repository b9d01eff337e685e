"""Mapping: a canonical document becomes rows of staging tables, by the rules of a profile."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from connector.decisions.allocation import spread, with_discount_shares
from connector.decisions.facts import FAULTY, Fact, Facts, header_facts, line_facts, taxes
from connector.decisions.severity import weighed
from connector.decisions.translation import translate
from connector.decisions.validation import MAX_LINES, document_faults, shared_name_faults
from connector.errors import DocumentFault, Reason
from connector.model.checks import NO_CHECKS, Checks
from connector.model.documents import Document, Line
from connector.model.money import MINOR_UNITS, decimals, money_text, plain_text
from connector.model.profile import Profile, Route, Translations
from connector.model.staging import Column, StagingTable
from connector.setting_words import Company


@dataclass(frozen=True, slots=True)
class StagingRow:
    """One row for a staging table. `key`: the values of the columns ServiceNow matches on. `where`: the line's sequence number,
    "" for what concerns the whole document. `empty`: the columns without a value. `removed`: a line or tax that is in the
    document no more."""

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    where: str
    empty: tuple[str, ...] = ()
    removed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All its columns, those without a value included."""
        return tuple(dict.fromkeys((*self.columns, *self.empty)))


@dataclass(frozen=True, slots=True)
class MappedDocument:
    """A document as it will stand in ServiceNow, header first. `payload_hash` is equal if and only if all rows are.

    `taxes`: what its tax rows are about. `earlier`: the lines that may have been sent with earlier tries or versions, by
    sequence number; None when nothing of the document can be in ServiceNow yet. `in_doubt`: nobody knows what became of the
    last try, and rows of it that are there need not be sent again. `noted`: faults with which it is carried all the same.
    """

    id: str
    rows: tuple[StagingRow, ...]
    payload_hash: str
    taxes: tuple[str, ...] = ()
    earlier: tuple[int, ...] | None = None
    in_doubt: bool = False
    noted: tuple[Reason, ...] = ()

    @property
    def header(self) -> StagingRow:
        """The header's row; of a document without one, its first line's."""
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Rules:
    """What mapping needs besides the document: the company, the profile, the translation tables, the address of BC's web client
    ("" where links are not wanted), and what the company checks."""

    company: Company
    profile: Profile
    translations: Translations
    web_client: str = ""
    checks: Checks = NO_CHECKS

    def route(self, document: Document) -> Route:
        """The profile's route for the document's entity."""
        return self.profile.routes[document.entity.value]


def map_document(
    document: Document,
    rules: Rules,
    suppliers: Mapping[str, Sequence[str]],
    shared_names: Collection[str] = (),
) -> MappedDocument:
    """The document's rows. Raises `DocumentFault` with every reason why it cannot be staged as it is.

    `suppliers`: per vendor number, the names of ServiceNow's suppliers with that code. `shared_names`: names that several
    suppliers carry.
    """
    document = with_discount_shares(document)
    faults = document_faults(document, suppliers)
    route = rules.route(document)
    if route.names_supplier:
        faults += shared_name_faults(document, suppliers, shared_names)
    lines = [line for line in document.lines if line.type not in route.skip_lines][:MAX_LINES]
    names = suppliers.get(document.vendor_number, ())
    supplier = names[0] if len(names) == 1 else FAULTY
    header = header_facts(document, rules.company, rules.web_client, supplier, len(lines))
    writer = Writer(document.currency, rules, optional=route.ignores_unknown)
    rows = [writer.row(route.header, header, "")] if route.header else []
    facts = [header | line_facts(document, line, rules.company) for line in lines]
    for line, of_line in zip(lines, facts, strict=True):
        rows.append(writer.row(route.line, of_line, str(line.sequence)))
    if route.allocation is not None and document.currency in MINOR_UNITS:
        for line, of_line in zip(lines, facts, strict=True):
            for part in _allocation_facts(document, line, rules, faults):
                rows.append(writer.row(route.allocation, of_line | part, str(line.sequence)))
    known = taxes(lines) if route.tax else []
    taxed = [writer.row(route.tax, header | tax, "") for tax in known] if route.tax else []
    faults += [*writer.faults, *_shared_tax_faults(document, taxed)]
    parking, noted = weighed(faults, rules.checks)
    if parking:
        raise DocumentFault(parking)
    rows += taxed
    return MappedDocument(document.id, tuple(rows), _hash(rows), tuple(map(tax_name, known)), noted=tuple(noted))


def _shared_tax_faults(document: Document, rows: Sequence[StagingRow]) -> list[Reason]:
    """Two taxes that are one to ServiceNow: the second row would overwrite the first."""
    shared = sorted({row.key for row in rows if sum(other.key == row.key for other in rows) > 1})
    return [
        Reason(
            "TAX_NOT_TOLD_APART",
            f"Several taxes of {document.number} have the same key in ServiceNow: {', '.join(filter(None, key))}.",
            "Give each tax code a tax type of its own in the translation table tax_types, then replay.",
        )
        for key in shared
    ]


def tax_name(tax: Mapping[str, Fact]) -> str:
    """The name by which a tax is remembered: its code and percentage."""
    return json.dumps([str(tax["tax.code"]), str(tax["tax.percent"])], ensure_ascii=False)


def named_tax(name: str) -> Facts:
    """What `tax_name` still tells of a tax."""
    code, percent = json.loads(name)
    return {"tax.code": str(code), "tax.percent": Decimal(percent)}


def _allocation_facts(document: Document, line: Line, rules: Rules, faults: list[Reason]) -> list[Facts]:
    cost_centre = line.dimension(rules.company.cost_centre_dimension)
    shares = rules.profile.allocation_keys.get(cost_centre, {cost_centre: Decimal(100)})
    if len(shares) == 1:
        amounts = [line.net_amount]
    else:
        try:
            amounts = spread(line.net_amount, list(shares.values()), decimals(document.currency))
        except ValueError as error:
            faults.append(
                Reason(
                    "AMOUNT_CANNOT_BE_SPLIT",
                    f"The amount {plain_text(line.net_amount)} cannot be split by the key {cost_centre}: {error}.",
                    "Correct the line's amount in BC or the allocation key in the profile, then replay.",
                    str(line.sequence),
                )
            )
            return []
    return [
        {"allocation.cost_centre": code, "allocation.percent": percent, "allocation.amount": amount}
        for (code, percent), amount in zip(shares.items(), amounts, strict=True)
    ]


class Writer:
    """Writes rows of one document and gathers every fault on the way. `optional`: with optional columns."""

    def __init__(self, currency: str, rules: Rules, *, optional: bool) -> None:
        self.faults: list[Reason] = []
        self._optional = optional
        self._currency = currency
        self._rules = rules

    def row(self, table: StagingTable, facts: Mapping[str, Fact], where: str) -> StagingRow:
        """One row by the table's rules; columns without a value are left out and named in `empty`."""
        columns = {}
        rules = {name: rule for name, rule in table.columns.items() if self._optional or not rule.optional}
        for name, column in rules.items():
            text = self._text(name, column, facts, where)
            if text:
                columns[name] = text
        empty = tuple(name for name in rules if name not in columns)
        return StagingRow(table.table, tuple(columns.get(name, "") for name in table.key), columns, where, empty)

    def _text(self, name: str, column: Column, facts: Mapping[str, Fact], where: str) -> str:
        fact = column.constant if column.value is None else facts[column.value]
        if fact is FAULTY:
            return ""
        text = clean(self._written(-fact if column.turned and isinstance(fact, Decimal) else fact, column.format))
        if column.translate is not None:
            word = translate(text, column.translate, self._rules.profile, self._rules.translations, where=where)
            if isinstance(word, Reason):
                self._fault(word)
                return ""
            text = word
        if len(text) > column.max and column.optional:
            return ""  # better without it than without the document
        if len(text) > column.max:
            self._fault(
                Reason(
                    "TEXT_TOO_LONG",
                    f"The value for {name} has {len(text)} characters, the column holds {column.max}.",
                    "Shorten it in BC, or widen the column in ServiceNow and the profile, then replay.",
                    where,
                )
            )
        if text and text == self._rules.profile.clear_with:
            self._fault(
                Reason(
                    "WORD_RESERVED",
                    f"The value for {name} is {text}, which ServiceNow takes as the order to empty the column.",
                    "Write it differently in BC, then replay.",
                    where,
                )
            )
        if column.mandatory and not text:
            self._fault(
                Reason(
                    "VALUE_MISSING",
                    f"{name} must not be empty, and {column.value or 'the word for its constant'} is.",
                    "Fill it in BC, then replay.",
                    where,
                )
            )
        return text

    def _written(self, fact: Fact, format_: str) -> str:
        if fact is None or fact is FAULTY:
            return ""
        if isinstance(fact, date):
            return fact.isoformat()
        if isinstance(fact, Decimal):
            known = format_ == "money" and self._currency in MINOR_UNITS
            return money_text(fact, self._currency) if known else plain_text(fact)
        return str(fact)

    def _fault(self, reason: Reason) -> None:
        if reason not in self.faults:
            self.faults.append(reason)


def clean(text: str) -> str:
    """The text in Unicode's composed form, without NUL and other control characters except tab and line ends; nothing but
    blanks is nothing."""
    plain = "".join(char for char in text if char >= " " or char in "\t\n\r").replace("\x7f", "")
    return unicodedata.normalize("NFC", plain) if plain.strip() else ""


def _hash(rows: Sequence[StagingRow]) -> str:
    content = [[row.table, sorted(row.columns.items())] for row in rows]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
