"""A write door on the ServiceNow stand-in: its clock, its workers driven by that clock, and everything that was sent."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from connector.decisions.mapping import MappedDocument, StagingRow
from connector.model.profile import Route
from connector.named_files import load_profile
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.servicenow.authorisation import Basic
from connector.servicenow.doors.delivery import Delivery, Door
from connector.servicenow.session import ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow, sample
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.wire import Exchange, InProcess

BASE = "https://example.service-now.com"


class DoorBench:
    """A simulator that works its import sets as time passes, and a session with it. `before` happens before each request."""

    def __init__(self, profile: str, *, row_seconds: float = 0.0) -> None:
        self.clock = VirtualClock()
        self.simulator = ServiceNow(now=self.clock.now, seed=sample.SEED, row_seconds=row_seconds)
        self.tables = self.simulator.tables
        self.route: Route = load_profile(profile).routes["purchaseOrders"]
        self.requests: list[httpx.Request] = []
        self.exchange = Exchange(self._answer, sleep=self.clock.sleep)
        authorisation = Basic(CONNECTOR_USER, CONNECTOR_PASSWORD, self.clock)
        self.session = ServiceNowSession(
            Remote("ServiceNow", InProcess(self.exchange), self.clock),
            authorisation,
            BASE,
            self.clock,
            SeededRandomness(random.Random(1)),
        )
        self.before: Callable[[], None] = lambda: None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.simulator.run_jobs()
        self.before()
        return self.simulator.handle(request)

    def inject(self, *rows: Injection) -> None:
        """Faults inside the instance."""
        self.simulator.front.injected.rows = list(rows)

    def write(self, door: Door, *documents: MappedDocument, seconds: float = 300.0) -> list[Delivery]:
        """What became of the documents, with so much time."""
        end = self.clock.monotonic() + seconds
        return door.write(list(documents), may_go_on=lambda: self.clock.monotonic() < end)

    def sent(self, method: str, path: str) -> list[httpx.Request]:
        """The requests of a method whose path holds the text."""
        return [request for request in self.requests if request.method == method and path in request.url.path]

    def document(
        self,
        id_: str,
        header: Mapping[str, str],
        *lines: Mapping[str, str],
        removed: int = 0,
        earlier: tuple[int, ...] | None = None,
        in_doubt: bool = False,
    ) -> MappedDocument:
        """A mapped document of these rows; the last `removed` lines are taken back. `in_doubt`: the fate of an earlier try is
        not known."""
        rows = [_row(self.route.header, header, "")]
        where = self.route.line.key[-1]
        rows += [_row(self.route.line, line, line[where]) for line in lines]
        for number in range(len(rows) - removed, len(rows)):
            rows[number] = replace(rows[number], removed=True, empty=())
        text = json.dumps([dict(row.columns) for row in rows])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return MappedDocument(id_, tuple(rows), digest, earlier=earlier, in_doubt=in_doubt)


def _row(table: Any, columns: Mapping[str, str], where: str) -> StagingRow:
    known = {name: text for name, text in columns.items() if name in table.columns}
    key = tuple(known.get(name, "") for name in table.key)
    return StagingRow(table.table, key, known, where, tuple(name for name in table.columns if name not in known))


def outcomes(delivery: Delivery) -> list[str]:
    """The outcome of each row that has one, by row."""
    return [result.outcome for _, result in sorted(delivery.results.items())]
