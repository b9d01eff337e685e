"""Queries on OData page services: keys in addresses, ``$filter`` and its like, and the lines that ``$expand`` adds.

Source: "Using filter expressions in OData URIs" and "Using containments and associations". A key lists the fields of the
primary key in their order, by name or without names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote

from tests.sandbox.business_central.entities import EntitySet, Navigation
from tests.sandbox.business_central.errors import bad_syntax, unknown_property
from tests.sandbox.business_central.literals import literal, tokens
from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_services import PageService
from tests.sandbox.business_central.query import Query, parse_query, split
from tests.sandbox.business_central.records import Value

_NAMED = re.compile(r"\s*(\w+)\s*=(.*)", re.DOTALL)
_NESTED = frozenset({"$select", "$filter", "$orderby", "$top", "$skip"})


@dataclass(frozen=True)
class PageSet:
    """An entity set that a page service makes: the page's rows, or the lines of all of them."""

    name: str
    fields: tuple[PageField, ...]
    key: tuple[str, ...]
    service: PageService
    of_lines: bool = False

    @property
    def entity(self) -> EntitySet:
        """The set as the query language knows it."""
        return _entity(self.name, self.fields, "" if self.of_lines else self.service.lines_name)


@dataclass(frozen=True)
class PageQuery:
    """A query on a page set; `lines` is the query on the lines when they are expanded."""

    rows: Query
    lines: Query | None = None


def sets_of(service: PageService) -> list[PageSet]:
    """The sets that a service makes: its own, and that of its lines."""
    found = [PageSet(service.name, service.fields, service.key, service)]
    if service.lines is not None:
        found.append(PageSet(service.lines_name, service.lines.fields, service.lines.key, service, True))
    return found


@lru_cache(maxsize=64)
def _entity(name: str, fields: tuple[PageField, ...], lines: str) -> EntitySet:
    # What is expanded may also stand in `$select`.
    navigations = (Navigation(lines, lines),) if lines else ()
    return EntitySet(name, name, name, tuple(each.property for each in fields), navigations=navigations)


def page_query(page: PageSet, pairs: Sequence[tuple[str, str]]) -> PageQuery:
    """The query that parameters make, or `Refusal`."""
    plain = [(name, value) for name, value in pairs if name != "$expand"]
    expanded = [item for name, value in pairs if name == "$expand" for item in split(value, ",")]
    lines: Query | None = None
    for item in expanded:
        name, _, rest = item.partition("(")
        if page.of_lines or not page.service.lines_name or name.strip() != page.service.lines_name:
            raise unknown_property(name.strip(), page.name)
        if rest and not rest.endswith(")"):
            raise bad_syntax(f"')' expected at the end of '{item}'.")
        lines = parse_query(sets_of(page.service)[1].entity, _nested(rest[:-1]))
    return PageQuery(parse_query(page.entity, plain), lines)


def _nested(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in split(text, ";"):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in _NESTED:
            raise bad_syntax(f"The nested query option '{part}' is not supported.")
        pairs.append((name.strip(), value))
    return pairs


def key_values(page: PageSet, text: str) -> tuple[Value, ...]:
    """The key that stands in brackets behind a set's name, or `Refusal`."""
    parts = split(text, ",")
    if len(parts) != len(page.key):
        raise bad_syntax(f"The key of '{page.name}' is made of {len(page.key)} values: {','.join(page.key)}.")
    named = [_NAMED.fullmatch(part) for part in parts]
    if all(named):
        given = {match.group(1): match.group(2) for match in named if match is not None}
        if given.keys() != set(page.key):
            raise bad_syntax(f"The key of '{page.name}' is {','.join(page.key)}.")
        parts = [given[name] for name in page.key]
    by_name = page.entity.by_name
    return tuple(_value(by_name[name].kind, part) for name, part in zip(page.key, parts, strict=True))


def _value(kind: str, text: str) -> Value:
    found = tokens(text)
    constant = literal(found[0]) if len(found) == 1 else None
    if constant is not None and kind == "text" and constant.kind == "string":
        return str(constant.value)
    if constant is not None and kind == "int" and isinstance(constant.value, Decimal) and constant.value % 1 == 0:
        return int(constant.value)
    raise bad_syntax(f"The key value {text} is not of the right type.")


def key_text(page: PageSet, key: Sequence[Value]) -> str:
    """A key as it stands in addresses, ready for one: strings quoted, quotes doubled, the rest percent-encoded."""
    values = [quoted(value) if isinstance(value, str) else str(value) for value in key]
    if len(page.key) == 1:
        return values[0]
    return ",".join(f"{name}={value}" for name, value in zip(page.key, values, strict=True))


def token_text(key: Sequence[Value]) -> str:
    """A key as skip token."""
    return ",".join(quoted(value) if isinstance(value, str) else str(value) for value in key)


def quoted(text: str) -> str:
    """A string of an address, percent-encoded between its quotes."""
    doubled = text.replace("'", "''")
    return f"'{quote(doubled, safe='')}'"
