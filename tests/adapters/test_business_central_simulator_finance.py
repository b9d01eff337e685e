"""The Business Central simulator: Microsoft's APIs beside v2.0, and a customer's own page for dimension values.

Sources: the public source of "API Reports Finance", "Power BI Reports", the automate API, and the table "Dimension Value".
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.other_apis import ANALYTICS, AUTOMATE, FINANCE, RUNTIME
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.webhook_resources import CUSTOM

COMPANIES = sample.companies()
US = COMPANIES[0]
ORDER = next(
    order
    for order in US.orders
    for first in [order.lines[0].values]
    if first["lineType"] == "Item" and Decimal(str(first["quantity"])) > 1 and not first["receivedQuantity"]
)
USED_TEXT = "This dimension value has been used in posted or budget entries and is included in a dimension set."


class Scene:
    """A simulator with every API, and a reader."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.simulator.apis.available.add(CUSTOM)
        self.probe = Probe(self.simulator, US.id)

    def address(self, api: str, rest: str) -> str:
        """An address inside the company, of another API."""
        return f"{self.probe.base.removesuffix('v2.0')}{api}/companies({US.id})/{rest}"

    def get(self, api: str, rest: str, **headers: str) -> httpx.Response:
        """Reads an address inside the company."""
        return self.probe.get(self.address(api, rest), **headers)

    def rows(self, api: str, rest: str) -> list[dict[str, Any]]:
        """The rows of all pages."""
        return self.probe.rows(self.address(api, rest))

    def own(self, method: str, body: Any = None, key: str = "", **headers: str) -> httpx.Response:
        """Writes through the customer's page."""
        rest = f"dimensionValues({key})" if key else "dimensionValues"
        return self.probe.send(method, self.address(CUSTOM, rest), body, **headers)

    def value(self, dimension: str, code: str) -> dict[str, Any]:
        """A dimension value as the customer's page shows it."""
        query = f"?$filter=dimensionCode eq '{dimension}' and code eq '{code}'"
        (row,) = self.rows(CUSTOM, f"dimensionValues{query}")
        return row


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"].split("  CorrelationId")[0]


# -- there or not

PLACES = [
    (RUNTIME, "webhookSupportedResources"),
    (FINANCE, "dimensionValues"),
    (FINANCE, "dimensionSetEntries"),
    (ANALYTICS, "purchaseLines"),
    (ANALYTICS, "outstandingPurchaseLines"),
    (ANALYTICS, "dimensionSetEntries"),
    (AUTOMATE, "postedPurchaseInvoices"),
    (CUSTOM, "dimensionValues"),
]


@pytest.mark.parametrize(("api", "entity"), PLACES)
def test_an_api_that_is_not_there_is_answered_like_an_unknown_address(scene: Scene, api: str, entity: str) -> None:
    assert scene.rows(api, entity)
    scene.simulator.apis.available.remove(api)
    absent = scene.get(api, entity)
    unknown = scene.get("nobody/nothing/v1.0", entity)
    assert absent.status_code == unknown.status_code == 404
    assert absent.content == unknown.content


def test_the_customers_page_is_absent_until_it_is_installed() -> None:
    assert CUSTOM not in BusinessCentral(COMPANIES, now=Watch()).apis.available


@pytest.mark.parametrize(("api", "entity"), PLACES)
def test_every_set_has_context_count_and_pages(scene: Scene, api: str, entity: str) -> None:
    body = scene.get(api, f"{entity}?$count=true&$top=3", Prefer="odata.maxpagesize=2").json()
    context = scene.address(api, "").removesuffix(f"companies({US.id})/") + f"$metadata#companies({US.id})/{entity}"
    assert body["@odata.context"] == context
    assert len(body["value"]) == 2
    assert len(scene.probe.rows(body["@odata.nextLink"])) == 1
    assert scene.get(api, f"{entity}/$count").text == str(body["@odata.count"])


