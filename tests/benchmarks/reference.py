"""The reference load: purchase orders of 8 lines with 2 dimensions a line, made from one order of the sample company."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from tests.sandbox import sample
from tests.sandbox.business_central import CompanyData, Document

LINES = 8


def reference_company(orders: int, *, types: Collection[str] = ()) -> CompanyData:
    """The sample's first company with that many released reference orders and nothing else. `types`: their lines are of these
    types only (default: of any but comments)."""
    company = sample.companies()[0]
    model = _model(company, types)
    start = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    company.documents = {
        "purchaseOrders": [_order(model, number, start + timedelta(seconds=number)) for number in range(orders)],
        "purchaseInvoices": [],
    }
    company.history = {}
    return company


def _model(company: CompanyData, types: Collection[str]) -> Document:
    staged_terms = {row["id"] for row in company.tables["paymentTerms"] if row["code"] == "30 DAYS"}
    for document in company.orders:
        items = [
            line
            for line in document.lines
            if (line.values["lineType"] in types if types else line.values["lineType"] != "Comment")
            and len(line.dimensions) >= 2
        ]
        plain = document.header["status"] == "Open" and document.header["paymentTermsId"] in staged_terms
        if plain and len(items) >= LINES and document.header["vendorNumber"] != "50000":
            made = copy.deepcopy(document)
            made.lines = copy.deepcopy(items[:LINES])
            net = sum(line.values["netAmount"] for line in made.lines)  # type: ignore[misc]
            tax = sum(line.values["netTaxAmount"] for line in made.lines)  # type: ignore[misc]
            made.header |= {
                "totalAmountExcludingTax": net,
                "totalTaxAmount": tax,
                "totalAmountIncludingTax": net + tax,
            }
            return made
    raise LookupError("the sample has no order to make the reference order from")


def _order(model: Document, number: int, stamp: datetime) -> Document:
    made = copy.deepcopy(model)
    made.header |= {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"order {number}")),
        "number": f"{200000 + number}",
        "lastModifiedDateTime": stamp,
    }
    for line in made.lines:
        line.values |= {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"line {number} {line.values['sequence']}"))}
        if "documentId" in line.values:
            line.values["documentId"] = made.header["id"]
    return made
