"""The ledger's rows: the shapes of a state and of an event, and their columns in Table Storage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.decisions.admission import Standing
from connector.decisions.states import OPEN, Status
from connector.model.stamps import NEVER, parse_stamp, stamp_text
from connector.storage.ports import Entity, Property

MAX_TEXT = 15_000
"""Characters of a long text column: it holds 32,768 UTF-16 units, and a character may take two. Longer text is cut."""
CUT = "… [cut]"


@dataclass(frozen=True, slots=True)
class State:
    """Where one document stands.

    `seen`: the newest stamp known; `settled`: the stamp the status speaks of; `noticed`: the newest stamp a notification gave,
    which may be later than the document's own. `content_hash`: what was read last; `payload_hash`: the rows as last verified
    in ServiceNow; `sys_id`, `target`: the record there; `lines`: the sequence numbers that may be there, `taxes` the names of
    the taxes; `intents`: how often rows were about to be sent; `resumable`: rows that are there and equal those to be sent
    need not be sent again; `files`: the fingerprint of its files in BC when all were attached. `there`, `there_label`: how far
    the record has come, as stored and as shown; `imprint`: of the version that it holds; `drift`: the hash of the newer one
    that it must not get any more. `due`: nothing is sent before. `reasons`: JSON list of why it is parked; `held`: what
    it was held against then. `poison_id`,
    `poison_receipt`: its message on the poison queue. `etag` to `read_at` come with a read row only.
    """

    id: str
    status: Status
    number: str = ""
    vendor: str = ""
    amount: str = ""
    currency: str = ""
    seen: datetime = NEVER
    settled: datetime | None = None
    noticed: datetime = NEVER
    content_hash: str = ""
    payload_hash: str = ""
    sys_id: str = ""
    target: str = ""
    outcome: str = ""
    reasons: str = ""
    held: str = ""
    lines: tuple[int, ...] = ()
    taxes: tuple[str, ...] = ()
    intents: int = 0
    resumable: bool = False
    files: str = ""
    there: str = ""
    there_label: str = ""
    imprint: str = ""
    drift: str = ""
    attempt: int = 0
    rescues: int = 0
    generation: int = 0
    claim: str = ""
    due: datetime | None = None
    correlation: str = ""
    poison_id: str = ""
    poison_receipt: str = ""
    seq: int = 0
    head: str = ""
    etag: str = ""
    modified: datetime = NEVER
    read_at: datetime = NEVER

    @property
    def first(self) -> bool:
        """Whether nothing of the document can be in ServiceNow yet."""
        return self.intents == 0

    @property
    def in_doubt(self) -> bool:
        """Whether rows may have been sent of which nobody knows what became, and such rows count where they are found."""
        return self.resumable and not self.first and not self.payload_hash

    @property
    def age(self) -> timedelta:
        """How long ago the row was last written, by the storage server's clock alone."""
        return self.read_at - self.modified

    @property
    def standing(self) -> Standing:
        """What the row says, as admission wants it."""
        return Standing(
            status=self.status,
            settled=self.settled,
            noticed=self.noticed,
            generation=self.generation,
            due=self.due,
            age=self.age,
            read_at=self.read_at,
        )


def state_properties(state: State) -> dict[str, Property]:
    """The columns of a state row. Stamps are text, because BC's year 1 is outside Table Storage's dates."""
    return {
        "schema": 1,
        "id": state.id,
        "status": state.status.value,
        "open": state.status in OPEN,
        "number": state.number,
        "vendor": state.vendor,
        "amount": state.amount,
        "currency": state.currency,
        "seen": stamp_text(state.seen),
        "settled": _stamp(state.settled),
        "noticed": stamp_text(state.noticed),
        "content_hash": state.content_hash,
        "payload_hash": state.payload_hash,
        "sys_id": state.sys_id,
        "target": state.target,
        "outcome": state.outcome,
        "reasons": cut(state.reasons),
        "held": state.held,
        "lines": packed(state.lines),
        "taxes": json.dumps(state.taxes),
        "intents": state.intents,
        "resumable": state.resumable,
        "files": state.files,
        "there": state.there,
        "there_label": state.there_label,
        "imprint": state.imprint,
        "drift": state.drift,
        "attempt": state.attempt,
        "rescues": state.rescues,
        "generation": state.generation,
        "claim": state.claim,
        "due": _stamp(state.due),
        "correlation": state.correlation,
        "poison_id": state.poison_id,
        "poison_receipt": state.poison_receipt,
        "seq": state.seq,
        "head": state.head,
    }


def state_from(entity: Entity) -> State:
    """The state in a stored row."""
    read = _Columns(entity.properties)
    return State(
        id=read.text("id"),
        status=Status(read.text("status")),
        number=read.text("number"),
        vendor=read.text("vendor"),
        amount=read.text("amount"),
        currency=read.text("currency"),
        seen=read.moment("seen") or NEVER,
        settled=read.moment("settled"),
        noticed=read.moment("noticed") or NEVER,
        content_hash=read.text("content_hash"),
        payload_hash=read.text("payload_hash"),
        sys_id=read.text("sys_id"),
        target=read.text("target"),
        outcome=read.text("outcome"),
        reasons=read.text("reasons"),
        held=read.text("held"),
        lines=unpacked(read.text("lines")),
        taxes=tuple(json.loads(read.text("taxes"))),
        intents=read.number("intents"),
        resumable=read.flag("resumable"),
        files=read.text("files"),
        there=read.text("there"),
        there_label=read.text("there_label"),
        imprint=read.text("imprint"),
        drift=read.text("drift"),
        attempt=read.number("attempt"),
        rescues=read.number("rescues"),
        generation=read.number("generation"),
        claim=read.text("claim"),
        due=read.moment("due"),
        correlation=read.text("correlation"),
        poison_id=read.text("poison_id"),
        poison_receipt=read.text("poison_receipt"),
        seq=read.number("seq"),
        head=read.text("head"),
        etag=entity.etag,
        modified=entity.modified,
        read_at=entity.read_at,
    )


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
    read = _Columns(entity.properties)
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


def packed(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, each as its distance from the one before; a run of equal distances once, with its length.
    BC numbers lines in steps of 10,000, so 10,000 lines take a few characters."""
    runs: list[list[int]] = []
    before = 0
    for number in sorted(numbers):
        if runs and runs[-1][0] == number - before:
            runs[-1][1] += 1
        else:
            runs.append([number - before, 1])
        before = number
    return ",".join(f"{step}x{count}" for step, count in runs)


def unpacked(text: str) -> tuple[int, ...]:
    """The numbers in `packed` text."""
    numbers, number = [], 0
    for run in filter(None, text.split(",")):
        step, count = run.split("x")
        for _ in range(int(count)):
            number += int(step)
            numbers.append(number)
    return tuple(numbers)


def cut(text: str) -> str:
    """The text, cut with a marker when it is too long for a column."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - len(CUT)] + CUT


def _stamp(moment: datetime | None) -> str:
    return "" if moment is None else stamp_text(moment)


class _Columns:
    """Typed reading of a row's columns."""

    def __init__(self, columns: Mapping[str, Property]) -> None:
        self._columns = columns

    def text(self, name: str) -> str:
        return str(self._columns[name])

    def number(self, name: str) -> int:
        value = self._columns[name]
        if not isinstance(value, int):
            raise TypeError(f"the column {name} holds no number")
        return value

    def flag(self, name: str) -> bool:
        return self._columns[name] is True

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        return parse_stamp(text) if text else None
