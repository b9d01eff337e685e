"""Scripts a transform map may name: Python stand-ins for the server-side scripts of the shipped maps.

A source script gives the value of one target column; an event script (onBefore, onAfter) may change the whole row.
Maps name them by their key in `SOURCE_SCRIPTS` and `EVENT_SCRIPTS`, which a test may extend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sandbox.servicenow.attachment_files import copy_files
from tests.sandbox.servicenow.store import Row, Store


class RowError(Exception):
    """The row cannot be transformed; the message reaches the client. `code` is the row error code."""

    def __init__(self, message: str, code: int = 900) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Transform:
    """One staging row on its way through one map, as scripts see it."""

    store: Store
    source: Row
    target_table: str
    target: dict[str, str] = field(default_factory=dict)
    existing: Row | None = None
    target_id: str = ""
    ignore: bool = False
    error: bool = False
    status_message: str = ""
    error_message: str = ""
    response: dict[str, str] = field(default_factory=dict)

    def erp_source(self) -> str:
        """The sys_id of the ERP source the row names; empty when there is none such."""
        found = self.store.find("sn_fin_erp_source", {"name": self.source["u_erp_source"]})
        return found[0]["sys_id"] if found else ""


# The entry's reference table and referenced column, and the source text, give the value.
SourceScript = Callable[[Transform, str, str, str], str]
EventScript = Callable[[Transform], None]


def within_erp_source(transform: Transform, table: str, column: str, text: str) -> str:
    """The record of the row's own ERP source; the same code under another source is another record."""
    found = transform.store.find(table, {column: text, "erp_source": transform.erp_source()})
    return found[0]["sys_id"] if found else ""


def order_of_line(transform: Transform, table: str, column: str, text: str) -> str:
    """The purchase order a line belongs to; a line that comes before its order is an error."""
    found = within_erp_source(transform, table, column, text)
    if not found:
        raise RowError(f"Purchase order {text} of ERP source {transform.source['u_erp_source']} does not exist")
    return found


def invoice_of_line(transform: Transform, table: str, column: str, text: str) -> str:
    """The invoice a line belongs to; a line that comes before its invoice is an error."""
    source = transform.source["u_external_invoice_source"]
    key = {column: text, "external_invoice_source": source, "erp_source": transform.erp_source()}
    found = transform.store.find(table, key)
    if not found:
        raise RowError(
            f"Invoice {text} of source {source} and ERP source {transform.source['u_erp_source']} does not exist"
        )
    return found[0]["sys_id"]


def line_of_order(transform: Transform, table: str, column: str, text: str) -> str:
    """The line of the purchase order the row names, within its ERP source."""
    order = transform.source["u_erp_po_number"]
    found = within_erp_source(transform, "sn_shop_purchase_order", "erp_number", order)
    lines = transform.store.find(table, {"purchase_order": found, column: text}) if found else []
    if not lines:
        raise RowError(f"Line {text} of purchase order {order} does not exist")
    return lines[0]["sys_id"]


def line_of_invoice(transform: Transform, table: str, column: str, text: str) -> str:
    """The line of the invoice the row names by its external number and source."""
    number = transform.source["u_external_invoice_number"]
    invoice = invoice_of_line(transform, "sn_shop_invoice", "external_invoice_number", number)
    lines = transform.store.find(table, {"invoice": invoice, column: text})
    if not lines:
        raise RowError(f"Line {text} of invoice {number} does not exist")
    return lines[0]["sys_id"]


def one_allocation_per_type(transform: Transform) -> None:
    """An invoice line takes one allocation of each type."""
    key = {name: transform.target.get(name, "") for name in ("invoice_line", "allocation_type")}
    if key["invoice_line"] and transform.store.find(transform.target_table, key):
        raise RowError(
            "Allocation type already exists for this invoice line. Verify the information is correct before proceeding."
        )


def company_of_supplier(transform: Transform) -> None:
    """An onboarded supplier has a company record, which systems without the add-on read."""
    if transform.source["u_onboarded"].casefold() not in {"true", "yes", "1"} or not transform.target_id:
        return
    supplier = transform.store.get(transform.target_table, transform.target_id)
    if supplier is not None and not supplier["company"]:
        company = transform.store.insert("core_company", {"name": supplier["legal_name"], "vendor": "true"})
        transform.store.update(transform.target_table, supplier["sys_id"], {"company": company})


def copy_attachments(transform: Transform) -> None:
    """Files on the staging row go to the record it became."""
    if transform.target_id:
        copy_files(transform.store, transform.source["sys_id"], transform.target_table, transform.target_id)


SOURCE_SCRIPTS: dict[str, SourceScript] = {
    "withinErpSource": within_erp_source,
    "orderOfLine": order_of_line,
    "invoiceOfLine": invoice_of_line,
    "lineOfOrder": line_of_order,
    "lineOfInvoice": line_of_invoice,
}
EVENT_SCRIPTS: dict[str, EventScript] = {
    "oneAllocationPerType": one_allocation_per_type,
    "companyOfSupplier": company_of_supplier,
    "copyAttachments": copy_attachments,
}
