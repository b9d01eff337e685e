"""The Business Central simulator: stamps that deceive, by the public source of the order buffer and of stamps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, Document
from tests.sandbox.business_central.other_apis import FINANCE
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US = COMPANIES[0]
ORDER = next(
    order for order in US.orders if order.header["discountAmount"] and order.lines[0].values["lineType"] != "Comment"
)
SEQUENCE = int(str(ORDER.lines[0].values["sequence"]))
REPLICA = {"Data_Access_Intent": "ReadOnly"}


class Scene:
    """A simulator and a reader."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.probe = Probe(self.simulator, US.id)

    def shown(self, **headers: str) -> dict[str, Any]:
        """The order as the API shows it."""
        query = "$expand=purchaseOrderLines,dimensionSetLines"
        body: dict[str, Any] = self.probe.get(f"purchaseOrders({ORDER.id})?{query}", **headers).json()
        return body

    def since(self, stamp: str) -> list[str]:
        """The numbers of the orders that a watermark query finds."""
        return [row["number"] for row in self.probe.rows(f"purchaseOrders?$filter=lastModifiedDateTime ge {stamp}")]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


# -- the buffer's stamp


@pytest.mark.parametrize(
    "change",
    [
        {"dueDate": date(2026, 3, 1)},
        {"vendorInvoiceNumber": "INV-1"},
        {"vendorOrderNumber": "VO-1"},
        {"expectedReceiptDate": date(2026, 3, 1)},
    ],
)
def test_header_fields_outside_the_buffer_move_nothing(scene: Scene, change: dict[str, Any]) -> None:
    before = scene.shown()
    scene.watch.forward(60)
    scene.simulator.edit_header(US.id, ORDER.number, **change)
    assert scene.shown() == before


def test_a_shortcut_code_on_the_header_is_its_dimension(scene: Scene) -> None:
    body = {"shortcutDimension1Code": "PURCHASING", "shortcutDimension2Code": ""}
    changed = scene.probe.send("PATCH", f"purchaseOrders({ORDER.id})", body, If_Match="*")
    assert changed.status_code == 200
    shown = {line["code"]: line["valueCode"] for line in scene.shown()["dimensionSetLines"]}
    assert shown["DEPARTMENT"] == "PURCHASING"
    assert "PROJECT" not in shown
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"


def test_a_reader_who_may_write_rewrites_discounted_orders_by_reading(scene: Scene) -> None:
    first = scene.shown()
    scene.watch.forward(60)
    assert scene.shown() == first
    scene.simulator.reading_changes_orders = True
    second = scene.shown()
    assert second["lastModifiedDateTime"] == "2026-01-05T09:01:00Z"
    assert second["@odata.etag"] != first["@odata.etag"]


# -- late commits


def test_a_late_commit_appears_behind_the_watermark(scene: Scene) -> None:
    scene.watch.forward(300)
    watermark = "2026-01-05T09:05:00Z"
    with scene.simulator.late_commit(120):
        scene.simulator.edit_line(US.id, ORDER.number, SEQUENCE, quantity=Decimal(7))
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:03:00Z"
    assert scene.since(watermark) == []
    assert scene.since("2026-01-05T09:02:59Z") == [ORDER.number]


def test_a_new_order_can_be_committed_late_as_well(scene: Scene) -> None:
    header = ORDER.header | {"id": "99999999-0000-0000-0000-000000000009", "number": "106990"}
    with scene.simulator.late_commit(0.5):
        scene.simulator.add_order(US.id, Document(header, []))
    (row,) = scene.probe.rows("purchaseOrders?$filter=number eq '106990'")
    assert row["lastModifiedDateTime"] == "2026-01-05T08:59:59.5Z"


def test_the_next_change_is_stamped_with_its_own_time_again(scene: Scene) -> None:
    with scene.simulator.late_commit(120):
        pass
    scene.simulator.edit_header(US.id, ORDER.number, purchaser="RB")
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"


# -- rows without a stamp


def test_a_row_untouched_since_the_upgrade_has_the_blank_stamp(scene: Scene) -> None:
    scene.simulator.never_touched(US.id, ORDER.number)
    assert scene.shown()["lastModifiedDateTime"] == "0001-01-01T00:00:00Z"
    assert ORDER.number not in scene.since("2000-01-01T00:00:00Z")
    assert ORDER.number in scene.since("0001-01-01T00:00:00Z")
    scene.simulator.never_touched(US.id, "20000", entity="vendors")
    (vendor,) = scene.probe.rows("vendors?$filter=lastModifiedDateTime lt 1900-01-01T00:00:00Z")
    assert vendor["number"] == "20000"
    scene.simulator.edit_header(US.id, ORDER.number, purchaser="RB")
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"


