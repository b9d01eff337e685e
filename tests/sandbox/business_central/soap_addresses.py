"""The addresses of SOAP services: a page or codeunit of a company, the list of what is published, the system service.

Source: "SOAP Web Service URIs". On a customer's own server they lie under ``/{instance}/WS``, online under
``/v2.0/{tenant}/{environment}/WS``; the system service belongs to no company.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

Kind = Literal["Page", "Codeunit", "SystemService", "services"]

_BEHIND = (
    r"/WS(?:/(?P<system>SystemService|services)|/(?P<company>[^/]+)/(?:(?P<kind>Page|Codeunit)/(?P<name>[^/]+)"
    r"|(?P<own>services|SystemService)))/?"
)
_ONLINE = re.compile(r"(?P<root>/v2\.0(?:/(?P<tenant>[^/]+))?/(?P<environment>[^/]+))" + _BEHIND, re.IGNORECASE)
_ON_PREMISES = re.compile(r"(?P<root>/(?P<environment>[^/]+))" + _BEHIND, re.IGNORECASE)
_KINDS: dict[str, Kind] = {
    "page": "Page",
    "codeunit": "Codeunit",
    "systemservice": "SystemService",
    "services": "services",
}


@dataclass(frozen=True)
class SoapAddress:
    """What an address names; `root` is its part before ``/WS``, `environment` the environment or the server instance."""

    root: str
    tenant: str | None
    environment: str
    company: str | None
    kind: Kind
    name: str = ""


def address(path: str, *, on_premises: bool) -> SoapAddress | None:
    """The SOAP address that a raw path is, None when it is none."""
    match = (_ON_PREMISES if on_premises else _ONLINE).fullmatch(path)
    if match is None:
        return None
    found = match.groupdict()
    return SoapAddress(
        match["root"],
        unquote(found["tenant"]) if found.get("tenant") else None,
        unquote(match["environment"]),
        unquote(match["company"]) if match["company"] else None,
        _KINDS[(match["system"] or match["kind"] or match["own"]).lower()],
        unquote(match["name"] or ""),
    )
