"""The table of all faults that pure rules find: code, what is wrong, and how little is needed to make it right."""

from __future__ import annotations

from decimal import Decimal

from connector.decisions.states import Status
from connector.decisions.validation import MAX_LINES
from tests.unit.builders import comment, invoice, line, order
from tests.unit.fault_samples import (
    ALLOCATING,
    ONE_TYPE,
    OTHER_TAX,
    SALES,
    TAXED,
    TWO_TAXES,
    TWO_TYPES,
    Sample,
    answered,
    at,
    cancelling,
    found,
    freight,
    frozen,
    on_the_wire,
    receipt,
    removing,
    ruled,
    totals,
    twins,
    with_status,
)
from tests.unit.reference_fault_table import REFERENCES

DOCUMENT = [
    Sample(
        "CURRENCY_UNKNOWN",
        "no ISO code",
        lambda: found(order(currency="EURO")),
        lambda: found(order(currency="EUR")),
    ),
    Sample(
        "NET_DOES_NOT_ADD_UP",
        "a cent",
        lambda: totals("99.99", "6.00", "105.99"),
        lambda: totals("100.00", "6.00", "106.00"),
    ),
    Sample(
        "TAX_DOES_NOT_ADD_UP",
        "more than the tolerance",
        lambda: totals("100", "6.011", "106.011"),
        lambda: totals("100", "6.01", "106.01"),
    ),
    Sample(
        "GROSS_DOES_NOT_ADD_UP",
        "a cent",
        lambda: totals("100", "6", "106.01"),
        lambda: totals("100", "6", "106.00"),
    ),
    Sample(
        "TOO_MANY_LINES",
        "one more than fit",
        lambda: found(order(*(comment(number) for number in range(MAX_LINES + 1)))),
        lambda: found(order(*(comment(number) for number in range(MAX_LINES)))),
    ),
    Sample(
        "TAX_PERCENT_IMPOSSIBLE",
        "all of the price",
        lambda: found(order(line(tax_percent=Decimal(-100)))),
        lambda: found(order(line(tax_percent=Decimal("-99.99")))),
    ),
    Sample(
        "LINE_NUMBER_TWICE",
        "two lines",
        lambda: found(order(line(10000), line(10000))),
        lambda: found(order(line(10000), line(10001))),
    ),
    Sample(
        "STATUS_UNKNOWN",
        "a status of an extension",
        lambda: with_status(order(status="Pending Prepayment")),
        lambda: with_status(order(status="In Review")),
    ),
    Sample(
        "DOCUMENT_UNREADABLE",
        "an amount that is none",
        lambda: on_the_wire(totalTaxAmount="much"),
        lambda: on_the_wire(totalTaxAmount=Decimal("187.38")),
    ),
    Sample(
        "DOCUMENT_UNREADABLE",
        "payment terms that are gone",
        lambda: on_the_wire(paymentTermsId="0a4a41a0-7b01-f111-a1fd-7ced8d2674f9"),
        lambda: on_the_wire(paymentTermsId="00000000-0000-0000-0000-000000000000"),
    ),
    Sample("RECEIPT_LINE_UNKNOWN", "no such order line", lambda: receipt(20000), lambda: receipt(10000)),
    Sample("VENDOR_INVOICE_TWICE", "done", lambda: twins(Status.DONE), lambda: twins(Status.CLOSED)),
    Sample(
        "VENDOR_INVOICE_TWICE",
        "paid",
        lambda: twins(Status.WAITING, bc_status="Paid"),
        lambda: twins(Status.WAITING, bc_status="Canceled"),
    ),
    Sample("VENDOR_INVOICE_TWICE", "parked", lambda: twins(Status.PARKED), lambda: twins(Status.DISCARDED)),
    Sample("VENDOR_INVOICE_TWICE", "staged", lambda: twins(Status.DONE), lambda: twins(Status.DONE, staged=False)),
    Sample(
        "VENDOR_INVOICE_TWICE",
        "of one vendor",
        lambda: twins(Status.DONE),
        lambda: twins(Status.DONE, vendor="10000"),
    ),
]

COLUMNS = [
    Sample(
        "TEXT_TOO_LONG",
        "a character",
        lambda: found(invoice(line(description="x" * 41))),
        lambda: found(invoice(line(description="x" * 40))),
    ),
    Sample(
        "WORD_RESERVED",
        "the word that empties",
        lambda: found(order(line(description="NULL"))),
        lambda: found(order(line(description="Null"))),
    ),
    Sample(
        "VALUE_MISSING",
        "nothing but blanks",
        lambda: found(invoice(line(description=" "))),
        lambda: found(invoice(line(description="."))),
    ),
    Sample(
        "PAYMENT_TERM_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(payment_terms="COD")),
        lambda: found(order(payment_terms="")),
    ),
    Sample(
        "UNIT_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(line(unit="BOX"))),
        lambda: found(order(line(unit=""))),
    ),
    Sample(
        "TAX_CODE_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(line(tax_code="NONTAXABLE"))),
        lambda: found(order(line(tax_code="LABOR"))),
    ),
    Sample(
        "TAX_TYPE_NOT_TRANSLATED",
        "no entry",
        lambda: found(invoice(line(tax_code="LABOR")), ruled(TAXED)),
        lambda: found(invoice(line(tax_code="FURNITURE")), ruled(TAXED)),
    ),
    Sample(
        "ACCOUNT_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(freight("61300"))),
        lambda: found(order(freight("8240"))),
    ),
    Sample(
        "COST_CENTRE_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(line(dimensions=at(("DEPARTMENT", "PROD"))))),
        lambda: found(order(line(dimensions=at(SALES)))),
    ),
    Sample(
        "LOCATION_NOT_TRANSLATED",
        "no entry",
        lambda: found(order(line(location="EAST"))),
        lambda: found(order(line(location="WEST"))),
    ),
    Sample(
        "TAX_NOT_TOLD_APART",
        "one type for two taxes",
        lambda: found(TWO_TAXES, ruled(TAXED, ONE_TYPE)),
        lambda: found(TWO_TAXES, ruled(TAXED, TWO_TYPES)),
    ),
    Sample(
        "AMOUNT_CANNOT_BE_SPLIT",
        "half a cent",
        lambda: found(order(line(amount=Decimal("100.005"))), ruled(ALLOCATING)),
        lambda: found(order(line(amount=Decimal("100.01"))), ruled(ALLOCATING)),
    ),
]

SERVICENOW = [
    Sample(
        "REJECTED_BY_SERVICENOW",
        "a row with an error",
        lambda: answered("park", "error", "No supplier with the name First Up Consultants"),
        lambda: answered("accept", "ignored"),
    ),
    Sample("REMOVAL_NOT_POSSIBLE", "a line", lambda: removing(20000), lambda: removing(10000)),
    Sample(
        "REMOVAL_NOT_POSSIBLE",
        "a tax",
        lambda: removing(taxes=[OTHER_TAX]),
        lambda: removing(taxes=[OTHER_TAX], ways=["removed_tax"]),
    ),
    Sample("REMOVAL_NOT_POSSIBLE", "an order", lambda: cancelling(able=False), lambda: cancelling(able=True)),
    Sample("FROZEN_IN_SERVICENOW", "approved", lambda: frozen("approved"), lambda: frozen("draft")),
]

SAMPLES = [*DOCUMENT, *COLUMNS, *SERVICENOW, *REFERENCES]
