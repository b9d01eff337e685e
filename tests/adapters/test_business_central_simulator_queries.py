"""The Business Central simulator: filters, selections, expansions, order and paging."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, CompanyData
from tests.sandbox.business_central.encoding import datetime_text, number_text
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.filters import parse_filter
from tests.sandbox.business_central.literals import literal, tokens
from tests.sandbox.business_central.master_sets import VENDORS
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US = COMPANIES[0]
STAMP = datetime(2025, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


def rows_of(company: CompanyData, entity: str) -> list[dict[str, Any]]:
    if entity in company.documents:
        return [dict(document.header) for document in company.documents[entity]]
    return [dict(row) for row in company.tables[entity]]


# -- $filter


@pytest.mark.parametrize(
    ("entity", "text", "meets"),
    [
        ("vendors", "number eq '20000'", lambda row: row["number"] == "20000"),
        ("vendors", "number ne '20000'", lambda row: row["number"] != "20000"),
        ("vendors", "number gt '60000'", lambda row: row["number"] > "60000"),
        ("vendors", "number ge '60000' and number le '70000'", lambda row: "60000" <= row["number"] <= "70000"),
        ("vendors", "number lt '20000' or number eq '30000'", lambda row: row["number"] in {"10000", "30000"}),
        ("vendors", "startswith(displayName,'Fabrikam')", lambda row: row["displayName"].startswith("Fabrikam")),
        ("vendors", "endswith(displayName, 'Inc.')", lambda row: row["displayName"].endswith("Inc.")),
        ("vendors", "contains(displayName,'Übersee')", lambda row: "Übersee" in row["displayName"]),
        ("vendors", "tolower(displayName) eq 'nod publishers'", lambda row: row["number"] == "50000"),
        ("vendors", "toupper(city) eq 'CHICAGO'", lambda row: row["city"] == "Chicago"),
        ("vendors", "substring(number,1) eq '0000'", lambda row: row["number"][1:] == "0000"),
        ("vendors", "substring(number,0,2) eq '71'", lambda row: row["number"].startswith("71")),
        ("vendors", "displayName eq 'O''Reilly'", lambda _row: False),
        ("vendors", "taxLiable eq true", lambda _row: True),
        ("vendors", "blocked eq '_x0020_'", lambda _row: True),
        ("vendors", "blocked ne '_x0020_'", lambda _row: False),
        ("vendors", "city eq null", lambda _row: False),
        ("purchaseOrders", "status eq 'In_x0020_Review'", lambda row: row["status"] == "In Review"),
        (
            "purchaseOrders",
            "(status eq 'Open' or status eq 'Draft') and lastModifiedDateTime ge 2025-09-01T00:00:00Z",
            lambda row: row["status"] != "In Review" and row["lastModifiedDateTime"] >= STAMP,
        ),
        ("purchaseOrders", "lastModifiedDateTime lt 2025-09-01", lambda row: row["lastModifiedDateTime"] < STAMP),
        (
            "purchaseOrders",
            "lastModifiedDateTime lt 2025-09-01T02:00:00+02:00",
            lambda row: row["lastModifiedDateTime"] < STAMP,
        ),
        ("purchaseOrders", "orderDate gt 2025-08-01", lambda row: row["orderDate"] > date(2025, 8, 1)),
        (
            "purchaseOrders",
            "totalAmountIncludingTax gt 1234.56",
            lambda row: row["totalAmountIncludingTax"] > Decimal("1234.56"),
        ),
        (
            "purchaseOrders",
            "(totalTaxAmount eq 0) and (discountAmount gt 0 and pricesIncludeTax eq false)",
            lambda row: row["totalTaxAmount"] == 0 and row["discountAmount"] > 0,
        ),
    ],
)
def test_a_filter_lets_through_exactly_what_it_says(probe: Probe, entity: str, text: str, meets: Any) -> None:
    expected = {row["id"] for row in rows_of(US, entity) if meets(row)}
    found = {row["id"] for row in probe.rows(f"{entity}?$filter={quote(text)}&$select=id")}
    assert found == expected


def test_plus_and_percent_twenty_are_both_spaces(probe: Probe) -> None:
    text = "status eq 'In_x0020_Review' and number ge '106010'"
    assert probe.rows(f"purchaseOrders?$filter={quote(text)}") == probe.rows(
        f"purchaseOrders?%24filter={quote_plus(text)}"
    )


def test_many_ids_are_read_by_or(probe: Probe) -> None:
    wanted = [order.id for order in US.orders[10:40]]
    text = " or ".join(f"id eq {each}" for each in wanted)
    assert {row["id"] for row in probe.rows(f"purchaseOrders?$filter={text}")} == set(wanted)


def test_a_filter_with_a_text_that_fits_into_no_such_field_is_refused(probe: Probe) -> None:
    assert probe.rows(f"vendors?$filter=number eq '{'1' * 20}'") == []
    response = probe.get(f"vendors?$filter=number eq '10000' or number eq '{'1' * 21}'")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "Application_FilterErrorException")


@pytest.mark.parametrize(
    "text",
    [
        "status eq 'Open' or number eq '106001'",
        "(status eq 'Open' and number eq '106001') or status eq 'Draft'",
        "number eq '1' and (status eq 'Open' or contains(vendorName,'x'))",
    ],
)
def test_or_over_two_fields_is_refused(probe: Probe, text: str) -> None:
    response = probe.get(f"purchaseOrders?$filter={quote(text)}")
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(
        "The 'OR' operator is not supported on distinct fields on an OData filter.  CorrelationId:"
    )


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$filter=colour eq 'x'", "BadRequest"),
        ("$filter=number eq 20000", "BadRequest"),
        ("$filter=id eq '7253cc12-5580-f111-8070-7c1e52167ef6'", "BadRequest"),
        ("$filter=lastModifiedDateTime gt 2025-09-01T00:00:00", "BadRequest_NotFound"),
        ("$filter=lastModifiedDateTime gt 2025-13-01T00:00:00Z", "BadRequest_NotFound"),
        ("$filter=number in ('1','2')", "BadRequest_NotFound"),
        ("$filter=contains(tolower(displayName),'x')", "BadRequest"),
        ("$filter=number eq", "BadRequest_NotFound"),
        ("$filter=(number eq '1'", "BadRequest_NotFound"),
        ("$filter=number eq '1' number", "BadRequest_NotFound"),
        ("$filter=number eq 'open", "BadRequest_NotFound"),
        ("$filter=blocked eq ' '", "BadRequest"),
        ("$filter=blocked eq 'Sometimes'", "BadRequest"),
        ("$filter=contains(balance,'1')", "BadRequest_NotFound"),
        ("$select=number,colour", "BadRequest"),
        ("$expand=colours", "BadRequest"),
        ("$expand=currency($top=1)", "BadRequest_NotFound"),
        ("$expand=currency($select=code", "BadRequest_NotFound"),
        ("$orderby=colour", "BadRequest"),
        ("$orderby=number up", "BadRequest_NotFound"),
        ("$top=-1", "BadRequest"),
        ("$skip=many", "BadRequest"),
        ("$search=chair", "BadRequest_NotFound"),
        ("$top=1&$top=2", "BadRequest_NotFound"),
        ("$skiptoken=x", "BadRequest"),
    ],
)
def test_queries_that_make_no_sense_are_refused(probe: Probe, query: str, code: str) -> None:
    response = probe.get(f"vendors?{query}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_an_unknown_property_is_named_with_its_type(probe: Probe) -> None:
    message = probe.get("vendors?$select=colour").json()["error"]["message"]
    assert message.startswith("Could not find a property named 'colour' on type 'Microsoft.NAV.vendor'.")


def written(value: object) -> str:
    """The value as a literal of the filter language."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return datetime_text(value)
        case Decimal():
            return number_text(value)
        case _:
            return str(value)


