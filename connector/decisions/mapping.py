"""Mapping: a canonical document becomes rows of staging tables, by the rules of a profile."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from connector.decisions.allocation import spread, with_discount_shares
from connector.decisions.translation import translate
from connector.decisions.validation import MAX_LINES, document_faults, shared_name_faults
from connector.errors import DocumentFault, Reason
from connector.model.documents import Document, Line
from connector.model.money import MINOR_UNITS, decimals, exact_arithmetic, money_text, plain_text, rounded
from connector.model.profile import Column, Profile, Route, StagingTable, Translations
from connector.settings import Company

UNIT_PRICE_PLACES = 5
"""BC's default precision of unit amounts."""


class Faulty(Enum):
    """A fact that is already reported as a fault: its columns say nothing more about it."""

    FAULTY = "faulty"


FAULTY = Faulty.FAULTY
Fact = str | Decimal | int | date | Faulty | None


@dataclass(frozen=True, slots=True)
class StagingRow:
    """One row for a staging table. `key`: the values of the columns ServiceNow matches on. `where`: "" for the header,
    else the line's sequence number. `empty`: the columns without a value. `removed`: a line that is in the document no more."""

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

    `earlier`: the lines that may have been sent with earlier tries or versions, by sequence number; None when nothing of the
    document can be in ServiceNow yet.
    """

    id: str
    rows: tuple[StagingRow, ...]
    payload_hash: str
    earlier: tuple[int, ...] | None = None

    @property
    def header(self) -> StagingRow:
        """The header's row."""
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Rules:
    """What mapping needs besides the document: the company, the profile and the translation tables."""

    company: Company
    profile: Profile
    translations: Translations

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
    header = header_facts(document, rules.company, names[0] if len(names) == 1 else FAULTY, len(lines))
    writer = Writer(document.currency, rules)
    rows = [writer.row(route.header, header, "")]
    facts = [header | _line_facts(document, line, rules.company) for line in lines]
    for line, known in zip(lines, facts, strict=True):
        rows.append(writer.row(route.line, known, str(line.sequence)))
    if route.allocation is not None and document.currency in MINOR_UNITS:
        for line, known in zip(lines, facts, strict=True):
            for part in _allocation_facts(document, line, rules, faults):
                rows.append(writer.row(route.allocation, known | part, str(line.sequence)))
    faults += writer.faults
    if faults:
        raise DocumentFault(faults)
    return MappedDocument(document.id, tuple(rows), _hash(rows))


def header_facts(document: Document, company: Company, supplier: Fact, line_count: int) -> dict[str, Fact]:
    """What a profile may name of company, document, vendor and supplier, by the names in `model.profile.HEADER_FACTS`."""
    return {
        "company.erp_source": company.erp_source,
        "company.legal_entity": company.legal_entity,
        "company.invoice_source": company.invoice_source,
        "document.id": document.id,
        "document.number": document.number,
        "document.status": document.status,
        "document.kind": "po_invoice" if document.order_number else "non_po_invoice",
        "document.document_date": document.document_date,
        "document.posting_date": document.posting_date,
        "document.due_date": document.due_date,
        "document.vendor_invoice_number": document.vendor_invoice_number,
        "document.currency": document.currency or FAULTY,
        "document.payment_terms": document.payment_terms,
        "document.order_number": document.order_number,
        "document.net_total": document.net_total,
        "document.tax_total": document.tax_total,
        "document.gross_total": document.gross_total,
        "document.cost_centre": document.dimension(company.cost_centre_dimension),
        "document.line_count": line_count,
        "vendor.number": document.vendor_number or FAULTY,
        "vendor.name": document.vendor_name,
        "supplier.name": supplier,
    }


def _line_facts(document: Document, line: Line, company: Company) -> dict[str, Fact]:
    unit_price: Fact = line.unit_cost
    if document.prices_include_tax:
        unit_price = _without_tax(line.unit_cost, line.tax_percent)
    with exact_arithmetic():
        gross_amount = line.net_amount + line.tax_amount
    return {
        "line.id": line.id,
        "line.sequence": line.sequence,
        "line.type": line.type,
        "line.object_number": line.object_number,
        "line.account": line.object_number if line.type == "Account" else "",
        "line.item": line.object_number if line.type == "Item" else "",
        "line.description": line.description,
        "line.unit": line.unit,
        "line.quantity": line.quantity,
        "line.unit_price": unit_price,
        "line.net_amount": line.net_amount,
        "line.gross_amount": gross_amount,
        "line.tax_code": line.tax_code,
        "line.tax_amount": line.tax_amount,
        "line.expected_receipt": line.expected_receipt,
        "line.location": line.location,
        "line.cost_centre": line.dimension(company.cost_centre_dimension),
    }


def _without_tax(price: Decimal, percent: Decimal) -> Fact:
    if percent <= -100:
        return FAULTY
    with exact_arithmetic():
        return rounded(price / (1 + percent / 100), UNIT_PRICE_PLACES)


def _allocation_facts(document: Document, line: Line, rules: Rules, faults: list[Reason]) -> list[dict[str, Fact]]:
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
    """Writes rows of one document and gathers every fault on the way."""

    def __init__(self, currency: str, rules: Rules) -> None:
        self.faults: list[Reason] = []
        self._currency = currency
        self._rules = rules

    def row(self, table: StagingTable, facts: Mapping[str, Fact], where: str) -> StagingRow:
        """One row by the table's rules; columns without a value are left out and named in `empty`."""
        columns = {}
        for name, column in table.columns.items():
            text = self._text(name, column, facts, where)
            if text:
                columns[name] = text
        empty = tuple(name for name in table.columns if name not in columns)
        return StagingRow(table.table, tuple(columns.get(name, "") for name in table.key), columns, where, empty)

    def _text(self, name: str, column: Column, facts: Mapping[str, Fact], where: str) -> str:
        fact = column.constant if column.value is None else facts[column.value]
        if fact is FAULTY:
            return ""
        text = clean(self._written(fact, column.format))
        if column.translate is not None:
            word = translate(text, column.translate, self._rules.profile, self._rules.translations, where=where)
            if isinstance(word, Reason):
                self._fault(word)
                return ""
            text = word
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
                    f"{name} must not be empty, and {column.value} is.",
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
