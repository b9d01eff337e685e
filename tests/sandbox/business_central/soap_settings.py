"""How SOAP services of a server or an environment are set up, and the codeunits that are published there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Function:
    """A function of a published codeunit: the names of its parameters, all texts, and what it does with them."""

    parameters: tuple[str, ...]
    call: Callable[..., str]


@dataclass
class SoapSettings:
    """The settings; every value is a switch that may be changed at any time.

    `enabled`: the server's setting ``SOAPServicesEnabled``. `windows`: users of a customer's own server log in with Windows
    accounts, by NTLM, else by Basic. `version`: of the server; from 26 on Microsoft's pages are there only with the feature
    switch `microsoft_pages`, from 29 on never. `sends_blanks`: whether empty texts are empty elements, else they are left out.
    `body_bytes`: the largest message. `codeunits`: published ones by name.
    """

    enabled: bool = True
    windows: bool = False
    version: int = 24
    microsoft_pages: bool = False
    sends_blanks: bool = True
    body_bytes: int = 65_536 * 1024
    codeunits: dict[str, dict[str, Function]] = field(default_factory=dict)
