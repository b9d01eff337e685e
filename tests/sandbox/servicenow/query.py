"""The encoded query language: text in, conditions and orders out. Nothing here knows tables or rows.

Source: the vendor's "Encoded query strings" and "Operators available for filters and queries" pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OPERATORS = (
    "GT_OR_EQUALS_FIELD",
    "LT_OR_EQUALS_FIELD",
    "DOES NOT CONTAIN",
    "EMPTYSTRING",
    "ISNOTEMPTY",
    "STARTSWITH",
    "NSAMEAS",
    "GT_FIELD",
    "LT_FIELD",
    "ENDSWITH",
    "CONTAINS",
    "ANYTHING",
    "NOT LIKE",
    "ISEMPTY",
    "BETWEEN",
    "SAMEAS",
    "NOT IN",
    "LIKE",
    "IN",
    "!=",
    "<=",
    ">=",
    "=",
    "<",
    ">",
)
# A real instance understands these. Dropping them like a typing error would widen the answer, so they are refused.
NOT_SIMULATED = ("RELATIVE", "DATEPART", "DYNAMIC", "INSTANCEOF", "NOTON", "ON", "MORETHAN", "LESSTHAN")
SYNONYMS = {"CONTAINS": "LIKE", "DOES NOT CONTAIN": "NOT LIKE"}

FIELD = r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*"
CONDITION = re.compile(f"({FIELD})({'|'.join(map(re.escape, OPERATORS))})(.*)", re.DOTALL)
UNSUPPORTED = re.compile(f"(?:{FIELD})(?:{'|'.join(NOT_SIMULATED)})|RLQUERY|ENDRLQUERY|JOIN|123TEXTQUERY321")
ORDER = re.compile(f"ORDERBY(DESC)?({FIELD})")


class NotSimulated(Exception):
    """The query uses a part of the language a real instance knows and the sandbox does not."""


@dataclass(frozen=True)
class Condition:
    """One ``field operator value``."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True)
class Order:
    """One sort key."""

    field: str
    descending: bool


@dataclass
class Query:
    """Alternatives (``^NQ``) of conjunctions (``^``) of disjunctions (``^OR``), the sort keys, and what made no sense."""

    alternatives: list[list[list[Condition]]] = field(default_factory=lambda: [[]])
    orders: list[Order] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def parse(text: str) -> Query:
    """Reads an encoded query. Clauses that cannot be read go to `invalid`; the rest stands."""
    query = Query()
    for clause in text.split("^"):
        if not clause or clause == "EQ":
            continue
        if clause.startswith("ORDERBY"):
            order = ORDER.fullmatch(clause)
            if order is None:
                query.invalid.append(clause)
            else:
                query.orders.append(Order(order[2], bool(order[1])))
            continue
        if clause.startswith("NQ"):
            query.alternatives.append([[]])
            _condition(query, clause[2:], query.alternatives[-1][-1])
        elif clause.startswith("OR") and query.alternatives[-1]:
            _condition(query, clause[2:], query.alternatives[-1][-1])
        else:
            query.alternatives[-1].append([])
            _condition(query, clause.removeprefix("OR"), query.alternatives[-1][-1])
    return query


def _condition(query: Query, clause: str, alternatives: list[Condition]) -> None:
    if not clause:
        return
    if UNSUPPORTED.match(clause):
        raise NotSimulated(clause)
    found = CONDITION.fullmatch(clause)
    if found is None:
        query.invalid.append(clause)
    else:
        alternatives.append(Condition(found[1], SYNONYMS.get(found[2], found[2]), found[3]))
