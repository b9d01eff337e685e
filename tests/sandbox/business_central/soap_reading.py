"""The reading operations of page services: Read, ReadByRecId, ReadMultiple, IsUpdated, GetRecIdFromKey.

Source: the pages of the same names under "Basic page operations". What is not found is an empty result and no fault; a filter
that cannot be read is one. A next page has the same filter and, as bookmark, the key of the last record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from tests.sandbox.business_central.page_publishing import PageServices
from tests.sandbox.business_central.page_services import PageRow, PageService, rows
from tests.sandbox.business_central.records import Value
from tests.sandbox.business_central.soap_envelope import client_fault, element, nav_fault, split
from tests.sandbox.business_central.soap_filters import BadFilter, Test, matcher
from tests.sandbox.business_central.soap_records import (
    RecordKey,
    position,
    read_key_text,
    record_id,
    record_xml,
    row_key,
    table_number,
)
from tests.sandbox.business_central.soap_values import element_name, is_code, read_key, shown_fields, value_of
from tests.sandbox.business_central.store import CompanyState


@dataclass(frozen=True)
class Call:
    """A call of a page service: where it goes, the namespace its parts must be in, and how records are shown."""

    pages: PageServices
    state: CompanyState
    service: PageService
    namespace: str
    version: int
    blanks: bool

    def parts(self, parent: ElementTree.Element) -> list[tuple[str, ElementTree.Element]]:
        """The children of an element by name, or `SoapFault` where one is in another namespace."""
        found = []
        for child in parent:
            namespace, name = split(child.tag)
            if namespace != self.namespace:
                raise client_fault(f"The element {name} in namespace '{namespace}' is unexpected.")
            found.append((name, child))
        return found

    def texts(self, parent: ElementTree.Element, names: Sequence[str]) -> dict[str, str]:
        """The texts of simple children, each of which must have one of the names."""
        found = {}
        for name, child in self.parts(parent):
            if name not in names or len(child):
                raise client_fault(f"The element {name} in namespace '{self.namespace}' is unexpected.")
            found[name] = child.text or ""
        return found

    def shown(self, row: PageRow | None) -> str:
        """A row as XML, nothing when there is none; `Refusal` when its page cannot show it."""
        if row is None:
            return ""
        self.pages.check_whole([row.record])
        return record_xml(self.service, row, self.version, blanks=self.blanks)

    def row(self, key: RecordKey) -> PageRow:
        """The row that stands where a key says, or `SoapFault`."""
        if key.table == table_number(self.service):
            for row in rows(self.state, self.service):
                if position(row) == key.position:
                    return row
        raise nav_fault("NavCSideRecordNotFoundException", f"The {self.service.table} does not exist.")


def read(call: Call, asked: ElementTree.Element) -> str:
    """The record with the primary key given."""
    fields = read_key(call.service)
    texts = call.texts(asked, [each.name for each in fields])
    wanted: dict[str, Value] = {each.name: value_of(each, texts.get(each.name, "")) for each in fields}
    found = (row for row in rows(call.state, call.service) if all(row.values[name] == wanted[name] for name in wanted))
    return call.shown(next(found, None))


def read_by_record_id(call: Call, asked: ElementTree.Element) -> str:
    """The record with the record id given."""
    wanted = call.texts(asked, ["recId"]).get("recId", "").strip()
    found = (row for row in rows(call.state, call.service) if record_id(call.service, row) == wanted)
    return call.shown(next(found, None))


def read_multiple(call: Call, asked: ElementTree.Element) -> str:
    """The records that pass all filters, behind the bookmark, as many as the set size allows."""
    tests: list[tuple[str, Test]] = []
    size, bookmark = 0, ""
    for name, child in call.parts(asked):
        if name == "filter":
            tests += _filter(call, child)
        elif name == "setSize":
            size = _size(child.text or "0")
        elif name == "bookmarkKey":
            bookmark = (child.text or "").strip()
        else:
            raise client_fault(f"The element {name} in namespace '{call.namespace}' is unexpected.")
    found = [row for row in rows(call.state, call.service) if all(test(row.values[field]) for field, test in tests)]
    if size < 0:
        found.reverse()
    if bookmark:
        place = read_key_text(bookmark).position
        found = [row for row in found if (position(row) < place if size < 0 else position(row) > place)]
    shown = found[: abs(size)] if size else found
    return f"<ReadMultiple_Result>{''.join(call.shown(row) for row in shown)}</ReadMultiple_Result>"


def is_updated(call: Call, asked: ElementTree.Element) -> str:
    """Whether the record has changed since the key was read."""
    key = _key(call, asked)
    changed = row_key(call.service, call.row(key)) != key
    return element("IsUpdated_Result", "true" if changed else "false")


def record_id_from_key(call: Call, asked: ElementTree.Element) -> str:
    """The record id that belongs to a key."""
    return element("GetRecIdFromKey_Result", record_id(call.service, call.row(_key(call, asked))))


def _key(call: Call, asked: ElementTree.Element) -> RecordKey:
    return read_key_text(call.texts(asked, ["Key"]).get("Key", ""))


def _filter(call: Call, given: ElementTree.Element) -> list[tuple[str, Test]]:
    texts = call.texts(given, ["Field", "Criteria"])
    name, criteria = texts.get("Field", "").strip(), texts.get("Criteria", "")
    if not name and not criteria:
        # A filter of nothing, which some clients send where they have none.
        return []
    field = next((each for each in shown_fields(call.service) if element_name(each, call.version) == name), None)
    if field is None:
        raise client_fault(f"Instance validation error: '{name}' is not a valid value for {call.service.name}_Fields.")
    kind = "enum" if field.members else field.kind
    try:
        return [(field.name, matcher(criteria, kind, field.members, code=is_code(field)))]
    except BadFilter as error:
        caption = field.name.replace("_", " ")
        raise nav_fault(
            "NavFilterException",
            f'The filter "{criteria}" is not valid for the {caption} field on the {call.service.table} table. {error}',
        ) from None


def _size(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise client_fault(f"The string '{text}' is not a valid int value.") from None
