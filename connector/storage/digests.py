"""The daily digest's row among the cursors: when the last one was made, and which documents were parked then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.model.stamps import parse_stamp
from connector.storage import keys
from connector.storage.cursors import Form
from connector.storage.ledger_columns import stamped
from connector.storage.ports import Property

WHERE = keys.join("daily digest")
"""A company's key holds no blank, so that it is nobody else's."""
MARK = 8
"""Characters by which a document is remembered."""
A_COLUMN = 3_500
"""Marks in a column, which holds 32,768 characters."""
MOST_MARKS = 10 * A_COLUMN
"""More would outgrow a row of 1 MiB."""


@dataclass(frozen=True, slots=True)
class DigestRecord:
    """`at`: when the last one was made, by the storage server's clock (None: never); `marks`: of the documents parked then
    (None: they were too many to remember)."""

    at: datetime | None = None
    marks: frozenset[str] | None = frozenset()


def _columns(record: DigestRecord) -> dict[str, Property]:
    marks = sorted(record.marks or ())
    remembered = record.marks is not None and len(marks) <= MOST_MARKS
    kept = marks if remembered else []
    columns: dict[str, Property] = {"at": stamped(record.at), "remembered": remembered}
    for start in range(0, len(kept), A_COLUMN):
        columns[f"marks{start // A_COLUMN}"] = "".join(kept[start : start + A_COLUMN])
    return columns


def _record(columns: Mapping[str, Property]) -> DigestRecord:
    texts = [str(value) for name, value in columns.items() if name.startswith("marks")]
    marks = frozenset(text[start : start + MARK] for text in texts for start in range(0, len(text), MARK))
    at = str(columns["at"])
    return DigestRecord(parse_stamp(at) if at else None, marks if columns["remembered"] is True else None)


DIGESTS = Form("digest", DigestRecord, _columns, _record)
