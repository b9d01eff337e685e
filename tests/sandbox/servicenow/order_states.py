"""States that are worked out and never set: of order lines from quantities, of orders from their lines.

Source: the vendor's "Purchase requisition, purchase order and service request states". Stored values are numbers, of which
only 20 (at the supplier) is published; the others here keep the published order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.store import Row, Store
from tests.sandbox.servicenow.values import number

STATES = (
    ("1", "Processing"),
    ("5", "Pending Revision"),
    ("10", "Pending Submission"),
    ("20", "Pending Supplier Confirmation"),
    ("30", "Ordered"),
    ("40", "Partially Delivered"),
    ("50", "Delivered"),
    ("60", "Payment Pending"),
    ("70", "Pending Return"),
    ("80", "Pending Cancellation"),
    ("90", "Closed Paid"),
    ("91", "Closed Returned"),
    ("92", "Closed Released"),
    ("93", "Closed Canceled"),
)
PROCESSING, ORDERED, PARTIAL, DELIVERED, CANCELED = "1", "30", "40", "50", "93"
STATE = Column("state", default=PROCESSING, choices=STATES, calculated=True)

PROCUREMENT_STATES = (
    ("requested", "Requested"),
    ("ordered", "Ordered"),
    ("pending_delivery", "Pending Delivery"),
    ("received", "Received"),
    ("canceled", "Canceled"),
    ("suspended", "Suspended"),
)
PROCUREMENT_STATUS = Column("status", default="requested", choices=PROCUREMENT_STATES, calculated=True)


class OrderStates:
    """Keeps the states in step with every write to orders, lines and receipts."""

    def __init__(self, store: Store, follow_status: Callable[[], bool]) -> None:
        self._store = store
        self._follow_status = follow_status
        store.watch("sn_shop_purchase_order", lambda row: self._order(row["sys_id"]))
        store.watch("sn_shop_purchase_order_line", self._line)
        store.watch("sn_shop_receipt", self._receipt)
        store.watch("proc_po_item", self._item)

    def _receipt(self, row: Row) -> None:
        line = self._store.get("sn_shop_purchase_order_line", row["purchase_order_line"])
        if line is not None:
            self._line(line)

    def _line(self, line: Row) -> None:
        received = self._received(line["sys_id"])
        values = {
            "state": _line_state(number(line["purchased_quantity"]), received),
            "received_quantity": str(received),
        }
        self._store.derive("sn_shop_purchase_order_line", line["sys_id"], values)
        self._order(line["purchase_order"])

    def _received(self, line_id: str) -> Decimal:
        receipts = self._store.find("sn_shop_receipt", {"purchase_order_line": line_id})
        return sum((number(row["quantity_received"]) or Decimal() for row in receipts), Decimal())

    def _order(self, sys_id: str) -> None:
        if not sys_id or self._store.get("sn_shop_purchase_order", sys_id) is None:
            return
        lines = self._store.find("sn_shop_purchase_order_line", {"purchase_order": sys_id})
        state = _order_state({row["state"] for row in lines})
        values = {"state": state} | ({"status": state} if lines and self._follow_status() else {})
        self._store.derive("sn_shop_purchase_order", sys_id, values)

    def _item(self, item: Row) -> None:
        ordered, received = number(item["ordered_quantity"]), number(item["received_quantity"]) or Decimal()
        status = "requested"
        if received > 0:
            status = "received" if ordered is not None and received >= ordered else "pending_delivery"
        self._store.derive("proc_po_item", item["sys_id"], {"status": status})
        order = self._store.get("proc_po", item["purchase_order"])
        if order is not None:
            found = {row["status"] for row in self._store.find("proc_po_item", {"purchase_order": order["sys_id"]})}
            overall = found.pop() if len(found) == 1 else "pending_delivery" if found else "requested"
            self._store.derive("proc_po", order["sys_id"], {"status": overall})


def _line_state(quantity: Decimal | None, received: Decimal) -> str:
    if quantity is not None and quantity == 0:
        return CANCELED
    if received > 0:
        return DELIVERED if quantity is not None and received >= quantity else PARTIAL
    return ORDERED


def _order_state(lines: set[str]) -> str:
    if not lines:
        return PROCESSING
    alive = lines - {CANCELED}
    if not alive:
        return CANCELED
    if alive == {DELIVERED}:
        return DELIVERED
    return PARTIAL if alive & {DELIVERED, PARTIAL} else ORDERED