@pytest.mark.parametrize("api", [FINANCE, ANALYTICS, CUSTOM])
def test_each_api_lists_its_sets_and_the_companies(scene: Scene, api: str) -> None:
    base = scene.probe.base.removesuffix("v2.0") + api
    names = {row["name"] for row in scene.probe.get(base).json()["value"]}
    assert names == {entity for place, entity in PLACES if place == api}
    assert {row["id"] for row in scene.probe.rows(f"{base}/companies")} == {company.id for company in COMPANIES}
    assert scene.get(api, "vendors").status_code == 404


def test_a_token_is_needed_everywhere(scene: Scene) -> None:
    scene.probe.client.headers["Authorization"] = "Bearer nonsense"
    assert {scene.get(api, entity).status_code for api, entity in PLACES} == {401}


def test_the_read_only_sets_refuse_writes(scene: Scene) -> None:
    for api, entity in PLACES[:-1]:
        assert scene.probe.send("POST", scene.address(api, entity), {}).status_code == 405


# -- finance


def test_finance_shows_type_block_and_global_number_of_dimension_values(scene: Scene) -> None:
    rows = {(row["dimensionCode"], row["dimensionValueCode"]): row for row in scene.rows(FINANCE, "dimensionValues")}
    assert rows["AREA", "10"]["dimensionValueType"] == "Begin-Total"
    assert rows["DEPARTMENT", "WORKSHOP"]["blocked"] is True
    assert rows["DEPARTMENT", "ADM"]["globalDimensionNumber"] == 1
    assert rows["AREA", "10"]["globalDimensionNumber"] == 3
    assert len({row["dimensionValueId"] for row in rows.values()}) == len(rows)
    row = rows["DEPARTMENT", "ADM"]
    assert (
        list(row)
        == (
            "@odata.etag id dimensionCode dimensionValueCode dimensionValueName dimensionValueId dimensionValueType blocked "
            "indentation consolidationCode globalDimensionNumber lastModifiedDateTime"
        ).split()
    )
    standard = scene.probe.get(f"dimensionValues({row['id']})").json()
    assert (standard["displayName"], standard["@odata.etag"]) == (row["dimensionValueName"], row["@odata.etag"])
    assert scene.get(FINANCE, f"dimensionValues({row['id']})").json()["dimensionValueCode"] == "ADM"


def sets_of(scene: Scene) -> dict[int, dict[str, str]]:
    sets: dict[int, dict[str, str]] = {}
    for row in scene.rows(FINANCE, "dimensionSetEntries"):
        sets.setdefault(row["setId"], {})[row["dimensionCode"]] = row["dimensionValueCode"]
    return sets


def test_lines_and_sets_join_by_number(scene: Scene) -> None:
    sets = sets_of(scene)
    lines = scene.rows(ANALYTICS, f"purchaseLines?$filter=documentNo eq '{ORDER.number}'")
    expected = {line.values["sequence"]: line.dimensions for line in ORDER.lines}
    assert lines
    for row in lines:
        assert sets.get(row["dimensionSetID"], {}) == expected[row["lineNo"]]


def test_equal_combinations_share_a_number_and_a_set_never_changes(scene: Scene) -> None:
    before = sets_of(scene)
    assert len({tuple(sorted(each.items())) for each in before.values()}) == len(before)
    sequence = int(str(ORDER.lines[0].values["sequence"]))
    scene.simulator.set_dimension(US.id, ORDER.number, "AREA", "40", sequence=sequence)
    scene.simulator.set_dimension(US.id, ORDER.number, "PROJECT", "", sequence=sequence)
    after = sets_of(scene)
    assert {number: after[number] for number in before} == before


# -- analytics


def test_purchase_lines_have_no_ids_no_etags_and_no_stamps(scene: Scene) -> None:
    rows = scene.rows(ANALYTICS, "purchaseLines")
    shown = set(rows[0])
    assert not {"id", "@odata.etag", "lastModifiedDateTime"} & shown
    assert {"orderNo", "lineNo", "dimensionSetID", "qtyReceived", "quantityInvoiced", "expectedReceiptDate"} <= shown
    expected = [
        line
        for order in US.orders
        for line in order.lines
        if line.values["lineType"] in {"Item", "Account", "Resource"}
    ]
    assert len(rows) == len(expected)
    assert {row["type"] for row in rows} == {"Item", "G_x002F_L_x0020_Account", "Resource"}


