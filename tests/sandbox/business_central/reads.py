"""Answers to reads: rows rendered to JSON text with their expansions, filtered, ordered and cut into pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.sandbox.business_central.encoding import encoder, etag, is_guid
from tests.sandbox.business_central.entities import EntitySet, Navigation
from tests.sandbox.business_central.errors import (
    NO_DIMENSIONS_PARENT,
    NO_LINES_PARENT,
    Refusal,
    dialog,
    unknown_record,
)
from tests.sandbox.business_central.media import document_of, links_json, pdf_record
from tests.sandbox.business_central.query import Expansion, Query, Shape
from tests.sandbox.business_central.records import LINES_OF
from tests.sandbox.business_central.store import CompanyState, Record


@dataclass(frozen=True)
class Page:
    """One page of rows: `total` counts all that meet the filter, `after` is where the next page starts, if there is one."""

    records: list[Record]
    total: int
    after: str | None = None
    top_left: int | None = None


def page_of(records: list[Record], query: Query, page_size: int) -> Page:
    """The page of these records that the query asks for."""
    ordered = _ordered(records, query)
    if query.condition is not None:
        test = query.condition.test
        ordered = [record for record in ordered if test(record.values)]
    total = len(ordered)
    if query.after is not None:
        ordered = _behind(ordered, records, query)
    ordered = ordered[query.skip :]
    wanted = len(ordered) if query.top is None else min(query.top, len(ordered))
    size = min(wanted, page_size)
    shown = ordered[:size]
    if size >= wanted:
        return Page(shown, total)
    return Page(shown, total, shown[-1].id, None if query.top is None else query.top - size)


def _sort_key(record: Record, query: Query) -> list[Any]:
    return [record.values[name] for name, _ in query.order]


def _ordered(records: list[Record], query: Query) -> list[Record]:
    # Lines and dimension sets come in their own order, other sets by key; a stable sort per property does the rest.
    if records and records[0].entity.source in {"lines", "dimensions"}:
        ordered = list(records)
    else:
        ordered = sorted(records, key=lambda record: record.id)
    for name, descending in reversed(query.order):
        ordered.sort(key=lambda record, name=name: record.values[name], reverse=descending)  # type: ignore[misc]
    return ordered


def _behind(ordered: list[Record], records: list[Record], query: Query) -> list[Record]:
    """The rows behind the skip token: the id of the last row of the page before."""
    token = str(query.after).lower()
    if not is_guid(token):
        raise Refusal(400, "BadRequest", "The skip token is not valid.")
    for position, record in enumerate(ordered):
        if record.id == token:
            return ordered[position + 1 :]
    last = next((record for record in records if record.id == token), None)
    if not query.order:
        return [record for record in ordered if record.id > token]
    if last is None:
        raise Refusal(400, "SkipTokenIsNoLongerValid", "The skip token is no longer valid.")
    merged = _ordered([*ordered, last], query)
    return merged[merged.index(last) + 1 :]


def rows_json(state: CompanyState, records: Iterable[Record], shape: Shape) -> str:
    """The rows as the inside of a JSON array."""
    return ",".join(["{" + row_json(state, record, shape) + "}" for record in records])


def row_json(state: CompanyState, record: Record, shape: Shape) -> str:
    """One row as the inside of a JSON object: ETag, plain properties, then what is expanded, in page order."""
    text = record.rendered.get(shape.select)
    if text is None:
        text = _plain_json(state, record, shape)
        record.rendered[shape.select] = text
    if not shape.expand:
        return text
    parts = [text] if text else []
    parts.extend(_expansion_json(state, record, expansion) for expansion in shape.expand)
    return ",".join(parts)


def _plain_json(state: CompanyState, record: Record, shape: Shape) -> str:
    values = record.values
    parts = [prefix + write(values[name]) for name, prefix, write in _writers(shape.entity, shape.select)]
    if shape.entity.etags:
        parts.insert(0, '"@odata.etag":"' + etag(record.version).replace('"', '\\"') + '"')
    if shape.entity.streams and shape.select is None:
        parts.append(links_json(state, record, shape.entity))
    return ",".join(parts)


@lru_cache(maxsize=256)
def _writers(entity: EntitySet, select: frozenset[str] | None) -> list[tuple[str, str, Any]]:
    return [
        (prop.name, f'"{prop.name}":', encoder(prop.kind))
        for prop in entity.properties
        if select is None or prop.name in select
    ]


def _expansion_json(state: CompanyState, record: Record, expansion: Expansion) -> str:
    name = expansion.navigation.name
    if expansion.navigation.to_one:
        target = to_one(state, record, expansion.navigation)
        inner = "null" if target is None else "{" + row_json(state, target, expansion.shape) + "}"
        return f'"{name}":{inner}'
    rows: Iterable[Record] = children(state, record, expansion)
    if expansion.condition is not None:
        test = expansion.condition.test
        rows = [row for row in rows if test(row.values)]
    return f'"{name}":[{rows_json(state, rows, expansion.shape)}]'


def to_one(state: CompanyState, record: Record, navigation: Navigation) -> Record | None:
    """The one row a to-one navigation leads to."""
    if navigation.key:
        return state.related(record, navigation.key, navigation.target)
    return pdf_record(record)


def children(state: CompanyState, record: Record, expansion: Expansion) -> list[Record]:
    """The rows a to-many navigation leads to."""
    navigation = expansion.navigation
    if navigation.foreign:
        return [each for each in state.all_of(navigation.target) if each.values[navigation.foreign] == record.id]
    if navigation.target == "dimensionSetLines":
        return list(state.dimension_lines(record))
    return record.lines


def listed(state: CompanyState, entity: EntitySet, query: Query) -> list[Record]:
    """The records that a read of the whole set may see; sets that live in memory want to know the parent first."""
    pins = dict(query.condition.pinned) if query.condition is not None else {}
    if entity.source == "lines":
        if "documentId" in pins:
            documents = next(name for name, lines in LINES_OF.items() if lines == entity.name)
            document = state.sets[documents].get(pins["documentId"])
            return [] if document is None else document.lines
        if "id" in pins:
            line = state.sets[entity.name].get(pins["id"])
            return [] if line is None else [line]
        raise dialog(NO_LINES_PARENT)
    if entity.source == "dimensions":
        if "parentId" not in pins or "parentType" not in pins:
            raise dialog(NO_DIMENSIONS_PARENT)
        return list(state.dimension_lines(dimension_owner(state, pins["parentId"])))
    if entity.orphaned:
        return _contained(state, entity, pins)
    return state.all_of(entity.name)


def _contained(state: CompanyState, entity: EntitySet, pins: dict[str, str]) -> list[Record]:
    if "id" in pins or "parentId" in pins:
        if entity.name != "pdfDocument":
            return state.all_of(entity.name)
        owner = document_of(state, pins.get("parentId", pins.get("id", "")))
        return [] if owner is None else [pdf_record(owner)]
    raise dialog(entity.orphaned)


def dimension_owner(state: CompanyState, key: str) -> Record:
    """The document, line or ledger entry with this id."""
    owner = document_of(state, key)
    if owner is not None:
        return owner
    raise dialog(f"Parent with ID {key} does not exist.")


def single(records: Iterable[Record], entity: EntitySet, key: str) -> Record:
    """The record with this id among the given, or `Refusal`."""
    for record in records:
        if record.id == key:
            return record
    raise unknown_record(entity.caption, key)
