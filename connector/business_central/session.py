"""The session with Business Central's API: GET only, one token for all threads, every answer judged by one table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from connector.business_central.odata import pinned
from connector.errors import ConnectorError, Outage, Refused, Throttled
from connector.model.money import loads
from connector.ports import Clock, Randomness
from connector.remote.http import Answer, AnswerTooLarge, Remote
from connector.remote.patience import patiently
from connector.remote.tokens import TokenProvider

SYSTEM = "Business Central"
TIMEOUT = 120.0
THROTTLED_DEFAULT = 30.0
"""BC documents no Retry-After for 429; its window is five minutes."""
MAX_PAGES = 100_000

Json = dict[str, Any]


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
    """Reads from one environment. `base` is the address up to and with ``/api/v2.0``."""

    def __init__(self, remote: Remote, tokens: TokenProvider, base: str, clock: Clock, randomness: Randomness) -> None:
        self.base = base
        self._remote = remote
        self._tokens = tokens
        self._clock = clock
        self._randomness = randomness

    def get(self, path: str, *, page_size: int | None = None) -> Json:
        """The JSON object at the path below the base address. Raises `PageBroken`, `Refused`, `Throttled` or `Outage`."""
        return self._get(f"{self.base}/{path}", page_size, collection=False)

    def pages(self, path: str, *, page_size: int) -> Iterator[list[Json]]:
        """The rows of a collection, page by page, as far as its next links lead."""
        url = f"{self.base}/{path}"
        seen = {url}
        for _ in range(MAX_PAGES):
            body = self._get(url, page_size, collection=True)
            yield body["value"]
            link = body.get("@odata.nextLink")
            if link is None:
                return
            url = pinned(str(link), self.base)
            if url in seen:
                raise Outage(SYSTEM, "the next link of a page leads back to a page already read")
            seen.add(url)
        raise Outage(SYSTEM, f"a collection has over {MAX_PAGES} pages")

    def _get(self, url: str, page_size: int | None, *, collection: bool) -> Json:
        return patiently(
            lambda: self._once(url, page_size, collection=collection),
            self._clock,
            self._randomness,
            also=(Unreadable,),
        )

    def _once(self, url: str, page_size: int | None, *, collection: bool) -> Json:
        answer, token = self._send(url, page_size)
        if answer.status == 401:
            # A token can be refused before its time (rotated keys, a changed app); one new token, then it is a refusal.
            self._tokens.reject(token)
            answer, _ = self._send(url, page_size)
        body = judged(answer, self._remote.retry_after(answer))
        if collection and not isinstance(body.get("value"), list):
            raise Unreadable("the answer has no list of records")
        return body

    def _send(self, url: str, page_size: int | None) -> tuple[Answer, str]:
        token = self._tokens.token()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Language": "en-US"}
        if page_size is not None:
            headers["Prefer"] = f"odata.maxpagesize={page_size}"
        try:
            return self._remote.send("GET", url, headers=headers, timeout=TIMEOUT), token
        except AnswerTooLarge as large:
            raise PageBroken("size", str(large)) from large


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
        raise Refused(
            SYSTEM, f"lacks permission ({said}); give the application's user a permission set that reads purchases"
        )
    if (
        status == 405
        or (status == 404 and not code)
        or code in ("BadRequest_ResourceNotFound", "Internal_CompanyNotFound")
    ):
        raise Refused(
            SYSTEM, f"does not offer this address ({said}); check BC_URL, the company id and that the API is on"
        )
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