@given(
    st.one_of(
        st.text(max_size=40),
        st.booleans(),
        st.dates(),
        st.uuids(),
        st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9),
        st.datetimes(timezones=st.just(UTC)).map(
            lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        ),
    )
)
def test_every_literal_is_read_back_as_it_was_written(value: object) -> None:
    (token,) = tokens(written(value))
    read = literal(token).value
    assert read == (str(value) if isinstance(value, UUID) else value)


@given(st.text(max_size=30))
def test_a_quoted_text_never_breaks_out_of_its_filter(text: str) -> None:
    condition = parse_filter(f"displayName eq {written(text)} and number eq '1'", VENDORS)
    assert condition.test({"displayName": text, "number": "1"})
    assert not condition.test({"displayName": text + "x", "number": "1"})


@given(st.text(alphabet="eqandor ()'1,.-numberdisplayName_", max_size=40))
def test_no_filter_crashes_the_parser(text: str) -> None:
    with suppress(Refusal):
        parse_filter(text, VENDORS)


# -- lines and dimension sets


def test_lines_are_read_by_document_or_by_id(probe: Probe) -> None:
    order = US.orders[3]
    contained = probe.rows(f"purchaseOrders({order.id})/purchaseOrderLines")
    assert [row["sequence"] for row in contained] == [line.values["sequence"] for line in order.lines]
    assert probe.rows(f"purchaseOrderLines?$filter=documentId eq {order.id}") == contained
    assert probe.rows(f"purchaseOrderLines?$filter=id eq {contained[-1]['id']}") == contained[-1:]
    line = probe.get(f"purchaseOrderLines({contained[0]['id']})").json()
    line.pop("@odata.context")
    assert line == contained[0]


