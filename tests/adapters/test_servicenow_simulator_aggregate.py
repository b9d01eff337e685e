"""The Aggregate API of the ServiceNow stand-in. Rules checked: REST API reference, "Aggregate API"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.desk import ORDER, ORDER_LINE, Desk

LINES = "sn_shop_purchase_order_line"
PARTS = ("10.00", "20.50", "30.00")


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    for order, count in (("PO-1", 3), ("PO-2", 1)):
        desk.post(ORDER, sample.order(order))
        for line, amount in list(enumerate(PARTS, start=1))[:count]:
            desk.post(ORDER_LINE, sample.order_line(order, str(line), u_line_amount=amount))
    return desk


def stats(desk: Desk, table: str = LINES, **parameters: str) -> Any:
    named = {f"sysparm_{name}": value for name, value in parameters.items()}
    answer = desk.client.get(f"/api/now/stats/{table}", params=named)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def test_an_ungrouped_count_is_one_object_of_strings(desk: Desk) -> None:
    assert stats(desk, count="true") == {"stats": {"count": "4"}}
    assert stats(desk, count="true", query="erp_line_number=1") == {"stats": {"count": "2"}}
    assert stats(desk, count="true", query="erp_line_number=9") == {"stats": {"count": "0"}}


def test_sums_averages_least_and_greatest_values_come_by_column(desk: Desk) -> None:
    fields = dict.fromkeys(("sum_fields", "avg_fields", "min_fields", "max_fields"), "total_line_amount")
    assert stats(desk, **fields) == {
        "stats": {
            "sum": {"total_line_amount": "70.50"},
            "avg": {"total_line_amount": "17.6250"},
            "min": {"total_line_amount": "10.00"},
            "max": {"total_line_amount": "30.00"},
        }
    }


def test_text_and_dates_have_a_least_and_a_greatest_value(desk: Desk) -> None:
    found = stats(desk, min_fields="short_description", max_fields="expected_delivery_date")
    assert found == {"stats": {"min": {"short_description": "Paper"}, "max": {"expected_delivery_date": "2026-06-01"}}}


def test_groups_carry_the_columns_they_are_grouped_by(desk: Desk) -> None:
    found = stats(
        desk, count="true", sum_fields="total_line_amount", group_by="purchase_order", order_by="COUNT^number"
    )
    orders = {row["erp_number"]: row["sys_id"] for row in desk.tables.rows("sn_shop_purchase_order")}
    assert found == [
        {
            "stats": {"count": "1", "sum": {"total_line_amount": "10.00"}},
            "groupby_fields": [{"field": "purchase_order", "value": orders["PO-2"]}],
        },
        {
            "stats": {"count": "3", "sum": {"total_line_amount": "60.50"}},
            "groupby_fields": [{"field": "purchase_order", "value": orders["PO-1"]}],
        },
    ]


def test_groups_may_be_of_several_columns_and_dotted_ones(desk: Desk) -> None:
    found = stats(desk, count="true", group_by="purchase_order.erp_number,uom")
    values = [[field["value"] for field in group["groupby_fields"]] for group in found]
    assert values == [["PO-1", "PCS"], ["PO-2", "PCS"]]


def test_display_values_take_the_place_of_values_or_stand_beside_them(desk: Desk) -> None:
    shown = stats(desk, count="true", group_by="cost_center", display_value="true")
    assert shown[0]["groupby_fields"] == [{"field": "cost_center", "value": "Sales"}]
    both = stats(desk, count="true", group_by="state", display_value="all")
    assert both[0]["groupby_fields"] == [{"field": "state", "value": "30", "display_value": "Ordered"}]


@pytest.mark.parametrize(
    ("having", "orders"),
    [
        ("count^number^>^1", ["PO-1"]),
        ("count^number^<^2", ["PO-2"]),
        ("sum^total_line_amount^>=^60.5", ["PO-1"]),
        ("count^number^>^0,max^total_line_amount^=^10", ["PO-2"]),
        ("count^number^!=^3", ["PO-2"]),
    ],
)
def test_having_keeps_the_groups_that_hold(desk: Desk, having: str, orders: list[str]) -> None:
    found = stats(desk, count="true", group_by="purchase_order.erp_number", having=having)
    assert [group["groupby_fields"][0]["value"] for group in found] == orders


@pytest.mark.parametrize(
    ("order", "orders"),
    [
        ("purchase_order.erp_number^DESC", ["PO-2", "PO-1"]),
        ("purchase_order.erp_number", ["PO-1", "PO-2"]),
        ("AVG^total_line_amount", ["PO-2", "PO-1"]),
        ("AVG^total_line_amount^DESC", ["PO-1", "PO-2"]),
        ("MIN^total_line_amount,purchase_order.erp_number^DESC", ["PO-2", "PO-1"]),
    ],
)
def test_groups_can_be_ordered_by_columns_and_by_measures(desk: Desk, order: str, orders: list[str]) -> None:
    found = stats(desk, count="true", group_by="purchase_order.erp_number", order_by=order)
    assert [group["groupby_fields"][0]["value"] for group in found] == orders


def test_a_having_that_cannot_be_read_is_a_400(desk: Desk) -> None:
    parameters = {"sysparm_count": "true", "sysparm_group_by": "state", "sysparm_having": "count>3"}
    assert desk.client.get(f"/api/now/stats/{LINES}", params=parameters).status_code == 400


def test_unknown_columns_are_left_out_and_nothing_asked_is_nothing_answered(desk: Desk) -> None:
    assert stats(desk, sum_fields="no_such_column") == {"stats": {}}
    assert stats(desk) == {"stats": {}}


def test_a_sum_over_nothing_is_empty(desk: Desk) -> None:
    assert stats(desk, query="erp_line_number=9", sum_fields="total_line_amount") == {
        "stats": {"sum": {"total_line_amount": ""}}
    }


def test_an_invalid_clause_is_dropped_as_in_a_list(desk: Desk) -> None:
    assert stats(desk, count="true", query="no_such_column=1") == {"stats": {"count": "4"}}


def test_an_unknown_table_is_a_400_and_a_closed_one_a_403(desk: Desk) -> None:
    assert desk.client.get("/api/now/stats/no_such_table").status_code == 400
    desk.simulator.access.revoke("connector", "sn_shop.procurement_common_reader")
    assert desk.client.get(f"/api/now/stats/{LINES}?sysparm_count=true").status_code == 403
    assert desk.client.get("/api/now/stats/cmn_cost_center", auth=("connector", "wrong")).status_code == 401
