"""Profiles: where documents go in ServiceNow and how, as data. A profile is a TOML file; this room owns its form.

A column of a staging table takes its value from one named fact of the document, company, supplier or line (`value`), or
from a `constant`. `format` writes it, `translate` sends it through a translation table first, `max` is the column's length
(longer text parks the document, it is never cut), `mandatory` parks the document when the value is empty.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.model.documents import Entity

DoorName = Literal["batch", "insert_multiple", "ap_invoice", "table"]
"""Ways to write into ServiceNow: Import Set posts carried by the Batch API; the Import Set API's insertMultiple; the AP Invoice
API; the Table API."""
TranslationTable = Literal["payment_terms", "units", "tax_codes", "accounts", "cost_centres", "locations"]

HEADER_FACTS = frozenset(
    "company.erp_source company.legal_entity company.invoice_source document.id document.number document.status "
    "document.kind document.document_date document.posting_date document.due_date document.vendor_invoice_number "
    "document.currency document.payment_terms document.order_number document.net_total document.tax_total "
    "document.gross_total document.cost_centre document.line_count vendor.number vendor.name supplier.name".split()
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


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Data):
    """How one staging column gets its text."""

    value: str | None = None
    constant: str | None = None
    format: Literal["text", "money", "number", "date"] = "text"
    translate: TranslationTable | None = None
    max: int = Field(default=100, ge=1)
    mandatory: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Column:
        if (self.value is None) == (not self.constant):
            raise ValueError("give either value or constant, and not an empty one")
        return self


class StagingTable(_Data):
    """One staging table: its name, the columns that identify a row for ServiceNow (coalesce), all its columns."""

    table: str
    key: tuple[str, ...] = Field(min_length=1)
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _keys_are_columns(self) -> StagingTable:
        missing = [name for name in self.key if name not in self.columns]
        if missing:
            raise ValueError(f"key columns without a rule: {', '.join(missing)}")
        return self


class Route(_Data):
    """How one entity is carried: by which door, which statuses, into which tables, which line types are skipped."""

    door: DoorName = "batch"
    eligible: tuple[str, ...] = Field(min_length=1)
    waiting: tuple[str, ...] = ()
    skip_lines: tuple[str, ...] = ("Comment",)
    header: StagingTable
    line: StagingTable
    allocation: StagingTable | None = None
    removed_line: dict[str, str] = {}
    """What a line is staged with that an earlier version had and the present one has not: constants for some of the line's
    columns. Empty: there is no such way, and the document is parked."""
    cancelled: dict[str, str] = {}
    """What a document is staged with, besides its key, that was deleted in BC after it had been staged: constants for some of
    the header's columns; its lines go by `removed_line`. Empty: there is no such way, and the document is parked."""
    parent: str = ""
    """The line's column that refers to its header's record. The Table API's door fills it; a line's key is looked for under its
    header only."""

    @property
    def tables(self) -> tuple[StagingTable, ...]:
        """The staging tables of this route, in the order in which rows must arrive."""
        return (self.header, self.line) if self.allocation is None else (self.header, self.line, self.allocation)

    @property
    def names_supplier(self) -> bool:
        """Whether ServiceNow has to find the supplier by its name."""
        return any(column.value == "supplier.name" for column in self.header.columns.values())

    @model_validator(mode="after")
    def _facts_exist(self) -> Route:
        for way, constants, table in (
            ("removed_line", self.removed_line, self.line),
            ("cancelled", self.cancelled, self.header),
        ):
            unknown = sorted(constants.keys() - table.columns.keys())
            if unknown:
                raise ValueError(f"{way}.{unknown[0]}: {table.table} has no such column in this profile")
            keys = sorted(constants.keys() & set(table.key))
            if keys:
                raise ValueError(f"{way}.{keys[0]}: the key says which row it is and must stay as it was staged")
        for table, facts in zip(self.tables, (HEADER_FACTS, LINE_FACTS, ALLOCATION_FACTS), strict=False):
            for name, column in table.columns.items():
                if column.value is not None and column.value not in facts:
                    raise ValueError(f"{table.table}.{name}: no fact is called {column.value!r}")
        return self

    @model_validator(mode="after")
    def _parent_is_for_the_table_door(self) -> Route:
        if (self.door == "table") != bool(self.parent):
            raise ValueError("parent: name the line's reference to its header if, and only if, the door is table")
        if self.parent in self.line.columns:
            raise ValueError(f"parent: {self.parent} is filled by the door and cannot have a rule as well")
        if self.door == "table" and self.allocation is not None:
            raise ValueError("allocation: the door table writes headers and lines only")
        return self

    @model_validator(mode="after")
    def _cancelled_can_be_found(self) -> Route:
        if not self.cancelled:
            return self
        for table, lasting in ((self.header, LASTING_FACTS), (self.line, LASTING_FACTS | {"line.sequence"})):
            for name in table.key:
                value = table.columns[name].value
                if value is not None and value not in lasting:
                    raise ValueError(
                        f"cancelled: {table.table}.{name} is part of the key, and {value} is not known any more "
                        "when a document is gone"
                    )
        return self


class Suppliers(_Data):
    """The ServiceNow table that holds suppliers, and its columns for ERP supplier code, ERP source and name."""

    table: str
    code: str
    source: str
    name: str


class Profile(_Data):
    """A whole profile."""

    name: str
    missing_translation: dict[TranslationTable, Literal["park", "same"]]
    required_roles: tuple[tuple[str, ...], ...]
    suppliers: Suppliers
    clear_with: str = ""
    """What empties a column that had a value in an earlier version. Without it such a column keeps that value."""
    allocation_keys: dict[str, dict[str, Decimal]] = {}
    """Cost centres that stand for several: their parts and percentages, used where a route names an allocation table."""
    routes: dict[str, Route] = Field(min_length=1)

    @model_validator(mode="after")
    def _routes_are_entities(self) -> Profile:
        known = [entity.value for entity in Entity]
        unknown = sorted(set(self.routes) - set(known))
        if unknown:
            raise ValueError(f"routes.{unknown[0]}: no entity is called so; there are {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _records_are_emptied_plainly(self) -> Profile:
        if self.clear_with and any(route.door == "table" for route in self.routes.values()):
            raise ValueError("clear_with: transform maps know this word, the door table does not and would write it")
        return self

    @model_validator(mode="after")
    def _every_table_has_a_rule(self) -> Profile:
        used = {
            column.translate
            for route in self.routes.values()
            for table in route.tables
            for column in table.columns.values()
            if column.translate
        }
        missing = sorted(used - set(self.missing_translation))
        if missing:
            raise ValueError(f"missing_translation says nothing about: {', '.join(missing)}")
        for key, parts in self.allocation_keys.items():
            if sum(parts.values()) != 100:
                raise ValueError(f"allocation key {key}: its percentages do not add up to 100")
        return self


class Translations(_Data):
    """The translation tables: BC's code to ServiceNow's word, per kind of code."""

    payment_terms: dict[str, str] = {}
    units: dict[str, str] = {}
    tax_codes: dict[str, str] = {}
    accounts: dict[str, str] = {}
    cost_centres: dict[str, str] = {}
    locations: dict[str, str] = {}

    def table(self, name: TranslationTable) -> dict[str, str]:
        """The table of that name."""
        found: dict[str, str] = getattr(self, name)
        return found
