"""What the session makes of each named fault of ServiceNow: of a read and of a write, met once and met for good.

The tables are complete: a fault that gets a name needs its rows here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.ports import SeededRandomness
from connector.remote.http import AnswerTooSlow, Remote
from connector.remote.patience import PATIENCE
from connector.remote.tokens import TokenProvider
from connector.servicenow.authorisation import Bearer
from connector.servicenow.session import SYSTEM, AnsweredRefusal, RateRuleSpent, ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.fault_names import FAULTS
from tests.sandbox.faults import Scenario
from tests.sandbox.servicenow import CLIENT_ID, CLIENT_SECRET, ServiceNow, sample
from tests.sandbox.servicenow.desk import BASE, ORDER
from tests.sandbox.wire import Exchange, InProcess

NAMES = {name for name in FAULTS if name.startswith("sn.")}
SETTLES = 60.0
CENTRES = len(sample.SEED["cmn_cost_center"])


class Instance:
    """An instance with one fault, and a session with it."""

    def __init__(self, name: str, *, times: int) -> None:
        self.clock = VirtualClock()
        # Only a transform that takes longer than its call may is cut off.
        row_seconds = 61.0 if name == "sn.commit_at_cutoff" else 0.0
        self.simulator = ServiceNow(now=self.clock.now, seed=sample.SEED, row_seconds=row_seconds)
        self.exchange = Exchange(self.simulator.handle, sleep=self.clock.sleep)
        remote = Remote(SYSTEM, InProcess(self.exchange), self.clock)
        tokens = TokenProvider(
            remote,
            f"{BASE}/oauth_token.do",
            {"grant_type": "client_credentials", "client_id": CLIENT_ID},
            [lambda: {"client_secret": CLIENT_SECRET}],
            self.clock,
        )
        chance = SeededRandomness(random.Random(1))
        self.session = ServiceNowSession(remote, Bearer(tokens), BASE, self.clock, chance)
        rule: dict[str, Any] = {} if FAULTS[name].switches else {"times": times}
        Scenario(1, ((name, rule),)).install("sn", self.exchange, self.simulator)

    def read(self) -> list[dict[str, Any]]:
        """One read."""
        return self.session.rows("cmn_cost_center", query="ORDERBYcode", fields="code,name", limit=10)

    def write(self) -> dict[str, Any]:
        """One write."""
        row = sample.order("PO-1")
        return self.session.post(f"/api/now/import/{ORDER}", row, timeout=70.0, settles_after=SETTLES)

    @property
    def written(self) -> int:
        """How many rows the write has made."""
        return len(self.simulator.tables.rows(ORDER))


# -- reads


@dataclass(frozen=True)
class Read:
    """What becomes of a read. `lasting`: the error while the fault lasts (None: it is answered), after `gets` requests and
    with this `wait`; `once`: the error when it is met once."""

    lasting: type[Outage] | None = None
    gets: int = 1
    wait: float | None = None
    once: type[Outage] | None = None


BRIDGED = Read(Outage, gets=3)
"""An outage that is tried three times and passes by when it is short."""
NOT_MET = Read()
"""The fault is about writes, or about what rows hold, which is for the caller to judge."""

READS: dict[str, Read] = {
    "sn.rate_limited": Read(RateRuleSpent, wait=60.0, once=RateRuleSpent),
    "sn.semaphore_full": Read(Throttled, wait=20.0, once=Throttled),
    "sn.others_use_all_semaphores": Read(Throttled, wait=20.0, once=Throttled),
    "sn.dropped_202": Read(Outage, gets=6),
    "sn.session_is_busy": NOT_MET,  # no session is kept
    "sn.error_before_commit_500": BRIDGED,
    "sn.error_after_commit_500": NOT_MET,
    "sn.forbidden_after_commit_403": NOT_MET,
    "sn.forbidden_403": Read(AnsweredRefusal, gets=2),
    "sn.transaction_cancelled_500": BRIDGED,
    "sn.truncated_200": BRIDGED,
    "sn.hibernating": BRIDGED,
    "sn.hibernating_redirect": BRIDGED,
    "sn.maintenance_503": BRIDGED,
    "sn.maintenance_200": BRIDGED,
    "sn.bad_gateway_502": BRIDGED,
    "sn.login_redirect": BRIDGED,
    "sn.slow_beyond_limit": Read(AnswerTooSlow, once=AnswerTooSlow),  # its time is longer than our patience
    "sn.refused": BRIDGED,
    "sn.reset_before": BRIDGED,
    "sn.reset_after": BRIDGED,
    "sn.cut_body": BRIDGED,
    "sn.token_expired": Read(AnsweredRefusal, gets=2),
    "sn.token_refused": Read(Refused, gets=0, once=Refused),
    "sn.import_error": NOT_MET,
    "sn.line_before_order": NOT_MET,
    "sn.import_empty_result": NOT_MET,
    "sn.import_asynchronous": NOT_MET,
    "sn.batch_unserviced": NOT_MET,
    "sn.batch_unserviced_committed": NOT_MET,
    "sn.acl_short_page": NOT_MET,
    "sn.acl_empty_page": NOT_MET,
    "sn.field_stripped": NOT_MET,
    "sn.field_ignored": NOT_MET,
    "sn.rows_reordered": NOT_MET,
    "sn.lazy_rate_counting": NOT_MET,
    "sn.commit_at_cutoff": NOT_MET,
}


@pytest.mark.parametrize("name", sorted(READS))
def test_a_read_under_a_fault_that_lasts(name: str) -> None:
    expected, instance = READS[name], Instance(name, times=0)
    if expected.lasting is None:
        assert isinstance(instance.read(), list)
    else:
        with pytest.raises(Outage) as caught:
            instance.read()
        assert (type(caught.value), caught.value.retry_after) == (expected.lasting, expected.wait)
    assert instance.exchange.counts["GET"] == expected.gets
    assert instance.clock.monotonic() <= PATIENCE + (75.0 if name == "sn.slow_beyond_limit" else 0.0)


@pytest.mark.parametrize("name", sorted(READS))
def test_a_read_under_a_fault_that_is_met_once(name: str) -> None:
    expected, instance = READS[name], Instance(name, times=1)
    if expected.once is None:
        rows = instance.read()
        if not name.startswith("sn.acl"):
            assert len(rows) == CENTRES
    else:
        with pytest.raises(Outage) as caught:
            instance.read()
        assert type(caught.value) is expected.once


# -- writes


@dataclass(frozen=True)
class Write:
    """What becomes of a write. `lasting`: the error while the fault lasts (None: it is answered), with this `wait`, after
    `posts` requests; `written`: what it has done by then; `once`: the error when it is met once."""

    lasting: type[Outage] | None = None
    wait: float | None = None
    posts: int = 1
    written: int = 0
    once: type[Outage] | None = None


UNKNOWN = Write(Ambiguous, wait=SETTLES, once=Ambiguous)
"""Nothing was done, and nobody can know it."""
UNKNOWN_DONE = Write(Ambiguous, wait=SETTLES, written=1, once=Ambiguous)
"""It was done, and nobody can know it."""
NOT_DONE = Write(Outage, once=Outage)
"""Known not to have been done, and left to the queue."""
DONE = Write(written=1)

WRITES: dict[str, Write] = {
    "sn.rate_limited": Write(RateRuleSpent, wait=60.0, once=RateRuleSpent),
    "sn.semaphore_full": Write(Throttled, wait=20.0, once=Throttled),
    "sn.others_use_all_semaphores": Write(Throttled, wait=20.0, once=Throttled),
    "sn.dropped_202": Write(Outage, posts=2),  # sent again at once: never executed
    "sn.session_is_busy": DONE,
    "sn.error_before_commit_500": UNKNOWN,
    "sn.error_after_commit_500": UNKNOWN_DONE,
    # The one answer that says no to what was done. A refusal keeps everybody else from trying; who comes back looks first.
    "sn.forbidden_after_commit_403": Write(AnsweredRefusal, written=1, once=AnsweredRefusal),
    "sn.forbidden_403": Write(AnsweredRefusal, posts=2),  # a fresh request, as after a switch of nodes
    "sn.transaction_cancelled_500": UNKNOWN,
    "sn.truncated_200": DONE,  # cuts lists only
    "sn.hibernating": NOT_DONE,
    "sn.hibernating_redirect": NOT_DONE,
    "sn.maintenance_503": UNKNOWN,
    "sn.maintenance_200": NOT_DONE,
    "sn.bad_gateway_502": UNKNOWN,
    "sn.login_redirect": NOT_DONE,
    "sn.slow_beyond_limit": UNKNOWN_DONE,
    "sn.refused": NOT_DONE,
    "sn.reset_before": UNKNOWN,
    "sn.reset_after": UNKNOWN_DONE,
    "sn.cut_body": UNKNOWN_DONE,
    "sn.token_expired": Write(AnsweredRefusal, posts=2),
    "sn.token_refused": Write(Refused, posts=0, once=Refused),
    # Answered, with bad news inside: the table of rows has the say (tests/unit/test_answers.py).
    "sn.import_error": DONE,
    "sn.line_before_order": DONE,
    "sn.import_empty_result": DONE,
    "sn.import_asynchronous": DONE,
    # Met by items of a batch only.
    "sn.batch_unserviced": DONE,
    "sn.batch_unserviced_committed": DONE,
    "sn.acl_short_page": DONE,
    "sn.acl_empty_page": DONE,
    "sn.field_stripped": DONE,
    "sn.field_ignored": DONE,
    "sn.rows_reordered": DONE,
    "sn.lazy_rate_counting": DONE,
    "sn.commit_at_cutoff": UNKNOWN_DONE,
}


def posts(instance: Instance) -> int:
    """How many writes were sent; asking for a token is none."""
    return sum(b"oauth_token" not in passed.path for passed in instance.exchange.recent() if passed.method == "POST")


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_write_under_a_fault_that_lasts(name: str) -> None:
    expected, instance = WRITES[name], Instance(name, times=0)
    if expected.lasting is None:
        assert "result" in instance.write()
    else:
        with pytest.raises(Outage) as caught:
            instance.write()
        assert (type(caught.value), caught.value.retry_after) == (expected.lasting, expected.wait)
    assert (posts(instance), instance.written) == (expected.posts, expected.written)


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_write_under_a_fault_that_is_met_once(name: str) -> None:
    expected, instance = WRITES[name], Instance(name, times=1)
    if expected.once is None:
        assert "result" in instance.write()
        assert instance.written == 1
    else:
        with pytest.raises(Outage) as caught:
            instance.write()
        assert type(caught.value) is expected.once
        assert instance.written == expected.written
        assert posts(instance) == expected.posts


@pytest.mark.parametrize("name", ["sn.batch_unserviced", "sn.batch_unserviced_committed"])
def test_a_batch_that_was_cut_off_says_which_items_it_did_not_serve(name: str) -> None:
    instance = Instance(name, times=1)
    item = {"id": "1", "method": "GET", "url": "/api/now/table/cmn_cost_center?sysparm_limit=1"}
    answer = instance.session.post(
        "/api/now/v1/batch", {"batch_request_id": "1", "rest_requests": [item]}, timeout=45.0, settles_after=30.0
    )
    assert (answer["serviced_requests"], answer["unserviced_requests"]) == ([], ["1"])


def test_every_named_fault_is_in_both_tables() -> None:
    assert READS.keys() == WRITES.keys() == NAMES


def test_what_is_called_not_done_was_not_done() -> None:
    # Whoever waits and sends again relies on it. The refusal of what was done is the exception that has to be known.
    lying = {
        name
        for name, write in WRITES.items()
        if write.lasting is not None and not issubclass(write.lasting, Ambiguous) and write.written
    }
    assert lying == {"sn.forbidden_after_commit_403"}


def test_a_hundred_requests_carry_no_cookie_and_follow_no_redirect() -> None:
    instance = Instance("sn.login_redirect", times=1)
    seen: list[str] = []
    handle = instance.simulator.handle
    instance.exchange.handler = lambda request: (seen.append(request.headers.get("Cookie", "")), handle(request))[1]
    for _ in range(100):
        instance.read()
    assert set(seen) == {""}
    assert not any(b"login.do" in passed.path for passed in instance.exchange.recent())


def test_a_switch_of_nodes_costs_no_refusal() -> None:
    instance = Instance("sn.forbidden_403", times=1)
    instance.simulator.switches.set("forbidden_after_node_switch", True)
    instance.simulator.front.sessions.switch_node()
    assert len(instance.read()) == CENTRES
    assert instance.exchange.counts["GET"] == 2
