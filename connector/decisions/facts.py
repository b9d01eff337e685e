"""Facts: what a profile may name of a company, document, line, tax or share, by the names in `model.staging`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from urllib.parse import quote, urlencode

from connector.model.documents import COMMENT, Document, Entity, Line
from connector.model.money import exact_arithmetic, plain_text, rounded
from connector.setting_words import Company

UNIT_PRICE_PLACES = 5
"""BC's default precision of unit amounts."""
PAGES = {
    Entity.PURCHASE_ORDER: (50, 50),
    Entity.PURCHASE_INVOICE: (51, 138),
    Entity.CREDIT_MEMO: (52, 140),
    Entity.RECEIPT: (136, 136),
}
"""The base application's pages that show a document before and after posting."""
UNPOSTED = ("Draft", "In Review")


class Faulty(Enum):
    """A fact that is already reported as a fault: its columns say nothing more about it."""

    FAULTY = "faulty"


FAULTY = Faulty.FAULTY
Fact = str | Decimal | int | date | Faulty | None
Facts = dict[str, Fact]


def header_facts(document: Document, company: Company, web_client: str, supplier: Fact, line_count: int) -> Facts:
    """What is known of company, document, vendor and supplier. `web_client`: the address of BC's web client, or ""."""
    return {
        "company.erp_source": company.erp_source,
        "company.legal_entity": company.legal_entity,
        "company.invoice_source": company.invoice_source,
        "document.id": document.id,
        "document.number": document.number,
        "document.status": document.status,
        "document.kind": _kind(document),
        "document.document_date": document.document_date,
        "document.posting_date": document.posting_date,
        "document.due_date": document.due_date,
        "document.vendor_invoice_number": document.vendor_invoice_number,
        "document.currency": document.currency or FAULTY,
        "document.payment_terms": document.payment_terms,
        "document.order_number": document.order_number,
        "document.applies_to_id": document.applies_to_id,
        "document.applies_to_number": document.applies_to_number,
        "document.net_total": document.net_total,
        "document.tax_total": document.tax_total,
        "document.gross_total": document.gross_total,
        "document.cost_centre": document.dimension(company.cost_centre_dimension),
        "document.line_count": line_count,
        "document.link": _link(document, company, web_client),
        "vendor.number": document.vendor_number or FAULTY,
        "vendor.name": document.vendor_name,
        "supplier.name": supplier,
    }


def _kind(document: Document) -> str:
    """The words of ServiceNow's invoice types ("Inbound invoice fields")."""
    if document.entity is Entity.CREDIT_MEMO:
        return "credit_memo"
    return "po_invoice" if document.order_number else "non_po_invoice"


def _link(document: Document, company: Company, web_client: str) -> str:
    """Where BC's web client shows the document ("Web client URL"). Nothing while its address or the company's name are not in
    the settings: the client takes companies by name."""
    if not web_client or not company.name:
        return ""
    before, after = PAGES[document.entity]
    number = document.number.replace("'", "''")
    asked = {
        "company": company.name,
        "page": str(before if document.status in UNPOSTED else after),
        "filter": f"'No.' IS '{number}'",
    }
    return f"{web_client}/?{urlencode(asked, quote_via=quote, safe='')}"


def line_facts(document: Document, line: Line, company: Company) -> Facts:
    """What is known of a line."""
    unit_price: Fact = line.unit_cost
    if document.prices_include_tax:
        unit_price = _without_tax(line.unit_cost, line.tax_percent)
    with exact_arithmetic():
        gross_amount = line.net_amount + line.tax_amount
    return {
        "line.id": line.id,
        "line.sequence": line.sequence,
        "line.type": line.type,
        "line.object_number": line.object_number,
        "line.account": line.object_number if line.type == "Account" else "",
        "line.item": line.object_number if line.type == "Item" else "",
        "line.description": line.description,
        "line.unit": line.unit,
        "line.quantity": line.quantity,
        "line.unit_price": unit_price,
        "line.net_amount": line.net_amount,
        "line.gross_amount": gross_amount,
        "line.tax_code": line.tax_code,
        "line.tax_amount": line.tax_amount,
        "line.expected_receipt": line.expected_receipt,
        "line.location": line.location,
        "line.cost_centre": line.dimension(company.cost_centre_dimension),
    }


def _without_tax(price: Decimal, percent: Decimal) -> Fact:
    if percent <= -100:
        return FAULTY
    with exact_arithmetic():
        return rounded(price / (1 + percent / 100), UNIT_PRICE_PLACES)


def taxes(lines: Sequence[Line]) -> list[Facts]:
    """What is known of each tax of a document: lines of one tax code and percentage belong together."""
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.type != COMMENT and line.tax_code:
            groups[line.tax_code, plain_text(line.tax_percent)].append(line)
    with exact_arithmetic():
        return [
            {
                "tax.code": code,
                "tax.percent": members[0].tax_percent,
                "tax.base": sum((line.net_amount for line in members), Decimal(0)),
                "tax.amount": sum((line.tax_amount for line in members), Decimal(0)),
            }
            for (code, _), members in sorted(groups.items())
        ]
