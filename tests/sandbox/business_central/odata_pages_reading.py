"""Reads of OData page services: which rows a query shows, in which order, cut into pages, and their JSON.

Source: "Server-driven paging in OData web services" and "Publish a web service": an ETag covers all fields of the page, also
computed ones and those outside the repeater, unless the service leaves them out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.sandbox.business_central.encoding import encoder, etag, string_json
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.odata_pages_query import PageQuery, PageSet, key_values, sets_of, token_text
from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_publishing import PageServices
from tests.sandbox.business_central.page_services import PageRow
from tests.sandbox.business_central.query import Query

_SMALLER = 2**32


@dataclass(frozen=True)
class RowPage:
    """One page of rows: `total` counts all that meet the filter, `after` is the skip token of the next page."""

    rows: list[PageRow]
    total: int
    after: str | None = None
    top_left: int | None = None


def cut(page: PageSet, rows: Sequence[PageRow], query: Query, size: int) -> RowPage:
    """The page of these rows (by key) that a query asks for."""
    found = _sorted(_kept(rows, query), query)
    total = len(found)
    if query.after is not None:
        found = _behind(page, found, rows, query)
    found = found[query.skip :]
    wanted = len(found) if query.top is None else min(query.top, len(found))
    shown = found[: min(wanted, size)]
    if len(shown) == wanted:
        return RowPage(shown, total)
    left = None if query.top is None else query.top - len(shown)
    return RowPage(shown, total, token_text(shown[-1].key), left)


def _kept(rows: Sequence[PageRow], query: Query) -> list[PageRow]:
    if query.condition is None:
        return list(rows)
    test = query.condition.test
    return [row for row in rows if test(row.values)]


def _sorted(rows: list[PageRow], query: Query) -> list[PageRow]:
    for name, descending in reversed(query.order):
        rows.sort(key=lambda row, name=name: row.values[name], reverse=descending)  # type: ignore[misc]
    return rows


def _behind(page: PageSet, found: list[PageRow], rows: Sequence[PageRow], query: Query) -> list[PageRow]:
    token = key_values(page, str(query.after))
    for position, row in enumerate(found):
        if row.key == token:
            return found[position + 1 :]
    if not query.order:
        return [row for row in found if _place(row.key) > _place(token)]
    last = next((row for row in rows if row.key == token), None)
    if last is None:
        raise Refusal(400, "SkipTokenIsNoLongerValid", "The skip token is no longer valid.")
    merged = _sorted(sorted([*found, last], key=lambda row: _place(row.key)), query)
    return merged[merged.index(last) + 1 :]


def _place(key: Sequence[Any]) -> list[tuple[int, str]]:
    # Numbers by size, texts by letter; the kinds never meet at one position.
    return [(part, "") if isinstance(part, int) else (0, str(part)) for part in key]


def row_json(services: PageServices, page: PageSet, row: PageRow, query: PageQuery) -> str:
    """One row as the inside of a JSON object: ETag, fields, then its lines when they are expanded."""
    text = _plain(services, page, row, query.rows)
    if query.lines is None:
        return text
    part = sets_of(page.service)[1]
    lines = cut(part, row.lines, query.lines, len(row.lines))
    inner = ",".join("{" + _plain(services, part, line, query.lines) + "}" for line in lines.rows)
    return f'{text},"{part.name}":[{inner}]'


def row_etag(services: PageServices, page: PageSet, row: PageRow) -> str:
    """The ETag of a row: of its record's version, and of those values that change without it."""
    name = page.service.name
    loose = [
        row.values[each.name]
        for each in page.fields
        if (each.flow and name not in services.tags_without_flow_fields)
        or (each.outside and name not in services.tags_without_outside_fields)
    ]
    version = row.record.version
    return etag(version if not loose else version % _SMALLER * _SMALLER + zlib.crc32(repr(loose).encode()))


def _plain(services: PageServices, page: PageSet, row: PageRow, query: Query) -> str:
    tag = string_json(row_etag(services, page, row))
    writers = _writers(page.fields, query.shape.select)
    texts = [f'"{name}":{write(row.values[name])}' for name, write in writers]
    return ",".join([f'"@odata.etag":{tag}', *texts])


@lru_cache(maxsize=256)
def _writers(fields: tuple[PageField, ...], select: frozenset[str] | None) -> list[tuple[str, Any]]:
    return [(each.name, encoder(each.kind)) for each in fields if select is None or each.name in select]
