"""The language that pages of the application are described in: their fields by the names that web services give them.

Source: "Publish a web service" and the naming rules of OData page services: every run of other characters in a control's name
becomes one underscore, ``%`` becomes ``Percent``. Options are plain words here, a blank one is a single space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from tests.sandbox.business_central.entities import BLANKS, Kind, Property
from tests.sandbox.business_central.records import Value
from tests.sandbox.business_central.store import CompanyState, Record

Read = Callable[[CompanyState, Record], Value]

_DECLARED = re.compile(
    r"(?P<name>\w+) (?P<kind>text|guid|date|datetime|decimal|int|bool|option)(?:\((?P<argument>.*)\))?"
    r" < (?P<source>-|:?\w+)(?P<flags>(?: rw=\w+| outside| flow)*)"
)


@dataclass(frozen=True)
class PageField:
    """One field of a page: `members` are the words of an option, `raw` the property that a write sets (blank: none).

    `flow`: a value computed on reading; `outside`: it stands outside the repeater. Both kinds count towards the ETag unless the
    service is told to leave them out.
    """

    name: str
    kind: Kind
    read: Read
    length: int = 0
    members: tuple[str, ...] = ()
    raw: str = ""
    flow: bool = False
    outside: bool = False

    @property
    def writable(self) -> bool:
        """Whether it may be written."""
        return bool(self.raw)

    @property
    def property(self) -> Property:
        """The field as a property of an entity set; options are text on the wire."""
        return Property(self.name, self.kind, self.length, (), self.writable)


def service_name(caption: str) -> str:
    """The name that a web service gives to a control: ``Buy-from Vendor No.`` becomes ``Buy_from_Vendor_No``."""
    return re.sub(r"[^0-9A-Za-z]+", "_", caption.replace("%", " Percent ")).strip("_")


def page_fields(text: str, computed: Mapping[str, Read]) -> tuple[PageField, ...]:
    """Fields from lines such as ``No text(20) < number``; several on one line are separated by semicolons.

    Behind ``<`` stands the raw property, or ``:`` and the name of a computed value, or ``-`` for a field that is always
    blank. Option members stand in the brackets, separated by ``|``. Flags follow: ``flow``, ``outside``,
    and ``rw=`` with the raw property that a write sets.
    """
    fields = []
    for part in re.split(r"[;\n]", text):
        if not part.strip():
            continue
        match = _DECLARED.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"not a page field: {part!r}")
        option = match["kind"] == "option"
        kind = cast(Kind, "text" if option else match["kind"])
        argument, flags = match["argument"], match["flags"].split()
        members = tuple(argument.split("|")) if option and argument else ()
        length = int(argument) if argument and not option else 0
        read = _reader(match["source"], kind, computed)
        raw = next((flag.removeprefix("rw=") for flag in flags if flag.startswith("rw=")), "")
        fields.append(PageField(match["name"], kind, read, length, members, raw, "flow" in flags, "outside" in flags))
    return tuple(fields)


def _reader(source: str, kind: Kind, computed: Mapping[str, Read]) -> Read:
    blank = BLANKS[kind]
    if source.startswith(":"):
        return computed[source[1:]]
    if source == "-":
        return lambda _state, _record: blank
    return lambda _state, record: record.values.get(source, blank)
