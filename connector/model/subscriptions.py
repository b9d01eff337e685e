"""Webhook subscriptions: what one is about, and how it looks in Business Central."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.model.feeds import Feed


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What a subscription is about: one feed of one company (by its key in the settings)."""

    company: str
    feed: Feed


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Business Central lists it."""

    id: str
    resource: str
    url: str
    client_state: str
    expires: datetime
    etag: str
