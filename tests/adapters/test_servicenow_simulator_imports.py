"""The Import Set API of the ServiceNow stand-in: answers, staging rows, import sets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.desk import BASE, INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_new_key_inserts_and_the_answer_names_the_record(desk: Desk) -> None:
    answer = desk.answer(ORDER, sample.order("PO-1"))
    (record,) = desk.tables.rows("sn_shop_purchase_order")
    assert answer == {
        "import_set": "ISET0010001",
        "staging_table": ORDER,
        "result": [
            {
                "transform_map": "Order stage",
                "table": "sn_shop_purchase_order",
                "display_name": "number",
                "display_value": "PO0010001",
                "record_link": f"{BASE}/api/now/table/sn_shop_purchase_order/{record['sys_id']}",
                "status": "inserted",
                "sys_id": record["sys_id"],
            }
        ],
    }
    shown = {name: record[name] for name in ("erp_number", "total_amount", "currency", "status")}
    assert shown == {"erp_number": "PO-1", "total_amount": "120.00", "currency": "EUR", "status": "Open"}
    assert desk.name("sn_fin_supplier", record["supplier"]) == "Fabrikam"
    assert desk.name("sn_fin_legal_entity", record["legal_entity"]) == "CRONUS International"
    assert desk.name("cmn_cost_center", record["cost_center"]) == "Sales"
    assert desk.name("sn_shop_payment_term", record["payment_term"]) == "Net 30"
    assert desk.name("sn_fin_erp_source", record["erp_source"]) == sample.SOURCE


def test_a_known_key_updates_whatever_its_case(desk: Desk) -> None:
    first = desk.post(ORDER, sample.order("PO-1a"))
    second = desk.post(ORDER, sample.order("po-1A", u_po_amount="130.00"))
    assert (second["status"], second["sys_id"]) == ("updated", first["sys_id"])
    (record,) = desk.tables.rows("sn_shop_purchase_order")
    assert (record["total_amount"], record["sys_mod_count"]) == ("130.00", "1")


def test_the_same_row_again_is_ignored_and_writes_nothing_to_the_target(desk: Desk) -> None:
    first = desk.post(ORDER, sample.order("PO-1"))
    again = desk.post(ORDER, sample.order("PO-1", u_po_amount="120.0"))
    assert (again["status"], again["status_message"]) == ("ignored", "No field values changed")
    assert again["sys_id"] == first["sys_id"]
    assert desk.tables.updates["sn_shop_purchase_order"] == 0


def test_the_same_number_of_another_erp_source_is_another_order(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    assert desk.post(ORDER, sample.order("PO-1", u_erp_source=sample.OTHER_SOURCE))["status"] == "inserted"


@pytest.mark.parametrize(
    ("table", "row", "label"),
    [
        (ORDER, sample.order(""), "ERP PO number"),
        (ORDER, sample.order("PO-1", u_erp_source=" "), "ERP source"),
        (ORDER_LINE, sample.order_line("PO-1", ""), "ERP PO line number"),
        (INVOICE, sample.invoice("E-1", u_other_charges=""), "Other charges"),
        (INVOICE, sample.invoice("E-1", u_invoice_type=""), "Invoice type"),
        (INVOICE_LINE, sample.invoice_line("E-1", "1", u_line_description=""), "Line description"),
    ],
)
def test_a_row_without_a_mandatory_value_is_an_error_that_names_the_label(
    desk: Desk, table: str, row: dict[str, str], label: str
) -> None:
    result = desk.post(table, row)
    assert result["status"] == "error"
    assert result["error_message"].endswith(f": {label}")
    assert not {"table", "sys_id", "record_link", "display_value"} & set(result)
    assert desk.staged(table)["sys_import_state"] == "error"


def test_a_value_longer_than_its_staging_column_is_cut_without_a_word(desk: Desk) -> None:
    desk.post(INVOICE, sample.invoice("E-1"))
    text = "A description of more than forty characters, cut here"
    result = desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1", u_line_description=text))
    assert (result["status"], "status_message" in result) == ("inserted", False)
    assert desk.staged(INVOICE_LINE)["u_line_description"] == text[:40]
    assert desk.tables.rows("sn_shop_invoice_line")[0]["line_description"] == text[:40]


def test_two_keys_that_differ_after_the_cut_are_one_record(desk: Desk) -> None:
    desk.post(ORDER, sample.order("X" * 40 + "1"))
    assert desk.post(ORDER, sample.order("X" * 40 + "2"))["status"] == "ignored"


@pytest.mark.parametrize(
    ("sent", "staged"),
    [
        (12, "12"),
        (12.50, "12.5"),
        (3.0, "3.0"),
        (12345678.9, "1.23456789E7"),
        (0.0001, "1.0E-4"),
        (True, "true"),
        (None, ""),
        ({"a": 1, "b": "x"}, "{a=1, b=x}"),
        ([1, "x"], "[1, x]"),
    ],
)
def test_values_that_are_no_strings_are_staged_in_changed_form(desk: Desk, sent: object, staged: str) -> None:
    desk.answer(ORDER, sample.order("PO-1") | {"u_purchasing_organization": sent})
    assert desk.staged(ORDER)["u_purchasing_organization"] == staged


def test_unknown_keys_and_system_columns_are_dropped(desk: Desk) -> None:
    row = sample.order("PO-1", u_erp_po_nmber="typo", sys_import_state="inserted", sys_target_sys_id="x")
    desk.answer(ORDER, row | {"u_erp_po_number": ""})
    staged = desk.staged(ORDER)
    assert "u_erp_po_nmber" not in staged
    assert (staged["sys_import_state"], staged["sys_target_sys_id"]) == ("error", "")


def test_staging_rows_and_their_import_set_tell_what_happened(desk: Desk) -> None:
    result = desk.post(ORDER, sample.order("PO-1"))
    desk.post(ORDER, sample.order("PO-1"))
    desk.post(ORDER, sample.order("PO-2", u_cost_center="none"))
    rows = desk.tables.rows(ORDER)
    (import_set,) = desk.tables.rows("sys_import_set")
    (run,) = desk.tables.rows("sys_import_set_run")
    assert [row["sys_import_row"] for row in rows] == ["1", "2", "3"]
    assert [row["sys_import_state"] for row in rows] == ["inserted", "ignored", "error"]
    assert [row["sys_target_sys_id"] for row in rows] == [result["sys_id"], result["sys_id"], ""]
    assert rows[1]["sys_import_state_comment"] == "No field values changed"
    assert {row["sys_import_set"] for row in rows} == {import_set["sys_id"]}
    assert {row["import_set_run"] for row in rows} == {run["sys_id"]}
    assert (import_set["table_name"], import_set["state"]) == (ORDER, "loading")
    counted = {name: run[name] for name in ("total", "inserts", "updates", "ignored", "skipped", "errors", "state")}
    assert counted == {
        "total": "3",
        "inserts": "1",
        "updates": "0",
        "ignored": "1",
        "skipped": "0",
        "errors": "1",
        "state": "complete_with_errors",
    }


def test_the_next_day_opens_a_new_import_set_and_a_week_later_the_old_rows_are_gone(desk: Desk) -> None:
    assert desk.answer(ORDER, sample.order("PO-1"))["import_set"] == "ISET0010001"
    first = desk.staged(ORDER)["sys_id"]
    desk.time += timedelta(days=1)
    assert desk.answer(ORDER, sample.order("PO-2"))["import_set"] == "ISET0010002"
    assert [row["state"] for row in desk.tables.rows("sys_import_set")] == ["processed", "loading"]
    assert desk.client.get(f"/api/now/import/{ORDER}/{first}").status_code == 200
    desk.time += timedelta(days=6, hours=1)
    desk.answer(ORDER, sample.order("PO-3"))
    assert [row["number"] for row in desk.tables.rows("sys_import_set")] == ["ISET0010002", "ISET0010003"]
    assert desk.client.get(f"/api/now/import/{ORDER}/{first}").status_code == 404
    assert len(desk.tables.rows("sn_shop_purchase_order")) == 3


def test_an_import_row_reads_back_as_it_was_answered(desk: Desk) -> None:
    posted = desk.answer(ORDER, sample.order("PO-1"))
    answer = desk.client.get(f"/api/now/import/{ORDER}/{desk.staged(ORDER)['sys_id']}")
    assert (answer.status_code, answer.json()) == (200, posted)


@pytest.mark.parametrize("table", ["no_such_table", "cmn_cost_center", "sys_import_set_row"])
def test_a_table_that_is_no_import_set_table_is_a_400(desk: Desk, table: str) -> None:
    answer = desk.client.post(f"/api/now/import/{table}", json={})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f"Invalid table {table}")


def test_without_an_active_map_the_answer_is_an_error_inside_a_201(desk: Desk) -> None:
    desk.change_map("Order stage", active="false")
    result = desk.post(ORDER, sample.order("PO-1"))
    assert result == {"transform_map": "", "status": "error", "error_message": "Invalid table "}
