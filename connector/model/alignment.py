"""Alignment: cost centres of ServiceNow and dimension values of Business Central, what was agreed about them, who owns what of
them, and what has to be done so that both sides know the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from connector.model.staging import Data

Owner = Literal["servicenow", "business_central", "nobody"]
"""Whose word counts where the sides differ. ``nobody``: the difference is reported and left."""
ValueType = Literal["Standard", "Heading", "Total", "Begin-Total", "End-Total"]


class Ownership(Data):
    """Who owns each attribute. `exists`: which cost centres there are."""

    exists: Owner = "servicenow"
    name: Owner = "servicenow"
    parent: Owner = "nobody"
    blocked: Owner = "nobody"


@dataclass(frozen=True, slots=True)
class CostCentre:
    """A cost centre of ServiceNow. `parent`: its parent's sys_id, or ""; `updated`: when the row was last written there."""

    sys_id: str
    code: str
    account_number: str
    name: str
    parent: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    available: bool | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A value of one dimension of one BC company. `id` (SystemId) and `etag` come with some ways of reading only."""

    code: str
    name: str
    type: ValueType = "Standard"
    blocked: bool = False
    totaling: str = ""
    id: str = ""
    etag: str = ""
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class MappingRow:
    """What was agreed about a cost centre when both sides were last seen to be the same: which value it is, and what both
    called it then. Known by `sys_id`; `parent` is the parent's sys_id then."""

    sys_id: str
    code: str
    account_number: str
    name: str
    parent: str = ""
    blocked: bool = False
    status: Literal["aligned", "conflict", "gone"] = "aligned"


class CompanyAlignment(Ownership):
    """How one company's cost centres are aligned: who owns what, which column of ServiceNow holds BC's code, and whether BC's
    Blocked may be written at all (`block_when_gone`)."""

    code_column: Literal["code", "account_number"] = "code"
    block_when_gone: bool = False


class AlignmentFile(Data):
    """An alignment file: `[companies.KEY]`, by the companies' keys in the settings. What has no section is not aligned."""

    companies: dict[str, CompanyAlignment] = {}
