"""The Business Central simulator: edits and the stamps they move, dangling dimensions, writes, the control interface."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, Document, Line
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US = COMPANIES[0]


class Scene:
    """A simulator, a clock that moves with every edit, and one order with an item line and a comment line."""

    def __init__(self, *, ideal_stamps: bool = False) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch, ideal_stamps=ideal_stamps)
        self.probe = Probe(self.simulator, US.id)
        self.order = next(
            order
            for order in US.orders
            if {"Item", "Comment"} <= {line.values["lineType"] for line in order.lines}
            and order.header["discountAmount"]
            and order.header["status"] == "Open"
        )
        self.item = self.sequence("Item")
        self.comment = self.sequence("Comment")

    def sequence(self, line_type: str) -> int:
        """The first line of the type whose quantity is not zero, unless it is a comment."""
        return next(
            int(str(line.values["sequence"]))
            for line in self.order.lines
            if line.values["lineType"] == line_type and (line.values["quantity"] or line_type == "Comment")
        )

    def shown(self) -> dict[str, Any]:
        """The order as the API shows it."""
        query = "$expand=dimensionSetLines,purchaseOrderLines($expand=dimensionSetLines)"
        body: dict[str, Any] = self.probe.get(f"purchaseOrders({self.order.id})?{query}").json()
        return body

    def receive_all(self) -> None:
        """Receives what every line orders."""
        for line in self.order.lines:
            sequence, quantity = int(str(line.values["sequence"])), line.values["quantity"]
            self.simulator.edit_line(US.id, self.order.number, sequence, receivedQuantity=quantity)

    def line(self, sequence: int) -> dict[str, Any]:
        """One line as the API shows it."""
        return next(line for line in self.shown()["purchaseOrderLines"] if line["sequence"] == sequence)

    def moved_by(self, edit: Callable[[Scene], object]) -> bool:
        """Whether the edit moved the header's stamp; stamp and header ETag must agree, and something must have changed."""
        before = self.shown()
        self.watch.forward(60)
        edit(self)
        after = self.shown()
        assert after != before
        moved = bool(after["lastModifiedDateTime"] != before["lastModifiedDateTime"])
        assert moved == (after["@odata.etag"] != before["@odata.etag"])
        return moved


def edited(**changes: Any) -> Callable[[Scene], object]:
    return lambda scene: scene.simulator.edit_line(US.id, scene.order.number, scene.item, **changes)


SILENT: dict[str, Callable[[Scene], object]] = {
    "description": edited(description="Another text"),
    "receipt date": edited(expectedReceiptDate=date(2026, 2, 2)),
    "location": edited(locationId="99999999-0000-0000-0000-000000000000"),
    "comment text": lambda scene: scene.simulator.edit_line(
        US.id, scene.order.number, scene.comment, description="Another comment"
    ),
    "line dimension": lambda scene: scene.simulator.set_dimension(
        US.id, scene.order.number, "AREA", "55", sequence=scene.item
    ),
    "global dimension of a line": lambda scene: scene.simulator.set_dimension(
        US.id, scene.order.number, "DEPARTMENT", "WORKSHOP", sequence=scene.item
    ),
    "header dimension that is not global": lambda scene: scene.simulator.set_dimension(
        US.id, scene.order.number, "AREA", "55"
    ),
    "part of the goods received": edited(receivedQuantity=Decimal("0.5")),
}
TELLING: dict[str, Callable[[Scene], object]] = {
    "quantity": edited(quantity=Decimal(77)),
    "unit cost": edited(directUnitCost=Decimal("3.14159")),
    "line discount": edited(discountPercent=Decimal(50)),
    "tax": edited(taxPercent=Decimal(25)),
    "header purchaser": lambda scene: scene.simulator.edit_header(US.id, scene.order.number, purchaser="RB"),
    "global header dimension": lambda scene: scene.simulator.set_dimension(
        US.id, scene.order.number, "DEPARTMENT", "WORKSHOP"
    ),
    "line removed": lambda scene: scene.simulator.remove_line(US.id, scene.order.number, scene.comment),
    "line added": lambda scene: scene.simulator.add_line(
        US.id,
        scene.order.number,
        Line({"id": "99999999-0000-0000-0000-000000000001", "sequence": 990000, "lineType": "Comment"}),
    ),
    "goods all received": lambda scene: scene.receive_all(),
}


