"""The ledger's states: the shape of one, and its columns in Table Storage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.decisions.admission import Standing
from connector.decisions.states import OPEN, Status
from connector.model.stamps import NEVER, stamp_text
from connector.storage.ledger_columns import Columns, cut, packed, stamped, unpacked
from connector.storage.ports import Entity, Property


@dataclass(frozen=True, slots=True)
class State:
    """Where one document stands.

    `seen`: the newest stamp known; `settled`: the stamp the status speaks of; `noticed`: the newest stamp a notification
    gave, which may be later than the document's own. `vendor_invoice`: the vendor's own number of it; `bc_status`: its
    state in BC when it was read last. `content_hash`: what was read last; `payload_hash`: the rows as last verified in
    ServiceNow; `sys_id`, `target`: the record there; `lines`: the sequence numbers that may be there, `taxes` the names of
    the taxes; `intents`: how often rows were about to be sent; `resumable`: rows that are there and equal those to be sent
    need not be sent again; `files`: the fingerprint of its files in BC when all were attached. `there`, `there_label`: how
    far the record has come, as stored and as shown; `imprint`: of the version that it holds; `drift`: the hash of the newer
    one that it must not get any more. `due`: nothing is sent before. `reasons`: JSON list of why it is parked; `held`: what
    it was held against then; `releases`: how often it has gone on by itself since, and came back. `poison_id`,
    `poison_receipt`: its message on the poison queue. `seq`, `head`, `seal`: how many events it has, the hash of the last
    one, and the seal over both. `trimmed`: the sequence number of its last tombstone; `gone`: how many events are gone with
    it. `etag` to `read_at` come with a read row only.
    """

    id: str
    status: Status
    number: str = ""
    vendor: str = ""
    vendor_invoice: str = ""
    bc_status: str = ""
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
    releases: int = 0
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
    seal: str = ""
    trimmed: int = 0
    gone: int = 0
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
    """The columns of a state row. Stamps are text, because BC's year 1 is outside Table Storage's dates; what the two systems
    gave is cut to what a column can hold."""
    return {
        "schema": 1,
        "id": state.id,
        "status": state.status.value,
        "open": state.status in OPEN,
        "number": cut(state.number),
        "vendor": cut(state.vendor),
        "vendor_invoice": cut(state.vendor_invoice),
        "bc_status": state.bc_status,
        "amount": state.amount,
        "currency": cut(state.currency),
        "seen": stamp_text(state.seen),
        "settled": stamped(state.settled),
        "noticed": stamp_text(state.noticed),
        "content_hash": state.content_hash,
        "payload_hash": state.payload_hash,
        "sys_id": cut(state.sys_id),
        "target": cut(state.target),
        "outcome": state.outcome,
        "reasons": cut(state.reasons),
        "held": state.held,
        "releases": state.releases,
        "lines": packed(state.lines),
        "taxes": json.dumps(state.taxes),
        "intents": state.intents,
        "resumable": state.resumable,
        "files": state.files,
        "there": cut(state.there),
        "there_label": cut(state.there_label),
        "imprint": state.imprint,
        "drift": state.drift,
        "attempt": state.attempt,
        "rescues": state.rescues,
        "generation": state.generation,
        "claim": state.claim,
        "due": stamped(state.due),
        "correlation": state.correlation,
        "poison_id": state.poison_id,
        "poison_receipt": state.poison_receipt,
        "seq": state.seq,
        "head": state.head,
        "seal": state.seal,
        "trimmed": state.trimmed,
        "gone": state.gone,
    }


def state_from(entity: Entity) -> State:
    """The state in a stored row."""
    read = Columns(entity.properties)
    return State(
        id=read.text("id"),
        status=Status(read.text("status")),
        number=read.text("number"),
        vendor=read.text("vendor"),
        vendor_invoice=read.text("vendor_invoice"),
        bc_status=read.text("bc_status"),
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
        releases=read.number("releases"),
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
        seal=read.text("seal"),
        trimmed=read.number("trimmed"),
        gone=read.number("gone"),
        etag=entity.etag,
        modified=entity.modified,
        read_at=entity.read_at,
    )
