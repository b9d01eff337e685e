"""Validation: whether a document is sound in itself, before anything is written. All faults at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from connector.decisions.found import SHARED, facts_text
from connector.errors import Reason
from connector.model.documents import COMMENT, Document, Entity, Line
from connector.model.money import MINOR_UNITS, exact_arithmetic, plain_text

MAX_LINES = 10_000

TAX_TOLERANCE = Decimal("0.01")
"""Per group of lines with the same tax: BC rounds tax by group, lines carry their own rounding."""


def document_faults(document: Document, suppliers: Mapping[str, Sequence[str]]) -> list[Reason]:
    """Every reason why the document cannot be staged. `suppliers`: per vendor number, the names ServiceNow knows.

    A receipt has no amounts, and its order says from whom the goods come.
    """
    if document.entity is Entity.RECEIPT:
        return _line_faults(document.lines)
    with exact_arithmetic():
        faults = [*_currency_faults(document), *_amount_faults(document), *_line_faults(document.lines)]
    if not document.vendor_number:
        faults.append(
            Reason("VENDOR_MISSING", f"{document.number} has no vendor.", "Enter the vendor in BC, then replay.")
        )
    else:
        faults += _supplier_faults(document, suppliers.get(document.vendor_number, ()))
    return faults


def _supplier_faults(document: Document, names: Sequence[str]) -> list[Reason]:
    if len(names) == 1:
        return []
    if not names:
        return [
            Reason(
                "SUPPLIER_MISSING",
                f"Vendor {document.vendor_number} of {document.number} has no supplier in ServiceNow.",
                "Create the supplier with this ERP supplier code and ERP source in ServiceNow.",
                "",
                ("supplier", document.vendor_number),
                facts_text(()),
            )
        ]
    return [
        Reason(
            "SUPPLIER_AMBIGUOUS",
            f"Vendor {document.vendor_number} of {document.number} has {len(names)} suppliers in ServiceNow.",
            "Leave the ERP supplier code on one of them in ServiceNow, and take it off the others.",
            "",
            ("supplier", document.vendor_number),
            facts_text(tuple(names)),
        )
    ]


def shared_name_faults(
    document: Document, suppliers: Mapping[str, Sequence[str]], shared_names: Collection[str]
) -> list[Reason]:
    """For staging tables that find a supplier by its name only: a name that is not unique would hit any of them."""
    names = suppliers.get(document.vendor_number, ())
    if len(names) != 1 or names[0] not in shared_names:
        return []
    return [
        Reason(
            "SUPPLIER_NAME_NOT_UNIQUE",
            f"Several suppliers in ServiceNow are called {names[0]!r}, and this staging table finds suppliers by name.",
            "Give each supplier a name of its own in ServiceNow, or merge them.",
            "",
            ("supplier name", names[0]),
            SHARED,
        )
    ]


def _currency_faults(document: Document) -> list[Reason]:
    if document.currency in MINOR_UNITS:
        return []
    return [
        Reason(
            "CURRENCY_UNKNOWN",
            f"{document.number} is in the currency {document.currency!r}, which is no ISO 4217 code.",
            "Correct the currency code in BC, then replay.",
        )
    ]


def _amount_faults(document: Document) -> list[Reason]:
    faults = []
    net = sum((line.net_amount for line in document.lines), Decimal(0))
    if net != document.net_total:
        faults.append(
            _amount_fault(
                "NET_DOES_NOT_ADD_UP", f"The lines of {document.number} add up to", net, "its total", document.net_total
            )
        )
    groups = {(line.tax_code, line.tax_percent) for line in document.lines if line.type != COMMENT}
    tax = sum((line.tax_amount for line in document.lines), Decimal(0))
    if abs(tax - document.tax_total) > TAX_TOLERANCE * len(groups):
        faults.append(
            _amount_fault(
                "TAX_DOES_NOT_ADD_UP",
                f"The tax of the lines of {document.number} adds up to",
                tax,
                "its tax",
                document.tax_total,
            )
        )
    if document.net_total + document.tax_total != document.gross_total:
        faults.append(
            _amount_fault(
                "GROSS_DOES_NOT_ADD_UP",
                f"Net and tax of {document.number} add up to",
                document.net_total + document.tax_total,
                "its total with tax",
                document.gross_total,
            )
        )
    return faults


def _amount_fault(code: str, what: str, found: Decimal, other: str, expected: Decimal) -> Reason:
    return Reason(
        code,
        f"{what} {plain_text(found)}, {other} is {plain_text(expected)}.",
        "Recalculate the document in BC (reopen and release it), then replay.",
    )


def _line_faults(lines: Sequence[Line]) -> list[Reason]:
    counts = Counter(line.sequence for line in lines)
    too_many = [
        Reason(
            "TOO_MANY_LINES",
            f"The document has {len(lines)} lines; {MAX_LINES} are the most that are carried.",
            "Split the document in BC, then replay.",
        )
    ]
    no_tax = [
        Reason(
            "TAX_PERCENT_IMPOSSIBLE",
            f"The tax of the line is {plain_text(line.tax_percent)} %, which leaves no price before tax.",
            "Correct the line's tax in BC, then replay.",
            str(line.sequence),
        )
        for line in lines
        if line.tax_percent <= -100
    ]
    return (
        (too_many if len(lines) > MAX_LINES else [])
        + no_tax
        + [
            Reason(
                "LINE_NUMBER_TWICE",
                f"The line number {sequence} occurs {count} times.",
                "Correct the document's lines in BC, then replay.",
                str(sequence),
            )
            for sequence, count in counts.items()
            if count > 1
        ]
    )
