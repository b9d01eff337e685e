"""What is known about the webhook subscriptions: where each stands, when its last notification came, and whether a handshake is
under way. One partition; rows ``s|company|feed`` (standing), ``n|company|feed`` (notice), ``h|token`` (handshake)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from connector.errors import RowConflict
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp, stamp_text
from connector.model.subscriptions import Scope
from connector.storage import keys
from connector.storage.ports import Delete, Entity, TableStore, Upsert

TABLE = "subscriptions"
PARTITION = "webhooks"
HANDSHAKE_LASTS = timedelta(minutes=3)
"""Longer than the request that creates or renews a subscription may take (`business_central.session.TIMEOUT`)."""

State = Literal["active", "not offered", "refused"]
_STATES: dict[str, State] = {"active": "active", "not offered": "not offered", "refused": "refused"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands, as the last renewal left it. `why`: what stands in its way, "" when nothing does."""

    state: State
    id: str = ""
    expires: datetime | None = None
    why: str = ""
    checked: datetime = NEVER

    def hours_left(self, now: datetime) -> float | None:
        """Hours until the subscription ends (negative: since it ended); None when there never was one."""
        return None if self.expires is None else round((self.expires - now).total_seconds() / 3600, 1)


@dataclass(frozen=True, slots=True)
class Notice:
    """The last notification. `arrived`: by the storage server's clock; `lag`: seconds since the change it told of."""

    arrived: datetime
    lag: float


@dataclass(frozen=True, slots=True)
class Registered:
    """Everything that is known, at the moment `read_at` of the storage server's clock."""

    standings: Mapping[Scope, Standing] = field(default_factory=dict)
    notices: Mapping[Scope, Notice] = field(default_factory=dict)
    read_at: datetime = NEVER


class Registry:
    """Reads and writes what is known about the subscriptions."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def read(self) -> Registered:
        """Everything, in one query."""
        standings, notices, read_at = {}, {}, NEVER
        for entity in self._tables.query(TABLE, PARTITION, start="n", stop="t"):
            read_at = entity.read_at
            kind, company, name = keys.split(entity.row)
            if name not in list(Feed):
                continue
            if kind == "s":
                standings[Scope(company, Feed(name))] = _standing(entity)
            else:
                notices[Scope(company, Feed(name))] = Notice(entity.modified, float(str(entity.properties["lag"])))
        return Registered(standings, notices, read_at)

    def keep(self, scope: Scope, standing: Standing) -> None:
        """Puts on record how a subscription stands."""
        expires = stamp_text(standing.expires) if standing.expires else ""
        self._upsert(
            keys.join("s", scope.company, scope.feed),
            {"state": standing.state, "id": standing.id, "expires": expires, "why": standing.why},
        )

    def noticed(self, scope: Scope, lag: float) -> None:
        """Puts on record that a notification came just now."""
        self._upsert(keys.join("n", scope.company, scope.feed), {"lag": f"{lag:.1f}"})

    def open_handshake(self, token: str) -> None:
        """From now on Business Central may ask for a handshake; to be written before the request that makes it do so."""
        self._upsert(keys.join("h", token), {})

    def close_handshake(self, token: str) -> None:
        """That handshake is over; others may still be under way. Those of processes that died are removed as well."""
        for entity in self._handshakes():
            if keys.split(entity.row)[-1] == token or entity.read_at - entity.modified >= HANDSHAKE_LASTS:
                try:
                    self._tables.write(TABLE, PARTITION, [Delete(entity.row, entity.etag)])
                except RowConflict:
                    continue

    def handshake_under_way(self) -> bool:
        """Whether any handshake was opened lately and not closed, by the storage server's clock."""
        return any(entity.read_at - entity.modified < HANDSHAKE_LASTS for entity in self._handshakes())

    def _handshakes(self) -> list[Entity]:
        start, stop = keys.below("h")
        return list(self._tables.query(TABLE, PARTITION, start=start, stop=stop))

    def _upsert(self, row: str, properties: Mapping[str, str]) -> None:
        self._tables.write(TABLE, PARTITION, [Upsert(row, dict(properties))])


def _standing(entity: Entity) -> Standing:
    columns = {name: str(value) for name, value in entity.properties.items()}
    state = _STATES.get(columns["state"], "refused")
    expires = parse_stamp(columns["expires"]) if columns["expires"] else None
    return Standing(state, columns["id"], expires, columns["why"], entity.modified)
