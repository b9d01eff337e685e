"""The change feed of the extension: every purchase header and line with its own row version, and what was deleted of them.

Unlike the stamp of API v2.0, which belongs to a buffer beside the document, a row version is of the row itself: any change of a
header or of a line gives that row the next number, and nothing else does. A document that is posted leaves both tables: the
posting deletes the header first, so that the entries of its lines no longer know whose they were.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.sandbox.business_central import extension_sets
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.records import NO_ID, Row, Value
from tests.sandbox.business_central.row_versions import RowVersions
from tests.sandbox.business_central.store import Change, CompanyState, Record
from tests.sandbox.business_central.webhook_resources import EXTENSION

Watcher = Callable[[CompanyState, Change, Record], None]
_TYPES = {"purchaseOrders": "Order", "purchaseInvoices": "Invoice", "purchaseCreditMemos": "Credit Memo"}
_UNPOSTED = frozenset({"Draft", "In Review"})
# What the API computes from the lines and no column of the header holds.
_COMPUTED = frozenset(
    """
    discountAmount totalAmountExcludingTax totalTaxAmount totalAmountIncludingTax fullyReceived lastModifiedDateTime
    """.split()
)
# Row versions are 64 bit numbers with a sign; those of the store, which ETags are made of, are longer.
_OFFSET = 11_325_623_035_000_000_000


@dataclass
class _Seen:
    """A document as it was when it was last looked at: its lines by id, with version and number; when each row was changed."""

    kind: str
    number: str
    content: dict[str, object]
    version: int
    lines: dict[str, tuple[int, int]]
    stamps: dict[str, Value]


class PurchaseChanges:
    """Watches the companies while the extension is available, from the first change or read on.

    That first change counts as one of the header, whatever it was: how the row was before, nobody has seen.
    """

    def __init__(
        self,
        companies: Sequence[CompanyState],
        available: Collection[str],
        versions: RowVersions,
        stamp: Callable[[], datetime],
        watchers: Sequence[Watcher],
    ) -> None:
        self._companies = companies
        self._available = available
        self._versions = versions
        self._stamp = stamp
        self._watchers = watchers
        self._seen: dict[str, _Seen] = {}
        self._started = False
        self._deleted: dict[str, list[Record]] = {state.id: [] for state in companies}
        self._entries = 0
        for state in companies:
            state.observers.append(self.observe)

    def headers(self, state: CompanyState) -> list[Record]:
        """The rows about documents."""
        self._start()
        return [self._header(document) for document in _documents(self._live(state))]

    def lines(self, state: CompanyState) -> list[Record]:
        """The rows about lines."""
        self._start()
        return [self._line(document, line) for document in _documents(self._live(state)) for line in document.lines]

    def deleted(self, state: CompanyState) -> list[Record]:
        """The entries of the log of deletions."""
        return self._deleted[state.id]

    def states(self, _state: CompanyState) -> list[Record]:
        """The one row that says up to where everything is committed."""
        row: Row = {
            "id": str(uuid.UUID(int=1)),
            "minimumActiveRowVersion": self._versions.minimum_active - _OFFSET,
            "lastUsedRowVersion": self._versions.last_used - _OFFSET,
        }
        return [Record(row, self._versions.last_used, extension_sets.STATES)]

    def observe(self, state: CompanyState, change: Change, record: Record) -> None:
        """Takes note of a change of a purchase document or of a line of one."""
        document = record.parent or record
        if document.entity.name not in _TYPES:
            return
        if EXTENSION not in self._available:
            self._started = False
            return
        if not self._started:
            self._start()
            self._seen.pop(document.id, None)
            if (change, document) != ("created", record):
                self._seen[document.id] = _before(document, record)
        self._compare(state, document)

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        self._seen = {each.id: _seen(each) for state in self._companies for each in _documents(state)}

    def _live(self, state: CompanyState) -> CompanyState:
        """The company itself: a row version read from a replica says nothing."""
        return next(each for each in self._companies if each.id == state.id)

    def _compare(self, state: CompanyState, document: Record) -> None:
        before = self._seen.get(document.id)
        if document.id not in state.sets[document.entity.name] or not _is_there(document):
            if before is not None:
                self._gone(state, document, before)
            return
        now = self._seen[document.id] = _seen(document)
        old, stamp = {} if before is None else before.lines, self._stamp()
        if before is not None:
            now.version = before.version
            now.stamps |= {key: before.stamps[key] for key in now.stamps.keys() & before.stamps.keys()}
        if before is None or before.content != now.content:
            now.version, now.stamps[document.id] = self._versions(), stamp
            self._tell(state, "created" if before is None else "updated", self._header(document))
        for key in old.keys() - now.lines.keys():
            self._forget_line(state, document.id, key, now, old[key][1])
        for line in document.lines:
            if old.get(line.id) != now.lines[line.id]:
                now.stamps[line.id] = stamp
                self._tell(state, "updated" if line.id in old else "created", self._line(document, line))

    def _gone(self, state: CompanyState, document: Record, before: _Seen) -> None:
        del self._seen[document.id]
        posted = document.id in state.sets[document.entity.name] or any(
            each.values["orderId"] == document.id for each in state.all_of("purchaseInvoices")
        )
        if posted:
            self._forget_header(state, document.id, before)
        for key, (_, number) in before.lines.items():
            self._forget_line(state, NO_ID if posted else document.id, key, before, number)
        if not posted:
            self._forget_header(state, document.id, before)

    def _forget_header(self, state: CompanyState, key: str, before: _Seen) -> None:
        self._forget(state, extension_sets.CHANGES, key, before, {"documentId": key, "lineId": NO_ID, "lineNumber": 0})

    def _forget_line(self, state: CompanyState, document: str, key: str, before: _Seen, number: int) -> None:
        about: Row = {"documentId": document, "lineId": key, "lineNumber": number}
        self._forget(state, extension_sets.LINE_CHANGES, key, before, about)

    def _forget(self, state: CompanyState, entity: EntitySet, key: str, before: _Seen, about: Row) -> None:
        """Writes an entry of the log; both sets tell of it."""
        self._entries += 1
        version, stamp = self._versions(), self._stamp()
        about = about | {"documentType": before.kind, "documentNumber": before.number, "lastModifiedDateTime": stamp}
        row: Row = {
            "id": str(uuid.uuid5(uuid.UUID(state.id), f"deletion {self._entries}")),
            "entryNumber": self._entries,
            "rowVersion": version - _OFFSET,
            "deletedAt": stamp,
        }
        entry = Record(row | about, version, extension_sets.DELETED)
        self._deleted[state.id].append(entry)
        self._tell(state, "deleted", Record(about | {"id": key, "rowVersion": version - _OFFSET}, version, entity))
        self._tell(state, "created", entry)

    def _header(self, document: Record) -> Record:
        version = self._seen[document.id].version
        return self._row(extension_sets.CHANGES, document, document, version, {"lineId": NO_ID, "lineNumber": 0})

    def _line(self, document: Record, line: Record) -> Record:
        about: Row = {"lineId": line.id, "lineNumber": _number(line)}
        return self._row(extension_sets.LINE_CHANGES, document, line, line.version, about)

    def _row(self, entity: EntitySet, document: Record, own: Record, version: int, about: Row) -> Record:
        row: Row = {
            "id": own.id,
            "rowVersion": version - _OFFSET,
            "documentId": document.id,
            "documentType": _TYPES[document.entity.name],
            "documentNumber": document.values["number"],
            "lastModifiedDateTime": self._seen[document.id].stamps[own.id],
        }
        return Record(row | about, version, entity)

    def _tell(self, state: CompanyState, change: Change, record: Record) -> None:
        for watcher in self._watchers:
            watcher(state, change, record)


def _is_there(document: Record) -> bool:
    """Whether the document is one of the table of purchase headers, not a posted one."""
    return document.entity.name == "purchaseOrders" or document.values["status"] in _UNPOSTED


def _documents(state: CompanyState) -> Iterator[Record]:
    for name in _TYPES:
        for document in state.all_of(name):
            if _is_there(document):
                yield document


def _seen(document: Record) -> _Seen:
    content: dict[str, object] = {name: value for name, value in document.values.items() if name not in _COMPUTED}
    content["dimensions"] = dict(document.dimensions)
    lines = {line.id: (line.version, _number(line)) for line in document.lines}
    kind = _TYPES[document.entity.name]
    stamps = dict.fromkeys([document.id, *lines], document.values["lastModifiedDateTime"])
    return _Seen(kind, str(document.values["number"]), content, document.version, lines, stamps)


def _before(document: Record, record: Record) -> _Seen:
    """A document of which only its present state is known, so that each thing told of it looks changed."""
    seen = _seen(document)
    seen.content = {}
    if record is not document:
        seen.lines[record.id] = (0, _number(record))
    return seen


def _number(line: Record) -> int:
    return int(str(line.values["sequence"]))
