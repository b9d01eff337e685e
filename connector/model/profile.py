"""Profiles: where documents go in ServiceNow and how, as data. A profile is a TOML file; this room owns its form."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from connector.model.documents import Entity
from connector.model.master_data import MasterData
from connector.model.staging import FACTS, LASTING_FACTS, Data, StagingTable, TranslationTable

DoorName = Literal["batch", "insert_multiple", "ap_invoice", "table"]
"""Ways to write into ServiceNow: Import Set posts carried by the Batch API; the Import Set API's insertMultiple; the AP Invoice
API; the Table API."""


class Files(Data):
    """Which files follow a document into ServiceNow, once its record is there.

    `pdf`: the document as BC prints it; `attachments`: what is attached to it in BC. `max_bytes`: of one file; a larger one
    parks the document.
    """

    pdf: bool = False
    attachments: bool = False
    max_bytes: int = Field(default=10_000_000, ge=1, le=1_000_000_000)

    @model_validator(mode="after")
    def _something(self) -> Files:
        if not (self.pdf or self.attachments):
            raise ValueError("files: ask for pdf, attachments or both, or leave files out")
        return self


class Tracking(Data):
    """How the records that documents became are followed in ServiceNow.

    `table`: where they are; `state`: the column that says how far one has come. `frozen`: its stored values from which on a
    record must not be changed from outside. `when_frozen`: what becomes of an edit in BC that comes later: reported in trail
    and status and not sent, parked, or sent all the same.
    """

    table: str
    state: str
    frozen: tuple[str, ...] = ()
    when_frozen: Literal["report", "park", "send"] = "report"


class Route(Data):
    """How one entity is carried: by which door, which statuses, into which tables, which line types are skipped.

    `with_original`: statuses of credit memos that are carried only where the invoice they take back was carried. `header`: None
    for an entity whose lines stand for themselves (receipts).
    """

    door: DoorName = "batch"
    eligible: tuple[str, ...] = Field(min_length=1)
    waiting: tuple[str, ...] = ()
    with_original: tuple[str, ...] = ()
    skip_lines: tuple[str, ...] = ("Comment",)
    header: StagingTable | None = None
    line: StagingTable
    allocation: StagingTable | None = None
    tax: StagingTable | None = None
    """One row for each tax of the document: its lines' tax codes and percentages."""
    carries_invoices: bool = False
    """The orders are liabilities themselves: invoices posted from them are not carried as well."""
    files: Files | None = None
    tracking: Tracking | None = None
    removed_line: dict[str, str] = {}
    """What a line is staged with that an earlier version had and the present one has not: constants for some of the line's
    columns. Empty: there is no such way, and the document is parked."""
    removed_tax: dict[str, str] = {}
    """The same for a tax that no line of the document has any more."""
    cancelled: dict[str, str] = {}
    """What a document is staged with, besides its key, that was deleted in BC after it had been staged: constants for some of
    the header's columns; its lines go by `removed_line`. Empty: there is no such way, and the document is parked."""
    parent: str = ""
    """The line's column that refers to its header's record. The Table API's door fills it; a line's key is looked for under its
    header only."""

    @property
    def ignores_unknown(self) -> bool:
        """Whether optional columns are sent: import set tables ignore what they do not know, and nothing else does."""
        return self.door in ("batch", "insert_multiple")

    @property
    def head(self) -> StagingTable:
        """The header's table, for whoever meets only routes that have one."""
        if self.header is None:
            raise ValueError("this route has no header")
        return self.header

    @property
    def parts(self) -> Mapping[str, StagingTable]:
        """The staging tables of this route by what they are for, in the order in which rows must arrive."""
        every = {"header": self.header, "line": self.line, "allocation": self.allocation, "tax": self.tax}
        return {part: table for part, table in every.items() if table is not None}

    @property
    def tables(self) -> tuple[StagingTable, ...]:
        """The same without their names."""
        return tuple(self.parts.values())

    @property
    def names_supplier(self) -> bool:
        """Whether ServiceNow has to find the supplier by its name."""
        columns = (column for table in self.tables for column in table.columns.values())
        return any(column.value == "supplier.name" for column in columns)

    @model_validator(mode="after")
    def _facts_exist(self) -> Route:
        for way, constants, table in (
            ("removed_line", self.removed_line, self.line),
            ("removed_tax", self.removed_tax, self.tax),
            ("cancelled", self.cancelled, self.header),
        ):
            if table is None and constants:
                raise ValueError(f"{way}: this route has no such table")
            unknown = sorted(constants.keys() - (table.columns.keys() if table else set()))
            if table and unknown:
                raise ValueError(f"{way}.{unknown[0]}: {table.table} has no such column in this profile")
            keys = sorted(constants.keys() & set(table.key if table else ()))
            if keys:
                raise ValueError(f"{way}.{keys[0]}: the key says which row it is and must stay as it was staged")
        for part, rules in self.parts.items():
            for name, column in rules.columns.items():
                if column.value is not None and column.value not in FACTS[part]:
                    raise ValueError(f"{rules.table}.{name}: no fact is called {column.value!r}")
        return self

    @model_validator(mode="after")
    def _doors_can(self) -> Route:
        if self.header is None and self.door not in ("batch", "insert_multiple"):
            raise ValueError(f"header: the door {self.door} cannot do without one")
        return self

    @model_validator(mode="after")
    def _parent_is_for_the_table_door(self) -> Route:
        if (self.door == "table") != bool(self.parent):
            raise ValueError("parent: name the line's reference to its header if, and only if, the door is table")
        if self.parent in self.line.columns:
            raise ValueError(f"parent: {self.parent} is filled by the door and cannot have a rule as well")
        if self.door == "table" and (self.allocation or self.tax):
            raise ValueError("allocation, tax: the door table writes headers and lines only")
        return self

    @model_validator(mode="after")
    def _cancelled_can_be_found(self) -> Route:
        if not self.cancelled:
            return self
        if self.header is None or self.tax is not None:
            raise ValueError("cancelled: only for a document with a header, and without tax rows")
        for table, lasting in ((self.header, LASTING_FACTS), (self.line, LASTING_FACTS | {"line.sequence"})):
            for name in table.key:
                value = table.columns[name].value
                if value is not None and value not in lasting:
                    raise ValueError(
                        f"cancelled: {table.table}.{name} is part of the key, and {value} is not known any more "
                        "when a document is gone"
                    )
        return self


