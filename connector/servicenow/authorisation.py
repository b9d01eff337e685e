"""How requests to ServiceNow prove who sends them: OAuth tokens, user name and password, or an API key.

Sources: "OAuth 2.0 client credentials", "Basic authentication" and "Configure API key" in ServiceNow's platform security pages.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from connector.errors import Refused
from connector.ports import Clock
from connector.remote.tokens import PAUSE_AFTER_REFUSAL, TokenProvider

SYSTEM = "ServiceNow"
KEY_HEADER = "x-sn-apikey"
TOKEN_PATH = "/oauth_token.do"  # noqa: S105 - an address

Proof = Mapping[str, str]
"""The headers that say who sends a request."""


class Authorisation(Protocol):
    """How a request proves who sends it."""

    def headers(self) -> Proof:
        """The headers to send. Raises `Refused` while there is nothing that has not just been refused."""
        ...

    def reject(self, proof: Proof) -> bool:
        """The instance refused these headers; whether another try with new ones makes sense."""
        ...


class Basic:
    """User name and password. Once refused, they are not tried again for a minute: enough refusals lock the user."""

    def __init__(self, username: str, password: str, clock: Clock) -> None:
        self._header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._clock = clock
        self._refused_until = 0.0

    def headers(self) -> Proof:
        """The user and the password, or `Refused`."""
        if self._clock.monotonic() < self._refused_until:
            raise Refused(
                SYSTEM, "refused the user name and password a moment ago; check them, and that Basic is allowed"
            )
        return {"Authorization": self._header}

    def reject(self, proof: Proof) -> bool:  # noqa: ARG002 - the interface's
        """No: the same password would be refused again."""
        self._refused_until = self._clock.monotonic() + PAUSE_AFTER_REFUSAL
        return False


class Bearer:
    """OAuth tokens by client credentials."""

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens

    def headers(self) -> Proof:
        """A token with life left. Raises `Refused` or `Outage` when there is none to be had."""
        return {"Authorization": f"Bearer {self._tokens.token()}"}

    def reject(self, proof: Proof) -> bool:
        """Yes: a new token."""
        self._tokens.reject(proof["Authorization"].removeprefix("Bearer "))
        return True


class ApiKey:
    """API keys, tried in order, starting with the one that worked last; the next is tried when one is refused, so that a key
    can be replaced while running. When all were refused, none is sent for a minute."""

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        self._keys = list(keys)
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._refused_until = 0.0

    def headers(self) -> Proof:
        """The key to try now, or `Refused`."""
        with self._lock:
            if self._clock.monotonic() < self._refused_until:
                raise Refused(
                    SYSTEM,
                    "refused every API key a moment ago; check that they are active, and that an access policy opens "
                    "the APIs to keys",
                )
            return {KEY_HEADER: next(key for key in self._keys if key not in self._refused)}

    def reject(self, proof: Proof) -> bool:
        """Yes, if there is a key that was not refused."""
        with self._lock:
            self._refused.add(proof[KEY_HEADER])
            if self._refused.issuperset(self._keys):
                self._refused.clear()
                self._refused_until = self._clock.monotonic() + PAUSE_AFTER_REFUSAL
                return False
            return True