def test_a_filter_on_a_documents_lines_may_say_more(probe: Probe) -> None:
    order = US.orders[11]
    text = f"documentId eq {order.id} and lineType eq 'Item' and quantity gt 5"
    found = [row["sequence"] for row in probe.rows(f"purchaseOrderLines?$filter={text}")]
    assert found == [
        line.values["sequence"]
        for line in order.lines
        if line.values["lineType"] == "Item" and line.values["quantity"] > 5  # type: ignore[operator]
    ]
    assert 0 < len(found) < len(order.lines)


def test_dimension_set_lines_are_read_by_parent_filter(probe: Probe) -> None:
    order = US.orders[0]
    text = f"parentId eq {order.id} and parentType eq 'Purchase_x0020_Order'"
    rows = probe.rows(f"dimensionSetLines?$filter={text}")
    assert {row["code"]: row["valueCode"] for row in rows} == order.dimensions


# -- $select and $expand


def test_a_selection_keeps_the_etag_and_the_page_order(probe: Probe) -> None:
    row = probe.get("purchaseOrders?$select=status,number,id&$top=1").json()["value"][0]
    assert list(row) == ["@odata.etag", "id", "number", "status"]


def test_expanded_rows_stand_behind_the_plain_ones_in_page_order(probe: Probe) -> None:
    order = probe.get("purchaseOrders?$expand=dimensionSetLines,vendor,purchaseOrderLines&$top=1").json()["value"][0]
    assert list(order)[-4:] == ["lastModifiedDateTime", "purchaseOrderLines", "dimensionSetLines", "vendor"]
    query = "purchaseInvoices?$expand=purchaseInvoiceLines, dimensionSetLines&$top=1"
    invoice = probe.get(query).json()["value"][0]
    assert list(invoice)[-3:] == ["lastModifiedDateTime", "dimensionSetLines", "purchaseInvoiceLines"]


