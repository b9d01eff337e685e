"""Import Set API: one staging row per call, transformed at once; and the import sets that every other door shares.

Source: REST API reference, Import Set API; "Import set mode" for asynchronous sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.sandbox.servicenow.access import IMPORT_ROLES
from tests.sandbox.servicenow.answers import Refusal, forbidden, json_answer, no_such_record, parsed_object
from tests.sandbox.servicenow.instance import Call, Instance
from tests.sandbox.servicenow.store import Row
from tests.sandbox.servicenow.transform import Engine, Map, Outcome
from tests.sandbox.servicenow.values import changed_form

STAGING_ROOT = "sys_import_set_row"
KEPT = timedelta(days=7)
RUN_COUNTERS = {
    "inserted": "inserts",
    "updated": "updates",
    "ignored": "ignored",
    "skipped": "skipped",
    "error": "errors",
}
NO_TRANSFORM = {"transform_map": "", "status": "error", "error_message": "Invalid table "}
Body = dict[str, Any]


class ImportSets:
    """Stages rows, runs their maps, and keeps the import set, run and error rows behind them.

    One synchronous import set per staging table and day: the first import of a day ends the older ones and removes what
    is older than seven days. A set whose mode was changed to asynchronous keeps its rows pending until `transform_set`.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._store = instance.store
        self._engine = Engine(instance.store, instance.policies)
        self._answers: dict[str, Body] = {}
        self._staged: Counter[str] = Counter()

    def seconds(self, table: str) -> float:
        """The virtual time one row of the staging table takes."""
        return self._instance.row_seconds * len(self._engine.maps(table))

    def posted(self, call: Call, table: str) -> httpx.Response:
        """``POST /api/now/import/{table}``: 201 whatever became of the row."""
        self.staging_table(table)
        body = parsed_object(call.content)
        if not self._instance.access.allowed(call.user, "create", table):
            raise forbidden("Insert")
        import_set = self._open_set(table)
        row_id = self.stage(import_set["sys_id"], table, body, by=call.user.name)
        answer: Body = {"import_set": import_set["number"], "staging_table": table, "result": []}
        if call.user.roles & IMPORT_ROLES:
            if import_set["mode"] == "asynchronous":
                answer["result"] = [self._pending(table, row_id)]
            elif not self._instance.switches.transform_synchronously or not self._engine.maps(table):
                answer["result"] = [dict(NO_TRANSFORM)]
            else:
                answer["result"] = [self._result(*each) for each in self.transform(table, row_id)]
                call.seconds += self.seconds(table)
        self._answers[row_id] = answer
        return json_answer(201, answer)

    def read(self, call: Call, table: str, sys_id: str) -> httpx.Response:
        """``GET /api/now/import/{table}/{sys_id}`` by the staging row's sys_id: what the POST answered."""
        self.staging_table(table)
        if self._store.get(table, sys_id) is None or not self._instance.access.allowed(call.user, "read", table):
            raise no_such_record()
        return json_answer(200, self._answers.get(sys_id, {"import_set": "", "staging_table": table, "result": []}))

    def staging_table(self, table: str) -> None:
        """Refuses a table that is no import set table."""
        schema = self._store.schema
        if table not in schema or not schema.extends(table, STAGING_ROOT):
            raise Refusal(400, f"Invalid table {table}")

    def new_set(self, table: str, **columns: str) -> Row:
        """A new import set of the staging table."""
        set_id = self._store.insert("sys_import_set", {"table_name": table, **columns})
        return self._store.find("sys_import_set", {"sys_id": set_id})[0]

    def stage(self, set_id: str, table: str, body: Mapping[str, object], *, by: str = "system") -> str:
        """Adds a row to an import set and returns its sys_id. Keys that are no columns of the table are dropped."""
        own = {column.name for column in self._store.schema.own_columns(table)}
        values = {name: changed_form(value) for name, value in body.items() if name in own}
        self._staged[set_id] += 1
        values |= {"sys_import_set": set_id, "sys_import_row": str(self._staged[set_id])}
        return self._store.insert(table, values, by=by)

    def transform(self, table: str, row_id: str) -> list[tuple[Map, Outcome]]:
        """Runs every active map of the table on a row; empty when there is no map or no row."""
        results = []
        for transform_map in self._engine.maps(table):
            source = self._store.get(table, row_id)
            if source is None:
                break
            outcome = self._engine.run(transform_map, table, source)
            self._record(table, source, transform_map, outcome)
            results.append((transform_map, outcome))
            if outcome.halts:
                break
        return results

    def transform_set(self, set_id: str) -> Iterator[float]:
        """Loads and transforms an import set, a step at a time; each step's seconds are told before it is done."""
        yield 0.0
        moment = self._instance.now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._store.update("sys_import_set", set_id, {"state": "loaded", "load_completed": moment})
        found = self._store.find("sys_import_set", {"sys_id": set_id})
        table = found[0]["table_name"] if found else ""
        rows = [row["sys_id"] for row in self._store.find(table, {"sys_import_set": set_id})] if table else []
        for row_id in rows:
            row = self._store.get(table, row_id)
            if row is None or row["sys_import_state"] != "pending":
                continue
            yield self.seconds(table)
            if any(outcome.halts for _, outcome in self.transform(table, row_id)):
                for run in self._store.find("sys_import_set_run", {"set": set_id}):
                    self._store.update("sys_import_set_run", run["sys_id"], {"state": "did_not_complete"})
                break
        if self._store.find("sys_import_set", {"sys_id": set_id}):
            self._store.update("sys_import_set", set_id, {"state": "processed"})

    def end_the_day(self) -> None:
        """Ends the synchronous sets of earlier days, and removes sets and rows older than seven days."""
        now = self._instance.now().astimezone(UTC)
        for row in list(self._store.find("sys_import_set", {"state": "loading", "mode": "synchronous"})):
            if row["sys_created_on"][:10] != now.strftime("%Y-%m-%d"):
                self._store.update("sys_import_set", row["sys_id"], {"state": "processed"})
        for table in {row["table_name"] for row in self._store.scan("sys_import_set")}:
            self._remove_old(table, now - KEPT)

    def _open_set(self, table: str) -> Row:
        now = self._instance.now().astimezone(UTC)
        for row in self._store.find(
            "sys_import_set", {"table_name": table, "state": "loading", "multi_import_set": ""}
        ):
            if row["sys_created_on"][:10] == now.strftime("%Y-%m-%d"):
                return row
            self._store.update("sys_import_set", row["sys_id"], {"state": "processed"})
        self._remove_old(table, now - KEPT)
        return self.new_set(table)

    def _remove_old(self, table: str, before: datetime) -> None:
        limit = before.strftime("%Y-%m-%d %H:%M:%S")
        for old in self._store.find("sys_import_set", {"table_name": table}):
            if old["sys_created_on"] < limit:
                for row in self._store.find(table, {"sys_import_set": old["sys_id"]}):
                    self._store.delete(table, row["sys_id"])
                    self._answers.pop(row["sys_id"], None)
                self._store.delete("sys_import_set", old["sys_id"])

    def _record(self, table: str, source: Row, transform_map: Map, outcome: Outcome) -> None:
        run_id = self._count(source["sys_import_set"], transform_map, outcome.status)
        error_id = ""
        message = outcome.error_message or outcome.status_message
        if outcome.status == "error":
            error = {"import_set_row": source["sys_id"], "error_code": str(outcome.error_code), "message": message}
            error_id = self._store.insert("sys_import_set_row_error", error)
        state = {
            "sys_import_state": outcome.status,
            "sys_import_state_comment": message,
            "sys_target_table": transform_map.row["target_table"],
            "sys_target_sys_id": outcome.sys_id,
            "sys_transform_map": transform_map.row["sys_id"],
            "import_set_run": run_id,
            "sys_row_error": error_id,
        }
        self._store.update(table, source["sys_id"], state)

    def _count(self, set_id: str, transform_map: Map, status: str) -> str:
        key = {"set": set_id, "sys_transform_map": transform_map.row["sys_id"]}
        known = self._store.find("sys_import_set_run", key)
        run_id = known[0]["sys_id"] if known else self._store.insert("sys_import_set_run", key)
        run = self._store.find("sys_import_set_run", {"sys_id": run_id})[0]
        counters = ("total", "processed", RUN_COUNTERS[status])
        changes = {name: str(int(run[name]) + 1) for name in counters}
        changes["state"] = "complete_with_errors" if run["errors"] != "0" or status == "error" else "complete"
        self._store.update("sys_import_set_run", run_id, changes)
        return run_id

    def _pending(self, table: str, row_id: str) -> Body:
        return {
            "transform_map": "",
            "table": table,
            "display_name": "sys_id",
            "display_value": row_id,
            "record_link": f"{self._instance.url}/api/now/table/{table}/{row_id}",
            "status": "pending",
            "sys_id": row_id,
        }

    def _result(self, transform_map: Map, outcome: Outcome) -> Body:
        table = transform_map.row["target_table"]
        result: Body = {"transform_map": transform_map.row["name"]}
        if outcome.status != "error":
            result["table"] = table
        if outcome.sys_id:
            name = self._store.schema.display_column(table)
            result["display_name"] = name
            result["display_value"] = self._store.display(table, outcome.sys_id)
            result["record_link"] = f"{self._instance.url}/api/now/table/{table}/{outcome.sys_id}"
        result["status"] = outcome.status
        if outcome.sys_id:
            result["sys_id"] = outcome.sys_id
        if outcome.error_message:
            result["error_message"] = outcome.error_message
        if outcome.status_message:
            result["status_message"] = outcome.status_message
        return result | outcome.response
