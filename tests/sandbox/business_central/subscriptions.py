"""Webhook subscriptions: creating, renewing and deleting them through the API, with the handshake that proves the receiver.

Source: "Working with webhooks in Business Central" and the ``subscriptions`` resource of API v2.0. They belong to the whole
environment, live three days from creation or renewal, and are gone after that. Not documented, and therefore switches or
guesses here: the verb of the handshake, the form of its token, the bodies of refusals.
"""

from __future__ import annotations

import hmac
import itertools
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from tests.sandbox.business_central.entities import EntitySet, declared
from tests.sandbox.business_central.errors import (
    Refusal,
    bad_syntax,
    method_not_allowed,
    unknown_record,
)
from tests.sandbox.business_central.extension_sets import FEEDS, MAPPINGS
from tests.sandbox.business_central.post import Post
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.webhook_resources import EXTENSION, LISTED, Subscribable, subscribable
from tests.sandbox.business_central.writes import changes_in, check_token, json_body

SUBSCRIPTIONS = EntitySet(
    name="subscriptions",
    type_name="subscription",
    caption="API Webhook Subscription",
    properties=declared("""
        subscriptionId text ro; notificationUrl text; resource text; timestamp long ro; userId guid ro
        lastModifiedDateTime datetime ro; clientState text(2048); expirationDateTime datetime ro
        systemCreatedAt datetime ro; systemCreatedBy guid ro; systemModifiedAt datetime ro; systemModifiedBy guid ro
    """),
)
_FIRST_VERSION = 49_000_000_000_000_001
_USER = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True)
class Subscription:
    """A subscription: its row, and what it is about."""

    row: Record
    about: Subscribable

    @property
    def id(self) -> str:
        """The subscription's id: 32 hexadecimal digits."""
        return str(self.row.values["subscriptionId"])

    @property
    def url(self) -> str:
        """Where its notifications go."""
        return str(self.row.values["notificationUrl"])

    @property
    def resource(self) -> str:
        """The resource, as it was given."""
        return str(self.row.values["resource"])

    @property
    def expires(self) -> datetime:
        """When it ends by itself."""
        moment = self.row.values["expirationDateTime"]
        if not isinstance(moment, datetime):
            raise TypeError("an expiration is a moment")
        return moment


