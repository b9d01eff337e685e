"""The error tree, by what the caller must do.

ConnectorError
 |- SettingsFault        stop: the set-up is wrong; names each setting and its remedy
 |- Outage               wait: nothing about the document is wrong; never parks, never counts as a try
 |   |- Throttled        wait exactly as long as the other side said
 |   |- Refused          wait and tell an admin: credentials, roles or switches stand in the way
 |   |- Ambiguous        wait out the server's own limit, then look before sending again: the effect is unknown
 |   |- Unfinished       go on soon: a part is done, and the time of one run was not enough for the rest
 |   `- StorageUnavailable
 |- DocumentFault        park: this document cannot be right as it is; carries every reason
 `- RowConflict          re-read and decide again: somebody else changed the row first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GO_ON_AFTER = 1.0


class ConnectorError(Exception):
    """Any error this connector raises on purpose."""


class SettingsFault(ConnectorError):
    """The set-up is wrong. The message lists every fault; it never holds a secret."""


class Outage(ConnectorError):
    """The other side cannot serve now. `system` names it; `retry_after` is its own wish in seconds, if it told one."""

    def __init__(self, system: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{system}: {message}")
        self.system = system
        self.retry_after = retry_after


class Throttled(Outage):
    """The other side asked us to slow down (429)."""


class Refused(Outage):
    """Credentials, roles or a switch stand in the way. The message says which and what to do."""


class Ambiguous(Outage):
    """The request may or may not have taken effect. `settles_after`: seconds after which the server has ended it."""

    def __init__(self, system: str, message: str, *, settles_after: float) -> None:
        super().__init__(system, message, retry_after=settles_after)
        self.settles_after = settles_after


class Unfinished(Outage):
    """There is more to do than fits into one run. What was done stays; the next run goes on from there."""

    def __init__(self, system: str, message: str) -> None:
        super().__init__(system, message, retry_after=GO_ON_AFTER)


class StorageUnavailable(Outage):
    """Queue or Table Storage did not answer as it should; a write may or may not have taken effect."""

    def __init__(self, message: str) -> None:
        super().__init__("storage", message)


class RowConflict(ConnectorError):
    """A conditional write lost: the row at `index` of the transaction exists, is gone or has another ETag."""

    def __init__(self, index: int, row: str) -> None:
        super().__init__(f"row {row} was changed by somebody else (operation {index})")
        self.index = index
        self.row = row


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document is parked: a stable code, one sentence with the facts, and what to do about it.

    `where` is the place inside the document: empty for the header, else the line's sequence number as text. `about` names the
    thing outside the document that stands in its way, kind first (``("account", "61300")``), and `found` what was found out
    about it: when that changes, the document is worth another look.
    """

    code: str
    message: str
    remedy: str
    where: str = ""
    about: tuple[str, ...] = ()
    found: str = ""


class DocumentFault(ConnectorError):
    """This document cannot be carried as it is. Holds every reason found, at least one."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__("; ".join(f"{reason.code}: {reason.message}" for reason in reasons))
        self.reasons = tuple(reasons)
