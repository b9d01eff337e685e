"""The transform engine of the ServiceNow stand-in: keys, look-ups, choices, scripts, and the shipped maps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, Desk
from tests.sandbox.servicenow.map_scripts import EVENT_SCRIPTS, RowError, Transform
from tests.sandbox.servicenow.transform_maps import add_map, key, lookup, plain


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_case_sensitive_key_tells_upper_from_lower_case(desk: Desk) -> None:
    desk.change_entry("Order stage", "erp_number", coalesce_case_sensitive="true")
    desk.post(ORDER, sample.order("PO-1a"))
    assert desk.post(ORDER, sample.order("po-1a"))["status"] == "inserted"


def test_without_a_key_every_row_inserts(desk: Desk) -> None:
    desk.change_entry("Order stage", "erp_number", coalesce="false")
    desk.change_entry("Order stage", "erp_source", coalesce="false")
    assert [desk.post(ORDER, sample.order("PO-1"))["status"] for _ in range(2)] == ["inserted", "inserted"]


def test_a_row_without_key_values_is_skipped_where_the_map_does_not_demand_them(desk: Desk) -> None:
    desk.change_map("Order stage", enforce_mandatory_fields="no")
    result = desk.post(ORDER, sample.order(""))
    assert result["status"] == "skipped"
    assert "u_erp_po_number" in result["status_message"]
    assert desk.tables.rows("sn_shop_purchase_order") == []


def test_empty_key_values_can_match_empty_or_make_a_new_record(desk: Desk) -> None:
    desk.change_map("Order stage", enforce_mandatory_fields="no")
    desk.change_entry("Order stage", "erp_number", coalesce_empty_fields="true")
    statuses = [desk.post(ORDER, sample.order("", u_po_status=status))["status"] for status in ("a", "b")]
    assert statuses == ["inserted", "updated"]
    desk.change_entry("Order stage", "erp_number", coalesce_empty_fields="false")
    desk.change_map("Order stage", create_new_record_on_empty_coalesce_fields="true")
    assert desk.post(ORDER, sample.order("", u_po_status="c"))["status"] == "inserted"


def test_a_scripted_key_without_a_value_is_an_error_in_the_vendors_words(desk: Desk) -> None:
    desk.change_map("Order line stage", enforce_mandatory_fields="no")
    message = "Unable to resolve target record, coalesce values not present: [Script]"
    assert desk.post(ORDER_LINE, sample.order_line("", "1")) == {
        "transform_map": "Order line stage",
        "status": "error",
        "error_message": f"{message}; Invalid table ",
        "status_message": message,
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"u_supplier_company_name": "Nobody"}, "Supplier 'Nobody'"),
        ({"u_legal_entity": "XX"}, "Legal entity 'XX'"),
        ({"u_cost_center": "Sales"}, "Cost center 'Sales'"),
        ({"u_erp_source": "BC-NONE"}, "ERP source 'BC-NONE'"),
    ],
)
def test_a_rejecting_look_up_that_finds_nothing_is_an_error(desk: Desk, changes: dict[str, str], named: str) -> None:
    result = desk.post(ORDER, sample.order("PO-1", **changes))
    assert result["status"] == "error"
    assert named in result["error_message"]
    assert desk.tables.rows("sn_shop_purchase_order") == []
    (error,) = desk.tables.rows("sys_import_set_row_error")
    assert (error["error_code"], error["import_set_row"]) == ("100", desk.staged(ORDER)["sys_id"])
    assert desk.staged(ORDER)["sys_row_error"] == error["sys_id"]


def test_an_ignoring_look_up_leaves_the_field_as_it_was(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1", u_payment_term="Net 99"))
    assert desk.tables.rows("sn_shop_purchase_order")[0]["payment_term"] == ""
    desk.post(ORDER, sample.order("PO-1"))
    desk.post(ORDER, sample.order("PO-1", u_payment_term="Net 99"))
    (record,) = desk.tables.rows("sn_shop_purchase_order")
    assert desk.name("sn_shop_payment_term", record["payment_term"]) == "Net 30"


def test_a_creating_look_up_makes_the_record(desk: Desk) -> None:
    desk.change_entry("Order stage", "payment_term", choice_action="create")
    desk.post(ORDER, sample.order("PO-1", u_payment_term="Net 99"))
    (record,) = desk.tables.rows("sn_shop_purchase_order")
    assert desk.name("sn_shop_payment_term", record["payment_term"]) == "Net 99"


@pytest.mark.parametrize(
    ("action", "status", "stored"), [("ignore", "inserted", ""), ("create", "inserted", "proforma")]
)
def test_a_choice_outside_the_list_is_dropped_or_created(desk: Desk, action: str, status: str, stored: str) -> None:
    desk.change_entry("Invoice import", "type", choice_action=action)
    assert desk.post(INVOICE, sample.invoice("E-1", u_invoice_type="proforma"))["status"] == status
    assert desk.tables.rows("sn_shop_invoice")[0]["type"] == stored


def test_a_choice_outside_the_list_can_reject_the_row(desk: Desk) -> None:
    desk.change_entry("Invoice import", "type", choice_action="reject")
    assert desk.post(INVOICE, sample.invoice("E-1", u_invoice_type="proforma"))["status"] == "error"
    assert desk.tables.rows("sys_import_set_row_error")[0]["error_code"] == "200"


def test_empty_values_do_not_overwrite_unless_the_map_says_so_and_the_word_null_clears(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1"))
    assert desk.post(ORDER, sample.order("PO-1", u_po_status="", u_cost_center=""))["status"] == "ignored"
    desk.post(ORDER, sample.order("PO-1", u_po_status="NULL", u_cost_center="NULL"))
    (record,) = desk.tables.rows("sn_shop_purchase_order")
    assert (record["status"], record["cost_center"], record["currency"]) == ("", "", "EUR")
    desk.change_map("Order stage", copy_empty_fields="true")
    desk.post(ORDER, sample.order("PO-1", u_po_amount_currency=""))
    assert desk.tables.rows("sn_shop_purchase_order")[0]["currency"] == ""


def test_a_line_before_its_order_is_an_error_and_afterwards_fits(desk: Desk) -> None:
    early = desk.post(ORDER_LINE, sample.order_line("PO-1", "10000"))
    assert early["status"] == "error"
    assert early["error_message"] == f"Purchase order PO-1 of ERP source {sample.SOURCE} does not exist"
    order = desk.post(ORDER, sample.order("PO-1"))
    late = desk.post(ORDER_LINE, sample.order_line("PO-1", "10000"))
    assert late["status"] == "inserted"
    (line,) = desk.tables.rows("sn_shop_purchase_order_line")
    assert (line["purchase_order"], line["erp_line_number"], line["uom"]) == (order["sys_id"], "10000", "PCS")
    assert (line["purchased_quantity"], line["expected_delivery_date"]) == ("12", "2026-06-01")
    assert desk.name("sn_fin_gl_account", line["general_ledger_account"]) == "Office supplies"
    assert desk.post(ORDER_LINE, sample.order_line("PO-1", "20000"))["status"] == "inserted"
    assert desk.post(ORDER_LINE, sample.order_line("PO-1", "10000", u_quantity="0"))["status"] == "updated"


def test_a_line_does_not_find_the_order_of_another_erp_source(desk: Desk) -> None:
    desk.post(ORDER, sample.order("PO-1", u_erp_source=sample.OTHER_SOURCE))
    assert desk.post(ORDER_LINE, sample.order_line("PO-1", "10000"))["status"] == "error"


def test_an_invoice_starts_as_a_draft_with_the_supplier_of_its_own_erp_source(desk: Desk) -> None:
    order = desk.post(ORDER, sample.order("PO-1"))
    assert desk.post(INVOICE, sample.invoice("E-1", u_purchase_order="PO-1"))["status"] == "inserted"
    desk.post(INVOICE, sample.invoice("E-1", u_erp_source=sample.OTHER_SOURCE, u_purchase_order="PO-1"))
    first, second = desk.tables.rows("sn_shop_invoice")
    assert (first["state"], first["number"], first["invoice_amount"]) == ("draft", "INV0010001", "119.00")
    assert desk.name("sn_fin_supplier", first["supplier"]) == "Fabrikam"
    assert desk.name("sn_fin_supplier", second["supplier"]) == "Fabrikam elsewhere"
    assert (first["purchase_order"], second["purchase_order"]) == (order["sys_id"], "")


def test_a_supplier_code_of_another_erp_source_only_rejects_the_invoice(desk: Desk) -> None:
    result = desk.post(INVOICE, sample.invoice("E-1", u_supplier="20000", u_erp_source=sample.OTHER_SOURCE))
    assert result["status"] == "error"
    assert "Supplier '20000'" in result["error_message"]


def test_an_invoice_line_needs_its_invoice_by_number_source_and_erp_source(desk: Desk) -> None:
    assert desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1"))["status"] == "error"
    header = desk.post(INVOICE, sample.invoice("E-1"))
    other = desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1", u_external_invoice_source="other"))
    assert (other["status"], "does not exist" in other["error_message"]) == ("error", True)
    assert desk.post(INVOICE_LINE, sample.invoice_line("E-1", "1"))["status"] == "inserted"
    (line,) = desk.tables.rows("sn_shop_invoice_line")
    assert (line["invoice"], line["sub_total"], line["line_amount"]) == (header["sys_id"], "100.00", "119.00")
    assert desk.post(INVOICE_LINE, sample.invoice_line("E-1", "2", u_gl_account="0"))["status"] == "error"


def test_several_maps_run_in_their_order_and_answer_one_by_one(desk: Desk) -> None:
    entries = (key("erp_po_number", "code"), plain("supplier_company_name", "name"))
    add_map(desk.tables, "Order to unit", ORDER, "sn_fin_uom", entries, order="50")
    add_map(desk.tables, "Order to nowhere", ORDER, "no_table", entries, order="200")
    results = desk.answer(ORDER, sample.order("PO-1"))["result"]
    assert [(result["transform_map"], result["status"]) for result in results] == [
        ("Order to unit", "inserted"),
        ("Order stage", "inserted"),
        ("Order to nowhere", "error"),
    ]
    assert desk.tables.rows("sn_fin_uom")[0]["code"] == "PO-1"


def test_a_field_map_reads_dates_in_its_own_format(desk: Desk) -> None:
    desk.change_entry("Invoice import", "invoice_date", date_format="dd.MM.yyyy")
    desk.post(INVOICE, sample.invoice("E-1", u_invoice_date="31.12.2025"))
    desk.post(INVOICE, sample.invoice("E-2", u_invoice_date="12/31/2025"))
    assert [row["invoice_date"] for row in desk.tables.rows("sn_shop_invoice")] == ["2025-12-31", ""]


def test_negative_amounts_may_be_written_in_brackets(desk: Desk) -> None:
    desk.post(INVOICE, sample.invoice("E-1", u_subtotal="(100.00)"))
    assert desk.tables.rows("sn_shop_invoice")[0]["subtotal"] == "-100.00"


@pytest.fixture
def scripts() -> Iterator[None]:
    def quiet(transform: Transform) -> None:
        transform.ignore = transform.source["u_po_status"] == "Draft"
        transform.status_message = "drafts are not wanted" if transform.ignore else ""
        transform.response["seen"] = "yes"
        transform.target["status"] = "Seen"

    def failing(transform: Transform) -> None:
        raise RowError(f"no luck with {transform.source['u_erp_po_number']}")

    EVENT_SCRIPTS.update(quiet=quiet, failing=failing)
    yield
    for name in ("quiet", "failing"):
        del EVENT_SCRIPTS[name]


@pytest.mark.usefixtures("scripts")
def test_map_scripts_may_change_ignore_and_fail_a_row(desk: Desk) -> None:
    (row,) = desk.tables.find("sys_transform_map", {"name": "Order stage"})
    script = {"map": row["sys_id"], "when": "onBefore", "script": "quiet"}
    script_id = desk.tables.insert("sys_transform_script", script)
    changed = desk.post(ORDER, sample.order("PO-1"))
    assert (changed["status"], changed["seen"]) == ("inserted", "yes")
    assert desk.tables.rows("sn_shop_purchase_order")[0]["status"] == "Seen"
    ignored = desk.post(ORDER, sample.order("PO-2", u_po_status="Draft"))
    assert (ignored["status"], ignored["status_message"]) == ("ignored", "drafts are not wanted")
    assert "sys_id" not in ignored
    desk.tables.update("sys_transform_script", script_id, {"script": "failing"})
    assert desk.post(ORDER, sample.order("PO-3"))["error_message"] == "no luck with PO-3"
    desk.tables.update("sys_transform_script", script_id, {"script": "undefined"})
    assert desk.post(ORDER, sample.order("PO-4"))["status"] == "error"
    assert len(desk.tables.rows("sn_shop_purchase_order")) == 1


def test_a_scripted_look_up_may_create_the_record_it_misses(desk: Desk) -> None:
    entries = (key("erp_po_number", "erp_number"), lookup("legal_entity", "supplier", "erp_supplier_code", "create"))
    desk.change_map("Order stage", active="false")
    add_map(desk.tables, "Loose", ORDER, "sn_shop_purchase_order", entries)
    desk.post(ORDER, sample.order("PO-1", u_legal_entity="V-9"))
    assert [row["erp_supplier_code"] for row in desk.tables.rows("sn_fin_supplier")][-1] == "V-9"


def test_a_target_that_may_hold_a_value_once_only_turns_the_second_row_into_an_error(desk: Desk) -> None:
    desk.change_map("Order stage", active="false")
    add_map(desk.tables, "Order to user", ORDER, "sys_user", (plain("erp_po_number", "user_name"),))
    assert [desk.post(ORDER, sample.order("PO-1"))["status"] for _ in range(2)] == ["inserted", "error"]


def test_a_field_map_to_a_column_that_is_not_there_is_an_error(desk: Desk) -> None:
    desk.change_entry("Order stage", "status", target_field="no_such_column")
    assert "no_such_column" in desk.post(ORDER, sample.order("PO-1"))["error_message"]
    assert desk.tables.rows("sys_import_set_row_error")[0]["error_code"] == "800"


def test_a_record_whose_key_was_changed_is_found_by_its_new_key_only(desk: Desk) -> None:
    first = desk.post(ORDER, sample.order("PO-1"))
    desk.tables.update("sn_shop_purchase_order", first["sys_id"], {"erp_number": "PO-9"})
    assert desk.post(ORDER, sample.order("PO-9"))["sys_id"] == first["sys_id"]
    assert desk.post(ORDER, sample.order("PO-1"))["status"] == "inserted"
    desk.tables.delete("sn_shop_purchase_order", first["sys_id"])
    assert desk.post(ORDER, sample.order("PO-9"))["status"] == "inserted"
