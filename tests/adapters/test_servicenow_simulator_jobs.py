"""What happens in the ServiceNow stand-in without a request: workers, scheduled jobs, calculated states, nested batches.

Rules checked: "Purchase order integration" (retrigger job); "Create an invoice using integration" (the job every 30 minutes);
"Purchase requisition, purchase order and service request states" (states follow lines); REST API reference, "Batch API".
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, Desk
from tests.sandbox.servicenow.jobs import Jobs
from tests.sandbox.servicenow.staging_jobs import INVOICES, RETRIGGER
from tests.sandbox.servicenow.workers import Block, Workers

RECEIPT = "sn_fcms_intg_imp_receipt"


@pytest.fixture
def desk() -> Desk:
    return Desk()


# -- workers


def block(done: list[str], name: str, *costs: float) -> Iterator[float]:
    for position, cost in enumerate(costs):
        yield cost
        done.append(f"{name}{position}")


def test_blocks_start_in_order_and_two_run_side_by_side() -> None:
    done: list[str] = []
    workers = Workers(threading.RLock())
    for name in "abc":
        workers.add(Block(block(done, name, 1.0, 1.0)))
    workers.work(1.0)
    assert done == ["a0", "b0"]
    workers.work(2.0)
    assert done == ["a0", "b0", "a1", "b1", "c0"]
    workers.work()
    assert done[-1] == "c1"
    assert workers.idle


def test_a_step_that_does_not_fit_is_carried_on_and_idle_time_is_lost() -> None:
    done: list[str] = []
    workers = Workers(threading.RLock(), count=1)
    workers.work(100.0)
    workers.add(Block(block(done, "a", 5.0)))
    workers.work(3.0)
    assert done == []
    workers.work(1.9)
    assert done == []
    workers.work(0.1)
    assert done == ["a0"]


def test_a_block_that_waits_lets_others_pass_and_starts_when_it_is_ready() -> None:
    done: list[str] = []
    workers = Workers(threading.RLock())
    workers.add(Block(block(done, "late", 1.0), lambda: "first1" in done))
    workers.add(Block(block(done, "first", 1.0, 1.0)))
    workers.work(2.5)
    assert done == ["first0", "first1"]
    workers.work(0.5)
    assert done == ["first0", "first1", "late0"]


# -- scheduled jobs


def test_a_job_runs_once_however_late_it_is_and_keeps_its_times() -> None:
    time = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    ran: list[str] = []
    lock = threading.RLock()
    jobs = Jobs(lambda: time, Workers(lock), lock)
    jobs.schedule("job", timedelta(minutes=30), lambda: ran.append(f"{time:%H:%M}"))
    for hour, minute in ((8, 29), (8, 30), (8, 31), (10, 5), (10, 29), (10, 30)):
        time = time.replace(hour=hour, minute=minute)
        jobs.run_jobs()
    assert ran == ["08:30", "10:05", "10:30"]
    assert jobs.names() == ["job"]


def test_a_line_before_its_order_is_transformed_again_by_the_retry_job(desk: Desk) -> None:
    assert desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))["status"] == "error"
    desk.post(ORDER_LINE, sample.order_line("PO-2", "1"))
    desk.post(ORDER, sample.order("PO-1"))
    desk.time += timedelta(hours=1)
    assert RETRIGGER in desk.simulator.run_jobs()
    assert [row["sys_import_state"] for row in desk.tables.rows(ORDER_LINE)] == ["inserted", "error"]
    retried = desk.tables.rows(ORDER_LINE)[0]
    assert (retried["sys_import_state_comment"], retried["sys_row_error"]) == ("", "")
    assert len(desk.tables.rows("sn_shop_purchase_order_line")) == 1


def test_a_job_can_be_run_at_once(desk: Desk) -> None:
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))
    desk.post(ORDER, sample.order("PO-1"))
    desk.simulator.control("run_job", {"name": RETRIGGER})
    assert desk.tables.rows(ORDER_LINE)[0]["sys_import_state"] == "inserted"


def invoice_state(desk: Desk) -> str:
    desk.time += timedelta(minutes=30)
    assert INVOICES in desk.simulator.run_jobs()
    return desk.tables.rows("sn_shop_invoice")[-1]["state"]


def test_a_draft_stays_a_draft_unless_the_switch_lets_the_job_approve(desk: Desk) -> None:
    desk.post(INVOICE, sample.invoice("E-1"))
    desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1"))
    assert invoice_state(desk) == "draft"
    desk.simulator.control("switches", {"approve_complete_drafts": True})
    assert invoice_state(desk) == "approved"


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ({}, []),
        ({}, [{"u_subtotal": "99.99"}]),
        ({"u_legal_entity": ""}, [{}]),
        ({"u_amount_invoiced": ""}, [{}]),
    ],
)
def test_an_incomplete_draft_is_not_approved(desk: Desk, header: dict[str, str], lines: list[dict[str, str]]) -> None:
    desk.simulator.control("switches", {"approve_complete_drafts": True})
    desk.post(INVOICE, sample.invoice("E-1", **header))
    for changes in lines:
        desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1", **changes))
    assert invoice_state(desk) == "draft"


def test_a_second_invoice_with_the_suppliers_number_and_amount_is_a_suspected_duplicate(desk: Desk) -> None:
    desk.post(INVOICE, sample.invoice("E-1", u_supplier_invoice_number="V-1"))
    desk.post(INVOICE, sample.invoice("E-2", u_supplier_invoice_number="V-1", u_amount_invoiced="120.00"))
    assert invoice_state(desk) == "draft"
    desk.post(INVOICE, sample.invoice("E-3", u_supplier_invoice_number="V-1"))
    assert invoice_state(desk) == "suspected_duplicate"
    assert [row["state"] for row in desk.tables.rows("sn_shop_invoice")] == ["draft", "draft", "suspected_duplicate"]


# -- calculated states


def order(desk: Desk) -> dict[str, Any]:
    path = "/api/now/table/sn_shop_purchase_order?sysparm_fields=sys_id,state,status&sysparm_display_value=true"
    (found,) = desk.client.get(path).json()["result"]
    return dict(found)


def receipt(desk: Desk, line: str, quantity: str, number: str = "R-1") -> None:
    row = {
        "u_erp_source": sample.SOURCE,
        "u_erp_po_number": "PO-1",
        "u_erp_po_line_number": line,
        "u_erp_receipt_number": number,
        "u_quantity_received": quantity,
    }
    assert desk.post(RECEIPT, row)["status"] in {"inserted", "updated"}


def test_the_state_of_an_order_follows_its_lines_and_their_receipts(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    seen = [order(desk)["state"]]
    for line in ("1", "2"):
        desk.post(ORDER_LINE, sample.order_line("PO-1", line))
    seen.append(order(desk)["state"])
    receipt(desk, "1", "5")
    seen.append(order(desk)["state"])
    receipt(desk, "1", "12")
    seen.append(order(desk)["state"])
    receipt(desk, "2", "12")
    seen.append(order(desk)["state"])
    assert seen == ["Processing", "Ordered", "Partially Delivered", "Partially Delivered", "Delivered"]
    lines = desk.tables.rows("sn_shop_purchase_order_line")
    assert [(row["received_quantity"], row["state"]) for row in lines] == [("12", "50"), ("12", "50")]


def test_lines_without_quantity_are_canceled_and_an_order_of_such_lines_is_closed(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    for line in ("1", "2"):
        desk.post(ORDER_LINE, sample.order_line("PO-1", line))
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1", u_quantity="0"))
    assert order(desk)["state"] == "Ordered"
    desk.post(ORDER_LINE, sample.order_line("PO-1", "2", u_quantity="0"))
    assert order(desk)["state"] == "Closed Canceled"


def test_a_deleted_line_no_longer_counts(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    line = desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))["sys_id"]
    desk.tables.delete("sn_shop_purchase_order_line", line)
    assert order(desk)["state"] == "Processing"


def test_neither_a_client_nor_a_map_can_set_the_state(desk: Desk) -> None:
    desk.simulator.access.grant("connector", "sn_shop.procurement_common_user")
    desk.post(ORDER, sample.order("PO-1"))
    path = f"/api/now/table/sn_shop_purchase_order/{order(desk)['sys_id']}"
    assert desk.client.patch(path, json={"state": "90"}).status_code == 200
    assert order(desk)["state"] == "Processing"
    desk.change_entry("Order stage", "status", target_field="state")
    assert desk.post(ORDER, sample.order("PO-1", u_po_status="90"))["status"] == "ignored"
    assert order(desk)["state"] == "Processing"


def test_a_calculated_state_is_no_write_of_its_own(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))
    assert desk.tables.updates["sn_shop_purchase_order"] == 0
    assert desk.tables.rows("sn_shop_purchase_order")[0]["sys_mod_count"] == "0"


def test_the_status_column_keeps_what_was_imported_or_follows_the_lines(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1", u_po_status="Open"))
    desk.post(ORDER_LINE, sample.order_line("PO-1", "1"))
    assert order(desk)["status"] == "Open"
    desk.simulator.control("switches", {"order_status_from_lines": True})
    desk.post(ORDER, sample.order("PO-1", u_po_status="Closed"))
    assert order(desk)["status"] == "30"


# -- batches


def item(name: str, url: str, body: object) -> dict[str, Any]:
    headers = [{"name": "Content-Type", "value": "application/json"}]
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    return {"id": name, "method": "POST", "url": url, "headers": headers, "body": encoded}


def test_a_batch_within_a_batch_runs_where_the_switch_allows_it(desk: Desk) -> None:
    inner = {"batch_request_id": "in", "rest_requests": [item("h", f"/api/now/import/{ORDER}", sample.order("PO-1"))]}
    outer = {"batch_request_id": "out", "rest_requests": [item("batch", "/api/now/v1/batch", inner)]}
    refused = desk.client.post("/api/now/v1/batch", json=outer).json()["serviced_requests"][0]
    assert (refused["status_code"], desk.tables.rows(ORDER)) == (400, [])
    desk.simulator.control("switches", {"nested_batches": True})
    (served,) = desk.client.post("/api/now/v1/batch", json=outer).json()["serviced_requests"]
    assert served["status_code"] == 200
    assert json.loads(base64.b64decode(served["body"]))["serviced_requests"][0]["status_code"] == 201
    assert len(desk.tables.rows("sn_shop_purchase_order")) == 1


def test_the_input_limit_of_an_item_cannot_be_raised_over_ten_megabytes(desk: Desk) -> None:
    desk.simulator.properties.set("glide.rest.batch.max.inputSize", "20971520")
    path, row = f"/api/now/import/{ORDER}", sample.order("PO-1")
    requests = [item("small", path, row), item("large", path, {"u_business_owner": "x" * 10_485_760})]
    content = json.dumps({"rest_requests": requests})
    # The envelope itself would not pass the door of all APIs; the item's own limit is looked at behind it.
    assert len(content) > 10_485_760
    assert desk.client.post("/api/now/v1/batch", content=content).status_code == 400
    desk.simulator.properties.set("glide.rest.batch.max.inputSize", "1000")
    requests = [item("small", path, row), item("large", path, {"u_business_owner": "x" * 1000})]
    answer = desk.client.post("/api/now/v1/batch", json={"rest_requests": requests}).json()
    assert answer["unserviced_requests"] == ["large"]


@pytest.mark.parametrize(("seconds", "unserviced"), [(10.0, []), (20.0, ["many"])])
def test_a_synchronous_block_counts_all_its_rows_against_the_time_of_the_batch(
    seconds: float, unserviced: list[str]
) -> None:
    desk = Desk(row_seconds=seconds)
    settings = {"source_table": ORDER, "column_mapping": "column_name", "transformation": "synchronous"}
    desk.tables.insert("sys_rest_insert_multiple", settings)
    rows = {"records": [sample.order("PO-1"), sample.order("PO-2")]}
    requests = [item("many", f"/api/now/import/{ORDER}/insertMultiple", rows)]
    answer = desk.client.post("/api/now/v1/batch", json={"rest_requests": requests}).json()
    assert answer["unserviced_requests"] == unserviced