def test_a_purchase_line_says_what_is_outstanding(scene: Scene) -> None:
    line = ORDER.lines[0].values
    quantity = Decimal(str(line["quantity"]))
    scene.simulator.edit_line(US.id, ORDER.number, int(str(line["sequence"])), receivedQuantity=quantity - 1)
    query = f"purchaseLines?$filter=documentNo eq '{ORDER.number}' and lineNo eq {line['sequence']}"
    (row,) = scene.rows(ANALYTICS, query)
    assert row["outstandingQuantity"] == 1
    assert row["qtyReceived"] == row["qtyRcdNotInvd"] == pytest.approx(float(quantity - 1))
    assert row["itemNo"] == line["lineObjectNumber"]


def test_amounts_in_local_currency_follow_the_rate(scene: Scene) -> None:
    foreign = next(order for order in US.orders if order.header["currencyCode"] == "EUR")
    line = next(line for line in foreign.lines if line.values["lineType"] == "Item")
    scene.simulator.apis.rows.rates = {"EUR": Decimal("0.5")}
    query = f"purchaseLines?$filter=documentNo eq '{foreign.number}' and lineNo eq {line.values['sequence']}"
    (row,) = scene.rows(ANALYTICS, query)
    assert row["unitCostLCY"] == float(Decimal(str(line.values["directUnitCost"])) * 2)


@pytest.mark.parametrize("entity", ["purchaseLines", "outstandingPurchaseLines", "dimensionSetEntries"])
def test_a_query_comes_in_its_own_order_only(scene: Scene, entity: str) -> None:
    name = next(iter(scene.rows(ANALYTICS, entity)[0]))
    status, code, _ = refusal(scene.get(ANALYTICS, f"{entity}?$orderby={name} desc"))
    assert (status, code) == (501, "BadRequest_MethodNotImplemented")
    assert scene.get(ANALYTICS, f"{entity}(11111111-2222-3333-4444-555555555555)").status_code == 404


def test_outstanding_lines_are_items_of_which_something_has_to_come(scene: Scene) -> None:
    line = ORDER.lines[0].values
    query = (
        f"outstandingPurchaseLines?$filter=documentNo eq '{ORDER.number}' and itemNo eq '{line['lineObjectNumber']}'"
    )
    before = len(scene.rows(ANALYTICS, query))
    quantity = Decimal(str(line["quantity"]))
    scene.simulator.edit_line(US.id, ORDER.number, int(str(line["sequence"])), receivedQuantity=quantity)
    assert len(scene.rows(ANALYTICS, query)) == before - 1
    assert all(row["outstandingQtyBase"] for row in scene.rows(ANALYTICS, "outstandingPurchaseLines"))


def test_flat_sets_follow_the_general_ledger_setup_and_wait_for_their_job(scene: Scene) -> None:
    sets = sets_of(scene)
    rows = {row["dimensionSetID"]: row for row in scene.rows(ANALYTICS, "dimensionSetEntries")}
    assert rows.keys() == sets.keys()
    for number, values in sets.items():
        row = rows[number]
        assert row["valueCount"] == len(values)
        shown = (row["dimension1ValueCode"], row["dimension2ValueCode"], row["dimension3ValueCode"])
        assert shown == tuple(values.get(code, "") for code in ("DEPARTMENT", "PROJECT", "AREA"))
    scene.simulator.apis.rows.flat_sets_up_to = 1
    assert [row["dimensionSetID"] for row in scene.rows(ANALYTICS, "dimensionSetEntries")] == [1]


# -- automate


