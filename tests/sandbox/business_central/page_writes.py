"""Writes through pages: dimension values, the one page here that may be edited, by the rules of their table.

Source: page 537 "Dimension Values" and the table of the same name in Microsoft's public source.
"""

from __future__ import annotations

from tests.sandbox.business_central import custom_values
from tests.sandbox.business_central.dimension_rules import DimensionNumbers
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.page_services import PageService
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.store import CompanyState, Record


def create(edits: Edits, state: CompanyState, service: PageService, values: Row, fresh_guid: str) -> Record:
    """Adds a record with these fields of the page, or `Refusal`."""
    return custom_values.create(edits, state, _raw(service, values), fresh_guid)


def change(
    edits: Edits, numbers: DimensionNumbers, state: CompanyState, service: PageService, record: Record, values: Row
) -> None:
    """Changes fields of a record, its key among them, or `Refusal`."""
    custom_values.change(edits, numbers, state, record, _raw(service, values))


def remove(numbers: DimensionNumbers, state: CompanyState, record: Record) -> None:
    """Deletes a record, or `Refusal`."""
    custom_values.remove(numbers, state, record)


def _raw(service: PageService, values: Row) -> Row:
    return {service.field_by_name[name].raw: value for name, value in values.items()}
