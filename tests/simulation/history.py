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
    """Three orders (two released, one draft), an open invoice, and an order whose payment term has no translation."""
    return copy.deepcopy(_five_documents())


@cache
def _five_documents() -> list[CompanyData]:
    company = companies()[0]
    parked = next(order for order in company.orders if order.number == "106035")
    small = [
        order for order in company.orders if 2 <= len(order.lines) <= 4 and order.header["vendorNumber"] != "50000"
    ]
    released = [order for order in small if order.header["status"] == "Open" and order is not parked][:2]
    draft = next(order for order in small if order.header["status"] == "Draft")
    invoice = next(
        one
        for one in company.invoices
        if one.header["status"] == "Open" and 2 <= len(one.lines) <= 4 and one is not company.invoices[20]
    )
    company.documents = {ORDERS: [*released, draft, parked], INVOICES: [invoice]}
    return [company]


def go_through(plan: Plan) -> Stage:
    """The history from an empty ledger to rest, under the plan; asserts that ServiceNow then equals Business Central."""
    data = five_documents()
    world = World(data, plan)
    world.rest()
    edited, _, draft, _ = data[0].orders
    line = next(line for line in edited.lines if line.values["lineType"] == "Item")
    bc = world.landscape.business_central
    world.clock.advance(60)
    bc.edit_line(
        US, edited.number, int(str(line.values["sequence"])), quantity=Decimal(str(line.values["quantity"])) + 3
    )
    bc.edit_header(US, draft.number, status="Open")
    world.rest()
    assert world.differences() == []
    return world.stage
