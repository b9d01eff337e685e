"""Pages of the application as OData V4 web services: their names, values, addresses and lines.

The rules are those of the pages "Publish a web service" and "Using containments and associations", and of the pages that are
published, in Microsoft's public source.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.page_fields import page_fields, service_name
from tests.sandbox.business_central.page_probe import Pages, order_key, refusal
from tests.sandbox.business_central.page_services import DIMENSION_VALUES, PAGES, find, rows
from tests.sandbox.business_central.probe import Watch
from tests.sandbox.business_central.store import CompanyState

COMPANIES = sample.companies()
US, AG = COMPANIES
ORDER = US.orders[1]
NEW = {"Dimension_Code": "DEPARTMENT", "Code": "CC4711", "Name": "Cost center 4711"}


@pytest.fixture
def simulator() -> BusinessCentral:
    return BusinessCentral(COMPANIES, now=Watch())


@pytest.fixture
def pages(simulator: BusinessCentral) -> Pages:
    return Pages(simulator, US)


# -- names and values


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("Buy-from Vendor No.", "Buy_from_Vendor_No"),
        ("Unit Cost (LCY)", "Unit_Cost_LCY"),
        ("Line Discount %", "Line_Discount_Percent"),
        ("E-Mail", "E_Mail"),
        ("Qty. to Receive", "Qty_to_Receive"),
        ("ShortcutDimCode3", "ShortcutDimCode3"),
    ],
)
def test_every_run_of_other_characters_in_a_control_name_becomes_an_underscore(caption: str, name: str) -> None:
    assert service_name(caption) == name


def test_every_field_name_of_every_page_follows_the_naming_rules() -> None:
    for service in PAGES.values():
        names = [each.name for each in service.fields]
        names += [each.name for each in service.lines.fields] if service.lines is not None else []
        assert [service_name(name) for name in names] == names
        assert set(service.key) <= set(names)


def test_a_page_field_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a page field"):
        page_fields("No number < number", {})


def test_an_order_shows_its_raw_values_under_the_names_of_the_page(pages: Pages) -> None:
    row = pages.get(order_key(ORDER.number)).json()
    assert row["Buy_from_Vendor_No"] == ORDER.header["vendorNumber"]
    assert row["Order_Date"] == row["Document_Date"] == str(ORDER.header["orderDate"])
    assert row["Shortcut_Dimension_1_Code"] == ORDER.header["shortcutDimension1Code"]
    assert row["Expected_Receipt_Date"] == "0001-01-01"
    assert row["On_Hold"] == row["Vendor_Order_No"] == ""


@pytest.mark.parametrize(("api", "page"), [("Draft", "Open"), ("In Review", "Pending Approval"), ("Open", "Released")])
def test_the_status_on_the_page_is_the_documents_own(
    simulator: BusinessCentral, pages: Pages, api: str, page: str
) -> None:
    simulator.edit_header(US.id, ORDER.number, status=api)
    assert pages.get(order_key(ORDER.number)).json()["Status"] == page


def test_a_released_order_may_wait_for_its_prepayment(simulator: BusinessCentral, pages: Pages) -> None:
    document = simulator.document(US.id, ORDER.number)
    document.header |= {
        "id": "11111111-2222-3333-4444-555555555555",
        "number": "107999",
        "status": "Open",
        "prepaymentPending": True,
    }
    document.lines.clear()
    simulator.add_order(US.id, document)
    assert pages.get(order_key("107999")).json()["Status"] == "Pending Prepayment"


def test_the_local_currency_is_blank_on_the_page(pages: Pages) -> None:
    shown = {row["No"]: row["Currency_Code"] for row in pages.rows("PurchaseOrder?$select=No,Currency_Code")}
    for order in US.orders:
        code = order.header["currencyCode"]
        assert shown[order.number] == ("" if code == "USD" else code)
    assert len(set(shown.values())) > 1


def test_lines_carry_the_codes_of_all_eight_shortcut_dimensions(simulator: BusinessCentral, pages: Pages) -> None:
    setup = US.tables["generalLedgerSetup"][0]
    third = str(setup["shortcutDimension3Code"])
    dimension = US.row("dimensions", "code", third)
    assert dimension is not None
    value = next(row for row in US.tables["dimensionValues"] if row["dimensionId"] == dimension["id"])
    simulator.set_dimension(US.id, ORDER.number, third, str(value["code"]), sequence=10000)
    simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "ADM", sequence=10000)
    line = pages.get(
        f"PurchaseOrderPurchLines(Document_Type='Order',Document_No='{ORDER.number}',Line_No=10000)"
    ).json()
    assert line["ShortcutDimCode3"] == value["code"]
    assert line["Shortcut_Dimension_1_Code"] == "ADM"
    assert line["ShortcutDimCode8"] == ""


def test_a_line_amount_is_quantity_by_cost_less_discount(pages: Pages) -> None:
    discounted = [row for row in pages.rows("PurchaseOrderPurchLines") if row["Line_Discount_Amount"]]
    raw = [line for order in US.orders for line in order.lines if line.values["discountAmount"]]
    assert len(discounted) == len(raw) > 0
    for row in discounted:
        exact = Decimal(str(row["Quantity"])) * Decimal(str(row["Direct_Unit_Cost"]))
        # Half of the coarsest rounding precision of any currency of the sample.
        left = exact - Decimal(str(row["Line_Discount_Amount"])) - Decimal(str(row["Line_Amount"]))
        assert abs(left) <= Decimal("0.5")


def test_line_types_and_options_are_plain_words(pages: Pages) -> None:
    types = {row["Type"] for row in pages.rows("PurchaseOrderPurchLines?$select=Type")}
    assert {"Item", "G/L Account", "Charge (Item)", " "} <= types
    values = {row["Dimension_Value_Type"] for row in pages.rows("DimensionValues")}
    assert "Begin-Total" in values
    assert pages.rows("Vendors?$filter=Blocked eq ' '")


def test_open_and_posted_invoices_are_two_pages(pages: Pages) -> None:
    statuses = {invoice.number: invoice.header["status"] for invoice in US.invoices}
    draft = {number for number, status in statuses.items() if status in {"Draft", "In Review"}}
    assert {row["No"] for row in pages.rows("PurchaseInvoices")} == draft
    posted = pages.rows("PostedPurchaseInvoices?$expand=PostedPurchaseInvoicesPurchInvLines")
    assert {row["No"] for row in posted} == statuses.keys() - draft
    assert {row["Closed"] for row in posted} == {True, False}
    assert posted[0]["PostedPurchaseInvoicesPurchInvLines"][0]["Document_No"] == posted[0]["No"]


def test_master_data_pages_show_all_their_records(pages: Pages) -> None:
    for name, table in (
        ("Vendors", "vendors"),
        ("VendorCard", "vendors"),
        ("G_L_Accounts", "accounts"),
        ("G_L_Account_Card", "accounts"),
        ("DimensionValues", "dimensionValues"),
        ("Locations", "locations"),
        ("LocationCard", "locations"),
        ("PaymentTerms", "paymentTerms"),
    ):
        assert len(pages.rows(name)) == len(US.tables[table]), name
    terms = pages.get("PaymentTerms('1M(8D)')").json()
    assert (terms["Due_Date_Calculation"], terms["Discount_Percent"]) == ("1M", 2)


def test_rows_and_find_serve_other_protocols_too() -> None:
    state = CompanyState(US, iter(range(1, 100_000)).__next__)
    row = find(state, DIMENSION_VALUES, ("DEPARTMENT", "ADM"))
    assert row is not None
    assert list(row.values) == [each.name for each in DIMENSION_VALUES.fields]
    assert row.record.values["code"] == "ADM"
    assert find(state, DIMENSION_VALUES, ("DEPARTMENT", "NONE")) is None
    keys = [each.key for each in rows(state, DIMENSION_VALUES)]
    assert keys == sorted(keys, key=str)


# -- addresses


def test_a_company_is_named_by_name_by_id_or_by_a_parameter(pages: Pages) -> None:
    wanted = len(US.orders)
    for address in (
        f"{pages.company}/PurchaseOrder",
        f"{pages.root}/Company(Id={US.id})/PurchaseOrder",
        f"{pages.root}/Company(Name='CRONUS%20USA%2C%20Inc.')/PurchaseOrder",
        f"{pages.root}/PurchaseOrder?company=CRONUS%20USA%2C%20Inc.",
        f"{pages.root}/PurchaseOrder?company='CRONUS%20USA%2C%20Inc.'",
        f"{pages.root}/PurchaseOrder?company={US.id}",
        f"{pages.simulator.base_url}/v2.0/Production/ODataV4/Company(Id={US.id})/PurchaseOrder",
    ):
        response = pages.probe.get(address)
        assert response.status_code == 200, address
        assert len(response.json()["value"]) == wanted
        assert response.json()["@odata.context"].endswith(
            "/ODataV4/$metadata#Company('CRONUS%20USA%2C%20Inc.')/PurchaseOrder"
        )


@pytest.mark.parametrize(
    "company",
    [
        "Company('cronus%20usa%2C%20inc.')",
        "Company('Nobody')",
        "Company(Id=11111111-2222-3333-4444-555555555555)",
    ],
    ids=["names are case-sensitive", "unknown name", "unknown id"],
)
def test_a_company_that_is_not_there_is_refused(pages: Pages, company: str) -> None:
    refused = pages.probe.get(f"{pages.root}/{company}/PurchaseOrder")
    assert refusal(refused) == (404, "Internal_CompanyNotFound")


def test_without_a_company_the_only_one_is_meant(pages: Pages) -> None:
    assert refusal(pages.probe.get(f"{pages.root}/Vendors")) == (404, "Internal_CompanyNotFound")
    alone = Pages(BusinessCentral([US], now=Watch()), US)
    assert alone.probe.get(f"{alone.root}/Vendors").status_code == 200


def test_a_renamed_company_keeps_its_id() -> None:
    companies = [replace(US, company=US.company | {"name": "New Name's"}), AG]
    renamed = Pages(BusinessCentral(companies, now=Watch()), US)
    assert refusal(renamed.get("Vendors")) == (404, "Internal_CompanyNotFound")
    response = renamed.probe.get(f"{renamed.root}/Company(Id={US.id})/Vendors")
    assert response.json()["@odata.context"].endswith("#Company('New%20Name%27%27s')/Vendors")
    assert renamed.probe.get(f"{renamed.root}/Company('New%20Name''s')/Vendors").status_code == 200


def test_the_companies_are_a_service_of_their_own(pages: Pages) -> None:
    body = pages.probe.get(f"{pages.root}/Company").json()
    assert [row["Name"] for row in body["value"]] == [US.name, AG.name]
    assert body["@odata.context"] == f"{pages.root}/$metadata#Company"
    assert pages.probe.get(pages.company).json()["Id"] == US.id
    assert pages.probe.get(f"{pages.root}/Company/$count").text == "2"
    assert pages.probe.get(f"{pages.company}/$count").status_code == 404
    assert pages.probe.get(f"{pages.root}/Company/Vendors").status_code == 404


def test_only_what_is_published_exists(simulator: BusinessCentral, pages: Pages) -> None:
    for name in ("Employees", "purchaseorder", "PurchLines", "purchaseOrders"):
        assert refusal(pages.get(name)) == (404, "BadRequest_ResourceNotFound"), name
    del simulator.page_services.published["PurchaseOrder"]
    assert refusal(pages.get("PurchaseOrder")) == (404, "BadRequest_ResourceNotFound")
    assert refusal(pages.get("PurchaseOrderPurchLines")) == (404, "BadRequest_ResourceNotFound")


def test_service_names_are_the_customers_own(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.page_services.published = {"Bestellung": 50, "Werte": replace(DIMENSION_VALUES, writable=False)}
    row = pages.get(f"Bestellung('Order','{ORDER.number}')?$expand=BestellungPurchLines").json()
    assert len(row["BestellungPurchLines"]) == len(ORDER.lines)
    assert pages.get("BestellungPurchLines?$top=1").json()["value"][0]["Line_No"] == 10000
    assert refusal(pages.send("POST", "Werte", NEW)) == (405, "BadRequest_MethodNotAllowed")
    assert pages.get("PurchaseOrder").status_code == 404


def test_a_page_number_nobody_knows_publishes_nothing(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.page_services.published["Nothing"] = 99_999
    assert pages.get("Nothing").status_code == 404
    assert pages.probe.get(f"{pages.root}/").status_code == 200


@pytest.mark.parametrize(
    "key",
    [
        "Document_Type='Order',No='{}'",
        "No='{}',Document_Type='Order'",
        "'Order','{}'",
        " Document_Type = 'Order', No='{}'",
    ],
)
def test_a_key_lists_the_primary_key_in_order_or_by_name(pages: Pages, key: str) -> None:
    response = pages.get(f"PurchaseOrder({key.format(ORDER.number)})")
    assert response.status_code == 200
    assert response.json()["No"] == ORDER.number
    assert response.json()["@odata.context"].endswith("/PurchaseOrder/$entity")


@pytest.mark.parametrize(
    "key",
    ["'106001'", "No='106001'", "Document_Type='Order',Number='106001'", "'Order',106001", "Order,No", "'Order','1"],
)
def test_a_key_that_is_not_the_primary_key_is_a_syntax_error(pages: Pages, key: str) -> None:
    assert refusal(pages.get(f"PurchaseOrder({key})")) == (400, "BadRequest_NotFound")


def test_a_record_that_is_not_there_is_named_by_its_key(pages: Pages) -> None:
    refused = pages.get(order_key("999999"))
    assert refusal(refused) == (404, "Internal_RecordNotFound")
    message = refused.json()["error"]["message"]
    assert message.startswith(
        "The Purchase Header does not exist. Identification fields and values: Document Type='Order',No.='999999'"
    )
    assert "  CorrelationId:  " in message
    line = pages.get("PurchaseOrderPurchLines('Order','999999',10000)")
    assert "The Purchase Line does not exist" in line.json()["error"]["message"]


def test_codes_with_odd_characters_are_found_by_their_encoded_key(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.add_row(US.id, "locations", {"id": "aaaaaaaa-2222-3333-4444-555555555555", "code": "O'HARE, LOG./1"})
    assert pages.get("Locations('O''HARE%2C%20LOG.%2F1')").json()["Code"] == "O'HARE, LOG./1"
    assert pages.get("Locations(Code='O%27%27HARE, LOG.%2F1')").json()["Code"] == "O'HARE, LOG./1"


# -- lines


def test_lines_are_a_navigation_and_a_set_of_the_same_name(pages: Pages) -> None:
    below = pages.get(f"{order_key(ORDER.number)}/PurchaseOrderPurchLines").json()
    assert [row["Line_No"] for row in below["value"]] == [line.values["sequence"] for line in ORDER.lines]
    beside = pages.rows(f"PurchaseOrderPurchLines?$filter=Document_No eq '{ORDER.number}'")
    assert beside == below["value"]
    assert len(pages.rows("PurchaseOrderPurchLines")) == sum(len(order.lines) for order in US.orders)
    key = f"Document_Type='Order',Document_No='{ORDER.number}',Line_No=10000"
    one = pages.get(f"{order_key(ORDER.number)}/PurchaseOrderPurchLines({key})").json()
    assert one["Line_No"] == 10000
    assert pages.get(f"{order_key(ORDER.number)}/PurchaseOrderPurchLines/$count").text == str(len(ORDER.lines))


def test_there_is_nothing_else_below_a_row(pages: Pages) -> None:
    for address in (
        f"{order_key(ORDER.number)}/PurchLines",
        f"{order_key(ORDER.number)}/$count",
        "Vendors('10000')/PurchaseOrderPurchLines",
        "PurchaseOrder/PurchaseOrderPurchLines",
        f"{order_key(ORDER.number)}/PurchaseOrderPurchLines/PurchaseOrderPurchLines",
    ):
        assert refusal(pages.get(address)) == (404, "BadRequest_ResourceNotFound"), address


def test_lines_are_shown_only_when_expanded_and_then_behind_the_fields(pages: Pages) -> None:
    assert "PurchaseOrderPurchLines" not in pages.get(order_key(ORDER.number)).json()
    row = pages.get(f"{order_key(ORDER.number)}?$expand=PurchaseOrderPurchLines").json()
    assert list(row)[-1] == "PurchaseOrderPurchLines"
    assert row["PurchaseOrderPurchLines"][0]["@odata.etag"].startswith('W/"')


def test_expanded_lines_take_options_of_their_own(pages: Pages) -> None:
    order = next(order for order in US.orders if len(order.lines) > 2)
    options = "$select=Line_No;$filter=Line_No gt 10000;$orderby=Line_No desc"
    row = pages.get(f"{order_key(order.number)}?$select=No&$expand=PurchaseOrderPurchLines({options})").json()
    numbers = [line["Line_No"] for line in row["PurchaseOrderPurchLines"]]
    assert numbers == sorted((line.values["sequence"] for line in order.lines[1:]), reverse=True)
    assert list(row["PurchaseOrderPurchLines"][0]) == ["@odata.etag", "Line_No"]
    assert list(row) == ["@odata.context", "@odata.etag", "No", "PurchaseOrderPurchLines"]


@pytest.mark.parametrize(
    "expand",
    [
        "PurchLines",
        "purchaseOrderLines",
        "PurchaseOrderPurchLines($search=x)",
        "PurchaseOrderPurchLines($filter=Number eq 1)",
        "PurchaseOrderPurchLines($select",
    ],
)
def test_an_expansion_that_is_not_there_is_refused(pages: Pages, expand: str) -> None:
    assert pages.get(f"PurchaseOrder?$expand={expand}").status_code == 400
    assert pages.get("PurchaseOrderPurchLines?$expand=PurchaseOrderPurchLines").status_code == 400


# -- what is published


def test_the_service_document_lists_what_is_published(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.page_services.published = {"Bestellung": 50, "Orte": 15}
    body = pages.probe.get(f"{pages.root}/").json()
    assert body["@odata.context"] == f"{pages.root}/$metadata"
    assert [row["name"] for row in body["value"]] == ["Company", "Bestellung", "BestellungPurchLines", "Orte"]
    assert body["value"][1] == {"name": "Bestellung", "kind": "EntitySet", "url": "Bestellung"}


def test_the_metadata_describes_keys_fields_and_contained_lines(pages: Pages) -> None:
    response = pages.probe.get(f"{pages.root}/$metadata")
    assert response.headers["Content-Type"] == "application/xml"
    document = ElementTree.fromstring(response.text)  # noqa: S314 - our own document
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"
    types = {each.get("Name"): each for each in document.iter(f"{edm}EntityType")}
    order = types["PurchaseOrder"]
    keys = [each.get("Name") for each in order.iter(f"{edm}PropertyRef")]
    assert keys == ["Document_Type", "No"]
    kinds = {each.get("Name"): each.get("Type") for each in order.iter(f"{edm}Property")}
    assert kinds["Status"] == "Edm.String"
    assert kinds["Order_Date"] == "Edm.Date"
    (lines,) = order.iter(f"{edm}NavigationProperty")
    assert lines.get("Type") == "Collection(NAV.PurchaseOrderPurchLines)"
    constraint = lines.find(f"{edm}ReferentialConstraint")
    assert constraint is not None
    assert (constraint.get("Property"), constraint.get("ReferencedProperty")) == ("No", "Document_No")
    row = pages.get(order_key(ORDER.number)).json()
    assert list(kinds) == [name for name in row if not name.startswith("@")]
    below = {each.get("Name") for each in types["Company"].iter(f"{edm}NavigationProperty")}
    assert {"PurchaseOrder", "PurchaseOrderPurchLines", "DimensionValues"} <= below
