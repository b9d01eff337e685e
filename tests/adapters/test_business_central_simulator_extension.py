"""The Business Central simulator: the API pages of the extension in infra/business-central.

Sources: "System fields", the methods of the data type Database, and the pages themselves, whose properties are compared with
those the simulator serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, Document, Line, extension_sets
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.receiver import URL, Receiver
from tests.sandbox.business_central.records import NO_ID
from tests.sandbox.business_central.webhook_resources import EXTENSION

PAGES = Path(__file__).parents[2] / "infra" / "business-central" / "src"
COMPANIES = sample.companies()
US, DE = COMPANIES
ORDER = next(
    order
    for order in US.orders
    if len(order.lines) > 1
    and order.lines[0].values["lineType"] == "Item"
    and Decimal(str(order.lines[0].values["quantity"])) > 1
    and not order.lines[0].values["receivedQuantity"]
    and order.header["status"] == "Open"
    and not order.dangling
)
SEQUENCE = int(str(ORDER.lines[0].values["sequence"]))
DRAFT = next(invoice for invoice in US.invoices if invoice.header["status"] == "Draft")
ZERO_HOUR = "2026-01-05T09:00:00Z"
SETS = (
    extension_sets.VALUES,
    extension_sets.MAPPINGS,
    extension_sets.CHANGES,
    extension_sets.LINE_CHANGES,
    extension_sets.DELETED,
    extension_sets.STATES,
)
MAPPING = {"dimensionCode": "DEPARTMENT", "code": "ADM", "costCentreSysId": "a" * 32}


class Scene:
    """A simulator with the extension, and a reader that keeps a watermark."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.simulator.apis.available.add(EXTENSION)
        self.probe = Probe(self.simulator, US.id)
        self.base = f"{self.probe.base.removesuffix('v2.0')}{EXTENSION}"
        self.mark = self.minimum()

    def rows(self, rest: str, company: str = US.id) -> list[dict[str, Any]]:
        """The rows of all pages."""
        return self.probe.rows(f"{self.base}/companies({company})/{rest}")

    def send(self, method: str, rest: str, body: Any = None, **headers: str) -> httpx.Response:
        """Sends a write."""
        return self.probe.send(method, f"{self.base}/companies({US.id})/{rest}", body, **headers)

    def minimum(self) -> int:
        """The lowest row version that is not committed."""
        (state,) = self.rows("changeFeedStates")
        return int(state["minimumActiveRowVersion"])

    def new(self, entity: str, company: str = US.id) -> list[dict[str, Any]]:
        """What one set tells of above the watermark, committed or not."""
        return self.rows(f"{entity}?$filter=rowVersion ge {self.mark}", company)

    def changed(self) -> set[tuple[str, int]]:
        """Reads the window up to the minimum active version and moves the watermark there: documents and line numbers."""
        end = self.minimum()
        window = f"?$filter=rowVersion ge {self.mark} and rowVersion lt {end}"
        rows = self.rows(f"purchaseChanges{window}") + self.rows(f"purchaseLineChanges{window}")
        self.mark = end
        return {(row["documentId"], row["lineNumber"]) for row in rows}


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


def edit_line(scene: Scene, **changes: Any) -> None:
    scene.simulator.edit_line(US.id, ORDER.number, SEQUENCE, **changes)


# -- there or not, and the same shapes as the pages


def test_the_extension_is_absent_until_it_is_installed() -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    probe = Probe(simulator, US.id)
    assert EXTENSION not in simulator.apis.available
    base = probe.base.removesuffix("v2.0")
    absent = probe.get(f"{base}{EXTENSION}/companies({US.id})/purchaseChanges")
    assert absent.status_code == 404
    assert absent.content == probe.get(f"{base}nobody/nothing/v1.0/companies({US.id})/purchaseChanges").content
    probe.client.close()