# -- the replica


def test_without_a_lag_the_replica_is_up_to_date(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, ORDER.number, purchaser="RB")
    assert scene.shown(**REPLICA) == scene.shown()


def test_a_lagging_replica_shows_changes_later(scene: Scene) -> None:
    scene.simulator.replica.lag = timedelta(seconds=20)
    before = scene.shown()
    scene.simulator.edit_line(US.id, ORDER.number, SEQUENCE, quantity=Decimal(7))
    scene.watch.forward(10)
    scene.simulator.edit_header(US.id, ORDER.number, purchaser="RB")
    after = scene.shown()
    assert scene.shown(**REPLICA) == before != after
    scene.watch.forward(10)
    between = scene.shown(**REPLICA)
    assert between["purchaseOrderLines"] == after["purchaseOrderLines"]
    assert between["purchaser"] == before["purchaser"]
    scene.watch.forward(10)
    assert scene.shown(**REPLICA) == after


@pytest.mark.parametrize(
    "change",
    [
        lambda simulator: simulator.edit_line(US.id, ORDER.number, SEQUENCE, description="Silent"),
        lambda simulator: simulator.remove_line(US.id, ORDER.number, SEQUENCE),
        lambda simulator: simulator.set_dimension(US.id, ORDER.number, "AREA", "55"),
        lambda simulator: simulator.set_dimension(US.id, ORDER.number, "AREA", "55", sequence=SEQUENCE),
        lambda simulator: simulator.never_touched(US.id, ORDER.number),
        lambda simulator: simulator.delete(US.id, "purchaseOrders", ORDER.number),
        lambda simulator: simulator.add_order(
            US.id, Document(ORDER.header | {"id": "99999999-0000-0000-0000-000000000009", "number": "106990"}, [])
        ),
        lambda simulator: simulator.edit_header(US.id, "20000", entity="vendors", city="Oslo"),
    ],
)
def test_every_kind_of_change_reaches_the_replica_in_time(scene: Scene, change: Any) -> None:
    addresses = (
        "purchaseOrders?$expand=dimensionSetLines,purchaseOrderLines($expand=dimensionSetLines)",
        "vendors",
    )
    scene.simulator.replica.lag = timedelta(seconds=20)
    before = [scene.probe.rows(address) for address in addresses]
    change(scene.simulator)
    live = [scene.probe.rows(address) for address in addresses]
    assert live != before
    assert [scene.probe.rows(address, **REPLICA) for address in addresses] == before
    scene.watch.forward(20)
    assert [scene.probe.rows(address, **REPLICA) for address in addresses] == live


def test_the_finance_api_always_reads_from_the_replica(scene: Scene) -> None:
    base = scene.probe.base.removesuffix("v2.0") + FINANCE
    address = f"{base}/companies({US.id})/dimensionValues?$filter=dimensionValueCode eq 'ADM'"
    scene.simulator.replica.lag = timedelta(seconds=20)
    scene.simulator.edit_header(US.id, "ADM", entity="dimensionValues", displayName="Office")
    assert scene.probe.rows(address)[0]["dimensionValueName"] == "Administration"
    scene.watch.forward(20)
    assert scene.probe.rows(address)[0]["dimensionValueName"] == "Office"


def test_the_replica_is_never_rewritten_by_reading(scene: Scene) -> None:
    scene.simulator.replica.lag = timedelta(seconds=20)
    scene.simulator.reading_changes_orders = True
    first = scene.shown(**REPLICA)
    scene.watch.forward(60)
    assert scene.shown(**REPLICA) == first


def test_a_lag_that_is_switched_off_is_gone(scene: Scene) -> None:
    scene.simulator.replica.lag = timedelta(seconds=20)
    scene.simulator.edit_header(US.id, ORDER.number, purchaser="RB")
    scene.simulator.replica.lag = timedelta(0)
    assert scene.shown(**REPLICA) == scene.shown()


def test_a_change_with_the_intent_to_read_is_refused(scene: Scene) -> None:
    answer = scene.probe.send("PATCH", f"purchaseOrders({ORDER.id})", {"purchaser": "RB"}, If_Match="*", **REPLICA)
    assert answer.status_code == 400
    assert scene.shown()["purchaser"] == ORDER.header["purchaser"]