def test_posted_invoices_map_their_own_ids_to_those_of_the_standard_api(scene: Scene) -> None:
    draft = next(invoice for invoice in US.invoices if invoice.header["status"] == "Draft")
    rows = {row["apiId"]: row["id"] for row in scene.rows(AUTOMATE, "postedPurchaseInvoices")}
    assert draft.id not in rows
    scene.simulator.post_invoice(US.id, draft.number)
    from_order = next(invoice for invoice in US.invoices if invoice.header["orderNumber"])
    rows = {row["apiId"]: row["id"] for row in scene.rows(AUTOMATE, "postedPurchaseInvoices")}
    assert rows[draft.id] != draft.id
    assert rows[from_order.id] == from_order.id


# -- the customer's page for dimension values

LAB = {"dimensionCode": "DEPARTMENT", "code": "LAB", "displayName": "Laboratory"}


def test_the_standard_page_is_read_only(scene: Scene) -> None:
    assert scene.probe.send("POST", "dimensionValues", LAB).status_code == 405


def test_a_value_is_created_with_everything_the_page_shows(scene: Scene) -> None:
    created = scene.own("POST", LAB)
    assert created.status_code == 201
    body = created.json()
    expected = {
        "dimensionCode": "DEPARTMENT",
        "code": "LAB",
        "displayName": "Laboratory",
        "dimensionValueType": "Standard",
        "totaling": "",
        "blocked": False,
        "indentation": 0,
        "consolidationCode": "",
        "globalDimensionNo": 1,
        "lastModifiedDateTime": "2026-01-05T09:00:00Z",
    }
    assert list(body) == ["@odata.context", "@odata.etag", "id", *expected]
    assert {name: body[name] for name in expected} == expected
    assert scene.probe.get(created.headers["Location"]).json()["code"] == "LAB"
    assert scene.probe.get(f"dimensionValues({body['id']})").json()["displayName"] == "Laboratory"
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "LAB")
    lines = scene.probe.rows(f"purchaseOrders({ORDER.id})/dimensionSetLines")
    assert "Laboratory" in {line["valueDisplayName"] for line in lines}


def test_codes_are_upper_cased_and_trimmed(scene: Scene) -> None:
    assert scene.own("POST", LAB | {"code": " lab 2 "}).json()["code"] == "LAB 2"


def test_dimension_and_code_are_the_unique_key(scene: Scene) -> None:
    assert scene.own("POST", LAB).status_code == 201
    assert refusal(scene.own("POST", LAB | {"code": "lab"})) == (
        409,
        "Internal_EntityWithSameKeyExists",
        "The Dimension Value already exists. Identification fields and values: Dimension Code='DEPARTMENT',Code='LAB'",
    )
    assert scene.own("POST", LAB | {"dimensionCode": "AREA"}).status_code == 201


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": ""}, "Application_FieldValidationException"),
        ({"dimensionCode": ""}, "Application_FieldValidationException"),
        ({"dimensionCode": "NOWHERE"}, "Internal_InvalidTableRelation"),
        ({"code": "(CONFLICT)"}, "Application_DialogException"),
        ({"code": "X" * 21}, "Application_StringExceededLength"),
        ({"displayName": "X" * 51}, "Application_StringExceededLength"),
        ({"totaling": "10..20"}, "Application_FieldValidationException"),
        ({"dimensionValueType": "Begin_x002D_Total"}, "Unknown"),
        ({"indentation": 2}, "BadRequest_InvalidOperation"),
        ({"globalDimensionNo": 2}, "BadRequest_InvalidOperation"),
        ({"colour": "red"}, "BadRequest"),
    ],
)
def test_a_wrong_value_is_refused(scene: Scene, change: dict[str, Any], code: str) -> None:
    status, found, _ = refusal(scene.own("POST", LAB | change))
    assert (status, found) == (400, code)


def test_totals_may_have_a_totaling(scene: Scene) -> None:
    body = LAB | {"dimensionValueType": "End-Total", "totaling": "10..20"}
    assert scene.own("POST", body).json()["totaling"] == "10..20"


