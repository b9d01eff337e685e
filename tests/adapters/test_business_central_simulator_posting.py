"""The Business Central simulator: what becomes of orders and invoices, by the API v2.0 pages' public source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral, Document
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.posting import Posted
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.receiver import Receiver, subscribe

COMPANIES = sample.companies()
US = COMPANIES[0]
TOTALS = ("totalAmountExcludingTax", "totalTaxAmount", "totalAmountIncludingTax", "discountAmount")


def untouched(order: Document) -> bool:
    """Whether nothing of a released order has come or been billed, and something is to come on several lines."""
    lines = [line.values for line in order.lines]
    return (
        order.header["status"] == "Open"
        and not any(line["receivedQuantity"] or line["invoicedQuantity"] for line in lines)
        and sum(1 for line in lines if Decimal(str(line["quantity"])) > 2) >= 3
    )


ORDER = next(order for order in US.orders if untouched(order) and order.header["discountAmount"])
DRAFT_INVOICE = next(invoice for invoice in US.invoices if invoice.header["status"] == "Draft")
OPEN_INVOICE = next(invoice for invoice in US.invoices if invoice.header["status"] == "Open")


class Scene:
    """A simulator and a reader."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.simulator = BusinessCentral(COMPANIES, now=self.watch)
        self.probe = Probe(self.simulator, US.id)

    def shown(self, key: str | None, entity: str = "purchaseOrders") -> dict[str, Any]:
        """A document as the API shows it, with its lines."""
        body: dict[str, Any] = self.probe.get(f"{entity}({key})?$expand={entity[:-1]}Lines").json()
        return body

    def rows(self, entity: str, order: str = ORDER.number) -> list[dict[str, Any]]:
        """The invoices or receipts of an order, as a client finds them."""
        return self.probe.rows(f"{entity}?$filter=orderNumber eq '{order}'")

    def post(self, **more: Any) -> Posted:
        """Posts the order."""
        return self.simulator.post_order(US.id, ORDER.number, **more)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.probe.client.close()


def quantities(order: Document, part: int) -> dict[int, Decimal]:
    """A whole part of each positive quantity, by sequence."""
    return {
        int(str(line.values["sequence"])): Decimal(int(Decimal(str(line.values["quantity"]))) // part)
        for line in order.lines
        if Decimal(str(line.values["quantity"])) >= part
    }


# -- receive and invoice in full


def test_a_fully_received_and_invoiced_order_disappears(scene: Scene) -> None:
    posted = scene.post()
    assert posted.order_gone
    assert scene.probe.get(f"purchaseOrders({ORDER.id})").status_code == 404
    assert scene.probe.rows(f"purchaseOrders?$filter=number eq '{ORDER.number}'") == []
    assert scene.probe.get(f"purchaseOrderLines({ORDER.lines[0].values['id']})").status_code == 404


def test_it_leaves_an_invoice_with_a_new_id_that_names_the_order(scene: Scene) -> None:
    before = scene.shown(ORDER.id)
    posted = scene.post(vendor_invoice_number="INV-77")
    (found,) = scene.rows("purchaseInvoices")
    assert found["id"] == posted.invoice != ORDER.id
    assert (found["orderId"], found["orderNumber"]) == (ORDER.id, ORDER.number)
    assert (found["status"], found["vendorInvoiceNumber"]) == ("Open", "INV-77")
    assert found["postingDate"] == "2026-01-05"
    assert found["invoiceDate"] == before["orderDate"]
    assert found["lastModifiedDateTime"] == "2026-01-05T09:00:00Z"
    assert {name: found[name] for name in TOTALS} == {name: before[name] for name in TOTALS}
    same = ("vendorId", "vendorNumber", "currencyCode", "purchaser", "shortcutDimension1Code", "pricesIncludeTax")
    assert {name: found[name] for name in same} == {name: before[name] for name in same}


def test_the_invoice_repeats_the_orders_lines_with_new_ids(scene: Scene) -> None:
    ordered = {line["sequence"]: line for line in scene.shown(ORDER.id)["purchaseOrderLines"]}
    posted = scene.post()
    billed = {
        line["sequence"]: line for line in scene.shown(posted.invoice, "purchaseInvoices")["purchaseInvoiceLines"]
    }
    assert billed.keys() == ordered.keys()
    for sequence, line in billed.items():
        assert line["id"] != ordered[sequence]["id"]
        assert line["documentId"] == posted.invoice
        assert line["unitCost"] == ordered[sequence]["directUnitCost"]
        for name in ("quantity", "description", "lineType", "discountAmount", "netAmount", "netAmountIncludingTax"):
            assert line[name] == ordered[sequence][name]


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "DE"])
def test_every_order_is_worth_the_same_as_its_invoice(company: Any) -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    orders = [order for order in company.orders if untouched(order)]
    assert len(orders) > 20
    for order in orders:
        posted = simulator.post_order(company.id, order.number)
        invoice = simulator.document(company.id, str(posted.invoice), entity="purchaseInvoices")
        assert posted.order_gone
        assert {name: invoice.header[name] for name in TOTALS} == {name: order.header[name] for name in TOTALS}