@pytest.mark.parametrize("edit", SILENT.values(), ids=SILENT.keys())
def test_some_edits_do_not_move_the_headers_stamp(edit: Callable[[Scene], object]) -> None:
    assert not Scene().moved_by(edit)


@pytest.mark.parametrize("edit", TELLING.values(), ids=TELLING.keys())
def test_other_edits_move_it(edit: Callable[[Scene], object]) -> None:
    assert Scene().moved_by(edit)


@pytest.mark.parametrize("edit", [*SILENT.values(), *TELLING.values()], ids=[*SILENT, *TELLING])
def test_with_ideal_stamps_every_edit_moves_it(edit: Callable[[Scene], object]) -> None:
    assert Scene(ideal_stamps=True).moved_by(edit)


def test_a_header_property_outside_the_buffer_moves_nothing() -> None:
    scene = Scene()
    before = scene.shown()
    scene.watch.forward(60)
    scene.simulator.edit_header(US.id, scene.order.number, dueDate=date(2026, 3, 1))
    assert scene.shown() == before


def test_a_moved_stamp_is_the_simulators_time_in_milliseconds() -> None:
    scene = Scene()
    scene.watch.forward(0.1239)
    edited(quantity=Decimal(5))(scene)
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:00:00.123Z"


def test_a_silent_edit_still_changes_the_line_and_its_etag() -> None:
    scene = Scene()
    before = scene.line(scene.item)
    edited(description="Another text")(scene)
    after = scene.line(scene.item)
    assert after["description"] == "Another text"
    assert after["@odata.etag"] != before["@odata.etag"]


def test_amounts_follow_a_changed_quantity() -> None:
    scene = Scene()
    edited(quantity=Decimal(200), directUnitCost=Decimal("1.5"), discountPercent=Decimal(10), taxPercent=Decimal(6))(
        scene
    )
    document = scene.simulator.document(US.id, scene.order.number)
    line = next(line.values for line in document.lines if line.values["sequence"] == scene.item)
    assert line["discountAmount"] == 30
    assert line["amountExcludingTax"] == 270
    assert document.header["discountAmount"] == scene.order.header["discountAmount"]
    assert document.header["discountAmount"] == sum(
        line.values["invoiceDiscountAllocation"]  # type: ignore[misc]
        for line in document.lines
    )
    assert document.header["totalAmountExcludingTax"] == sum(
        line.values["netAmount"]  # type: ignore[misc]
        for line in document.lines
    )


def test_the_discount_percentage_follows_the_amount() -> None:
    scene = Scene()
    edited(quantity=Decimal(10), directUnitCost=Decimal(3))(scene)
    edited(discountAmount=Decimal(1))(scene)
    assert scene.line(scene.item)["discountPercent"] == 3.33333


def test_the_fully_received_flag_follows_the_lines() -> None:
    scene = Scene()
    assert scene.shown()["fullyReceived"] is False
    scene.receive_all()
    assert scene.shown()["fullyReceived"] is True


def test_an_edit_of_an_unknown_property_or_line_is_a_mistake_of_the_caller() -> None:
    scene = Scene()
    with pytest.raises(KeyError, match="no property colour"):
        edited(colour="red")(scene)
    with pytest.raises(KeyError, match="has no line 5"):
        scene.simulator.edit_line(US.id, scene.order.number, 5, description="x")
    with pytest.raises(KeyError, match="999999"):
        scene.simulator.edit_header(US.id, "999999", purchaser="x")


def test_the_simulator_keeps_its_data_to_itself() -> None:
    scene = Scene()
    edited(description="Another text")(scene)
    assert all(line.values["description"] != "Another text" for line in scene.order.lines)


