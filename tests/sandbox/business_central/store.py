"""The state of one company inside the simulator: records with row versions, found by id, number and parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from tests.sandbox.business_central.amounts import currency_precision
from tests.sandbox.business_central.document_sets import PARENT_TYPES
from tests.sandbox.business_central.entities import BLANKS, EntitySet
from tests.sandbox.business_central.errors import dangling_dimension
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.records import LINES_OF, NO_ID, CompanyData, Document, Line, Row

# "kept": something beside the row changed (a dimension set), the row itself did not.
Change = Literal["created", "updated", "deleted", "kept"]


@dataclass(eq=False)
class Record:
    """One row with its version; a document also holds its lines, a line its parent, both their dimensions.

    `fresh`: added while somebody watches, not yet written: its first write completes the creation.
    """

    values: Row
    version: int
    entity: EntitySet
    parent: Record | None = None
    lines: list[Record] = field(default_factory=list)
    dimensions: dict[str, str] = field(default_factory=dict)
    dangling: bool = False
    fresh: bool = False
    rendered: dict[object, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The system id."""
        return str(self.values["id"])


def completed(values: Row, entity: EntitySet) -> Row:
    """A copy of the row with a blank for each property it lacks."""
    return _blank_row(entity.name) | values


@lru_cache(maxsize=64)
def _blank_row(entity: str) -> Row:
    return {
        prop.name: prop.members[0] if prop.members and " " not in prop.members else BLANKS[prop.kind]
        for prop in ALL_SETS[entity].properties
    }