def test_dimensions_go_over_to_the_invoice(scene: Scene) -> None:
    posted = scene.post()
    invoice = scene.simulator.document(US.id, str(posted.invoice), entity="purchaseInvoices")
    assert invoice.dimensions == ORDER.dimensions
    assert [line.dimensions for line in invoice.lines] == [line.dimensions for line in ORDER.lines]


def test_it_leaves_a_receipt_with_the_receipts_own_line_types(scene: Scene) -> None:
    posted = scene.post()
    assert [row["id"] for row in scene.rows("purchaseReceipts")] == [posted.receipt]
    lines = scene.shown(posted.receipt, "purchaseReceipts")["purchaseReceiptLines"]
    assert [line["quantity"] for line in lines] == [float(str(line.values["quantity"])) for line in ORDER.lines]
    assert {line["lineType"] for line in lines} <= {
        "_x0020_",
        "G_x002F_L_x0020_Account",
        "Item",
        "Resource",
        "Fixed_x0020_Asset",
        "Charge_x0020__x0028_Item_x0029_",
    }


def test_numbers_go_up_from_the_highest(scene: Scene) -> None:
    posted = [invoice for invoice in US.invoices if invoice.header["status"] != "Draft"]
    highest = max(int(invoice.number) for invoice in posted)
    scene.post()
    assert [row["number"] for row in scene.rows("purchaseInvoices")] == [str(highest + 1)]


# -- in parts


def test_a_partly_invoiced_order_stays_with_its_quantities(scene: Scene) -> None:
    part = quantities(ORDER, 3)
    posted = scene.post(quantities=part)
    assert not posted.order_gone
    for line in scene.shown(ORDER.id)["purchaseOrderLines"]:
        done = part.get(line["sequence"], Decimal(0))
        assert line["receivedQuantity"] == line["invoicedQuantity"] == done
        if done:
            assert line["receiveQuantity"] == line["invoiceQuantity"] == pytest.approx(line["quantity"] - float(done))


def test_an_order_is_gone_after_its_last_part_and_the_parts_are_worth_the_whole(scene: Scene) -> None:
    first = scene.post(quantities=quantities(ORDER, 3))
    second = scene.post(quantities=quantities(ORDER, 4))
    last = scene.post()
    assert (first.order_gone, second.order_gone, last.order_gone) == (False, False, True)
    assert len(scene.rows("purchaseInvoices")) == len(scene.rows("purchaseReceipts")) == 3
    invoices = [
        scene.simulator.document(US.id, str(posted.invoice), entity="purchaseInvoices")
        for posted in (first, second, last)
    ]
    assert sum(Decimal(str(each.header["discountAmount"])) for each in invoices) == ORDER.header["discountAmount"]
    net = sum(Decimal(str(each.header["totalAmountExcludingTax"])) for each in invoices)
    # Each partial line amount is rounded by itself.
    assert abs(net - Decimal(str(ORDER.header["totalAmountExcludingTax"]))) <= Decimal("0.01") * 3 * len(ORDER.lines)


def test_goods_can_be_received_first_and_invoiced_later(scene: Scene) -> None:
    received = scene.post(invoice=False)
    assert (received.invoice, received.order_gone) == (None, False)
    assert scene.shown(ORDER.id)["fullyReceived"] is True
    assert scene.rows("purchaseInvoices") == []
    billed = scene.post()
    assert (billed.receipt, billed.order_gone) == (None, True)


def test_nothing_can_be_invoiced_that_was_not_received(scene: Scene) -> None:
    with pytest.raises(Refusal, match="nothing to post"):
        scene.post(receive=False)


def test_a_partial_posting_does_not_move_the_headers_stamp(scene: Scene) -> None:
    before = scene.shown(ORDER.id)
    scene.watch.forward(60)
    scene.post(quantities=quantities(ORDER, 3))
    after = scene.shown(ORDER.id)
    assert after["lastModifiedDateTime"] == before["lastModifiedDateTime"]
    assert after["purchaseOrderLines"] != before["purchaseOrderLines"]
    scene.post(invoice=False)
    assert scene.shown(ORDER.id)["lastModifiedDateTime"] == "2026-01-05T09:01:00Z"