def test_added_and_deleted_documents_come_and_go() -> None:
    scene = Scene()
    header = scene.order.header | {"id": "99999999-0000-0000-0000-000000000002", "number": "106999"}
    scene.simulator.add_order(US.id, Document(header, [], {"DEPARTMENT": "ADM"}))
    assert "99999999-0000-0000-0000-000000000002" in scene.simulator.document_ids("CRONUS USA, Inc.")
    shown = scene.probe.get("purchaseOrders?$filter=number eq '106999'").json()["value"][0]
    assert shown["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"
    scene.simulator.delete(US.id, "purchaseOrders", "106999")
    assert scene.probe.get(f"purchaseOrders({shown['id']})").status_code == 404


def test_a_deleted_documents_lines_are_gone_too() -> None:
    scene = Scene()
    line = scene.order.lines[0].values["id"]
    scene.simulator.delete(US.id, "purchaseOrders", scene.order.number)
    assert scene.probe.get(f"purchaseOrderLines({line})").status_code == 404


def test_reading_as_a_writing_user_changes_discounted_orders() -> None:
    scene = Scene()
    before = scene.shown()
    scene.simulator.reading_changes_orders = True
    scene.watch.forward(60)
    assert scene.shown()["lastModifiedDateTime"] != before["lastModifiedDateTime"]


# -- dangling dimensions


@pytest.mark.parametrize(
    "expand",
    ["dimensionSetLines", "purchaseOrderLines($expand=dimensionSetLines)", "purchaseOrderLines,dimensionSetLines"],
)
def test_one_dangling_dimension_fails_the_whole_page(expand: str) -> None:
    scene = Scene()
    scene.simulator.mark_dangling(US.id, scene.order.number)
    response = scene.probe.get(f"purchaseOrders?$expand={expand}")
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == "Internal_RecordNotFound"
    assert error["message"].startswith("The Dimension Value does not exist.")
    others = f"purchaseOrders?$filter=number ne '{scene.order.number}'&$expand={expand}"
    assert len(scene.probe.get(others).json()["value"]) == len(US.orders) - 1
    assert scene.probe.get("purchaseOrders?$expand=purchaseOrderLines").status_code == 200
    assert scene.probe.get(f"purchaseOrders({scene.order.id})/dimensionSetLines").status_code == 404
    scene.simulator.mark_dangling(US.id, scene.order.number, dangling=False)
    assert scene.probe.get(f"purchaseOrders?$expand={expand}").status_code == 200


def test_a_page_without_the_dangling_document_is_fine() -> None:
    scene = Scene()
    ids = sorted(order.id for order in US.orders)
    scene.simulator.mark_dangling(US.id, ids[25])
    address = "purchaseOrders?$expand=dimensionSetLines"
    page = scene.probe.get(address, Prefer="odata.maxpagesize=20")
    assert page.status_code == 200
    assert scene.probe.get(page.json()["@odata.nextLink"], Prefer="odata.maxpagesize=20").status_code == 404


def test_a_dimension_value_that_does_not_exist_dangles_by_itself() -> None:
    scene = Scene()
    scene.simulator.set_dimension(US.id, scene.order.number, "AREA", "NOWHERE", sequence=scene.item)
    address = f"purchaseOrders({scene.order.id})?$expand=purchaseOrderLines($expand=dimensionSetLines)"
    assert scene.probe.get(address).status_code == 404


# -- writes through the API


def test_a_change_needs_the_present_etag() -> None:
    scene = Scene()
    vendor = scene.probe.rows("vendors?$filter=number eq '20000'")[0]
    address = f"vendors({vendor['id']})"
    body = {"phoneNumber": "+1 555 0100"}
    refused = scene.probe.send("PATCH", address, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BadRequest_InvalidToken")
    changed = scene.probe.send("PATCH", address, body, If_Match=vendor["@odata.etag"])
    assert (changed.status_code, changed.json()["phoneNumber"]) == (200, "+1 555 0100")
    stale = scene.probe.send("PATCH", address, body, If_Match=vendor["@odata.etag"])
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "Request_EntityChanged")
    assert scene.probe.send("PATCH", address, body, If_Match="*").status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"colour": "red"}, "BadRequest"),
        ({"balance": 3}, "BadRequest_InvalidOperation"),
        ({"id": "11111111-2222-3333-4444-555555555555"}, "Application_DialogException"),
        ({"taxLiable": "yes"}, "BadRequest"),
        ({"blocked": "Sometimes"}, "BadRequest"),
        ({"city": "x" * 31}, "Application_StringExceededLength"),
        (["number"], "BadRequest"),
    ],
)
def test_a_wrong_change_is_refused(body: Any, code: str) -> None:
    scene = Scene()
    vendor = US.tables["vendors"][0]["id"]
    response = scene.probe.send("PATCH", f"vendors({vendor})", body, If_Match="*")
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_a_line_is_changed_through_the_api_like_by_a_user() -> None:
    scene = Scene()
    line = scene.line(scene.item)
    address = f"purchaseOrders({scene.order.id})/purchaseOrderLines({line['id']})"
    response = scene.probe.send("PATCH", address, {"quantity": 3, "directUnitCost": 1.25}, If_Match="*")
    assert response.status_code == 200
    assert response.json()["quantity"] == 3
    assert scene.shown()["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"
    fixed = scene.probe.send("PATCH", address, {"sequence": 5}, If_Match="*")
    assert fixed.json()["error"]["message"].startswith("The value for sequence cannot be modified.")
    assert scene.probe.send("DELETE", address).status_code == 204
    assert len(scene.shown()["purchaseOrderLines"]) == len(scene.order.lines) - 1


def test_a_new_location_is_created_once() -> None:
    scene = Scene()
    body = {"code": "SOUTH", "displayName": "South Warehouse"}
    created = scene.probe.send("POST", "locations", body)
    assert created.status_code == 201
    assert created.headers["Location"].endswith(f"/locations({created.json()['id']})")
    assert scene.probe.get(created.headers["Location"]).json()["displayName"] == "South Warehouse"
    again = scene.probe.send("POST", "locations", body)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "Internal_EntityWithSameKeyExists")


