"""The wire every simulator hangs on: one handler, two mounts, one fault table, request counters, a control interface.

A simulator is a callable ``Handler``: an ``httpx.Request`` in, an ``httpx.Response`` out. It never opens a socket.
``InProcess`` mounts it behind an httpx transport; ``serve`` mounts it behind a threaded HTTP/1.1 server on loopback.
Both go through the same ``Exchange``, which counts every request and applies the fault table.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx

from tests.sandbox.fault_table import Effect, Fault, take

__all__ = [
    "LOG_LENGTH",
    "Cut",
    "Effect",
    "Exchange",
    "Fault",
    "Handler",
    "InProcess",
    "Passed",
    "Router",
    "Served",
    "serve",
]

Handler = Callable[[httpx.Request], httpx.Response]
LOG_LENGTH = 200


class Cut(Exception):
    """The connection ends without a usable answer; `after` says whether the simulator had already acted.

    `connecting`: it never came about. `patience`: the client gave up waiting (in process; a socket's client does it itself).
    """

    def __init__(self, *, after: bool, connecting: bool = False, patience: bool = False) -> None:
        super().__init__("connection cut")
        self.after = after
        self.connecting = connecting
        self.patience = patience


class Passed(NamedTuple):
    """One request that an exchange has dealt with; `status` is 0 when it ended without an answer.

    `time` is when it was done, in seconds of the real clock; `fault` the effect of the fault that met it, if one did.
    """

    time: float
    method: str
    path: bytes
    status: int
    fault: str


class Exchange:
    """What happens to one request on its way through a mount: counted, perhaps faulted, handled, remembered for a while.

    `seed` decides, in the order of the requests, what faults of a probability below one meet.
    """

    def __init__(self, handler: Handler, *, sleep: Callable[[float], None] = time.sleep, seed: int = 0) -> None:
        self.handler = handler
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.in_flight = 0
        self.peak_in_flight = 0
        self.chance = random.Random(seed)
        self._log: deque[Passed] = deque(maxlen=LOG_LENGTH)
        self._sleep = sleep
        self._lock = threading.Lock()

    def run(self, request: httpx.Request) -> httpx.Response:
        """The answer, or `Cut`."""
        with self._lock:
            self.counts["requests"] += 1
            self.counts[request.method] += 1
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
            fault = self._take(request)
        status = 0
        try:
            response = self._apply(fault, request)
            status = response.status_code
            return response
        finally:
            effect = fault.effect if fault is not None else ""
            passed = Passed(time.time(), request.method, request.url.raw_path, status, effect)
            with self._lock:
                self.in_flight -= 1
                self._log.append(passed)

    def recent(self) -> list[Passed]:
        """The last requests, oldest first."""
        with self._lock:
            return list(self._log)

    def _take(self, request: httpx.Request) -> Fault | None:
        fault = take(self.faults, request, self.chance)
        if fault is not None:
            self.counts[f"fault:{fault.effect}"] += 1
        return fault

    def _apply(self, fault: Fault | None, request: httpx.Request) -> httpx.Response:
        if fault is None:
            return self.handler(request)
        if fault.delay:
            patience = request.extensions.get("timeout", {}).get("read")
            if patience is not None and fault.delay > patience:
                self._sleep(patience)
                if fault.effect in {"slow", "answer_after"}:
                    self.handler(request)
                raise Cut(after=True, patience=True)
            self._sleep(fault.delay)
        if fault.effect == "refuse":
            raise Cut(after=False, connecting=True)
        if fault.effect == "reset_before":
            raise Cut(after=False)
        if fault.effect == "answer":
            return httpx.Response(fault.status, headers=fault.headers, content=fault.answer.encode())
        response = self.handler(request)
        if fault.effect == "reset_after":
            raise Cut(after=True)
        if fault.effect == "answer_after":
            return httpx.Response(fault.status, headers=fault.headers, content=fault.answer.encode())
        if fault.effect == "truncate":
            kept = response.content[: len(response.content) // 2] + fault.answer.encode()
            headers = [pair for pair in response.headers.multi_items() if pair[0].lower() != "content-length"]
            return httpx.Response(response.status_code, headers=headers, content=kept)
        if fault.effect == "cut_body":
            response.extensions["cut_body"] = True
        return response


class InProcess(httpx.BaseTransport):
    """Mounts an exchange in process: the client under test talks to the simulator without a socket."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        try:
            response = self.exchange.run(request)
        except Cut as cut:
            if cut.connecting:
                raise httpx.ConnectError("connection refused", request=request) from cut
            if cut.patience:
                raise httpx.ReadTimeout("timed out", request=request) from cut
            raise httpx.ReadError("connection reset by peer", request=request) from cut
        if response.extensions.get("cut_body"):
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=request
            )
        return httpx.Response(response.status_code, headers=response.headers, content=response.content, request=request)


