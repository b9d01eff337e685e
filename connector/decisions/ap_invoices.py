"""Invoices as the AP Invoice API takes them, and what its log says became of them.

Source: "AP Invoice API" in ServiceNow's REST API reference. A field is called like its staging column without ``u_``; all
values are text; lines and tax details are nested. Three columns are no fields: the invoice's source is the header
``Source-System`` of the request, its ERP source is ``target_erp``, and lines are numbered by whoever stages them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from connector.decisions.mapping import MappedDocument, StagingRow
from connector.model.documents import Entity
from connector.model.profile import Route
from connector.setting_words import ApInvoiceForm

HEADER, LINE, TAX = (
    "sn_spend_intg_imp_invoice",
    "sn_spend_intg_imp_invoice_line",
    "sn_spend_intg_imp_invoice_tax_line",
)
"""The staging tables that the API fills; it knows no others."""
NUMBER, SOURCE, ERP, LINE_NUMBER = (
    "u_external_invoice_number",
    "u_external_invoice_source",
    "u_erp_source",
    "u_erp_line_number",
)
NO_FIELDS = frozenset({SOURCE, ERP, LINE_NUMBER})
AMOUNTS = frozenset(
    "u_subtotal u_shipping_amount u_other_charges u_discounts u_amount_invoiced u_tax_amount u_line_unit_price "
    "u_line_amount_invoiced".split()
)
RENAMED = {"u_supplier_tax_rate": "tax_rate"}

Row = Mapping[str, Any]
_MINUS = re.compile(r"-(\d+(?:\.\d+)?)", re.ASCII)


def misfits(entity: str, route: Route) -> list[str]:
    """Why the API cannot carry the entity by this route; empty when it can."""
    found = []
    if entity not in (Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO):
        return ["it takes invoices and credit memos only"]
    if (route.head.table, route.line.table) != (HEADER, LINE):
        found.append(f"it fills {HEADER} and {LINE} only")
    if route.allocation is not None:
        found.append("it has no place for allocations")
    if route.tax is not None and route.tax.table != TAX:
        found.append(f"it fills {TAX} with taxes only")
    missing = sorted({NUMBER, SOURCE, ERP} - route.head.columns.keys())
    if missing or NUMBER not in route.head.key:
        found.append(f"the header needs {', '.join(missing or [NUMBER])}, the number in its key")
    return found


def key(document: MappedDocument) -> str:
    """What the invoice is found by."""
    return document.header.columns[NUMBER]


def invoice_json(document: MappedDocument, form: ApInvoiceForm) -> dict[str, Any]:
    """The invoice as an entry of ``invoices``. Empty columns and removed lines are left out: it is a new invoice."""
    number = key(document)
    invoice: dict[str, Any] = _fields(document.header, form)
    lines: dict[str, dict[str, Any]] = {}
    for row in document.rows[1:]:
        if row.table == LINE and not row.removed:
            lines[row.where] = {"external_invoice_number": number} | _fields(row, form)
    for row in document.rows[1:]:
        if row.table == TAX and not row.removed:
            tax = _fields(row, form)
            tax.pop("external_invoice_number", None)
            (lines[row.where] if row.where else invoice).setdefault("tax_details", []).append(tax)
    return invoice | {"invoice_lines": list(lines.values())}


def packed(sizes: Sequence[int], *, most: int, largest: int) -> list[list[int]]:
    """Positions by call: in order, at most `most` a call, at most `largest` bytes a call; a single one may be larger."""
    calls: list[list[int]] = []
    used = 0
    for position, size in enumerate(sizes):
        if not calls or len(calls[-1]) >= most or used + size > largest:
            calls.append([])
            used = 0
        calls[-1].append(position)
        used += size
    return calls


def _fields(row: StagingRow, form: ApInvoiceForm) -> dict[str, Any]:
    return {
        RENAMED.get(name, name.removeprefix("u_")): text
        for name, text in texts(row, form).items()
        if text and name not in NO_FIELDS
    }


def texts(row: StagingRow, form: ApInvoiceForm) -> dict[str, str]:
    """The row's columns as the API carries them; without a value: empty."""
    texts = {}
    for name in row.names:
        text = "" if name in row.empty else row.columns[name]
        if form.negative == "brackets" and name in AMOUNTS:
            text = _MINUS.sub(r"(\1)", text)
        texts[name] = text
    return texts


@dataclass(frozen=True, slots=True)
class Entry:
    """What the log says of one invoice: it was ``done`` or has ``failed`` (perhaps in part), or that is still ``open``."""

    state: Literal["done", "failed", "open"]
    message: str = ""
    sys_id: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """What the log says of one batch: it has a row for each invoice, or one for the whole batch."""

    by_number: Mapping[str, Entry]
    whole: Entry

    def of(self, number: str) -> Entry:
        """What it says of this invoice."""
        return self.by_number.get(number, self.whole)


def log_entries(rows: Iterable[Row], form: ApInvoiceForm) -> Entries:
    """What the rows of one batch say."""
    by_number, whole = {}, Entry("open")
    for row in rows:
        number = row.get(form.log_number)
        if number:
            by_number[str(number)] = _entry(row, form)
        else:
            # A row for the whole batch may name one of its invoices, which says nothing about the others.
            whole = replace(_entry(row, form), sys_id="")
    return Entries(by_number, whole)


def still_open(rows: Iterable[Row], number: str, form: ApInvoiceForm) -> bool:
    """Whether a batch may be on its way that has the invoice in it."""
    return any(
        row.get(form.log_number, "") in ("", number) and _entry(row, form).state == "open"
        for row in rows
        if row.get(form.log_batch)
    )


def _entry(row: Row, form: ApInvoiceForm) -> Entry:
    status = row.get(form.log_status)
    # An unknown word is not final: better to look again than to believe.
    state: Literal["done", "failed", "open"] = (
        "done" if status in form.done else "failed" if status in form.failed else "open"
    )
    message, invoice = row.get(form.log_message), row.get(form.log_invoice)
    return Entry(state, str(message or ""), str(invoice or ""))


def grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """The rows by the text of a column; those without one are left out."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.get(column):
            found.setdefault(str(row[column]), []).append(row)
    return found