def test_an_item_named_twice_is_merged(probe: Probe) -> None:
    query = "$expand=purchaseInvoiceLines, dimensionSetLines, purchaseInvoiceLines($expand=dimensionSetLines)"
    body = probe.get(f"purchaseInvoices?{query}&$top=2").json()
    assert body["@odata.context"].endswith("/purchaseInvoices")
    assert all("dimensionSetLines" in line for row in body["value"] for line in row["purchaseInvoiceLines"])


def test_nested_options_select_filter_and_expand(probe: Probe) -> None:
    order = US.orders[11]
    query = (
        "$select=number&$expand=purchaseOrderLines($select=sequence,lineType;$filter=lineType eq 'Item' and "
        "sequence le 200000;$expand=dimensionSetLines($select=code,valueCode),location($select=code))"
    )
    shown = probe.get(f"purchaseOrders({order.id})?{query}").json()
    assert list(shown) == ["@odata.context", "@odata.etag", "number", "purchaseOrderLines"]
    lines = shown["purchaseOrderLines"]
    expected = [
        line
        for line in order.lines
        if line.values["lineType"] == "Item" and line.values["sequence"] <= 200000  # type: ignore[operator]
    ]
    assert [line["sequence"] for line in lines] == [line.values["sequence"] for line in expected]
    for shown_line, line in zip(lines, expected, strict=True):
        assert list(shown_line) == ["@odata.etag", "sequence", "lineType", "dimensionSetLines", "location"]
        assert {row["code"]: row["valueCode"] for row in shown_line["dimensionSetLines"]} == line.dimensions
        assert all(list(row) == ["@odata.etag", "code", "valueCode"] for row in shown_line["dimensionSetLines"])
        assert shown_line["location"]["code"] in {"EAST", "WEST", "MAIN"}


def test_a_to_one_expansion_without_a_target_is_null(probe: Probe) -> None:
    row = probe.get("purchaseOrders?$filter=currencyCode eq 'USD'&$top=1&$expand=currency").json()["value"][0]
    assert row["currency"] is None


# -- order, paging, count


def test_rows_come_in_the_asked_order(probe: Probe) -> None:
    rows = probe.rows("purchaseOrders?$orderby=lastModifiedDateTime desc,id&$select=id,lastModifiedDateTime")
    ordered = sorted(US.orders, key=lambda order: order.id)
    ordered.sort(key=lambda order: order.header["lastModifiedDateTime"], reverse=True)
    assert [row["id"] for row in rows] == [order.id for order in ordered]


def test_a_page_ends_with_a_next_link_that_is_followed_as_it_is(probe: Probe) -> None:
    address = "purchaseOrders?$filter=status+eq+'Open'&$select=id,number&$expand=purchaseOrderLines($select=id)&aid=FIN"
    pages = []
    link: str | None = address
    while link:
        response = probe.get(link, Prefer="odata.maxpagesize=40")
        assert response.headers["Preference-Applied"] == "odata.maxpagesize"
        pages.append(response.json())
        link = pages[-1].get("@odata.nextLink")
    assert [len(page["value"]) for page in pages] == [40, 40, 25]
    for page in pages[:-1]:
        assert page["@odata.nextLink"].endswith(f"&$skiptoken={page['value'][-1]['id']}")
        assert "aid=FIN" in page["@odata.nextLink"]
        assert page["@odata.nextLink"].count("skiptoken") == 1
    seen = [row["id"] for page in pages for row in page["value"]]
    assert len(seen) == len(set(seen))
    assert set(seen) == {order.id for order in US.orders if order.header["status"] == "Open"}
    assert all("purchaseOrderLines" in row for page in pages for row in page["value"])


def test_equal_stamps_do_not_confuse_ordered_paging(probe: Probe) -> None:
    query = (
        "purchaseOrders?$orderby=lastModifiedDateTime&$select=id&$filter=lastModifiedDateTime ge 2025-12-01T06:30:00.5Z"
    )
    expected = probe.rows(query)
    assert len(expected) > 6
    assert probe.rows(query, Prefer="odata.maxpagesize=2") == expected


