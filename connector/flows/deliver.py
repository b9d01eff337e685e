"""Deliver: one message of the documents queue, worked to an outcome for each of its documents.

claim - read - map and validate - intent - write - verify each row - files - outcome. The intent is on record before anything is
sent, the outcome after every row was verified. An outage puts the documents back with a new, delayed message; a fault of one
document parks that one; what nobody foresaw is set aside alone, so that it cannot hold up the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from connector.business_central.api_v2 import Reading
from connector.decisions.admission import admit
from connector.decisions.eligibility import eligibility
from connector.decisions.mapping import MappedDocument
from connector.decisions.retry import wait_seconds
from connector.errors import Ambiguous, DocumentFault, Outage, Reason, Refused, StorageUnavailable, Unfinished
from connector.flows.courtesy import asking_business_central
from connector.flows.detect import poll_asked
from connector.flows.files import attach_files
from connector.flows.frozen import without_frozen
from connector.flows.links import announce, in_time_for_their_order, restage
from connector.flows.messages import send_units
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.flows.preparing import prepare
from connector.flows.unreadable import keep_unreadable
from connector.flows.vanished import settle_vanished
from connector.model.documents import Document, Entity
from connector.model.units import Origin, PollRequest, Reference, Unit, decode_message
from connector.servicenow.session import SYSTEM as SERVICENOW
from connector.setting_words import Company
from connector.storage.gates import Slot, Wait
from connector.storage.ledger import partition

MAX_RUNS = 5
"""How often the Functions host runs a message (host.json, maxDequeueCount). On the last run an unknown fault is parked."""
UNIT_SHARE = 5 / 9
"""Share of the claim after which no further request of a unit starts: the longest request must end inside the claim."""
BUSY_LOW, BUSY_HIGH = 1 / 27, 2 / 27
"""Shares of the claim after which a document that another worker has is looked at again."""
STALE_WAIT = 15.0
STALE_TRIES = 8
"""A version that stays away so long will not come: BC may have been restored from a backup. What is there then counts."""


def deliver(parts: Parts, text: str, dequeue_count: int) -> None:
    """Works one message. Returns when every document has an outcome or a new message; raises only for a fault nobody
    foresaw in a message of a single document, and when storage itself does not answer."""
    try:
        unit = decode_message(text)
        if isinstance(unit, PollRequest):
            _poll(parts, unit)
            return
        company = parts.settings.company(unit.company)
        if company is None or unit.entity.value not in parts.profile.routes:
            raise ValueError(f"no company {unit.company!r} with {unit.entity.value} in the settings")
    except ValueError as error:
        keep_unreadable(parts, text, str(error))
        return
    _UnitRun(parts, unit, company, last_run=dequeue_count >= MAX_RUNS).run()


def _poll(parts: Parts, request: PollRequest) -> None:
    try:
        poll_asked(parts, request)
    except Outage as outage:
        # Whoever asked will ask again when it goes on, and the timer polls anyway.
        parts.telemetry.postponed("poll", outage, company=request.company, entity=request.feed.value)


class _UnitRun:
    """One unit on its way through. `outcomes` holds the documents that have none yet."""

    def __init__(self, parts: Parts, unit: Unit, company: Company, *, last_run: bool) -> None:
        self._parts = parts
        self._unit = unit
        self._company = company
        self._last_run = last_run
        self._started = parts.clock.monotonic()
        self._claim_time = timedelta(seconds=parts.settings.claim_seconds)
        self._gate_closed = False
        self._outcomes = Outcomes(parts, unit, company, self._started)

    def run(self) -> None:
        references = self._claim()
        try:
            if references:
                self._work(references)
        except StorageUnavailable:
            raise  # nothing can be recorded now: the host runs the message again
        except Outage as outage:
            self._outcomes.rescheduled(self._outcomes.open_ids(), outage)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach an outcome
            self._unforeseen(self._outcomes.open_ids(), error)
        self._outcomes.finish()

    def _claim(self) -> dict[str, Reference]:
        where = partition(self._company.key, self._unit.entity)
        references = {reference.id: reference for reference in self._unit.references}
        states = self._parts.ledger.states(where, list(references))
        wanted, busy = [], []
        for id_, reference in references.items():
            state = states.get(id_)
            verdict = (
                "claim" if state is None else admit(reference, self._unit.origin, state.standing, self._claim_time)
            )
            if verdict == "claim":
                wanted.append(id_)
            elif verdict == "busy":
                busy.append(reference)
        claimed, lost = self._outcomes.claim({id_: (references[id_], states.get(id_)) for id_ in wanted})
        busy += [references[id_] for id_ in lost]
        if busy:
            delay = self._claim_time.total_seconds() * self._parts.randomness.uniform(BUSY_LOW, BUSY_HIGH)
            self._send(self._unit.origin, busy, delay)
        return {id_: references[id_] for id_ in claimed}

    def _work(self, references: Mapping[str, Reference]) -> None:
        with asking_business_central(self._parts):
            reading = self._parts.reader.documents(
                self._company, self._unit.entity, list(references), may_go_on=self._in_time
            )
        self._outcomes.released(sorted(reading.unread), 0.0)
        for id_, fault in reading.faults.items():
            self._outcomes.parked(id_, fault.reasons)
        cancelled = settle_vanished(self._parts, self._unit, self._company, self._outcomes, sorted(reading.missing))
        eligible = self._eligible(reading)
        self._outcomes.flush()
        if eligible or cancelled:
            self._stage(eligible, cancelled)

    def _eligible(self, reading: Reading) -> list[Document]:
        route = self._parts.profile.routes[self._unit.entity.value]
        eligible = []
        for id_, document in reading.documents.items():
            if document.modified < self._outcomes.state(id_).seen and self._outcomes.state(id_).attempt < STALE_TRIES:
                # The answer is older than what was announced (a replica behind its primary): look again shortly.
                stale = Outage(
                    "Business Central", "delivered an older version than it announced", retry_after=STALE_WAIT
                )
                self._outcomes.rescheduled([id_], stale)
                continue
            self._outcomes.learn(id_, document)
            try:
                if eligibility(document, route) == "eligible":
                    eligible.append(document)
                else:
                    self._outcomes.waiting(id_, document.status)
            except DocumentFault as fault:
                self._outcomes.parked(id_, fault.reasons)
        return eligible

    def _stage(self, documents: Sequence[Document], cancelled: Sequence[MappedDocument]) -> None:
        slot = self._parts.gate.enter(f"{self._unit.correlation}-{self._parts.randomness.token()[:8]}")
        if isinstance(slot, Wait):
            ids = [document.id for document in documents] + [mapped.id for mapped in cancelled]
            self._outcomes.released(ids, slot.seconds)
            return
        try:
            refusal = self._parts.preflight.refusal(self._unit.entity)
            if refusal is not None:
                # The matter of these tables alone: the gate stays open for the others.
                self._outcomes.rescheduled([document.id for document in documents], refusal)
                self._outcomes.rescheduled([gone.id for gone in cancelled], refusal)
                return
            mapped = prepare(self._parts, self._company, self._outcomes, documents, self._unforeseen)
            changes = [*mapped, *cancelled]
            self._write(without_frozen(self._parts, self._unit, self._company, self._outcomes, changes), slot)
            attach_files(
                self._parts,
                self._unit,
                self._company,
                self._outcomes,
                documents,
                lambda: self._in_time() and self._parts.gate.keep(slot),
            )
        except Outage as outage:
            if not isinstance(outage, StorageUnavailable):
                self._close_gate(outage)
            raise
        finally:
            self._parts.gate.leave(slot)

    def _write(self, mapped: Sequence[MappedDocument], slot: Slot) -> None:
        self._outcomes.flush()
        linked = self._named_orders(mapped)
        announce(self._parts, self._company, linked)
        in_time = in_time_for_their_order(self._parts, self._company, linked)
        kept = self._outcomes.intend(mapped, late={one.id for one in linked if one.order_number} - in_time)
        if not kept:
            return
        door = self._parts.door(self._unit.entity)
        deliveries = door.write(kept, may_go_on=lambda: self._in_time() and self._parts.gate.keep(slot))
        for document, delivery in zip(kept, deliveries, strict=True):
            if delivery.outage is not None:
                if isinstance(delivery.outage, Refused):
                    self._parts.preflight.doubt()
                self._outcomes.rescheduled([document.id], delivery.outage)
                self._close_gate(delivery.outage)
            elif not delivery.complete(document):
                self._outcomes.rejected(document, delivery)
            elif self._outcomes.has_ended(document.id):
                self._outcomes.cancelled(document, delivery)
            else:
                self._outcomes.staged(document, delivery)
        self._outcomes.flush()
        staged = [self._outcomes.document(id_) for id_ in self._outcomes.staged_ids]
        if self._unit.entity is Entity.PURCHASE_ORDER:
            restage(self._parts, self._company, orders={document.number for document in staged})
        elif self._unit.entity.belongs_to_order:
            restage(self._parts, self._company, documents=staged, in_time=in_time)

    def _named_orders(self, mapped: Sequence[MappedDocument]) -> list[Document]:
        """The documents behind the rows, where they name orders."""
        if not self._unit.entity.belongs_to_order:
            return []
        return [self._outcomes.document(one.id) for one in mapped if not self._outcomes.has_ended(one.id)]

    def _in_time(self) -> bool:
        return self._parts.clock.monotonic() - self._started < UNIT_SHARE * self._claim_time.total_seconds()

    def _close_gate(self, outage: Outage) -> None:
        """When ServiceNow itself says how long to wait, that goes for all instances. A lost answer, or a document longer than a
        run, is that document's matter."""
        of_document = isinstance(outage, Ambiguous | Unfinished)
        told = outage.system == SERVICENOW and outage.retry_after is not None and not of_document
        if told and not self._gate_closed:
            self._gate_closed = True
            self._parts.gate.close_for(wait_seconds(1, 0.0, told=outage.retry_after))

    def _unforeseen(self, ids: Sequence[str], error: Exception) -> None:
        self._parts.telemetry.warning(
            "unforeseen", company=self._company.key, count=len(ids), error=type(error).__name__
        )
        if len(self._unit.references) > 1:
            self._outcomes.isolated(ids, error)
            return
        if not ids:
            raise error
        if self._last_run:
            self._outcomes.parked(ids[0], [_unforeseen_reason(error)])
            return
        self._outcomes.failed(ids[0], error)
        self._outcomes.finish()
        raise error

    def _send(self, origin: Origin, references: Sequence[Reference], delay: float) -> None:
        unit = self._unit
        send_units(self._parts, self._company, unit.entity, origin, unit.correlation, references, delay_seconds=delay)


def _unforeseen_reason(error: Exception) -> Reason:
    return Reason(
        "UNFORESEEN_FAULT",
        f"The connector met a fault it does not know while working on this document: {type(error).__name__}: {error}"[
            :500
        ],
        "Replay it; if it comes back, report the fault with this document's trail.",
    )
