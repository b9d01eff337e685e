"""The scheduled jobs around staging and invoices: retries, checks, approvals, clean-up.

Source: the vendor's "Purchase order integration", "Create an invoice using integration" and "Delete import sets" pages. How
often the retry runs is not published; here it is hourly.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal

from tests.sandbox.servicenow.import_sets import ImportSets
from tests.sandbox.servicenow.instance import Instance
from tests.sandbox.servicenow.jobs import Jobs
from tests.sandbox.servicenow.store import Row
from tests.sandbox.servicenow.values import number

RETRIGGER = "Retrigger failed order line import set records"
INVOICES = "Process draft invoices"
DELETER = "Import Set Deleter"
NEEDED = ("supplier", "legal_entity", "invoice_date", "external_invoice_number", "invoice_amount")


class StagingJobs:
    """The jobs' bodies; `schedule` puts them on the clock."""

    def __init__(self, instance: Instance, imports: ImportSets) -> None:
        self._instance = instance
        self._store = instance.store
        self._imports = imports

    def schedule(self, jobs: Jobs) -> None:
        """Puts the jobs on the clock; the daily one runs at midnight."""
        jobs.schedule(RETRIGGER, timedelta(hours=1), self.retrigger)
        jobs.schedule(INVOICES, timedelta(minutes=30), self.invoices)
        midnight = self._instance.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        jobs.schedule(DELETER, timedelta(days=1), self._imports.end_the_day, first=midnight + timedelta(days=1))

    def retrigger(self) -> None:
        """Transforms order lines once more that were in error, most often because their order was not there yet."""
        table = "sn_fcms_intg_imp_order_line"
        for row_id in [row["sys_id"] for row in self._store.find(table, {"sys_import_state": "error"})]:
            self._imports.transform(table, row_id)

    def invoices(self) -> None:
        """Marks suspected duplicates among Drafts; approves the complete ones where the switch is on."""
        for sys_id in [row["sys_id"] for row in self._store.find("sn_shop_invoice", {"state": "draft"})]:
            row = self._store.find("sn_shop_invoice", {"sys_id": sys_id})[0]
            if self._duplicate(row):
                self._store.update("sn_shop_invoice", sys_id, {"state": "suspected_duplicate"})
            elif self._instance.switches.approve_complete_drafts and self._complete(row):
                self._store.update("sn_shop_invoice", sys_id, {"state": "approved"})

    def _duplicate(self, row: Row) -> bool:
        """Whether an earlier invoice of the supplier has the same number and amount."""
        if not row["supplier"] or not row["supplier_invoice_number"]:
            return False
        key = {name: row[name] for name in ("supplier", "supplier_invoice_number", "invoice_amount")}
        return self._store.find("sn_shop_invoice", key)[0]["sys_id"] != row["sys_id"]

    def _complete(self, row: Row) -> bool:
        """Whether nothing is missing and the lines add up to the subtotal."""
        lines = self._store.find("sn_shop_invoice_line", {"invoice": row["sys_id"]})
        total = sum((number(line["sub_total"]) or Decimal() for line in lines), Decimal())
        return bool(lines) and all(row[name] for name in NEEDED) and number(row["subtotal"]) == total