# -- the control interface


def test_the_control_interface_lists_edits_adds_and_deletes() -> None:
    scene = Scene()
    control = scene.simulator.control
    where = {"company": "CRONUS USA, Inc.", "document": scene.order.number}
    assert sorted(control("documents", {"company": US.id})) == sorted(order.id for order in US.orders)
    assert control("edit", where | {"sequence": scene.item, "changes": {"quantity": 7.125}}) == {}
    assert scene.line(scene.item)["quantity"] == 7.125
    assert control("edit", where | {"changes": {"status": "In_x0020_Review"}}) == {}
    assert control("document", where)["status"] == "In Review"
    assert control("dimension", where | {"code": "DEPARTMENT", "value": "ADM", "sequence": scene.item}) == {}
    added = control("add", {"company": US.id, "copy_of": scene.order.number, "number": "106998"})
    assert scene.probe.get(f"purchaseOrders({added['id']})").json()["number"] == "106998"
    assert control("add_line", where | {"sequence": 880000, "changes": {"description": "New"}})["id"]
    assert scene.line(880000)["description"] == "New"
    assert control("delete_line", where | {"sequence": 880000}) == {}
    assert control("dangle", where) == {}
    assert scene.probe.get("purchaseOrders?$expand=dimensionSetLines").status_code == 404
    assert control("delete", where) == {}
    assert scene.probe.get(f"purchaseOrders({scene.order.id})").status_code == 404
    assert control("revoke_tokens", None) == {}
    assert scene.probe.get("vendors").status_code == 401


def test_the_control_interface_names_its_refusals() -> None:
    simulator = Scene().simulator
    assert "error" in simulator.control("edit", {"company": US.id, "document": "1", "changes": {}})
    assert "error" in simulator.control("documents", {"company": "Nobody"})
    assert simulator.control("dance", {}) == {"error": "no control named dance"}
