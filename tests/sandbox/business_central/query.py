"""Query options of a read: ``$select``, ``$expand`` with nested options, ``$orderby``, ``$top``, ``$skip``, ``$count``."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from tests.sandbox.business_central.entities import EntitySet, Navigation
from tests.sandbox.business_central.errors import Refusal, bad_syntax, unknown_property
from tests.sandbox.business_central.filters import Condition, Dialect, parse_filter
from tests.sandbox.business_central.master_sets import ALL_SETS


@dataclass(frozen=True)
class Shape:
    """What is shown of each row: its properties (None = all) and, in page order, the rows expanded below it."""

    entity: EntitySet
    select: frozenset[str] | None = None
    expand: tuple[Expansion, ...] = ()


@dataclass(frozen=True)
class Expansion:
    """One expanded navigation."""

    navigation: Navigation
    shape: Shape
    condition: Condition | None = None


@dataclass(frozen=True)
class Query:
    """A whole query: the shape of the rows and which of them in which order."""

    shape: Shape
    condition: Condition | None = None
    order: tuple[tuple[str, bool], ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    after: str | None = None


@dataclass
class _Options:
    """The raw options of one level, merged when an ``$expand`` list names the same navigation twice."""

    options: dict[str, str] = field(default_factory=dict)
    expand: list[str] = field(default_factory=list)


def parameters(raw: str) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, in their order; ``+`` is a space."""
    pairs = []
    for part in raw.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


def parse_query(entity: EntitySet, pairs: list[tuple[str, str]], *, plain_words: bool = False) -> Query:
    """The query on an entity set, or `Refusal`; parameters without ``$`` are none of its business."""
    options: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("$"):
            if name in options:
                raise bad_syntax(f"Query option '{name}' was specified more than once.")
            options[name] = value
    for name in options:
        if name not in _KNOWN:
            raise bad_syntax(f"The query option '{name}' is not supported.")
    dialect = Dialect(newer=options.get("$schemaversion") == "2.1", plain_words=plain_words)
    return Query(
        shape=_shape(entity, options.get("$select", ""), [options.get("$expand", "")], dialect),
        condition=_condition(entity, options.get("$filter", ""), dialect),
        order=_order(entity, options.get("$orderby", "")),
        top=_whole(options, "$top"),
        skip=_whole(options, "$skip") or 0,
        count=options.get("$count", "").lower() == "true",
        after=options.get("$skiptoken"),
    )


_KNOWN = frozenset(
    {"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$schemaversion", "$format"}
)


def _condition(entity: EntitySet, text: str, dialect: Dialect) -> Condition | None:
    return parse_filter(text, entity, dialect) if text.strip() else None


def _shape(entity: EntitySet, select: str, expands: list[str], dialect: Dialect) -> Shape:
    names = [name.strip() for name in select.split(",") if name.strip()]
    for name in names:
        if name != "*" and name not in entity.by_name and name not in entity.navigation_by_name:
            raise unknown_property(name, entity.type_name)
    chosen = None if not names or "*" in names else frozenset(names)
    merged: dict[str, _Options] = {}
    for text in expands:
        for item in split(text, ","):
            name, inner = _head(item)
            if name not in entity.navigation_by_name:
                raise unknown_property(name, entity.type_name)
            _merge(merged.setdefault(name, _Options()), inner)
    return Shape(
        entity,
        chosen,
        tuple(
            _expansion(navigation, merged[navigation.name], dialect)
            for navigation in entity.navigations
            if navigation.name in merged
        ),
    )


def _merge(options: _Options, inner: str) -> None:
    for part in split(inner, ";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in {"$select", "$filter", "$expand"}:
            raise bad_syntax(f"The nested query option '{part}' is not supported.")
        if name == "$expand":
            options.expand.append(value)
        else:
            options.options[name] = value


def _expansion(navigation: Navigation, options: _Options, dialect: Dialect) -> Expansion:
    target = ALL_SETS[navigation.target]
    return Expansion(
        navigation,
        _shape(target, options.options.get("$select", ""), options.expand, dialect),
        _condition(target, options.options.get("$filter", ""), dialect),
    )


def _head(item: str) -> tuple[str, str]:
    name, bracket, rest = item.partition("(")
    if not bracket:
        return name.strip(), ""
    if not rest.endswith(")"):
        raise bad_syntax(f"')' expected at the end of '{item}'.")
    return name.strip(), rest[:-1]


def split(text: str, separator: str) -> list[str]:
    """The non-blank parts between separators that stand outside brackets and quoted strings, without outer spaces."""
    parts = []
    depth = 0
    quoted = False
    start = 0
    for position, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        if depth < 0:
            break
    if depth or quoted:
        raise bad_syntax(f"Brackets or quotes do not match in '{text}'.")
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _order(entity: EntitySet, text: str) -> tuple[tuple[str, bool], ...]:
    order = []
    for item in split(text, ","):
        words = item.split()
        if len(words) > 2 or (len(words) == 2 and words[1] not in {"asc", "desc"}):
            raise bad_syntax(f"Syntax error in the order '{item}'.")
        if words[0] not in entity.by_name:
            raise unknown_property(words[0], entity.type_name)
        order.append((words[0], words[1:] == ["desc"]))
    return tuple(order)


def _whole(options: dict[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise Refusal(
            400,
            "BadRequest",
            f"Invalid value '{text}' for {name} query option found. The {name} query option requires a non-negative "
            "integer value.",
        )
    return int(text)
