"""The histories that fault schedules go through: of five documents that are staged, edited, released, waiting or parked, and of
two orders that vanish."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache

from tests.flows.pipeline import INVOICES, ORDERS, US, part_of
from tests.sandbox.sample import CompanyData, companies
from tests.simulation.stage import Plan, Stage, undisturbed
from tests.simulation.world import World


def five_documents() -> list[CompanyData]:
    """Two released orders, a draft, an open invoice that bills it, an order whose payment term has no translation, and their
    receipts."""
    return _fresh(_five_documents())


def _fresh(data: list[CompanyData]) -> list[CompanyData]:
    # The simulator copies what it is filled with, so nobody changes the documents themselves.
    return [replace(company, documents=dict(company.documents)) for company in data]


@cache
def _five_documents() -> list[CompanyData]:
    company = companies()[0]
    orders = {order.number: order for order in company.orders}
    (invoice,) = (invoice for invoice in company.invoices if invoice.header["orderNumber"] == "106006")
    # The order that the invoice bills comes late, so that the invoice has to be staged once more.
    orders["106006"].header["status"] = "Draft"
    small = [
        order for order in company.orders if 2 <= len(order.lines) <= 4 and order.header["vendorNumber"] != "50000"
    ]
    released = [order for order in small if order.header["status"] == "Open"][:2]
    return [part_of(company, [*released, orders["106006"], orders["106035"]], [invoice])]


def go_through(plan: Plan) -> Stage:
    """The history from an empty ledger to rest, under the plan; asserts that ServiceNow then equals Business Central."""
    data = five_documents()
    world = World(data, plan)
    world.rest()
    edited, second, draft, _ = data[0].orders
    line = next(line for line in edited.lines if line.values["lineType"] == "Item")
    bc = world.landscape.business_central
    world.clock.advance(60)
    bc.edit_line(
        US, edited.number, int(str(line.values["sequence"])), quantity=Decimal(str(line.values["quantity"])) + 3
    )
    bc.edit_header(US, draft.number, status="Open")
    # BC does not stamp this one.
    bc.set_dimension(US, second.number, "DEPARTMENT", "PROD", sequence=int(str(second.lines[0].values["sequence"])))
    world.rest()
    assert world.differences() == []
    return world.stage


@cache
def _two_orders() -> list[CompanyData]:
    company = companies()[0]
    small = [
        order
        for order in company.orders
        if order.header["status"] == "Open"
        and order.header["vendorNumber"] != "50000"
        and 2 <= len(order.lines) <= 4
        and not any(line.values["receivedQuantity"] for line in order.lines)
    ]
    company.documents = {ORDERS: small[:2], INVOICES: []}
    company.history = {}
    return [company]


def let_vanish(plan: Plan) -> Stage:
    """Two orders are staged; then one is received and invoiced in full, and somebody deletes the other. The plan holds from
    there on. Asserts that the first stands as it was, its receipt and invoice beside it, and that the second is cancelled."""
    world = World(_fresh(_two_orders()), undisturbed)
    world.rest()
    posted, deleted = world.landscape.data[0].orders
    bc = world.landscape.business_central
    world.clock.advance(60)
    quantities = {
        int(str(line.values["sequence"])): Decimal(str(line.values["quantity"]))
        for line in posted.lines
        if line.values["lineType"] != "Comment"
    }
    made = bc.post_order(US, posted.number, quantities=quantities, vendor_invoice_number="V-1")
    assert made.order_gone
    bc.delete(US, ORDERS, deleted.number)
    world.begin(plan)
    world.rest()
    assert world.differences() == []
    ends = {id_: state.outcome for id_, state in world.ledger_states().items()}
    assert ends == {posted.id: "invoiced", deleted.id: "cancelled", made.invoice: "staged", made.receipt: "staged"}
    return world.stage
