"""The Business Central simulator: records that break each list they would be in, as installations report of orders whose vendor
is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch

US = sample.companies()[0]
BROKEN = sorted(US.orders, key=lambda order: order.id)[3]
BARE = "$select=id,lastModifiedDateTime"


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe(BusinessCentral([US], now=Watch()), US.id)
    yield probe
    probe.client.close()


def test_a_page_that_would_hold_one_fails_as_a_whole(probe: Probe) -> None:
    probe.simulator.unlistable[BROKEN.id] = "always"
    for query in ("", f"?{BARE}", "?$top=4", "?$skip=3&$top=1", f"?$filter=id eq {BROKEN.id}"):
        answer = probe.get(f"purchaseOrders{query}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "Internal_RecordNotFound")
        number = BROKEN.header["vendorNumber"]
        text = f"The Vendor does not exist. Identification fields and values: No.='{number}'"
        assert error["message"].startswith(f"{text}  CorrelationId:  ")


def test_pages_around_it_and_the_record_alone_can_be_read(probe: Probe) -> None:
    probe.simulator.unlistable[BROKEN.id] = "always"
    assert len(probe.get("purchaseOrders?$top=3").json()["value"]) == 3
    assert probe.get("purchaseOrders?$skip=4").status_code == 200
    assert probe.get("purchaseOrders/$count").status_code == 200
    assert probe.get(f"purchaseOrders({BROKEN.id})").json()["number"] == BROKEN.number


def test_its_bare_id_and_stamp_can_be_listed_where_that_is_allowed(probe: Probe) -> None:
    probe.simulator.unlistable[BROKEN.id] = "beyond its stamp"
    assert BROKEN.id in [row["id"] for row in probe.get(f"purchaseOrders?{BARE}").json()["value"]]
    for query in ("", "?$select=id,number", f"?{BARE}&$expand=purchaseOrderLines"):
        assert probe.get(f"purchaseOrders{query}").status_code == 404


def test_once_mended_it_is_listed_again(probe: Probe) -> None:
    probe.simulator.unlistable[BROKEN.id] = "always"
    assert probe.get("purchaseOrders").status_code == 404
    probe.simulator.unlistable.clear()
    assert BROKEN.id in [row["id"] for row in probe.get("purchaseOrders").json()["value"]]
