"""Webhook notifications: what is logged, when it is sent, in which form, and what follows from the receiver's answer.

Source: "Working with webhooks in Business Central" and, for merging, delays and retries, the public source of the codeunit
that sends notifications. A job per company runs 30 seconds after the first change and sends one request to each notification
address. An answer other than 2xx, 408, 429 and 5xx costs the subscription.
"""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx

from tests.sandbox.business_central.encoding import datetime_text
from tests.sandbox.business_central.entities import BLANK_DATETIME
from tests.sandbox.business_central.post import Post
from tests.sandbox.business_central.store import Change, CompanyState, Record
from tests.sandbox.business_central.subscriptions import Subscription, Subscriptions

RETRY_MINUTES = (1, 1, 1, 10, 100, 1000)
# The database and the application round moments differently, so the service looks a little further back.
ROUNDING = timedelta(milliseconds=50)
TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class Entry:
    """A logged change. `due` is None while nobody's job will send it; `row` is the changed record, None for a collection."""

    subscription: str
    company: str
    kind: Literal["created", "updated", "deleted", "collection"]
    moment: datetime
    due: datetime | None
    row: Record | None = None
    attempt: int = 0
    since: datetime | None = None

    @property
    def key(self) -> str:
        """The id of the changed record."""
        return "" if self.row is None else self.row.id


@dataclass(frozen=True)
class Delivery:
    """One request with what it told of; `status` is None when no answer came."""

    url: str
    value: list[dict[str, Any]]
    status: int | None