class Router:
    """One exchange per host name in one transport, so that a client under test sees several systems."""

    def __init__(self, hosts: Mapping[str, Exchange]) -> None:
        self.hosts = dict(hosts)

    def transport(self) -> httpx.BaseTransport:
        """A transport that sends each request to the exchange of its host; an unknown host refuses the connection."""
        mounts = {host: InProcess(exchange) for host, exchange in self.hosts.items()}

        class ByHost(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                mount = mounts.get(request.url.host)
                if mount is None:
                    raise httpx.ConnectError(f"no such host: {request.url.host}", request=request)
                return mount.handle_request(request)

        return ByHost()


class Served:
    """A running server: its base URL and the exchange behind it."""

    def __init__(self, server: ThreadingHTTPServer, exchange: Exchange) -> None:
        self.server = server
        self.exchange = exchange
        self.port: int = server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(exchange: Exchange, *, port: int = 0, control: Callable[[str, Any], Any] | None = None) -> Iterator[Served]:
    """Serves the exchange on loopback until the block ends; no thread and no port stays behind.

    Control interface (not counted, never faulted): ``GET /_control/counts``; ``POST /_control/reset``;
    ``POST /_control/faults`` with a JSON list of `Fault` fields (replaces the table); ``POST /_control/seed`` with a
    number (starts chance anew); any other ``/_control/NAME`` goes
    to `control(name, parsed body)` of the simulator.
    """

    def controlled(name: str, body: Any) -> Any:
        if name == "counts":
            return dict(exchange.counts) | {"peak_in_flight": exchange.peak_in_flight}
        if name == "reset":
            exchange.counts.clear()
            exchange.peak_in_flight = 0
            return {}
        if name == "faults":
            exchange.faults = [Fault(**row) for row in body]
            return {}
        if name == "seed":
            exchange.chance = random.Random(body)
            return {}
        if control is None:
            return {"error": f"no control named {name}"}
        answer = control(name, body)
        return {} if answer is None else answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            pass

        def _serve(self) -> None:
            body = self._body()
            if self.path.startswith("/_control/"):
                answer = controlled(self.path.removeprefix("/_control/"), json.loads(body) if body else None)
                self._send(httpx.Response(200, json=answer))
                return
            url = f"http://{self.headers.get('Host', '127.0.0.1')}{self.path}"
            request = httpx.Request(self.command, url, headers=self.headers.items(), content=body)
            try:
                response = exchange.run(request)
            except Cut:
                # SO_LINGER with zero time makes close() send a reset instead of an orderly end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            self._send(response)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                chunks = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _send(self, response: httpx.Response) -> None:
            # A body behind these would be read as the beginning of the connection's next answer.
            bare = self.command == "HEAD" or response.status_code in {204, 304}
            content = b"" if bare else response.content
            lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
            for name, value in response.headers.multi_items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    lines.append(f"{name}: {value}")
            if response.status_code != 204:
                lines.append(f"Content-Length: {len(response.content)}")
            head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
            if response.extensions.get("cut_body"):
                content = content[: len(content) // 2]
                self.close_connection = True
            self.wfile.write(head + content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away mid-answer is none of the simulator's business; a defect of the simulator is told."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Served(server, exchange)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