class Suppliers(Data):
    """The ServiceNow table that holds suppliers, and its columns for ERP supplier code, ERP source and name."""

    table: str
    code: str
    source: str
    name: str


class CostCentres(Data):
    """The ServiceNow table that holds cost centres: the column by which the staging tables find one, and those that say from
    when to when it is valid and whether it is open for use ("": the instance has none that can be read)."""

    table: str
    code: str
    valid_from: str = ""
    valid_to: str = ""
    available: str = ""


class Profile(Data):
    """A whole profile."""

    name: str
    missing_translation: dict[TranslationTable, Literal["park", "same"]]
    required_roles: tuple[tuple[str, ...], ...]
    suppliers: Suppliers
    cost_centres: CostCentres | None = None
    """Without it nobody asks whether a cost centre is there."""
    clear_with: str = ""
    """What empties a column that had a value in an earlier version. Without it such a column keeps that value."""
    allocation_keys: dict[str, dict[str, Decimal]] = {}
    """Cost centres that stand for several: their parts and percentages, used where a route names an allocation table."""
    master_data: MasterData = MasterData()
    """BC's own master data that is staged as well."""
    routes: dict[str, Route] = Field(min_length=1)

    @model_validator(mode="after")
    def _routes_are_entities(self) -> Profile:
        known = [entity.value for entity in Entity]
        unknown = sorted(set(self.routes) - set(known))
        if unknown:
            raise ValueError(f"routes.{unknown[0]}: no entity is called so; there are {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _entities_have_what_is_theirs(self) -> Profile:
        for name, route in self.routes.items():
            if (route.header is None) != (name == Entity.RECEIPT):
                raise ValueError(f"routes.{name}: receipts have lines only, all others a header as well")
            if name == Entity.RECEIPT and (route.tax or route.allocation or route.files):
                raise ValueError(f"routes.{name}: receipts have neither tax nor allocations, and nothing to attach to")
            if route.with_original and name != Entity.CREDIT_MEMO:
                raise ValueError(f"routes.{name}: only credit memos take back another document (with_original)")
            if route.carries_invoices and name != Entity.PURCHASE_ORDER:
                raise ValueError(f"routes.{name}: only orders can stand for their invoices (carries_invoices)")
        return self

    @model_validator(mode="after")
    def _records_are_emptied_plainly(self) -> Profile:
        if self.clear_with and any(route.door == "table" for route in self.routes.values()):
            raise ValueError("clear_with: transform maps know this word, the door table does not and would write it")
        return self

    @model_validator(mode="after")
    def _every_table_has_a_rule(self) -> Profile:
        tables = [table for route in self.routes.values() for table in route.tables]
        columns = [
            column for table in (*tables, *self.master_data.sections.values()) for column in table.columns.values()
        ]
        used = {column.translate for column in columns if column.translate}
        if any(column.value == "value.account_number" for column in columns):
            used.add("cost_centres")  # by which a new cost centre gets its number
        missing = sorted(used - set(self.missing_translation))
        if missing:
            raise ValueError(f"missing_translation says nothing about: {', '.join(missing)}")
        for key, parts in self.allocation_keys.items():
            if sum(parts.values()) != 100:
                raise ValueError(f"allocation key {key}: its percentages do not add up to 100")
        return self


class Translations(Data):
    """The translation tables: BC's code to ServiceNow's word, per kind of code."""

    payment_terms: dict[str, str] = {}
    units: dict[str, str] = {}
    tax_codes: dict[str, str] = {}
    tax_types: dict[str, str] = {}
    accounts: dict[str, str] = {}
    cost_centres: dict[str, str] = {}
    locations: dict[str, str] = {}

    def table(self, name: TranslationTable) -> dict[str, str]:
        """The table of that name."""
        found: dict[str, str] = getattr(self, name)
        return found
