"""BC's documents on the wire and their canonical form: nothing guessed, every wrong property named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.business_central.canonical import Codes, canonical, unknown_ids
from connector.business_central.odata import BLANK_GUID
from connector.business_central.selection import LINES, SELECTED, SELECTED_LINE, expansion
from connector.errors import DocumentFault
from connector.model.documents import DimensionValue, Document, Entity
from connector.model.money import loads

MAIN = "11111111-0000-0000-0000-000000000001"
TERMS = "0a4a41a0-7b01-f111-a1fd-7ced8d2674f8"
CODES = Codes(locations={MAIN: "MAIN"}, payment_terms={TERMS: "1M(8D)"}, local_currency="USD")

ORDER = """
{"@odata.etag": "W/\\"JzIw\\"", "id": "7C46F200-9580-F111-8070-0022483430DD", "number": "106001",
 "orderDate": "2026-07-15", "postingDate": "2026-07-16", "vendorNumber": "20000", "vendorName": "First Up Consultants",
 "currencyCode": "", "pricesIncludeTax": false, "paymentTermsId": "0a4a41a0-7b01-f111-a1fd-7ced8d2674f8",
 "requestedReceiptDate": "0001-01-01", "discountAmount": 0, "totalAmountExcludingTax": 3122.8, "totalTaxAmount": 187.37,
 "totalAmountIncludingTax": 3310.17, "fullyReceived": false, "status": "In_x0020_Review",
 "lastModifiedDateTime": "2026-07-15T21:34:51.82Z",
 "purchaseOrderLines": [
  {"id": "30000000-9580-F111-8070-0022483430DD", "sequence": 30000, "lineType": "Fixed_x0020_Asset",
   "lineObjectNumber": "FA000010", "description": "Truck", "unitOfMeasureCode": "", "quantity": 1.00,
   "directUnitCost": 0.10000, "amountExcludingTax": 0, "invoiceDiscountAllocation": 0, "netAmount": 0, "taxCode": "",
   "taxPercent": 0, "netTaxAmount": -0.00, "expectedReceiptDate": "0001-01-01",
   "locationId": "00000000-0000-0000-0000-000000000000", "dimensionSetLines": []},
  {"id": "8d46f200-9580-f111-8070-0022483430dd", "sequence": 10000, "lineType": "Item", "lineObjectNumber": "1896-S",
   "description": "ATHENS Desk", "unitOfMeasureCode": "PCS", "quantity": 4, "directUnitCost": 780.7,
   "amountExcludingTax": 3122.8, "invoiceDiscountAllocation": 0, "netAmount": 3122.8, "taxCode": "FURNITURE",
   "taxPercent": 6, "netTaxAmount": 187.37, "expectedReceiptDate": "2026-07-22",
   "locationId": "11111111-0000-0000-0000-000000000001",
   "dimensionSetLines": [{"code": "DEPARTMENT", "valueCode": "ADM", "valueDisplayName": "Administration"},
                         {"code": "AREA", "valueCode": "10"}]}],
 "dimensionSetLines": [{"code": "DEPARTMENT", "valueCode": "SALES"}]}
"""

INVOICE = """
{"id": "1773153c-6329-f111-8340-000d3a11d3d8", "number": "108029", "postingDate": "2026-03-28",
 "invoiceDate": "2026-03-27", "dueDate": "2026-04-28", "vendorInvoiceNumber": "INV-2026-77", "vendorNumber": "20000",
 "vendorName": "First Up Consultants", "currencyCode": "EUR", "orderNumber": "106001", "pricesIncludeTax": true,
 "discountAmount": 1.5, "totalAmountExcludingTax": 28.5, "totalTaxAmount": 5.42, "totalAmountIncludingTax": 33.92,
 "status": "_x0020_", "lastModifiedDateTime": "0001-01-01T00:00:00Z",
 "purchaseInvoiceLines": [
  {"id": "8d46f200-9580-f111-8070-0022483430dd", "sequence": 10000, "lineType": "Account", "lineObjectNumber": "8240",
   "description": "Freight", "unitOfMeasureCode": "", "quantity": 3, "unitCost": 11.9, "amountExcludingTax": 30,
   "invoiceDiscountAllocation": 1.5, "netAmount": 28.5, "taxCode": "VAT19", "taxPercent": 19, "netTaxAmount": 5.42,
   "expectedReceiptDate": "0001-01-01", "locationId": "00000000-0000-0000-0000-000000000000",
   "dimensionSetLines": []}],
 "dimensionSetLines": []}
