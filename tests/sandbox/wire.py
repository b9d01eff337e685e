"""The wire every simulator hangs on: one handler, two mounts, one fault table, request counters, a control interface.

A simulator is a callable ``Handler``: an ``httpx.Request`` in, an ``httpx.Response`` out. It never opens a socket.
``InProcess`` mounts it behind an httpx transport; ``serve`` mounts it behind a threaded HTTP/1.1 server on loopback.
Both go through the same ``Exchange``, which counts every request and applies the fault table.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote

import httpx

Handler = Callable[[httpx.Request], httpx.Response]
Effect = Literal["answer", "refuse", "reset_before", "reset_after", "cut_body", "answer_after", "slow"]


class Cut(Exception):
    """The connection ends without a usable answer; `after` says whether the simulator had already acted."""

    def __init__(self, *, after: bool, connecting: bool = False) -> None:
        super().__init__("connection cut")
        self.after = after
        self.connecting = connecting


@dataclass
class Fault:
    """One row of the fault table: which requests it meets, and what happens to them.

    ``answer``: the given answer instead of the simulator's (the simulator does not act). ``answer_after``: the
    simulator acts, then the given answer is sent. ``refuse``: no connection. ``reset_before`` / ``reset_after``: the
    connection is reset before / after the simulator acted. ``cut_body``: half of the true body under its true
    Content-Length. ``slow``: the true answer after `delay` seconds. `skip` requests pass first, then `times` are met
    (None = for ever).
    """

    effect: Effect
    method: str = ".*"
    path: str = ".*"
    body: str = ""
    skip: int = 0
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""
    delay: float = 0.0

    def meets(self, request: httpx.Request) -> bool:
        """Whether the request is of this fault's kind (path: regex search on the decoded path and query)."""
        if not re.fullmatch(self.method, request.method):
            return False
        target = unquote(request.url.raw_path.decode("ascii").replace("+", " "))
        if not re.search(self.path, target):
            return False
        return not self.body or re.search(self.body, request.content.decode("utf-8", "replace")) is not None


class Exchange:
    """What happens to one request on its way through a mount: counted, perhaps faulted, handled."""

    def __init__(self, handler: Handler, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.handler = handler
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.in_flight = 0
        self.peak_in_flight = 0
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
        try:
            return self._apply(fault, request)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _take(self, request: httpx.Request) -> Fault | None:
        for fault in self.faults:
            if fault.times == 0 or not fault.meets(request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            self.counts[f"fault:{fault.effect}"] += 1
            return fault
        return None

    def _apply(self, fault: Fault | None, request: httpx.Request) -> httpx.Response:
        if fault is None:
            return self.handler(request)
        if fault.delay:
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
    ``POST /_control/faults`` with a JSON list of `Fault` fields (replaces the table); any other ``/_control/NAME`` goes
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
            content = b"" if self.command == "HEAD" else response.content
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
            """A client that went away mid-answer is none of the simulator's business."""

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Served(server, exchange)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
