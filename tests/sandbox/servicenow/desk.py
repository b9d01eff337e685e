"""A ServiceNow sandbox with a clock and a client in one place: what tests of the import path start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.shipped import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, InProcess

BASE = "https://example.service-now.com"
ORDER, ORDER_LINE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line"
INVOICE, INVOICE_LINE = "sn_spend_intg_imp_invoice", "sn_spend_intg_imp_invoice_line"
RECEIPT = "sn_fcms_intg_imp_receipt"


class Desk:
    """A simulator, its clock and a client."""

    def __init__(self, *, row_seconds: float = 0.0) -> None:
        self.time = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
        self.simulator = ServiceNow(now=lambda: self.time, seed=sample.SEED, row_seconds=row_seconds)
        self.tables = self.simulator.tables
        transport = InProcess(Exchange(self.simulator.handle))
        self.client = httpx.Client(transport=transport, base_url=BASE, auth=(CONNECTOR_USER, CONNECTOR_PASSWORD))

    def answer(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """The whole answer to an import."""
        answer = self.client.post(f"/api/now/import/{table}", json=row)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def post(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """The only result of an import."""
        (result,) = self.answer(table, row)["result"]
        found: dict[str, Any] = result
        return found

    def change_map(self, name: str, **changes: str) -> None:
        """Changes a transform map."""
        (row,) = self.tables.find("sys_transform_map", {"name": name})
        self.tables.update("sys_transform_map", row["sys_id"], changes)

    def change_entry(self, map_name: str, target_field: str, /, **changes: str) -> None:
        """Changes the field map of a target column."""
        (row,) = self.tables.find("sys_transform_map", {"name": map_name})
        (entry,) = self.tables.find("sys_transform_entry", {"map": row["sys_id"], "target_field": target_field})
        self.tables.update("sys_transform_entry", entry["sys_id"], changes)

    def staged(self, table: str) -> dict[str, str]:
        """The newest row of a staging table."""
        return self.tables.rows(table)[-1]

    def name(self, table: str, sys_id: str) -> str:
        """The display value of a record."""
        return self.tables.display(table, sys_id)
