"""One HTTP exchange with a remote system: no redirects, no cookies, bounded answers, and errors that say whether the
request may have taken effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import httpx

from connector.decisions.retry import retry_after
from connector.errors import Ambiguous, Outage
from connector.ports import Clock

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Far above any page or batch answer this connector asks for; an answer above it is refused, not buffered."""


class Sink(Protocol):
    """Takes the bytes of a body as they come."""

    def write(self, chunk: bytes) -> None:
        """Takes more bytes. What it raises ends the exchange."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether the answer says it is JSON. A login or hibernation page says it is HTML, often with status 200."""
        return self.headers.get("content-type", "").lower().startswith("application/json")


class AnswerTooLarge(Outage):
    """The answer is larger than this connector takes: ask for less."""


class AnswerTooSlow(Outage):
    """The answer did not come in time: ask for less next time."""


class Remote:
    """Sends requests to one system. `system` is its name in errors."""

    def __init__(self, system: str, transport: httpx.BaseTransport, clock: Clock) -> None:
        self.system = system
        self._clock = clock
        # Requests that share a session cookie are served one at a time by ServiceNow, and dropped when many wait; a stale
        # session even answers with other rights. So no cookie is ever kept.
        jar = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.Client(transport=transport, follow_redirects=False, cookies=jar, trust_env=False)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None = None,
        timeout: float,
        settles_after: float | None = None,
        into: Sink | None = None,
    ) -> Answer:
        """The answer, whatever its status. `content` that comes in chunks is sent as it comes (give its Content-Length);
        `into` takes the body of a good answer (200) chunk by chunk, and the answer is without it then.

        `settles_after` is given for requests that change something: seconds after which the server has ended them. When
        the answer is lost for such a request and it may have been received, raises `Ambiguous`; else raises `Outage`.
        """
        try:
            request = self._client.build_request(method, url, headers=dict(headers), content=content)
        except httpx.InvalidURL as error:
            raise Outage(self.system, "was to be asked under an address that is none") from error
        deadline = self._clock.monotonic() + timeout
        limits = httpx.Timeout(timeout, connect=min(timeout, 10.0))
        request.extensions["timeout"] = limits.as_dict()
        try:
            response = self._client.send(request, stream=True)
            try:
                body = self._body(response, deadline, into if response.status_code == 200 else None)
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Outage(self.system, f"cannot be reached ({type(error).__name__})") from error
        except AnswerTooLarge as error:
            if settles_after is not None:
                raise Ambiguous(
                    self.system, "the answer is too large to be read", settles_after=settles_after
                ) from error
            raise
        except httpx.HTTPError as error:
            message = f"the answer was lost ({type(error).__name__})"
            if settles_after is not None:
                raise Ambiguous(self.system, message, settles_after=settles_after) from error
            kind = AnswerTooSlow if isinstance(error, httpx.ReadTimeout) else Outage
            raise kind(self.system, message) from error
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)

    def _body(self, response: httpx.Response, deadline: float, into: Sink | None) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if self._clock.monotonic() > deadline:
                # httpx counts its time-outs per read; claims rest on a request ending in time as a whole.
                raise httpx.ReadTimeout("the answer takes too long as a whole")
            if into is not None:
                into.write(chunk)
                continue
            if size > MAX_ANSWER_BYTES:
                raise AnswerTooLarge(self.system, f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def retry_after(self, answer: Answer) -> float | None:
        """The answer's Retry-After in seconds, whether it was given as seconds or as a date; None without one."""
        value = answer.headers.get("retry-after")
        moment: float | None = None
        if value is not None:
            try:
                date = parsedate_to_datetime(value)
                moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
            except (ValueError, TypeError, IndexError, OverflowError):
                moment = None
        return retry_after(value, self.server_time(answer).timestamp(), moment)

    def server_time(self, answer: Answer) -> datetime:
        """What the clock of the other side showed when it answered."""
        # A date is relative to the clock that wrote it, so the answer's own Date header counts, not this machine's clock.
        try:
            return parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError, TypeError, IndexError):
            return self._clock.now()
