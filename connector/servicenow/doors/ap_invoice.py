"""The AP Invoice door: whole new invoices, many in one call, that ServiceNow accepts at once and works on later.

An acceptance is no outcome: that is read from the API's log, several batches with one query, and where the log does not say
that all was done, from the rows that were staged. The API promises nothing about an invoice that is sent twice. So whatever may
have been sent before is looked up first, in the log, among the invoices and among the staged rows, and only what is nowhere is
created; what is there already in another version, or in part, goes through the door for later versions.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connector.decisions.answers import RowResult
from connector.decisions.ap_invoice_evidence import Evidence, finding, lacks_order, rekeyed, taken
from connector.decisions.ap_invoices import ERP, LINE, SOURCE, Entry, invoice_json, key, log_entries, still_open
from connector.decisions.mapping import MappedDocument
from connector.decisions.queries import askable, portions
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.ports import Clock
from connector.servicenow.ap_invoice_api import API, SETTLES_AFTER, ApInvoiceApi, TooMuch, Unusable
from connector.servicenow.ap_invoice_records import ApInvoiceRecords
from connector.servicenow.doors.delivery import Delivery, Door
from connector.servicenow.session import SYSTEM, ServiceNowSession
from connector.setting_words import ApInvoiceForm

WORKING_WAIT = 60.0
"""When a batch is not done yet: seconds until somebody looks again."""
PATIENCE = 150.0
"""Seconds for which one call waits for its batches to be done."""
SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
FIRST_PACE = 0.01
"""Seconds a row is thought to take until the instance has shown how long."""
BREATH = 20.0
"""Seconds of waiting between two looks at `may_go_on`, which keeps leases alive."""
LOOKED_UP = 100
"""Invoices in one query, at most."""


@dataclass(slots=True)
class _Call:
    """Invoices that were accepted together: their batch, and the positions of those without an outcome."""

    batch: str
    waiting: list[int]


@dataclass(slots=True)
class _Turn:
    """One call of `write`. `later`: the documents, by position, that another door takes, with the keys they have there."""

    documents: Sequence[MappedDocument]
    deliveries: list[Delivery]
    may_go_on: Callable[[], bool]
    later: dict[int, MappedDocument] = field(default_factory=dict)

    def put_off(self, positions: Sequence[int], outage: Outage) -> None:
        """These cannot be brought to an end now."""
        for position in positions:
            self.deliveries[position].outage = outage

    def parked(self, position: int, outcome: str, words: str) -> None:
        """This one cannot be right as it is."""
        self.deliveries[position].results = {0: RowResult("park", outcome, words)}


class ApInvoiceDoor:
    """Creates invoices; later versions of them go through the door given as `later`, which must find rows by their key.

    `source_system`: the name under which ServiceNow knows us; empty: each invoice's own source.
    """

    settles_after = SETTLES_AFTER

    def __init__(
        self, session: ServiceNowSession, later: Door, clock: Clock, form: ApInvoiceForm, *, source_system: str
    ) -> None:
        self._api = ApInvoiceApi(session, clock)
        self._records = ApInvoiceRecords(session, form)
        self._later = later
        self._clock = clock
        self._form = form
        self._source_system = source_system
        self._pace = FIRST_PACE

    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        """One `Delivery` a document, in order. `may_go_on` is asked before each request; False ends the call early.

        Never raises an outage: it is in the deliveries it concerns. Other errors pass through.
        """
        turn = _Turn(documents, [Delivery() for _ in documents], may_go_on)
        new: list[int] = []
        seen: list[int] = []
        for position, document in enumerate(documents):
            if not key(document) or not askable(key(document)):
                turn.parked(position, "unusable number", "its external invoice number cannot be looked for")
            else:
                (new if document.earlier is None else seen).append(position)
        for portion in _portions(turn, seen):
            new += self._look_up(turn, portion)
        calls = self._create(turn, new)
        # The instance works on what was created meanwhile.
        self._pass_on(turn)
        self._wait(turn, calls)
        return turn.deliveries

    # -- looking up what may have been sent before

    def _look_up(self, turn: _Turn, positions: Sequence[int]) -> list[int]:
        """Settles those that are there or under way; returns those to be created."""
        documents = [turn.documents[position] for position in positions]
        try:
            _insist(turn)
            log = self._records.log_of_invoices([key(document) for document in documents])
            evidence = self._records.evidence(documents, turn.may_go_on)
        except Outage as outage:
            turn.put_off(positions, outage)
            return []
        absent = []
        for position, document in zip(positions, documents, strict=True):
            held = evidence[key(document)]
            found = finding(document, held, self._form)
            if found.state == "same" and all(result.disposition == "accept" for result in found.results.values()):
                turn.deliveries[position].results = dict(found.results)
                again = rekeyed(document, held, self._form) if lacks_order(document, held, self._form) else None
                if again is not None:
                    turn.later[position] = again  # its rows once more: the maps may find the order by now
            elif found.state == "pending" or still_open(log, key(document), self._form):
                turn.put_off([position], _working("an earlier batch that may hold it"))
            elif found.state == "absent" and _has_lines(document):
                absent.append(position)
            else:
                self._hand_over(turn, position, held)
        return absent

    def _hand_over(self, turn: _Turn, position: int, evidence: Evidence) -> None:
        document = rekeyed(turn.documents[position], evidence, self._form)
        if document is not None:
            turn.later[position] = document
            return
        said = "a change cannot be told from a new line, by the numbers its lines have there; change it there by hand"
        turn.parked(position, "unknown lines", said)

    def _pass_on(self, turn: _Turn) -> None:
        positions = sorted(turn.later)
        if not positions:
            return
        deliveries = self._later.write([turn.later[position] for position in positions], may_go_on=turn.may_go_on)
        for position, delivery in zip(positions, deliveries, strict=True):
            turn.deliveries[position] = delivery

    # -- creating

    def _create(self, turn: _Turn, positions: Sequence[int]) -> list[_Call]:
        """Sends new invoices; returns what was accepted. What is in no call has its outcome."""
        calls: list[_Call] = []
        encoded = {position: self._encoded(turn.documents[position]) for position in positions}
        # One source and one ERP a call.
        groups: dict[tuple[str, str], deque[int]] = {}
        for position in sorted(positions):
            groups.setdefault(self._address(turn.documents[position]), deque()).append(position)
        for (source, erp), waiting in groups.items():
            while waiting:
                fitting = self._api.fitting([encoded[position] for position in waiting])
                call = [waiting.popleft() for _ in range(fitting)]
                try:
                    _insist(turn)
                    calls.append(_Call(self._api.send(source, erp, [encoded[position] for position in call]), call))
                except TooMuch:
                    waiting.extendleft(reversed(call))
                except Unusable as unusable:
                    for position in call:
                        turn.parked(position, "status 400", unusable.words)
                except (Refused, Throttled) as outage:
                    # About the user or the API as a whole: what has not been sent yet would meet it too.
                    turn.put_off([*call, *(each for group in groups.values() for each in group)], outage)
                    return calls
                except Outage as outage:
                    turn.put_off(call, outage)
        return calls

    def _address(self, document: MappedDocument) -> tuple[str, str]:
        columns = document.header.columns
        return self._source_system or columns.get(SOURCE, ""), columns.get(ERP, "")

    def _encoded(self, document: MappedDocument) -> bytes:
        return json.dumps(invoice_json(document, self._form), ensure_ascii=False, separators=(",", ":")).encode()

    # -- waiting for what was accepted

    def _wait(self, turn: _Turn, calls: Sequence[_Call]) -> None:
        started = self._clock.monotonic()
        rows = sum(len(turn.documents[position].rows) for call in calls for position in call.waiting)
        pause = min(max(rows * self._pace, SHORTEST_PAUSE), LONGEST_PAUSE)
        unclear: dict[int, Entry] = {}
        working = list(calls)
        while working and self._paused(pause, turn.may_go_on):
            try:
                unclear |= self._judge(turn, working)
            except Outage as outage:
                # It was accepted all the same: what comes next is to look, not to send.
                turn.put_off([position for call in working for position in call.waiting], outage)
                working = []
                break
            working = [call for call in working if call.waiting]
            passed = self._clock.monotonic() - started
            if not working:
                self._pace = passed / rows
            elif passed > PATIENCE:
                break
            pause = min(2 * pause, LONGEST_PAUSE)
        for call in working:
            turn.put_off(call.waiting, _working(call.batch))
        for portion in _portions(turn, sorted(unclear)):
            self._clear_up(turn, {position: unclear[position] for position in portion})

    def _paused(self, seconds: float, may_go_on: Callable[[], bool]) -> bool:
        """Waits, in breaths; whether a request may follow."""
        while seconds > 0:
            if not may_go_on():
                return False
            breath = min(seconds, BREATH)
            self._clock.sleep(breath)
            seconds -= breath
        return may_go_on()

    def _judge(self, turn: _Turn, calls: Sequence[_Call]) -> dict[int, Entry]:
        """Settles what the log says was done, with one query; returns what is final and needs a closer look."""
        log = self._records.log_of_batches([call.batch for call in calls])
        unclear = {}
        for call in calls:
            entries = log_entries(log.get(call.batch, ()), self._form)
            waiting = []
            for position in call.waiting:
                document = turn.documents[position]
                entry = entries.of(key(document))
                if entry.state == "open":
                    waiting.append(position)
                elif entry.state == "done" and entry.sys_id:
                    turn.deliveries[position].results = taken(document, entry.sys_id)
                else:
                    unclear[position] = entry
            call.waiting = waiting
        return unclear

    def _clear_up(self, turn: _Turn, entries: Mapping[int, Entry]) -> None:
        """Settles, by the invoices and the staged rows, what the log calls final without saying enough."""
        try:
            evidence = self._records.evidence([turn.documents[position] for position in entries], turn.may_go_on)
        except Outage as outage:
            turn.put_off(list(entries), outage)
            return
        for position, entry in entries.items():
            document = turn.documents[position]
            held = evidence[key(document)]
            found = finding(document, held, self._form)
            if found.results:
                turn.deliveries[position].results = dict(found.results)
            elif entry.state == "done" and held.invoice is not None:
                turn.deliveries[position].results = taken(document, str(held.invoice.get("sys_id") or ""))
            elif entry.state == "failed" and found.state == "absent":
                turn.parked(position, "error", entry.message or "the log gives no reason")
            else:
                turn.put_off([position], _working("its batch, whose log says that it is over"))


def _working(batch: str) -> Ambiguous:
    return Ambiguous(API, f"has not brought {batch} to its end", settles_after=WORKING_WAIT)


def _has_lines(document: MappedDocument) -> bool:
    """A document without lines of its own takes something back; there is nothing to create."""
    return any(row.table == LINE and not row.removed for row in document.rows)


def _portions(turn: _Turn, positions: Sequence[int]) -> Iterator[list[int]]:
    return portions(positions, [{key(turn.documents[position])} for position in positions], LOOKED_UP)


def _insist(turn: _Turn) -> None:
    if not turn.may_go_on():
        raise Outage(SYSTEM, "did not get to all invoices in time")
