"""What ServiceNow has of invoices that may have been sent by its AP Invoice API: log rows, invoices, staged rows.

An invalid part of a query is dropped by ServiceNow and the rest runs, and rows that access rules hide are missing without a
word. Either would make an invoice look as if it had never arrived; so both are noticed here, and are an outage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

from connector.decisions.ap_invoice_evidence import COMMENT, CREATED, STAGED_TARGET, STATE, TARGET, Evidence
from connector.decisions.ap_invoices import HEADER, LINE, NO_FIELDS, NUMBER, TAX, grouped, key
from connector.decisions.mapping import MappedDocument
from connector.decisions.queries import any_of
from connector.errors import Outage, Refused
from connector.servicenow.session import READ_TIMEOUT, SYSTEM, ServiceNowSession
from connector.setting_words import ApInvoiceForm

LOG, LINES = "sn_spend_intg_invoice_integration_log", "sn_shop_invoice_line"
ROWS_A_QUERY = 10_000
OPEN_HOURS = 24
"""A batch that is not done after so long will not be."""
WORKED_ON = timedelta(hours=1)
"""A staged row that was not transformed after so long will not be."""

Row = Mapping[str, Any]


class ApInvoiceRecords:
    """Reads what the API reports and makes. All methods raise `Outage`."""

    def __init__(self, session: ServiceNowSession, form: ApInvoiceForm) -> None:
        self._session = session
        self._form = form
        self._log_fields = (form.log_batch, form.log_number, form.log_status, form.log_message, form.log_invoice)

    def log_of_batches(self, batches: Collection[str]) -> dict[str, list[Row]]:
        """The log's rows by batch."""
        column = self._form.log_batch
        rows, _ = self._rows(LOG, any_of(column, batches), self._log_fields)
        self._insist(LOG, column, rows, batches)
        return grouped(rows, column)

    def log_of_invoices(self, numbers: Collection[str]) -> list[Row]:
        """The last day's rows that name one of these invoices, or stand for a whole batch."""
        column = self._form.log_number
        recent = f"sys_created_onRELATIVEGT@hour@ago@{OPEN_HOURS}"
        query = f"{any_of(column, numbers)}^{recent}^NQ{column}ISEMPTY^{recent}"
        return self._rows(LOG, query, self._log_fields)[0]

    def evidence(self, documents: Sequence[MappedDocument], may_go_on: Callable[[], bool]) -> dict[str, Evidence]:
        """What there is of each of these invoices, by its number. `may_go_on` is asked before each request."""
        form = self._form
        numbers = [key(document) for document in documents]
        columns_held = ("sys_id", form.invoice_source, form.invoice_order)
        invoices = self._by_number(TARGET, form.invoice_number, numbers, columns_held, may_go_on)[0]
        held = {number: rows[0] for number, rows in invoices.items()}
        lines: dict[str, list[Row]] = {}
        if held:
            ids = [str(row.get("sys_id")) for row in held.values()]
            lines = self._by_number(LINES, form.line_invoice, ids, (form.line_number,), may_go_on)[0]
        staged: dict[str, dict[str, list[Row]]] = {}
        since = ""
        tables = {row.table for document in documents for row in document.rows}
        for table in (HEADER, LINE, *(tables & {TAX})):
            columns = {
                name for document in documents for row in document.rows if row.table == table for name in row.names
            }
            wanted = (*sorted(columns | {*NO_FIELDS} - {NUMBER}), STATE, COMMENT, CREATED, STAGED_TARGET)
            staged[table], since = self._by_number(table, NUMBER, numbers, wanted, may_go_on)
        found = {}
        for number in numbers:
            of_invoice = lines.get(str(held[number].get("sys_id")), []) if number in held else []
            found[number] = Evidence(
                invoice=held.get(number),
                line_numbers=tuple(str(row.get(form.line_number) or "") for row in of_invoice),
                staged={table: rows.get(number, []) for table, rows in staged.items()},
                since=since,
            )
        return found

    def _by_number(
        self, table: str, column: str, values: Collection[str], more: Sequence[str], may_go_on: Callable[[], bool]
    ) -> tuple[dict[str, list[Row]], str]:
        """Rows by the value that was asked for, and the moment since when rows may still be worked on."""
        if not may_go_on():
            raise Outage(SYSTEM, "did not get to all invoices in time")
        rows, since = self._rows(table, any_of(column, values), (column, *more))
        self._insist(table, column, rows, values)
        return grouped(rows, column), since

    def _rows(self, table: str, query: str, fields: Sequence[str]) -> tuple[list[Row], str]:
        listed = self._session.listed(
            table,
            query=f"{query}^ORDERBYsys_created_on",
            fields=",".join(fields),
            limit=ROWS_A_QUERY,
            timeout=READ_TIMEOUT,
        )
        rows: list[Row] = [*listed.rows]
        if len(rows) >= ROWS_A_QUERY or (listed.total is not None and listed.total > len(rows)):
            raise Refused(SYSTEM, f"shows only a part of {table}; give the user read access to its rows")
        return rows, f"{listed.at.astimezone(UTC) - WORKED_ON:%Y-%m-%d %H:%M:%S}"

    def _insist(self, table: str, column: str, rows: Sequence[Row], wanted: Collection[str]) -> None:
        if not {str(row.get(column) or "") for row in rows} <= {*wanted}:
            raise Refused(SYSTEM, f"does not look for {column} in {table}; correct its name in SN_AP_INVOICE")
