"""How Business Central computes the amounts of a purchase document, rounding half away from zero at each step.

Line amount = rounded quantity x unit cost, less the line discount. The invoice discount is spread over the lines by amount,
tax is taken on what remains, and the header holds the sums of its lines. Where prices include tax, the line amount is the
amount including tax and the amount without it is derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from tests.sandbox.business_central.records import Document, Row

ZERO = Decimal(0)
HUNDRED = Decimal(100)
PERCENT_PRECISION = Decimal("0.00001")
LOCAL_PRECISION = Decimal("0.01")


def rounded(amount: Decimal, precision: Decimal) -> Decimal:
    """The amount at the precision (0.01, 1, 0.001), half away from zero."""
    return (amount / precision).quantize(Decimal(1), rounding=ROUND_HALF_UP) * precision


def currency_precision(currencies: Iterable[Row], code: str) -> Decimal:
    """The amount rounding precision of a currency; the local currency, which has no row of its own, has cents."""
    for row in currencies:
        if row["code"] == code:
            return decimal_of(row, "amountRoundingPrecision")
    return LOCAL_PRECISION


def decimal_of(row: Row, prop: str) -> Decimal:
    """The property as a decimal."""
    value = row.get(prop, ZERO)
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    raise TypeError(f"{prop} is not a decimal: {value!r}")


def unit_cost(line: Row) -> Decimal:
    """What a unit costs: orders and invoices name the property differently."""
    return decimal_of(line, "directUnitCost" if "directUnitCost" in line else "unitCost")


def gross(line: Row, precision: Decimal) -> Decimal:
    """Quantity x unit cost before any discount."""
    return rounded(decimal_of(line, "quantity") * unit_cost(line), precision)


def discount_from_percent(line: Row, precision: Decimal) -> None:
    """Sets the line discount amount from the percentage."""
    percent = decimal_of(line, "discountPercent")
    line["discountAmount"] = rounded(gross(line, precision) * percent / HUNDRED, precision)


def percent_from_discount(line: Row, precision: Decimal) -> None:
    """Sets the line discount percentage from the amount."""
    before = gross(line, precision)
    percent = decimal_of(line, "discountAmount") * HUNDRED / before if before else ZERO
    line["discountPercent"] = rounded(percent, PERCENT_PRECISION)


def shares(total: Decimal, weights: Sequence[Decimal], precision: Decimal) -> list[Decimal]:
    """The total split by the weights at the precision, so that the parts sum exactly; a weight below zero gets nothing."""
    left_weight = sum((weight for weight in weights if weight > 0), ZERO)
    left = total
    parts = []
    for weight in weights:
        if weight <= 0 or not left_weight:
            parts.append(ZERO)
            continue
        part = rounded(left * weight / left_weight, precision)
        parts.append(part)
        left -= part
        left_weight -= weight
    return parts


def compute(document: Document, precision: Decimal) -> None:
    """Sets every computed amount of the document from quantities, costs, discounts and tax percentages."""
    header = document.header
    includes_tax = bool(header["pricesIncludeTax"])
    for line in document.lines:
        _line_amounts(line.values, precision, includes_tax=includes_tax)
    weights = [decimal_of(line.values, "amountExcludingTax") for line in document.lines]
    parts = shares(decimal_of(header, "discountAmount"), weights, precision)
    for line, part in zip(document.lines, parts, strict=True):
        _net_amounts(line.values, part, precision, includes_tax=includes_tax)
    for total, of_line in (
        ("totalAmountExcludingTax", "netAmount"),
        ("totalTaxAmount", "netTaxAmount"),
        ("totalAmountIncludingTax", "netAmountIncludingTax"),
    ):
        header[total] = sum((decimal_of(line.values, of_line) for line in document.lines), ZERO)


def _line_amounts(line: Row, precision: Decimal, *, includes_tax: bool) -> None:
    amount = gross(line, precision) - decimal_of(line, "discountAmount")
    factor = 1 + decimal_of(line, "taxPercent") / HUNDRED
    excluding = rounded(amount / factor, precision) if includes_tax else amount
    including = amount if includes_tax else rounded(amount * factor, precision)
    line["amountExcludingTax"] = excluding
    line["amountIncludingTax"] = including
    line["totalTaxAmount"] = including - excluding


def _net_amounts(line: Row, allocation: Decimal, precision: Decimal, *, includes_tax: bool) -> None:
    factor = 1 + decimal_of(line, "taxPercent") / HUNDRED
    net = decimal_of(line, "amountExcludingTax") - allocation
    if includes_tax:
        including = decimal_of(line, "amountIncludingTax") - rounded(allocation * factor, precision)
    else:
        including = rounded(net * factor, precision)
    line["invoiceDiscountAllocation"] = allocation
    line["netAmount"] = net
    line["netAmountIncludingTax"] = including
    line["netTaxAmount"] = including - net
