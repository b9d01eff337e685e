"""What aligning comes to: the writes to either side and to the mapping, in their order, and what is reported and left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from connector.model.alignment import MappingRow, Ownership, ValueType

CodeColumn = Literal["code", "account_number"]

ConflictKind = Literal[
    "BLOCKED_DIFFERS",
    "CODE_BLANK",
    "CODE_CHANGED",
    "CODE_HELD",
    "CODE_RESERVED",
    "CODE_TOO_LONG",
    "DUPLICATE_ACCOUNT_NUMBER",
    "DUPLICATE_CODE",
    "GONE",
    "HIERARCHY_NOT_EXPRESSIBLE",
    "MANY_GONE",
    "MISSING_THERE",
    "NAME_BLANK",
    "NAME_DIFFERS",
    "NAME_TOO_LONG",
    "NOT_A_COST_CENTRE",
    "PARENT_CYCLE",
    "PARENT_MISSING",
    "PARENT_STAYS",
    "VALIDITY_ENDED",
]


@dataclass(frozen=True, slots=True)
class Rules:
    """How one company's dimension is aligned. `code_column`: the column of ServiceNow that holds BC's code. `block_when_gone`:
    BC's Blocked may be written at all; without it a difference in it is only reported."""

    ownership: Ownership = Ownership()
    code_column: CodeColumn = "code"
    block_when_gone: bool = False


@dataclass(frozen=True, slots=True)
class CreateValue:
    """A new dimension value. `sys_id`: of its cost centre; of the parent's for an End-Total."""

    code: str
    sys_id: str
    name: str
    type: ValueType
    totaling: str
    why: str


@dataclass(frozen=True, slots=True)
class RenameValue:
    """Another name for a value."""

    code: str
    sys_id: str
    name: str
    etag: str
    why: str


@dataclass(frozen=True, slots=True)
class BlockValue:
    """A value is closed for new entries, or opened again."""

    code: str
    sys_id: str
    blocked: bool
    etag: str
    why: str


@dataclass(frozen=True, slots=True)
class PlaceValue:
    """Another type for a value. BC empties Totaling whenever the type is written: `totaling` has to come behind it."""

    code: str
    sys_id: str
    type: ValueType
    totaling: str
    etag: str
    why: str


@dataclass(frozen=True, slots=True)
class StageCostCentre:
    """A row for ServiceNow's staging table: the cost centre as it is to be there.

    `sys_id`: "" for one that is to be created; that one gets its row in the mapping when it is read the next time.
    `account_number` "": ServiceNow has none for it. `parent_code`: the parent, as its code column reads there. "" and None:
    nothing to tell, what is there stays.
    """

    code: str
    sys_id: str
    account_number: str
    name: str
    why: str
    parent_code: str = ""
    available: bool | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Unmap:
    """What was agreed about a cost centre is forgotten."""

    sys_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Map:
    """What is agreed about a cost centre, once what comes before it is done."""

    row: MappingRow
    why: str

    @property
    def sys_id(self) -> str:
        """Of its cost centre."""
        return self.row.sys_id


Write = CreateValue | RenameValue | BlockValue | PlaceValue | StageCostCentre
Action = Write | Unmap | Map


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is reported and not fought. `code`: as BC has it; `sys_ids`: the cost centres it is about, none where there is only
    a value. `remedy`: one sentence."""

    kind: ConflictKind
    code: str
    sys_ids: tuple[str, ...]
    what: str
    remedy: str

    @property
    def sys_id(self) -> str:
        """The first cost centre it is about, or ""."""
        return self.sys_ids[0] if self.sys_ids else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`actions` in the order in which they are to be done. When one cannot be done, the later ones of the same sys_id must be
    left out, as they build on it; an empty sys_id ties nothing together. An ETag holds for the first write to a value only. No
    action: both sides are aligned as far as the conflicts let them."""

    actions: tuple[Action, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a system would not have a write: a stable code, what it said, and what to do about it."""

    code: str
    message: str
    remedy: str
