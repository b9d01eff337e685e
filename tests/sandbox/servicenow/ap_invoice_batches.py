"""What becomes of an accepted AP Invoice payload: staging rows of invoices, lines and taxes, their maps, files, the log."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.sandbox.servicenow import ap_invoice_tables as tables
from tests.sandbox.servicenow.attachment_files import File, save
from tests.sandbox.servicenow.import_sets import ImportSets
from tests.sandbox.servicenow.instance import Instance
from tests.sandbox.servicenow.values import changed_form

Body = dict[str, Any]
RESERVED_NAMES = "SD_"
DATE_PARTS = (
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%m"),
    ("DD", "%d"),
    ("D", "%d"),
)


@dataclass(frozen=True)
class ApBatch:
    """One accepted payload."""

    id: str
    source_system: str
    target_erp: str
    invoices: tuple[Body, ...]
    user: str


class ApBatches:
    """Stages and transforms batches, an invoice at a time, header before lines before taxes."""

    def __init__(self, instance: Instance, imports: ImportSets) -> None:
        self._instance = instance
        self._store = instance.store
        self._imports = imports

    def received(self, batch: ApBatch) -> None:
        """Notes the batch in the log."""
        numbers = [changed_form(invoice.get("external_invoice_number")) for invoice in batch.invoices]
        for number in numbers if self._instance.switches.log_each_invoice else [""]:
            row = {"batch_id": batch.id, "source_system": batch.source_system, "external_invoice_number": number}
            self._store.insert(tables.LOG, row)

    def processed(self, batch: ApBatch) -> Iterator[float]:
        """The steps of processing; each tells its seconds before it is done."""
        log = [row["sys_id"] for row in self._store.find(tables.LOG, {"batch_id": batch.id})]
        sets: dict[str, str] = {}
        failures: list[tuple[str, ...]] = []
        for position, invoice in enumerate(batch.invoices):
            yield self._imports.seconds(tables.INVOICE)
            invoice_id, problems = self._invoice(batch, invoice, sets)
            failures.append(tuple(problems))
            if self._instance.switches.log_each_invoice:
                self._report(log[position], invoice_id, problems)
        for set_id in sets.values():
            self._store.update("sys_import_set", set_id, {"state": "processed"})
        if not self._instance.switches.log_each_invoice:
            problems = [problem for found in failures for problem in found]
            self._report(log[0], "" if all(failures) else "some", problems)

    def _report(self, log_id: str, invoice_id: str, problems: list[str]) -> None:
        status = tables.FAILED if not invoice_id else tables.PARTLY if problems else tables.DONE
        changes = {"status": status, "message": "\n".join(problems)}
        if self._store.get("sn_shop_invoice", invoice_id) is not None:
            changes["invoice"] = invoice_id
        self._store.update(tables.LOG, log_id, changes)

    def _invoice(self, batch: ApBatch, invoice: Body, sets: dict[str, str]) -> tuple[str, list[str]]:
        problems: list[str] = []
        number = changed_form(invoice.get("external_invoice_number"))
        linked = {
            "u_external_invoice_number": number,
            "u_external_invoice_source": batch.source_system,
            "u_erp_source": changed_form(invoice.get("target_erp")) or batch.target_erp,
        }
        header = self._mapped(batch, tables.INVOICE, invoice) | linked
        header["u_invoice_date"] = iso_date(header.get("u_invoice_date", ""), changed_form(invoice.get("date_format")))
        row_id, invoice_id = self._import(batch, tables.INVOICE, header, sets, problems)
        files = [*_listed(invoice, "invoice_copy_attachment"), *_listed(invoice, "supporting_attachments")]
        self._attach(
            batch, files, ("sn_shop_invoice", invoice_id) if invoice_id else (tables.INVOICE, row_id), problems
        )
        self._taxes(batch, invoice, linked, sets, problems)
        for position, line in enumerate(_listed(invoice, "invoice_lines"), start=1):
            own = linked | {"u_erp_line_number": str(position)}
            values = self._mapped(batch, tables.LINE, line) | own
            line_row, line_id = self._import(batch, tables.LINE, values, sets, problems)
            target = ("sn_shop_invoice_line", line_id) if line_id else (tables.LINE, line_row)
            self._attach(batch, _listed(line, "attachments"), target, problems)
            self._taxes(batch, line, own, sets, problems)
        return invoice_id, problems

    def _taxes(
        self, batch: ApBatch, holder: Body, linked: dict[str, str], sets: dict[str, str], problems: list[str]
    ) -> None:
        for tax in _listed(holder, "tax_details"):
            self._import(batch, tables.TAX_LINE, self._mapped(batch, tables.TAX_LINE, tax) | linked, sets, problems)

    def _mapped(self, batch: ApBatch, table: str, entry: Body) -> dict[str, str]:
        columns = tables.mapping(self._store, batch.source_system, table)
        return {columns[name]: changed_form(value) for name, value in entry.items() if name in columns}

    def _import(
        self, batch: ApBatch, table: str, values: dict[str, str], sets: dict[str, str], problems: list[str]
    ) -> tuple[str, str]:
        if table not in sets:
            sets[table] = self._imports.new_set(table, mode="asynchronous", state="loaded")["sys_id"]
        row_id = self._imports.stage(sets[table], table, values, by=batch.user)
        target = ""
        for transform_map, outcome in self._imports.transform(table, row_id):
            target = outcome.sys_id or target
            if outcome.status in {"error", "skipped"}:
                problems.append(f"{transform_map.row['name']}: {outcome.error_message or outcome.status_message}")
        return row_id, target

    def _attach(self, batch: ApBatch, files: list[Body], target: tuple[str, str], problems: list[str]) -> None:
        for entry in files:
            name = changed_form(entry.get("file_name") or entry.get("name"))
            if name.startswith(RESERVED_NAMES) or not name:
                problems.append(f"Attachment {name or 'without a name'} is not allowed")
                continue
            try:
                content = base64.b64decode(changed_form(entry.get("content")), validate=True)
            except (binascii.Error, ValueError):
                problems.append(f"Attachment {name} is not base64")
                continue
            kind = changed_form(entry.get("mime_code")) or "application/octet-stream"
            save(self._store, File(name, kind, content), *target, by=batch.user)


def iso_date(text: str, form: str) -> str:
    """A date in the payload's own format as ISO text; what does not fit stays as it is."""
    if not text or not form:
        return text
    pattern = re.sub("|".join(part for part, _ in DATE_PARTS), lambda found: dict(DATE_PARTS)[found[0]], form)
    try:
        return datetime.strptime(text, pattern).strftime("%Y-%m-%d")  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return text


def _listed(body: Body, name: str) -> list[Body]:
    found = body.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
