"""The session with Business Central's APIs: one token for all threads, every answer judged by one table.

It reads with GET. What it may change is listed in `permitted`: anything else is refused before a socket is opened.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from connector.business_central.odata import pinned
from connector.business_central.permitted import API_V2, PAGE_SERVICES, Body, Method, Permitted
from connector.errors import ConnectorError, Outage, Refused, Throttled
from connector.model.money import loads
from connector.ports import Clock, Randomness
from connector.remote.http import Answer, AnswerTooLarge, Remote, Sink
from connector.remote.patience import patiently
from connector.remote.tokens import TokenProvider

SYSTEM = "Business Central"
TIMEOUT = 120.0
THROTTLED_DEFAULT = 30.0
"""BC documents no Retry-After for 429; its window is five minutes."""
MAX_PAGES = 100_000
SETTLES_AFTER = 30.0
"""Seconds after which a change has happened or will not."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection. `at`: BC's own clock when it answered; `seconds` and `size` (bytes): what it took;
    `more`: another page follows."""

    rows: list[Json]
    at: datetime
    seconds: float
    size: int
    more: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests sent and bytes received."""

    calls: int
    size: int

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(self.calls - earlier.calls, self.size - earlier.size)


class ChangeRefused(ConnectorError):
    """BC will not make this change; asking again the same way is no use. `status` 404: what was to be changed is gone."""

    def __init__(self, status: int, code: str, words: str = "") -> None:
        super().__init__(f"{SYSTEM} refuses the change ({status} {code})".replace(" )", ")"))
        self.status = status
        self.code = code
        self.words = words


class NotOffered(Refused):
    """Nothing is at this address, or not for this method."""


class NotPermitted(Refused):
    """The application's user lacks a permission."""


class PageBroken(ConnectorError):
    """BC cannot answer for this set of records as a whole: ask for less. `cause` says why, for the single record at fault.

    ``data``: a record breaks the answer (a dangling dimension, say). ``unreadable``: the answer is no JSON we can take.
    ``size``: it takes too long or is too large.
    """

    def __init__(self, cause: Literal["data", "unreadable", "size"], message: str) -> None:
        super().__init__(message)
        self.cause = cause


class Unreadable(PageBroken):
    """The answer is no JSON we can take. A proxy may have cut it, so it is worth another try."""

    def __init__(self, message: str) -> None:
        super().__init__("unreadable", message)


class BusinessCentralSession:
    """Speaks to one environment. `root` is the address up to and with ``/api``; paths are below one of its APIs."""

    def __init__(
        self,
        remote: Remote,
        tokens: TokenProvider,
        root: str,
        clock: Clock,
        randomness: Randomness,
        permitted: Permitted | None = None,
    ) -> None:
        self.permitted = permitted or Permitted()
        self._root = root
        self._remote = remote
        self._tokens = tokens
        self._clock = clock
        self._randomness = randomness
        self._counted = threading.local()

    def base(self, api: str = API_V2) -> str:
        """The address of an API, or of the page services, which are beside all APIs."""
        return f"{self._root}/{api}" if api != PAGE_SERVICES else f"{self._root.removesuffix('/api')}/{api}"

    def traffic(self) -> Traffic:
        """What the calling thread has sent and received so far."""
        return getattr(self._counted, "traffic", Traffic(0, 0))

    def authenticate(self) -> None:
        """Fetches a token when there is none. Raises `Refused` or `Outage`."""
        self._tokens.token()

    def get(self, path: str, *, api: str = API_V2) -> Json:
        """The JSON object at the path. Raises `PageBroken`, `Refused`, `Throttled` or `Outage`."""
        body, _ = self._get(f"{self.base(api)}/{path}", None, collection=False)
        return body

    def pages(self, path: str, *, page_size: int | Callable[[], int], api: str = API_V2) -> Iterator[Page]:
        """A collection, page by page, as far as its next links lead; at least one. A `page_size` that is a function is asked
        before each page. Raises what `get` raises."""
        base = self.base(api)
        url = f"{base}/{path}"
        seen = {url}
        for _ in range(MAX_PAGES):
            began = self._clock.monotonic()
            size = page_size if isinstance(page_size, int) else page_size()
            body, answer = self._get(url, size, collection=True)
            at = self._remote.server_time(answer)
            link = body.get("@odata.nextLink")
            yield Page(body["value"], at, self._clock.monotonic() - began, len(answer.body), more=link is not None)
            if link is None:
                return
            url = pinned(str(link), base)
            if url in seen:
                raise Outage(SYSTEM, "the next link of a page leads back to a page already read")
            seen.add(url)
        raise Outage(SYSTEM, f"a collection has over {MAX_PAGES} pages")

    def content(self, path: str, into: Sink, *, timeout: float) -> Answer:
        """One try at the content of a media property: what a good answer (200, 204) holds goes into the sink. Raises what
        `get` raises, and what the sink raises."""
        answer = self._authorised("GET", f"{self.base()}/{path}", {"Accept": "*/*"}, timeout=timeout, into=into)
        if answer.status not in (200, 204):
            judged(answer, self._remote.retry_after(answer))
        return answer

    def change(self, method: Method, path: str, body: Body, *, api: str = API_V2, etag: str = "") -> Json:
        """Creates (POST), changes (PATCH) or removes (DELETE) one thing; the answer, {} for one without a body.

        Never tried again here. Raises `ForbiddenWrite` for anything that is not `permitted`, `Ambiguous` when the answer was
        lost, `ChangeRefused` when BC will not have it, else `Refused`, `Throttled`, `PageBroken` or `Outage`.
        """
        self.permitted.check(method, api, path, body, etag)
        headers = {"Content-Type": "application/json"} | ({"If-Match": etag} if etag else {})
        content = None if method == "DELETE" else json.dumps(dict(body)).encode()
        answer = self._authorised(method, f"{self.base(api)}/{path}", headers, content)
        if answer.status == 204:
            return {}
        if answer.status == 201:
            return _body(answer)
        if answer.status in (400, 404, 409, 410, 412, 422):
            code, text = _error(answer)
            raise ChangeRefused(answer.status, code, " ".join(text.partition("CorrelationId:")[0].split())[:300])
        return judged(answer, self._remote.retry_after(answer))

    def _get(self, url: str, page_size: int | None, *, collection: bool) -> tuple[Json, Answer]:
        return patiently(
            lambda: self._once(url, page_size, collection=collection), self._clock, self._randomness, also=(Unreadable,)
        )

    def _once(self, url: str, page_size: int | None, *, collection: bool) -> tuple[Json, Answer]:
        answer = self._authorised("GET", url, {} if page_size is None else {"Prefer": f"odata.maxpagesize={page_size}"})
        body = judged(answer, self._remote.retry_after(answer))
        if collection and not isinstance(body.get("value"), list):
            raise Unreadable("the answer has no list of records")
        return body, answer

    def _authorised(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        timeout: float = TIMEOUT,
        into: Sink | None = None,
    ) -> Answer:
        answer, token = self._send(method, url, headers, content, timeout, into)
        if answer.status == 401:
            # A token can be refused before its time (rotated keys, a changed app); one new token, then it is a refusal.
            self._tokens.reject(token)
            answer, _ = self._send(method, url, headers, content, timeout, into)
        return answer

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: float,
        into: Sink | None,
    ) -> tuple[Answer, str]:
        token = self._tokens.token()
        own = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Language": "en-US"}
        self._count(0)
        try:
            answer = self._remote.send(
                method,
                url,
                headers=own | dict(headers),
                content=content,
                timeout=timeout,
                settles_after=None if method == "GET" else SETTLES_AFTER,
                into=into,
            )
        except AnswerTooLarge as large:
            raise PageBroken("size", str(large)) from large
        self._count(len(answer.body), calls=0)
        return answer, token

    def _count(self, size: int, *, calls: int = 1) -> None:
        before = self.traffic()
        self._counted.traffic = Traffic(before.calls + calls, before.size + size)


