"""The page's own little server on loopback: every answer, a refused request's included, comes from the site."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.sandbox.page.site import LARGEST_FORM, Site

DEFAULT_PORT = 8080
# How much of what was refused is still read, for the sake of the answer.
MOST_UNREAD = 16 * LARGEST_FORM


@contextmanager
def serve_page(site: Site, *, port: int | None = None) -> Iterator[str]:
    """Serves the site until the block ends and gives its address; without a port 8080, or any free one when that is taken."""
    server = _listening(site, port)
    # The short interval only bounds how long the end of the block waits.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(site: Site, port: int | None) -> _Server:
    try:
        return _Server(site, DEFAULT_PORT if port is None else port)
    except OSError:
        if port is not None:
            raise
        return _Server(site, 0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # A browser keeps connections open that it no longer needs.
    timeout = 30
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Says nothing: the terminal belongs to the sandbox."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The base class refuses what it cannot read and methods it does not know; the site words that too."""
        self.close_connection = True
        unknown = code == HTTPStatus.NOT_IMPLEMENTED
        status, allow = (405, "GET, POST") if unknown else (code, "")
        self._send(self.server.site.refusal(status, message or "", allow=allow))
        self._let_finish()

    def _let_finish(self) -> None:
        """Closing over bytes nobody has read resets the connection, and the answer may be lost with it."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            for _ in range(MOST_UNREAD // LARGEST_FORM):
                if not self.rfile.read(LARGEST_FORM):
                    break

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self.send_error(411, "A form comes with its length.")
            return
        if len(length) > 9 or int(length) > LARGEST_FORM:
            self.send_error(413, "The form is too large.")
            return
        content = self.rfile.read(int(length))
        try:
            url = httpx.URL(f"http://{self.headers.get('Host', '')}{self.path}")
        except httpx.InvalidURL:
            self.send_error(400, "The address cannot be read.")
            return
        self._send(self.server.site.handle(httpx.Request(self.command, url, content=content)))

    def _send(self, response: httpx.Response) -> None:
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.multi_items() if name != "content-length"]
        lines += [f"Content-Length: {len(response.content)}"]
        lines += ["Connection: close"] if self.close_connection else []
        content = b"" if self.command == "HEAD" else response.content
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + content)

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away mid-answer is no news; anything else is a mistake of ours and is told."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
