"""Routes of HTTP functions: ASP.NET templates such as ``items/{id:int}/{part?}`` and ``files/{*path}``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from tests.sandbox.host.configuration import ConfigurationError, Function

CONSTRAINTS = {
    None: r"[^/]+",
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "guid": r"\{?[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?",
}
PARAMETER = re.compile(r"\{(\*?)(\w+)(?::(\w+))?(\??)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """The address of one HTTP function below the route prefix; no methods means all."""

    function: Function
    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]


def route_of(function: Function) -> Route:
    """The route of an HTTP function, by default its name."""
    template = str(function.trigger.get("route") or function.name).strip("/")
    pattern = "".join(_segment(function, segment) for segment in template.split("/"))
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods", ()))
    return Route(function, template, re.compile(pattern, re.IGNORECASE), methods)


def _segment(function: Function, segment: str) -> str:
    pieces, position, optional = [], 0, False
    for match in PARAMETER.finditer(segment):
        star, name, constraint, mark = match.groups()
        if constraint not in CONSTRAINTS:
            raise ConfigurationError(f"{function.name}: this host does not know the route constraint {constraint!r}")
        optional = bool(star or mark)
        pieces += [
            re.escape(segment[position : match.start()]),
            f"(?P<{name}>{'.*' if star else CONSTRAINTS[constraint]})",
        ]
        position = match.end()
    whole = "/" + "".join(pieces) + re.escape(segment[position:])
    return f"(?:{whole})?" if optional else whole


def find(routes: Sequence[Route], method: str, path: str) -> tuple[Function, dict[str, str]] | None:
    """The function for a path below the prefix (with its leading slash) and its route values; literal routes win."""
    for route in sorted(routes, key=lambda one: one.template.count("{")):
        match = route.pattern.fullmatch(path.rstrip("/"))
        if match and (not route.methods or method in route.methods):
            return route.function, {name: unquote(value) for name, value in match.groupdict().items() if value}
    return None
