"""Deaths on the real host: the app runs on Azurite through Microsoft's worker logic, and a process is killed in the middle of a
write to ServiceNow. Leases and claims are short here; in production they are ten and nine minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from connector.bootstrap import build, real_ports
from connector.decisions.states import Status
from connector.flows.overview import overview
from connector.settings import load_settings
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import some
from tests.sandbox.emulator import azurite
from tests.sandbox.host import RunningHost, local_host
from tests.sandbox.landscape import Landscape
from tests.sandbox.running import APP, Sandbox, running_sandbox
from tests.sandbox.wire import Fault

pytestmark = [pytest.mark.azurite, pytest.mark.host]

SETTINGS = {"CLAIM_SECONDS": "6", "POLL_SCHEDULE": "*/1 * * * * *"}
LEASE = 4
OUTCOMES = (Status.DONE, Status.WAITING, Status.PARKED)


def wait_for(what: str, true: Callable[[], bool], host: RunningHost, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come\n{host.log_text()[-3000:]}"
        time.sleep(0.2)


def settles(sandbox: Sandbox) -> Callable[[], bool]:
    """Tells whether every document has an outcome and no message is left."""
    parts = build(settings := load_settings(sandbox.environment), real_ports(settings))
    total = sum(len(documents) for company in sandbox.landscape.data for documents in company.documents.values())

    def settled() -> bool:
        seen = overview(parts)
        outcomes = sum(one.counts[status] for one in seen.entities for status in OUTCOMES)
        return outcomes == total and seen.waiting_units == 0

    return settled


def assert_carried_once(landscape: Landscape) -> None:
    assert target_differences(list(expectations(landscape).values()), landscape.servicenow.tables) == []


@pytest.fixture
def landscape() -> Landscape:
    return Landscape(lambda: datetime.now(UTC), data=some(orders=15, invoices=5, posted=False)[:1])


def in_the_middle_of_a_write(sandbox: Sandbox) -> bool:
    return sandbox.landscape.sn_exchange.counts["fault:slow"] > 0


def test_a_worker_that_dies_in_the_middle_of_a_write_loses_and_doubles_nothing(landscape: Landscape) -> None:
    landscape.sn_exchange.faults = [Fault("slow", path="/api/now/v1/batch", delay=2.0)]
    with (
        azurite() as storage,
        running_sandbox(landscape=landscape, storage=storage, lease=LEASE, retry_delay=1, settings=SETTINGS) as sandbox,
    ):
        wait_for("a write", lambda: in_the_middle_of_a_write(sandbox), sandbox.host)
        first = sandbox.host.worker_pid
        sandbox.host.kill_worker()
        wait_for("a new worker", lambda: sandbox.host.worker_pid != first, sandbox.host)
        wait_for("an outcome for everything", settles(sandbox), sandbox.host)
        assert_carried_once(landscape)


def test_a_host_that_dies_in_the_middle_of_a_write_loses_and_doubles_nothing(landscape: Landscape) -> None:
    landscape.sn_exchange.faults = [Fault("slow", path="/api/now/v1/batch", delay=2.0)]
    with (
        azurite() as storage,
        running_sandbox(landscape=landscape, storage=storage, lease=LEASE, retry_delay=1, settings=SETTINGS) as sandbox,
    ):
        wait_for("a write", lambda: in_the_middle_of_a_write(sandbox), sandbox.host)
        sandbox.host.kill()
        with local_host(APP, sandbox.environment, lease=LEASE, retry_delay=1) as second:
            wait_for("an outcome for everything", settles(sandbox), second)
        assert_carried_once(landscape)
