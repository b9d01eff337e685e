"""Export: what is on record of documents, one row an event, for those who keep or examine it elsewhere. Reads only.

A row says what the ledger says: the detail is the very text that was sealed, so whoever has the key can check the hashes of an
export. Where that text was too long for the ledger and was cut, it is no JSON any more, and is shown as it stands.

Cost: one pass over all events of each entity that is asked for, whatever is chosen from them, and never more than the events of
some hundred documents in memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from connector.decisions.spreadsheets import csv_line
from connector.flows.parts import Parts
from connector.flows.record_places import record_places
from connector.model.stamps import stamp_text
from connector.setting_words import Company
from connector.storage.ledger_events import Event
from connector.storage.ledger_rows import State


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for: those that fit every kind of condition that is given, and one of each kind's values.

    `companies` by key, `entities` by name, `vendors` by BC's number (as the document's state has it now); `since` inclusively,
    `until` exclusively.
    """

    companies: Collection[str] = ()
    entities: Collection[str] = ()
    vendors: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One event. `number` and `vendor` are the document's; `who` and `why` come with what somebody did or what was put off;
    `codes`: of the reasons it was parked for; `intact`: whether the document's whole trail is."""

    company: str
    entity: str
    id: str
    number: str
    vendor: str
    seq: int
    at: str
    action: str
    status: str
    by: str
    correlation: str
    who: str
    why: str
    codes: tuple[str, ...]
    detail: str
    previous: str
    hash: str
    key_id: str
    intact: bool


COLUMNS = tuple(field.name for field in fields(Row))


def export(parts: Parts, wanted: Wanted) -> Iterator[Row]:
    """The rows, document by document, the events of each oldest first. Raises `StorageUnavailable`."""
    companies, entities, vendors = map(_folded, (wanted.companies, wanted.entities, wanted.vendors))
    for place in record_places(parts):
        if not _fits(place.company.key, companies) or not _fits(place.kind, entities):
            continue
        for trail in parts.ledger.trails(place.where):
            if _fits(trail.state.vendor if trail.state else "", vendors):
                events = [event for event in trail.events if _inside(event.at, wanted)]
                yield from rows(place.company, place.kind, trail.state, events, intact=not trail.fault)


def rows(company: Company, kind: str, state: State | None, events: Iterable[Event], *, intact: bool) -> Iterator[Row]:
    """The events of one document as rows."""
    for event in events:
        said = _said(event.detail)
        yield Row(
            company=company.key,
            entity=kind,
            id=event.id,
            number=state.number if state else "",
            vendor=state.vendor if state else "",
            seq=event.seq,
            at=stamp_text(event.at),
            action=event.action,
            status=event.status.value,
            by=event.by,
            correlation=event.correlation,
            who=_text(said.get("who")),
            why=_text(said.get("why")),
            codes=_codes(said.get("reasons")),
            detail=event.detail,
            previous=event.previous,
            hash=event.hash,
            key_id=event.key_id,
            intact=intact,
        )


def heading() -> str:
    """The names of the columns, as the first line of a CSV file."""
    return csv_line(COLUMNS)


def as_csv(row: Row) -> str:
    """The row as a line of CSV."""
    cells = asdict(row) | {"codes": " ".join(row.codes), "intact": "yes" if row.intact else "no"}
    return csv_line([str(cells[name]) for name in COLUMNS])


def as_json(row: Row) -> str:
    """The row as a line of JSON."""
    return json.dumps(asdict(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def _said(detail: str) -> Mapping[str, object]:
    try:
        said = json.loads(detail)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _codes(reasons: object) -> tuple[str, ...]:
    listed = reasons if isinstance(reasons, list) else []
    codes = (_text(reason.get("code")) for reason in listed if isinstance(reason, dict))
    return tuple(dict.fromkeys(filter(None, codes)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _folded(values: Collection[str]) -> frozenset[str]:
    return frozenset(value.strip().casefold() for value in values)


def _fits(value: str, wanted: Collection[str]) -> bool:
    return not wanted or value.strip().casefold() in wanted


def _inside(at: datetime, wanted: Wanted) -> bool:
    return (wanted.since is None or at >= wanted.since) and (wanted.until is None or at < wanted.until)
