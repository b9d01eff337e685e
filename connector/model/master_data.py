"""Master data on its way into ServiceNow: what of Business Central's own a profile may stage (cost centres, ledger accounts,
suppliers, departments), by which columns, and the records these rows are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from connector.model.alignment import Owner
from connector.model.staging import Data, StagingTable

SectionName = Literal["cost_centres", "accounts", "suppliers", "departments"]

COMPANY_FACTS = frozenset("company.erp_source company.legal_entity company.local_currency".split())
VALUE_FACTS = COMPANY_FACTS | frozenset("value.code value.name value.blocked value.available".split())
CENTRE_FACTS = VALUE_FACTS | frozenset("value.account_number value.parent_code value.valid_from value.valid_to".split())
ACCOUNT_FACTS = COMPANY_FACTS | frozenset(
    "account.number account.name account.category account.subcategory account.blocked account.direct_posting".split()
)
VENDOR_FACTS = COMPANY_FACTS | frozenset(
    "vendor.number vendor.name vendor.currency vendor.payment_terms vendor.blocked vendor.tax_id vendor.address_line1 "
    "vendor.address_line2 vendor.city vendor.state vendor.postal_code vendor.country vendor.phone vendor.email "
    "vendor.website".split()
)
MASTER_FACTS: Mapping[SectionName, frozenset[str]] = {
    "cost_centres": CENTRE_FACTS,
    "accounts": ACCOUNT_FACTS,
    "suppliers": VENDOR_FACTS,
    "departments": VALUE_FACTS,
}


class MasterTable(StagingTable):
    """A staging table for one kind of master data. Its rows go through the Batch API's door. `owner`: rows are staged only
    where it is business_central."""

    owner: Owner = "nobody"

    @model_validator(mode="after")
    def _nothing_is_an_amount(self) -> MasterTable:
        for name, column in self.columns.items():
            if column.format not in ("text", "date"):
                raise ValueError(f"{name}: master data has no amounts; its formats are text and date")
        return self

    @model_validator(mode="after")
    def _keys_are_filled(self) -> MasterTable:
        for name in self.key:
            if self.columns[name].value is not None and not self.columns[name].mandatory:
                raise ValueError(f"{name}: part of the key, so that it must be mandatory")
        return self


class Departments(MasterTable):
    """Departments: the values of one dimension."""

    dimension: str = Field(min_length=1, max_length=20)


class MasterData(Data):
    """The master data of a profile. What has no section is not staged."""

    cost_centres: MasterTable | None = None
    accounts: MasterTable | None = None
    suppliers: MasterTable | None = None
    departments: Departments | None = None

    @property
    def sections(self) -> Mapping[SectionName, MasterTable]:
        """The sections there are, whoever owns what is in them."""
        every: dict[SectionName, MasterTable | None] = {
            "cost_centres": self.cost_centres,
            "accounts": self.accounts,
            "suppliers": self.suppliers,
            "departments": self.departments,
        }
        return {name: section for name, section in every.items() if section is not None}

    @property
    def tables(self) -> Mapping[str, StagingTable]:
        """Those tables by name."""
        return {section.table: section for section in self.staged.values()}

    @property
    def staged(self) -> Mapping[SectionName, MasterTable]:
        """Those whose rows are staged."""
        return {name: section for name, section in self.sections.items() if section.owner == "business_central"}

    @model_validator(mode="after")
    def _facts_exist(self) -> MasterData:
        for kind, section in self.sections.items():
            for name, column in section.columns.items():
                if column.value is not None and column.value not in MASTER_FACTS[kind]:
                    raise ValueError(f"{kind}.{name}: no fact of {kind} is called {column.value!r}")
        return self

    @model_validator(mode="after")
    def _tables_differ(self) -> MasterData:
        tables = [section.table for section in self.sections.values()]
        doubled = sorted({name for name in tables if tables.count(name) > 1})
        if doubled:
            raise ValueError(f"{doubled[0]}: each kind of master data needs a table of its own")
        return self


@dataclass(frozen=True, slots=True)
class DimensionRecord:
    """A cost centre or department as it is to be in ServiceNow: a dimension value, and what else is known.

    `exists`: whether ServiceNow has it. `account_number`: the one it has there; one that is to be created needs none.
    `blocked`: None where BC has no say in it. `parent_code`, `valid_from`, `valid_to`: of cost centres only; "" and None are
    nothing to tell.
    """

    code: str
    name: str
    exists: bool = False
    blocked: bool | None = None
    account_number: str = ""
    parent_code: str = ""
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """A G/L account of BC. `type`: Posting, Heading, Total, Begin-Total or End-Total."""

    number: str
    name: str
    type: str
    category: str = ""
    subcategory: str = ""
    blocked: bool = False
    direct_posting: bool = True


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor of BC. `currency`: "" is the company's local one; `payment_terms`: their code; `blocked`: "", Payment or All."""

    number: str
    name: str
    currency: str = ""
    payment_terms: str = ""
    blocked: str = ""
    tax_id: str = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""
    website: str = ""
