"""Receipts: which line of its order each line of a receipt belongs to, and how much of it was received.

Posting gives a receipt's line the number of its order's line (base application, table Purch. Rcpt. Line). Undoing a receipt
adds a line with the opposite quantity behind the line it undoes, under a number of its own; the two are one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from connector.errors import DocumentFault, Reason
from connector.model.documents import Document, Line


def by_order_lines(receipt: Document, ordered: Collection[int]) -> Document:
    """The receipt with one line for each order line it is about. `ordered`: the numbers of the order's lines in ServiceNow.

    Lines without a quantity (texts) are left out. Raises `DocumentFault` for lines that belong to none.
    """
    received: dict[int, Line] = {}
    undone: set[int] = set()
    unknown = []
    for line in sorted(receipt.lines, key=lambda line: line.sequence):
        if not line.quantity:
            continue
        if line.sequence in ordered:
            received[line.sequence] = line
            continue
        origin = _undone_by(line, [each for each in received.values() if each.sequence not in undone])
        if origin is None:
            unknown.append(line)
        else:
            undone.add(origin.sequence)
            received[origin.sequence] = replace(origin, quantity=origin.quantity + line.quantity)
    if unknown:
        raise DocumentFault([_unknown(receipt, line) for line in unknown])
    return replace(receipt, lines=tuple(received.values()))


def _undone_by(correction: Line, lines: Sequence[Line]) -> Line | None:
    """The nearest line before the correction that it takes back whole."""
    same = [
        line
        for line in lines
        if (line.type, line.object_number, line.quantity)
        == (correction.type, correction.object_number, -correction.quantity)
    ]
    return same[-1] if same else None


def _unknown(receipt: Document, line: Line) -> Reason:
    return Reason(
        "RECEIPT_LINE_UNKNOWN",
        f"The order {receipt.order_number} has no line {line.sequence} in ServiceNow that {receipt.number} could be about.",
        "Look at the order in ServiceNow; when the line is there again, replay.",
        str(line.sequence),
    )