def test_the_quantities_of_the_lines_say_what_is_posted(scene: Scene) -> None:
    line = next(line for line in ORDER.lines if Decimal(str(line.values["quantity"])) > 2)
    sequence = int(str(line.values["sequence"]))
    for each in ORDER.lines:
        own = Decimal(1) if each is line else Decimal(0)
        number = int(str(each.values["sequence"]))
        scene.simulator.edit_line(US.id, ORDER.number, number, receiveQuantity=own, invoiceQuantity=own)
    posted = scene.post()
    billed = scene.shown(posted.invoice, "purchaseInvoices")["purchaseInvoiceLines"]
    assert {row["sequence"]: row["quantity"] for row in billed if row["lineType"] != "Comment"} == {sequence: 1}


# -- what stands in the way


def test_an_order_under_approval_cannot_be_posted(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, ORDER.number, status="In Review")
    with pytest.raises(Refusal, match="must be approved"):
        scene.post()


def test_posting_releases_a_draft(scene: Scene) -> None:
    scene.simulator.reopen_order(US.id, ORDER.number)
    scene.post(quantities=quantities(ORDER, 3))
    assert scene.shown(ORDER.id)["status"] == "Open"


def test_a_blocked_dimension_value_stops_the_posting(scene: Scene) -> None:
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "WORKSHOP")
    with pytest.raises(Refusal, match="Dimension Value DEPARTMENT - WORKSHOP is blocked."):
        scene.post()
    assert scene.rows("purchaseInvoices") == []


def test_a_heading_or_a_missing_value_stops_it_too(scene: Scene) -> None:
    sequence = int(str(ORDER.lines[0].values["sequence"]))
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "00", sequence=sequence)
    with pytest.raises(Refusal, match="Type for Dimension Value DEPARTMENT - 00 must not be Heading."):
        scene.post()
    scene.simulator.set_dimension(US.id, ORDER.number, "DEPARTMENT", "GONE", sequence=sequence)
    with pytest.raises(Refusal, match="Dimension Value DEPARTMENT - GONE is missing."):
        scene.post()


def test_the_vendors_own_number_can_be_mandatory(scene: Scene) -> None:
    scene.simulator.vendor_invoice_number_mandatory = True
    with pytest.raises(Refusal, match="Vendor Invoice No."):
        scene.post()
    scene.simulator.edit_header(US.id, ORDER.number, vendorInvoiceNumber="INV-9")
    scene.post()
    assert [row["vendorInvoiceNumber"] for row in scene.rows("purchaseInvoices")] == ["INV-9"]


# -- bound actions


def test_receive_and_invoice_is_answered_204_and_the_order_is_gone(scene: Scene) -> None:
    answer = scene.probe.send("POST", f"purchaseOrders({ORDER.id})/Microsoft.NAV.receiveAndInvoice")
    assert (answer.status_code, answer.content) == (204, b"")
    assert scene.probe.get(f"purchaseOrders({ORDER.id})").status_code == 404
    assert scene.probe.get(answer.headers["Location"]).json()["orderNumber"] == ORDER.number


def test_an_action_checks_the_etag_only_when_one_is_sent(scene: Scene) -> None:
    address = f"purchaseOrders({ORDER.id})/Microsoft.NAV.receiveAndInvoice"
    stale = scene.probe.send("POST", address, If_Match='W/"b2xkb2xk"')
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "Request_EntityChanged")
    assert scene.probe.send("POST", address, If_Match=scene.shown(ORDER.id)["@odata.etag"]).status_code == 204


def test_a_refused_posting_is_a_dialog_error(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, ORDER.number, status="In Review")
    answer = scene.probe.send("POST", f"purchaseOrders({ORDER.id})/Microsoft.NAV.receiveAndInvoice")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Application_DialogException")


def test_unknown_actions_and_other_verbs_are_refused(scene: Scene) -> None:
    unknown = scene.probe.send("POST", f"purchaseOrders({ORDER.id})/Microsoft.NAV.dance")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (501, "BadRequest_MethodNotImplemented")
    assert scene.probe.get(f"purchaseOrders({ORDER.id})/Microsoft.NAV.receiveAndInvoice").status_code == 405
    missing = "11111111-2222-3333-4444-555555555555"
    assert scene.probe.send("POST", f"purchaseOrders({missing})/Microsoft.NAV.receiveAndInvoice").status_code == 404


# -- draft invoices