class CompanyState:
    """One company's records. `next_version` gives a fresh row version, one for the whole environment."""

    def __init__(self, data: CompanyData, next_version: Callable[[], int]) -> None:
        self._next_version = next_version
        self._indexes: dict[str, dict[str, Record]] = {}
        self.observers: list[Callable[[CompanyState, Change, Record], None]] = []
        self.company = self._record(data.company, ALL_SETS["companies"])
        self.sets: dict[str, dict[str, Record]] = {name: {} for name in ALL_SETS}
        # The ids that each set ever had, of records that are gone too.
        self.ever: dict[str, set[str]] = {name: set() for name in ALL_SETS}
        for table, rows in data.tables.items():
            for row in rows:
                self._keep(self._record(row, ALL_SETS[table]))
        self.files = dict(data.files)
        for entity, documents in (*data.documents.items(), *data.history.items()):
            for document in documents:
                self.add_document(entity, document)

    @property
    def id(self) -> str:
        """The company's system id."""
        return self.company.id

    def answers_to(self, name: str) -> bool:
        """Whether the text is the company's id or its name (names are case-sensitive)."""
        return name.lower() == self.id or name == self.company.values["name"]

    def write(self, record: Record) -> None:
        """Gives the record a new row version."""
        record.version = self._next_version()
        record.rendered.clear()
        self._indexes.pop(record.entity.name, None)
        created, record.fresh = record.fresh, False
        self.tell("created" if created else "updated", record)

    def tell(self, change: Change, record: Record) -> None:
        """Tells everyone who watches this company of a change that has just been made."""
        for observer in self.observers:
            observer(self, change, record)

    def all_of(self, entity: str) -> list[Record]:
        """All records of an entity set."""
        return list(self.sets[entity].values())

    def find(self, entity: str, number_or_id: str) -> Record:
        """The record with this id, number or code; `KeyError` when there is none."""
        found = self.sets[entity].get(number_or_id.lower())
        if found is not None:
            return found
        for record in self.sets[entity].values():
            if number_or_id in {record.values.get("number"), record.values.get("code")}:
                return record
        raise KeyError(f"{entity}: {number_or_id}")

    def line(self, document: Record, sequence: int) -> Record:
        """The line of a document with this sequence number; `KeyError` when there is none."""
        for line in document.lines:
            if line.values["sequence"] == sequence:
                return line
        raise KeyError(f"{document.values['number']} has no line {sequence}")

    def add_row(self, entity: str, row: Row) -> Record:
        """Adds a master data row."""
        return self._keep(self._record(row, ALL_SETS[entity]))

    def add_document(self, entity: str, document: Document) -> Record:
        """Adds a document with its lines."""
        record = self._keep(self._record(document.header, ALL_SETS[entity]))
        record.dimensions = dict(document.dimensions)
        record.dangling = document.dangling
        for line in document.lines:
            self.add_line(record, line)
        return record

    def add_line(self, document: Record, line: Line) -> Record:
        """Adds a line at its place by sequence."""
        record = self._record(
            {**line.values, "documentId": document.id}, ALL_SETS[LINES_OF[document.entity.name]], document
        )
        record.dimensions = dict(line.dimensions)
        self._keep(record)
        document.lines.append(record)
        document.lines.sort(key=lambda each: int(str(each.values["sequence"])))
        return record

    def remove(self, record: Record) -> None:
        """Removes a record, a document with its lines, a line from its document."""
        for line in record.lines:
            del self.sets[line.entity.name][line.id]
        if record.parent is not None:
            record.parent.lines.remove(record)
        del self.sets[record.entity.name][record.id]
        self._indexes.pop(record.entity.name, None)
        self.tell("deleted", record)

    def twin(self) -> CompanyState:
        """A copy that no later change of this state reaches, and that nobody watches."""
        other = copy(self)
        other.observers = []
        other._indexes = {}
        other.files = dict(self.files)
        other.sets = {name: {} for name in self.sets}
        for records in self.sets.values():
            for record in records.values():
                if record.parent is None:
                    other.take(record)
        return other

    def go_back_to(self, earlier: CompanyState) -> None:
        """Becomes what a twin made earlier still is; the twin is used up."""
        self.sets = earlier.sets
        self.files = earlier.files
        self._indexes.clear()

    def take(self, record: Record) -> None:
        """Takes over a copy of another state's record with its lines, in place of the one it had."""
        self.drop(record.entity.name, record.id)
        own = copied(record)
        for each in (own, *own.lines):
            self.sets[each.entity.name][each.id] = each
        self._indexes.pop(record.entity.name, None)

    def drop(self, entity: str, key: str) -> None:
        """Forgets a record with its lines, when it is there."""
        record = self.sets[entity].pop(key, None)
        for line in record.lines if record is not None else ():
            self.sets[line.entity.name].pop(line.id, None)
        self._indexes.pop(entity, None)

    def precision(self, document: Record) -> Decimal:
        """The amount rounding precision of the document's currency."""
        rows = (record.values for record in self.sets["currencies"].values())
        return currency_precision(rows, str(document.values["currencyCode"]))

    def global_dimension(self, number: int) -> str:
        """The code of global dimension 1 or 2, blank when none is set up."""
        for setup in self.sets["generalLedgerSetup"].values():
            return str(setup.values[f"shortcutDimension{number}Code"])
        return ""

    def dimension_lines(self, owner: Record) -> Iterator[Record]:
        """The dimension set of a document or line as rows, by dimension code; `Refusal` when it dangles."""
        if owner.dangling or (owner.parent is not None and owner.parent.dangling):
            raise dangling_dimension()
        entity = ALL_SETS["dimensionSetLines"]
        for code, value_code in sorted(owner.dimensions.items()):
            dimension = self._dimension(code)
            value = self._dimension_value(dimension.id, value_code)
            row: Row = {
                "id": dimension.id,
                "code": code,
                "consolidationCode": dimension.values["consolidationCode"],
                "parentId": owner.id,
                "parentType": PARENT_TYPES[owner.entity.name],
                "displayName": dimension.values["displayName"],
                "valueId": value.id,
                "valueCode": value_code,
                "valueConsolidationCode": value.values["consolidationCode"],
                "valueDisplayName": value.values["displayName"],
            }
            yield Record(row, owner.version, entity, owner)

    def related(self, record: Record, key: str, target: str) -> Record | None:
        """The one record that a property of this record points to."""
        wanted = str(record.values[key])
        return None if wanted == NO_ID else self.sets[target].get(wanted)

    def _dimension(self, code: str) -> Record:
        index = self._index_of("dimensions", lambda row: str(row["code"]))
        if code not in index:
            raise dangling_dimension()
        return index[code]

    def _dimension_value(self, dimension_id: str, code: str) -> Record:
        index = self._index_of("dimensionValues", lambda row: f"{row['dimensionId']} {row['code']}")
        if f"{dimension_id} {code}" not in index:
            raise dangling_dimension()
        return index[f"{dimension_id} {code}"]

    def _index_of(self, entity: str, key: Callable[[Row], str]) -> dict[str, Record]:
        if entity not in self._indexes:
            self._indexes[entity] = {key(record.values): record for record in self.sets[entity].values()}
        return self._indexes[entity]

    def _record(self, values: Row, entity: EntitySet, parent: Record | None = None) -> Record:
        return Record(completed(values, entity), self._next_version(), entity, parent)

    def _keep(self, record: Record) -> Record:
        if record.id in self.sets[record.entity.name]:
            raise ValueError(f"{record.entity.name} {record.id} is already there")
        record.fresh = bool(self.observers)
        self.sets[record.entity.name][record.id] = record
        self.ever[record.entity.name].add(record.id)
        self._indexes.pop(record.entity.name, None)
        return record


def copied(record: Record, parent: Record | None = None) -> Record:
    """A copy of the record with its lines."""
    twin = replace(
        record, values=dict(record.values), parent=parent, lines=[], dimensions=dict(record.dimensions), rendered={}
    )
    twin.lines = [copied(line, twin) for line in record.lines]
    return twin
