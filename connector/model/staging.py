"""Staging tables as a profile describes them: their columns, and the facts a column may take its value from.

A column takes its value from one named fact of the document, company, supplier or line (`value`), or from a `constant`.
`format` writes it, `translate` sends it through a translation table first, `max` is the column's length (longer text parks the
document, it is never cut), `mandatory` parks the document when the value is empty.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

TranslationTable = Literal["payment_terms", "units", "tax_codes", "tax_types", "accounts", "cost_centres", "locations"]

HEADER_FACTS = frozenset(
    "company.erp_source company.legal_entity company.invoice_source document.id document.number document.status "
    "document.kind document.document_date document.posting_date document.due_date document.vendor_invoice_number "
    "document.currency document.payment_terms document.order_number document.applies_to_id document.applies_to_number "
    "document.net_total document.tax_total document.gross_total document.cost_centre document.line_count document.link "
    "vendor.number vendor.name supplier.name".split()
)
LINE_FACTS = HEADER_FACTS | frozenset(
    "line.id line.sequence line.type line.object_number line.account line.item line.description line.unit "
    "line.quantity line.unit_price line.net_amount line.gross_amount line.tax_code line.tax_amount "
    "line.expected_receipt line.location line.cost_centre".split()
)

LASTING_FACTS = frozenset(
    "company.erp_source company.legal_entity company.invoice_source document.id document.number".split()
)
"""What is still known of a document that is not in BC any more; of its lines, their sequence numbers."""

ALLOCATION_FACTS = LINE_FACTS | frozenset(("allocation.cost_centre", "allocation.percent", "allocation.amount"))
TAX_FACTS = HEADER_FACTS | frozenset(("tax.code", "tax.percent", "tax.base", "tax.amount"))
FACTS = {"header": HEADER_FACTS, "line": LINE_FACTS, "allocation": ALLOCATION_FACTS, "tax": TAX_FACTS}


class Data(BaseModel):
    """What all parts of a profile share: nothing unknown is let through, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Data):
    """How one staging column gets its text. `turned`: an amount with its sign turned. `optional`: the column may be missing in
    ServiceNow's import set table, which then ignores what is sent for it; other doors leave it out."""

    value: str | None = None
    constant: str | None = None
    format: Literal["text", "money", "number", "date"] = "text"
    translate: TranslationTable | None = None
    max: int = Field(default=100, ge=1)
    mandatory: bool = False
    optional: bool = False
    turned: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Column:
        if (self.value is None) == (not self.constant):
            raise ValueError("give either value or constant, and not an empty one")
        if self.optional and self.mandatory:
            raise ValueError("a column cannot be both optional and mandatory")
        if self.turned and self.format not in ("money", "number"):
            raise ValueError("turned: only money and numbers have a sign")
        return self


class StagingTable(Data):
    """One staging table: its name, the columns that identify a row for ServiceNow (coalesce), all its columns."""

    table: str
    key: tuple[str, ...] = Field(min_length=1)
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _keys_are_columns(self) -> StagingTable:
        missing = [name for name in self.key if name not in self.columns or self.columns[name].optional]
        if missing:
            raise ValueError(f"key columns without a rule, or optional: {', '.join(missing)}")
        return self
