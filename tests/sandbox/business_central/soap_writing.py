"""The changing operations of page services: Create, Update and Delete, single and many at once.

Source: "Create Operation" and its neighbours: an omitted element leaves the field as it is, or blank in a new record; a change
needs the latest key. One call is one transaction. Only dimension values may be written: the user's permissions end there.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

from tests.sandbox.business_central import page_writes
from tests.sandbox.business_central.dimension_rules import DimensionNumbers
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.page_services import PageRow, PageService, row_of
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.soap_envelope import SoapFault, client_fault, element, nav_fault
from tests.sandbox.business_central.soap_reading import Call
from tests.sandbox.business_central.soap_records import identification, read_key_text, row_key, table_number
from tests.sandbox.business_central.soap_values import element_name, shown_fields, value_of

_RIGHTS = {"Create": "Insert", "Update": "Modify", "Delete": "Delete"}
_Act = Callable[[Call, ElementTree.Element], PageRow]


class Writer:
    """Changes records through their pages; `fresh_guid` gives the ids of new ones."""

    def __init__(self, edits: Edits, numbers: DimensionNumbers, fresh_guid: Callable[[], str]) -> None:
        self._edits = edits
        self._numbers = numbers
        self._fresh_guid = fresh_guid

    def carry_out(self, call: Call, operation: str, asked: ElementTree.Element) -> str:
        """Carries out a changing operation: the inside of its result, or `SoapFault` or `Refusal` with nothing changed."""
        kind = operation.partition("_")[0].removesuffix("Multiple")
        if not call.service.writable or operation.startswith("Delete_"):
            raise no_permission(call.service, _RIGHTS[kind])
        if kind == "Delete":
            return self._deleted(call, asked)
        act = self._created if kind == "Create" else self._updated
        name = call.service.name
        if operation == kind:
            return call.shown(act(call, _only(call, asked, name)))
        return self._many(call, act, _only(call, asked, f"{name}_List"))

    def _many(self, call: Call, act: _Act, given: ElementTree.Element) -> str:
        name, before = call.service.name, call.state.twin()
        told = []
        try:
            for each, child in call.parts(given):
                if each != name:
                    raise _unexpected(call, each)
                told.append(act(call, child))
        except (SoapFault, Refusal):
            call.state.go_back_to(before)
            raise
        return f"<{name}_List>{''.join(call.shown(row) for row in told)}</{name}_List>"

    def _created(self, call: Call, given: ElementTree.Element) -> PageRow:
        _, values = _given(call, given)
        record = page_writes.create(self._edits, call.state, call.service, values, self._fresh_guid())
        return row_of(call.state, call.service, record)

    def _updated(self, call: Call, given: ElementTree.Element) -> PageRow:
        text, values = _given(call, given)
        row = _latest(call, text)
        page_writes.change(self._edits, self._numbers, call.state, call.service, row.record, values)
        return row_of(call.state, call.service, row.record)

    def _deleted(self, call: Call, asked: ElementTree.Element) -> str:
        row = _latest(call, call.texts(asked, ["Key"]).get("Key", ""))
        page_writes.remove(self._numbers, call.state, row.record)
        return element("Delete_Result", "true")


def no_permission(service: PageService, right: str) -> SoapFault:
    """What a user is told who may not do this to the table behind a page."""
    return nav_fault(
        "NavPermissionException",
        "Sorry, the current permissions prevented the action. "
        f"(TableData {table_number(service)} {service.table} {right}: Base Application)",
    )


def _only(call: Call, asked: ElementTree.Element, name: str) -> ElementTree.Element:
    parts = call.parts(asked)
    if len(parts) != 1 or parts[0][0] != name:
        raise client_fault(f"The element {name} is missing in {call.service.name}.")
    return parts[0][1]


def _given(call: Call, given: ElementTree.Element) -> tuple[str, Row]:
    """The key and the values that the element of a record gives."""
    fields = {element_name(each, call.version): each for each in shown_fields(call.service)}
    texts = call.texts(given, ["Key", *fields])
    key = texts.pop("Key", "")
    return key, {fields[name].name: value_of(fields[name], text) for name, text in texts.items()}


def _latest(call: Call, text: str) -> PageRow:
    """The row that a key stands for, unless the key is stale."""
    key = read_key_text(text)
    row = call.row(key)
    if row_key(call.service, row) != key:
        raise nav_fault("NavCSideException", f"Other user has modified {identification(call.service, row)}.")
    return row


def _unexpected(call: Call, name: str) -> SoapFault:
    return client_fault(f"The element {name} in namespace '{call.namespace}' is unexpected.")
