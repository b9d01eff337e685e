"""The whole sandbox as running processes: storage emulator, both simulators on loopback, the Functions host on the real app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.sandbox.emulator import Azurite, azurite
from tests.sandbox.host import RunningHost, local_host
from tests.sandbox.landscape import Landscape
from tests.sandbox.wire import Served, serve

APP = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sandbox:
    """What runs, and the settings that the app runs with."""

    landscape: Landscape
    business_central: Served
    servicenow: Served
    storage: Azurite
    environment: Mapping[str, str]
    host: RunningHost


@contextmanager
def running_sandbox(
    *,
    landscape: Landscape | None = None,
    storage: Azurite | None = None,
    port: int = 0,
    lease: int = 600,
    retry_delay: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Sandbox]:
    """Everything, for the length of the block. `settings` are laid over the landscape's own."""
    with ExitStack() as stack:
        storage = storage or stack.enter_context(azurite())
        landscape = landscape or Landscape(lambda: datetime.now(UTC))
        bc = stack.enter_context(serve(landscape.bc_exchange, control=landscape.business_central.control))
        sn = stack.enter_context(serve(landscape.sn_exchange, control=landscape.servicenow.control))
        environment = landscape.environment(
            bc_url=bc.url, login_url=bc.url, sn_url=sn.url, storage=storage.connection_string
        )
        environment |= {
            "AzureWebJobsStorage": storage.connection_string,
            "PYTHON_THREADPOOL_THREAD_COUNT": "16",
            **(settings or {}),
        }
        host = stack.enter_context(local_host(APP, environment, port=port, lease=lease, retry_delay=retry_delay))
        yield Sandbox(landscape, bc, sn, storage, environment, host)
