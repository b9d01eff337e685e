"""Two more clients written for real services, unmodified, in front of the served simulator.

`pybusinesscentral` is generated from the API's OpenAPI description; `odatapy` knows nothing but the OData 4 standard, and takes
sets, types and precision from ``$metadata``.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
from odatapy.client import BearerAuth, EdmEnabledODataClient, HttpxTransport
from pybusinesscentral import ApiClient, ApiException, Configuration  # type: ignore[import-untyped]
from pybusinesscentral.apis import (  # type: ignore[import-untyped]
    AccountApi,
    CompanyApi,
    DimensionApi,
    PurchaseInvoiceApi,
    VendorApi,
)

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.wire import Exchange, Served, serve

US = sample.companies()[0]


@pytest.fixture(scope="module")
def simulator() -> BusinessCentral:
    # One company only: the standard's addresses have no place for another.
    return BusinessCentral([US], now=Watch())


@pytest.fixture(scope="module")
def served(simulator: BusinessCentral) -> Iterator[Served]:
    with serve(Exchange(simulator.handle)) as running:
        yield running


@pytest.fixture(scope="module")
def token(simulator: BusinessCentral) -> str:
    probe = Probe(simulator, US.id)
    probe.client.close()
    return str(probe.client.headers["Authorization"]).removeprefix("Bearer ")


# -- pybusinesscentral


@pytest.fixture(scope="module")
def client(served: Served, token: str) -> Iterator[ApiClient]:
    configuration = Configuration(host=f"{served.url}/v2.0/Production/api/v2.0", access_token=token)
    with ApiClient(configuration) as client:
        yield client
        client.rest_client.pool_manager.clear()


def test_the_generated_client_reads_companies_and_accounts(client: ApiClient) -> None:
    companies = CompanyApi(client).list_companies().value
    assert [company.name for company in companies] == ["CRONUS USA, Inc."]
    accounts = AccountApi(client).list_accounts(company_id=US.id).value
    assert {account.number for account in accounts} == {row["number"] for row in US.tables["accounts"]}
    one = AccountApi(client).get_account(company_id=US.id, account_id=accounts[0].id)
    assert one.display_name == accounts[0].display_name


def test_the_generated_client_reads_dimensions_and_vendors(client: ApiClient) -> None:
    dimensions = DimensionApi(client).list_dimensions(company_id=US.id, filter="code eq 'DEPARTMENT'").value
    assert [dimension.display_name for dimension in dimensions] == ["Department"]
    vendors = VendorApi(client).list_vendors(company_id=US.id).value
    assert {vendor.number for vendor in vendors} == {row["number"] for row in US.tables["vendors"]}


def test_the_generated_client_reads_purchase_invoices_with_lines(client: ApiClient) -> None:
    api = PurchaseInvoiceApi(client)
    invoices = api.list_purchase_invoices(
        company_id=US.id, filter="status eq 'Open'", expand=["purchaseInvoiceLines"]
    ).value
    expected = {each.number: each for each in US.invoices if each.header["status"] == "Open"}
    assert {invoice.number for invoice in invoices} == set(expected)
    for invoice in invoices:
        assert len(invoice.purchase_invoice_lines) == len(expected[invoice.number].lines)
        assert invoice.total_amount_including_tax == float(
            expected[invoice.number].header["totalAmountIncludingTax"]  # type: ignore[arg-type]
        )


def test_the_generated_client_understands_a_refusal(client: ApiClient) -> None:
    with pytest.raises(ApiException) as refused:
        VendorApi(client).get_vendor(company_id=US.id, vendor_id="11111111-2222-3333-4444-555555555555")
    assert refused.value.status == 404
    assert "Internal_RecordNotFound" in refused.value.body


# -- odatapy


@pytest.fixture(scope="module")
def service(served: Served, token: str) -> Iterator[EdmEnabledODataClient]:
    with httpx.Client() as wire:
        transport = HttpxTransport(client=wire, auth=BearerAuth(token))
        yield EdmEnabledODataClient(f"{served.url}/v2.0/Production/api/v2.0", transport, odata_version="4.0")


def test_a_generic_client_understands_the_metadata(service: EdmEnabledODataClient) -> None:
    order = service.entity_set_type("purchaseOrders")
    assert order.key_predicate_names == ["id"]
    assert order.get_structural_property("number").facets.max_length == 20
    assert order.get_structural_property("orderDate").type_fqn == "Edm.Date"
    assert order.get_structural_property("status").enum_type.member_names == ["Draft", "In_x0020_Review", "Open"]
    lines = order.get_navigation_property("purchaseOrderLines")
    assert lines.is_collection
    assert lines.type.name == "purchaseOrderLine"
    vendor = order.get_navigation_property("vendor")
    assert not vendor.is_collection
    assert vendor.dependent_property_names == ["vendorId"]


def test_a_generic_client_finds_every_set_in_both_documents(service: EdmEnabledODataClient) -> None:
    listed = set(service.get_service_document().entity_sets)
    assert listed == {entity.name for entity in service.get_edm().entity_container.entity_sets}
    assert {"vendors", "purchaseReceipts", "generalLedgerEntries", "employees"} <= listed


def test_a_generic_client_reads_exact_values_of_the_right_types(service: EdmEnabledODataClient) -> None:
    expected = US.orders[0]
    uri = service.entity_set_uri("purchaseOrders").filter(f"number eq '{expected.number}'").expand("purchaseOrderLines")
    (order,) = service.get_entity_set(uri)
    assert order.get_value("id") == UUID(expected.id)
    assert order.get_value("totalAmountIncludingTax") == expected.header["totalAmountIncludingTax"]
    assert isinstance(order.get_value("totalAmountIncludingTax"), Decimal)
    assert order.get_value("orderDate") == expected.header["orderDate"]
    assert order.get_value("lastModifiedDateTime") == expected.header["lastModifiedDateTime"]
    lines = order.get_navigation_link("purchaseOrderLines").inline_entity_set
    costs = [line.get_value("directUnitCost") for line in lines]
    assert costs == [line.values["directUnitCost"] for line in expected.lines]


def test_a_generic_client_pages_through_a_set(service: EdmEnabledODataClient) -> None:
    uri = service.entity_set_uri("purchaseOrders").select("number").filter("status eq 'Open'")
    numbers = [entity.get_value("number") for entity in service.iter_entities(uri, max_page_size=25)]
    assert sorted(numbers) == sorted(order.number for order in US.orders if order.header["status"] == "Open")


def test_a_generic_client_follows_navigations(service: EdmEnabledODataClient) -> None:
    order = US.orders[0]
    root = service.entity_uri("purchaseOrders", UUID(order.id))
    vendor = service.get_entity(root.copy().append_navigation_segment("vendor"))
    assert vendor.get_value("number") == order.header["vendorNumber"]
    dimensions = service.get_entity_set(root.copy().append_navigation_segment("dimensionSetLines"))
    assert {row.get_value("code"): row.get_value("valueCode") for row in dimensions} == order.dimensions
    paper = root.copy().append_navigation_segment("pdfDocument").append_property_segment("pdfDocumentContent")
    assert service.get_value(paper).content.startswith(b"%PDF-")


def test_a_generic_client_sends_a_batch(service: EdmEnabledODataClient) -> None:
    batch = service.batch(format="json")
    batch.add_retrieve(service.entity_set_uri("vendors").top(1).build())
    batch.add_retrieve(service.entity_set_uri("nothing").build())
    answers = service.execute_batch(batch)
    assert [part.status_code for part in answers.responses] == [200, 404]
