"""The history of five documents that every fault schedule goes through: staged, edited, released, waiting, parked."""

from __future__ import annotations

import copy
from decimal import Decimal
from functools import cache

from tests.flows.pipeline import INVOICES, ORDERS, US
from tests.sandbox.sample import CompanyData, companies
from tests.simulation.stage import Plan, Stage
from tests.simulation.world import World


def five_documents() -> list[CompanyData]:
    """Two released orders, a draft, an open invoice that bills it, and an order whose payment term has no translation."""
    return copy.deepcopy(_five_documents())


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
    company.documents = {ORDERS: [*released, orders["106006"], orders["106035"]], INVOICES: [invoice]}
    return [company]


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
