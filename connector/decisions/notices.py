"""Notices: what a change notification tells, taken out of a body that anybody may have sent.

Source: "Working with webhooks in Business Central". Nothing in a body is believed beyond "look at this record of that feed",
and that only with the feed's ``clientState``. A ``resource`` is taken apart and never used as an address, the filter of a
collection is thrown away, and a stamp that cannot be right stays outside. Whatever the bytes are, nothing here raises, and
time and memory are bounded by `MAX_BYTES` and `MAX_NOTIFICATIONS`.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from connector.decisions.client_state import authentic
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp
from connector.model.subscriptions import Scope
from connector.model.units import Reference
from connector.setting_words import Company

MAX_BYTES = 1024 * 1024
"""Of a body, as it was received and after decompression. A thousand notifications take some 400 kB."""
MAX_NOTIFICATIONS = 1_000
MAX_TEXT = 512
"""Characters of a text that is kept or compared: the longest that is right is a ``clientState`` of 64."""
EARLY = timedelta(minutes=10)
"""So much later than our own clock a stamp may be: clocks differ."""

Gap = Literal["", "unreadable", "too large", "more"]
Drop = Literal["malformed", "unknown", "forged"]

_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_RESOURCE = re.compile(
    rf"/?(?:api/v2\.0/)?companies\((?P<company>{_GUID})\)/(?P<set>[A-Za-z]{{1,64}})(?:\((?P<id>{_GUID})\))?(?:\?.*)?",
    re.DOTALL,
)
_GZIP = 16 + zlib.MAX_WBITS
_TWICE: Final = object()
"""The value of a name that an object gives twice: no text, so never taken for one."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What a body tells.

    `references`: the records that changed, by the scope that carries them, each once with its newest stamp; `polls`: the scopes
    to be polled, because more changed than is named or the name is of no use alone; `heard`: every scope that an authentic
    notification came for, with the longest time in seconds since a change it told of; `dropped`: how many notifications were
    not believed, and why. `gap`: why more may have been told than is here: then every feed is to be polled.
    """

    references: Mapping[Scope, Sequence[Reference]] = field(default_factory=dict)
    polls: frozenset[Scope] = frozenset()
    heard: Mapping[Scope, float] = field(default_factory=dict)
    dropped: Mapping[Drop, int] = field(default_factory=dict)
    gap: Gap = ""


def read_notices(
    body: bytes,
    encoding: str,
    watched: Iterable[tuple[Company, Feed]],
    carried: Collection[Feed],
    keys: Sequence[bytes],
    now: datetime,
) -> Notices:
    """What the body tells about the watched feeds. `encoding`: its Content-Encoding, "" for none; `carried`: the feeds whose
    records are carried themselves; `keys`: of the ``clientState``, the present one first; `now`: by our own clock, which
    decides nothing but what cannot be right."""
    plain = _plain(body, encoding)
    if isinstance(plain, str):
        return Notices(gap=plain)
    if not plain.strip():
        return Notices(dropped={"malformed": 1})
    try:
        # Not left to the parser, which would take UTF-16 for text as well.
        text = plain.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        content = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return Notices(gap="unreadable")
    entries = content.get("value") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        return Notices(dropped={"malformed": 1})
    reading = _Reading(watched, carried, keys, now)
    for entry in entries[:MAX_NOTIFICATIONS]:
        reading.take(entry)
    return reading.result("more" if len(entries) > MAX_NOTIFICATIONS else "")


def _plain(body: bytes, encoding: str) -> bytes | Literal["unreadable", "too large"]:
    """The body without its compression."""
    if len(body) > MAX_BYTES:
        return "too large"
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        return "unreadable"
    unpacking = zlib.decompressobj(_GZIP)
    try:
        plain = unpacking.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        return "unreadable"
    if len(plain) > MAX_BYTES:
        return "too large"
    return plain if unpacking.eof and not unpacking.unused_data else "unreadable"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        members |= {name: _TWICE for name, times in Counter(name for name, _ in pairs).items() if times > 1}
    return members


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class _Reading:
    """Gathers what the notifications of one body tell, one after the other."""

    def __init__(
        self,
        watched: Iterable[tuple[Company, Feed]],
        carried: Collection[Feed],
        keys: Sequence[bytes],
        now: datetime,
    ) -> None:
        self._carried = carried
        self._scopes = {(company.id, feed.value): Scope(company.key, feed) for company, feed in watched}
        self._keys = keys
        self._now = now
        self._judged: dict[tuple[str, str, str], bool] = {}
        self._newest: dict[Scope, dict[str, datetime]] = {}
        self._polls: set[Scope] = set()
        self._heard: dict[Scope, float] = {}
        self._dropped: Counter[Drop] = Counter()

    def take(self, entry: object) -> None:
        """One notification: kept, or counted by why it was dropped."""
        if reason := self._kept(entry):
            self._dropped[reason] += 1

    def result(self, gap: Gap) -> Notices:
        """Everything gathered so far."""
        references = {
            scope: tuple(Reference(id_, stamp) for id_, stamp in newest.items())
            for scope, newest in self._newest.items()
        }
        return Notices(references, frozenset(self._polls), self._heard, self._dropped, gap)

    def _kept(self, entry: object) -> Drop | None:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        match = _RESOURCE.fullmatch(resource) if isinstance(resource, str) else None
        if match is None or not isinstance(entry, dict):
            return "malformed"
        company, name = match["company"].lower(), match["set"]
        scope = self._scopes.get((company, name))
        if scope is None:
            return "unknown"
        if not self._authentic(entry.get("clientState"), company, name):
            return "forged"
        stamp = self._stamp(entry.get("lastModifiedDateTime"))
        lag = 0.0 if stamp is None else (self._now - stamp).total_seconds()
        self._heard[scope] = max(lag, self._heard.get(scope, 0.0))
        named = match["id"] is not None and entry.get("changeType") != "collection"
        if stamp is None or not named or scope.feed not in self._carried:
            self._polls.add(scope)
            return None
        # Created, updated, deleted or a kind yet to come: reading the record shows what became of it.
        newest = self._newest.setdefault(scope, {})
        id_ = match["id"].lower()
        newest[id_] = max(stamp, newest.get(id_, stamp))
        return None

    def _authentic(self, given: object, company: str, feed: str) -> bool:
        """Each text is compared once a body: the comparison of a thousand equal ones would be most of the work."""
        if not isinstance(given, str) or len(given) > MAX_TEXT:
            return False
        asked = (company, feed, given)
        if asked not in self._judged:
            self._judged[asked] = authentic(given, self._keys, company, feed)
        return self._judged[asked]

    def _stamp(self, given: object) -> datetime | None:
        """When the change was logged; None for what cannot be right, which must never be on record as a stamp."""
        if not isinstance(given, str) or len(given) > MAX_TEXT:
            return None
        try:
            stamp = parse_stamp(given)
        except ValueError:
            return None
        return stamp if stamp.year > NEVER.year and stamp - self._now <= EARLY else None
