"""Cost allocation: splitting an amount so that the parts are exact to the last cent.

A line has one value per dimension, so its cost centre carries all of the line. What is split is a header discount or charge
over the lines, by amount, or a line over an allocation key's percentages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from connector.model.documents import Document
from connector.model.money import MINOR_UNITS, decimals, exact_arithmetic


def spread(amount: Decimal, weights: Sequence[Decimal], places: int) -> list[Decimal]:
    """The amount in parts proportional to the weights, each with `places` decimals, summing exactly to the amount.

    Largest remainder: each part is cut towards zero, and what is left goes, unit by unit, to the largest remainders (the
    first one wins a tie). Weights may be negative (credit lines) but must not sum to zero unless all are zero; then the
    parts are equal. Raises ValueError when there are no weights, or the amount itself has more decimals than `places`.
    """
    with exact_arithmetic():
        return _spread(amount, weights, places)


def _spread(amount: Decimal, weights: Sequence[Decimal], places: int) -> list[Decimal]:
    if not weights:
        raise ValueError("nothing to spread over")
    unit = Decimal(1).scaleb(-places)
    if amount != amount.quantize(unit):
        raise ValueError(f"{amount} has more than {places} decimals")
    if not any(weights):
        weights = [Decimal(1)] * len(weights)
    total = sum(weights, Decimal(0))
    if not total:
        raise ValueError("the weights cancel each other")
    ideal = [amount * weight / total for weight in weights]
    parts = [part.quantize(unit, rounding=ROUND_DOWN) for part in ideal]
    left = amount - sum(parts, Decimal(0))
    step = unit.copy_sign(left)
    order = sorted(range(len(parts)), key=lambda index: (ideal[index] - parts[index]) * step, reverse=True)
    for turn in range(int(abs(left) / unit)):
        parts[order[turn % len(order)]] += step
    return parts


def with_discount_shares(document: Document) -> Document:
    """The document with its header discount on its lines.

    BC usually has spread the discount already; then nothing changes. Where it has not (no line carries a share, and the
    lines' amounts less the discount give the document's total), it is spread by amount.
    """
    if not document.discount_amount or any(line.header_discount_share for line in document.lines):
        return document
    with exact_arithmetic():
        gross = sum((line.amount for line in document.lines), Decimal(0))
        if gross - document.discount_amount != document.net_total or document.currency not in MINOR_UNITS:
            return document
    try:
        shares = spread(document.discount_amount, [line.amount for line in document.lines], decimals(document.currency))
    except ValueError:
        return document  # its lines cannot carry it; validation then says that they do not add up
    lines = tuple(
        replace(line, header_discount_share=share, net_amount=line.amount - share)
        for line, share in zip(document.lines, shares, strict=True)
    )
    return replace(document, lines=lines)
