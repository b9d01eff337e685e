"""What becomes of documents in the application: orders are released, received and invoiced, invoices posted, paid, cancelled.

Source: the API v2.0 pages of purchase orders and invoices in Microsoft's public source, and the posting they call. A fully
received and invoiced order is deleted. An invoice made from an order gets a new id; a draft invoice keeps its id when posted,
only number and status change.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tests.sandbox.business_central.amounts import ZERO, decimal_of
from tests.sandbox.business_central.data import Data
from tests.sandbox.business_central.dimension_rules import check_usable
from tests.sandbox.business_central.errors import dialog
from tests.sandbox.business_central.posted_documents import invoice_of, next_number, receipt_of
from tests.sandbox.business_central.records import CompanyData, Document, Line, Row
from tests.sandbox.business_central.store import CompanyState, Record

FIRST_INVOICE = 108_001
FIRST_RECEIPT = 107_001


@dataclass(frozen=True)
class Posted:
    """What posting an order has made: ids of the receipt and the invoice; `order_gone`: nothing of the order was left."""

    receipt: str | None
    invoice: str | None
    order_gone: bool


class Posting(Data):
    """The part of the Python interface that posts.

    Switch: `vendor_invoice_number_mandatory`, a setup of the application under which an invoice cannot be posted without the
    vendor's own number. Refusals are those the API would give.
    """

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.vendor_invoice_number_mandatory = False

    def release_order(self, company: str, order: str) -> None:
        """Releases an order: status ``Open``."""
        with self._lock:
            state = self._company(company)
            record = state.find("purchaseOrders", order)
            if not any(decimal_of(line.values, "quantity") for line in record.lines):
                raise dialog(
                    f"There is nothing to release for the document of type Order with the number {_number(record)}."
                )
            self._edits.edit_header(state, record, {"status": "Open"})

    def reopen_order(self, company: str, order: str) -> None:
        """Reopens a released order: status ``Draft``."""
        self.edit_header(company, order, status="Draft")

    def post_order(
        self,
        company: str,
        order: str,
        *,
        receive: bool = True,
        invoice: bool = True,
        quantities: Mapping[int, Decimal] | None = None,
        vendor_invoice_number: str = "",
        day: date | None = None,
    ) -> Posted:
        """Receives and invoices what the lines say is to be received and invoiced, or the given quantities by sequence."""
        with self._lock:
            state = self._company(company)
            record = state.find("purchaseOrders", order)
            if record.values["status"] == "In Review":
                raise dialog(
                    f"Order {_number(record)} must be approved and released before you can perform this action."
                )
            received = _to_receive(record, quantities) if receive else {}
            billed = _to_invoice(record, received, quantities) if invoice else {}
            if not received and not billed:
                raise dialog("There is nothing to post.")
            external = vendor_invoice_number or str(record.values.get("vendorInvoiceNumber") or "")
            if billed:
                self._check_external(external)
            _check_dimensions(state, record, {*received, *billed})
            day = day or self._now().date()
            receipt = self._receipt(state, record, received, day) if received else None
            made = self._invoice(state, record, billed, day, external) if billed else None
            gone = self._settle(state, record, received, billed)
            return Posted(receipt, made, gone)

    def post_invoice(self, company: str, invoice: str) -> str:
        """Posts a draft invoice; its new number."""
        with self._lock:
            state = self._company(company)
            record = state.find("purchaseInvoices", invoice)
            if record.values["status"] != "Draft":
                raise dialog("The action can be applied to a draft invoice only.")
            self._check_external(str(record.values["vendorInvoiceNumber"]))
            _check_dimensions(state, record, {line.id for line in record.lines})
            number = _next_invoice(state)
            self._edits.edit_header(state, record, {"number": number, "status": "Open"})
            return number

    def pay_invoice(self, company: str, invoice: str) -> None:
        """Closes the vendor's ledger entry: a posted invoice becomes ``Paid``."""
        self._change_posted(company, invoice, "Paid")

    def cancel_invoice(self, company: str, invoice: str) -> None:
        """Cancels a posted invoice that is not paid: ``Canceled``."""
        self._change_posted(company, invoice, "Canceled")

    def _change_posted(self, company: str, invoice: str, status: str) -> None:
        with self._lock:
            state = self._company(company)
            record = state.find("purchaseInvoices", invoice)
            if record.values["status"] != "Open":
                raise dialog(f"Invoice {_number(record)} is {record.values['status']}: it cannot become {status}.")
            self._edits.edit_header(state, record, {"status": status})

    def undo_receipt(self, company: str, receipt: str, sequence: int) -> None:
        """Undoes a line of a receipt: a line with the opposite quantity stands behind it, and the order is as before. No
        stamp of the receipt changes."""
        with self._lock:
            state = self._company(company)
            record = state.find("purchaseReceipts", receipt)
            undone = next(line for line in record.lines if line.values["sequence"] == sequence)
            taken = decimal_of(undone.values, "quantity")
            number = sequence + 5000
            values: Row = {"id": str(uuid.uuid5(uuid.UUID(undone.id), "undone"))}
            values |= {"sequence": number, "quantity": -taken}
            state.add_line(record, Line(undone.values | values, dict(undone.dimensions)))
            order = state.find("purchaseOrders", str(record.values["orderNumber"]))
            line = next(line for line in order.lines if line.values["sequence"] == sequence)
            received = decimal_of(line.values, "receivedQuantity") - taken
            left = decimal_of(line.values, "quantity") - received
            self._edits.edit_line(state, line, {"receivedQuantity": received, "receiveQuantity": left})

    def _check_external(self, number: str) -> None:
        if self.vendor_invoice_number_mandatory and not number:
            raise dialog(
                "You need to enter the document number of the document from the vendor in the Vendor Invoice No. field, "
                "so that this document stays linked to the original."
            )

    def _receipt(self, state: CompanyState, order: Record, received: Mapping[str, Decimal], day: date) -> str:
        number = next_number(state.all_of("purchaseReceipts"), FIRST_RECEIPT)
        return self._added(state, "purchaseReceipts", receipt_of(state, order, received, number=number, day=day))

    def _invoice(
        self, state: CompanyState, order: Record, billed: Mapping[str, Decimal], day: date, external: str
    ) -> str:
        number = _next_invoice(state)
        document = invoice_of(state, order, billed, number=number, day=day, vendor_invoice_number=external)
        return self._added(state, "purchaseInvoices", document)

    def _added(self, state: CompanyState, entity: str, document: Document) -> str:
        self._edits.touch(state, state.add_document(entity, document))
        return document.id

    def _settle(
        self, state: CompanyState, order: Record, received: Mapping[str, Decimal], billed: Mapping[str, Decimal]
    ) -> bool:
        """Moves the order's quantities on, or deletes the order when nothing of it is left."""
        changes = {}
        for line in order.lines:
            quantity = decimal_of(line.values, "quantity")
            here = decimal_of(line.values, "receivedQuantity") + received.get(line.id, ZERO)
            paid_for = decimal_of(line.values, "invoicedQuantity") + billed.get(line.id, ZERO)
            changes[line.id] = {
                "receivedQuantity": here,
                "invoicedQuantity": paid_for,
                "receiveQuantity": quantity - here,
                "invoiceQuantity": quantity - paid_for,
            }
        if all(not row["receiveQuantity"] and not row["invoiceQuantity"] for row in changes.values()):
            state.remove(order)
            return True
        for line in list(order.lines):
            if line.id in received or line.id in billed:
                self._edits.edit_line(state, line, dict(changes[line.id]))
        if order.values["status"] == "Draft":
            self._edits.edit_header(state, order, {"status": "Open"})
        return False


