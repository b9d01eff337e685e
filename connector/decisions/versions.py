"""Later versions: what must be sent besides a document's own rows when an earlier version may stand in ServiceNow.

A transform map adds and changes; it never takes away. So what is empty now has to be emptied, a line that is gone has to be
staged once more with nothing left of it, and so has a whole document that was deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from connector.decisions.facts import Fact, header_facts
from connector.decisions.mapping import MappedDocument, Rules, StagingRow, Writer, named_tax
from connector.errors import DocumentFault, Reason
from connector.model.documents import Document, Entity
from connector.model.profile import Route
from connector.model.staging import StagingTable


def with_removals(
    mapped: MappedDocument, document: Document, rules: Rules, sent: Collection[int], sent_taxes: Collection[str] = ()
) -> MappedDocument:
    """The document with a row for each line (by sequence number) and tax (by name) that was sent earlier and is not in it any
    more.

    Raises `DocumentFault` when the profile knows no way to take one back.
    """
    route = rules.route(document)
    present = {int(row.where) for row in mapped.rows if row.where}
    gone = sorted(set(sent) - present)
    gone_taxes = sorted(set(sent_taxes) - set(mapped.taxes)) if route.tax else []
    if not gone and not gone_taxes:
        return mapped
    faults = [_removal_fault(sequence) for sequence in gone if not route.removed_line]
    faults += [_tax_removal_fault(name) for name in gone_taxes if not route.removed_tax]
    if faults:
        raise DocumentFault(faults)
    header = header_facts(document, rules.company, rules.web_client, "", len(present))
    writer = Writer(document.currency, rules, optional=False)
    rows = _taken_back(gone, route, writer, header)
    if route.tax:
        keys = {row.key for row in mapped.rows if row.table == route.tax.table}
        taxes = [writer.row(_key_only(route.tax), header | named_tax(name), "") for name in gone_taxes]
        rows += [_emptied(row, route.removed_tax) for row in taxes if row.key not in keys]
    if writer.faults:
        raise DocumentFault(writer.faults)
    return replace(mapped, rows=(*mapped.rows, *rows))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is left of a document that BC does not have any more. `sent`: the lines that may be in ServiceNow, by sequence
    number."""

    entity: Entity
    id: str
    number: str
    currency: str
    sent: Collection[int]


def cancellation(gone: Remembered, rules: Rules) -> MappedDocument:
    """The rows that cancel the document in ServiceNow: its key with the profile's constants, its lines taken back.

    Its hash is never that of a document that is there, and it is the same whichever lines are still to be taken back. Raises
    `DocumentFault` when the profile knows no way.
    """
    route = rules.profile.routes[gone.entity.value]
    if not route.cancelled or (gone.sent and not route.removed_line):
        raise DocumentFault([_cancellation_fault(gone, "removed_line" if route.cancelled else "cancelled")])
    company = rules.company
    facts: dict[str, Fact] = {
        "company.erp_source": company.erp_source,
        "company.legal_entity": company.legal_entity,
        "company.invoice_source": company.invoice_source,
        "document.id": gone.id,
        "document.number": gone.number,
    }
    writer = Writer(gone.currency, rules, optional=False)
    header = writer.row(_key_only(route.head), facts, "")
    header = replace(header, columns=dict(header.columns) | route.cancelled)
    rows = (header, *_taken_back(gone.sent, route, writer, facts))
    if writer.faults:
        raise DocumentFault(writer.faults)
    content = json.dumps(["cancelled", header.table, sorted(header.columns.items())], separators=(",", ":"))
    return MappedDocument(gone.id, rows, hashlib.sha256(content.encode()).hexdigest(), earlier=tuple(sorted(gone.sent)))


def _taken_back(
    sequences: Collection[int], route: Route, writer: Writer, header: Mapping[str, Fact]
) -> list[StagingRow]:
    """A row for each of the lines, with nothing left of it."""
    table = _key_only(route.line)
    rows = [writer.row(table, dict(header) | {"line.sequence": each}, str(each)) for each in sorted(sequences)]
    return [_emptied(row, route.removed_line) for row in rows]


def _emptied(row: StagingRow, nothing: Mapping[str, str]) -> StagingRow:
    return replace(row, columns={**row.columns, **nothing}, removed=True)


def _key_only(table: StagingTable) -> StagingTable:
    return table.model_copy(update={"columns": {name: table.columns[name] for name in table.key}})


def _removal_fault(sequence: int) -> Reason:
    return Reason(
        "REMOVAL_NOT_POSSIBLE",
        f"The line {sequence} was removed in BC, and the profile names no way to take it back in ServiceNow.",
        "Remove the line in ServiceNow by hand, or name removed_line in the profile, then replay.",
        str(sequence),
    )


def _tax_removal_fault(name: str) -> Reason:
    return Reason(
        "REMOVAL_NOT_POSSIBLE",
        f"No line has the tax {named_tax(name)['tax.code']} any more, and the profile names no way to take it back.",
        "Remove the tax line in ServiceNow by hand, or name removed_tax in the profile, then replay.",
    )


def _cancellation_fault(gone: Remembered, missing: str) -> Reason:
    return Reason(
        "REMOVAL_NOT_POSSIBLE",
        f"{gone.number} was deleted in BC, and the profile names no way to cancel it in ServiceNow ({missing} is empty).",
        f"Cancel it in ServiceNow by hand, then discard it; or name {missing} in the profile, then replay.",
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
