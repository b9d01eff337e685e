"""Pipelines by write door, and what the proofs about all doors ask of them: is ServiceNow equal to Business Central, and at how
many rows?"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal

from connector.decisions.states import Status
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import Row, expectations
from tests.flows.pipeline import INVOICES, ORDERS, Pipeline
from tests.flows.procurement import procurement_differences
from tests.sandbox.clock import VirtualClock
from tests.sandbox.doors import by_door, open_doors
from tests.sandbox.landscape import Landscape
from tests.sandbox.sample import BLUEPRINTS, CompanyData, companies
from tests.sandbox.sample.documents import Maker
from tests.sandbox.servicenow.store import Store
from tests.sandbox.wire import Exchange

Carrier = Literal["batch", "insert_multiple", "ap_invoice", "table"]
CARRIERS: tuple[Carrier, ...] = ("batch", "insert_multiple", "ap_invoice", "table")
IMPORTED = (
    "sn_fcms_intg_imp_order",
    "sn_fcms_intg_imp_order_line",
    "sn_spend_intg_imp_invoice",
    "sn_spend_intg_imp_invoice_line",
)
EXECUTED: Mapping[Carrier, Sequence[str]] = {
    "batch": IMPORTED,
    "insert_multiple": IMPORTED,
    "ap_invoice": ("sn_spend_intg_imp_invoice",),
    "table": ("proc_po", "proc_po_item"),
}
"""Where the rows stand that ServiceNow executed: staged rows, invoices, records."""
WITHOUT_TERMS = frozenset({"106035", "106061"})
"""The orders whose payment terms nobody translated: only the staging tables ask for these."""
MANY_CALLS = {"request_limit": "100000"}
AP_LIMIT = "sn_spend_intg.ap.invoice.create.api.record_limit"

Surrounded = Callable[[Landscape, VirtualClock], Exchange]


def sample(orders: int, invoices: int) -> list[CompanyData]:
    """Both sample companies with so many orders and invoices each, and no other documents."""
    made = []
    for blueprint, company in zip(BLUEPRINTS, companies(), strict=True):
        wanted = replace(blueprint, orders=orders, invoices=invoices)
        maker = Maker(wanted, company.tables, random.Random(f"CRONUS {blueprint.key}"))
        documents = {ORDERS: maker.all_orders(), INVOICES: maker.all_invoices()}
        made.append(replace(company, documents=documents, history={name: [] for name in company.history}))
    return made


def carrying(
    door: Carrier,
    folder: Path,
    data: Sequence[CompanyData],
    *,
    seed: int = 1,
    row_seconds: float = 0.0,
    surrounded: Surrounded | None = None,
    invoices_a_call: int = 100,
    rows_a_batch: int = 100,
) -> Pipeline:
    """A pipeline that writes through the door; with `ap_invoice`, orders go through batches. `surrounded`: the exchange with
    ServiceNow to use in place of the landscape's."""
    if door == "table":
        for company in data:
            company.documents[ORDERS] = [each for each in company.orders if each.number not in WITHOUT_TERMS]
            company.documents[INVOICES] = []
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=data, sleep=clock.sleep, row_seconds=row_seconds)
    open_doors(landscape)
    tables = landscape.servicenow.tables
    (rule,) = tables.find("sys_rate_limit_rules", {"rest_api": "AP Invoice"})
    tables.update("sys_rate_limit_rules", rule["sys_id"], MANY_CALLS)
    landscape.servicenow.properties.set(AP_LIMIT, str(invoices_a_call))
    if surrounded is not None:
        landscape.sn_exchange = surrounded(landscape, clock)
    tables.inserts.clear()
    tables.updates.clear()
    settings = {**_settings(door, folder), "SN_BATCH_ROWS": str(rows_a_batch)}
    return Pipeline(clock=clock, landscape=landscape, seed=seed, settings=settings)


