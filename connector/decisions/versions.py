"""Later versions: what must be sent besides a document's own rows when an earlier version may stand in ServiceNow.

A transform map adds and changes; it never takes away. So what is empty now has to be emptied, and a line that is gone has to be
staged once more with nothing left of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from connector.decisions.mapping import MappedDocument, Rules, Writer, header_facts
from connector.errors import DocumentFault, Reason
from connector.model.documents import Document


def with_removals(mapped: MappedDocument, document: Document, rules: Rules, sent: Collection[int]) -> MappedDocument:
    """The document with a row for each line that was sent earlier (by sequence number) and is not in it any more.

    Raises `DocumentFault` when the profile knows no way to take a line back.
    """
    route = rules.route(document)
    present = {int(row.where) for row in mapped.rows if row.where}
    gone = sorted(set(sent) - present)
    if not gone:
        return mapped
    if not route.removed_line:
        raise DocumentFault([_removal_fault(sequence) for sequence in gone])
    header = header_facts(document, rules.company, "", len(present))
    writer = Writer(document.currency, rules)
    keys = {name: column for name, column in route.line.columns.items() if name in route.line.key}
    table = route.line.model_copy(update={"columns": keys})
    rows = []
    for sequence in gone:
        row = writer.row(table, header | {"line.sequence": sequence}, str(sequence))
        rows.append(replace(row, columns=dict(row.columns) | route.removed_line, removed=True))
    return replace(mapped, rows=(*mapped.rows, *rows))


def _removal_fault(sequence: int) -> Reason:
    return Reason(
        "REMOVAL_NOT_POSSIBLE",
        f"The line {sequence} was removed in BC, and the profile names no way to take it back in ServiceNow.",
        "Remove the line in ServiceNow by hand, or name removed_line in the profile, then replay.",
        str(sequence),
    )


def line_numbers(mapped: MappedDocument) -> list[int]:
    """The sequence numbers of the document's lines."""
    return sorted({int(row.where) for row in mapped.rows if row.where and not row.removed})


def emptying(mapped: MappedDocument, word: str) -> MappedDocument:
    """The document as it must be sent when an earlier version may stand in ServiceNow: what is empty now is emptied there."""
    if not word:
        return mapped
    rows = tuple(replace(row, columns=dict(row.columns) | dict.fromkeys(row.empty, word)) for row in mapped.rows)
    return replace(mapped, rows=rows)
