"""The session with one ServiceNow instance: no cookies, no redirects, every answer judged before it is believed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connector.decisions.answers import error_text, fresh_try, judge_envelope
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.ports import Clock, Randomness
from connector.remote.http import Answer, Remote
from connector.remote.patience import patiently
from connector.servicenow.authorisation import SYSTEM as SYSTEM
from connector.servicenow.authorisation import Authorisation, Proof

READ_TIMEOUT = 70.0
"""Above the instance's own limit of 60 s a request, so that the server's word comes before ours."""
THROTTLED_DEFAULT = 20.0
"""A full semaphore answers 429 without saying how long."""

Json = dict[str, Any]


class AnsweredRefusal(Refused):
    """The instance itself said no, with this status and perhaps in these words."""

    def __init__(self, message: str, status: int, words: str = "") -> None:
        super().__init__(SYSTEM, message)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as far as the caller may see it. `total`: how many rows match, those included that access rules hide (None: not
    told); `at`: the instance's clock."""

    rows: list[Json]
    total: int | None
    at: datetime


class RateRuleSpent(Throttled):
    """A rate rule's hour is used up. Rules are per API: the others go on."""


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

    def authenticate(self) -> None:
        """Makes sure that there is something to prove the caller with. Raises `Refused` or `Outage`."""
        self._authorisation.headers()

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
        return _rows(body, table)

    def listed(
        self,
        table: str,
        *,
        query: str,
        fields: str,
        limit: int,
        timeout: float,
        skip: int = 0,
        labels: bool = False,
    ) -> Listed:
        """Rows of a table, and how many there are whether or not the caller may see them. As with `rows`, the caller must
        check that each row has what it asked for. `skip`: how many of those that match to leave out. `labels`: each value is
        an object with ``value`` and ``display_value``. Raises `AnsweredRefusal` when the table as such is refused."""
        parameters = {
            "sysparm_query": query,
            "sysparm_fields": fields,
            "sysparm_limit": str(limit),
            "sysparm_exclude_reference_link": "true",
            "sysparm_suppress_pagination_header": "true",
        }
        parameters |= {"sysparm_offset": str(skip)} if skip else {}
        parameters |= {"sysparm_display_value": "all"} if labels else {}
        url = f"{self._base}/api/now/table/{table}?{urlencode(parameters)}"
        answer, body = patiently(lambda: self._whole("GET", url, None, timeout, None), self._clock, self._randomness)
        total = answer.headers.get("x-total-count", "")
        counted = int(total) if total.isascii() and total.isdigit() and len(total) <= 12 else None
        return Listed(_rows(body, table), counted, self._remote.server_time(answer))

    def post(self, path: str, body: Mapping[str, Any], *, timeout: float, settles_after: float) -> Json:
        """One POST that may change something: never repeated here, except where it is known not to have been executed."""
        url = f"{self._base}{path}"
        return self._judged("POST", url, json.dumps(body).encode(), timeout, settles_after)

    def submit(
        self, path: str, content: bytes, headers: Mapping[str, str], *, timeout: float, settles_after: float
    ) -> Json:
        """One POST of JSON to an API that accepts work with 202 and does it later; what it answered. As with `post`, never
        repeated here, except where it is known not to have been executed."""
        url = f"{self._base}{path}"
        return self._whole("POST", url, content, timeout, settles_after, headers=headers, asynchronous=True)[1]

    def upload(
        self, path: str, content: Iterable[bytes], headers: Mapping[str, str], *, timeout: float, settles_after: float
    ) -> Json:
        """One POST of a file as it is; what it answered. `content` is gone through once more where it is known that nothing was
        executed. Raises `AnsweredRefusal` when the instance will not have it."""
        url = f"{self._base}{path}"
        return self._whole("POST", url, content, timeout, settles_after, headers=headers)[1]

    def _judged(
        self, method: str, url: str, content: bytes | None, timeout: float, settles_after: float | None
    ) -> Json:
        return self._whole(method, url, content, timeout, settles_after)[1]

    def _whole(
        self,
        method: str,
        url: str,
        content: bytes | Iterable[bytes] | None,
        timeout: float,
        settles_after: float | None,
        *,
        headers: Mapping[str, str] | None = None,
        asynchronous: bool = False,
    ) -> tuple[Answer, Json]:
        answer, proof = self._send(method, url, content, timeout, settles_after, headers or {})
        body = _parsed(answer)
        disposition = judge_envelope(answer.status, is_json=answer.is_json, body=body, asynchronous=asynchronous)
        rejected = answer.status == 401 and self._authorisation.reject(proof)
        if rejected or fresh_try(answer.status, body, disposition):
            # Known not to have been executed: a stale token or key, a session's queue that was full, a node just switched to.
            answer, _ = self._send(method, url, content, timeout, settles_after, headers or {})
            body = _parsed(answer)
            disposition = judge_envelope(answer.status, is_json=answer.is_json, body=body, asynchronous=asynchronous)
        if disposition == "accept":
            return answer, body
        retry_after = self._remote.retry_after(answer)
        said = f"answered {answer.status} {_message(body)}".strip()
        if disposition == "throttled":
            wait = retry_after or self._until_reset(answer) or THROTTLED_DEFAULT
            raise (RateRuleSpent if _has_rate_rule(answer) else Throttled)(SYSTEM, said, retry_after=wait)
        if disposition == "refused":
            advice = f"{said}; check the user's credentials, roles and the tables' access"
            raise AnsweredRefusal(advice, answer.status, error_text(body))
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
        self,
        method: str,
        url: str,
        content: bytes | Iterable[bytes] | None,
        timeout: float,
        settles_after: float | None,
        more: Mapping[str, str],
    ) -> tuple[Answer, Proof]:
        proof = self._authorisation.headers()
        headers = {**more, **proof, "Accept": "application/json"}
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        answer = self._remote.send(
            method, url, headers=headers, content=content, timeout=timeout, settles_after=settles_after
        )
        return answer, proof


def _rows(body: Json, table: str) -> list[Json]:
    result = body.get("result")
    if not isinstance(result, list):
        raise Outage(SYSTEM, f"the answer for {table} has no list of rows")
    return result


def _has_rate_rule(answer: Answer) -> bool:
    """A rate rule says so in headers; a full semaphore does not."""
    return any(name.startswith("x-ratelimit-") for name in answer.headers)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _message(body: Any) -> str:
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        return f"({str(body['error'].get('message'))[:200]})"
    return ""
