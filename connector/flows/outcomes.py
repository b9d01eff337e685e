"""Outcomes: from what became of a unit's documents to steps for the ledger.

A document leaves `open_ids` with its outcome. What is on record so is written by `flows.steps`, with the next flush.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from connector.decisions.content import content_hash
from connector.decisions.endings import Ending
from connector.decisions.mapping import MappedDocument
from connector.decisions.reasons import fitting
from connector.decisions.retry import wait_seconds
from connector.decisions.states import Status
from connector.errors import Outage, Reason
from connector.flows.imprints import imprint_of
from connector.flows.moves import claimed, intended, resolved, settled, verified
from connector.flows.particulars import index, version
from connector.flows.parts import Parts
from connector.flows.steps import Steps
from connector.model.documents import Document
from connector.model.money import plain_text
from connector.model.units import Reference, Unit
from connector.servicenow.doors.delivery import Delivery
from connector.setting_words import Company
from connector.storage.ledger import Change, Detail
from connector.storage.ledger_rows import State


class Outcomes:
    """The documents of one unit run: which have an outcome, and which step each takes."""

    def __init__(self, parts: Parts, unit: Unit, company: Company, started: float) -> None:
        self._parts = parts
        self._unit = unit
        self._company = company
        self._started = started
        self._steps = Steps(parts, unit, company)
        self._references: dict[str, Reference] = {}
        self._documents: dict[str, Document] = {}
        self._endings: dict[str, Ending] = {}
        self._open: set[str] = set()
        self._intended: set[str] = set()
        self._late: set[str] = set()
        self._files_follow = parts.profile.routes[unit.entity.value].files is not None
        # One draw a run: documents that wait equally long share one message.
        self._chance = parts.randomness.uniform(0.0, 1.0)
        self.counts: Counter[str] = Counter()
        self.staged_ids: list[str] = []

    # -- claiming

    def claim(self, wanted: Mapping[str, tuple[Reference, State | None]]) -> tuple[list[str], list[str]]:
        """Takes the documents for this run; (claimed, lost to somebody else). A document without a row gets one."""
        token = f"{self._unit.correlation}-{self._parts.randomness.token()[:8]}"
        self._references |= {id_: reference for id_, (reference, _) in wanted.items()}
        changes = [claimed(reference, state, self._unit, token) for reference, state in wanted.values()]
        recorded = self._steps.record(changes)
        read_at = {id_: state.read_at for id_, (_, state) in wanted.items() if state is not None}
        for id_, state in recorded.saved.items():
            self._steps.states[id_] = replace(state, read_at=read_at.get(id_, self._parts.clock.now()))
        self._open = set(recorded.saved)
        return list(recorded.saved), list(recorded.lost)

    def open_ids(self) -> list[str]:
        """The claimed documents without an outcome."""
        return sorted(self._open)

    def state(self, id_: str) -> State:
        """The document's ledger state as this run knows it."""
        return self._steps.states[id_]

    def document(self, id_: str) -> Document:
        """The document as it was read."""
        return self._documents[id_]

    def learn(self, id_: str, document: Document) -> None:
        """What was read: its numbers and amount go on record with the next step."""
        self._documents[id_] = document
        self._steps.states[id_] = replace(
            self._steps.states[id_],
            number=document.number,
            vendor=document.vendor_number,
            vendor_invoice=document.vendor_invoice_number,
            bc_status=document.status,
            amount=plain_text(document.gross_total),
            currency=document.currency,
            content_hash=content_hash(document),
        )

    def learn_ending(self, id_: str, ending: Ending) -> None:
        """BC does not have it any more: how it ended goes on record with each further step."""
        self._endings[id_] = ending
        # Nothing is what was read last; so a sweep sees the difference should the document come back.
        self._steps.states[id_] = replace(self._steps.states[id_], content_hash="")

    def has_ended(self, id_: str) -> bool:
        """Whether BC does not have the document any more."""
        return id_ in self._endings

    # -- the intent

    def intend(self, documents: Sequence[MappedDocument], *, late: Collection[str] = ()) -> list[MappedDocument]:
        """Puts on record what is about to be sent. Documents whose claim was lost meanwhile are left out; of the others it is
        told whether the fate of their last try is not known. `late`: those that need sending once more in any case."""
        changes = [
            intended(self._steps.states[one.id], one, self._version(one.id), self._index(one.id), late)
            for one in documents
        ]
        in_doubt = {mapped.id for mapped in documents if self._steps.states[mapped.id].in_doubt}
        self._late |= set(late)
        recorded = self._steps.record(changes)
        self._steps.states |= {
            id_: replace(saved, read_at=self._steps.states[id_].read_at) for id_, saved in recorded.saved.items()
        }
        self._open -= set(recorded.lost)
        self._intended |= set(recorded.saved)
        kept = [mapped for mapped in documents if mapped.id in recorded.saved]
        return [replace(mapped, in_doubt=mapped.id in in_doubt) for mapped in kept]

    # -- outcomes

    def staged(self, mapped: MappedDocument, delivery: Delivery) -> None:
        """Every row was taken and verified. Where files follow, that goes on record, and the outcome comes with them."""
        self.staged_ids.append(mapped.id)
        self._verified(mapped, delivery, Status.DONE, "staged")

    def unchanged(self, id_: str, **more: Any) -> None:
        """ServiceNow has these very rows already: nothing was sent. Where files follow, the outcome comes with them."""
        if more or not self._files_follow:
            self._settle(id_, Status.DONE, "unchanged", self._version(id_), **more)

    def with_files(self, id_: str, files: str, detail: Detail, *, staged: bool) -> None:
        """Its rows are in ServiceNow, and so are its files now. `staged`: something was attached in this run."""
        outcome = "staged" if staged or id_ in self.staged_ids else "unchanged"
        self._settle(id_, Status.DONE, outcome, {**self._version(id_), **detail}, files=files)

    def drifted(self, id_: str, detail: Detail, **more: Any) -> None:
        """Changed in BC, and left as it is in ServiceNow."""
        self._settle(id_, Status.DONE, "drifted", self._version(id_) | dict(detail), **more)

    def waiting(self, id_: str, status: str) -> None:
        """Not to be carried yet, by its status in BC."""
        self._settle(id_, Status.WAITING, "waiting", self._version(id_) | {"bc_status": status}, index=self._index(id_))

    def held(self, id_: str, why: str) -> None:
        """Not to be carried yet, because something else must come first."""
        self._settle(id_, Status.WAITING, "waiting", self._version(id_) | {"why": why}, index=self._index(id_))

    def superseded(self, id_: str, order_number: str) -> None:
        """Its order carries the same debt."""
        detail = self._version(id_) | {"order": order_number}
        self._settle(id_, Status.SUPERSEDED, "superseded", detail, index=self._index(id_))

    def closed(self, id_: str) -> None:
        """Gone from BC, and ServiceNow need not hear of it, or knows it already."""
        self._settle(id_, Status.CLOSED, self._endings[id_].how, self._version(id_))

    def cancelled(self, mapped: MappedDocument, delivery: Delivery) -> None:
        """Gone from BC, and every row that says so in ServiceNow was taken and verified."""
        self._verified(mapped, delivery, Status.CLOSED, "cancelled")

    def left(self, id_: str, status: Status) -> None:
        """Nothing new about a document that was parked, or had drifted: it stays so, without a word in the trail."""
        state = self._steps.states[id_]
        self._step(id_, Change(state, replace(state, status=status, claim="")))

    def rejected(self, mapped: MappedDocument, delivery: Delivery) -> None:
        """ServiceNow refused rows: park with its words. A correction there may concern those it took, so all go again."""
        self.parked(mapped.id, delivery.reasons(mapped), resumable=False)

    def parked(self, id_: str, reasons: Iterable[Reason], **more: Any) -> None:
        """Set aside with every reason."""
        listed = fitting(list(reasons))
        self._settle(
            id_,
            Status.PARKED,
            "parked",
            self._version(id_) | {"reasons": listed},
            index=self._index(id_),
            reasons=json.dumps(listed, ensure_ascii=False),
            generation=self._steps.states[id_].generation + 1,
            held=self._parts.held_against(self._company),
            releases=self._steps.states[id_].releases,
            **more,
        )

    # -- put back

    def rescheduled(self, ids: Iterable[str], outage: Outage) -> None:
        """Cannot be done now, through no fault of the document: a new message after a wait."""
        for id_ in ids:
            state = self._steps.states[id_]
            wait = float(ceil(wait_seconds(state.attempt + 1, self._chance, told=outage.retry_after)))
            detail = {"why": str(outage)[:500], "seconds": wait}
            self._put_back(id_, "rescheduled", detail, attempt=state.attempt + 1, due=self._server_time(id_, wait))
            self._steps.send_again(id_, wait)

    def released(self, ids: Iterable[str], wait: float) -> None:
        """No slot was free: back to the queue, without a word in the trail."""
        for id_ in ids:
            self._put_back(id_, "", {})
            self._steps.send_again(id_, wait)

    def isolated(self, ids: Iterable[str], error: Exception) -> None:
        """A fault nobody foresaw, in company: sent again alone."""
        for id_ in ids:
            # What was sent before the fault must have settled before it is sent again.
            wait = self._parts.door(self._unit.entity).settles_after if id_ in self._intended else 0.0
            self._put_back(id_, "isolated", {"error": type(error).__name__}, due=self._server_time(id_, wait))
            self._steps.send_alone(id_, wait)

    def failed(self, id_: str, error: Exception) -> None:
        """A fault nobody foresaw, alone: the host runs the same message again."""
        self._put_back(id_, "failed", {"error": type(error).__name__})

    # -- writing

    def flush(self) -> None:
        """Writes the steps taken so far, and sends what follows from them."""
        self._open -= self._steps.flush()

    def finish(self) -> None:
        """Flushes and says in one line what became of the unit."""
        self.flush()
        if self.counts:
            self._parts.telemetry.event(
                "delivered",
                company=self._company.key,
                entity=self._unit.entity.value,
                correlation=self._unit.correlation,
                **self.counts,
            )

    def _verified(self, mapped: MappedDocument, delivery: Delivery, status: Status, outcome: str) -> None:
        header = delivery.results[0]
        results = Counter(result.outcome for result in delivery.results.values())
        there = {"results": dict(results), "sys_id": header.sys_id, "target": header.target}
        detail = self._version(mapped.id) | there
        state = self._steps.states[mapped.id]
        imprint = imprint_of(self._parts, self._unit.entity, mapped, state)
        after = verified(state, mapped, delivery, resumable=mapped.id not in self._late, imprint=imprint)
        if outcome == "staged" and self._files_follow:
            self._steps.add(Change(state, after, "verified", detail, (header.sys_id,)))
        else:
            self._rest(mapped.id, after, status, outcome, detail, index=(header.sys_id,))

    def _settle(
        self, id_: str, status: Status, outcome: str, detail: Detail, *, index: tuple[str, ...] = (), **more: Any
    ) -> None:
        self._rest(id_, self._steps.states[id_], status, outcome, detail, index=index, **more)

    def _rest(
        self,
        id_: str,
        after: State,
        status: Status,
        outcome: str,
        detail: Detail,
        *,
        index: tuple[str, ...] = (),
        **more: Any,
    ) -> None:
        document = self._documents.get(id_)
        state = self._steps.states[id_]
        known = document.modified if document else max(state.seen, state.noticed, self._references[id_].seen)
        # What was read is what is known: after BC was restored from a backup that is older than what was announced.
        seen = known if document else max(state.seen, known)
        after = settled(replace(after, settled=known, seen=seen), status, outcome, **more)
        self._step(id_, Change(state, after, outcome, {**detail, **resolved(state, status)}, index))

    def _put_back(self, id_: str, action: str, detail: Detail, **fields: Any) -> None:
        state = self._steps.states[id_]
        after = replace(state, status=Status.PENDING, claim="", **fields)
        self._step(id_, Change(state, after, action, detail))

    def _step(self, id_: str, change: Change) -> None:
        self._open.discard(id_)
        self._steps.add(change)
        self.counts[change.action or "released"] += 1

    def _server_time(self, id_: str, wait: float) -> datetime:
        """The moment after the wait, by the storage server's clock: its last Date plus the time that passed since."""
        passed = self._parts.clock.monotonic() - self._started
        return self._steps.states[id_].read_at + timedelta(seconds=passed + wait)

    def _version(self, id_: str) -> dict[str, object]:
        return version(self._documents.get(id_), self._endings.get(id_), self._steps.states[id_].number)

    def _index(self, id_: str) -> tuple[str, ...]:
        return index(self._documents.get(id_))
