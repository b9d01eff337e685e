"""The simulator's Python interface to its data: what users of the application would do to documents and master data.

A company is named by its id or name, a document by its id or number. Each call is one step to anyone reading at the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from tests.sandbox.business_central import routing
from tests.sandbox.business_central.edits import Edits, as_document
from tests.sandbox.business_central.records import CompanyData, Document, Line, Row, Value
from tests.sandbox.business_central.row_versions import RowVersions
from tests.sandbox.business_central.store import CompanyState

_FIRST_VERSION = 11_325_623_035_004_296_905


class Data:
    """The companies of one environment behind one lock."""

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        self._lock = threading.RLock()
        self._now = now
        self._versions = RowVersions(_FIRST_VERSION)
        self._companies = [CompanyState(data, self._versions) for data in companies]
        self._edits = Edits(now, ideal_stamps=ideal_stamps)

    def document_ids(self, company: str, entity: str = "purchaseOrders") -> list[str]:
        """The ids of all documents of an entity set."""
        with self._lock:
            return [record.id for record in self._company(company).all_of(entity)]

    def documents_ever(self, company: str, entity: str = "purchaseOrders") -> frozenset[str]:
        """The ids of all documents that the entity set ever had, those that are gone included."""
        with self._lock:
            return frozenset(self._company(company).ever[entity])

    def stamps(self, company: str, entity: str = "purchaseOrders") -> dict[str, datetime]:
        """The stamp of every document, by id."""
        with self._lock:
            found = {
                record.id: record.values["lastModifiedDateTime"] for record in self._company(company).all_of(entity)
            }
            return {id_: stamp for id_, stamp in found.items() if isinstance(stamp, datetime)}

    def document(self, company: str, document: str, *, entity: str = "purchaseOrders") -> Document:
        """A copy of the document with this number or id, as it is now."""
        with self._lock:
            return as_document(self._company(company).find(entity, document))

    def edit_line(
        self, company: str, document: str, sequence: int, *, entity: str = "purchaseOrders", **changes: Value
    ) -> None:
        """Changes properties of a line; the document's stamp moves only where the application would move it."""
        with self._lock:
            state = self._company(company)
            self._edits.edit_line(state, state.line(state.find(entity, document), sequence), changes)

    def add_line(self, company: str, document: str, line: Line, *, entity: str = "purchaseOrders") -> None:
        """Adds a line to a document."""
        with self._lock:
            state = self._company(company)
            self._edits.add_line(state, state.find(entity, document), line)

    def remove_line(self, company: str, document: str, sequence: int, *, entity: str = "purchaseOrders") -> None:
        """Removes a line of a document."""
        with self._lock:
            state = self._company(company)
            self._edits.remove_line(state, state.line(state.find(entity, document), sequence))

    def edit_header(self, company: str, document: str, *, entity: str = "purchaseOrders", **changes: Value) -> None:
        """Changes properties of a document's header, or of a master data row."""
        with self._lock:
            state = self._company(company)
            self._edits.edit_header(state, state.find(entity, document), changes)

    def set_dimension(
        self,
        company: str,
        document: str,
        code: str,
        value_code: str,
        *,
        sequence: int | None = None,
        entity: str = "purchaseOrders",
    ) -> None:
        """Sets a dimension of a document, or of its line with that sequence; a blank value code removes it."""
        with self._lock:
            state = self._company(company)
            record = state.find(entity, document)
            owner = record if sequence is None else state.line(record, sequence)
            self._edits.set_dimension(state, owner, code, value_code)

    def mark_dangling(
        self, company: str, document: str, *, dangling: bool = True, entity: str = "purchaseOrders"
    ) -> None:
        """Lets the document's dimension sets point at a value that is gone, or mends them."""
        with self._lock:
            self._company(company).find(entity, document).dangling = dangling

    def add_document(self, company: str, document: Document, *, entity: str = "purchaseOrders") -> None:
        """Adds a document, stamped with the present time."""
        with self._lock:
            state = self._company(company)
            self._edits.touch(state, state.add_document(entity, document))

    def add_order(self, company: str, document: Document) -> None:
        """Adds a purchase order, stamped with the present time."""
        self.add_document(company, document)

    def add_row(self, company: str, entity: str, row: Row) -> None:
        """Adds a master data row, stamped with the present time."""
        with self._lock:
            state = self._company(company)
            self._edits.touch(state, state.add_row(entity, row))

    def delete(self, company: str, entity: str, number_or_id: str) -> None:
        """Deletes a document with its lines, or a master data row."""
        with self._lock:
            state = self._company(company)
            state.remove(state.find(entity, number_or_id))

    def _company(self, name: str) -> CompanyState:
        return routing.find_company(self._companies, name)
