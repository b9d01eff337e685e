"""Who calls: Basic credentials, bearer tokens, and the token endpoint that gives them out."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote_plus

import httpx

from tests.sandbox.servicenow.access import Access, User
from tests.sandbox.servicenow.answers import json_answer, unauthenticated
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.store import Row, Store

TOKEN_LIFE = timedelta(seconds=1799)
REFRESH_LIFE = timedelta(days=100)


@dataclass
class Token:
    """One access or refresh token."""

    text: str
    client_id: str
    user_id: str
    expires: datetime


class Refused(Exception):
    """The token endpoint says no."""

    def __init__(self, error: str = "server_error", description: str = "access_denied") -> None:
        super().__init__(error)
        self.error = error
        self.description = description


class Credentials:
    """Checks credentials against the user and client tables, and keeps the tokens given out."""

    def __init__(self, store: Store, access: Access, properties: Properties, now: Callable[[], datetime]) -> None:
        self._store = store
        self._access = access
        self._properties = properties
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self._made = 0

    def user(self, request: httpx.Request) -> User:
        """The caller, or the 401 refusal."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        row: Row | None = None
        if scheme.casefold() == "basic":
            row = self._by_password(*_pair(value))
        elif scheme.casefold() == "bearer":
            token = self._tokens.get(value)
            if token is not None and token.expires > self._now():
                row = self._active(self._store.get("sys_user", token.user_id))
        if row is None:
            raise unauthenticated()
        user = self._access.user(row)
        if scheme.casefold() == "basic" and self._properties.on("glide.authenticate.basic_auth.restriction.enforce"):
            extra = self._properties.text("glide.authenticate.basic_auth.allowed_roles").split(",")
            if not user.roles & {"snc_basic_auth_api_access", *extra}:
                raise unauthenticated()
        return user

    def revoke_tokens(self) -> None:
        """Forgets every token, as a restart of the instance or an administrator would."""
        self._tokens.clear()
        self._refresh.clear()

    def token(self, request: httpx.Request) -> httpx.Response:
        """Answers ``POST /oauth_token.do``. Parameters in the address are not read."""
        form = dict(parse_qsl(request.content.decode("utf-8", "replace"), keep_blank_values=True))
        if not self._properties.on("glide.oauth.allow.parameters.in.post.body.only", default=True):
            form = dict(request.url.params) | form
        try:
            client = self._client(request, form)
            user_id, with_refresh = self._user_of_grant(client, form)
        except Refused as refused:
            return json_answer(401, {"error_description": refused.description, "error": refused.error})
        token = self._issue(self._tokens, client["client_id"], user_id, TOKEN_LIFE)
        body: dict[str, object] = {"access_token": token.text}
        if with_refresh:
            body["refresh_token"] = self._issue(self._refresh, client["client_id"], user_id, REFRESH_LIFE).text
        left = int((token.expires - self._now()).total_seconds())
        return json_answer(200, body | {"scope": "useraccount", "token_type": "Bearer", "expires_in": left})

    def _client(self, request: httpx.Request, form: dict[str, str]) -> Row:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "basic":
            client_id, secret = (unquote_plus(part) for part in _pair(value))
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        known = self._store.find("oauth_entity", {"client_id": client_id})
        if not known or known[0]["active"] != "true":
            raise Refused("invalid_client")
        if known[0]["client_secret"] != secret:
            raise Refused
        return known[0]

    def _user_of_grant(self, client: Row, form: dict[str, str]) -> tuple[str, bool]:
        grant = form.get("grant_type")
        if grant == "client_credentials":
            if not self._properties.on("glide.oauth.inbound.client.credential.grant_type.enabled"):
                raise Refused
            user = self._active(self._store.get("sys_user", client["user"])) if client["user"] else None
            if user is None:
                raise Refused("unauthorized_client", "OAuth integration user is not configured for this client")
            return user["sys_id"], False
        if grant == "password" and not self._properties.on("glide.oauth.inbound.ropc.grant_type.disabled"):
            user = self._by_password(form.get("username", ""), form.get("password", ""))
            if user is not None:
                return user["sys_id"], True
        if grant == "refresh_token":
            token = self._refresh.get(form.get("refresh_token", ""))
            if token is not None and token.client_id == client["client_id"] and token.expires > self._now():
                return token.user_id, True
        raise Refused

    def _issue(self, kept: dict[str, Token], client_id: str, user_id: str, life: timedelta) -> Token:
        for token in kept.values():
            if (token.client_id, token.user_id) == (client_id, user_id) and token.expires > self._now():
                return token
        self._made += 1
        text = hashlib.sha256(f"{client_id}/{user_id}/{self._made}".encode()).hexdigest()
        kept[text] = Token(text, client_id, user_id, self._now() + life)
        return kept[text]

    def _by_password(self, user_name: str, password: str) -> Row | None:
        known = self._store.find("sys_user", {"user_name": user_name}) if user_name else []
        return self._active(known[0]) if known and password and known[0]["user_password"] == password else None

    def _active(self, row: Row | None) -> Row | None:
        return row if row is not None and row["active"] == "true" and row["locked_out"] != "true" else None


def _pair(encoded: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password
