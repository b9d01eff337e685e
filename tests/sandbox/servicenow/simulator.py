"""The ServiceNow sandbox: one request handler over one instance's state, and the control interface."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from tests.sandbox.servicenow import shipped, table_reads, table_writes
from tests.sandbox.servicenow.access import Access, rule
from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.batch import Batch
from tests.sandbox.servicenow.credentials import Credentials
from tests.sandbox.servicenow.import_sets import STAGING_ROOT, ImportSets
from tests.sandbox.servicenow.instance import Call, Instance, Switches
from tests.sandbox.servicenow.platform_tables import PLATFORM_TABLES
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.query import parse
from tests.sandbox.servicenow.routing import Routes
from tests.sandbox.servicenow.schema import Schema
from tests.sandbox.servicenow.source_to_pay_tables import SOURCE_TO_PAY_TABLES
from tests.sandbox.servicenow.staging_tables import STAGING
from tests.sandbox.servicenow.store import Row, Store

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
    `row_seconds` is the virtual time one transformed row takes; nothing really waits. Counters start at zero.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        instance_url: str = "https://example.service-now.com",
        seed: Mapping[str, Sequence[Mapping[str, str]]] = {},  # noqa: B006 - read only
        row_seconds: float = 0.0,
    ) -> None:
        self.tables = Store(Schema((*PLATFORM_TABLES, *STAGING, *SOURCE_TO_PAY_TABLES)), now)
        self.access = Access(self.tables)
        self.properties = Properties(self.tables)
        self.credentials = Credentials(self.tables, self.access, self.properties, now)
        self._instance = Instance(instance_url, now, self.tables, self.access, self.properties, row_seconds)
        self.imports = ImportSets(self._instance)
        self._routes = Routes()
        self._batch = Batch(self._locked, self._forecast)
        self._transactions = itertools.count(1)
        self._mount()
        shipped.ship(self.tables, self.access)
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
        }

    @property
    def switches(self) -> Switches:
        """Behaviours that the vendor leaves open."""
        return self._instance.switches

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers any request a client sends to the instance."""
        request.read()
        logged_in = False
        try:
            if request.url.path == "/oauth_token.do" and request.method == "POST":
                with self.tables.lock:
                    answer = self.credentials.token(request)
            elif not request.url.path.startswith("/api/"):
                answer = httpx.Response(302, headers={"Location": f"{self._instance.url}/login.do"})
            else:
                with self.tables.lock:
                    user = self.credentials.user(request)
                logged_in = True
                headers = request.headers
                answer = self._locked(Call(self._instance, request.method, request.url, headers, request.content, user))
        except Refusal as refusal:
            answer = refusal.answer()
        answer.headers.update(COMMON_HEADERS)
        transaction = next(self._transactions)
        answer.headers["X-Is-Logged-In"] = "true" if logged_in else "false"
        answer.headers["X-Transaction-ID"] = f"{transaction:012x}"
        if "JSESSIONID" not in request.headers.get("Cookie", ""):
            answer.headers["Set-Cookie"] = f"JSESSIONID={transaction:032X}; Path=/; HttpOnly"
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
        self._routes.add("VERSION/import/{table}/{sys_id}", GET=self.imports.read)
        self._routes.add("v1/batch", POST=self._batch.posted)

    def _locked(self, call: Call) -> httpx.Response:
        # A batch takes the lock item by item, so that a long one does not hold up everybody else.
        if call.url.path.rstrip("/").endswith("/batch"):
            return self._routes.dispatch(call)
        with self.tables.lock:
            return self._routes.dispatch(call)

    def _forecast(self, call: Call) -> float:
        *_, kind, table = call.url.path.split("/")
        schema = self.tables.schema
        if call.method == "POST" and kind == "import" and table in schema and schema.extends(table, STAGING_ROOT):
            return self.imports.seconds(table)
        return 0.0

    def _control_rows(self, body: Any) -> list[Row]:
        selection = self._instance.selection(self.access.user(self.tables.find("sys_user", {"user_name": "admin"})[0]))
        return [dict(row) for row in selection.select(body["table"], parse(body.get("query", "")))]

    def _control_switches(self, body: Any) -> None:
        for name, value in body.items():
            if not hasattr(self.switches, name):
                raise ValueError(f"no switch named {name}")
            setattr(self.switches, name, bool(value))
