"""The watch on writes: what a connector may send to Business Central that is no read, judged from this side of the wire.

It knows nothing of the connector's own list. Subscriptions may be created, changed and deleted; dimension values created and
changed, through an extension's API page or through whatever is published on page 537; tokens may be asked for. All else is
forbidden, whether it would have met a fault on its way or been refused.
"""

from __future__ import annotations

import re

import httpx

from tests.sandbox.business_central.simulator import BusinessCentral

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_GUID = r"[0-9a-fA-F-]{36}"
_TOKEN = re.compile(r"POST /[^/]+/oauth2/(?:v2\.0/)?token")
_SUBSCRIPTION = re.compile(
    r"(?:POST .*/api/v2\.0/subscriptions|(?:PATCH|DELETE) .*/api/v2\.0/subscriptions\('\w+'\))", re.ASCII
)
_EXTENSION = re.compile(
    rf"(?P<method>POST|PATCH) .*/api/(?!microsoft/)[\w-]+/[\w-]+/v[\d.]+/companies\({_GUID}\)/dimensionValues"
    rf"(?P<key>\({_GUID}\))?",
    re.ASCII,
)
_PAGE = re.compile(
    r"(?P<method>POST|PATCH) .*/ODataV4/Company\([^/()]*\)/(?P<service>\w+)(?P<key>\([^/]*\))?", re.ASCII
)
_PAGE_NUMBER = 537


class ForbiddenRequest(BaseException):
    """The connector sent what it must never send. No `except Exception` of the connector or of a test's host holds it up."""


class WatchedTransport(httpx.BaseTransport):
    """The way from a connector to the simulator, in process. Each forbidden request is kept in the list `forbidden`, is not
    passed on, and ends in `ForbiddenRequest`. A test's own probes, which act for people in BC, do not come this way."""

    def __init__(self, inner: httpx.BaseTransport, simulator: BusinessCentral, forbidden: list[str]) -> None:
        self._inner = inner
        self._simulator = simulator
        self._forbidden = forbidden

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of what is behind, or `ForbiddenRequest`."""
        path = request.url.raw_path.decode("ascii")
        here = request.url.host == httpx.URL(self._simulator.base_url).host
        if here and not may_be_sent(self._simulator, request.method, path):
            self._forbidden.append(f"{request.method} {path}")
            raise ForbiddenRequest(self._forbidden[-1])
        return self._inner.handle_request(request)


def may_be_sent(simulator: BusinessCentral, method: str, path: str) -> bool:
    """Whether a connector may send this to the simulator; `path` is raw, with its query."""
    if method in _READS:
        return True
    line = f"{method} {path}"
    if _TOKEN.fullmatch(line) or _SUBSCRIPTION.fullmatch(line):
        return True
    page = _PAGE.fullmatch(line)
    found = page or _EXTENSION.fullmatch(line)
    if found is None or (found["key"] is None) != (found["method"] == "POST"):
        return False
    published = None if page is None else simulator.page_services.service(page["service"])
    # Under a name that is not published nothing can be written.
    return published is None or published.page == _PAGE_NUMBER
