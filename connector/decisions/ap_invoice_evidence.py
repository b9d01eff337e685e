"""What became of an invoice by what ServiceNow has of it: the invoice itself and the rows that were staged for it.

This answers what an acceptance and a lost answer leave open: whether an invoice is there, in which version, and which of its
rows were refused. A version is known again by the values of its columns, because nothing else goes along with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from connector.decisions.answers import RowResult
from connector.decisions.ap_invoices import HEADER, LINE, LINE_NUMBER, NO_FIELDS, SOURCE, TAX, texts
from connector.decisions.mapping import MappedDocument, StagingRow
from connector.setting_words import ApInvoiceForm

TARGET = "sn_shop_invoice"
ORDER = "u_purchase_order"
STATE, COMMENT, STAGED_TARGET = "sys_import_state", "sys_import_state_comment", "sys_target_sys_id"
CREATED = "sys_created_on"
TAKEN = frozenset({"inserted", "updated", "ignored"})
FAILED = frozenset({"error", "skipped"})

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What ServiceNow has of one invoice: the invoice itself, the numbers of its lines, and the staged rows by table, oldest
    first. Rows staged before `since` (in ServiceNow's form) that were not transformed will not be."""

    invoice: Row | None
    line_numbers: tuple[str, ...]
    staged: Mapping[str, Sequence[Row]]
    since: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """``absent``: nothing was made of it; `results`, if any, say why. ``pending``: it is being worked on. ``same``: this very
    version was staged, and `results` say row by row what became of it. ``other``: the invoice is there, in another version
    or in part."""

    state: Literal["absent", "pending", "same", "other"]
    results: Mapping[int, RowResult]


def finding(document: MappedDocument, evidence: Evidence, form: ApInvoiceForm) -> Finding:
    """What became of the invoice by the evidence of what was staged for it."""
    headers = evidence.staged.get(HEADER, ())
    untouched = [row for rows in evidence.staged.values() for row in rows if row.get(STATE) not in TAKEN | FAILED]
    if any(str(row.get(CREATED)) >= evidence.since for row in untouched):
        return Finding("pending", {})
    versions = [row for row in headers if row.get(STATE) in TAKEN]
    if evidence.invoice is None and not versions:
        refused = [row for row in headers if _equal(document.header, row, form)]
        return Finding("absent", {0: _refused(refused[-1])} if refused else {})
    if not versions or any(not _equal(document.header, row, form) for row in versions):
        return Finding("other", {})
    sys_id = str((evidence.invoice or {}).get("sys_id") or versions[-1].get(STAGED_TARGET) or "")
    results = {0: RowResult("accept", "inserted", sys_id=sys_id, target=TARGET)}
    for table in (LINE, TAX):
        found = _matched(document, table, evidence.staged.get(table, ()), form)
        if found is None:
            return Finding("other", {})
        results |= found
    return Finding("same", results)


def lacks_order(document: MappedDocument, evidence: Evidence, form: ApInvoiceForm) -> bool:
    """Whether the invoice names an order and does not point to one: the order was not there yet when the invoice came."""
    return bool(document.header.columns.get(ORDER)) and (evidence.invoice or {}).get(form.invoice_order) == ""


def taken(document: MappedDocument, sys_id: str) -> dict[int, RowResult]:
    """Results that say that every row was taken."""
    return {
        row: RowResult("accept", "inserted", sys_id="" if row else sys_id, target="" if row else TARGET)
        for row in range(len(document.rows))
    }


def _matched(
    document: MappedDocument, table: str, staged: Sequence[Row], form: ApInvoiceForm
) -> dict[int, RowResult] | None:
    """Results of the document's rows of the table by staged rows that equal them; None when they are not the same rows."""
    left = [row for row in staged if row.get(STATE) in TAKEN]
    failed = [row for row in staged if row.get(STATE) in FAILED]
    results = {}
    for position, row in enumerate(document.rows):
        if row.table != table:
            continue
        if row.removed:
            results[position] = RowResult("accept", "ignored", "it never was there")
            continue
        good = next((one for one in left if _equal(row, one, form)), None)
        bad = next((one for one in reversed(failed) if _equal(row, one, form)), None)
        if good is not None:
            left.remove(good)
            results[position] = RowResult("accept", "inserted", sys_id=str(good.get(STAGED_TARGET) or ""))
        elif bad is not None:
            results[position] = _refused(bad)
        else:
            return None
    own = [row for row in document.rows if row.table == table and not row.removed]
    if any(not any(_equal(row, one, form) for row in own) for one in left):
        return None
    return results


def _refused(staged: Row) -> RowResult:
    return RowResult("park", str(staged.get(STATE)), str(staged.get(COMMENT) or "no reason given").strip())


def _equal(row: StagingRow, staged: Row, form: ApInvoiceForm) -> bool:
    for name, text in texts(row, form).items():
        held = str(staged.get(name) or "")
        emptied = name in row.empty and held == row.columns.get(name)
        if name not in NO_FIELDS and held != text and not emptied:
            return False
    return True


def rekeyed(document: MappedDocument, evidence: Evidence, form: ApInvoiceForm) -> MappedDocument | None:
    """The document with the keys of the invoice that is there, so that a later version changes it instead of adding to it.

    The API names the source by its own header and numbers lines itself. A line is known again by its number, else by what was
    staged for it, else by its place among the lines that are left; None when it cannot be told which line is which.
    """
    numbers = _line_numbers(document, evidence, form)
    if numbers is None:
        return None
    source = str((evidence.invoice or {}).get(form.invoice_source) or "")
    rows = []
    for row in document.rows:
        changed = {SOURCE: source} if source else {}
        if row.where in numbers:
            changed[LINE_NUMBER] = numbers[row.where]
        rows.append(_with(row, changed))
    return replace(document, rows=tuple(rows))


def _line_numbers(document: MappedDocument, evidence: Evidence, form: ApInvoiceForm) -> dict[str, str] | None:
    """The numbers that lines have in ServiceNow, by their place in the document, where these are not BC's own."""
    lines = [row for row in document.rows if row.table == LINE]
    own = {row.columns.get(LINE_NUMBER, "") for row in lines}
    strange = set(evidence.line_numbers) - own
    if not strange:
        return {}
    earlier = {str(number) for number in document.earlier or ()}
    unknown = [
        row for row in lines if row.columns.get(LINE_NUMBER) not in evidence.line_numbers and row.where in earlier
    ]
    staged = [row for row in evidence.staged.get(LINE, ()) if row.get(LINE_NUMBER) and row[LINE_NUMBER] not in own]
    numbers: dict[str, str] = {}
    for row in unknown:
        match = next(
            (one for one in staged if _equal(row, one, form) and one[LINE_NUMBER] not in numbers.values()), None
        )
        if match is not None:
            numbers[row.where] = str(match[LINE_NUMBER])
    lines_left = sorted((row.where for row in unknown if row.where not in numbers), key=int)
    numbers_left = strange - set(numbers.values())
    if len(lines_left) != len(numbers_left) or not all(text.isascii() and text.isdigit() for text in numbers_left):
        return None
    return numbers | dict(zip(lines_left, sorted(numbers_left, key=int), strict=True))


def _with(row: StagingRow, changed: Mapping[str, str]) -> StagingRow:
    return replace(
        row, columns=dict(row.columns) | {name: text for name, text in changed.items() if name in row.columns}
    )
