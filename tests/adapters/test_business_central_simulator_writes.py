"""The Business Central simulator: creating documents and lines, dimension sets, and what a write is refused with.

The rules are those of the pages "Create purchaseOrder", "Create purchaseOrderLine", "dimensionSetLine", "Working with ETags"
and "Error codes", and of the public source of these API pages for the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import NO_ID, BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US, AG = COMPANIES
MISSING = "11111111-2222-3333-4444-555555555555"
DEEP = "purchaseOrders({})?$expand=purchaseOrderLines($expand=dimensionSetLines),dimensionSetLines"


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)
    yield probe
    probe.client.close()


def vendor(number: str) -> dict[str, Any]:
    return dict(next(row for row in US.tables["vendors"] if row["number"] == number))


def refusal(probe: Probe, method: str, address: str, body: Any, **headers: str) -> tuple[int, str, str]:
    response = probe.send(method, address, body, **headers)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"].partition("  CorrelationId:")[0]


def dialog(text: str) -> tuple[int, str, str]:
    return 400, "Application_DialogException", text


def in_set(row: dict[str, Any]) -> dict[str, str]:
    return {each["code"]: each["valueCode"] for each in row["dimensionSetLines"]}


# -- new documents


def test_a_new_order_takes_number_dates_address_and_terms(probe: Probe) -> None:
    response = probe.send("POST", "purchaseOrders", {"vendorNumber": "70000"})
    assert response.status_code == 201
    order = response.json()
    assert response.headers["Location"].endswith(f"/purchaseOrders({order['id']})")
    assert order["number"] == str(max(int(each.number) for each in US.orders) + 1)
    assert (order["orderDate"], order["status"]) == ("2026-01-05", "Draft")
    known = vendor("70000")
    assert (order["vendorId"], order["vendorName"]) == (known["id"], known["displayName"])
    assert (order["buyFromCity"], order["payToCity"], order["shipToCity"]) == ("Hamburg", "Hamburg", "Atlanta")
    assert (order["currencyCode"], order["currencyId"]) == ("EUR", known["currencyId"])
    assert order["paymentTermsId"] == known["paymentTermsId"]
    assert order["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"


def test_lines_and_dimensions_nest_in_one_request(probe: Probe) -> None:
    body = {
        "vendorNumber": "10000",
        "dimensionSetLines": [{"code": "PROJECT", "valueCode": "VW"}],
        "purchaseOrderLines": [
            {"lineType": "Item", "lineObjectNumber": "1896-S", "quantity": 4, "directUnitCost": 100.25},
            {
                "lineType": "Account",
                "lineObjectNumber": "61300",
                "quantity": 1,
                "directUnitCost": 50,
                "dimensionSetLines": [{"code": "AREA", "valueCode": "30"}, {"code": "DEPARTMENT", "valueCode": "ADM"}],
            },
            {"lineType": "Comment", "description": "Gate 4"},
        ],
    }
    created = probe.send("POST", "purchaseOrders", body)
    assert created.status_code == 201
    order = probe.get(DEEP.format(created.json()["id"])).json()
    # The vendor's default department is laid under what the request says.
    assert in_set(order) == {"DEPARTMENT": "PROD", "PROJECT": "VW"}
    assert (order["shortcutDimension1Code"], order["shortcutDimension2Code"]) == ("PROD", "VW")
    desk, account, comment = order["purchaseOrderLines"]
    assert [line["sequence"] for line in (desk, account, comment)] == [10000, 20000, 30000]
    assert (desk["description"], desk["unitOfMeasureCode"], desk["taxPercent"]) == ("ATHENS Desk", "PCS", 6)
    assert (desk["amountExcludingTax"], desk["amountIncludingTax"], desk["receiveQuantity"]) == (401, 425.06, 4)
    assert in_set(desk) == in_set(order)
    assert in_set(account) == {"AREA": "30", "DEPARTMENT": "ADM", "PROJECT": "VW"}
    assert (comment["quantity"], in_set(comment)) == (0, {})
    assert (order["totalAmountExcludingTax"], order["totalTaxAmount"]) == (451, 24.06)


def test_a_refused_line_leaves_no_document_behind(probe: Probe) -> None:
    before = len(probe.rows("purchaseOrders"))
    body = {"vendorNumber": "10000", "purchaseOrderLines": [{"lineType": "Comment"}, {"itemId": MISSING}]}
    assert refusal(probe, "POST", "purchaseOrders", body) == dialog("Item does not exist.")
    assert len(probe.rows("purchaseOrders")) == before
    assert probe.send("POST", "purchaseOrders", {"vendorNumber": "10000"}).status_code == 201


def test_an_invoice_is_created_as_a_draft_with_lines(probe: Probe) -> None:
    body = {
        "vendorId": vendor("20000")["id"],
        "vendorInvoiceNumber": "INV-1",
        "purchaseInvoiceLines": [{"accountId": US.tables["accounts"][1]["id"], "unitCost": 12.5, "quantity": 2}],
    }
    created = probe.send("POST", "purchaseInvoices", body).json()
    assert (created["status"], created["vendorNumber"], created["totalAmountExcludingTax"]) == ("Draft", "20000", 25)
    (line,) = probe.rows(f"purchaseInvoices({created['id']})/purchaseInvoiceLines")
    assert (line["lineType"], line["lineObjectNumber"]) == ("Account", US.tables["accounts"][1]["number"])
    assert created["number"] not in {each.number for each in US.invoices}


def test_a_caller_may_ask_for_no_content(probe: Probe) -> None:
    response = probe.send("POST", "purchaseOrders", {"vendorNumber": "10000"}, Prefer="return-no-content")
    assert (response.status_code, response.content) == (204, b"")
    assert probe.get(response.headers["Location"]).json()["vendorNumber"] == "10000"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, 'A "vendorNumber" or a "vendorId" must be provided.'),
        ({"vendorNumber": "nobody"}, "The buy-from vendor cannot be found."),
        ({"vendorId": MISSING}, "The buy-from vendor cannot be found."),
        (
            {"vendorNumber": "10000", "vendorId": vendor("20000")["id"]},
            "The buy-from vendor values do not match to a specific Vendor.",
        ),
        ({"vendorNumber": "10000", "payToVendorNumber": "nobody"}, "The pay-to vendor cannot be found."),
        (
            {"vendorNumber": "10000", "payToVendorNumber": "20000", "payToVendorId": vendor("30000")["id"]},
            "The pay-to vendor values do not match to a specific Vendor.",
        ),
        ({"vendorNumber": "10000", "currencyCode": "XXX"}, 'The "currencyCode" does not match to a Currency.'),
        ({"vendorNumber": "10000", "currencyId": MISSING}, 'The "currencyId" does not match to a Currency.'),
        (
            {"vendorNumber": "10000", "currencyId": US.tables["currencies"][0]["id"], "currencyCode": "JPY"},
            "The currency values do not match to a specific Currency.",
        ),
        (
            {"vendorNumber": "10000", "paymentTermsId": MISSING},
            'The "paymentTermsId" does not match to a Payment Terms.',
        ),
        (
            {"vendorNumber": "10000", "shipmentMethodId": MISSING},
            'The "shipmentMethodId" does not match to a Shipment Method.',
        ),
        (
            {"vendorNumber": "10000", "pricesIncludeTax": True},
            'The "pricesIncludeTax" cannot be set to true if VAT Calculation Type is Sales Tax.',
        ),
        ({"vendorNumber": "10000", "id": MISSING}, 'The "id" cannot be changed.'),
    ],
)
def test_what_an_order_refers_to_must_exist(probe: Probe, body: Any, text: str) -> None:
    assert refusal(probe, "POST", "purchaseOrders", body) == dialog(text)


def test_an_invoice_names_the_missing_vendor_in_other_words(probe: Probe) -> None:
    assert refusal(probe, "POST", "purchaseInvoices", {}) == dialog(
        'A "vendorNumber" or a "vendorID" must be provided.'
    )
    missing = refusal(probe, "POST", "purchaseInvoices", {"vendorNumber": "nobody"})
    assert missing == dialog("The vendor cannot be found.")


def test_a_company_with_value_added_tax_may_include_it_in_prices() -> None:
    probe = Probe(BusinessCentral(COMPANIES, now=Watch()), AG.id)
    created = probe.send("POST", "purchaseOrders", {"vendorNumber": "10000", "pricesIncludeTax": True})
    assert created.json()["pricesIncludeTax"] is True


def test_the_number_of_a_document_is_read_only(probe: Probe) -> None:
    body = {"vendorNumber": "10000", "number": "999"}
    assert refusal(probe, "POST", "purchaseOrders", body)[1] == "BadRequest_InvalidOperation"


def test_changing_the_vendor_brings_his_name_and_address(probe: Probe) -> None:
    order = next(each for each in US.orders if each.header["vendorNumber"] == "10000")
    changed = probe.send("PATCH", f"purchaseOrders({order.id})", {"vendorNumber": "40000"}, If_Match="*").json()
    assert (changed["vendorName"], changed["buyFromCity"]) == ("Wide World Importers", "Chicago")
    assert changed["vendorId"] == vendor("40000")["id"]


def test_a_posted_invoice_cannot_be_changed(probe: Probe) -> None:
    posted = next(each for each in US.invoices if each.header["status"] == "Open")
    line = posted.lines[0].values["id"]
    for method, address, body in (
        ("PATCH", f"purchaseInvoices({posted.id})", {"purchaser": "RB"}),
        ("DELETE", f"purchaseInvoices({posted.id})", None),
        ("PATCH", f"purchaseInvoiceLines({line})", {"quantity": 1}),
        ("DELETE", f"purchaseInvoiceLines({line})", None),
        ("POST", f"purchaseInvoices({posted.id})/purchaseInvoiceLines", {"lineType": "Comment"}),
    ):
        assert refusal(probe, method, address, body, If_Match="*")[:2] == (400, "Application_DialogException")


# -- new lines


def test_a_line_is_added_by_address_or_by_document_id(probe: Probe) -> None:
    order = US.orders[0]
    last = order.lines[-1].values["sequence"]
    by_address = probe.send("POST", f"purchaseOrders({order.id})/purchaseOrderLines", {"lineType": "Comment"}).json()
    by_id = probe.send("POST", "purchaseOrderLines", {"documentId": order.id, "lineType": "Comment"}).json()
    assert [by_address["sequence"], by_id["sequence"]] == [last + 10000, last + 20000]  # type: ignore[operator]
    assert {by_address["documentId"], by_id["documentId"]} == {order.id}
    assert probe.get(f"purchaseOrders({order.id})").json()["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"


def test_an_item_may_be_named_by_id(probe: Probe) -> None:
    known = next(line.values for each in US.orders for line in each.lines if line.values["lineType"] == "Item")
    body = {"itemId": known["itemId"], "quantity": 2, "discountPercent": 10, "directUnitCost": 30}
    line = probe.send("POST", f"purchaseOrders({US.orders[0].id})/purchaseOrderLines", body).json()
    assert (line["lineType"], line["lineObjectNumber"]) == ("Item", known["lineObjectNumber"])
    assert (line["discountAmount"], line["amountExcludingTax"]) == (6, 54)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"itemId": MISSING, "accountId": MISSING},
            'Both "itemId" and "accountId" are specified. Specify only one of them.',
        ),
        ({"itemId": MISSING}, "Item does not exist."),
        ({"lineType": "Item", "lineObjectNumber": "nothing"}, "Item does not exist."),
        ({"accountId": MISSING}, "Account does not exist."),
        ({"lineType": "Account", "lineObjectNumber": "1"}, "Account does not exist."),
    ],
)
def test_what_a_line_is_about_must_exist(probe: Probe, body: Any, text: str) -> None:
    address = f"purchaseOrders({US.orders[0].id})/purchaseOrderLines"
    assert refusal(probe, "POST", address, body) == dialog(text)


def test_a_line_needs_a_document_and_a_free_sequence(probe: Probe) -> None:
    assert refusal(probe, "POST", "purchaseOrderLines", {"lineType": "Comment"}) == dialog(
        "You must specify an Id or a Document Id to get the lines."
    )
    assert refusal(probe, "POST", "purchaseOrderLines", {"documentId": MISSING}) == dialog("The order cannot be found.")
    taken = refusal(probe, "POST", f"purchaseOrders({US.orders[0].id})/purchaseOrderLines", {"sequence": 10000})
    assert taken[:2] == (409, "Internal_EntityWithSameKeyExists")


@pytest.mark.parametrize("name", ["documentId", "sequence", "lineObjectNumber"])
def test_what_places_a_line_cannot_be_changed_later(probe: Probe, name: str) -> None:
    line = US.orders[0].lines[0].values["id"]
    values = {"documentId": MISSING, "sequence": 5, "lineObjectNumber": "X"}
    assert refusal(probe, "PATCH", f"purchaseOrderLines({line})", {name: values[name]}, If_Match="*")[1] == (
        "Application_DialogException"
    )


def test_another_tax_code_brings_another_percentage(probe: Probe) -> None:
    order = next(
        each for each in US.orders if (each.lines[0].values["taxCode"], each.header["status"]) == ("FURNITURE", "Open")
    )
    line = order.lines[0].values["id"]
    changed = probe.send("PATCH", f"purchaseOrderLines({line})", {"taxCode": "NONTAXABLE"}, If_Match="*").json()
    assert (changed["taxPercent"], changed["totalTaxAmount"]) == (0, 0)


# -- dimension sets


def test_a_header_dimension_is_added_changed_and_removed(probe: Probe) -> None:
    order = next(each for each in US.orders if "PROJECT" not in each.dimensions)
    address = f"purchaseOrders({order.id})/dimensionSetLines"
    added = probe.send("POST", address, {"code": "PROJECT", "valueCode": "VW"})
    assert (added.status_code, added.json()["valueDisplayName"]) == (201, "Volkswagen")
    assert probe.get(f"purchaseOrders({order.id})").json()["shortcutDimension2Code"] == "VW"
    line = f"{address}({added.json()['id']})"
    refused = probe.send("PATCH", line, {"valueCode": "TOYOTA"})
    assert refused.json()["error"]["code"] == "BadRequest_InvalidToken"
    changed = probe.send("PATCH", line, {"valueCode": "TOYOTA"}, If_Match="*")
    assert (changed.status_code, changed.json()["valueCode"]) == (200, "TOYOTA")
    assert probe.send("DELETE", line).status_code == 204
    assert probe.get(f"purchaseOrders({order.id})").json()["shortcutDimension2Code"] == ""


def test_a_lines_dimension_is_written_through_the_line(probe: Probe) -> None:
    line = next(line for line in US.orders[0].lines if "AREA" not in line.dimensions)
    address = f"purchaseOrderLines({line.values['id']})/dimensionSetLines"
    value = next(row for row in US.tables["dimensionValues"] if row["code"] == "40")
    dimension = next(row for row in US.tables["dimensions"] if row["code"] == "AREA")
    added = probe.send("POST", address, {"id": dimension["id"], "valueId": value["id"]})
    assert (added.status_code, added.json()["code"], added.json()["valueCode"]) == (201, "AREA", "40")
    assert {row["code"]: row["valueCode"] for row in probe.rows(address)} == line.dimensions | {"AREA": "40"}


ORDER = next(each for each in US.orders if set(each.dimensions) == {"DEPARTMENT"})
POSTED = next(each for each in US.invoices if each.header["status"] == "Open")
RECEIPT = US.history["purchaseReceipts"][0]
ENTRY = US.history["generalLedgerEntries"][0]
DEPARTMENT = next(row for row in US.tables["dimensions"] if row["code"] == "DEPARTMENT")["id"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"valueCode": "VW"}, 'The "id" or "code" field must be filled in.'),
        ({"code": "PROJECT"}, 'The "valueId" or "valueCode" field must be filled in.'),
        ({"code": "COLOUR", "valueCode": "RED"}, 'The "code" does not match to a Dimension.'),
        (
            {"code": "PROJECT", "id": DEPARTMENT, "valueCode": "VW"},
            "The dimension field values do not match to a specific Dimension.",
        ),
        ({"code": "PROJECT", "valueCode": "ADM"}, 'The "valueCode" does not match to a Dimension Value.'),
        (
            {"code": "DEPARTMENT", "valueCode": "ADM"},
            "The dimension set line already exists. Check existing dimension set lines and the default dimension set lines "
            "on the parent.",
        ),
        (
            {"code": "AREA", "valueCode": "55"},
            "Dimension Value Type for Dimension Value AREA - 55 must not be End-Total.",
        ),
    ],
)
def test_a_dimension_must_fit(probe: Probe, body: Any, text: str) -> None:
    assert refusal(probe, "POST", f"purchaseOrders({ORDER.id})/dimensionSetLines", body) == dialog(text)


def test_a_blocked_value_cannot_be_used(probe: Probe) -> None:
    address = f"purchaseOrders({ORDER.id})/dimensionSetLines({DEPARTMENT})"
    assert refusal(probe, "PATCH", address, {"valueCode": "WORKSHOP"}, If_Match="*") == dialog(
        "Dimension Value DEPARTMENT - WORKSHOP is blocked."
    )
    assert refusal(probe, "PATCH", address, {"code": "AREA", "valueCode": "30"}, If_Match="*") == dialog(
        'The "id" and "code" fields cannot be modified.'
    )


def test_dimensions_are_written_through_their_parent_only(probe: Probe) -> None:
    assert refusal(probe, "POST", "dimensionSetLines", {"code": "PROJECT", "valueCode": "VW"}) == dialog(
        "You must get to the parent first to create a dimension set line."
    )


@pytest.mark.parametrize(
    ("address", "kind", "key"),
    [
        ("purchaseInvoices", "Purchase Invoice", POSTED.id),
        ("purchaseReceipts", "Purchase Receipt", RECEIPT.id),
        ("purchaseReceiptLines", "Purchase Receipt Line", RECEIPT.lines[0].values["id"]),
        ("generalLedgerEntries", "General Ledger Entry", ENTRY.id),
    ],
)
def test_dimensions_of_posted_records_are_read_only(probe: Probe, address: str, kind: str, key: str) -> None:
    body = {"code": "AREA", "valueCode": "70"}
    assert refusal(probe, "POST", f"{address}({key})/dimensionSetLines", body) == dialog(
        f"Parent with ID {key} does not exist or dimension set lines are read only for parent type {kind}."
    )


# -- concurrency tokens and bodies


def test_tokens_are_missing_garbled_stale_or_fine(probe: Probe) -> None:
    address = f"vendors({vendor('20000')['id']})"
    etag = probe.get(address).json()["@odata.etag"]
    outcomes = {}
    for name, token in (
        ("missing", ""),
        ("bare", "JzIwOzEx"),
        ("strong", etag.removeprefix("W/")),
        ("fine", etag),
        ("stale", etag),
        ("star", "*"),
    ):
        headers = {"If_Match": token} if token else {}
        response = probe.send("PATCH", address, {"phoneNumber": name}, **headers)
        outcomes[name] = (response.status_code, response.json().get("error", {}).get("code"))
    assert outcomes == {
        "missing": (400, "BadRequest_InvalidToken"),
        "bare": (400, "BadRequest_InvalidToken"),
        "strong": (400, "BadRequest_InvalidToken"),
        "fine": (200, None),
        "stale": (409, "Request_EntityChanged"),
        "star": (200, None),
    }


def test_a_deletion_checks_the_token_only_when_it_is_sent(probe: Probe) -> None:
    order = US.orders[1]
    etag = probe.get(f"purchaseOrders({order.id})").json()["@odata.etag"]
    probe.simulator.edit_header(US.id, order.number, purchaser="RB")
    stale = probe.send("DELETE", f"purchaseOrders({order.id})", If_Match=etag)
    assert stale.status_code == 409
    assert probe.send("DELETE", f"purchaseOrders({order.id})").status_code == 204


def test_put_changes_like_patch(probe: Probe) -> None:
    address = f"vendors({vendor('20000')['id']})"
    changed = probe.send("PUT", address, {"phoneNumber": "5"}, If_Match="*")
    assert (changed.status_code, changed.json()["city"]) == (200, "Chicago")


def test_only_json_bodies_are_read(probe: Probe) -> None:
    address = f"{probe.base}/companies({US.id})/locations"
    response = probe.client.post(address, content=b"<code>X</code>", headers={"Content-Type": "application/xml"})
    assert response.status_code == 415


def test_a_string_that_is_too_long_is_quoted_with_both_lengths(probe: Probe) -> None:
    address = f"vendors({vendor('20000')['id']})"
    assert refusal(probe, "PATCH", address, {"city": "x" * 31}, If_Match="*") == (
        400,
        "Application_StringExceededLength",
        f"The length of the string is 31, but it must be less than or equal to 30 characters. Value: {'x' * 31}",
    )


def test_a_reader_cannot_write(probe: Probe) -> None:
    response = probe.send("POST", "locations", {"code": "X"}, Data_Access_Intent="ReadOnly")
    assert response.status_code == 400


# -- schema version 2.1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("number in ('20000','40000')", {"20000", "40000"}),
        ("contains(tolower(displayName),'fabrikam')", {"10000"}),
        ("startswith(toupper(city),'CHI') and number in ('20000','10000')", {"20000"}),
        (f"id in ({vendor('30000')['id']})", {"30000"}),
    ],
)
def test_newer_filters_need_the_newer_schema_version(probe: Probe, text: str, expected: set[str]) -> None:
    assert probe.get(f"vendors?$filter={text}").status_code == 400
    rows = probe.rows(f"vendors?$schemaversion=2.1&$filter={text}")
    assert {row["number"] for row in rows} == expected


def test_the_newer_schema_version_reaches_nested_filters(probe: Probe) -> None:
    order = US.orders[0]
    nested = "purchaseOrderLines($filter=lineType in ('Item','Charge'))"
    lines = probe.get(f"purchaseOrders({order.id})?$schemaversion=2.1&$expand={nested}").json()["purchaseOrderLines"]
    expected = [line for line in order.lines if line.values["lineType"] in {"Item", "Charge"}]
    assert [line["sequence"] for line in lines] == [line.values["sequence"] for line in expected]
    assert expected


def test_blank_ids_are_no_ids(probe: Probe) -> None:
    body = {"itemId": NO_ID, "accountId": NO_ID, "lineType": "Comment", "description": "x"}
    line = probe.send("POST", f"purchaseOrders({US.orders[0].id})/purchaseOrderLines", body)
    assert (line.status_code, line.json()["lineType"]) == (201, "Comment")
