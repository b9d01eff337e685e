"""The AP Invoice API of the ServiceNow stand-in.

Rules checked: REST API reference, "AP Invoice API" (JSON endpoint); "AP Invoice API Developer Guide" (field mappings);
"Control the maximum request size"; "Inbound REST API rate limiting".
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.servicenow import ap_invoice_tables as tables
from tests.sandbox.servicenow import attachment_files, sample
from tests.sandbox.servicenow.ap_invoice_batches import iso_date
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, Desk

PATH = "/api/sn_spend_intg/v1/ap_invoice/json"
TAX_LINE = "sn_spend_intg_imp_invoice_tax_line"
SOURCE = sample.INVOICE_SOURCE
PDF = b"%PDF-1.4 a small invoice"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.tables.insert("sn_fin_tax_type", {"name": "Sales tax", "code": "S"})
    return desk


def document(number: str, **changes: Any) -> dict[str, Any]:
    """An invoice as the API takes it: the staging columns without their prefix."""
    line = {
        "external_invoice_number": number,
        "line_description": "Paper",
        "line_quantity": "10",
        "line_unit_price": "10.00",
        "subtotal": "100.00",
        "line_amount_invoiced": "119.00",
        "currency": "EUR",
        "cost_center": "CC-20",
        "gl_account": "6110",
        "tax_details": [{"tax_type": "Sales tax", "tax_amount": "19.00", "tax_rate": "19"}],
    }
    own = {name.removeprefix("u_"): value for name, value in sample.invoice(number).items()}
    for name in ("external_invoice_source", "erp_source", "tax_amount"):
        own.pop(name)
    return own | {"invoice_lines": [line]} | changes


def send(desk: Desk, *invoices: dict[str, Any], path: str = PATH, **headers: str) -> httpx.Response:
    body = {"invoices": list(invoices), "target_erp": sample.SOURCE}
    return desk.client.post(path, json=body, headers={"Source-System": SOURCE} | headers)


def taken(desk: Desk, *invoices: dict[str, Any]) -> str:
    answer = send(desk, *invoices)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batchId"])


def logged(desk: Desk, batch: str) -> list[dict[str, Any]]:
    """The log rows of a batch, as a client reads them."""
    parameters = {"sysparm_query": f"batch_id={batch}", "sysparm_exclude_reference_link": "true"}
    found: list[dict[str, Any]] = desk.client.get(f"/api/now/table/{tables.LOG}", params=parameters).json()["result"]
    return found


# -- the answer


def test_a_batch_is_taken_with_an_id_and_nothing_has_happened_yet(desk: Desk) -> None:
    answer = send(desk, document("E-1"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["batchId"].startswith("APIINV")
    assert body["status"] == "Success"
    assert body["message"] == "Your request has been successfully received and is being processed."
    assert (desk.tables.rows(INVOICE), desk.tables.rows("sn_shop_invoice")) == ([], [])
    assert [(row["external_invoice_number"], row["status"]) for row in logged(desk, body["batchId"])] == [
        ("E-1", "received")
    ]


def test_the_address_without_a_version_is_the_same_door(desk: Desk) -> None:
    assert send(desk, document("E-1"), path="/api/sn_spend_intg/ap_invoice/json").status_code == 202


def test_two_batches_have_two_ids(desk: Desk) -> None:
    assert taken(desk, document("E-1")) != taken(desk, document("E-2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "Invalid payload - Error: Invalid payload structure."),
        (b"[]", "Invalid payload - Error: Invalid payload structure."),
        (b'{"invoices": {}}', "Invalid payload - Error: Invalid payload structure."),
        (b'{"invoices": [1]}', "Invalid payload - Error: Invalid payload structure."),
        (b'{"invoices": []}', "Invalid payload - Error: Empty invoices. No data to process."),
    ],
)
def test_a_payload_that_is_none_is_a_400_with_its_own_envelope(desk: Desk, content: bytes, message: str) -> None:
    answer = desk.client.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"error": {"message": message, "detail": ""}, "status": "Fail"}


def test_another_content_type_is_a_400_and_no_415(desk: Desk) -> None:
    answer = desk.client.post(PATH, content="<x/>", headers={"Content-Type": "application/xml"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid payload - Invalid content type.")


def test_a_hundred_invoices_are_the_limit_and_a_property_moves_it(desk: Desk) -> None:
    invoices = [document(f"E-{number}") for number in range(101)]
    refused = send(desk, *invoices)
    assert refused.status_code == 400
    message = "Invalid payload - Error: Payload exceeds allowed invoices limit in a batch."
    assert refused.json()["error"]["message"] == message
    assert send(desk, *invoices[:100]).status_code == 202
    desk.simulator.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", "101")
    assert send(desk, *invoices).status_code == 202


def file_of(size: int) -> list[dict[str, str]]:
    return [{"file_name": "large.pdf", "mime_code": "application/pdf", "content": "A" * size}]


def test_eight_megabytes_pass_and_more_than_ten_do_not(desk: Desk) -> None:
    assert send(desk, document("E-1", invoice_copy_attachment=file_of(8 * 2**20))).status_code == 202
    answer = send(desk, document("E-2", invoice_copy_attachment=file_of(10 * 2**20)))
    assert answer.status_code == 400
    assert "Max allowed: 10485760 bytes" in answer.json()["error"]["detail"]


def test_properties_move_the_size_limit_up_to_the_cap_of_all_apis(desk: Desk) -> None:
    large = document("E-1", invoice_copy_attachment=file_of(11 * 2**20))
    desk.simulator.properties.set("glide.rest.scripted.max_inbound_content_length_mb", "12")
    assert send(desk, large).status_code == 400
    desk.simulator.properties.set("glide.rest.max_content_length", "12")
    assert send(desk, large).status_code == 202


def test_without_the_role_the_endpoint_refuses(desk: Desk) -> None:
    desk.simulator.access.revoke("connector", "sn_spend_intg.procurement_integrator")
    answer = send(desk, document("E-1"))
    assert (answer.status_code, answer.json()["error"]["detail"]) == (403, "Failed API level ACL Validation")


def test_wrong_credentials_are_a_401(desk: Desk) -> None:
    assert desk.client.post(PATH, json={"invoices": []}, auth=("connector", "wrong")).status_code == 401


def test_ten_calls_an_hour_are_the_shipped_limit_and_the_rule_row_moves_it(desk: Desk) -> None:
    assert [send(desk, document(f"E-{number}")).status_code for number in range(11)] == [202] * 10 + [429]
    refused = send(desk, document("E-11"))
    assert refused.json()["error"]["detail"] == "Rate limit of 10 requests per hour for AP Invoice exceeded"
    assert refused.headers["Retry-After"] == "3600"
    (rule,) = desk.tables.find("sys_rate_limit_rules", {"rest_api": "AP Invoice"})
    desk.tables.update("sys_rate_limit_rules", rule["sys_id"], {"request_limit": "500"})
    assert send(desk, document("E-11")).status_code == 202
    desk.tables.update("sys_rate_limit_rules", rule["sys_id"], {"request_limit": "10"})
    desk.time += timedelta(hours=1)
    assert send(desk, document("E-12")).status_code == 202


# -- what it becomes


def test_an_invoice_goes_through_staging_and_maps_with_its_lines_and_taxes(desk: Desk) -> None:
    batch = taken(desk, document("E-1"))
    desk.simulator.work()
    (invoice,) = desk.tables.rows("sn_shop_invoice")
    (line,) = desk.tables.rows("sn_shop_invoice_line")
    (tax,) = desk.tables.rows("sn_shop_invoice_tax_line")
    assert (invoice["external_invoice_number"], invoice["external_invoice_source"]) == ("E-1", SOURCE)
    assert (invoice["state"], invoice["invoice_amount"], invoice["type"]) == ("draft", "119.00", "non_po_invoice")
    assert desk.name("sn_fin_erp_source", invoice["erp_source"]) == sample.SOURCE
    assert (line["invoice"], line["erp_line_number"], line["sub_total"]) == (invoice["sys_id"], "1", "100.00")
    assert (tax["invoice"], tax["erp_line_number"]) == (invoice["sys_id"], "1")
    assert (tax["supplier_tax"], tax["supplier_tax_rate"]) == ("19.00", "19")
    for table in (INVOICE, INVOICE_LINE, TAX_LINE):
        assert [row["sys_import_state"] for row in desk.tables.rows(table)] == ["inserted"], table
    assert {row["state"] for row in desk.tables.rows("sys_import_set")} == {"processed"}
    (row,) = logged(desk, batch)
    assert (row["status"], row["message"], row["invoice"]) == ("processed", "", invoice["sys_id"])


def test_the_log_tells_which_invoice_failed_and_why(desk: Desk) -> None:
    broken_line = [document("E-2")["invoice_lines"][0] | {"cost_center": "none"}]
    batch = taken(desk, document("E-1"), document("E-2", invoice_lines=broken_line), document("E-3", supplier="nobody"))
    desk.simulator.work()
    rows = {row["external_invoice_number"]: row for row in logged(desk, batch)}
    assert [rows[number]["status"] for number in ("E-1", "E-2", "E-3")] == [
        "processed",
        "processed_with_errors",
        "error",
    ]
    assert rows["E-2"]["message"].startswith("Invoice line import: Row rejected: Cost center 'none'")
    assert "Supplier 'nobody'" in rows["E-3"]["message"]
    assert rows["E-3"]["invoice"] == ""
    assert len(desk.tables.rows("sn_shop_invoice")) == 2


def test_the_log_can_have_one_row_per_batch(desk: Desk) -> None:
    desk.simulator.control("switches", {"log_each_invoice": False})
    batch = taken(desk, document("E-1"), document("E-2", supplier="nobody"))
    desk.simulator.work()
    (row,) = logged(desk, batch)
    assert (row["external_invoice_number"], row["status"]) == ("", "processed_with_errors")
    assert "Supplier 'nobody'" in row["message"]


def test_processing_takes_time_on_the_clock() -> None:
    desk = Desk(row_seconds=5.0)
    desk.tables.insert("sn_fin_tax_type", {"name": "Sales tax"})
    taken(desk, document("E-1"), document("E-2"))
    for seconds, invoices in ((4, 0), (1, 1), (5, 2)):
        desk.time += timedelta(seconds=seconds)
        desk.simulator.run_jobs()
        assert len(desk.tables.rows("sn_shop_invoice")) == invoices


def test_a_batch_sent_again_changes_nothing_while_the_map_coalesces(desk: Desk) -> None:
    for _ in range(2):
        taken(desk, document("E-1"))
        desk.simulator.work()
    assert len(desk.tables.rows("sn_shop_invoice")) == 1
    assert desk.staged(INVOICE)["sys_import_state"] == "ignored"


def test_lines_belong_to_their_header_whatever_number_they_repeat(desk: Desk) -> None:
    line = document("E-1")["invoice_lines"][0] | {"external_invoice_number": "another"}
    taken(desk, document("E-1", invoice_lines=[line, line]))
    desk.simulator.work()
    (invoice,) = desk.tables.rows("sn_shop_invoice")
    lines = desk.tables.rows("sn_shop_invoice_line")
    assert [(row["invoice"], row["erp_line_number"]) for row in lines] == [(invoice["sys_id"], n) for n in ("1", "2")]


def test_the_erp_may_be_named_in_the_invoice_itself(desk: Desk) -> None:
    taken(desk, document("E-1", target_erp=sample.OTHER_SOURCE))
    desk.simulator.work()
    (invoice,) = desk.tables.rows("sn_shop_invoice")
    assert desk.name("sn_fin_supplier", invoice["supplier"]) == "Fabrikam elsewhere"


def test_taxes_of_the_header_need_no_line(desk: Desk) -> None:
    taxes = [{"tax_type": "Sales tax", "tax_amount": "12", "tax_rate": "12"}, {"tax_type": "No such tax"}]
    batch = taken(desk, document("E-1", tax_details=taxes, invoice_lines=[]))
    desk.simulator.work()
    (tax,) = desk.tables.rows("sn_shop_invoice_tax_line")
    assert (tax["supplier_tax"], tax["erp_line_number"]) == ("12", "")
    assert "Tax type 'No such tax'" in logged(desk, batch)[0]["message"]


@pytest.mark.parametrize(
    ("text", "form", "stored"),
    [
        ("2 June, 2021", "DD MMMM, YYYY", "2021-06-02"),
        ("06/02/21", "MM/DD/YY", "2021-06-02"),
        ("2 Jun 2021", "D MMM YYYY", "2021-06-02"),
        ("2021-06-02", "", "2021-06-02"),
        ("next week", "DD MMMM, YYYY", "next week"),
    ],
)
def test_the_invoice_date_is_read_in_the_payloads_own_format(text: str, form: str, stored: str) -> None:
    assert iso_date(text, form) == stored


def test_a_date_in_its_own_format_reaches_the_invoice(desk: Desk) -> None:
    taken(desk, document("E-1", date_format="DD MMMM, YYYY", invoice_date="2 June, 2021"))
    desk.simulator.work()
    assert desk.tables.rows("sn_shop_invoice")[0]["invoice_date"] == "2021-06-02"


# -- field mappings


def test_a_source_system_with_mappings_of_its_own_uses_no_others(desk: Desk) -> None:
    tables.add_mapping(desk.tables, SOURCE, "vendor", INVOICE, "u_supplier")
    tables.add_mapping(desk.tables, SOURCE, "external_invoice_number", INVOICE, "u_external_invoice_number")
    taken(desk, document("E-1", vendor="20000"))
    desk.simulator.work()
    staged = desk.tables.rows(INVOICE)[0]
    assert (staged["u_supplier"], staged["u_supplier_invoice_number"]) == ("20000", "")


def test_a_custom_entry_needs_a_mapping_row_for_default(desk: Desk) -> None:
    invoice = document("E-1", our_reference="R-1")
    taken(desk, invoice)
    desk.simulator.work()
    tables.add_mapping(desk.tables, "Default", "our_reference", INVOICE, "u_third_party_import_id")
    taken(desk, invoice)
    desk.simulator.work()
    assert [row["u_third_party_import_id"] for row in desk.tables.rows(INVOICE)] == ["", "R-1"]


# -- files


def pdf(**changes: str) -> dict[str, str]:
    content = base64.b64encode(PDF).decode()
    return {"file_name": "a.pdf", "mime_code": "application/pdf", "encoding": "base64", "content": content} | changes


def test_files_of_invoices_and_lines_are_stored_inline(desk: Desk) -> None:
    line = document("E-1")["invoice_lines"][0] | {"attachments": [pdf(file_name="line.pdf")]}
    supporting = [{name: value for name, value in pdf().items() if name != "file_name"} | {"name": "b.pdf"}]
    taken(
        desk, document("E-1", invoice_copy_attachment=[pdf()], supporting_attachments=supporting, invoice_lines=[line])
    )
    desk.simulator.work()
    (invoice,), (invoice_line,) = desk.tables.rows("sn_shop_invoice"), desk.tables.rows("sn_shop_invoice_line")
    files = attachment_files.files_of(desk.tables, invoice["sys_id"])
    assert [(row["file_name"], row["content_type"]) for row in files] == [
        ("a.pdf", "application/pdf"),
        ("b.pdf", "application/pdf"),
    ]
    assert attachment_files.content(desk.tables, files[0]["sys_id"]) == PDF
    (attached,) = attachment_files.files_of(desk.tables, invoice_line["sys_id"])
    assert (attached["file_name"], attached["table_name"]) == ("line.pdf", "sn_shop_invoice_line")


def test_reserved_names_and_broken_content_are_reported_and_not_stored(desk: Desk) -> None:
    batch = taken(desk, document("E-1", invoice_copy_attachment=[pdf(file_name="SD_a.pdf"), pdf(content="*")]))
    desk.simulator.work()
    assert desk.tables.rows("sys_attachment") == []
    (row,) = logged(desk, batch)
    assert row["status"] == "processed_with_errors"
    assert row["message"].splitlines() == ["Attachment SD_a.pdf is not allowed", "Attachment a.pdf is not base64"]


def test_the_file_of_a_refused_invoice_stays_on_its_staging_row(desk: Desk) -> None:
    taken(desk, document("E-1", supplier="nobody", invoice_copy_attachment=[pdf()]))
    desk.simulator.work()
    (attachment,) = desk.tables.rows("sys_attachment")
    assert (attachment["table_name"], attachment["table_sys_id"]) == (INVOICE, desk.staged(INVOICE)["sys_id"])
