"""The language that entity sets are described in: property kinds and order, navigations, verbs, origin of the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal, cast

from tests.sandbox.business_central.records import NO_ID, Value

Kind = Literal["guid", "text", "date", "datetime", "decimal", "int", "long", "bool", "enum"]
# "contained" rows are reached through their parent; "setup" is a single row that is changed, never added or removed.
Source = Literal["companies", "table", "documents", "lines", "dimensions", "contained", "setup"]

BLANK_DATE = date(1, 1, 1)
BLANK_DATETIME = datetime(1, 1, 1, tzinfo=UTC)
BLANKS: dict[Kind, Value] = {
    "guid": NO_ID,
    "text": "",
    "date": BLANK_DATE,
    "datetime": BLANK_DATETIME,
    "decimal": Decimal(0),
    "int": 0,
    "long": 0,
    "bool": False,
    "enum": " ",
}
EDM_TYPES: dict[Kind, str] = {
    "guid": "Edm.Guid",
    "text": "Edm.String",
    "date": "Edm.Date",
    "datetime": "Edm.DateTimeOffset",
    "decimal": "Edm.Decimal",
    "int": "Edm.Int32",
    "long": "Edm.Int64",
    "bool": "Edm.Boolean",
    "enum": "Edm.String",
}
_DECLARED = re.compile(r"(\w+) (guid|text|date|datetime|decimal|int|long|bool|enum)(?:\((.*)\))?( ro)?")


@dataclass(frozen=True)
class Property:
    """One property of an entity: `length` limits text, `members` are the decoded words of an enum."""

    name: str
    kind: Kind
    length: int = 0
    members: tuple[str, ...] = ()
    writable: bool = True


@dataclass(frozen=True)
class Navigation:
    """A way from one entity to others, declared in page order.

    Without `key` and `foreign` the rows are part of the record (lines, dimension set). `key` is the own property holding
    the id of the one target; `foreign` the target's property holding the own id; `one` marks a part of the record that
    is at most one row.
    """

    name: str
    target: str
    key: str = ""
    foreign: str = ""
    one: bool = False

    @property
    def to_one(self) -> bool:
        """Whether it leads to at most one record."""
        return self.one or bool(self.key)


@dataclass(frozen=True, eq=False)
class EntitySet:
    """An entity set: its address name, the name of its type, the caption of its table, what it holds and allows.

    `streams` are the names of its media properties, shown behind all others; `orphaned` is what a read of the whole set
    is refused with when it wants to know the parent first.
    """

    name: str
    type_name: str
    caption: str
    properties: tuple[Property, ...]
    source: Source = "table"
    navigations: tuple[Navigation, ...] = ()
    writable: bool = True
    etags: bool = True
    streams: tuple[str, ...] = ()
    orphaned: str = ""

    @cached_property
    def by_name(self) -> dict[str, Property]:
        """The properties by their names."""
        return {prop.name: prop for prop in self.properties}

    @cached_property
    def navigation_by_name(self) -> dict[str, Navigation]:
        """The navigations by their names."""
        return {navigation.name: navigation for navigation in self.navigations}


def declared(text: str) -> tuple[Property, ...]:
    """Properties from lines such as ``number text(20) ro``; several on one line are separated by semicolons.

    Enum members stand in the brackets, separated by ``|``; a single space there is the blank member.
    """
    properties = []
    for part in re.split(r"[;\n]", text):
        if not part.strip():
            continue
        match = _DECLARED.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"not a property: {part!r}")
        name, kind, argument, read_only = match.groups()
        members = tuple(argument.split("|")) if kind == "enum" and argument else ()
        length = int(argument) if kind == "text" and argument else 0
        properties.append(Property(name, cast(Kind, kind), length, members, not read_only))
    return tuple(properties)


def address(prefix: str, *, read_only: bool = False) -> str:
    """The six address properties that documents repeat for each party."""
    end = " ro" if read_only else ""
    parts = (
        ("AddressLine1", 100),
        ("AddressLine2", 50),
        ("City", 30),
        ("Country", 10),
        ("State", 30),
        ("PostCode", 20),
    )
    return "; ".join(f"{prefix}{name} text({length}){end}" for name, length in parts)
