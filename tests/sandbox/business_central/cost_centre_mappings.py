"""The mapping table of the extension: which dimension value stands for which cost centre, written by whoever aligns them.

Key: dimension and cost centre. The table relations of its columns make sure that dimension and value exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import httpx

from tests.sandbox.business_central.dimension_rules import value_of
from tests.sandbox.business_central.entities import BLANKS
from tests.sandbox.business_central.errors import Refusal, method_not_allowed
from tests.sandbox.business_central.extension_sets import MAPPINGS
from tests.sandbox.business_central.purchase_changes import Watcher
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.routing import Target
from tests.sandbox.business_central.row_versions import RowVersions
from tests.sandbox.business_central.store import Change, CompanyState, Record
from tests.sandbox.business_central.writes import changes_in, check_token, json_body

_TABLE = "Cost Centre Mapping"
_BLANK: Row = {prop.name: BLANKS[prop.kind] for prop in MAPPINGS.properties}


class CostCentreMappings:
    """The mapping tables of all companies."""

    def __init__(self, versions: RowVersions, stamp: Callable[[], datetime], watchers: Sequence[Watcher]) -> None:
        self._versions = versions
        self._stamp = stamp
        self._watchers = watchers
        self._kept: dict[str, dict[str, Record]] = {}

    def rows(self, state: CompanyState) -> list[Record]:
        """The rows of a company."""
        return list(self._kept.get(state.id, {}).values())

    def write(self, target: Target, request: httpx.Request, fresh_guid: str) -> Record | None:
        """Carries out a POST, PATCH, PUT or DELETE; the record to show, None after a deletion, or `Refusal`."""
        state, record, method = target.state, target.record, request.method
        if state is None or (record is None) != (method == "POST"):
            raise method_not_allowed(method, MAPPINGS.name)
        kept = self._kept.setdefault(state.id, {})
        if record is None:
            record = Record(_BLANK | {"id": fresh_guid}, 0, MAPPINGS)
            self._change(state, record, _changes(request), "created")
            kept[record.id] = record
            return record
        check_token(record, request, required=method != "DELETE")
        if method == "DELETE":
            del kept[record.id]
            self._tell(state, "deleted", record)
            return None
        self._change(state, record, _changes(request), "updated")
        return record

    def _change(self, state: CompanyState, record: Record, changes: Row, change: Change) -> None:
        row = record.values | changes
        self._check(state, row, record.id)
        record.values.update(row | {"lastModifiedDateTime": self._stamp()})
        record.version = self._versions()
        record.rendered.clear()
        self._tell(state, change, record)

    def _check(self, state: CompanyState, row: Row, own: str) -> None:
        dimension, code, sys_id = str(row["dimensionCode"]), str(row["code"]), str(row["costCentreSysId"])
        for caption, text in (("Dimension Code", dimension), ("Cost Centre Sys Id", sys_id)):
            if not text:
                raise Refusal(
                    400,
                    "Application_FieldValidationException",
                    f"{caption} must have a value in {_TABLE}: Dimension Code={dimension}, Cost Centre Sys Id={sys_id}. "
                    "It cannot be zero or empty.",
                )
        if all(each.values["code"] != dimension for each in state.all_of("dimensions")):
            raise _unrelated("Dimension Code", dimension, "Dimension")
        if code and value_of(state, dimension, code) is None:
            raise _unrelated("Code", code, "Dimension Value")
        key = (dimension, sys_id)
        for each in self.rows(state):
            if each.id != own and (each.values["dimensionCode"], each.values["costCentreSysId"]) == key:
                raise Refusal(
                    409,
                    "Internal_EntityWithSameKeyExists",
                    f"The {_TABLE} already exists. Identification fields and values: "
                    f"Dimension Code='{dimension}',Cost Centre Sys Id='{sys_id}'",
                )

    def _tell(self, state: CompanyState, change: Change, record: Record) -> None:
        for watcher in self._watchers:
            watcher(state, change, record)


def _changes(request: httpx.Request) -> Row:
    changes = changes_in(MAPPINGS, json_body(request))
    return changes | {name: str(changes[name]).strip().upper() for name in ("dimensionCode", "code") if name in changes}


def _unrelated(field: str, value: str, table: str) -> Refusal:
    return Refusal(
        400,
        "Internal_InvalidTableRelation",
        f"The field {field} of table {_TABLE} contains a value ({value}) that cannot be found in the related table ({table}).",
    )
