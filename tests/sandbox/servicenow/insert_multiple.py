"""Import Set API, many rows: one asynchronous import set per call, whose answer tells nothing about the rows.

Source: REST API reference, Import Set API, insertMultiple; security settings, "insert multiple optimize".
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.sandbox.servicenow.access import IMPORT_ROLES
from tests.sandbox.servicenow.answers import Refusal, forbidden, json_answer
from tests.sandbox.servicenow.import_sets import ImportSets
from tests.sandbox.servicenow.instance import Call, Instance
from tests.sandbox.servicenow.store import Row
from tests.sandbox.servicenow.workers import Block, Workers

OPTIMIZE = "com.glide.import_set_api.insert_multiple_optimize"
DEFAULTS = {"column_mapping": "label", "transformation": "asynchronous", "use_data_source_format": "false"}


class InsertMultiple:
    """Stages the records of a call as one import set.

    Keys are column labels, and the transformation is asynchronous, unless the table's row in sys_rest_insert_multiple says
    otherwise. A key that fits no column leaves that column empty and the answer a success.
    """

    def __init__(self, instance: Instance, imports: ImportSets, workers: Workers) -> None:
        self._instance = instance
        self._store = instance.store
        self._imports = imports
        self._workers = workers

    def posted(self, call: Call, table: str) -> httpx.Response:
        """``POST /api/now/import/{table}/insertMultiple``."""
        self._imports.staging_table(table)
        records = _records(call.content)
        self._admit(call, table)
        settings = self._settings(table)
        if settings["use_data_source_format"] == "true":
            raise Refusal(400, "Not simulated", "Use data source format")
        group = self._group(call.parameters.get("multi_import_set_id", ""))
        synchronous = settings["transformation"] == "synchronous"
        before = "" if synchronous else self._predecessor(call.parameters.get("run_after", ""))
        mode = settings["transformation"]
        import_set = self._imports.new_set(table, mode=mode, multi_import_set=group, run_after=before)
        set_id = import_set["sys_id"]
        for record in records:
            self._imports.stage(set_id, table, self._by_column(table, record, settings), by=call.user.name)
        if call.user.roles & IMPORT_ROLES:
            steps = self._imports.transform_set(set_id)
            if synchronous:
                call.seconds += sum(steps)
            else:
                self._workers.add(Block(steps, lambda: self._done(before)))
        return json_answer(201, {"import_set_id": set_id, "multi_import_set_id": group})

    def forecast(self, call: Call, table: str) -> float:
        """The virtual seconds the call will take: none unless the table transforms synchronously."""
        if self._settings(table)["transformation"] != "synchronous":
            return 0.0
        try:
            return self._imports.seconds(table) * len(_records(call.content))
        except Refusal:
            return 0.0

    def _admit(self, call: Call, table: str) -> None:
        if self._instance.properties.on(OPTIMIZE):
            if not call.user.roles & IMPORT_ROLES:
                raise Refusal(403, "User Not Authorized", "Failed API level ACL Validation")
        elif not self._instance.access.allowed(call.user, "create", table):
            raise forbidden("Insert")

    def _settings(self, table: str) -> Row:
        found = self._store.find("sys_rest_insert_multiple", {"source_table": table, "active": "true"})
        return found[0] if found else DEFAULTS

    def _by_column(self, table: str, record: dict[str, Any], settings: Row) -> dict[str, Any]:
        if settings["column_mapping"] == "column_name":
            return record
        names = {column.title: column.name for column in self._store.schema.own_columns(table)}
        return {names[label]: value for label, value in record.items() if label in names}

    def _group(self, asked: str) -> str:
        if not asked:
            return self._store.insert("sys_multi_import_set", {})
        if self._store.get("sys_multi_import_set", asked) is None:
            raise Refusal(400, "Invalid parameter", f"multi_import_set_id {asked} does not exist")
        return asked

    def _predecessor(self, asked: str) -> str:
        if asked and self._store.get("sys_import_set", asked) is None:
            raise Refusal(400, "Invalid parameter", f"run_after {asked} does not exist")
        return asked

    def _done(self, set_id: str) -> bool:
        row = self._store.get("sys_import_set", set_id) if set_id else None
        return row is None or row["state"] == "processed"


def _records(content: bytes) -> list[dict[str, Any]]:
    try:
        body = json.loads(content)
    except ValueError as fault:
        raise Refusal(400, "Exception while reading request", str(fault)) from fault
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refusal(400, "Exception while reading request", "records must be a list of objects")
    return records
