"""OAuth 2.0 client-credentials tokens: fetched once for all threads, refreshed early, rotated without an outage."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from connector.errors import Outage, Refused
from connector.ports import Clock
from connector.remote.http import Answer, Remote

EARLY_SECONDS = 300.0
EARLY_SHARE = 0.1
TIMEOUT = 20.0
PAUSE_AFTER_REFUSAL = 60.0
"""A refused credential is not tried again for this long: repeated failures lock accounts."""

_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)

Credential = Mapping[str, str]
"""The form fields that identify the client, such as client_secret or client_assertion."""


def refresh_margin(lifetime: float) -> float:
    """How long before its end a token is replaced: 5 minutes, or a tenth of a short life."""
    return min(EARLY_SECONDS, lifetime * EARLY_SHARE)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the moment (of the monotonic clock) from which it is replaced."""

    text: str
    stale_at: float


class TokenProvider:
    """Tokens of one client of one system.

    `credentials` are tried in order, starting with the one that worked last; the next is tried when the server calls the
    client invalid, so that a secret can be rotated while running. A callable is asked for its fields at each fetch
    (federated identities sign a new assertion).
    """

    def __init__(
        self,
        remote: Remote,
        url: str,
        form: Mapping[str, str],
        credentials: Sequence[Callable[[], Credential]],
        clock: Clock,
    ) -> None:
        self._remote = remote
        self._url = url
        self._form = dict(form)
        self._credentials = list(credentials)
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refused: tuple[str, float] | None = None

    def token(self) -> str:
        """A token with life left. One thread fetches, the others wait for it. Raises `Refused` or `Outage`."""
        token = self._token
        if token is not None and self._clock.monotonic() < token.stale_at:
            return token.text
        with self._lock:
            token = self._token
            if token is None or self._clock.monotonic() >= token.stale_at:
                token = self._token = self._fetch()
            return token.text

    def reject(self, text: str) -> None:
        """Forgets the token that the API has just refused, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and self._token.text == text:
                self._token = None

    def _fetch(self) -> Token:
        if self._refused is not None:
            message, until = self._refused
            if self._clock.monotonic() < until:
                raise Refused(self._remote.system, message)
        for position, credential in enumerate(self._credentials):
            answer = self._post(credential())
            if answer.status == 200:
                self._credentials.insert(0, self._credentials.pop(position))
                self._refused = None
                return self._parsed(answer)
            if answer.status not in (400, 401, 403):
                raise Outage(
                    self._remote.system,
                    f"the token endpoint answered {answer.status}",
                    retry_after=self._remote.retry_after(answer),
                )
        message = (
            f"the token endpoint refused the client ({_error_code(answer)}); check the client id, its secret's expiry, "
            "and that the grant type client credentials is switched on"
        )
        self._refused = (message, self._clock.monotonic() + PAUSE_AFTER_REFUSAL)
        raise Refused(self._remote.system, message)

    def _post(self, credential: Credential) -> Answer:
        body = urlencode(self._form | dict(credential)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self._remote.send("POST", self._url, headers=headers, content=body, timeout=TIMEOUT)

    def _parsed(self, answer: Answer) -> Token:
        try:
            body = json.loads(answer.body)
            text, lifetime = body["access_token"], float(body["expires_in"])  # seconds, as a number or as text
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise Outage(self._remote.system, "the token endpoint answered without a token") from error
        # ServiceNow hands out the same token while it lives, with what is left of its life, down to nothing.
        usable = isinstance(text, str) and _TOKEN.fullmatch(text) and math.isfinite(lifetime) and lifetime >= 0
        if not usable:
            raise Outage(self._remote.system, "the token endpoint answered without a token")
        return Token(text, self._clock.monotonic() + lifetime - refresh_margin(lifetime))


def _error_code(answer: Answer) -> str:
    """The OAuth error word and, from Entra ID, its number. The description is left out: it can hold identifiers."""
    try:
        body = json.loads(answer.body)
        numbers = ", ".join(f"AADSTS{int(number)}" for number in body.get("error_codes", [])[:3])
        word = str(body["error"])[:60]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"status {answer.status}"
    return f"{word}, {numbers}" if numbers else word