def _number(record: Record) -> str:
    return str(record.values["number"])


def _next_invoice(state: CompanyState) -> str:
    posted = [record for record in state.all_of("purchaseInvoices") if record.values["status"] != "Draft"]
    return next_number(posted, FIRST_INVOICE)


def _clamped(wanted: Decimal, most: Decimal) -> Decimal:
    """The wanted quantity, but not beyond what is there; a line that gives back has quantities below zero."""
    return max(wanted, most) if most < 0 else max(ZERO, min(wanted, most))


def _to_receive(order: Record, quantities: Mapping[int, Decimal] | None) -> dict[str, Decimal]:
    found = {}
    for line in order.lines:
        left = decimal_of(line.values, "quantity") - decimal_of(line.values, "receivedQuantity")
        wanted = _wanted(line, "receiveQuantity", quantities)
        found[line.id] = _clamped(wanted, left)
    return {key: quantity for key, quantity in found.items() if quantity}


def _to_invoice(
    order: Record, received: Mapping[str, Decimal], quantities: Mapping[int, Decimal] | None
) -> dict[str, Decimal]:
    found = {}
    for line in order.lines:
        here = decimal_of(line.values, "receivedQuantity") + received.get(line.id, ZERO)
        wanted = _wanted(line, "invoiceQuantity", quantities)
        found[line.id] = _clamped(wanted, here - decimal_of(line.values, "invoicedQuantity"))
    return {key: quantity for key, quantity in found.items() if quantity}


def _wanted(line: Record, prop: str, quantities: Mapping[int, Decimal] | None) -> Decimal:
    if quantities is None:
        return decimal_of(line.values, prop)
    return quantities.get(int(str(line.values["sequence"])), ZERO)


def _check_dimensions(state: CompanyState, document: Record, lines: set[str]) -> None:
    check_usable(state, document.dimensions)
    for line in document.lines:
        if line.id in lines:
            check_usable(state, line.dimensions)
