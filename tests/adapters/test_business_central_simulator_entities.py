"""The Business Central simulator: receipts, credit memos, ledger entries, people, set-up, files and archives.

The rules are those of the resource pages of API v2.0: "purchaseReceipt", "purchaseCreditMemo", "generalLedgerEntry",
"employee", "defaultDimension", "attachment", "documentAttachment", "pdfDocument", "companyInformation".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, Document
from tests.sandbox.business_central.encoding import decode_enum
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.records import LINES_OF

COMPANIES = sample.companies()
US = COMPANIES[0]


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


@pytest.fixture
def fresh() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


def receipt_with(kind: str) -> Document:
    return next(
        each for each in US.history["purchaseReceipts"] if kind in {line.values["lineType"] for line in each.lines}
    )


# -- the sample's history


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "AG"])
def test_each_receipt_tells_what_its_order_has_received(company: sample.CompanyData) -> None:
    orders = {order.number: order for order in company.orders}
    receipts = company.history["purchaseReceipts"]
    received = {
        order.number: [line.values["receivedQuantity"] for line in order.lines if line.values["receivedQuantity"]]
        for order in company.orders
    }
    assert {receipt.header["orderNumber"] for receipt in receipts} == {
        each for each, lines in received.items() if lines
    }
    for receipt in receipts:
        number = str(receipt.header["orderNumber"])
        assert [line.values["quantity"] for line in receipt.lines] == received[number]
        assert receipt.header["vendorNumber"] == orders[number].header["vendorNumber"]


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "AG"])
def test_the_ledger_balances_document_by_document(company: sample.CompanyData) -> None:
    sums: dict[tuple[Any, Any], Decimal] = {}
    for entry in company.history["generalLedgerEntries"]:
        key = (entry.header["documentType"], entry.header["documentNumber"])
        difference = entry.header["debitAmount"] - entry.header["creditAmount"]  # type: ignore[operator]
        sums[key] = sums.get(key, Decimal(0)) + difference  # type: ignore[arg-type]
    assert set(sums.values()) == {Decimal(0)}
    posted = {each.number for each in company.invoices if each.header["status"] in {"Open", "Paid", "Canceled"}}
    assert {number for kind, number in sums if kind == "Invoice"} == posted
    numbers = [entry.header["entryNumber"] for entry in company.history["generalLedgerEntries"]]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "AG"])
def test_each_cancelled_invoice_has_its_corrective_credit_memo(company: sample.CompanyData) -> None:
    memos = {
        memo.header["invoiceNumber"]: memo
        for memo in company.history["purchaseCreditMemos"]
        if memo.header["status"] == "Corrective"
    }
    cancelled = {each.number: each for each in company.invoices if each.header["status"] == "Canceled"}
    assert set(memos) == set(cancelled)
    for number, memo in memos.items():
        for total in ("totalAmountExcludingTax", "totalTaxAmount", "totalAmountIncludingTax"):
            assert memo.header[total] == cancelled[str(number)].header[total]
    assert {memo.header["status"] for memo in company.history["purchaseCreditMemos"]} >= {"Draft", "Corrective"}


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "AG"])
def test_historical_records_hold_only_properties_of_their_entity_and_fit_them(company: sample.CompanyData) -> None:
    for entity, documents in company.history.items():
        for document in documents:
            rows = [(entity, document.header), *((LINES_OF.get(entity, ""), line.values) for line in document.lines)]
            for name, row in rows:
                properties = ALL_SETS[name].by_name
                assert set(row) <= set(properties)
                for prop in properties.values():
                    assert not (prop.length and prop.kind == "text") or len(str(row.get(prop.name, ""))) <= prop.length
                    assert not prop.members or row.get(prop.name, prop.members[0]) in prop.members


# -- receipts


def test_receipts_are_found_by_their_order_and_name_no_ids(probe: Probe) -> None:
    receipt = US.history["purchaseReceipts"][0]
    (row,) = probe.rows(f"purchaseReceipts?$filter=orderNumber eq '{receipt.header['orderNumber']}'")
    assert row["number"] == receipt.number
    assert {"orderId", "vendorId", "shortcutDimension1Code"}.isdisjoint(row)


def test_receipt_lines_have_literals_of_their_own(probe: Probe) -> None:
    receipt = receipt_with("Charge (Item)")
    lines = probe.rows(f"purchaseReceipts({receipt.id})/purchaseReceiptLines")
    words = [line.values["lineType"] for line in receipt.lines]
    assert [decode_enum(line["lineType"]) for line in lines] == words
    assert "Charge_x0020__x0028_Item_x0029_" in {line["lineType"] for line in lines}
    account = receipt_with("G/L Account")
    assert "G_x002F_L_x0020_Account" in {
        line["lineType"] for line in probe.rows(f"purchaseReceipts({account.id})/purchaseReceiptLines")
    }


def test_receipt_lines_are_a_real_table_that_can_be_listed_freely(probe: Probe) -> None:
    every = probe.rows("purchaseReceiptLines?$select=id")
    assert len(every) == sum(len(each.lines) for each in US.history["purchaseReceipts"])
    receipt = US.history["purchaseReceipts"][0]
    expanded = probe.get(
        f"purchaseReceipts({receipt.id})?$expand=purchaseReceiptLines($expand=dimensionSetLines)"
    ).json()
    for shown, line in zip(expanded["purchaseReceiptLines"], receipt.lines, strict=True):
        assert {row["code"]: row["valueCode"] for row in shown["dimensionSetLines"]} == line.dimensions
        assert all(row["parentType"] == "Purchase_x0020_Receipt_x0020_Line" for row in shown["dimensionSetLines"])


# -- credit memos


def test_credit_memo_lines_lack_what_invoice_lines_have(probe: Probe) -> None:
    memo = US.history["purchaseCreditMemos"][0]
    shown = probe.get(f"purchaseCreditMemos({memo.id})?$expand=purchaseCreditMemoLines,vendor").json()
    assert shown["invoiceNumber"] == memo.header["invoiceNumber"]
    assert shown["vendor"]["number"] == memo.header["vendorNumber"]
    assert len(shown["purchaseCreditMemoLines"]) == len(memo.lines)
    assert {"description2", "expectedReceiptDate"}.isdisjoint(shown["purchaseCreditMemoLines"][0])
    refused = probe.get("purchaseCreditMemoLines")
    assert refused.json()["error"]["message"].startswith("You must specify an Id or a Document Id to get the lines.")


# -- ledger entries


def test_ledger_entries_show_dimensions_and_account_only_when_expanded(probe: Probe) -> None:
    rows = probe.rows(
        "generalLedgerEntries?$filter=documentType eq 'Invoice'&$expand=dimensionSetLines,account&$top=20"
    )
    entries = {entry.id: entry for entry in US.history["generalLedgerEntries"]}
    assert len(rows) == 20
    for row in rows:
        entry = entries[row["id"]]
        assert {each["code"]: each["valueCode"] for each in row["dimensionSetLines"]} == entry.dimensions
        assert {each["parentType"] for each in row["dimensionSetLines"]} <= {"General_x0020_Ledger_x0020_Entry"}
        assert row["account"]["number"] == row["accountNumber"]


# -- people and set-up


def test_an_employee_is_created_active_with_a_read_only_name(fresh: Probe) -> None:
    created = fresh.send("POST", "employees", {"number": "RB", "givenName": "Robin", "surname": "Bettencourt"})
    assert (created.status_code, created.json()["status"]) == (201, "Active")
    refused = fresh.send("PATCH", f"employees({created.json()['id']})", {"displayName": "x"}, If_Match="*")
    assert refused.json()["error"]["code"] == "BadRequest_InvalidOperation"


def test_default_dimensions_are_reached_through_their_parent(fresh: Probe) -> None:
    refused = fresh.get("defaultDimensions")
    assert refused.json()["error"]["message"].startswith(
        "You must get to the parent first to get to the default dimensions."
    )
    vendor = fresh.rows("vendors?$filter=number eq '20000'&$expand=defaultDimensions")[0]
    (default,) = vendor["defaultDimensions"]
    assert (default["dimensionCode"], default["dimensionValueCode"]) == ("DEPARTMENT", "ADM")
    assert (default["parentType"], default["postingValidation"]) == ("Vendor", "Code_x0020_Mandatory")
    project = fresh.rows("dimensions?$filter=code eq 'PROJECT'&$expand=dimensionValues")[0]
    body = {"dimensionId": project["id"], "dimensionValueId": project["dimensionValues"][0]["id"]}
    created = fresh.send("POST", f"vendors({vendor['id']})/defaultDimensions", body)
    assert created.status_code == 201
    assert created.json()["dimensionValueCode"] == project["dimensionValues"][0]["code"]
    assert len(fresh.rows(f"vendors({vendor['id']})/defaultDimensions")) == 2
    removed = fresh.send("DELETE", f"vendors({vendor['id']})/defaultDimensions({created.json()['id']})", If_Match="*")
    assert removed.status_code == 204


def test_the_company_shows_its_card_with_a_picture_link(fresh: Probe) -> None:
    (card,) = fresh.rows("companyInformation")
    assert list(card)[-2:] == ["picture@odata.mediaEditLink", "picture@odata.mediaReadLink"]
    picture = fresh.get(card["picture@odata.mediaReadLink"])
    assert picture.content.startswith(b"\x89PNG")
    assert fresh.send("POST", "companyInformation", {"displayName": "Second"}).status_code == 405
    assert fresh.send("DELETE", f"companyInformation({card['id']})", If_Match="*").status_code == 405
    changed = fresh.send("PATCH", f"companyInformation({card['id']})", {"faxNumber": "+1 555"}, If_Match="*")
    assert changed.json()["faxNumber"] == "+1 555"


@pytest.mark.parametrize("entity", ["itemCategories", "paymentMethods", "shipmentMethods", "countriesRegions"])
def test_code_tables_are_listed_and_extended(fresh: Probe, entity: str) -> None:
    before = fresh.rows(entity)
    assert before
    assert fresh.send("POST", entity, {"code": "NEW", "displayName": "New one"}).status_code == 201
    assert {row["code"] for row in fresh.rows(entity)} == {"NEW", *(row["code"] for row in before)}


# -- files


def test_files_are_listed_with_links_and_read_as_streams(probe: Probe) -> None:
    invoice = US.invoices[0]
    (attached,) = probe.rows(f"purchaseInvoices({invoice.id})/attachments")
    assert attached["parentType"] == "Purchase_x0020_Invoice"
    content = probe.get(attached["attachmentContent@odata.mediaReadLink"])
    assert content.headers["Content-Type"] == "application/pdf"
    assert len(content.content) == attached["byteSize"]
    (note,) = probe.rows(f"documentAttachments?$filter=parentId eq {invoice.id}")
    text = probe.get(f"documentAttachments({note['id']})/attachmentContent").content.decode()
    assert text.startswith("Checked against delivery")
    assert probe.get("attachments").status_code == 400
    expanded = probe.get(f"purchaseInvoices({invoice.id})?$expand=attachments,documentAttachments").json()
    assert [row["id"] for row in expanded["attachments"]] == [attached["id"]]


def test_a_file_is_added_in_two_steps(fresh: Probe) -> None:
    order = US.orders[0]
    created = fresh.send("POST", f"purchaseOrders({order.id})/documentAttachments", {"fileName": "terms.txt"})
    assert (created.status_code, created.json()["parentType"]) == (201, "Purchase_x0020_Order")
    address = created.json()["attachmentContent@odata.mediaEditLink"]
    assert fresh.get(address).status_code == 204
    refused = fresh.client.patch(address, content=b"Net 30")
    assert refused.json()["error"]["code"] == "BadRequest_InvalidToken"
    assert fresh.client.patch(address, content=b"Net 30", headers={"If-Match": "*"}).status_code == 204
    assert fresh.get(address).content == b"Net 30"
    assert fresh.get(f"documentAttachments({created.json()['id']})").json()["byteSize"] == 6


def test_a_document_is_printed_as_pdf(probe: Probe) -> None:
    order = US.orders[0]
    shown = probe.get(f"purchaseOrders({order.id})?$expand=pdfDocument").json()["pdfDocument"]
    assert (shown["parentId"], shown["parentType"]) == (order.id, "Purchase_x0020_Order")
    near = probe.get(f"purchaseOrders({order.id})/pdfDocument/pdfDocumentContent")
    far = probe.get(shown["pdfDocumentContent@odata.mediaReadLink"])
    assert near.content == far.content
    assert near.headers["Content-Type"] == "application/pdf"
    start = int(re.findall(rb"startxref\n(\d+)", near.content)[0])
    assert near.content[start:].startswith(b"xref")
    assert order.number.encode() in near.content


# -- navigations


@pytest.mark.parametrize(
    ("address", "navigation", "key"),
    [
        ("purchaseOrders", "vendor", "vendorId"),
        ("purchaseOrders", "paymentTerm", "paymentTermsId"),
        ("purchaseInvoices", "vendor", "vendorId"),
        ("vendors", "paymentTerm", "paymentTermsId"),
        ("generalLedgerEntries", "account", "accountId"),
    ],
)
def test_a_related_record_is_expanded_by_its_id(probe: Probe, address: str, navigation: str, key: str) -> None:
    rows = probe.get(f"{address}?$expand={navigation}&$top=10").json()["value"]
    assert [row[navigation]["id"] for row in rows] == [row[key] for row in rows]


def test_a_line_leads_back_to_its_document(probe: Probe) -> None:
    order = US.orders[0]
    line = order.lines[0].values["id"]
    assert probe.get(f"purchaseOrderLines({line})/purchaseOrder").json()["number"] == order.number


# -- archives, a switch


def test_archived_orders_are_there_only_from_version_29_on(fresh: Probe) -> None:
    assert fresh.get("purchaseOrderArchives").status_code == 404
    assert fresh.get("purchaseOrderArchiveLines").status_code == 404
    fresh.simulator.archives = True
    archives = fresh.rows("purchaseOrderArchives?$expand=purchaseOrderArchiveLines")
    assert {row["number"] for row in archives} == {each.number for each in US.history["purchaseOrderArchives"]}
    assert all(row["versionNumber"] == 1 for row in archives)
    lines = [line for row in archives for line in row["purchaseOrderArchiveLines"]]
    assert {line["shortcutDimension1Code"] for line in lines} > {"ADM", "SALES"}
    assert fresh.send("POST", "purchaseOrderArchives", {}).status_code == 405
    assert "purchaseOrderArchives" in {row["name"] for row in fresh.get("/").json()["value"]}
