"""AP Invoice API: invoices with lines, taxes and files in one call, accepted at once and processed later.

Source: REST API reference, AP Invoice API; "Control the maximum request size" for scripted REST APIs.
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.sandbox.servicenow.answers import json_answer
from tests.sandbox.servicenow.ap_invoice_batches import ApBatch, ApBatches
from tests.sandbox.servicenow.import_sets import ImportSets
from tests.sandbox.servicenow.instance import Call, Instance
from tests.sandbox.servicenow.values import changed_form
from tests.sandbox.servicenow.workers import Block, Workers

ROLE = "sn_spend_intg.procurement_integrator"
RECORD_LIMIT, MAX_RECORDS = "sn_spend_intg.ap.invoice.create.api.record_limit", 100
MEGABYTE = 1_048_576
DEFAULT_MEGABYTES, LARGEST_MEGABYTES = 10, 25


class ApInvoices:
    """The JSON door. Its answer says only that the batch was taken; the log and the staging rows tell the rest."""

    def __init__(self, instance: Instance, imports: ImportSets, workers: Workers) -> None:
        self._instance = instance
        self._workers = workers
        self._batches = ApBatches(instance, imports)
        self._made = 0

    def posted(self, call: Call) -> httpx.Response:
        """``POST /api/sn_spend_intg/[v1/]ap_invoice/json``."""
        if ROLE not in call.user.roles and not call.user.is_admin:
            return _failed(403, "User Not Authorized", "Failed API level ACL Validation")
        largest = self._max_bytes()
        if len(call.content) > largest:
            detail = f"Rejected large REST payload with content-length = {len(call.content)} bytes. "
            return _failed(400, "Exception while reading request", f"{detail}Max allowed: {largest} bytes.")
        kind = call.headers.get("Content-Type", "").split(";")[0].strip().casefold()
        if kind != "application/json":
            return _failed(400, "Invalid payload - Invalid content type.")
        invoices, target_erp = _payload(call.content)
        if invoices is None:
            return _failed(400, "Invalid payload - Error: Invalid payload structure.")
        if not invoices:
            return _failed(400, "Invalid payload - Error: Empty invoices. No data to process.")
        if len(invoices) > self._instance.properties.number(RECORD_LIMIT, MAX_RECORDS):
            return _failed(400, "Invalid payload - Error: Payload exceeds allowed invoices limit in a batch.")
        source = call.headers.get("Source-System", "").strip()
        batch = ApBatch(self._new_id(), source, target_erp, tuple(invoices), call.user.name)
        self._batches.received(batch)
        self._workers.add(Block(self._batches.processed(batch)))
        answer = {
            "batchId": batch.id,
            "status": "Success",
            "message": "Your request has been successfully received and is being processed.",
        }
        return json_answer(202, answer)

    def _new_id(self) -> str:
        self._made += 1
        return f"APIINV{int(self._instance.now().timestamp() * 1000)}{self._made:06d}"

    def _max_bytes(self) -> int:
        """The limit of scripted REST APIs, itself under the cap of all REST APIs."""
        properties = self._instance.properties
        own = properties.number("glide.rest.scripted.max_inbound_content_length_mb", DEFAULT_MEGABYTES)
        cap = min(properties.number("glide.rest.max_content_length", DEFAULT_MEGABYTES), LARGEST_MEGABYTES)
        return min(own, cap) * MEGABYTE


def _payload(content: bytes) -> tuple[list[dict[str, Any]] | None, str]:
    try:
        body = json.loads(content)
    except ValueError:
        return None, ""
    invoices = body.get("invoices") if isinstance(body, dict) else None
    if not isinstance(invoices, list) or not all(isinstance(invoice, dict) for invoice in invoices):
        return None, ""
    return invoices, changed_form(body.get("target_erp"))


def _failed(status: int, message: str, detail: str = "") -> httpx.Response:
    return json_answer(status, {"error": {"message": message, "detail": detail}, "status": "Fail"})