"""

CREDIT_MEMO = """
{"id": "2773153c-6329-f111-8340-000d3a11d3d8", "number": "109001", "creditMemoDate": "2026-04-01", "postingDate": "2026-04-02",
 "dueDate": "2026-04-01", "vendorCreditMemoNumber": "CM-77", "vendorNumber": "20000", "vendorName": "First Up Consultants",
 "currencyCode": "EUR", "pricesIncludeTax": false, "paymentTermsId": "0a4a41a0-7b01-f111-a1fd-7ced8d2674f8",
 "invoiceId": "1773153c-6329-f111-8340-000d3a11d3d8", "invoiceNumber": "108029", "discountAmount": 0,
 "totalAmountExcludingTax": 9.5, "totalTaxAmount": 1.81, "totalAmountIncludingTax": 11.31, "status": "Corrective",
 "lastModifiedDateTime": "2026-04-02T08:00:00Z",
 "purchaseCreditMemoLines": [
  {"id": "9d46f200-9580-f111-8070-0022483430dd", "sequence": 10000, "lineType": "Account", "lineObjectNumber": "8240",
   "description": "Freight", "unitOfMeasureCode": "", "quantity": 1, "unitCost": 9.5, "amountExcludingTax": 9.5,
   "invoiceDiscountAllocation": 0, "netAmount": 9.5, "taxCode": "VAT19", "taxPercent": 19, "netTaxAmount": 1.81,
   "locationId": "11111111-0000-0000-0000-000000000001", "dimensionSetLines": []}],
 "dimensionSetLines": [{"code": "DEPARTMENT", "valueCode": "SALES"}]}
"""

RECEIPT = """
{"id": "3773153c-6329-f111-8340-000d3a11d3d8", "number": "107031", "invoiceDate": "2026-07-15", "postingDate": "2026-07-20",
 "vendorNumber": "20000", "vendorName": "First Up Consultants", "currencyCode": "", "orderNumber": "106001",
 "lastModifiedDateTime": "2026-07-20T08:00:00Z",
 "purchaseReceiptLines": [
  {"id": "ad46f200-9580-f111-8070-0022483430dd", "sequence": 10000, "lineType": "G_x002F_L_x0020_Account",
   "lineObjectNumber": "8240", "description": "Freight", "unitOfMeasureCode": "", "unitCost": 9.5, "quantity": 2,
   "expectedReceiptDate": "0001-01-01", "dimensionSetLines": []},
  {"id": "bd46f200-9580-f111-8070-0022483430dd", "sequence": 20000, "lineType": "_x0020_", "lineObjectNumber": "",
   "description": "Back door", "unitOfMeasureCode": "", "unitCost": 0, "quantity": 0, "expectedReceiptDate": "0001-01-01",
   "dimensionSetLines": []}],
 "dimensionSetLines": []}
