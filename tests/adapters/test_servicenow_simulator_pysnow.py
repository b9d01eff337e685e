"""pysnow, an independent client, works against the ServiceNow stand-in over loopback, unchanged.

It sends every parameter with every call, most of them empty or ``False``; the stand-in must take these as not given.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER, ServiceNow, sample
from tests.sandbox.wire import Exchange, serve

with warnings.catch_warnings():
    # Its pinned time zone library uses a date call that newer Pythons call out of date.
    warnings.simplefilter("ignore")
    import pysnow  # type: ignore[import-untyped]
    import pysnow.exceptions  # type: ignore[import-untyped]


@pytest.fixture
def simulator() -> ServiceNow:
    return ServiceNow(now=lambda: datetime(2026, 5, 4, 8, 0, tzinfo=UTC), seed=sample.SEED)


@pytest.fixture
def client(simulator: ServiceNow) -> Iterator[Any]:
    with serve(Exchange(simulator.handle)) as served:
        found = pysnow.Client(host=f"127.0.0.1:{served.port}", user=ADMIN_USER, password=ADMIN_PASSWORD, use_ssl=False)
        yield found
        found.close()


@pytest.fixture
def centers(client: Any) -> Any:
    return client.resource(api_path="/table/cmn_cost_center")


def test_it_queries_and_reads_one_record(centers: Any) -> None:
    found = centers.get(query={"code": "SALES"}).one()
    assert (found["name"], found["account_number"]) == ("Sales", "CC-10")
    assert found["parent"]["link"].startswith("https://example.service-now.com/api/now/table/cmn_cost_center/")


def test_it_queries_with_its_builder_and_streams(centers: Any) -> None:
    query = pysnow.QueryBuilder().field("account_number").starts_with("CC-").AND().field("code").not_equals("ALL").AND()
    query = query.field("name").order_descending()
    assert [row["code"] for row in centers.get(query=query, stream=True).all()] == ["SALES", "PROD"]


def test_it_asks_for_fields_and_a_limit(centers: Any) -> None:
    rows = centers.get(query="ORDERBYcode", fields=["code"], limit=2, offset=1).all()
    assert [dict(row) for row in rows] == [{"code": "PROD"}, {"code": "SALES"}]


def test_it_inserts_updates_and_deletes(centers: Any, simulator: ServiceNow) -> None:
    created = centers.create(payload={"name": "Research", "code": "RES"}).one()
    assert created["code"] == "RES"
    updated = centers.update(query={"code": "RES"}, payload={"code": "R&D"}).one()
    assert (updated["sys_id"], updated["code"]) == (created["sys_id"], "R&D")
    assert centers.delete(query={"code": "R&D"})["status"] == "record deleted"
    assert simulator.tables.find("cmn_cost_center", {"name": "Research"}) == []


def test_no_row_and_many_rows_are_its_own_errors(centers: Any) -> None:
    with pytest.raises(pysnow.exceptions.NoResults):
        centers.get(query={"code": "none"}).one()
    with pytest.raises(pysnow.exceptions.MultipleResults):
        centers.get(query={"parent.code": "ALL"}).one()


def test_an_unknown_table_is_an_http_error(client: Any) -> None:
    with pytest.raises(requests.HTTPError, match="400 Client Error"):
        client.resource(api_path="/table/no_such_table").get(query="").all()


def test_it_lists_attachments(centers: Any, simulator: ServiceNow) -> None:
    (sales,) = simulator.tables.find("cmn_cost_center", {"code": "SALES"})
    row = {"file_name": "a.txt", "table_name": "cmn_cost_center", "table_sys_id": sales["sys_id"]}
    simulator.tables.insert("sys_attachment", row)
    assert [dict(found)["file_name"] for found in centers.attachments.get(sys_id=sales["sys_id"])] == ["a.txt"]
