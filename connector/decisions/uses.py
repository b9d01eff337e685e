"""Uses: what of the master data a document refers to, and where in the document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.decisions.mapping import Rules
from connector.decisions.translation import translate
from connector.errors import Reason
from connector.model.documents import Document, Line

MOST_PLACES = 5
Places = Mapping[tuple[str, ...], tuple[str, ...]]
"""Per thing, where it stands: "" for the header, else a line's sequence number."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What a document refers to. `values`: (dimension, value); `accounts`: (number,); `cost_centres`: (ServiceNow's code,)."""

    vendor: str = ""
    values: Places = field(default_factory=dict)
    accounts: Places = field(default_factory=dict)
    cost_centres: Places = field(default_factory=dict)


def uses(document: Document, rules: Rules) -> Uses:
    """What the document refers to, as far as it is carried."""
    lines = carried_lines(document, rules)
    values: dict[tuple[str, ...], list[str]] = defaultdict(list)
    accounts: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for where, dimensions in [("", document.dimensions), *((str(line.sequence), line.dimensions) for line in lines)]:
        for pair in dimensions:
            values[pair.dimension, pair.value].append(where)
    for line in lines:
        if line.type == "Account" and line.object_number:
            accounts[line.object_number,].append(str(line.sequence))
    return Uses(document.vendor_number, _fixed(values), _fixed(accounts), _cost_centres(document, lines, rules))


def carried_lines(document: Document, rules: Rules) -> list[Line]:
    """The lines that are carried."""
    return [line for line in document.lines if line.type not in rules.route(document).skip_lines]


def places(found: Sequence[str]) -> str:
    """Where a fault is, for its reason: "" when the header has it, else the first lines."""
    if "" in found:
        return ""
    more = f" and {len(found) - MOST_PLACES} more" if len(found) > MOST_PLACES else ""
    return ", ".join(found[:MOST_PLACES]) + more


def _cost_centres(document: Document, lines: Sequence[Line], rules: Rules) -> Places:
    """By the words that ServiceNow looks them up with. A code without a translation is a fault of its own."""
    route, dimension = rules.route(document), rules.company.cost_centre_dimension
    written = {column.value for table in route.tables for column in table.columns.values() if column.value}
    codes: list[tuple[str, str]] = []
    if "document.cost_centre" in written:
        codes.append(("", document.dimension(dimension)))
    for line in lines:
        own = line.dimension(dimension)
        if "line.cost_centre" in written:
            codes.append((str(line.sequence), own))
        if "allocation.cost_centre" in written:
            codes += [(str(line.sequence), part) for part in rules.profile.allocation_keys.get(own, {own: 100})]
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for where, code in codes:
        word = translate(code, "cost_centres", rules.profile, rules.translations)
        if word and not isinstance(word, Reason) and where not in found[word,]:
            found[word,].append(where)
    return _fixed({word: wheres for word, wheres in found.items() if wheres})


def _fixed(found: Mapping[tuple[str, ...], Iterable[str]]) -> Places:
    return {thing: tuple(wheres) for thing, wheres in found.items()}
