"""The host's HTTP front: the functions' routes under the prefix, and the /admin routes, all without keys.

As in the real host: header names arrive in lower case, empty query values are dropped, the body arrives as bytes, a run
that failed answers 500 without details, and a method that no function takes is 404.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sandbox.host.configuration import Function
from tests.sandbox.host.dispatch import Dispatcher
from tests.sandbox.host.invocation import Data, Outcome
from tests.sandbox.host.queues import text_or_bytes
from tests.sandbox.host.routes import Route, find, route_of
from tests.sandbox.host.timers import timer_data

log = logging.getLogger("host.http")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `headers` may hold a name twice."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_reply(content: Any, status: int = 200) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, json.dumps(content).encode(), [("Content-Type", "application/json; charset=utf-8")])


class Site:
    """Answers requests; knows nothing of sockets."""

    def __init__(self, functions: Mapping[str, Function], dispatcher: Dispatcher, *, prefix: str) -> None:
        self._functions = functions
        self._dispatcher = dispatcher
        self._prefix = f"/{prefix}" if prefix else ""
        http = [function for function in functions.values() if function.trigger["type"] == "httpTrigger"]
        self._routes: list[Route] = [route_of(function) for function in http]
        self._started = time.monotonic()

    def addresses(self) -> list[str]:
        """One line for each HTTP function, for the log."""
        return [f"{one.function.name}: {self._prefix}/{one.template}" for one in self._routes]

    def answer(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> Reply:
        """The answer to one request; `url` is the full address."""
        path = urlsplit(url).path
        if path == "/admin" or path.startswith("/admin/"):
            return self._admin(method, path.removeprefix("/admin").strip("/"), body)
        inside = path.startswith(f"{self._prefix}/")
        found = find(self._routes, method, path.removeprefix(self._prefix)) if inside else None
        if found is None:
            return Reply(404)
        function, parameters = found
        lower: dict[str, str] = {}
        for name, value in headers:
            lower[name.lower()] = f"{lower[name.lower()]},{value}" if name.lower() in lower else value
        query = {name: ",".join(values) for name, values in parse_qs(urlsplit(url).query).items()}
        request = {"method": method, "url": url, "headers": lower, "params": parameters, "query": query, "body": body}
        reason = "This function was programmatically called via the host APIs."
        trace = lower.get("traceparent")
        return _reply(self._dispatcher.run(function, Data("http", request), reason=reason, trace_parent=trace))

    def _admin(self, method: str, path: str, body: bytes) -> Reply:
        if path == "host/ping":
            return Reply(200)
        if path == "host/status" and method == "GET":
            uptime = int((time.monotonic() - self._started) * 1000)
            return json_reply({"id": "local", "state": "Running", "version": "4.0-local", "processUptime": uptime})
        if path == "functions" and method == "GET":
            return json_reply([_description(function) for function in self._functions.values()])
        function = self._functions.get(path.removeprefix("functions/"))
        if not path.startswith("functions/") or function is None:
            return Reply(404)
        if method == "GET":
            return json_reply(_description(function))
        return self._start(function, body) if method == "POST" else Reply(405)

    def _start(self, function: Function, body: bytes) -> Reply:
        try:
            given = json.loads(body or b"{}")["input"] if body else ""
        except (ValueError, KeyError, TypeError):
            return json_reply({"message": "the body must be JSON with an 'input'"}, 400)
        kind = function.trigger["type"]
        if kind == "httpTrigger":
            return json_reply({"message": "call an HTTP function at its own route"}, 400)
        data = timer_data() if kind == "timerTrigger" else text_or_bytes(str(given).encode())
        run = {"reason": "This function was programmatically called via the host APIs."}
        threading.Thread(target=self._dispatcher.run, args=(function, data), kwargs=run, daemon=True).start()
        return Reply(202)


def _description(function: Function) -> dict[str, Any]:
    return {"name": function.name, "config": {"bindings": [function.trigger, *function.outputs]}, "language": "python"}


def _reply(outcome: Outcome) -> Reply:
    if outcome.error is not None:
        return Reply(500)
    data = outcome.returned
    if data is None:
        return Reply(204)
    if data.kind == "http":
        return Reply(data.value["status"], data.value["body"], data.value["headers"])
    body = data.value if isinstance(data.value, bytes) else str(data.value).encode()
    return Reply(200, body, [("Content-Type", "text/plain; charset=utf-8")])


class Server(ThreadingHTTPServer):
    """The socket. Made (and so bound) before the functions are known; answers only after `open`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.site: Site | None = None
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def open(self, site: Site) -> None:
        """Starts answering."""
        self.site = site
        self._thread.start()

    def close(self) -> None:
        """Takes no more connections; requests that run go on."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.socket.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away before its answer."""
        log.debug("A client at %s went away", client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = f"http://{self.headers.get('Host', '127.0.0.1')}{self.path}"
        site = self.server.site
        reply = Reply(503) if site is None else site.answer(self.command, url, list(self.headers.items()), body)
        self.send_response(reply.status)
        for name, value in reply.headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status != 204:
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815
