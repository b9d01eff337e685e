"""Suppliers: a document reaches the right one, or none."""

from __future__ import annotations

from connector.decisions.states import Status
from tests.flows.pipeline import Pipeline, reasons, some
from tests.sandbox.sample.servicenow import master_rows

LOOK = 10
"""Calls of the look at the instance before writing."""


def codes(pipeline: Pipeline) -> set[str]:
    return {reason["code"] for state in pipeline.states().values() for reason in reasons(state)}


def busy_vendor() -> tuple[str, str]:
    """Number and name (in ServiceNow) of a vendor with a released order in that data."""
    order = next(order for order in some(orders=12)[0].orders if order.header["status"] == "Open")
    number = str(order.header["vendorNumber"])
    row = next(
        row
        for row in master_rows()["sn_fin_supplier"]
        if (row["erp_source"], row["erp_supplier_code"]) == ("BC-US", number)
    )
    return number, row["legal_name"]


def with_supplier(**row: str) -> Pipeline:
    """The first sample company, with one more supplier in ServiceNow than it should have."""
    master = master_rows()
    master["sn_fin_supplier"].append({"erp_source": "BC-DE", "active": "true", "erp_supplier_code": "99", **row})
    return Pipeline(data=some(orders=12, invoices=6)[:1], master=master)


def test_orders_of_a_vendor_whose_suppliers_name_is_not_unique_are_parked_and_its_invoices_carried() -> None:
    # The order staging table finds suppliers by name, the invoice staging table by code.
    number, name = busy_vendor()
    pipeline = with_supplier(legal_name=name.upper())
    pipeline.run()
    assert codes(pipeline) == {"SUPPLIER_NAME_NOT_UNIQUE"}
    parked = [state for state in pipeline.states().values() if state.status is Status.PARKED]
    assert {state.vendor for state in parked} == {number}
    assert all("sn_shop_invoice" not in state.target for state in parked)
    supplied = {row["erp_number"] for row in pipeline.servicenow.tables.rows("sn_shop_purchase_order")}
    assert not supplied & {state.number for state in parked}


def test_a_vendor_number_that_two_suppliers_carry_parks_orders_and_invoices() -> None:
    number, _ = busy_vendor()
    pipeline = with_supplier(legal_name="Another", erp_supplier_code=number, erp_source="BC-US")
    pipeline.run()
    assert codes(pipeline) == {"SUPPLIER_AMBIGUOUS"}


def test_the_same_vendor_number_of_another_erp_source_is_no_matter() -> None:
    number, _ = busy_vendor()
    pipeline = with_supplier(legal_name="Another", erp_supplier_code=number)
    pipeline.run()
    assert codes(pipeline) == set()


def test_found_suppliers_are_not_looked_up_again_for_a_quarter_of_an_hour() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    reads = pipeline.sn_exchange.counts["GET"]
    order = next(order for order in pipeline.landscape.data[0].orders if order.header["status"] == "Open")
    # After a quarter of an hour the instance itself is looked at again as well.
    for minutes, expected in ((1, 0), (20, LOOK + 2)):
        pipeline.clock.advance(60 * minutes)
        pipeline.business_central.edit_line("CRONUS USA, Inc.", order.number, 10000, quantity=minutes + 5)
        pipeline.run()
        assert pipeline.sn_exchange.counts["GET"] - reads == expected