def test_the_sets_are_those_of_the_pages_with_the_same_properties_in_the_same_order(scene: Scene) -> None:
    pages = {}
    for file in PAGES.glob("*.Page.al"):
        text = file.read_text()
        found = re.search(r"EntitySetName = '(\w+)'", text)
        assert found
        pages[found[1]] = re.findall(r'^ +field\("?(\w+)"?;', text, re.MULTILINE)
    assert pages == {each.name: [prop.name for prop in each.properties] for each in SETS}
    served = {row["name"] for row in scene.probe.get(scene.base).json()["value"]}
    assert served == set(pages)
    for name in pages:
        for row in scene.rows(f"{name}?$top=1"):
            assert [prop for prop in row if not prop.startswith("@")] == pages[name]


def test_what_a_page_lets_nobody_write_the_simulator_refuses(scene: Scene) -> None:
    for each in SETS:
        text = next(PAGES.glob(f"{each.name[0].upper()}{each.name[1:]}.Page.al")).read_text()
        key = next((row["id"] for row in scene.rows(f"{each.name}?$top=1")), NO_ID)
        if "InsertAllowed = false" in text:
            assert scene.send("POST", each.name, {}).status_code == 405
        if "ModifyAllowed = false" in text and key != NO_ID:
            assert scene.send("PATCH", f"{each.name}({key})", {}, If_Match="*").status_code == 405
        if "DeleteAllowed = false" in text and key != NO_ID:
            assert scene.send("DELETE", f"{each.name}({key})", If_Match="*").status_code == 405
            assert scene.rows(f"{each.name}?$filter=id eq {key}")


# -- the feed


def test_every_header_and_line_of_the_tables_has_a_row_in_the_order_of_versions(scene: Scene) -> None:
    headers, lines = scene.rows("purchaseChanges"), scene.rows("purchaseLineChanges")
    drafts = [each for each in US.invoices if each.header["status"] in {"Draft", "In Review"}]
    memos = [each for each in US.history["purchaseCreditMemos"] if each.header["status"] in {"Draft", "In Review"}]
    there = [*US.orders, *drafts, *memos]
    assert {row["id"] for row in headers} == {each.id for each in there}
    assert {row["lineId"] for row in lines} == {str(line.values["id"]) for each in there for line in each.lines}
    for rows in (headers, lines):
        versions = [row["rowVersion"] for row in rows]
        assert versions == sorted(set(versions))
        assert 0 < versions[0] <= versions[-1] < 2**63
    row = next(row for row in lines if row["documentId"] == ORDER.id and row["lineNumber"] == SEQUENCE)
    assert row["id"] == row["lineId"] == ORDER.lines[0].values["id"]
    assert (row["documentType"], row["documentNumber"]) == ("Order", ORDER.number)
    assert next(row for row in headers if row["id"] == memos[0].id)["documentType"] == "Credit_x0020_Memo"
    assert {row["lineId"] for row in headers} == {NO_ID}


@pytest.mark.parametrize(
    "change",
    [{"description": "Another text"}, {"expectedReceiptDate": date(2026, 3, 1)}, {"locationId": NO_ID}],
)
def test_a_line_edit_that_moves_no_stamp_gives_that_line_the_next_version(scene: Scene, change: dict[str, Any]) -> None:
    scene.rows("purchaseChanges")
    stamp = scene.probe.get(f"purchaseOrders({ORDER.id})").json()["lastModifiedDateTime"]
    scene.watch.forward(60)
    edit_line(scene, **change)
    assert scene.probe.get(f"purchaseOrders({ORDER.id})").json()["lastModifiedDateTime"] == stamp
    assert scene.new("purchaseChanges") == []
    (row,) = scene.new("purchaseLineChanges")
    assert (row["documentId"], row["lineNumber"]) == (ORDER.id, SEQUENCE)
    assert row["lastModifiedDateTime"] == "2026-01-05T09:01:00Z"


def test_a_lines_dimension_gives_the_line_the_next_version(scene: Scene) -> None:
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "PURCHASING", sequence=SEQUENCE)
    assert [row["lineNumber"] for row in scene.new("purchaseLineChanges")] == [SEQUENCE]


