"""The client of webhook subscriptions: what BC offers, what it lists, and creating, renewing and removing one.

Source: "Working with webhooks in Business Central". They belong to the whole environment, so the listing shows other
applications' as well. Before BC answers a creation or a renewal it asks the notification address to repeat a token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connector.business_central.odata import guid, literal, query
from connector.business_central.session import (
    SETTLES_AFTER,
    SYSTEM,
    BusinessCentralSession,
    ChangeRefused,
    Json,
    PageBroken,
)
from connector.errors import Ambiguous, Outage, Refused
from connector.model.stamps import NEVER, parse_stamp
from connector.model.subscriptions import Subscription
from connector.setting_words import Company

RUNTIME_API = "microsoft/runtime/beta"
PAGE = 1000
GONE = (404, 410)
MOVED_ON = (409, 412)
"""Somebody else has changed the subscription since it was listed."""
_ID = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The environment's subscriptions at the moment `at` of BC's clock. `count`: of all, readable or not."""

    subscriptions: tuple[Subscription, ...]
    count: int
    at: datetime


class SubscriptionClient:
    """Speaks about subscriptions with one environment."""

    def __init__(self, session: BusinessCentralSession) -> None:
        self._session = session

    def supported(self, company: Company) -> frozenset[str] | None:
        """The resources that can be subscribed to, such as ``v2.0/vendors``; None when this installation does not tell.

        Raises `Outage` when it cannot tell now.
        """
        path = (
            f"companies({guid(company.id)})/webhookSupportedResources?{query(filter='resource eq ' + literal('v2.0*'))}"
        )
        try:
            pages = list(self._session.pages(path, page_size=PAGE, api=RUNTIME_API))
        except (Refused, PageBroken):
            return None
        named = frozenset(str(row["resource"]) for page in pages for row in page.rows if _texts(row, "resource"))
        # An environment with this API offers some: an empty list says that the filter was not understood.
        return named or None

    def listing(self) -> Subscribed:
        """All subscriptions of the environment. Raises `Outage`.

        One whose id cannot be used has the id "", one whose expiry cannot be read ends at `NEVER`; those that do not even say
        what they are about are left out, for they cannot be ours.
        """
        found: list[Subscription] = []
        count, moments = 0, []
        try:
            for page in self._session.pages("subscriptions", page_size=PAGE):
                moments.append(page.at)
                count += len(page.rows)
                found += [_listed(row) for row in page.rows if _texts(row, "resource", "notificationUrl")]
        except PageBroken as broken:
            raise Outage(SYSTEM, f"subscriptions cannot be listed ({broken})") from broken
        return Subscribed(tuple(found), count, moments[0])

    def create(self, resource: str, url: str, client_state: str) -> Subscription:
        """A new subscription, as BC tells of it. Raises `ChangeRefused`, `Ambiguous` (the listing will show) or `Outage`."""
        body = {"notificationUrl": url, "resource": resource, "clientState": client_state}
        return self._told("POST", "subscriptions", body)

    def renew(self, subscription: Subscription, url: str, client_state: str) -> Subscription:
        """The subscription with a new expiry, and this address and ``clientState``. Raises what `create` raises; a
        `ChangeRefused` with a status of `GONE` or `MOVED_ON` says that it is not there, or not as it was listed."""
        # BC does not renew on an empty body: everything is written anew.
        body = {"notificationUrl": url, "resource": subscription.resource, "clientState": client_state}
        return self._told("PATCH", _path(subscription), body, etag=subscription.etag or "*")

    def remove(self, subscription: Subscription) -> None:
        """Removes it as it was listed; one that is gone already is no matter. Raises what `renew` raises."""
        try:
            self._session.change("DELETE", _path(subscription), {}, etag=subscription.etag or "*")
        except ChangeRefused as refused:
            if refused.status not in GONE:
                raise
        except PageBroken as broken:
            raise _unknown(broken) from broken

    def _told(
        self, method: Literal["POST", "PATCH"], path: str, body: Mapping[str, str], *, etag: str = ""
    ) -> Subscription:
        try:
            row = self._session.change(method, path, body, etag=etag)
        except PageBroken as broken:
            raise _unknown(broken) from broken
        told = _listed(row) if _texts(row, "resource", "notificationUrl") else None
        if told is None or not told.id or told.expires == NEVER:
            raise Ambiguous(SYSTEM, "the answer describes no subscription", settles_after=SETTLES_AFTER)
        return told


def _unknown(broken: PageBroken) -> Ambiguous:
    return Ambiguous(SYSTEM, f"a subscription may have been changed ({broken})", settles_after=SETTLES_AFTER)


def _path(subscription: Subscription) -> str:
    if not _ID.fullmatch(subscription.id):
        raise ValueError("the id of a subscription is 32 hexadecimal digits")
    return f"subscriptions({literal(subscription.id.lower())})"


def _listed(row: Json) -> Subscription:
    id_, etag, state = row.get("subscriptionId"), row.get("@odata.etag"), row.get("clientState")
    try:
        expires = parse_stamp(str(row.get("expirationDateTime")))
    except ValueError:
        expires = NEVER
    return Subscription(
        id=id_.lower() if isinstance(id_, str) and _ID.fullmatch(id_) else "",
        resource=row["resource"],
        url=row["notificationUrl"],
        client_state=state if isinstance(state, str) else "",
        expires=expires,
        etag=etag if isinstance(etag, str) else "",
    )


def _texts(row: object, *names: str) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in names)
