"""What this connector may change in Business Central: webhook subscriptions and the values of dimensions. This is all of it.

Whatever is no GET is held against this list before a socket is opened, so that no fault elsewhere can ever write to BC's
documents. A value of a dimension may be added or changed, never deleted, and never given another code: BC would rename it in
every posted entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from connector.errors import ConnectorError
from connector.model.codes import LONGEST_CODE, length

API_V2 = "v2.0"
PAGE_SERVICES = "ODataV4"
"""What stands in place of an API's name in the addresses of pages that are published as web services."""

Method = Literal["POST", "PATCH", "DELETE"]
Body = Mapping[str, str | bool]

_GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NO_COMPANY = "(?!)"
_TEXT = r"'((?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+)'"
_SUBSCRIPTION = frozenset({"notificationUrl", "resource", "clientState"})
_EXTENSION_CHANGES = frozenset({"displayName", "dimensionValueType", "totaling", "blocked"})
_EXTENSION_NEW = _EXTENSION_CHANGES | {"dimensionCode", "code"}
_PAGE_CHANGES = frozenset({"Name", "Dimension_Value_Type", "Totaling", "Blocked"})
_PAGE_NEW = _PAGE_CHANGES | {"Dimension_Code", "Code"}


class ForbiddenWrite(ConnectorError):
    """Something tried to change what this connector must never change."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One thing that may be done. `address`: below that of the API; its groups are codes. `etag`: it must say which version of
    the row it changes."""

    method: Method
    api: str
    address: str
    properties: frozenset[str]
    etag: bool = False

    def allows(self, method: str, api: str, address: str, body: Body, etag: str) -> bool:
        found = re.fullmatch(self.address, address, re.ASCII) if (method, api) == (self.method, self.api) else None
        return (
            found is not None
            and all(fits_address(unquote(code).replace("''", "'")) for code in found.groups())
            and body.keys() <= self.properties
            and all(isinstance(value, str | bool) for value in body.values())
            and not (self.etag and (etag in ("", "*") or not body))
        )


class Permitted:
    """The list for the companies with these ids, the API of this extension, and page 537 published under the name `service`.

    Without a company: subscriptions only.
    """

    def __init__(self, companies: Iterable[str] = (), *, extension: str = "", service: str = "") -> None:
        self.extension = extension
        self.service = service
        company = "|".join(re.escape(each) for each in companies) or _NO_COMPANY
        values = rf"companies\((?:{company})\)/dimensionValues"
        page = rf"Company\(Id=(?:{company})\)/{re.escape(service)}"
        one_subscription = r"subscriptions\('[0-9a-f]{32}'\)"
        one_of_page = rf"{page}\(Dimension_Code={_TEXT},Code={_TEXT}\)"
        self._rules = (
            _Rule("POST", API_V2, "subscriptions", _SUBSCRIPTION),
            _Rule("PATCH", API_V2, one_subscription, _SUBSCRIPTION),
            _Rule("DELETE", API_V2, one_subscription, _SUBSCRIPTION),
            _Rule("POST", extension, values, _EXTENSION_NEW),
            _Rule("PATCH", extension, rf"{values}\({_GUID}\)", _EXTENSION_CHANGES, etag=True),
            _Rule("POST", PAGE_SERVICES, page, _PAGE_NEW),
            _Rule("PATCH", PAGE_SERVICES, one_of_page, _PAGE_CHANGES, etag=True),
        )

    def check(self, method: str, api: str, address: str, body: Body, etag: str = "") -> None:
        """Passes what is on the list. Raises `ForbiddenWrite`."""
        if not any(rule.allows(method, api, address, body, etag) for rule in self._rules):
            raise ForbiddenWrite(
                f"{method} {address.partition('(')[0]} is nothing this connector may do in Business Central"
            )


def fits_address(code: str) -> bool:
    """Whether a code can stand in an address. One that a proxy might take for a way up in the path cannot."""
    climbs = ".." in code and any(letter in code for letter in "/\\%")
    return 0 < length(code) <= LONGEST_CODE and code.isprintable() and not climbs