def test_a_lines_amount_changes_the_line_and_not_the_header(scene: Scene) -> None:
    scene.rows("purchaseChanges")
    edit_line(scene, quantity=Decimal(17))
    assert scene.new("purchaseChanges") == []
    assert SEQUENCE in {row["lineNumber"] for row in scene.new("purchaseLineChanges")}


@pytest.mark.parametrize("change", [{"dueDate": date(2026, 3, 1)}, {"payToName": "Another"}])
def test_a_header_edit_gives_the_header_the_next_version_and_no_line(scene: Scene, change: dict[str, Any]) -> None:
    scene.rows("purchaseChanges")
    scene.simulator.edit_header(US.id, ORDER.number, **change)
    assert [row["id"] for row in scene.new("purchaseChanges")] == [ORDER.id]
    assert scene.new("purchaseLineChanges") == []
    scene.mark = scene.minimum()
    scene.simulator.edit_header(US.id, ORDER.number, **change)
    assert scene.new("purchaseChanges") == []


def test_the_very_first_change_is_told_even_when_nobody_has_read_before(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, ORDER.number, dueDate=date(2026, 3, 1))
    assert [row["id"] for row in scene.new("purchaseChanges")] == [ORDER.id]


def test_a_new_document_comes_with_its_lines_and_a_new_line_alone(scene: Scene) -> None:
    line = Line(ORDER.lines[0].values | {"id": "00000000-0000-4000-8000-000000000002"}, ORDER.lines[0].dimensions)
    header = ORDER.header | {"id": "00000000-0000-4000-8000-000000000001", "number": "NEW"}
    scene.simulator.add_order(US.id, Document(header, [line]))
    assert scene.changed() == {(header["id"], 0), (header["id"], SEQUENCE)}
    more = Line(line.values | {"id": "00000000-0000-4000-8000-000000000003", "sequence": 990_000})
    scene.simulator.add_line(US.id, ORDER.number, more)
    assert (ORDER.id, 990_000) in scene.changed()


def test_the_counter_is_one_for_the_whole_database_and_the_rows_are_the_companys(scene: Scene) -> None:
    before = scene.minimum()
    other = DE.orders[0]
    scene.simulator.edit_header(DE.id, other.number, payToName="Another")
    assert scene.minimum() > before
    assert scene.new("purchaseChanges") == []
    assert [row["id"] for row in scene.new("purchaseChanges", DE.id)] == [other.id]


# -- the watermark


def test_a_reader_up_to_the_minimum_active_version_misses_no_late_commit(scene: Scene) -> None:
    scene.changed()
    late = scene.simulator.begin()
    scene.watch.forward(60)
    edit_line(scene, description="Committed before")
    assert scene.changed() == set()
    scene.watch.forward(60)
    with scene.simulator.committing(late):
        scene.simulator.edit_header(US.id, ORDER.number, payToName="Written long ago")
    assert scene.changed() == {(ORDER.id, 0), (ORDER.id, SEQUENCE)}
    (row,) = scene.rows(f"purchaseChanges?$filter=id eq {ORDER.id}")
    assert row["lastModifiedDateTime"] == ZERO_HOUR
    assert scene.changed() == set()


def test_a_reader_up_to_the_highest_version_it_saw_misses_it(scene: Scene) -> None:
    """The trap that the minimum active version is there for."""
    late = scene.simulator.begin()
    edit_line(scene, description="Committed before")
    scene.mark = scene.new("purchaseLineChanges")[-1]["rowVersion"] + 1
    with scene.simulator.committing(late):
        scene.simulator.edit_header(US.id, ORDER.number, payToName="Written long ago")
    assert scene.new("purchaseChanges") == []


