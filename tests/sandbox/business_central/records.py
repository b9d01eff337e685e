"""The raw records of a company, as its database holds them: what the simulator is filled with and what it edits.

Values are plain Python: `Decimal` for amounts, `date` and `datetime` for days and stamps, lower-case guids as text, and the
decoded words of enums ("In Review", not what the wire shows). Property names are those of the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

Value = str | bool | int | Decimal | date | datetime
Row = dict[str, Value]

NO_ID = "00000000-0000-0000-0000-000000000000"
LINES_OF = {
    "purchaseOrders": "purchaseOrderLines",
    "purchaseInvoices": "purchaseInvoiceLines",
    "purchaseReceipts": "purchaseReceiptLines",
    "purchaseCreditMemos": "purchaseCreditMemoLines",
    "purchaseOrderArchives": "purchaseOrderArchiveLines",
}


@dataclass
class Line:
    """One line of a document; `dimensions` maps a dimension code to the value code of its dimension set."""

    values: Row
    dimensions: dict[str, str] = field(default_factory=dict)


@dataclass
class Document:
    """A purchase order or invoice. `dangling`: its dimension set points at a value that no longer exists."""

    header: Row
    lines: list[Line]
    dimensions: dict[str, str] = field(default_factory=dict)
    dangling: bool = False

    @property
    def id(self) -> str:
        """The system id."""
        return str(self.header["id"])

    @property
    def number(self) -> str:
        """The visible document number."""
        return str(self.header["number"])


@dataclass
class CompanyData:
    """One company: its own row, the master data by entity set, and the documents by entity set.

    `documents` holds what is to be transferred, `history` what else has lines or dimension sets: receipts, credit memos,
    ledger entries, archived orders. `files` holds the content of media properties by ``id/property``.
    """

    company: Row
    tables: dict[str, list[Row]]
    documents: dict[str, list[Document]]
    history: dict[str, list[Document]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The company's system id."""
        return str(self.company["id"])

    @property
    def name(self) -> str:
        """The company's name, also usable in addresses."""
        return str(self.company["name"])

    @property
    def local_currency(self) -> str:
        """The code of the currency that a document without a foreign currency is in."""
        return str(self.tables["generalLedgerSetup"][0]["localCurrencyCode"])

    @property
    def orders(self) -> list[Document]:
        """The purchase orders."""
        return self.documents["purchaseOrders"]

    @property
    def invoices(self) -> list[Document]:
        """The purchase invoices, drafts and posted ones."""
        return self.documents["purchaseInvoices"]

    def all_documents(self) -> Iterator[tuple[str, Document]]:
        """Every document with the name of its entity set."""
        for entity, documents in self.documents.items():
            for document in documents:
                yield entity, document

    def row(self, table: str, prop: str, value: Value) -> Row | None:
        """The first row of a master data set whose property has the value."""
        return next((row for row in self.tables[table] if row[prop] == value), None)