def test_without_the_prefer_header_the_rest_comes_at_once(probe: Probe) -> None:
    link = probe.get("vendors", Prefer="odata.maxpagesize=2").json()["@odata.nextLink"]
    rest = probe.get(link).json()
    assert len(rest["value"]) == len(US.tables["vendors"]) - 2
    assert "@odata.nextLink" not in rest


def test_top_within_a_page_has_no_next_link(probe: Probe) -> None:
    body = probe.get("vendors?$top=3", Prefer="odata.maxpagesize=3").json()
    assert len(body["value"]) == 3
    assert "@odata.nextLink" not in body


def test_top_beyond_a_page_is_continued_with_what_is_left(probe: Probe) -> None:
    body = probe.get("vendors?$top=5&$skip=1", Prefer="odata.maxpagesize=3").json()
    assert "$top=2" in body["@odata.nextLink"]
    assert "$skip=" not in body["@odata.nextLink"]
    everything = probe.rows("vendors")
    assert probe.rows("vendors?$top=5&$skip=1", Prefer="odata.maxpagesize=3") == everything[1:6]


def test_a_wish_for_larger_pages_is_clamped(probe: Probe) -> None:
    response = probe.get("vendors", Prefer="odata.maxpagesize=9999999")
    assert response.headers["Preference-Applied"] == "odata.maxpagesize"
    assert len(response.json()["value"]) == len(US.tables["vendors"])


def test_a_count_comes_with_the_rows_or_alone(probe: Probe) -> None:
    body = probe.get("purchaseOrders?$count=true&$top=1&$filter=status eq 'Open'").json()
    assert list(body) == ["@odata.context", "@odata.count", "value"]
    assert body["@odata.count"] == 105
    alone = probe.get("purchaseOrders/$count?$filter=status eq 'Open'")
    assert (alone.text, alone.headers["Content-Type"].split(";")[0]) == ("105", "text/plain")
    assert probe.get("/companies/$count").text == "2"


def test_rows_that_move_behind_the_cursor_are_missed_or_seen_again() -> None:
    watch = Watch()
    probe = Probe(BusinessCentral(COMPANIES, now=watch), US.id)
    query = "purchaseOrders?$orderby=lastModifiedDateTime&$select=number"
    first = probe.get(query, Prefer="odata.maxpagesize=10").json()
    watch.forward(60)
    probe.simulator.edit_header(US.id, first["value"][0]["number"], purchaser="RB")
    rest = probe.rows(first["@odata.nextLink"])
    assert rest[-1]["number"] == first["value"][0]["number"]


def test_a_token_whose_row_is_gone_still_works_by_id_but_not_in_another_order() -> None:
    probe = Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)
    by_id = probe.get("purchaseOrders?$select=number", Prefer="odata.maxpagesize=10").json()
    ordered = probe.get("purchaseOrders?$select=number&$orderby=number", Prefer="odata.maxpagesize=10").json()
    probe.simulator.delete(US.id, "purchaseOrders", by_id["value"][-1]["number"])
    assert len(probe.rows(by_id["@odata.nextLink"])) == 140
    probe.simulator.delete(US.id, "purchaseOrders", ordered["value"][-1]["number"])
    assert probe.get(ordered["@odata.nextLink"]).status_code == 400


def test_two_hundred_expanded_orders_are_answered_well_under_a_second() -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    probe = Probe(simulator, US.id)
    for number in range(60):
        copy = {"company": US.id, "copy_of": US.orders[number].number, "number": str(900000 + number)}
        assert "error" not in simulator.control("add", copy)
    query = "purchaseOrders?$top=200&$expand=dimensionSetLines,purchaseOrderLines($expand=dimensionSetLines)"
    start = time.perf_counter()
    response = probe.get(query)
    assert time.perf_counter() - start < 0.5
    assert len(response.json()["value"]) == 200
