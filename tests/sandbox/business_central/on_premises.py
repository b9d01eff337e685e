"""A Business Central server on the customer's own premises: its addresses, its tenants and its Basic authentication.

Source: "Endpoints for the APIs", "Web Services Authentication" and "Configuring Business Central Server". The API lives at
``/{instance}/api/v2.0``, page services at ``/{instance}/ODataV4``; a multitenant server wants ``?tenant=`` with every request.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.routing import PAGES, ApiRoute

_ADDRESS = re.compile(r"(/(?P<instance>[^/]+)/(?:api/(?P<api>v2\.0|[\w-]+/[\w-]+/[\w.]+)|ODataV4))(?P<rest>/.*)?")


@dataclass
class OnPremises:
    """The settings of such a server.

    `users` maps user names to their web service access keys. `tenants` are the tenants it has; empty: it is not multitenant.
    `api_enabled` is the server's setting ``ApiServicesEnabled``, `odata_enabled` ``ODataServicesEnabled`` (for page services).
    `links_name_tenant`: whether a next link repeats the tenant.
    """

    instance: str = "BC240"
    users: dict[str, str] = field(default_factory=lambda: {"CONNECTOR": "pQc2Zx0sV5r8Nf3hLk7mTj1bYw9eUa4gDi6oRv2xS0A="})
    tenants: tuple[str, ...] = ()
    api_enabled: bool = True
    odata_enabled: bool = True
    links_name_tenant: bool = True

    def route(self, path: str) -> ApiRoute | None:
        """The API address that a raw path is on this server, None when it is none."""
        match = _ADDRESS.fullmatch(path)
        if match is None or unquote(match["instance"]).lower() != self.instance.lower():
            return None
        segments = tuple(unquote(part) for part in (match["rest"] or "").split("/") if part)
        return ApiRoute(match.group(1), None, self.instance, segments, match["api"] or PAGES)

    def serves(self, route: ApiRoute) -> bool:
        """Whether the service behind an address is switched on."""
        return self.odata_enabled if route.api == PAGES else self.api_enabled

    def user(self, request: httpx.Request) -> str | None:
        """The user whose name and key a request carries, None without a right one."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, key = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return name if self.users.get(name) == key else None

    def check_tenant(self, pairs: list[tuple[str, str]]) -> None:
        """Passes when the query names a tenant of this server, or need not, else raises `Refusal`."""
        if not self.tenants:
            return
        tenant = next((value for name, value in pairs if name.lower() == "tenant"), "")
        if tenant.lower() not in {each.lower() for each in self.tenants}:
            raise Refusal(503, "Internal_TenantUnavailable", f"The tenant '{tenant}' is not accessible")