def test_the_state_tells_the_last_used_version_too_and_has_an_address(scene: Scene) -> None:
    (state,) = scene.rows("changeFeedStates")
    assert state["minimumActiveRowVersion"] == state["lastUsedRowVersion"] + 1
    scene.simulator.begin()
    edit_line(scene, description="Another text")
    (state,) = scene.rows(f"changeFeedStates?$filter=id eq {state['id']}")
    assert state["minimumActiveRowVersion"] < state["lastUsedRowVersion"]
    single = scene.probe.get(f"{scene.base}/companies({US.id})/changeFeedStates({state['id']})").json()
    assert single["lastUsedRowVersion"] == state["lastUsedRowVersion"]


def test_a_rolled_back_transaction_frees_the_minimum_and_leaves_nothing(scene: Scene) -> None:
    late = scene.simulator.begin()
    edit_line(scene, description="Another text")
    assert scene.changed() == set()
    with scene.simulator.committing(late):
        pass
    assert scene.changed() == {(ORDER.id, 0), (ORDER.id, SEQUENCE)}


# -- deletions


def test_a_deleted_line_is_logged_with_its_document(scene: Scene) -> None:
    scene.watch.forward(1)
    scene.simulator.remove_line(US.id, ORDER.number, SEQUENCE)
    (row,) = scene.new("deletedPurchaseRecords")
    assert (row["documentId"], row["lineId"]) == (ORDER.id, ORDER.lines[0].values["id"])
    assert (row["documentType"], row["documentNumber"], row["lineNumber"]) == ("Order", ORDER.number, SEQUENCE)
    assert row["deletedAt"] == "2026-01-05T09:00:01Z"
    assert ORDER.lines[0].values["id"] not in {each["id"] for each in scene.rows("purchaseLineChanges")}


def test_a_deleted_order_is_logged_with_its_lines_before_it(scene: Scene) -> None:
    scene.simulator.delete(US.id, "purchaseOrders", ORDER.number)
    rows = scene.new("deletedPurchaseRecords")
    assert [row["lineId"] for row in rows] == [*(line.values["id"] for line in ORDER.lines), NO_ID]
    assert {row["documentId"] for row in rows} == {ORDER.id}
    assert [row["entryNumber"] for row in rows] == list(range(1, len(rows) + 1))
    assert ORDER.id not in {row["id"] for row in scene.rows("purchaseChanges")}


def test_posting_deletes_the_header_first_so_that_its_lines_know_no_document(scene: Scene) -> None:
    posted = scene.simulator.post_order(US.id, ORDER.number, vendor_invoice_number="V-1")
    assert posted.order_gone
    rows = scene.new("deletedPurchaseRecords")
    assert (rows[0]["documentId"], rows[0]["lineId"]) == (ORDER.id, NO_ID)
    assert {row["documentId"] for row in rows[1:]} == {NO_ID}
    assert {row["documentNumber"] for row in rows} == {ORDER.number}


def test_a_posted_invoice_leaves_the_tables_under_the_number_of_its_draft(scene: Scene) -> None:
    scene.rows("purchaseChanges")
    scene.simulator.post_invoice(US.id, DRAFT.number)
    rows = scene.new("deletedPurchaseRecords")
    assert (rows[0]["documentId"], rows[0]["documentNumber"]) == (DRAFT.id, DRAFT.number)
    assert {row["documentType"] for row in rows} == {"Invoice"}
    assert len(rows) == len(DRAFT.lines) + 1
    assert DRAFT.id not in {row["id"] for row in scene.rows("purchaseChanges")}


def test_nothing_is_logged_of_what_is_deleted_while_the_extension_is_not_there(scene: Scene) -> None:
    scene.simulator.apis.available.remove(EXTENSION)
    scene.simulator.delete(US.id, "purchaseOrders", ORDER.number)
    scene.simulator.apis.available.add(EXTENSION)
    assert scene.rows("deletedPurchaseRecords") == []


# -- mappings and values


