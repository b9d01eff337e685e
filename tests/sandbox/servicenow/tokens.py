"""The OAuth token endpoint: grants, clients, and the tokens given out. Source: the vendor's "OAuth API response parameters"."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote_plus

import httpx

from tests.sandbox.servicenow.answers import json_answer
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.store import Row, Store

TOKEN_LIFE = timedelta(seconds=1799)
REFRESH_LIFE = timedelta(days=100)
ByPassword = Callable[[str, str], Row | None]


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


class Tokens:
    """Gives tokens out and keeps them; `by_password` checks a user's password."""

    def __init__(
        self, store: Store, properties: Properties, now: Callable[[], datetime], by_password: ByPassword
    ) -> None:
        self._store = store
        self._properties = properties
        self._now = now
        self._by_password = by_password
        self._tokens: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self._made = 0

    def live(self, text: str) -> Token | None:
        """The access token of this text, as long as it lives."""
        token = self._tokens.get(text)
        return token if token is not None and token.expires > self._now() else None

    def revoke(self) -> None:
        """Forgets every token."""
        self._tokens.clear()
        self._refresh.clear()

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answers ``POST /oauth_token.do``. Parameters in the address are not read, unless a property says so."""
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
        return json_answer(200, body | {"scope": client["auth_scope"], "token_type": "Bearer", "expires_in": left})

    def _client(self, request: httpx.Request, form: dict[str, str]) -> Row:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "basic":
            client_id, secret = _basic_pair(value)
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
            user = self._store.get("sys_user", client["user"]) if client["user"] else None
            if user is None or user["active"] != "true" or user["locked_out"] == "true":
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


def _basic_pair(encoded: str) -> tuple[str, str]:
    """Client and secret of a Basic header, each form-encoded; empty when it cannot be read."""
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)
