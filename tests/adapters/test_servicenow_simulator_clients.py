"""PySNC, the vendor's own Python client, works against the ServiceNow stand-in over loopback, unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pysnc import ServiceNowClient  # type: ignore[import-untyped]
from pysnc.auth import ServiceNowClientCredentialsFlow  # type: ignore[import-untyped]
from pysnc.exceptions import AuthenticationException, RequestException  # type: ignore[import-untyped]

from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER, CLIENT_ID, CLIENT_SECRET, ServiceNow, sample
from tests.sandbox.wire import Exchange, Served, serve

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


@pytest.fixture
def simulator() -> ServiceNow:
    return ServiceNow(now=lambda: NOW, seed=sample.SEED)


@pytest.fixture
def served(simulator: ServiceNow) -> Iterator[Served]:
    with serve(Exchange(simulator.handle), control=simulator.control) as server:
        yield server


@pytest.fixture
def address(served: Served) -> str:
    # The client refuses addresses that begin with "http://" in small letters.
    return f"HTTP://127.0.0.1:{served.port}"


@pytest.fixture
def admin(address: str) -> Iterator[ServiceNowClient]:
    client = ServiceNowClient(address, (ADMIN_USER, ADMIN_PASSWORD))
    yield client
    client.session.close()


@pytest.fixture
def connector(address: str) -> Iterator[ServiceNowClient]:
    client = ServiceNowClient(address, ServiceNowClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET))
    yield client
    client.session.close()


def test_it_reads_cost_centers_with_client_credentials(connector: ServiceNowClient) -> None:
    records = connector.GlideRecord("cmn_cost_center")
    records.add_query("account_number", ">=", "CC-10")
    records.order_by("code")
    records.query()
    assert len(records) == 2
    assert [(r.get_value("code"), r.get_display_value("parent")) for r in records] == [
        ("PROD", "Company"),
        ("SALES", "Company"),
    ]


def test_it_pages_through_many_records(connector: ServiceNowClient, simulator: ServiceNow) -> None:
    for number in range(25):
        simulator.tables.insert("cmn_cost_center", {"name": f"N{number:02}", "code": "many"})
    records = connector.GlideRecord("cmn_cost_center", batch_size=10)
    records.add_query("code", "many")
    records.query()
    assert sorted(record.get_value("name") for record in records) == [f"N{number:02}" for number in range(25)]


def test_it_gets_one_record_by_its_sys_id(connector: ServiceNowClient, simulator: ServiceNow) -> None:
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    record = connector.GlideRecord("cmn_cost_center")
    assert record.get(sales["sys_id"])
    assert record.get_value("name") == "Sales"
    assert not connector.GlideRecord("cmn_cost_center").get("0" * 32)


def test_it_inserts_updates_and_deletes_a_record(admin: ServiceNowClient, simulator: ServiceNow) -> None:
    record = admin.GlideRecord("cmn_cost_center")
    record.initialize()
    record.set_value("name", "Research")
    record.set_value("code", "RES")
    sys_id = record.insert()
    assert simulator.tables.get("cmn_cost_center", sys_id) is not None
    record.set_value("code", "R&D")
    assert record.update() == sys_id
    assert [row["code"] for row in simulator.tables.find("cmn_cost_center", {"name": "Research"})] == ["R&D"]
    assert record.delete()
    assert simulator.tables.find("cmn_cost_center", {"name": "Research"}) == []


def test_it_updates_many_records_through_the_batch_api(
    admin: ServiceNowClient, simulator: ServiceNow, served: Served
) -> None:
    records = admin.GlideRecord("cmn_cost_center")
    records.add_query("parent.code", "ALL")
    records.query()
    while records.next():
        records.set_value("code", f"new-{records.get_value('account_number')}")
    assert records.update_multiple()
    codes = sorted(row["code"] for row in simulator.tables.rows("cmn_cost_center"))
    assert codes == ["ALL", "new-CC-10", "new-CC-20"]
    assert served.exchange.counts["PATCH"] == 0


def test_a_wrong_secret_is_its_authentication_error(address: str) -> None:
    flow = ServiceNowClientCredentialsFlow(CLIENT_ID, "wrong")
    with pytest.raises(AuthenticationException, match="401 Unauthorized - access_denied"):
        ServiceNowClient(address, flow)


def test_a_wrong_password_is_its_authentication_error(address: str) -> None:
    client = ServiceNowClient(address, (ADMIN_USER, "wrong"))
    with pytest.raises(AuthenticationException, match="not authenticated"):
        client.GlideRecord("cmn_cost_center").query()
    client.session.close()


def test_an_unknown_table_is_its_request_error(admin: ServiceNowClient) -> None:
    with pytest.raises(RequestException, match="Invalid table"):
        admin.GlideRecord("no_such_table").query()


def test_it_joins_a_table_by_another_ones_reference(simulator: ServiceNow, admin: ServiceNowClient) -> None:
    supplier = simulator.tables.find("sn_fin_supplier", {"legal_name": "First Up Consultants"})[0]
    simulator.tables.insert("sn_shop_invoice", {"external_invoice_number": "1", "supplier": supplier["sys_id"]})
    records = admin.GlideRecord("sn_fin_supplier")
    join = records.add_join_query("sn_shop_invoice", join_table_field="supplier")
    join.add_query("external_invoice_number", "1")
    records.query()
    assert [str(record.legal_name) for record in records] == ["First Up Consultants"]
