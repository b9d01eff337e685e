"""The APIs beside v2.0 at the same base address: which of them are there, and what their addresses name.

Each is there or not by the set `available`, named by publisher, group and version; one that is not is answered like any
unknown address. The webhook list is part of the platform; finance, analytics and automate come with apps and versions; the
dimension value page is an extension's and absent until it is installed: any name that is none of Microsoft's, once available,
is that page under this publisher, group and version. Under the extension's own name its other pages stand beside that one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence

import httpx

from tests.sandbox.business_central import api_sets, custom_values, extension_sets, writes
from tests.sandbox.business_central.api_rows import ApiRows
from tests.sandbox.business_central.cost_centre_mappings import CostCentreMappings
from tests.sandbox.business_central.dimension_rules import DimensionNumbers
from tests.sandbox.business_central.edits import Edits
from tests.sandbox.business_central.encoding import is_guid
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.errors import (
    Refusal,
    malformed_guid,
    method_not_allowed,
    unknown_record,
    unknown_segment,
)
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.purchase_changes import PurchaseChanges, Watcher
from tests.sandbox.business_central.query import Query
from tests.sandbox.business_central.routing import Target, find_company
from tests.sandbox.business_central.row_versions import RowVersions
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.uncertainties import Uncertainties
from tests.sandbox.business_central.webhook_resources import EXTENSION, RESOURCES_SET

RUNTIME = "microsoft/runtime/beta"
FINANCE = "microsoft/reportsFinance/beta"
ANALYTICS = "microsoft/analytics/v1.0"
AUTOMATE = "microsoft/automate/v1.0"
_SEGMENT = re.compile(r"(\$?\w+)(?:\((.*)\))?")
_PREFIX = re.compile(r"\s*resource\s+eq\s+'([^'*]*)\*'\s*")
_Rows = Callable[[CompanyState], Sequence[Record]]


class OtherApis:
    """The APIs beside v2.0. `available` is a switch; `rows` has two more. `watchers` are told what changes in the extension."""

    def __init__(
        self,
        companies: Sequence[CompanyState],
        supported: Callable[[], Sequence[str]],
        edits: Edits,
        versions: RowVersions,
    ) -> None:
        self.available = {RUNTIME, FINANCE, ANALYTICS, AUTOMATE}
        self.numbers = DimensionNumbers(companies)
        self.rows = ApiRows(self.numbers)
        self.watchers: list[Watcher] = []
        self._supported = supported
        self._edits = edits
        self._mappings = CostCentreMappings(versions, edits.stamp, self.watchers)
        changes = PurchaseChanges(companies, self.available, versions, edits.stamp, self.watchers)
        rows = self.rows
        self._sets: Mapping[str, Sequence[tuple[EntitySet, _Rows]]] = {
            RUNTIME: [(RESOURCES_SET, self._resources)],
            FINANCE: [
                (api_sets.FINANCE_VALUES, rows.finance_values),
                (api_sets.FINANCE_SETS, rows.finance_sets),
            ],
            ANALYTICS: [
                (api_sets.PURCHASE_LINES, rows.purchase_lines),
                (api_sets.OUTSTANDING_LINES, rows.outstanding_lines),
                (api_sets.FLAT_SETS, rows.flat_sets),
            ],
            AUTOMATE: [(api_sets.POSTED_INVOICES, rows.posted_invoices)],
            EXTENSION: [
                (extension_sets.VALUES, _custom_values),
                (extension_sets.MAPPINGS, self._mappings.rows),
                (extension_sets.CHANGES, changes.headers),
                (extension_sets.LINE_CHANGES, changes.lines),
                (extension_sets.DELETED, changes.deleted),
                (extension_sets.STATES, changes.states),
            ],
        }

    def target(
        self, api: str, companies: Sequence[CompanyState], segments: Sequence[str], pairs: list[tuple[str, str]]
    ) -> Target:
        """What the segments behind an API's base name, or `Refusal`; may put a filter of `pairs` into plainer words, and adds
        the order that the rows of a feed come in by themselves."""
        parts = [_split(segment) for segment in segments]
        name, key = parts[0]
        if name == "companies" and key is None and len(parts) == 1:
            return Target(ALL_SETS["companies"], "companies", None, [state.company for state in companies])
        company = next((value for option, value in pairs if option.lower() == "company"), None)
        if name == "companies" and key is not None:
            company = _guid(key)
            parts = parts[1:]
        state = find_company(companies, company)
        if not parts:
            return Target(ALL_SETS["companies"], "companies", state, record=state.company)
        counted = len(parts) == 2 and parts[1] == ("$count", None) and parts[0][1] is None
        if len(parts) > 1 and not counted:
            raise unknown_segment(parts[1][0])
        name, key = parts[0]
        entity, rows = self._set(api, name)
        context = f"companies({state.id})/{entity.name}"
        if key is None:
            if entity is RESOURCES_SET:
                _read_prefixes(pairs)
            if entity in extension_sets.FEEDS and "$orderby" not in dict(pairs):
                pairs.append(("$orderby", "rowVersion"))
            return Target(entity, context, state, list(rows(state)), count=counted)
        if entity in api_sets.QUERIES or entity is RESOURCES_SET:
            raise unknown_segment(f"{name}({key})")
        wanted = _guid(key)
        found = next((record for record in rows(state) if record.id == wanted), None)
        if found is None:
            raise unknown_record(entity.caption, wanted)
        return Target(entity, context, state, record=found)

    def write(self, target: Target, request: httpx.Request, fresh_guid: str, unsure: Uncertainties) -> Record | None:
        """Carries out a write to any API; the record to show, None after a deletion, or `Refusal`."""
        if target.entity is extension_sets.MAPPINGS:
            return self._mappings.write(target, request, fresh_guid)
        if target.entity is extension_sets.VALUES and request.method == "DELETE":
            raise method_not_allowed(request.method, target.entity.name)
        if target.entity in (extension_sets.VALUES, api_sets.CUSTOM_VALUES):
            return custom_values.write(self._edits, self.numbers, target, request, fresh_guid)
        return writes.write(self._edits, target, request, fresh_guid, unsure)

    def sets(self, api: str) -> list[EntitySet]:
        """The sets of an API."""
        return [entity for entity, _ in self._sets.get(api, _CUSTOM_SETS)]

    def _set(self, api: str, name: str) -> tuple[EntitySet, _Rows]:
        for entity, rows in self._sets.get(api, _CUSTOM_SETS):
            if entity.name == name:
                return entity, rows
        raise unknown_segment(name)

    def _resources(self, _state: CompanyState) -> list[Record]:
        return [
            Record({"id": str(uuid.UUID(int=number)), "resource": resource}, 0, RESOURCES_SET)
            for number, resource in enumerate(self._supported(), 1)
        ]


def check_order(entity: EntitySet, query: Query) -> None:
    """Passes unless the rows of a query are wanted in another order than its own."""
    if entity in api_sets.QUERIES and query.order:
        raise Refusal(
            501,
            "BadRequest_MethodNotImplemented",
            "Entity does not support bound actions or an orderby query option did not match the default OrderBy fields of "
            "an underlying Query object.",
        )


def _custom_values(state: CompanyState) -> list[Record]:
    return [custom_values.shown(state, record) for record in state.all_of("dimensionValues")]


_CUSTOM_SETS: Sequence[tuple[EntitySet, _Rows]] = [(api_sets.CUSTOM_VALUES, _custom_values)]


def _read_prefixes(pairs: list[tuple[str, str]]) -> None:
    """The list of webhook resources is filtered with a star at the end: a beginning is meant."""
    for place, (name, value) in enumerate(pairs):
        match = _PREFIX.fullmatch(value) if name == "$filter" else None
        if match is not None:
            pairs[place] = (name, f"startswith(resource,'{match.group(1)}')")


def _split(segment: str) -> tuple[str, str | None]:
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        raise unknown_segment(segment)
    return match.group(1), match.group(2)


def _guid(key: str) -> str:
    if not is_guid(key):
        raise malformed_guid()
    return key.lower()
