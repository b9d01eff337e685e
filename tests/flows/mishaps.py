"""An exchange with ServiceNow in which every request meets a mishap with some chance: one of the named faults that can meet it,
or one that has no name because it is about time: the instance does the work after we have stopped waiting for it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import httpx

from tests.flows.pipeline import BATCH, TOKEN
from tests.sandbox.clock import VirtualClock
from tests.sandbox.fault_names import SERVICENOW
from tests.sandbox.fault_table import meets
from tests.sandbox.faults import Prepared, prepare
from tests.sandbox.landscape import SN_URL, Landscape
from tests.sandbox.servicenow.injected import CUTS
from tests.sandbox.wire import Cut, Exchange

LATE = "done after our time-out"
FALSE_WORD = frozenset({"sn.import_error", "sn.line_before_order", "sn.field_ignored"})
"""With these ServiceNow itself says that a row is wrong. Nobody can know better, so the document is rightly set aside."""
PASSING = (LATE, *sorted(SERVICENOW.keys() - FALSE_WORD))
"""All that says nothing about a document."""
HIDING = frozenset({"sn.acl_short_page", "sn.acl_empty_page"})
MASTER_DATA = ("sn_fin_supplier", "core_company")
"""A supplier that is hidden is none, and its document rightly waits for somebody to make it: hiding spares these tables."""


class Mishaps(Exchange):
    """Takes the landscape's ServiceNow and gives each request a mishap with this probability. `settles`: seconds within which
    the instance has ended whatever was sent. `met` counts the mishaps by name."""

    def __init__(
        self,
        landscape: Landscape,
        clock: VirtualClock,
        *,
        seed: int,
        probability: float,
        settles: float,
        names: Sequence[str] = PASSING,
    ) -> None:
        super().__init__(landscape.sn_exchange.handler, sleep=clock.sleep)
        self.probability = probability
        self.met: Counter[str] = Counter()
        self._servicenow = landscape.servicenow
        self._clock = clock
        self._settles = settles
        self._names = names
        self._draw = random.Random(seed)

    def run(self, request: httpx.Request) -> httpx.Response:
        """The answer, or `Cut`."""
        if self._draw.random() >= self.probability:
            return super().run(request)
        calls = list(_calls(request))
        fitting = [name for name in self._names if _can_meet(name, calls)]
        if not fitting:
            return super().run(request)
        name = self._draw.choice(fitting)
        self.met[name] += 1
        return self._late(request) if name == LATE else self._under(self._prepared(name, calls), request)

    def _under(self, fault: Prepared, request: httpx.Request) -> httpx.Response:
        switches, injected = self._servicenow.switches, self._servicenow.front.injected
        before = {name: getattr(switches, name) for name in fault.switches}
        self.faults, injected.rows = fault.wire, fault.inside
        for name, value in fault.switches.items():
            switches.set(name, value)
        try:
            return super().run(request)
        finally:
            self.faults, injected.rows = [], []
            for name, value in before.items():
                switches.set(name, value)

    def _late(self, request: httpx.Request) -> httpx.Response:
        self._clock.sleep(request.extensions["timeout"]["read"])
        moment = self._clock.now() + timedelta(seconds=self._draw.uniform(0.1, self._settles))
        self._clock.at(moment, lambda: self.handler(request))
        raise Cut(after=True, patience=True)

    def _prepared(self, name: str, calls: Sequence[httpx.Request]) -> Prepared:
        """The fault for one request: for all of a batch or for one of its items, as chance has it."""
        fault = prepare(name, moment=self._clock.now())
        if not fault.inside:
            return fault
        (row,) = fault.inside
        whole, *items = [meets(row, call) for call in calls]
        rule: dict[str, Any] = {"field": "total_cost"} if name == "sn.field_ignored" else {}
        if row.act in CUTS:
            return prepare(name, skip=self._draw.randrange(max(1, sum(items))), **rule)
        first_item = int(whole) if any(items) and self._draw.random() < 0.5 else 0
        return prepare(name, skip=first_item and self._draw.randint(1, sum(items)), **rule)


def _calls(request: httpx.Request) -> Iterable[httpx.Request]:
    """The request, and the items it carries."""
    yield request
    if request.url.path == BATCH:
        for item in json.loads(request.content)["rest_requests"]:
            yield httpx.Request(item["method"], httpx.URL(SN_URL).join(item["url"]))


def _can_meet(name: str, calls: Sequence[httpx.Request]) -> bool:
    request = calls[0]
    if name == LATE:
        return request.method == "POST" and request.url.path != TOKEN
    if name in HIDING and request.url.path.endswith(MASTER_DATA):
        return False
    fault = prepare(name)
    if fault.switches:
        return request.url.path != TOKEN
    if fault.wire:
        return meets(fault.wire[0], request)
    (row,) = fault.inside
    if row.act in CUTS:
        return any(meets(row, call) for call in calls[1:])
    return any(meets(row, call) for call in calls)
