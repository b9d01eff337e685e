"""How many simple reads a second the simulators answer on this machine, in process and over loopback. Nothing is asserted.

One vendor by its id, one cost centre by its sys_id. In process means one thread and no client library around the simulator;
over loopback, client processes with one kept connection each, so that other cores pay for them where there are any.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

from tests.sandbox.landscape import SN_URL, Landscape
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.wire import Exchange, serve

WARM_UP = 50
# Faster readers than a machine has cores to run tell nothing more.
CLIENTS = 4


@dataclass(frozen=True)
class Read:
    """One simple read of a simulator."""

    title: str
    exchange: Exchange
    url: str
    authorization: str


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.simulators", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each measurement takes")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="client processes over loopback")
    arguments = parser.parse_args()
    table = Table(title=f"Simple reads a second, {os.cpu_count()} cores")
    for heading in ("", "In process, 1 thread", f"Loopback, {arguments.clients} clients"):
        table.add_column(heading, justify="right" if heading else "left")
    for read in _reads(Landscape(lambda: datetime.now(UTC))):
        inside = _in_process(read, arguments.seconds)
        outside = _loopback(read, arguments.seconds, arguments.clients)
        table.add_row(read.title, f"{inside:,.0f}", f"{outside:,.0f}")
    Console().print(table)


def _reads(landscape: Landscape) -> list[Read]:
    settings = landscape.environment()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["BC_CLIENT_ID"],
        "client_secret": settings["BC_CLIENT_SECRET"],
        "scope": "https://api.businesscentral.dynamics.com/.default",
    }
    with httpx.Client(transport=landscape.transport()) as client:
        token = client.post(settings["BC_TOKEN_URL"], data=form).raise_for_status().json()["access_token"]
    company = landscape.data[0].id
    vendor = landscape.business_central.document_ids(company, "vendors")[0]
    cost_centre = landscape.servicenow.tables.rows("cmn_cost_center")[0]["sys_id"]
    basic = base64.b64encode(f"{CONNECTOR_USER}:{CONNECTOR_PASSWORD}".encode()).decode()
    return [
        Read(
            "Business Central, one vendor",
            landscape.bc_exchange,
            f"{settings['BC_URL']}/api/v2.0/companies({company})/vendors({vendor})",
            f"Bearer {token}",
        ),
        Read(
            "ServiceNow, one cost centre",
            landscape.sn_exchange,
            f"{SN_URL}/api/now/table/cmn_cost_center/{cost_centre}",
            f"Basic {basic}",
        ),
    ]


def _in_process(read: Read, seconds: float) -> float:
    def one() -> int:
        request = httpx.Request("GET", read.url, headers={"Authorization": read.authorization})
        return read.exchange.run(request).status_code

    return _timed(one, seconds)


def _loopback(read: Read, seconds: float, clients: int) -> float:
    path = urlsplit(read.url).path
    # Not forked: the server's threads would be left behind in a child that may hold their locks.
    processes = multiprocessing.get_context("spawn")
    with serve(read.exchange) as served, processes.Pool(clients, _together, (processes.Barrier(clients),)) as pool:
        tasks = [(served.port, path, read.authorization, seconds)] * clients
        return sum(pool.starmap(_client, tasks, chunksize=1))


def _together(barrier: threading.Barrier) -> None:
    """The first thing in each client: none begins before all are there."""
    barrier.wait()


def _client(port: int, path: str, authorization: str, seconds: float) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def one() -> int:
        connection.request("GET", path, headers={"Authorization": authorization})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    try:
        return _timed(one, seconds)
    finally:
        connection.close()


def _timed(one: Callable[[], int], seconds: float) -> float:
    """Calls a second; each must answer 200."""
    for _ in range(WARM_UP):
        if (status := one()) != HTTPStatus.OK:
            raise SystemExit(f"the read is answered with {status}")
    done = 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        if one() != HTTPStatus.OK:
            raise SystemExit("a read was refused")
        done += 1
    return done / passed


if __name__ == "__main__":
    main()