def test_a_posted_draft_keeps_its_id_and_gets_another_number(scene: Scene) -> None:
    before = scene.shown(DRAFT_INVOICE.id, "purchaseInvoices")
    scene.watch.forward(60)
    answer = scene.probe.send("POST", f"purchaseInvoices({DRAFT_INVOICE.id})/Microsoft.NAV.post")
    assert answer.status_code == 204
    after = scene.shown(DRAFT_INVOICE.id, "purchaseInvoices")
    different = {name for name, value in after.items() if value != before[name]}
    assert different == {"number", "status", "lastModifiedDateTime", "@odata.etag"}
    assert (after["status"], after["number"][:3]) == ("Open", "108")
    assert scene.probe.rows(f"purchaseInvoices?$filter=number eq '{DRAFT_INVOICE.number}'") == []


def test_only_a_draft_can_be_posted(scene: Scene) -> None:
    answer = scene.probe.send("POST", f"purchaseInvoices({OPEN_INVOICE.id})/Microsoft.NAV.post")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The action can be applied to a draft invoice only.")


# -- paying, cancelling, releasing, reopening, deleting


@pytest.mark.parametrize(("how", "status"), [("pay_invoice", "Paid"), ("cancel_invoice", "Canceled")])
def test_paying_and_cancelling_change_status_and_stamp(scene: Scene, how: str, status: str) -> None:
    scene.watch.forward(60)
    getattr(scene.simulator, how)(US.id, OPEN_INVOICE.number)
    shown = scene.shown(OPEN_INVOICE.id, "purchaseInvoices")
    assert (shown["status"], shown["lastModifiedDateTime"]) == (status, "2026-01-05T09:01:00Z")
    with pytest.raises(Refusal):
        scene.simulator.pay_invoice(US.id, OPEN_INVOICE.number)


def test_orders_are_released_and_reopened(scene: Scene) -> None:
    scene.simulator.reopen_order(US.id, ORDER.number)
    assert scene.shown(ORDER.id)["status"] == "Draft"
    scene.simulator.release_order(US.id, ORDER.number)
    assert scene.shown(ORDER.id)["status"] == "Open"


def test_an_order_without_quantities_cannot_be_released(scene: Scene) -> None:
    header = ORDER.header | {"id": "99999999-0000-0000-0000-000000000003", "number": "106997", "status": "Draft"}
    scene.simulator.add_order(US.id, Document(header, []))
    with pytest.raises(Refusal, match="nothing to release"):
        scene.simulator.release_order(US.id, "106997")


def test_an_order_deleted_by_hand_leaves_no_invoice_and_no_receipt(scene: Scene) -> None:
    scene.simulator.delete(US.id, "purchaseOrders", ORDER.number)
    assert scene.probe.get(f"purchaseOrders({ORDER.id})").status_code == 404
    assert scene.rows("purchaseInvoices") == scene.rows("purchaseReceipts") == []


def test_a_posted_order_is_told_of_as_deleted_and_its_invoice_as_created(scene: Scene) -> None:
    receiver = Receiver()
    scene.simulator.webhooks.post.carrier = receiver
    scene.simulator.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
    subscribe(scene.probe, "purchaseOrders")
    subscribe(scene.probe, "purchaseInvoices")
    posted = scene.post()
    scene.watch.forward(30)
    scene.simulator.webhooks.deliver_due()
    told = {(entry["changeType"], entry["resource"].split("(")[-1][:-1]) for entry in receiver.entries}
    assert told == {("deleted", ORDER.id), ("created", posted.invoice)}


# -- due dates


@pytest.mark.parametrize(
    ("formula", "due"),
    [("14D", "2026-02-14"), ("0D", "2026-01-31"), ("1M", "2026-02-28"), ("CM", "2026-01-31"), ("?", "2026-05-05")],
)
def test_the_due_date_follows_the_payment_terms(scene: Scene, formula: str, due: str) -> None:
    terms = str(ORDER.header["paymentTermsId"])
    scene.simulator.edit_header(US.id, terms, entity="paymentTerms", dueDateCalculation=formula)
    scene.simulator.edit_header(US.id, ORDER.number, orderDate=date(2026, 1, 31))
    scene.post(day=date(2026, 5, 5))
    assert [row["dueDate"] for row in scene.rows("purchaseInvoices")] == [due]


def test_without_terms_an_invoice_is_due_at_once(scene: Scene) -> None:
    scene.simulator.edit_header(US.id, ORDER.number, paymentTermsId="00000000-0000-0000-0000-000000000000")
    scene.post(day=date(2026, 5, 5))
    assert [row["dueDate"] for row in scene.rows("purchaseInvoices")] == ["2026-05-05"]
