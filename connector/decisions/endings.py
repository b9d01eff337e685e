"""Endings: how a document ended that Business Central does not have any more, from what it left behind there.

An order leaves BC when its last invoice is posted ("Receive and invoice" on the API page of purchase orders), or when somebody
deletes it: then nothing names it but, where orders are archived, its own archived versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["invoiced", "received", "cancelled", "deleted"]
"""``invoiced``: an invoice carries on what it ordered. ``received``: goods came, and are billed in another way. ``cancelled``:
deleted, and ServiceNow may have it, so it must hear of that. ``deleted``: deleted before anything of it was sent."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one document left behind: invoices and receipts that name it, archived versions."""

    invoiced: bool = False
    received: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """The verdict; `archived` changes nothing about it, but tells where a person can look."""

    how: How
    archived: bool = False


def ending(trace: Trace, *, may_stand: bool) -> Ending:
    """How the document ended. `may_stand`: something of it was sent, so that ServiceNow may have it."""
    if trace.invoiced:
        return Ending("invoiced", trace.archived)
    if trace.received:
        return Ending("received", trace.archived)
    return Ending("cancelled" if may_stand else "deleted", trace.archived)
