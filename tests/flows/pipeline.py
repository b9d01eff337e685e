"""The whole connector in one process: both simulators, storage in memory, virtual time, and everything sent on record.

Flow tests start here. `poll` and `work` are single steps, `drain` and `run` go on until nothing is left to do.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import httpx

from connector.bootstrap import Ports, build
from connector.decisions.states import Status
from connector.flows.deliver import MAX_RUNS, deliver
from connector.flows.detect import poll_all
from connector.flows.parts import Parts
from connector.flows.receive import Call, receive
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.ports import SeededRandomness
from connector.settings import load_settings
from connector.storage.ledger import partition
from connector.storage.ledger_events import Event
from connector.storage.ledger_rows import State
from tests.flows.expectation import EMPTIED, Row
from tests.sandbox.business_central.records import Document
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import KEYS, Landscape
from tests.sandbox.sample import CompanyData, companies
from tests.sandbox.storage import MemoryQueues, MemoryTables

ORDERS, INVOICES = Entity.PURCHASE_ORDER.value, Entity.PURCHASE_INVOICE.value
MEMOS, RECEIPTS = Entity.CREDIT_MEMO.value, Entity.RECEIPT.value
ENTITIES = {"order": ORDERS, "invoice": INVOICES, "credit memo": MEMOS, "receipt": RECEIPTS}
"""The entity of each kind of expected document."""
US, DE = "CRONUS USA, Inc.", "CRONUS AG"
BC_HOST, LOGIN_HOST, SN_HOST = (
    "api.businesscentral.dynamics.com",
    "login.microsoftonline.com",
    "example.service-now.com",
)
BATCH = "/api/now/v1/batch"
TOKEN = "/oauth_token.do"
MOST_MESSAGES = 500
INVISIBLE_AFTER_FAULT = 30
AT_EVERY_TICK = json.dumps(dict.fromkeys(Feed, 0))
WEBHOOKS_ON = {
    "WEBHOOK_URL": "https://connector.example/api/bc",
    "WEBHOOK_KEY": base64.b64encode(b"the sandbox's own webhook key...").decode(),
}


@dataclass(frozen=True)
class Sent:
    """One request as it left the connector; `status` 0 means that no answer came."""

    method: str
    host: str
    path: str
    body: bytes
    status: int


class Recorder(httpx.BaseTransport):
    """Keeps every request on its way to the simulators."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.requests: list[Sent] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Passes the request on."""
        body, status = request.read(), 0
        try:
            response = self._inner.handle_request(request)
            status = response.status_code
            return response
        finally:
            url = request.url
            self.requests.append(Sent(request.method, url.host, url.path, body, status))

    def to(self, host: str, *, method: str = "", since: int = 0) -> list[Sent]:
        """The requests to one host, perhaps of one method, perhaps only those after the first `since`."""
        return [sent for sent in self.requests[since:] if sent.host == host and method in ("", sent.method)]


@cache
def _sample() -> Sequence[CompanyData]:
    # Made once: the simulator copies what it is filled with, so nobody changes these.
    return companies()


def some(*, orders: int = 12, invoices: int = 8, posted: bool = True) -> list[CompanyData]:
    """The first orders and invoices of both sample companies: enough of every kind of line, quick to carry. `posted`: with
    their receipts and credit memos."""
    parts = [part_of(company, company.orders[:orders], company.invoices[:invoices]) for company in _sample()]
    return parts if posted else [replace(part, history={}) for part in parts]


def part_of(company: CompanyData, orders: list[Document], invoices: list[Document]) -> CompanyData:
    """The company with these documents only, and with the receipts and credit memos that belong to them."""
    belonging = {RECEIPTS: ("orderNumber", orders), MEMOS: ("invoiceNumber", invoices)}
    history = dict(company.history)
    for entity, (name, documents) in belonging.items():
        numbers = {document.number for document in documents}
        history[entity] = [each for each in company.history[entity] if each.header[name] in numbers]
    return replace(company, documents={ORDERS: orders, INVOICES: invoices}, history=history)


