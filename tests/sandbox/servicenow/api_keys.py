"""API keys: a key stands for a user, for those APIs and methods an access policy opens to keys.

Source: the vendor's "Configure API key" page (token-based authentication).
"""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from tests.sandbox.servicenow.apis import name_of
from tests.sandbox.servicenow.store import Row, Store

NAME, PLUGIN = "x-sn-apikey", "com.glide.tokenbased_auth"


def presented(request: httpx.Request) -> str:
    """The key a request carries in its header or its address; empty when it carries none."""
    return str(request.headers.get(NAME) or request.url.params.get(NAME) or "")


def user_of(store: Store, key: str, request: httpx.Request, now: datetime) -> Row | None:
    """The user row of a valid key that a policy lets use this API."""
    plugin = store.find("v_plugin", {"id": PLUGIN})
    if not plugin or plugin[0]["active"] != "active":
        return None
    moment = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    keys = [row for row in store.find("api_key", {"token": key}) if row["token"] == key and row["active"] == "true"]
    if not keys or (keys[0]["expires"] and keys[0]["expires"] <= moment) or not _open(store, request):
        return None
    return store.get("sys_user", keys[0]["user"])


def _open(store: Store, request: httpx.Request) -> bool:
    return any(
        policy["rest_api"] == name_of(request.url.path) and policy["method"].upper() in {"", request.method}
        for policy in store.find("sys_api_access_policy", {"active": "true"})
    )