"""
TEXTS = {
    Entity.PURCHASE_ORDER: ORDER,
    Entity.PURCHASE_INVOICE: INVOICE,
    Entity.CREDIT_MEMO: CREDIT_MEMO,
    Entity.RECEIPT: RECEIPT,
}


def row(entity: Entity = Entity.PURCHASE_ORDER) -> dict[str, Any]:
    """A sound record as the session hands it over."""
    body: dict[str, Any] = loads(TEXTS[entity])
    return body


def read(body: Mapping[str, Any], entity: Entity = Entity.PURCHASE_ORDER) -> Document:
    """The canonical document."""
    return canonical(body, "us", entity, CODES)


def faults(body: Mapping[str, Any], entity: Entity = Entity.PURCHASE_ORDER) -> str:
    """The messages of why the record cannot be read, in one text."""
    with pytest.raises(DocumentFault) as fault:
        read(body, entity)
    assert {reason.code for reason in fault.value.reasons} == {"DOCUMENT_UNREADABLE"}
    return "\n".join(reason.message for reason in fault.value.reasons)


def changed_line(entity: Entity = Entity.PURCHASE_ORDER, **changes: Any) -> dict[str, Any]:
    """A record with its first line changed; a property given as ... is left out."""
    body = row(entity)
    lines = body[LINES[entity]]
    lines[0] = {name: value for name, value in (lines[0] | changes).items() if value is not ...}
    return body


def without(entity: Entity, name: str) -> dict[str, Any]:
    """A record without that property."""
    return {other: value for other, value in row(entity).items() if other != name}


def test_an_order_becomes_a_canonical_document() -> None:
    document = read(row())
    assert document.entity is Entity.PURCHASE_ORDER
    assert (document.company, document.id, document.number) == ("us", "7c46f200-9580-f111-8070-0022483430dd", "106001")
    assert document.status == "In Review"
    assert document.modified == datetime(2026, 7, 15, 21, 34, 51, 820000, tzinfo=UTC)
    assert (document.document_date, document.posting_date, document.due_date) == (
        date(2026, 7, 15),
        date(2026, 7, 16),
        None,
    )
    assert (document.vendor_number, document.vendor_name) == ("20000", "First Up Consultants")
    assert (document.vendor_invoice_number, document.order_number) == ("", "")
    assert (document.currency, document.payment_terms, document.prices_include_tax) == ("USD", "1M(8D)", False)
    assert (document.net_total, document.tax_total, document.gross_total) == (
        Decimal("3122.8"),
        Decimal("187.37"),
        Decimal("3310.17"),
    )
    assert document.dimensions == (DimensionValue("DEPARTMENT", "SALES"),)


def test_lines_come_in_the_order_of_their_numbers() -> None:
    desk, truck = read(row()).lines
    assert (desk.sequence, truck.sequence) == (10000, 30000)
    assert desk.type == "Item"
    assert desk.location == "MAIN"
    assert desk.expected_receipt == date(2026, 7, 22)
    assert desk.dimensions == (DimensionValue("AREA", "10"), DimensionValue("DEPARTMENT", "ADM"))
    assert (desk.dimension("DEPARTMENT"), desk.dimension("PROJECT")) == ("ADM", "")
    assert (desk.unit_cost, desk.amount, desk.net_amount) == (Decimal("780.7"), Decimal("3122.8"), Decimal("3122.8"))


def test_blank_values_become_empty_ones() -> None:
    truck = read(row()).lines[1]
    assert truck.id == "30000000-9580-f111-8070-0022483430dd"
    assert truck.type == "Fixed Asset"
    assert (truck.expected_receipt, truck.location, truck.dimensions) == (None, "", ())
    assert not truck.tax_amount.is_signed()


def test_an_invoice_becomes_a_canonical_document() -> None:
    document = read(row(Entity.PURCHASE_INVOICE), Entity.PURCHASE_INVOICE)
    assert document.entity is Entity.PURCHASE_INVOICE
    assert (document.status, document.currency, document.prices_include_tax) == ("", "EUR", True)
    assert (document.document_date, document.due_date) == (date(2026, 3, 27), date(2026, 4, 28))
    assert (document.vendor_invoice_number, document.order_number) == ("INV-2026-77", "106001")
    assert document.payment_terms == ""
    assert document.discount_amount == Decimal("1.5")
    assert document.modified == datetime(1, 1, 1, tzinfo=UTC)
    (line,) = document.lines
    assert (line.unit_cost, line.header_discount_share) == (Decimal("11.9"), Decimal("1.5"))


def test_a_credit_memo_names_the_invoice_it_takes_back() -> None:
    document = read(row(Entity.CREDIT_MEMO), Entity.CREDIT_MEMO)
    assert (document.status, document.payment_terms, document.vendor_invoice_number) == (
        "Corrective",
        "1M(8D)",
        "CM-77",
    )
    assert (document.applies_to_id, document.applies_to_number) == ("1773153c-6329-f111-8340-000d3a11d3d8", "108029")
    assert (document.net_total, document.gross_total, document.order_number) == (Decimal("9.5"), Decimal("11.31"), "")
    assert [(line.location, line.net_amount, line.expected_receipt) for line in document.lines] == [
        ("MAIN", Decimal("9.5"), None)
    ]


def test_a_credit_memo_that_is_applied_to_nothing_names_nothing() -> None:
    body = row(Entity.CREDIT_MEMO) | {"invoiceId": BLANK_GUID, "invoiceNumber": ""}
    document = read(body, Entity.CREDIT_MEMO)
    assert (document.applies_to_id, document.applies_to_number) == ("", "")


def test_a_receipt_is_posted_has_no_amounts_and_calls_its_lines_like_the_others_do() -> None:
    document = read(row(Entity.RECEIPT), Entity.RECEIPT)
    assert (document.status, document.order_number, document.currency) == ("Posted", "106001", "USD")
    assert (document.net_total, document.tax_total, document.gross_total) == (0, 0, 0)
    assert [(line.type, line.sequence, line.quantity, line.net_amount) for line in document.lines] == [
        ("Account", 10000, 2, 0),
        ("Comment", 20000, 0, 0),
    ]


def test_properties_nobody_asked_for_are_ignored() -> None:
    assert read(row() | {"newInBc30": {"deep": [1]}}) == read(row())
    assert read(changed_line(newInBc30=None)) == read(row())


@pytest.mark.parametrize("entity", Entity)
def test_every_property_that_is_asked_for_must_be_there(entity: Entity) -> None:
    names = [*SELECTED[entity].split(","), LINES[entity], "dimensionSetLines"]
    silent = [name for name in names if _reads(without(entity, name), entity)]
    assert silent == []


@pytest.mark.parametrize("entity", Entity)
def test_every_property_of_a_line_that_is_asked_for_must_be_there(entity: Entity) -> None:
    names = [*SELECTED_LINE[entity].split(","), "dimensionSetLines"]
    silent = [name for name in names if _reads(changed_line(entity, **{name: ...}), entity)]
    assert silent == []


def _reads(body: Mapping[str, Any], entity: Entity) -> bool:
    try:
        read(body, entity)
    except DocumentFault:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", ""),
        ("id", "106001"),
        ("number", 106001),
        ("number", None),
        ("status", 0),
        ("status", {}),
        ("lastModifiedDateTime", "2026-07-15"),
        ("lastModifiedDateTime", None),
        ("orderDate", "15.07.2026"),
        ("orderDate", "2026-02-30"),
        ("postingDate", None),
        ("postingDate", 0),
        ("postingDate", 1784073600),
        ("postingDate", "0"),
        ("postingDate", "2026-07-16T00:00:00Z"),
        ("postingDate", "2026-W29-4"),
        ("vendorNumber", None),
        ("vendorNumber", 20000),
        ("currencyCode", None),
        ("pricesIncludeTax", "false"),
        ("pricesIncludeTax", 0),
        ("totalTaxAmount", "187.37"),
        ("totalTaxAmount", None),
        ("totalTaxAmount", True),
        ("totalTaxAmount", Decimal("1E+400")),
        ("discountAmount", [0]),
        ("purchaseOrderLines", {}),
        ("purchaseOrderLines", None),
        ("purchaseOrderLines", [None]),
        ("dimensionSetLines", None),
        ("dimensionSetLines", [{"code": "DEPARTMENT"}]),
        ("paymentTermsId", "99999999-0000-0000-0000-000000000000"),
        ("number", "\ud800"),
    ],
)
def test_a_property_of_another_type_is_named(name: str, value: Any) -> None:
    assert name in faults(row() | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", BLANK_GUID),
        ("sequence", "10000"),
        ("sequence", 1.5),
        ("sequence", True),
        ("lineType", None),
        ("description", None),
        ("quantity", "4"),
        ("quantity", Decimal("Infinity")),
        ("directUnitCost", "780.7"),
        ("directUnitCost", None),
        ("netAmount", None),
        ("netAmount", Decimal("NaN")),
        ("taxPercent", "6 %"),
        ("expectedReceiptDate", None),
        ("expectedReceiptDate", 20260722),
        ("locationId", "99999999-0000-0000-0000-000000000000"),
        ("locationId", None),
        ("dimensionSetLines", "none"),
    ],
)
def test_a_property_of_a_line_of_another_type_is_named(name: str, value: Any) -> None:
    assert name in faults(changed_line(**{name: value}))


def test_every_wrong_property_is_named_at_once() -> None:
    body = changed_line(quantity="4", netAmount=None) | {"number": 1, "totalTaxAmount": "x"}
    message = faults(body)
    for name in ("quantity", "netAmount", "number", "totalTaxAmount"):
        assert name in message


def test_ids_that_stand_for_nothing_are_all_named_with_their_lines() -> None:
    stranger = "99999999-0000-0000-0000-000000000000"
    body = changed_line(locationId=stranger) | {"paymentTermsId": stranger}
    with pytest.raises(DocumentFault) as fault:
        read(body)
    assert [(reason.where, "paymentTermsId" in reason.message) for reason in fault.value.reasons] == [
        ("", True),
        ("30000", False),
    ]


def test_a_fault_repeats_no_value_of_the_document() -> None:
    assert "c4n4ry" not in faults(
        changed_line(quantity="c4n4ry") | {"totalTaxAmount": "c4n4ry", "pricesIncludeTax": "c4n4ry"}
    )


def test_the_cost_of_an_order_is_not_taken_from_the_lines_of_an_invoice() -> None:
    body = row(Entity.PURCHASE_INVOICE) | {"orderDate": "2026-07-15", "paymentTermsId": BLANK_GUID}
    assert "purchaseOrderLines" in faults(body, Entity.PURCHASE_ORDER)


@pytest.mark.parametrize("entity", Entity)
def test_all_that_is_read_is_asked_for(entity: Entity) -> None:
    """The answer to the query the reader sends holds only what was selected, and that is enough."""
    lines = LINES[entity]
    assert expansion(entity) == (
        f"{lines}($select={SELECTED_LINE[entity]};$expand=dimensionSetLines($select=code,valueCode)),"
        "dimensionSetLines($select=code,valueCode)"
    )
    selected = {*SELECTED[entity].split(","), lines, "dimensionSetLines"}
    line_names = {*SELECTED_LINE[entity].split(","), "dimensionSetLines"}
    body = {name: value for name, value in row(entity).items() if name in selected}
    body[lines] = [{name: value for name, value in line.items() if name in line_names} for line in body[lines]]
    assert read(body, entity) == read(row(entity), entity)


def test_codes_that_are_all_known_need_no_new_book() -> None:
    assert not unknown_ids(row(), Entity.PURCHASE_ORDER, CODES)
    assert not unknown_ids(row(Entity.PURCHASE_INVOICE), Entity.PURCHASE_INVOICE, CODES)


@pytest.mark.parametrize(
    ("entity", "body"),
    [
        (Entity.PURCHASE_ORDER, row() | {"paymentTermsId": "99999999-0000-0000-0000-000000000000"}),
        *(
            (entity, changed_line(entity, locationId="99999999-0000-0000-0000-000000000000"))
            for entity in (Entity.PURCHASE_ORDER, Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO)
        ),
    ],
)
def test_an_unknown_location_or_payment_term_asks_for_a_new_book(entity: Entity, body: Mapping[str, Any]) -> None:
    assert unknown_ids(body, entity, CODES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(ORDER))), json_values)
@example("purchaseOrderLines", 5)
@example("purchaseOrderLines", True)
@example("purchaseOrderLines", {"a": 1})
@example("paymentTermsId", [1])
def test_no_property_makes_reading_fail_otherwise(name: str, value: Any) -> None:
    body = row() | {name: value}
    assert unknown_ids(body, Entity.PURCHASE_ORDER, CODES) in (True, False)
    _reads(body, Entity.PURCHASE_ORDER)


@given(st.sampled_from(sorted(json.loads(ORDER)["purchaseOrderLines"][0])), json_values)
def test_no_property_of_a_line_makes_reading_fail_otherwise(name: str, value: Any) -> None:
    body = changed_line(**{name: value})
    assert unknown_ids(body, Entity.PURCHASE_ORDER, CODES) in (True, False)
    _reads(body, Entity.PURCHASE_ORDER)
