"""The whole sandbox as running processes: storage emulator, both simulators on loopback, the Functions host on the real app."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.sandbox.emulator import Azurite, azurite
from tests.sandbox.host import RunningHost, local_host
from tests.sandbox.landscape import Landscape
from tests.sandbox.wire import Served, serve

APP = Path(__file__).parents[2]


class LoopbackOnly(httpx.BaseTransport):
    """Carries the simulator's notifications to receivers on this machine, and to nobody else."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Passes the request on, if its host is this machine."""
        if request.url.host not in ("127.0.0.1", "localhost", "::1"):
            raise httpx.ConnectError("the sandbox sends to this machine only", request=request)
        return self._inner.handle_request(request)


@dataclass(frozen=True)
class Sandbox:
    """What runs, and the settings that the app runs with."""

    landscape: Landscape
    business_central: Served
    servicenow: Served
    storage: Azurite
    environment: Mapping[str, str]
    host: RunningHost


def _free_port() -> int:
    """A port that was free a moment ago: the app has to know its address before it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
        landscape.business_central.webhooks.post.carrier = LoopbackOnly(stack.enter_context(httpx.HTTPTransport()))
        stack.enter_context(landscape.business_central.webhooks.delivering())
        stack.enter_context(landscape.servicenow.background())
        environment = landscape.environment(
            bc_url=bc.url, login_url=bc.url, sn_url=sn.url, storage=storage.connection_string
        )
        port = port or _free_port()
        environment |= {
            "WEBHOOK_URL": f"http://127.0.0.1:{port}/api/bc",
            "WEBHOOK_KEY": base64.b64encode(b"the sandbox's own webhook key...").decode(),
            "AzureWebJobsStorage": storage.connection_string,
            "PYTHON_THREADPOOL_THREAD_COUNT": "16",
            **(settings or {}),
        }
        host = stack.enter_context(local_host(APP, environment, port=port, lease=lease, retry_delay=retry_delay))
        yield Sandbox(landscape, bc, sn, storage, environment, host)