class Notifications:
    """The log of changes and the sending of it.

    Switches: `delay`, `threshold` (more changed records than this become one ``collection``), `patience` (seconds to wait
    for an answer), `byte_order_mark` (as versions before 19 sent it), `delegated_admin` (changes are made by a user who
    cannot schedule jobs: they wait until somebody else changes the same table), `one_company_each` (a request tells of one
    company only), `clock_gap` (how much later than the record's stamp a change is logged).
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        post: Post,
        *,
        now: Callable[[], datetime],
        fresh_guid: Callable[[], str],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.delay = timedelta(seconds=30)
        self.threshold = 1000
        self.patience = 30.0
        self.byte_order_mark = False
        self.delegated_admin = False
        self.one_company_each = True
        self.clock_gap = timedelta(0)
        self._subscriptions = subscriptions
        self._post = post
        self._now = now
        self._fresh_guid = fresh_guid
        self._lock = lock
        self._sending = threading.RLock()
        self._jobs: dict[str, datetime] = {}
        self._pending: list[Entry] = []

    def observe(self, state: CompanyState, change: Change, record: Record) -> None:
        """Logs a change of a subscribed set."""
        if change == "kept" or record.parent is not None:
            return
        stamp = record.values.get("lastModifiedDateTime")
        known = isinstance(stamp, datetime) and stamp != BLANK_DATETIME and change != "deleted"
        moment = stamp if known and isinstance(stamp, datetime) else self._milliseconds()
        self._log(state, change, record, moment + self.clock_gap)

    def unchanged(self, state: CompanyState, record: Record) -> None:
        """Logs an update that wrote the record without changing anything."""
        self._log(state, "updated", record, self._milliseconds())

    def pending(self) -> list[Entry]:
        """What is logged and not yet done with."""
        with self._lock:
            self._forget_ended()
            return list(self._pending)

    def next_due(self) -> datetime | None:
        """When there will be something to deliver, None while there is nothing."""
        moments = [entry.due for entry in self.pending() if entry.due is not None]
        delayed = self._post.next_delayed()
        return min([*moments, *([] if delayed is None else [delayed])], default=None)

    def deliver_due(self) -> list[Delivery]:
        """Sends what is due now, each request once; the lock is not held while a receiver is busy."""
        with self._sending:
            self._post.carry_delayed()
            with self._lock:
                batches = self._due_batches()
            return [self._delivered(url, entries) for url, entries in batches]

    def _log(
        self, state: CompanyState, kind: Literal["created", "updated", "deleted"], record: Record, moment: datetime
    ) -> None:
        concerned = [
            each
            for each in self._subscriptions.all()
            if (each.about.company, each.about.entity) == (state.id, record.entity.name)
        ]
        if not concerned:
            return
        due = None
        if not self.delegated_admin:
            due = self._jobs.setdefault(state.id, moment + self.delay)
            self._pending = [
                replace(entry, due=due) if entry.due is None and _same_table(entry, state, record) else entry
                for entry in self._pending
            ]
        self._pending += [Entry(each.id, state.id, kind, moment, due, record) for each in concerned]

    def _due_batches(self) -> list[tuple[str, list[Entry]]]:
        self._forget_ended()
        now = self._now()
        self._jobs = {company: due for company, due in self._jobs.items() if due > now}
        due = [entry for entry in self._pending if entry.due is not None and entry.due <= now]
        self._pending = [entry for entry in self._pending if entry.due is None or entry.due > now]
        batches: dict[tuple[str, str], list[Entry]] = {}
        for subscription in self._subscriptions.all():
            entries = self._merged([entry for entry in due if entry.subscription == subscription.id])
            if entries:
                company = subscription.about.company if self.one_company_each else ""
                batches.setdefault((company, subscription.url), []).extend(entries)
        return [(url, entries) for (_, url), entries in batches.items()]

    def _merged(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries of one subscription with consecutive updates of one record as one, or all as one collection."""
        merged: list[Entry] = []
        last: dict[str, int] = {}
        for entry in entries:
            if entry.kind == "updated" and _changed_nothing(entry):
                continue
            place = last.get(entry.key)
            if place is not None and entry.kind == merged[place].kind == "updated":
                earlier = merged[place]
                attempt, since = max(entry.attempt, earlier.attempt), earlier.since or earlier.moment
                merged[place] = replace(entry, attempt=attempt, since=since)
                continue
            last[entry.key] = len(merged)
            merged.append(entry)
        if len({entry.key for entry in merged if entry.row is not None}) <= self.threshold:
            return merged
        bare = any(entry.kind == "deleted" or not _can_be_filtered(entry) for entry in merged)
        first = min(entry.since or entry.moment for entry in merged)
        latest = max(merged, key=lambda entry: entry.moment)
        return [replace(latest, kind="collection", row=None, since=None if bare else first)]

    def _delivered(self, url: str, entries: list[Entry]) -> Delivery:
        with self._lock:
            shown = [(entry, self._subscriptions.get(entry.subscription)) for entry in entries]
        value = [_shown(entry, subscription) for entry, subscription in shown if subscription is not None]
        correlation = self._fresh_guid()
        content = json.dumps({"value": value}, ensure_ascii=False, separators=(",", ":")).encode()
        request = httpx.Request(
            "POST",
            url,
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "clientRequestId": correlation,
                "x-ms-correlation-id": correlation,
            },
            content=(codecs.BOM_UTF8 if self.byte_order_mark else b"") + content,
            extensions={"timeout": httpx.Timeout(self.patience).as_dict()},
        )
        status: int | None = None
        try:
            status = self._post.notify(request).status_code
        except httpx.TransportError:
            self._put_off(entries)
        else:
            if status in {408, 429} or status >= 500:
                self._put_off(entries)
            elif not 200 <= status < 300:
                for entry in entries:
                    self._subscriptions.drop(entry.subscription)
        return Delivery(url, value, status)

    def _put_off(self, entries: Sequence[Entry]) -> None:
        """Keeps the entries for another attempt; after too many, their subscription is deleted."""
        now = self._now()
        with self._lock:
            for entry in entries:
                if entry.attempt < len(RETRY_MINUTES):
                    due = now + timedelta(minutes=RETRY_MINUTES[entry.attempt])
                    self._pending.append(replace(entry, due=due, attempt=entry.attempt + 1))
                else:
                    self._subscriptions.drop(entry.subscription)

    def _forget_ended(self) -> None:
        living = {each.id for each in self._subscriptions.all()}
        self._pending = [entry for entry in self._pending if entry.subscription in living]

    def _milliseconds(self) -> datetime:
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _same_table(entry: Entry, state: CompanyState, record: Record) -> bool:
    return entry.company == state.id and entry.row is not None and entry.row.entity is record.entity


def _changed_nothing(entry: Entry) -> bool:
    stamp = None if entry.row is None else entry.row.values.get("lastModifiedDateTime")
    return isinstance(stamp, datetime) and stamp < entry.moment - TOLERANCE


def _can_be_filtered(entry: Entry) -> bool:
    """Whether a filter by stamp would find the change: not in a page without stamps, nor behind a bare collection."""
    return entry.since is not None if entry.row is None else "lastModifiedDateTime" in entry.row.entity.by_name


def _shown(entry: Entry, subscription: Subscription) -> dict[str, Any]:
    if entry.kind == "collection":
        since = "" if entry.since is None else datetime_text(entry.since - ROUNDING)
        end = f"?$filter=lastModifiedDateTime%20gt%20{since}" if since else ""
    else:
        end = f"({entry.key})"
    return {
        "subscriptionId": subscription.id,
        "clientState": str(subscription.row.values["clientState"]),
        "expirationDateTime": datetime_text(subscription.expires),
        "resource": subscription.resource + end,
        "changeType": entry.kind,
        "lastModifiedDateTime": datetime_text(entry.moment),
    }
