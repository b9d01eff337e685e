"""The door of a rehearsal: takes every row, sends none, and remembers what it was asked to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.decisions.answers import RowResult
from connector.decisions.mapping import MappedDocument
from connector.decisions.records import record_id
from connector.servicenow.doors.delivery import Delivery


class RehearsalDoor:
    """Stands in for any door. What ServiceNow itself would say to the rows is not known here: all are taken.

    The records that it names exist nowhere; whatever follows from them must stay inside the rehearsal.
    """

    settles_after = 0.0

    def __init__(self) -> None:
        self._asked: list[MappedDocument] = []

    def write(
        self,
        documents: Sequence[MappedDocument],
        *,
        may_go_on: Callable[[], bool],  # noqa: ARG002 - the interface's
    ) -> list[Delivery]:
        """One `Delivery` a document, in order, with every row taken."""
        self._asked += documents
        return [
            Delivery(
                {
                    number: RowResult("accept", "rehearsed", "", record_id(row.table, row.key), row.table)
                    for number, row in enumerate(document.rows)
                }
            )
            for document in documents
        ]

    def take(self) -> list[MappedDocument]:
        """The documents that were to be written since this was last asked, in order."""
        asked, self._asked = self._asked, []
        return asked
