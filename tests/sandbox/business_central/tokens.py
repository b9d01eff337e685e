"""The token endpoint of the identity platform, and the check of the tokens it gave out.

Client credentials (v2.0) as services use them, and the refresh-token flow (v1 and v2.0) as older clients use it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from tests.sandbox.business_central.errors import Refusal, invalid_credentials, no_credentials

LIFETIME = timedelta(seconds=3599)
_ANY_TENANT = frozenset({"common", "organizations"})


class TokenRefusal(Exception):
    """A refused token request."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.number = number
        self.text = text


class Tokens:
    """Gives out bearer tokens and knows which are good. `secrets` may be changed at any time: two can be valid at once."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        fresh_guid: Callable[[], str],
        audience: str,
        tenants: Collection[str],
        client_id: str,
        secrets: Collection[str],
        expired_secrets: Collection[str],
        refresh_tokens: Collection[str],
    ) -> None:
        self._now = now
        self._fresh_guid = fresh_guid
        self._audience = audience
        self._tenants = {tenant.lower() for tenant in tenants}
        self._client_id = client_id
        self.secrets = list(secrets)
        self.expired_secrets = list(expired_secrets)
        self.refresh_tokens = list(refresh_tokens)
        self._issued = 0
        self._revoked_up_to = 0
        self._key = hashlib.sha256(f"{audience} {client_id}".encode()).digest()

    def revoke(self) -> None:
        """Makes every token given out so far worthless."""
        self._revoked_up_to = self._issued

    def answer(self, request: httpx.Request, tenant: str, version: str) -> httpx.Response:
        """The answer of the token endpoint."""
        form = {name: values[-1] for name, values in parse_qs(request.content.decode("utf-8", "replace")).items()}
        try:
            return httpx.Response(200, json=self._grant(form, tenant, version))
        except TokenRefusal as refusal:
            return self._refused(refusal)

    def check(self, request: httpx.Request) -> None:
        """Passes when the request carries a good token, else raises `Refusal`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise no_credentials()
        claims = self._claims(token.strip())
        if claims is None or claims["exp"] <= self._now().timestamp() or claims["number"] <= self._revoked_up_to:
            raise invalid_credentials()

    def accepts(self, request: httpx.Request) -> bool:
        """Whether the request carries a good token."""
        try:
            self.check(request)
        except Refusal:
            return False
        return True

    def _grant(self, form: dict[str, str], tenant: str, version: str) -> dict[str, Any]:
        grant = form.get("grant_type", "")
        if tenant.lower() not in self._tenants and not (grant == "refresh_token" and tenant.lower() in _ANY_TENANT):
            raise TokenRefusal(
                400,
                "invalid_request",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct ID.",
            )
        if form.get("client_id", "").lower() != self._client_id.lower():
            raise TokenRefusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form.get('client_id', '')}' was not found in the directory.",
            )
        self._check_secret(form.get("client_secret", ""))
        if grant == "client_credentials":
            self._check_scope(form.get("scope", ""))
            return self._token(version)
        if grant == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                raise TokenRefusal(400, "invalid_grant", 700082, "The refresh token has expired due to inactivity.")
            return self._token(version) | {"refresh_token": form["refresh_token"]}
        raise TokenRefusal(
            400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'."
        )

    def _check_secret(self, secret: str) -> None:
        if secret in self.secrets:
            return
        if secret in self.expired_secrets:
            raise TokenRefusal(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        raise TokenRefusal(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def _check_scope(self, scope: str) -> None:
        if scope == f"{self._audience}/.default":
            return
        if scope.startswith(f"{self._audience}/"):
            raise TokenRefusal(
                400, "invalid_scope", 1002012, f"The provided value for scope {scope} is not valid: use /.default."
            )
        raise TokenRefusal(
            400, "invalid_scope", 70011, f"The provided value for the input parameter 'scope' is not valid: '{scope}'."
        )

    def _token(self, version: str) -> dict[str, Any]:
        self._issued += 1
        now = self._now()
        expires = int((now + LIFETIME).timestamp())
        claims = {
            "aud": self._audience,
            "exp": expires,
            "roles": ["API.ReadWrite.All", "app_access"],
            "number": self._issued,
        }
        token = self._sign(claims)
        seconds = int(LIFETIME.total_seconds())
        if version == "v2.0":
            return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        return {
            "token_type": "Bearer",
            "expires_in": str(seconds),
            "ext_expires_in": str(seconds),
            "expires_on": str(expires),
            "resource": self._audience,
            "access_token": token,
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        body = ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
        return f"{body}.{_base64(hmac.digest(self._key, body.encode(), 'sha256'))}"

    def _claims(self, token: str) -> dict[str, Any] | None:
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(
            signature.encode(), _base64(hmac.digest(self._key, body.encode(), "sha256")).encode()
        ):
            return None
        payload = body.partition(".")[2]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims

    def _refused(self, refusal: TokenRefusal) -> httpx.Response:
        stamp = self._now().strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = self._fresh_guid(), self._fresh_guid()
        description = (
            f"AADSTS{refusal.number}: {refusal.text}\r\nTrace ID: {trace}\r\n"
            f"Correlation ID: {correlation}\r\nTimestamp: {stamp}"
        )
        return httpx.Response(
            refusal.status,
            json={
                "error": refusal.error,
                "error_description": description,
                "error_codes": [refusal.number],
                "timestamp": stamp,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"https://login.microsoftonline.com/error?code={refusal.number}",
            },
        )


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