def test_a_mapping_is_written_changed_and_deleted(scene: Scene) -> None:
    sent = MAPPING | {"code": " adm ", "status": "aligned", "run": "r-1", "checkedAt": "2026-01-05T08:59:00Z"}
    made = scene.send("POST", "costCentreMappings", sent)
    assert made.status_code == 201
    body = made.json()
    assert (body["code"], body["costCentreSysId"], body["checkedAt"]) == ("ADM", "a" * 32, "2026-01-05T08:59:00Z")
    address = f"costCentreMappings({body['id']})"
    assert scene.send("PATCH", address, {"status": "gone"}).status_code == 400
    changed = scene.send("PATCH", address, {"status": "gone"}, If_Match=body["@odata.etag"])
    assert changed.json()["status"] == "gone"
    assert scene.send("PATCH", address, {"status": "gone"}, If_Match=body["@odata.etag"]).status_code == 409
    assert [row["status"] for row in scene.rows("costCentreMappings?$filter=dimensionCode eq 'DEPARTMENT'")] == ["gone"]
    assert scene.send("DELETE", address, If_Match="*").status_code == 204
    assert scene.rows("costCentreMappings") == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"costCentreSysId": ""}, 400, "Application_FieldValidationException"),
        ({"dimensionCode": "NOWHERE"}, 400, "Internal_InvalidTableRelation"),
        ({"code": "NOVALUE"}, 400, "Internal_InvalidTableRelation"),
        ({"costCentreSysId": "a" * 33}, 400, "Application_StringExceededLength"),
        ({"parent": "x"}, 400, "BadRequest"),
        ({}, 409, "Internal_EntityWithSameKeyExists"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(scene: Scene, change: dict[str, str], status: int, code: str) -> None:
    scene.send("POST", "costCentreMappings", MAPPING)
    answer = scene.send("POST", "costCentreMappings", MAPPING | change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(scene.rows("costCentreMappings")) == 1


def test_a_value_is_added_and_changed_and_stands_in_the_standard_api(scene: Scene) -> None:
    made = scene.send("POST", "dimensionValues", {"dimensionCode": "DEPARTMENT", "code": "LAB", "displayName": "Lab"})
    assert made.status_code == 201
    changed = scene.send("PATCH", f"dimensionValues({made.json()['id']})", {"blocked": True}, If_Match="*")
    assert changed.json()["blocked"] is True
    assert [row["displayName"] for row in scene.probe.rows("dimensionValues?$filter=code eq 'LAB'")] == ["Lab"]


# -- webhooks


def test_the_pages_on_stored_tables_can_be_subscribed_to_while_the_extension_is_there(scene: Scene) -> None:
    listed = (
        f"{scene.probe.base.removesuffix('v2.0')}microsoft/runtime/beta/companies({US.id})/webhookSupportedResources"
    )
    query = f"?$filter=resource eq '{EXTENSION}*'"
    names = {row["resource"].rpartition("/")[2] for row in scene.probe.rows(listed + query)}
    assert names == {each.name for each in SETS} - {"changeFeedStates"}
    scene.simulator.apis.available.remove(EXTENSION)
    assert scene.probe.rows(listed + query) == []


def test_a_subscription_tells_of_line_edits_that_move_no_stamp_and_of_deletions(scene: Scene) -> None:
    receiver = scene.simulator.webhooks.post.carrier = Receiver()
    for name in ("purchaseChanges", "purchaseLineChanges"):
        resource = f"/api/{EXTENSION}/companies({US.id})/{name}"
        body = {"notificationUrl": URL, "resource": resource}
        assert scene.probe.send("POST", f"{scene.base}/subscriptions", body).status_code == 201
    scene.rows("purchaseChanges")
    edit_line(scene, description="Another text")
    scene.watch.forward(31)
    scene.simulator.webhooks.deliver_due()
    line = f"/api/{EXTENSION}/companies({US.id})/purchaseLineChanges({ORDER.lines[0].values['id']})"
    assert [(entry["resource"], entry["changeType"]) for entry in receiver.entries] == [(line, "updated")]
    scene.simulator.remove_line(US.id, ORDER.number, SEQUENCE)
    scene.watch.forward(31)
    scene.simulator.webhooks.deliver_due()
    assert (line, "deleted") in [(entry["resource"], entry["changeType"]) for entry in receiver.entries[1:]]
