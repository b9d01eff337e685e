"""The ledger's events: the shape of one, and its columns in Table Storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.decisions.states import Status
from connector.model.stamps import NEVER, stamp_text
from connector.storage.ledger_columns import Columns, cut
from connector.storage.ports import Entity, Property


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one document: what, when, by whom, in which correlation; sealed with the step before it."""

    id: str
    seq: int
    action: str
    at: datetime
    by: str
    status: Status
    correlation: str
    detail: str
    previous: str
    key_id: str
    hash: str = ""


def event_properties(event: Event) -> dict[str, Property]:
    """The columns of an event row."""
    return {
        "id": event.id,
        "seq": event.seq,
        "action": event.action,
        "at": stamp_text(event.at),
        "by": event.by,
        "status": event.status.value,
        "correlation": event.correlation,
        "detail": cut(event.detail),
        "previous": event.previous,
        "key_id": event.key_id,
        "hash": event.hash,
    }


def event_from(entity: Entity) -> Event:
    """The event in a stored row."""
    read = Columns(entity.properties)
    return Event(
        id=read.text("id"),
        seq=read.number("seq"),
        action=read.text("action"),
        at=read.moment("at") or NEVER,
        by=read.text("by"),
        status=Status(read.text("status")),
        correlation=read.text("correlation"),
        detail=read.text("detail"),
        previous=read.text("previous"),
        key_id=read.text("key_id"),
        hash=read.text("hash"),
    )
