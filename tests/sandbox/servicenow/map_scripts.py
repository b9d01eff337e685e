"""Scripts a transform map may name: Python stand-ins for the server-side scripts of the shipped maps.

A source script gives the value of one target column; an event script (onBefore, onAfter) may change the whole row.
Maps name them by their key in `SOURCE_SCRIPTS` and `EVENT_SCRIPTS`, which a test may extend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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


SOURCE_SCRIPTS: dict[str, SourceScript] = {
    "withinErpSource": within_erp_source,
    "orderOfLine": order_of_line,
    "invoiceOfLine": invoice_of_line,
}
EVENT_SCRIPTS: dict[str, EventScript] = {}
