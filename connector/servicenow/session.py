"""The session with one ServiceNow instance: OAuth or Basic, no cookies, every answer judged before it is believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from connector.decisions.answers import judge_envelope
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.ports import Clock, Randomness
from connector.remote.http import Answer, Remote
from connector.remote.patience import patiently
from connector.remote.tokens import PAUSE_AFTER_REFUSAL, TokenProvider

SYSTEM = "ServiceNow"
READ_TIMEOUT = 70.0
"""Above the instance's own limit of 60 s a request, so that the server's word comes before ours."""
THROTTLED_DEFAULT = 20.0
"""A full semaphore answers 429 without saying how long."""

Json = dict[str, Any]


class Authorisation(Protocol):
    """How a request proves who sends it."""

    def header(self) -> str:
        """The value of the Authorization header."""
        ...

    def reject(self, header: str) -> bool:
        """The instance refused that header; whether another try with a new one makes sense."""
        ...


class Basic:
    """User name and password. Once refused, they are not tried again for a minute: enough refusals lock the user."""

    def __init__(self, username: str, password: str, clock: Clock) -> None:
        self._header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._clock = clock
        self._refused_until = 0.0

    def header(self) -> str:
        """The value of the Authorization header."""
        if self._clock.monotonic() < self._refused_until:
            raise Refused(
                SYSTEM, "refused the user name and password a moment ago; check them, and that Basic is allowed"
            )
        return self._header

    def reject(self, header: str) -> bool:  # noqa: ARG002 - the interface's
        """No: the same password would be refused again."""
        self._refused_until = self._clock.monotonic() + PAUSE_AFTER_REFUSAL
        return False


class Bearer:
    """OAuth tokens by client credentials."""

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._tokens.token()}"

    def reject(self, header: str) -> bool:
        """Yes: a new token."""
        self._tokens.reject(header.removeprefix("Bearer "))
        return True


class ServiceNowSession:
    """Requests to one instance. `base` is its address without a path."""

    def __init__(
        self, remote: Remote, authorisation: Authorisation, base: str, clock: Clock, randomness: Randomness
    ) -> None:
        self._remote = remote
        self._authorisation = authorisation
        self._base = base
        self._clock = clock
        self._randomness = randomness

    def rows(self, table: str, *, query: str, fields: str, limit: int) -> list[Json]:
        """Rows of a table. The caller must check that each row has what it asked for: an invalid part of a query is
        dropped by ServiceNow, and the rest runs."""
        parameters = {
            "sysparm_query": query,
            "sysparm_fields": fields,
            "sysparm_limit": str(limit),
            "sysparm_exclude_reference_link": "true",
            "sysparm_no_count": "true",
        }
        url = f"{self._base}/api/now/table/{table}?{urlencode(parameters)}"
        body = patiently(lambda: self._judged("GET", url, None, READ_TIMEOUT, None), self._clock, self._randomness)
        result = body.get("result")
        if not isinstance(result, list):
            raise Outage(SYSTEM, f"the answer for {table} has no list of rows")
        return result

    def post(self, path: str, body: Mapping[str, Any], *, timeout: float, settles_after: float) -> Json:
        """One POST that may change something: never repeated here, except where it is known not to have been executed."""
        url = f"{self._base}{path}"
        return self._judged("POST", url, json.dumps(body).encode(), timeout, settles_after)

    def _judged(
        self, method: str, url: str, content: bytes | None, timeout: float, settles_after: float | None
    ) -> Json:
        answer, header = self._send(method, url, content, timeout, settles_after)
        if answer.status == 202 or (answer.status == 401 and self._authorisation.reject(header)):
            # Known not to have been executed: a stale token, or a session's queue that was full.
            answer, _ = self._send(method, url, content, timeout, settles_after)
        body = _parsed(answer)
        disposition = judge_envelope(answer.status, is_json=answer.is_json, body=body)
        if disposition == "accept":
            accepted: Json = body
            return accepted
        retry_after = self._remote.retry_after(answer)
        said = f"answered {answer.status} {_message(body)}".strip()
        if disposition == "throttled":
            raise Throttled(SYSTEM, said, retry_after=retry_after or self._until_reset(answer) or THROTTLED_DEFAULT)
        if disposition == "refused":
            raise Refused(SYSTEM, f"{said}; check the user's credentials, roles and the tables' access")
        if disposition == "ambiguous" and settles_after is not None:
            raise Ambiguous(SYSTEM, said, settles_after=max(settles_after, retry_after or 0.0))
        if not answer.is_json:
            said += " with something that is not JSON (a login, hibernation or maintenance page?)"
        raise Outage(SYSTEM, said, retry_after=retry_after)

    def _until_reset(self, answer: Answer) -> float | None:
        """A rate rule names the second (of UNIX time) at which its hour ends."""
        reset = answer.headers.get("x-ratelimit-reset", "")
        if not (reset.isascii() and reset.isdigit() and len(reset) <= 12):
            return None
        return max(1.0, int(reset) - self._remote.server_time(answer).timestamp())

    def _send(
        self, method: str, url: str, content: bytes | None, timeout: float, settles_after: float | None
    ) -> tuple[Answer, str]:
        header = self._authorisation.header()
        headers = {"Authorization": header, "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        answer = self._remote.send(
            method, url, headers=headers, content=content, timeout=timeout, settles_after=settles_after
        )
        return answer, header


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _message(body: Any) -> str:
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        return f"({str(body['error'].get('message'))[:200]})"
    return ""
