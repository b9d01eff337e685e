"""A transport that lets nothing through but reading and asking for tokens: the last lock of whatever must change nothing."""

from __future__ import annotations

from collections.abc import Collection

import httpx

from connector.errors import ConnectorError

READING = frozenset({"GET", "HEAD"})


class WriteForbidden(ConnectorError):
    """Something tried to send a request that may change a system, where none may be changed. It was not sent."""


class ReadingOnly(httpx.BaseTransport):
    """Passes on GET and HEAD, and POST to exactly these `token_urls`; refuses everything else before a socket is opened."""

    def __init__(self, inner: httpx.BaseTransport, token_urls: Collection[str]) -> None:
        self._inner = inner
        self._token_urls = {httpx.URL(url) for url in token_urls}
        self._refused: WriteForbidden | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer. Raises `WriteForbidden`."""
        asks_for_token = request.method == "POST" and request.url in self._token_urls
        if request.method not in READING and not asks_for_token:
            # The host alone: paths and queries hold ids.
            self._refused = WriteForbidden(
                f"{request.method} to {request.url.host} was not sent: nothing may be changed"
            )
            raise self._refused
        return self._inner.handle_request(request)

    def insist(self) -> None:
        """Raises the last `WriteForbidden` once more, should one have been raised: whoever caught it may have gone on."""
        if self._refused is not None:
            raise self._refused

    def close(self) -> None:
        """Closes the transport below."""
        self._inner.close()
