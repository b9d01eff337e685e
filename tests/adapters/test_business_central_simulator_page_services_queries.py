"""Queries, paging and ETags of OData V4 page services.

The rules are those of the pages "Using filter expressions in OData URIs", "Server-driven paging in OData web services" and
"Publish a web service" (what an ETag covers).
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.odata_pages_query import sets_of
from tests.sandbox.business_central.odata_pages_reading import row_etag
from tests.sandbox.business_central.page_probe import Pages, refusal
from tests.sandbox.business_central.page_publishing import PageServices
from tests.sandbox.business_central.page_services import VENDORS, find
from tests.sandbox.business_central.probe import Watch
from tests.sandbox.business_central.store import CompanyState

COMPANIES = sample.companies()
US, AG = COMPANIES
ORDER = US.orders[1]


@pytest.fixture
def simulator() -> BusinessCentral:
    return BusinessCentral(COMPANIES, now=Watch())


@pytest.fixture
def pages(simulator: BusinessCentral) -> Pages:
    return Pages(simulator, US)


# -- queries


def test_filters_read_strings_with_quotes_dates_numbers_and_options(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.add_row(
        US.id, "vendors", {"id": "bbbbbbbb-2222-3333-4444-555555555555", "number": "V1", "displayName": "O'Neill & Co"}
    )
    assert [row["No"] for row in pages.rows("Vendors?$filter=Name eq 'O''Neill %26 Co'")] == ["V1"]
    assert [row["No"] for row in pages.rows("Vendors?$filter=startswith(Name,'O''N')")] == ["V1"]
    released = {order.number for order in US.orders if order.header["status"] == "Open"}
    assert {row["No"] for row in pages.rows("PurchaseOrder?$filter=Status eq 'Released'")} == released
    day = ORDER.header["orderDate"]
    late = {order.number for order in US.orders if str(order.header["orderDate"]) > str(day)}
    assert {row["No"] for row in pages.rows(f"PurchaseOrder?$filter=Order_Date gt {day}")} == late
    lines = pages.rows("PurchaseOrderPurchLines?$filter=Quantity ge 20 and Type eq 'Item'&$select=Quantity")
    assert lines
    assert all(line["Quantity"] >= 20 for line in lines)


@pytest.mark.parametrize(
    "option",
    [
        "$filter=number eq '1'",
        "$filter=No eq 1",
        "$filter=No eq 'a' or Status eq 'Open'",
        "$filter=No like 'a'",
        "$select=number",
        "$orderby=number",
        "$top=-1",
        "$apply=x",
    ],
)
def test_a_query_that_the_page_does_not_understand_is_refused(pages: Pages, option: str) -> None:
    status, code = refusal(pages.get(f"PurchaseOrder?{option}"))
    assert (status, code.partition("_")[0]) == (400, "BadRequest")


def test_select_order_top_skip_and_count_work_together(pages: Pages) -> None:
    numbers = sorted((order.number for order in US.orders), reverse=True)
    body = pages.get("PurchaseOrder?$select=No&$orderby=No desc&$top=3&$skip=2&$count=true").json()
    assert [row["No"] for row in body["value"]] == numbers[2:5]
    assert body["@odata.count"] == len(numbers)
    assert "@odata.nextLink" not in body
    assert list(body["value"][0]) == ["@odata.etag", "No"]
    assert pages.get("PurchaseOrder/$count").text == str(len(numbers))


def test_pages_follow_each_other_by_the_key_of_the_last_row(pages: Pages) -> None:
    first = pages.get("PurchaseOrder?$select=No", Prefer="odata.maxpagesize=40")
    assert first.headers["Preference-Applied"] == "odata.maxpagesize"
    body = first.json()
    assert len(body["value"]) == 40
    assert body["@odata.nextLink"].endswith(f"$select=No&$skiptoken='Order','{body['value'][-1]['No']}'")
    rows = pages.rows("PurchaseOrder?$select=No", Prefer="odata.maxpagesize=40")
    assert [row["No"] for row in rows] == sorted(order.number for order in US.orders)
    rows = pages.rows("PurchaseOrderPurchLines?$select=Line_No,Document_No", Prefer="odata.maxpagesize=77")
    assert len(rows) == sum(len(order.lines) for order in US.orders)


def test_a_walk_goes_on_behind_a_row_that_was_deleted_meanwhile(simulator: BusinessCentral, pages: Pages) -> None:
    first = pages.get("PurchaseOrder?$select=No", Prefer="odata.maxpagesize=40").json()
    numbers = sorted(order.number for order in US.orders)
    simulator.delete(US.id, "purchaseOrders", numbers[39])
    following = pages.probe.get(first["@odata.nextLink"]).json()
    assert following["value"][0]["No"] == numbers[40]
    lines = pages.get("PurchaseOrderPurchLines", Prefer="odata.maxpagesize=3").json()
    last = lines["value"][-1]
    simulator.remove_line(US.id, last["Document_No"], last["Line_No"])
    assert pages.probe.get(lines["@odata.nextLink"]).json()["value"][0] not in lines["value"]


def test_an_ordered_walk_needs_its_last_row(simulator: BusinessCentral, pages: Pages) -> None:
    ordered = pages.get("PurchaseOrder?$orderby=Buy_from_Vendor_No desc", Prefer="odata.maxpagesize=40").json()
    last = ordered["value"][-1]["No"]
    simulator.delete(US.id, "purchaseOrders", last)
    assert refusal(pages.probe.get(ordered["@odata.nextLink"])) == (400, "SkipTokenIsNoLongerValid")
    rows = pages.rows("PurchaseOrder?$orderby=Buy_from_Vendor_No desc", Prefer="odata.maxpagesize=40")
    vendors = [row["Buy_from_Vendor_No"] for row in rows]
    assert vendors == sorted(vendors, reverse=True)
    assert len({row["No"] for row in rows}) == len(US.orders) - 1


def test_an_ordered_walk_survives_that_its_last_row_no_longer_meets_the_filter(
    simulator: BusinessCentral, pages: Pages
) -> None:
    query = "PurchaseOrder?$filter=Status eq 'Released'&$orderby=Posting_Date"
    whole = [row["No"] for row in pages.rows(query)]
    first = pages.get(query, Prefer="odata.maxpagesize=5").json()
    simulator.edit_header(US.id, whole[4], status="Draft")
    assert pages.probe.get(first["@odata.nextLink"]).json()["value"][0]["No"] == whole[5]


def test_top_beyond_the_page_size_goes_on_with_what_is_left(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.limits.page_size = 40
    body = pages.get("PurchaseOrder?$top=50").json()
    assert "$top=10" in body["@odata.nextLink"]
    assert len(pages.rows("PurchaseOrder?$top=50")) == 50
    simulator.uncertainties.large_top_continues = False
    assert "@odata.nextLink" not in pages.get("PurchaseOrder?$top=50").json()
    simulator.uncertainties.oversized_pages_are_clamped = False
    assert pages.get("PurchaseOrder", Prefer="odata.maxpagesize=50").status_code == 413


# -- ETags


def test_an_etag_covers_computed_fields_unless_the_service_leaves_them_out() -> None:
    state = CompanyState(US, iter(range(1, 100_000)).__next__)
    services = PageServices()

    def tag_with(balance: int) -> str:
        # A balance is summed up from entries: the vendor's own row keeps its version.
        state.find("vendors", "10000").values["balance"] = Decimal(balance)
        row = find(state, VENDORS, ("10000",))
        assert row is not None
        return row_etag(services, sets_of(VENDORS)[0], row)

    assert tag_with(100) != tag_with(200)
    services.tags_without_flow_fields.add("Vendors")
    assert tag_with(100) == tag_with(200)


def test_an_etag_covers_fields_outside_the_repeater_unless_the_service_leaves_them_out(
    simulator: BusinessCentral, pages: Pages
) -> None:
    order = next(order for order in US.orders if len(order.lines) > 1 and order.lines[1].values["lineType"] == "Item")
    first = f"PurchaseOrderPurchLines('Order','{order.number}',{order.lines[0].values['sequence']})"
    before = pages.get(first).json()["@odata.etag"]
    sequence = int(str(order.lines[1].values["sequence"]))
    simulator.edit_line(US.id, order.number, sequence, quantity=Decimal(977))
    assert pages.get(first).json()["@odata.etag"] != before
    simulator.page_services.tags_without_outside_fields.add("PurchaseOrder")
    bare = pages.get(first).json()["@odata.etag"]
    simulator.edit_line(US.id, order.number, sequence, quantity=Decimal(978))
    assert pages.get(first).json()["@odata.etag"] == bare