def _settings(door: Carrier, folder: Path) -> Mapping[str, str]:
    if door != "ap_invoice":
        return by_door(door, folder)
    text = resources.files("connector.profiles").joinpath("source_to_pay.toml").read_text("utf-8")
    text = re.sub(r"(?m)^.*optional = true.*\n", "", text)  # this door needs every column it is told of
    path = folder / f"{door}.toml"
    path.write_text(
        text.replace("[routes.purchaseInvoices]\n", f'[routes.purchaseInvoices]\ndoor = "{door}"\n'), "utf-8"
    )
    return {"PROFILE": str(path)}


def executed(door: Carrier, pipeline: Pipeline) -> int:
    """How many rows ServiceNow executed so far: staging rows, invoices handed in, or writes of records."""
    tables = pipeline.servicenow.tables
    counts = tables.inserts + tables.updates if door == "table" else tables.inserts
    return sum(counts[name] for name in EXECUTED[door])


# -- at the end


def differences(door: Carrier, pipeline: Pipeline) -> list[str]:
    """Where the records differ from Business Central as it is now."""
    expected = list(expectations(pipeline.landscape).values())
    store = pipeline.servicenow.tables
    if door == "table":
        return procurement_differences(expected, store)
    if door == "ap_invoice":
        for invoice in expected:
            if invoice.kind == "invoice":
                _number_like_bc(store, invoice.id, invoice.rows[1:])
    return [
        *target_differences(expected, store),
        *supplier_differences(expected, store),
        *order_differences(expected, store),
    ]


def kinds(found: Sequence[str]) -> Counter[str]:
    """Differences by what they are: the faults no door may have."""
    signs = {"twice": "duplicate", "is missing": "half", "should not be there": "ghost", "belongs to": "ghost"}
    return Counter(next((kind for sign, kind in signs.items() if sign in text), "stale") for text in found)


def not_at_rest(pipeline: Pipeline) -> list[str]:
    """What is still under way, set aside though nothing is wrong with it, or has a broken trail."""
    states, expected, parked = pipeline.states(), expectations(pipeline.landscape), pipeline.parked()
    fates = {"staged": Status.DONE, "waiting": Status.WAITING, "parked": Status.PARKED}
    report = [
        f"{each.number} is {states[id_].status if id_ in states else 'unknown'}: {parked.get(id_, '')}"
        for id_, each in expected.items()
        if id_ not in states or states[id_].status is not fates[each.fate]
    ]
    for company in pipeline.landscape.data:
        for entity, document in company.all_documents():
            if document.id in states and not pipeline.intact(company.name, document.id, entity=entity):
                report.append(f"the trail of {document.number} is not whole")
    return [*report, *map(repr, pipeline.faults)]


def _number_like_bc(store: Store, invoice: str, rows: Sequence[Row]) -> None:
    """Lines that the AP Invoice API numbered by their place get the number of the line they hold."""
    for record in store.find("sn_shop_invoice", {"external_invoice_number": invoice}):
        left = list(store.find("sn_shop_invoice_line", {"invoice": record["sys_id"]}))
        numbers: dict[str, str] = {}
        for row in rows:
            line = next((one for one in left if _holds(one, row)), None)
            if line is not None:
                left.remove(line)
                numbers[line["sys_id"]] = row.columns["u_erp_line_number"]
        # What holds no line of Business Central keeps a number of its own, to be seen.
        numbers |= {line["sys_id"]: str(900_000 + place) for place, line in enumerate(left)}
        for sys_id, number in numbers.items():
            store.update("sn_shop_invoice_line", sys_id, {"erp_line_number": number})


def _holds(line: Mapping[str, str], row: Row) -> bool:
    columns = {
        "invoiced_quantity": "u_line_quantity",
        "line_unit_price": "u_line_unit_price",
        "line_amount": "u_line_amount_invoiced",
    }
    same = all(Decimal(line[name] or 0) == Decimal(row.columns[source]) for name, source in columns.items())
    return same and line["line_description"] == row.columns["u_line_description"]
