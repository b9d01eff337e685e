"""The ServiceNow sandbox: one request handler over one instance's state, and the control interface."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import httpx

from tests.sandbox.servicenow import (
    aggregate,
    attachments,
    role_paths,
    shipped,
    shipped_details,
    table_reads,
    table_writes,
)
from tests.sandbox.servicenow.access import Access, rule
from tests.sandbox.servicenow.ap_invoice import ApInvoices
from tests.sandbox.servicenow.batch import Batch
from tests.sandbox.servicenow.credentials import Credentials
from tests.sandbox.servicenow.front import LOGGED_IN, Front
from tests.sandbox.servicenow.governance_tables import GOVERNANCE_TABLES
from tests.sandbox.servicenow.import_sets import STAGING_ROOT, ImportSets
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.servicenow.insert_multiple import InsertMultiple
from tests.sandbox.servicenow.instance import Call, Instance, Switches
from tests.sandbox.servicenow.jobs import Jobs
from tests.sandbox.servicenow.order_states import OrderStates
from tests.sandbox.servicenow.platform_tables import PLATFORM_TABLES
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.query import parse
from tests.sandbox.servicenow.routing import Routes
from tests.sandbox.servicenow.schema import Schema
from tests.sandbox.servicenow.shipped_details import BASE_DETAIL_TABLES, LICENSED_DETAIL_TABLES
from tests.sandbox.servicenow.source_to_pay_tables import SOURCE_TO_PAY_TABLES
from tests.sandbox.servicenow.staging_jobs import StagingJobs
from tests.sandbox.servicenow.staging_tables import STAGING
from tests.sandbox.servicenow.store import Row, Store
from tests.sandbox.servicenow.workers import Block, Workers

IMPORT_PATH = re.compile(r"/api/now/(?:v\d/)?import/(?P<table>[^/]+)(?P<many>/insertMultiple)?/?")
COMMON_HEADERS = {
    "Server": "ServiceNow",
    "Cache-Control": "no-cache,no-store,must-revalidate,max-age=-1",
    "Pragma": "no-store,no-cache",
    "Expires": "0",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


class ServiceNow:
    """One ServiceNow instance with Source-to-Pay.

    `now` is the instance's clock. `seed` holds rows by table, inserted in the given order after the shipped ones.
    `row_seconds` is the virtual time one transformed row takes; nothing really waits. Counters start at zero. An instance
    that is not `licensed` lacks the Source-to-Pay applications: their tables, roles and maps do not exist.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        instance_url: str = "https://example.service-now.com",
        seed: Mapping[str, Sequence[Mapping[str, str]]] = {},  # noqa: B006 - read only
        row_seconds: float = 0.0,
        licensed: bool = True,
    ) -> None:
        bought = (*STAGING, *SOURCE_TO_PAY_TABLES, *LICENSED_DETAIL_TABLES) if licensed else ()
        self.tables = Store(Schema((*PLATFORM_TABLES, *GOVERNANCE_TABLES, *BASE_DETAIL_TABLES, *bought)), now)
        self.access = Access(self.tables)
        self.properties = Properties(self.tables)
        self._instance = Instance(instance_url, now, self.tables, self.access, self.properties, row_seconds)
        self.credentials = Credentials(self.tables, self.access, self.properties, self.switches, now)
        self.imports = ImportSets(self._instance)
        self.workers = Workers(self.tables.lock)
        self.jobs = Jobs(now, self.workers, self.tables.lock)
        StagingJobs(self._instance, self.imports).schedule(self.jobs)
        OrderStates(self.tables, lambda: self.switches.order_status_from_lines)
        attachments.open_to_internal_users(self.access)
        self._multiple = InsertMultiple(self._instance, self.imports, self.workers)
        self._ap_invoices = ApInvoices(self._instance, self.imports, self.workers)
        self._routes = Routes()
        self.front = Front(self._instance, self.credentials, self._routes.dispatch, self._forecast)
        self._batch = Batch(self.front.item, self._forecast, self.front.injected.cut)
        self._transactions = itertools.count(1)
        self._mount()
        shipped.ship(self.tables, self.access, licensed=licensed)
        shipped_details.ship(self.tables)
        self.tables.seed(seed)
        for counter in (self.tables.inserts, self.tables.updates, self.tables.deletes):
            counter.clear()
        self._controls: dict[str, Callable[[Any], Any]] = {
            "rows": self._control_rows,
            "insert": lambda body: [self.tables.insert(body["table"], row) for row in body["rows"]],
            "update": lambda body: self.tables.update(body["table"], body["sys_id"], body["changes"]),
            "delete": lambda body: self.tables.delete(body["table"], body["sys_id"]),
            "property": lambda body: self.properties.set(body["name"], body["value"]),
            "grant": lambda body: self.access.grant(body["user"], body["role"]),
            "revoke": lambda body: self.access.revoke(body["user"], body["role"]),
            "rule": lambda body: self.access.add(rule(**body)),
            "switches": self._control_switches,
            "writes": lambda _body: self.writes(),
            "work": lambda body: self.workers.work((body or {}).get("seconds")),
            "run_jobs": lambda _body: self.jobs.run_jobs(),
            "run_job": lambda body: self.jobs.run(body["name"]),
            "transform": lambda body: self.transform(body["import_set"]),
            "inject": self._control_inject,
            "inject_seed": self.front.injected.seed,
            "switch_node": lambda _body: self.front.sessions.switch_node(),
            "revoke_tokens": lambda _body: self.credentials.revoke_tokens(),
        }

    @property
    def switches(self) -> Switches:
        """Behaviours that the vendor leaves open."""
        return self._instance.switches

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers any request a client sends to the instance."""
        request.read()
        answer = self.front.answer(request)
        answer.headers.update(COMMON_HEADERS)
        answer.headers.setdefault(LOGGED_IN, "false")
        answer.headers["X-Transaction-ID"] = f"{next(self._transactions):012x}"
        return answer

    def control(self, name: str, body: Any) -> Any:
        """The control interface: looks at and changes the instance's state past its APIs."""
        action = self._controls.get(name)
        if action is None:
            return {"error": f"no control named {name}; there are: {', '.join(sorted(self._controls))}"}
        with self.tables.lock:
            answer = action(body)
        return {} if answer is None else answer

    def writes(self) -> dict[str, int]:
        """How many rows were inserted, updated or deleted per table since the start; tables without a write are absent."""
        with self.tables.lock:
            return dict(self.tables.inserts + self.tables.updates + self.tables.deletes)

    def work(self, seconds: float | None = None) -> None:
        """Gives each background worker that much virtual time; None: until nothing is left to do."""
        self.workers.work(seconds)

    def run_jobs(self) -> list[str]:
        """Does what the clock has made due (workers first, then scheduled jobs); returns the names of the jobs."""
        return self.jobs.run_jobs()

    def background(self, interval: float = 0.05) -> AbstractContextManager[None]:
        """Runs `run_jobs` in a thread as long as the block lasts: for a sandbox that is served."""
        return self.jobs.in_background(interval)

    def transform(self, import_set: str) -> None:
        """Queues an import set by its number for the workers, as its "Transform" button does."""
        with self.tables.lock:
            (row,) = self.tables.find("sys_import_set", {"number": import_set})
            self.workers.add(Block(self.imports.transform_set(row["sys_id"])))

    def _mount(self) -> None:
        reads, writes = table_reads, table_writes
        self._routes.add("VERSION/table/{table}", GET=reads.listed, POST=writes.created)
        self._routes.add(
            "VERSION/table/{table}/{sys_id}",
            GET=reads.single,
            PUT=writes.updated,
            PATCH=writes.updated,
            DELETE=writes.deleted,
        )
        self._routes.add("VERSION/import/{table}", POST=self.imports.posted)
        self._routes.add("VERSION/import/{table}/insertMultiple", POST=self._multiple.posted)
        self._routes.add("VERSION/import/{table}/{sys_id}", GET=self.imports.read)
        self._routes.add("VERSION/stats/{table}", GET=aggregate.stats)
        self._routes.add("VERSION/attachment", GET=attachments.listed)
        self._routes.add("VERSION/attachment/file", json_only=False, POST=attachments.posted_file)
        self._routes.add("VERSION/attachment/upload", json_only=False, POST=attachments.uploaded)
        self._routes.add(
            "VERSION/attachment/{sys_id}", GET=attachments.single, PATCH=attachments.renamed, DELETE=attachments.deleted
        )
        self._routes.add("VERSION/attachment/{sys_id}/file", json_only=False, GET=attachments.downloaded)
        self._routes.add(
            "VERSION/ap_invoice/json", space="sn_spend_intg", json_only=False, POST=self._ap_invoices.posted
        )
        self._routes.add("v1/batch", POST=self._batch.posted)
        self._routes.add("tinyurl", POST=self.front.tiny_urls.posted)
        self._routes.add("user_role_inheritance", space="global", GET=role_paths.read)

    def _forecast(self, call: Call) -> float:
        found = IMPORT_PATH.fullmatch(call.url.path)
        schema = self.tables.schema
        if call.method != "POST" or found is None or found["table"] not in schema:
            return 0.0
        if not schema.extends(found["table"], STAGING_ROOT):
            return 0.0
        many = found["many"] is not None
        return self._multiple.forecast(call, found["table"]) if many else self.imports.seconds(found["table"])

    def _control_rows(self, body: Any) -> list[Row]:
        selection = self._instance.selection(self.access.user(self.tables.find("sys_user", {"user_name": "admin"})[0]))
        return [dict(row) for row in selection.select(body["table"], parse(body.get("query", "")))]

    def _control_switches(self, body: Any) -> None:
        for name, value in body.items():
            self.switches.set(name, value)

    def _control_inject(self, body: Any) -> None:
        self.front.injected.rows = [Injection(**row) for row in body]