def judged(answer: Answer, retry_after: float | None) -> Json:
    """The body of a good answer; any other answer as the error that says what to do."""
    status = answer.status
    if status == 200:
        return _body(answer)
    code, text = _error(answer)
    said = f"{status} {code}".strip()
    if status == 401:
        raise Refused(
            SYSTEM,
            f"refuses the token ({said}); register and enable the client id on the page Microsoft Entra Applications "
            "and give it permission sets",
        )
    if status == 403 or "current permissions prevented" in text or "do not have permissions" in text:
        raise NotPermitted(
            SYSTEM, f"lacks permission ({said}); give the application's user a permission set that reads purchases"
        )
    missing = f"does not offer this address ({said}); check BC_URL, the company id and that the API is on"
    # An API that is not installed answers with this code, an address of an installed one without any.
    nowhere = status == 404 and code in ("", "BadRequest_NotFound")
    if status == 405 or nowhere or code == "BadRequest_ResourceNotFound":
        raise NotOffered(SYSTEM, missing)
    if code == "Internal_CompanyNotFound":
        raise Refused(SYSTEM, missing)
    if status == 429:
        raise Throttled(SYSTEM, f"asks to slow down ({said})", retry_after=retry_after or THROTTLED_DEFAULT)
    if status in (408, 413, 504):
        raise PageBroken("size", f"takes too long or is too large ({said})")
    by_data = code.startswith(("Application_", "Internal_")) and code not in (
        "Internal_ServerError",
        "Internal_TenantUnavailable",
    )
    if status in (400, 404, 500) and by_data:
        raise PageBroken("data", f"{text[:300]} ({code})")
    raise Outage(SYSTEM, f"answered {said}", retry_after=retry_after)


def _body(answer: Answer) -> Json:
    if not answer.is_json:
        raise Outage(SYSTEM, "answered with something that is not JSON (a login or maintenance page?)")
    try:
        body = loads(answer.body)
    except ValueError as error:
        raise Unreadable(f"the answer cannot be read ({error})") from error
    if not isinstance(body, dict):
        raise Unreadable("the answer is not an object")
    if "error" in body:
        raise Outage(SYSTEM, "answered 200 with an error inside")
    return body


def _error(answer: Answer) -> tuple[str, str]:
    """The error's code and text (translated by BC to the user's language: only codes decide, with two exceptions)."""
    try:
        error = json.loads(answer.body)["error"]
        return str(error["code"])[:80], str(error["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", ""
