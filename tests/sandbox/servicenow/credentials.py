"""Who calls: passwords, bearer tokens, API keys and session cookies, each tried as the request presents it."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from tests.sandbox.servicenow import api_keys
from tests.sandbox.servicenow.access import Access, User
from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.sessions import Session
from tests.sandbox.servicenow.store import Row, Store
from tests.sandbox.servicenow.switches import Switches
from tests.sandbox.servicenow.tokens import Tokens

BASIC_ROLE = "snc_basic_auth_api_access"
BASIC_RESTRICTED = "glide.authenticate.basic_auth.restriction.enforce"
BASIC_ROLES = "glide.authenticate.basic_auth.allowed_roles"
COOKIES_END = "glide.authenticate.oauth.post.token.expiration.cookie_auth.disabled"


@dataclass(frozen=True)
class Caller:
    """An authenticated caller. `client` is the OAuth client behind a bearer token, `token` that token."""

    user: User
    client: Row | None = None
    token: str = ""


class Credentials:
    """Checks what a request presents against the tables, and counts failed log-ins."""

    def __init__(
        self,
        store: Store,
        access: Access,
        properties: Properties,
        switches: Switches,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._access = access
        self._properties = properties
        self._switches = switches
        self._now = now
        self._failed: Counter[str] = Counter()
        self.tokens = Tokens(store, properties, now, self._by_password)

    def caller(self, request: httpx.Request, session: Session) -> Caller:
        """The caller, or the 401 refusal. A session remembers who came in with it."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        key = api_keys.presented(request)
        if key:
            row = self._active(api_keys.user_of(self._store, key, request, self._now()))
            caller = Caller(self._access.user(row)) if row is not None else None
        elif scheme.casefold() == "basic":
            caller = self._basic(*pair(value))
        elif scheme.casefold() == "bearer":
            caller = self._bearer(value) or self._of_session(session, value)
        else:
            caller = self._of_session(session, session.token) if not scheme else None
        if caller is None:
            raise self.unauthenticated()
        session.user_id, session.token = caller.user.sys_id, caller.token
        return caller

    def revoke_tokens(self) -> None:
        """Forgets every token, as a restart of the instance or an administrator would."""
        self.tokens.revoke()

    def unauthenticated(self, headers: dict[str, str] | None = None) -> Refusal:
        """No, wrong or expired credentials."""
        return Refusal(
            401,
            self._switches.unauthenticated_message,
            "Required to provide Auth information",
            headers={"WWW-Authenticate": 'BASIC realm="Service-now"', **(headers or {})},
        )

    def _basic(self, user_name: str, password: str) -> Caller | None:
        row = self._by_password(user_name, password)
        if row is None:
            return None
        if self._switches.mfa_on_basic:
            raise self.unauthenticated({"X-MFA_TOKEN": "invalid"})
        user = self._access.user(row)
        if self._properties.on(BASIC_RESTRICTED):
            extra = self._properties.text(BASIC_ROLES).split(",")
            if not user.roles & {BASIC_ROLE, *extra}:
                return None
        return Caller(user)

    def _bearer(self, text: str) -> Caller | None:
        token = self.tokens.live(text)
        row = self._active(self._store.get("sys_user", token.user_id)) if token is not None else None
        if token is None or row is None:
            return None
        clients = self._store.find("oauth_entity", {"client_id": token.client_id})
        return Caller(self._access.user(row), clients[0] if clients else None, text)

    def _of_session(self, session: Session, token: str) -> Caller | None:
        """Whoever the session belongs to, unless it was made with another token or ended with its own."""
        if not self._switches.session_logs_in or not session.user_id or session.token != token:
            return None
        if token and self._properties.on(COOKIES_END, default=True) and self.tokens.live(token) is None:
            return None
        row = self._active(self._store.get("sys_user", session.user_id))
        return Caller(self._access.user(row), token=token) if row is not None else None

    def _by_password(self, user_name: str, password: str) -> Row | None:
        known = self._store.find("sys_user", {"user_name": user_name}) if user_name else []
        if not known:
            return None
        row = known[0]
        if password and row["user_password"] == password:
            self._failed.pop(row["sys_id"], None)
            return self._active(row)
        self._failed[row["sys_id"]] += 1
        if self._failed[row["sys_id"]] == self._switches.failed_logins_until_lock:
            self._store.update("sys_user", row["sys_id"], {"locked_out": "true"})
        return None

    def _active(self, row: Row | None) -> Row | None:
        return row if row is not None and row["active"] == "true" and row["locked_out"] != "true" else None


def pair(encoded: str) -> tuple[str, str]:
    """User and password of a Basic header; empty when it cannot be read."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password