class Subscriptions:
    """The subscriptions of one environment.

    Switches: `handshake_method` (POST or GET), `handshake_patience` (seconds), `fresh_token` (makes a validation token),
    `limit`, `lifetime`, and `extra`: resources beyond the published list, such as ``v2.0/purchaseOrders``. The lock is
    never held during a handshake, for a receiver may read from the simulator meanwhile.
    """

    def __init__(
        self,
        companies: Sequence[CompanyState],
        post: Post,
        *,
        apis: Collection[str],
        now: Callable[[], datetime],
        fresh_guid: Callable[[], str],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.handshake_method = "POST"
        self.handshake_patience = 5.0
        self.fresh_token: Callable[[], str] = lambda: uuid.UUID(fresh_guid()).hex
        self.limit = 200
        self.lifetime = timedelta(days=3)
        self.extra: set[str] = set()
        self._apis = apis
        self._companies = companies
        self._post = post
        self._now = now
        self._fresh_guid = fresh_guid
        self._lock = lock
        self._versions = itertools.count(_FIRST_VERSION)
        self._kept: dict[str, Subscription] = {}

    @property
    def supported(self) -> list[str]:
        """The resources that can be subscribed to, API before set, as the service lists them."""
        own = {f"{api}/dimensionValues" for api in self._apis if not api.startswith("microsoft/")}
        if EXTENSION in self._apis:
            own |= {f"{EXTENSION}/{each.name}" for each in (MAPPINGS, *FEEDS)}
        return sorted({*LISTED, *self.extra, *own})

    def all(self) -> list[Subscription]:
        """The subscriptions there are now; expired ones are deleted first."""
        with self._lock:
            now = self._now()
            self._kept = {key: each for key, each in self._kept.items() if each.expires > now}
            return list(self._kept.values())

    def get(self, key: str) -> Subscription | None:
        """The subscription with this id, unless it is gone."""
        return next((each for each in self.all() if each.id == key), None)

    def drop(self, key: str) -> None:
        """Deletes a subscription, as the service itself does after a wrong answer."""
        with self._lock:
            self._kept.pop(key, None)

    def clear(self) -> None:
        """Deletes all: what copying the environment does."""
        with self._lock:
            self._kept.clear()

    def named(self, key: str | None) -> Subscription:
        """The subscription that the key of an address names (a quoted text), or `Refusal`."""
        if key is None or len(key) < 2 or key[0] != "'" or key[-1] != "'":
            raise bad_syntax("The key of a subscription is a text in single quotes.")
        found = self.get(key[1:-1].lower())
        if found is None:
            raise unknown_record(SUBSCRIPTIONS.caption, key[1:-1])
        return found

    def write(self, request: httpx.Request, api: str, key: str | None) -> Record | None:
        """Carries out a POST, PATCH or DELETE; the row to show, None after a deletion, or `Refusal`."""
        if request.method == "POST" and key is None:
            return self._create(changes_in(SUBSCRIPTIONS, json_body(request)), api)
        if request.method == "DELETE" and key is not None:
            found = self.named(key)
            check_token(found.row, request, required=False)
            self.drop(found.id)
            return None
        if request.method == "PATCH" and key is not None:
            return self._renew(self.named(key), request, api)
        raise method_not_allowed(request.method, SUBSCRIPTIONS.name)

    def _create(self, body: Row, api: str) -> Record:
        about = self._about(body, api)
        self._check_limit()
        self._shake_hands(str(body["notificationUrl"]))
        with self._lock:
            self._check_limit()
            moment, key = _milliseconds(self._now()), self._fresh_guid()
            row: Row = {
                "id": key,
                "subscriptionId": uuid.UUID(key).hex,
                "userId": _USER,
                "clientState": "",
                "systemCreatedAt": moment,
                "systemCreatedBy": _USER,
            }
            record = Record(row | body, 0, SUBSCRIPTIONS)
            self._stamp(record, moment)
            self._kept[str(row["subscriptionId"])] = Subscription(record, about)
            return record

    def _renew(self, found: Subscription, request: httpx.Request, api: str) -> Record:
        check_token(found.row, request, required=True)
        body = changes_in(SUBSCRIPTIONS, json_body(request))
        about = self._about(body, api)
        self._shake_hands(str(body["notificationUrl"]))
        with self._lock:
            self.named(f"'{found.id}'")
            found.row.values.update(body)
            self._stamp(found.row, _milliseconds(self._now()))
            self._kept[found.id] = Subscription(found.row, about)
            return found.row

    def _about(self, body: Row, api: str) -> Subscribable:
        for name in ("notificationUrl", "resource"):
            if not body.get(name):
                raise Refusal(400, "BadRequest_RequiredParamNotProvided", f"Field '{name}' must not be blank or empty.")
        return subscribable(str(body["resource"]), api, self._companies, self.supported)

    def _check_limit(self) -> None:
        if len(self.all()) >= self.limit:
            raise Refusal(400, "BadRequest", f"The maximum number of webhook subscriptions ({self.limit}) is reached.")

    def _shake_hands(self, url: str) -> None:
        """Asks the receiver to repeat a token; `Refusal` unless it does so with a 200 in time."""
        token = self.fresh_token()
        address = f"{url}{'&' if '?' in url else '?'}validationToken={quote(token, safe='')}"
        patience = httpx.Timeout(self.handshake_patience).as_dict()
        try:
            request = httpx.Request(self.handshake_method, address, extensions={"timeout": patience})
            answer = self._post.carry(request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _not_validated(url) from error
        if answer.status_code != 200 or not hmac.compare_digest(answer.content, token.encode()):
            raise _not_validated(url)

    def _stamp(self, record: Record, moment: datetime) -> None:
        record.version = next(self._versions)
        second = moment.replace(microsecond=0)
        record.values |= {
            "timestamp": record.version - _FIRST_VERSION + 123_456,
            "lastModifiedDateTime": second,
            "expirationDateTime": second + self.lifetime,
            "systemModifiedAt": moment,
            "systemModifiedBy": _USER,
        }
        record.rendered.clear()


def _not_validated(url: str) -> Refusal:
    return Refusal(400, "BadRequest", f"The notification URL '{url}' could not be validated.")


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
