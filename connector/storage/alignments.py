"""The turn of aligning a company, among the cursors: nothing to remember but whose turn it is and when the last one was."""

from __future__ import annotations

from dataclasses import dataclass

from connector.storage import keys
from connector.storage.cursors import Form


@dataclass(frozen=True, slots=True)
class AlignmentRecord:
    """Nothing besides the turn itself."""


def alignment_turns(company: str) -> str:
    """The partition of a company's turn. A feed is never called so."""
    return keys.join(company, "alignment")


ALIGNMENTS = Form("align", AlignmentRecord, lambda _record: {}, lambda _columns: AlignmentRecord())
