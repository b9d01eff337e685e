"""Edits of documents, as users of the application make them, and what each does to the header's stamp.

The stamp that the API shows belongs to a buffer row beside the document. It is rewritten when a line is added or removed,
when a line's change touches amounts, when "completely received" flips, and when a header property that the buffer holds
changes. It is not rewritten by a line's description, expected receipt date, location or dimensions, nor by a header
dimension that is not global. With `ideal_stamps` every edit rewrites it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from tests.sandbox.business_central.amounts import (
    compute,
    decimal_of,
    discount_from_percent,
    percent_from_discount,
)
from tests.sandbox.business_central.records import Document, Line, Row, Value
from tests.sandbox.business_central.store import CompanyState, Record

AMOUNT_PROPERTIES = frozenset(
    {"quantity", "directUnitCost", "unitCost", "discountAmount", "discountPercent", "taxCode", "taxPercent"}
)
COMPUTED_HEADER = frozenset({"discountAmount", "pricesIncludeTax", "currencyCode"})
# The buffer of an invoice holds these, that of an order does not.
UNBUFFERED = {
    "purchaseOrders": frozenset({"dueDate", "vendorInvoiceNumber", "vendorOrderNumber", "expectedReceiptDate"}),
    "purchaseInvoices": frozenset[str](),
}


class Edits:
    """Changes documents and moves their stamps by the rules above."""

    def __init__(self, now: Callable[[], datetime], *, ideal_stamps: bool) -> None:
        self._now = now
        self.ideal_stamps = ideal_stamps
        # Set while a transaction commits that wrote its stamps some time ago.
        self.stamps_at: datetime | None = None

    def edit_line(self, state: CompanyState, line: Record, changes: Row) -> None:
        """Changes properties of a line; amounts of the whole document follow."""
        document = line.parent
        if document is None:
            raise ValueError("only lines of documents can be edited here")
        _check_known(line, changes)
        changed = {name: value for name, value in changes.items() if line.values[name] != value}
        line.values.update(changed)
        touches_amounts = not AMOUNT_PROPERTIES.isdisjoint(changed) and line.values["lineType"] != "Comment"
        if touches_amounts:
            precision = state.precision(document)
            if "discountAmount" in changed:
                percent_from_discount(line.values, precision)
            else:
                discount_from_percent(line.values, precision)
            recompute(state, document)
        state.write(line)
        flipped = _update_received(document) if "receivedQuantity" in changed or "quantity" in changed else False
        self._touch(state, document, buffered=touches_amounts or flipped)

    def add_line(self, state: CompanyState, document: Record, line: Line) -> Record:
        """Adds a line and computes the document again."""
        record = state.add_line(document, line)
        recompute(state, document)
        self._touch(state, document, buffered=True)
        return record

    def remove_line(self, state: CompanyState, line: Record) -> None:
        """Removes a line and computes the document again."""
        document = line.parent
        if document is None:
            raise ValueError("only lines of documents can be removed here")
        state.remove(line)
        recompute(state, document)
        self._touch(state, document, buffered=True)

    def edit_header(self, state: CompanyState, document: Record, changes: Row) -> None:
        """Changes properties of a document or of a master data row."""
        unbuffered = UNBUFFERED.get(document.entity.name, frozenset[str]())
        _check_known(document, {name: value for name, value in changes.items() if name not in unbuffered})
        changed = {name: value for name, value in changes.items() if document.values.get(name) != value}
        document.values.update(changed)
        for number in (1, 2):
            if f"shortcutDimension{number}Code" in changed:
                _take_over_shortcut(state, document, number)
        if document.entity.source == "documents" and not COMPUTED_HEADER.isdisjoint(changed):
            recompute(state, document)
        if changed and changed.keys() <= unbuffered:
            state.tell("kept", document)
        self._touch(state, document, buffered=bool(changed.keys() - unbuffered))

    def set_dimension(self, state: CompanyState, owner: Record, code: str, value_code: str) -> None:
        """Sets, or with a blank value removes, one dimension of a document or line."""
        if value_code:
            owner.dimensions[code] = value_code
        else:
            owner.dimensions.pop(code, None)
        shortcut = 0
        if owner.parent is None:
            shortcut = next((number for number in (1, 2) if state.global_dimension(number) == code), 0)
        if shortcut:
            owner.values[f"shortcutDimension{shortcut}Code"] = value_code
        if owner.parent is not None:
            state.write(owner)
        else:
            state.tell("kept", owner)
        self._touch(state, owner.parent or owner, buffered=bool(shortcut))

    def touch(self, state: CompanyState, record: Record) -> None:
        """Rewrites the row: new version, new stamp."""
        record.values["lastModifiedDateTime"] = self.stamp()
        state.write(record)

    def today(self) -> date:
        """The day it is, which new documents are dated with."""
        return self.stamp().date()

    def _touch(self, state: CompanyState, document: Record, *, buffered: bool) -> None:
        if buffered or self.ideal_stamps:
            self.touch(state, document)

    def stamp(self) -> datetime:
        """What a row that is written now is stamped with."""
        now = self.stamps_at or self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def as_document(record: Record) -> Document:
    """A copy of the document as plain data."""
    return Document(
        dict(record.values),
        [Line(dict(line.values), dict(line.dimensions)) for line in record.lines],
        dict(record.dimensions),
        record.dangling,
    )


def recompute(state: CompanyState, document: Record) -> None:
    """Computes all amounts of a document; rows whose amounts change get a new version, but no stamp."""
    before = [dict(line.values) for line in document.lines]
    compute(
        Document(document.values, [Line(line.values, line.dimensions) for line in document.lines]),
        state.precision(document),
    )
    document.rendered.clear()
    for line, old in zip(document.lines, before, strict=True):
        if line.values != old:
            state.write(line)


def _take_over_shortcut(state: CompanyState, document: Record, number: int) -> None:
    code = state.global_dimension(number)
    if not code:
        return
    value_code = str(document.values[f"shortcutDimension{number}Code"])
    if value_code:
        document.dimensions[code] = value_code
    else:
        document.dimensions.pop(code, None)


def _update_received(document: Record) -> bool:
    if "fullyReceived" not in document.values:
        return False
    countable = [line.values for line in document.lines if decimal_of(line.values, "quantity")]
    complete = bool(countable) and all(
        decimal_of(line, "receivedQuantity") == decimal_of(line, "quantity") for line in countable
    )
    flipped: bool = document.values["fullyReceived"] != complete
    document.values["fullyReceived"] = complete
    return flipped


def _check_known(record: Record, changes: dict[str, Value]) -> None:
    for name in changes:
        # A row may hold more than this API shows.
        if name not in record.entity.by_name and name not in record.values:
            raise KeyError(f"{record.entity.name} has no property {name}")