def test_a_value_is_changed_with_its_etag(scene: Scene) -> None:
    value = scene.value("DEPARTMENT", "ADM")
    assert refusal(scene.own("PATCH", {"blocked": True}, value["id"]))[1] == "BadRequest_InvalidToken"
    scene.watch.forward(60)
    changed = scene.own("PATCH", {"blocked": True, "displayName": "Office"}, value["id"], If_Match=value["@odata.etag"])
    assert changed.status_code == 200
    assert (changed.json()["blocked"], changed.json()["displayName"]) == (True, "Office")
    assert changed.json()["lastModifiedDateTime"] == "2026-01-05T09:01:00Z"
    stale = scene.own("PATCH", {"blocked": False}, value["id"], If_Match=value["@odata.etag"])
    assert refusal(stale)[:2] == (409, "Request_EntityChanged")
    rows = scene.rows(FINANCE, "dimensionValues?$filter=dimensionValueCode eq 'ADM'")
    assert [row["blocked"] for row in rows] == [True]


def test_a_used_value_keeps_its_type_and_cannot_be_deleted(scene: Scene) -> None:
    used = scene.value("DEPARTMENT", "ADM")
    change = scene.own("PATCH", {"dimensionValueType": "Heading"}, used["id"], If_Match="*")
    assert refusal(change) == (400, "Application_DialogException", f"{USED_TEXT}\\You cannot change the type.")
    deletion = scene.own("DELETE", None, used["id"], If_Match="*")
    assert refusal(deletion) == (400, "Application_DialogException", f"{USED_TEXT}\\You cannot delete it.")


def test_an_unused_value_can_change_its_type_and_go(scene: Scene) -> None:
    key = scene.own("POST", LAB).json()["id"]
    assert scene.own("PATCH", {"dimensionValueType": "Heading"}, key, If_Match="*").status_code == 200
    assert scene.own("DELETE", None, key).status_code == 204
    assert scene.get(CUSTOM, f"dimensionValues({key})").status_code == 404


def test_a_value_once_used_stays_used(scene: Scene) -> None:
    key = scene.own("POST", LAB).json()["id"]
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "LAB")
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "ADM")
    assert scene.own("DELETE", None, key).status_code == 400


def test_a_value_never_moves_to_another_dimension(scene: Scene) -> None:
    key = scene.own("POST", LAB).json()["id"]
    answer = scene.own("PATCH", {"dimensionCode": "AREA"}, key, If_Match="*")
    assert refusal(answer)[2] == "You cannot change the value of Dimension Code."


def test_a_renamed_value_is_renamed_wherever_it_is_used(scene: Scene) -> None:
    order = next(order for order in US.orders if order.dimensions.get("DEPARTMENT") == "ADM")
    key = scene.value("DEPARTMENT", "ADM")["id"]
    before = sets_of(scene)
    assert scene.own("PATCH", {"code": "OFFICE"}, key, If_Match="*").status_code == 200
    shown = scene.probe.get(f"purchaseOrders({order.id})?$expand=dimensionSetLines").json()
    assert shown["shortcutDimension1Code"] == "OFFICE"
    assert "OFFICE" in {line["valueCode"] for line in shown["dimensionSetLines"]}
    after = sets_of(scene)
    assert before.keys() == after.keys()
    assert not any(each.get("DEPARTMENT") == "ADM" for each in after.values())


def test_a_value_blocked_through_the_page_cannot_be_used_any_more(scene: Scene) -> None:
    key = scene.own("POST", LAB).json()["id"]
    dimension = next(row["id"] for row in scene.probe.rows("dimensions") if row["code"] == "DEPARTMENT")
    address = f"purchaseOrders({ORDER.id})/dimensionSetLines({dimension})"
    assert scene.probe.send("PATCH", address, {"valueCode": "LAB"}, If_Match="*").status_code == 200
    assert scene.probe.send("PATCH", address, {"valueCode": "ADM"}, If_Match="*").status_code == 200
    scene.own("PATCH", {"blocked": True}, key, If_Match="*")
    refused = scene.probe.send("PATCH", address, {"valueCode": "LAB"}, If_Match="*")
    assert refusal(refused)[2] == "Dimension Value DEPARTMENT - LAB is blocked."
