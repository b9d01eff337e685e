"""Writes through OData V4 page services, what goes wrong with them, and how they differ on premises.

The rules are those of the pages "Web service error codes", "Publish a web service" and "Configuring Business Central Server",
and of the table of dimension values in Microsoft's public source.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.on_premises import OnPremises
from tests.sandbox.business_central.page_probe import Pages, order_key, refusal
from tests.sandbox.business_central.probe import Watch
from tests.sandbox.wire import Exchange, InProcess

COMPANIES = sample.companies()
US, AG = COMPANIES
ORDER = US.orders[1]
KEY = "pQc2Zx0sV5r8Nf3hLk7mTj1bYw9eUa4gDi6oRv2xS0A="
NEW = {
    "Dimension_Code": "DEPARTMENT",
    "Code": "CC4711",
    "Name": "Cost center 4711",
    "Dimension_Value_Type": "Standard",
    "Blocked": False,
}
VALUE = "DimensionValues(Dimension_Code='DEPARTMENT',Code='CC4711')"


@pytest.fixture
def simulator() -> BusinessCentral:
    return BusinessCentral(COMPANIES, now=Watch())


@pytest.fixture
def pages(simulator: BusinessCentral) -> Pages:
    return Pages(simulator, US)


# -- writes


def test_a_new_dimension_value_is_answered_201_with_its_address(pages: Pages) -> None:
    made = pages.send("POST", "DimensionValues", NEW)
    assert made.status_code == 201
    row = made.json()
    assert row["@odata.context"].endswith("#Company('CRONUS%20USA%2C%20Inc.')/DimensionValues/$entity")
    assert {name: row[name] for name in NEW} == NEW
    assert (row["Totaling"], row["Consolidation_Code"]) == ("", "")
    assert made.headers["Location"] == f"{pages.company}/{VALUE}"
    assert pages.probe.get(made.headers["Location"]).json()["Name"] == "Cost center 4711"
    api = pages.probe.rows("dimensionValues?$filter=code eq 'CC4711'")
    assert [value["displayName"] for value in api] == ["Cost center 4711"]


def test_codes_are_upper_cased_and_trimmed(pages: Pages) -> None:
    made = pages.send("POST", "DimensionValues", NEW | {"Dimension_Code": "department", "Code": " cc4711 "})
    assert (made.json()["Dimension_Code"], made.json()["Code"]) == ("DEPARTMENT", "CC4711")


def test_the_same_key_twice_is_a_conflict(pages: Pages) -> None:
    pages.send("POST", "DimensionValues", NEW)
    refused = pages.send("POST", "DimensionValues", NEW)
    assert refusal(refused) == (409, "Internal_EntityWithSameKeyExists")
    assert "Dimension Code='DEPARTMENT',Code='CC4711'" in refused.json()["error"]["message"]


def test_a_post_may_go_without_content(simulator: BusinessCentral, pages: Pages) -> None:
    made = pages.send("POST", "DimensionValues", NEW, Prefer="return-no-content")
    assert (made.status_code, made.content) == (204, b"")
    assert made.headers["Location"].endswith(VALUE)
    simulator.uncertainties.new_records_header = False
    other = pages.send("POST", "DimensionValues", NEW | {"Code": "CC2"}, Prefer="return-no-content")
    assert "Location" not in other.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"Code": ""}, "Application_FieldValidationException"),
        ({"Dimension_Code": "NOSUCH"}, "Internal_InvalidTableRelation"),
        ({"Code": "(CONFLICT)"}, "Application_DialogException"),
        ({"Totaling": "10..55"}, "Application_FieldValidationException"),
        ({"Dimension_Value_Type": "Department"}, "Unknown"),
        ({"Name": "x" * 51}, "Application_StringExceededLength"),
        ({"Indentation": 1}, "BadRequest"),
        ({"Blocked": "no"}, "BadRequest"),
    ],
)
def test_a_value_that_breaks_a_rule_of_its_table_is_refused(pages: Pages, body: dict[str, Any], code: str) -> None:
    assert refusal(pages.send("POST", "DimensionValues", NEW | body)) == (400, code)
    assert pages.get(VALUE).status_code == 404


def test_a_change_needs_the_present_etag(pages: Pages) -> None:
    old = pages.send("POST", "DimensionValues", NEW).json()["@odata.etag"]
    assert refusal(pages.send("PATCH", VALUE, {"Name": "New"})) == (400, "BadRequest_InvalidToken")
    assert refusal(pages.send("PATCH", VALUE, {"Name": "New"}, If_Match="x")) == (400, "BadRequest_InvalidToken")
    changed = pages.send("PATCH", VALUE, {"Name": "New", "Blocked": True}, If_Match=old)
    assert changed.status_code == 200
    assert (changed.json()["Name"], changed.json()["Blocked"]) == ("New", True)
    assert changed.json()["@odata.etag"] != old
    stale = pages.send("PATCH", VALUE, {"Name": "Newer"}, If_Match=old)
    assert refusal(stale) == (409, "Request_EntityChanged")
    assert pages.send("PATCH", VALUE, {"Name": "Newest"}, If_Match="*").json()["Name"] == "Newest"


def test_a_code_can_be_renamed_its_dimension_cannot(pages: Pages) -> None:
    pages.send("POST", "DimensionValues", NEW)
    refused = pages.send("PATCH", VALUE, {"Dimension_Code": "PROJECT"}, If_Match="*")
    assert refusal(refused) == (400, "Application_DialogException")
    renamed = pages.send("PATCH", VALUE, {"Code": "CC4712"}, If_Match="*")
    assert renamed.json()["Code"] == "CC4712"
    assert pages.get(VALUE).status_code == 404


def test_an_unused_value_can_be_deleted_a_used_one_cannot(simulator: BusinessCentral, pages: Pages) -> None:
    pages.send("POST", "DimensionValues", NEW)
    stale = pages.send("DELETE", VALUE, If_Match='W/"JzIwOzE7MDA7Jw=="')
    assert refusal(stale) == (409, "Request_EntityChanged")
    assert pages.send("DELETE", VALUE).status_code == 204
    assert pages.get(VALUE).status_code == 404
    used = pages.send("DELETE", "DimensionValues('DEPARTMENT','ADM')")
    assert refusal(used) == (400, "Application_DialogException")
    pages.send("POST", "DimensionValues", NEW)
    simulator.uncertainties.delete_needs_token = True
    assert refusal(pages.send("DELETE", VALUE)) == (400, "BadRequest_InvalidToken")


def test_everything_else_is_read_only(pages: Pages) -> None:
    key = order_key(ORDER.number)
    for method, address in (
        ("POST", "PurchaseOrder"),
        ("PATCH", key),
        ("DELETE", key),
        ("POST", f"{key}/PurchaseOrderPurchLines"),
        ("POST", "DimensionValues('DEPARTMENT','ADM')"),
        ("PATCH", "DimensionValues"),
        ("DELETE", "DimensionValues"),
        ("POST", "DimensionValues/$count"),
    ):
        refused = pages.send(method, address, {}, If_Match="*")
        assert refusal(refused) == (405, "BadRequest_MethodNotAllowed"), (method, address)
    for address in (f"{pages.root}/", f"{pages.root}/Company", f"{pages.root}/$metadata"):
        assert pages.probe.send("POST", address, {}).status_code == 405


def test_a_written_value_is_used_at_once_by_the_api(simulator: BusinessCentral, pages: Pages) -> None:
    pages.send("POST", "DimensionValues", NEW)
    simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "CC4711", sequence=10000)
    refused = pages.send("DELETE", VALUE)
    assert refusal(refused) == (400, "Application_DialogException")
    renamed = pages.send("PATCH", VALUE, {"Code": "CC9"}, If_Match="*")
    assert renamed.status_code == 200
    line = pages.get(f"PurchaseOrderPurchLines('Order','{ORDER.number}',10000)").json()
    assert line["Shortcut_Dimension_1_Code"] == "CC9"


# -- what goes wrong


def test_one_broken_related_record_makes_the_whole_list_fail(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.page_services.broken.add(ORDER.number)
    refused = pages.get("PurchaseOrder")
    assert refusal(refused) == (404, "Internal_RecordNotFound")
    vendor = ORDER.header["vendorNumber"]
    assert f"The Vendor does not exist. Identification fields and values: No.='{vendor}'" in refused.text
    assert refusal(pages.get("PurchaseOrderPurchLines")) == (404, "Internal_RecordNotFound")
    assert refusal(pages.get(order_key(ORDER.number))) == (404, "Internal_RecordNotFound")
    rest = pages.rows(f"PurchaseOrder?$filter=No gt '{ORDER.number}'")
    rest += pages.rows(f"PurchaseOrder?$filter=No lt '{ORDER.number}'")
    assert len(rest) == len(US.orders) - 1
    assert pages.probe.get("purchaseOrders").status_code == 200


def test_fields_may_be_hidden_or_renamed(simulator: BusinessCentral, pages: Pages) -> None:
    services = simulator.page_services
    services.changed_fields["PurchaseOrder"] = {"Vendor_Invoice_No": "", "Due_Date": "Due_Day", "No": ""}
    services.changed_fields["PurchaseOrderPurchLines"] = {"ShortcutDimCode3": "ShortcutDimCode_x005B_3_x005D_"}
    row = pages.get(f"{order_key(ORDER.number)}?$expand=PurchaseOrderPurchLines").json()
    assert "Vendor_Invoice_No" not in row
    assert "Due_Date" not in row
    assert row["Due_Day"] == "0001-01-01"
    assert row["No"] == ORDER.number
    line = row["PurchaseOrderPurchLines"][0]
    assert "ShortcutDimCode3" not in line
    assert "ShortcutDimCode_x005B_3_x005D_" in line
    assert pages.get("PurchaseOrder?$filter=Vendor_Invoice_No eq ''").status_code == 400


def test_renamed_fields_are_written_under_their_new_names(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.page_services.changed_fields["DimensionValues"] = {"Name": "Bezeichnung", "Code": "Wert"}
    made = pages.send("POST", "DimensionValues", {"Dimension_Code": "DEPARTMENT", "Wert": "A1", "Bezeichnung": "Eins"})
    assert made.headers["Location"].endswith("DimensionValues(Dimension_Code='DEPARTMENT',Wert='A1')")
    assert pages.get("DimensionValues(Dimension_Code='DEPARTMENT',Wert='A1')").json()["Bezeichnung"] == "Eins"


def test_a_modified_stamp_is_on_no_page_unless_the_customer_put_it_there(
    simulator: BusinessCentral, pages: Pages
) -> None:
    assert "SystemModifiedAt" not in pages.get(order_key(ORDER.number)).json()
    assert pages.get("PurchaseOrder?$filter=SystemModifiedAt gt 2026-01-01T00:00:00Z").status_code == 400
    simulator.page_services.modified_stamps = True
    stamp = pages.get(order_key(ORDER.number)).json()["SystemModifiedAt"]
    api = pages.probe.rows(f"purchaseOrders?$filter=number eq '{ORDER.number}'")[0]
    assert stamp == api["lastModifiedDateTime"]
    assert pages.rows(f"PurchaseOrder?$filter=SystemModifiedAt ge {stamp}")


def test_a_table_that_may_not_be_read_fails_its_pages(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.unreadable.add("purchaseOrders")
    refused = pages.get("PurchaseOrder")
    assert refusal(refused) == (400, "Internal_ServerError")
    assert "current permissions prevented the action" in refused.text
    assert pages.get("Vendors").status_code == 200


def test_online_a_bearer_token_is_needed(simulator: BusinessCentral, pages: Pages) -> None:
    assert refusal(pages.get("Vendors", Authorization="Bearer x")) == (401, "Authentication_InvalidCredentials")
    assert pages.get("Vendors", Authorization="Basic Q09OTkVDVE9SOng=").status_code == 401
    simulator.app_enabled = False
    assert pages.get("Vendors").status_code == 401


def test_an_environment_that_is_not_there_answers_no_odata(pages: Pages) -> None:
    for path in (
        "v2.0/Sandbox/ODataV4/Vendors",
        "v2.0/other.example/Production/ODataV4/Vendors",
        "BC240/ODataV4/Company",
    ):
        assert pages.probe.get(f"{pages.simulator.base_url}/{path}").status_code == 404


def test_page_services_count_towards_the_limits(simulator: BusinessCentral, pages: Pages) -> None:
    simulator.limits.on = True
    simulator.limits.in_window = 2
    assert [pages.get("Locations").status_code for _ in range(3)] == [200, 200, 429]


def test_parts_of_a_batch_may_be_page_services(pages: Pages) -> None:
    url = "Company('CRONUS%20USA%2C%20Inc.')/Locations?$select=Code"
    body = {"requests": [{"id": "1", "method": "GET", "url": url}, {"id": "2", "method": "GET", "url": "Nothing"}]}
    parts = pages.probe.send("POST", f"{pages.root}/$batch", body).json()["responses"]
    assert [part["status"] for part in parts] == [200, 404]
    assert len(parts[0]["body"]["value"]) == len(US.tables["locations"])


# -- on premises


@pytest.fixture
def server(simulator: BusinessCentral) -> httpx.Client:
    simulator.on_premises = OnPremises()
    return httpx.Client(
        transport=InProcess(Exchange(simulator.handle)),
        auth=("CONNECTOR", KEY),
        base_url="https://nav.example:7048/BC240/ODataV4",
    )


def test_on_premises_the_instance_takes_the_place_of_the_environment(server: httpx.Client) -> None:
    body = server.get("/Company('CRONUS%20USA%2C%20Inc.')/PurchaseOrder?$format=json&$top=1").json()
    assert body["@odata.context"] == (
        "https://nav.example:7048/BC240/ODataV4/$metadata#Company('CRONUS%20USA%2C%20Inc.')/PurchaseOrder"
    )
    assert server.get("https://nav.example:7048/BC230/ODataV4/Company").status_code == 404
    assert server.get("https://nav.example:7048/v2.0/Production/ODataV4/Company").status_code == 404


def test_on_premises_a_user_shows_a_web_service_access_key(server: httpx.Client) -> None:
    refused = server.get("/Company", auth=None)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm=""')
    assert server.get("/Company", auth=("CONNECTOR", "wrong")).status_code == 401


def test_a_service_that_is_switched_off_answers_405(simulator: BusinessCentral, server: httpx.Client) -> None:
    assert simulator.on_premises is not None
    simulator.on_premises.odata_enabled = False
    assert server.get("/Company").status_code == 405
    assert server.get("https://nav.example:7048/BC240/api/v2.0/companies").status_code == 200
    simulator.on_premises.odata_enabled = True
    simulator.on_premises.api_enabled = False
    assert server.get("/Company").status_code == 200
    assert server.get("https://nav.example:7048/BC240/api/v2.0/companies").status_code == 405


def test_a_multitenant_server_wants_the_tenant_with_every_request(
    simulator: BusinessCentral, server: httpx.Client
) -> None:
    assert simulator.on_premises is not None
    simulator.on_premises.tenants = ("default",)
    assert refusal(server.get("/Company")) == (503, "Internal_TenantUnavailable")
    address = f"/Company(Id={US.id})/Vendors?tenant=default"
    page = server.get(address, headers={"Prefer": "odata.maxpagesize=5"}).json()
    assert "tenant=default" in page["@odata.nextLink"]
    simulator.on_premises.links_name_tenant = False
    page = server.get(address, headers={"Prefer": "odata.maxpagesize=5"}).json()
    assert "tenant" not in page["@odata.nextLink"]
    assert refusal(server.get(page["@odata.nextLink"])) == (503, "Internal_TenantUnavailable")