class Pipeline:
    """A connector with its surroundings.

    `data`: the companies (default: the whole sample). `seed`: of all chance. `settings`: overrides of application settings.
    `clock`, `tables`, `queues`: those of another pipeline, to go on where it ended or beside it.
    """

    def __init__(
        self,
        *,
        data: Sequence[CompanyData] | None = None,
        master: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
        seed: int = 1,
        settings: Mapping[str, str] | None = None,
        clock: VirtualClock | None = None,
        landscape: Landscape | None = None,
        tables: MemoryTables | None = None,
        queues: MemoryQueues | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.landscape = landscape or Landscape(
            self.clock.now, data=data or _sample(), master=master, sleep=self.clock.sleep
        )
        self.business_central = self.landscape.business_central
        self.servicenow = self.landscape.servicenow
        self.bc_exchange = self.landscape.bc_exchange
        self.sn_exchange = self.landscape.sn_exchange
        self.tables = tables or MemoryTables(self.clock)
        self.queues = queues or MemoryQueues(self.clock)
        self.wire = Recorder(self.landscape.transport())
        self.faults: list[Exception] = []
        self.settings = load_settings(
            self.landscape.environment() | {"POLL_SECONDS": AT_EVERY_TICK} | dict(settings or {})
        )
        chance = SeededRandomness(random.Random(seed))
        self.parts: Parts = build(self.settings, Ports(self.wire, self.tables, self.queues, self.clock, chance))
        if self.settings.webhook_keys:
            self.business_central.webhooks.post.carrier = self.webhook

    # -- going on

    def poll(self) -> None:
        """One tick of the poll timer."""
        poll_all(self.parts)

    def webhook(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request that Business Central sends to the webhook address; with `WEBHOOKS_ON` they all come here."""
        url = request.url
        encoding = request.headers.get("Content-Encoding", "")
        call = Call(url.path.rpartition("/")[2], request.content, url.params.get("validationToken"), encoding)
        reply = receive(self.parts, call)
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body.encode())

    def notify(self) -> int:
        """Lets time pass until Business Central sends its notifications, and these arrive; how many requests it were."""
        due = self.business_central.webhooks.notifications.next_due()
        if due is not None:
            self.clock.advance_to(due)
        return len(self.business_central.webhooks.deliver_due())

    def work(self) -> int:
        """Works every message that is visible now, as the Functions host does; how many there were."""
        done = 0
        while messages := self.queues.receive(self.settings.documents_queue, 1, 600):
            (message,) = messages
            done += 1
            if done > MOST_MESSAGES:
                raise AssertionError(f"more than {MOST_MESSAGES} messages without an end")
            try:
                deliver(self.parts, message.text, message.dequeue_count)
            except Exception as fault:  # noqa: BLE001 - the host, too, survives whatever a function raises
                self.faults.append(fault)
                if message.dequeue_count < MAX_RUNS:
                    self.queues.update(self.settings.documents_queue, message, INVISIBLE_AFTER_FAULT)
                    continue
                self.queues.send(self.settings.poison_queue, message.text)
            self.queues.delete(self.settings.documents_queue, message.sent)
        return done

    def drain(self) -> None:
        """Works until the documents queue is empty, moving time on to where delayed messages become visible."""
        for _ in range(MOST_MESSAGES):
            self.work()
            due = self.queues.next_visible(self.settings.documents_queue)
            if due is None:
                return
            self.clock.advance_to(due)
        raise AssertionError("the documents queue does not become empty")

    def run(self, *, polls: int = 1) -> None:
        """Polls and drains; with more polls, a minute passes between them."""
        for turn in range(polls):
            if turn:
                self.clock.advance(60)
            self.poll()
            self.drain()

    # -- looking

    def states(self) -> dict[str, State]:
        """The ledger's state of every document, by BC id."""
        return {
            state.id: state
            for company, entity in self.parts.entities()
            for state in self.parts.ledger.all_states(partition(company.key, entity))
        }

    def parked(self) -> dict[str, set[tuple[str, str]]]:
        """The parked documents by BC id: the code and place of each reason."""
        return {
            id_: {(reason["code"], reason["where"]) for reason in reasons(state)}
            for id_, state in self.states().items()
            if state.status is Status.PARKED
        }

    def with_status(self, status: Status) -> set[str]:
        """The ids of the documents in this state."""
        return {id_ for id_, state in self.states().items() if state.status is status}

    def trail(self, company: str, id_: str, *, entity: str = ORDERS) -> list[Event]:
        """What happened to a document, oldest first."""
        return self.parts.ledger.events(where(company, entity), id_)

    def intact(self, company: str, id_: str, *, entity: str = ORDERS) -> bool:
        """Whether the document's trail is whole."""
        return self.parts.ledger.intact(where(company, entity), id_)

    def poison(self) -> list[dict[str, Any]]:
        """The messages on the poison queue."""
        return [json.loads(message.text) for message in self.queues.messages(self.settings.poison_queue)]

    def find(self, company: str, number: str, *, entity: str = ORDERS) -> str:
        """The id of a document of Business Central by its number."""
        return self.business_central.document(company, number, entity=entity).id

    def next_in(self) -> timedelta | None:
        """How long until the next message of the documents queue becomes visible."""
        due = self.queues.next_visible(self.settings.documents_queue)
        return None if due is None else due - self.clock.now()

    def writes(self) -> int:
        """How many requests that write ServiceNow received so far (asking for a token is none)."""
        return sum(sent.path != TOKEN for sent in self.wire.to(SN_HOST, method="POST"))

    def sent_rows(self, *, since: int = 0) -> list[Row]:
        """Every staging row that was sent to ServiceNow, in order, as it was on the wire."""
        return list(rows_in(self.wire.requests[since:]))


def where(company: str, entity: str) -> str:
    """The ledger's partition of a company's entity; the company by its name in BC."""
    return partition(KEYS[company][0], Entity(entity))


def reasons(state: State) -> list[dict[str, str]]:
    """Why the document is parked."""
    listed: list[dict[str, str]] = json.loads(state.reasons or "[]")
    return listed


def rows_in(requests: Iterable[Sent]) -> Iterable[Row]:
    """The staging rows inside batch requests."""
    for sent in requests:
        if sent.host != SN_HOST or sent.path != BATCH:
            continue
        for item in json.loads(sent.body)["rest_requests"]:
            table = item["url"].removeprefix("/api/now/import/")
            columns = json.loads(base64.b64decode(item["body"]))
            yield Row(table, {name: text for name, text in columns.items() if text != EMPTIED})
