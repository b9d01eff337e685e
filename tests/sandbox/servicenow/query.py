"""The encoded query language: text in, conditions and orders out. Nothing here knows tables or rows.

Source: the vendor's "Encoded query strings" and "Operators available for filters and queries" pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

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
    "RELATIVEGT",
    "RELATIVELT",
    "RELATIVEGE",
    "RELATIVELE",
    "RELATIVEEE",
    "INSTANCEOF",
    "MORETHAN",
    "LESSTHAN",
    "DATEPART",
    "DYNAMIC",
    "SAMEAS",
    "NOT IN",
    "NOTON",
    "LIKE",
    "IN",
    "ON",
    "!=",
    "<=",
    ">=",
    "=",
    "<",
    ">",
)
SYNONYMS = {"CONTAINS": "LIKE", "DOES NOT CONTAIN": "NOT LIKE"}

FIELD = r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*"
CONDITION = re.compile(f"({FIELD})({'|'.join(map(re.escape, OPERATORS))})(.*)", re.DOTALL)
ORDER = re.compile(f"ORDERBY(DESC)?({FIELD})")
RELATED = re.compile(
    rf"RLQUERY([a-z]\w*)\.({FIELD}),\s*(BETWEEN|!=|<=|>=|=|<|>)\s*(\d+)(?:@(\d+))?(?:,(.*))?", re.DOTALL
)
JOIN = re.compile(rf"JOIN([a-z]\w*)\.({FIELD})=([a-z]\w*)\.({FIELD})!(.*)", re.DOTALL)
END_OF_RELATED, TEXT_SEARCH, MANY_TO_MANY = "ENDRLQUERY", "123TEXTQUERY321=", "m2m"


class NotSimulated(Exception):
    """The query holds a script that a real instance may evaluate and the sandbox does not."""


@dataclass(frozen=True)
class Condition:
    """One ``field operator value``."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True)
class Related:
    """``RLQUERY``: how many rows of `table` must point at a row with `field` and match `query` (`high` for BETWEEN)."""

    table: str
    field: str
    operator: str
    count: int
    high: int
    query: Query


@dataclass(frozen=True)
class Join:
    """``JOIN``: a row of `other` must exist whose `other_field` equals `field` and that matches `query`.

    The condition behind the exclamation mark ends at the next caret.
    """

    table: str
    field: str
    other: str
    other_field: str
    query: Query


@dataclass(frozen=True)
class TextSearch:
    """``123TEXTQUERY321``: words that must all occur somewhere in the row."""

    words: tuple[str, ...]


Term = Condition | Related | Join | TextSearch


@dataclass(frozen=True)
class Order:
    """One sort key."""

    field: str
    descending: bool


@dataclass
class Query:
    """Alternatives (``^NQ``) of conjunctions (``^``) of disjunctions (``^OR``), the sort keys, and what made no sense."""

    alternatives: list[list[list[Term]]] = field(default_factory=lambda: [[]])
    orders: list[Order] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def parse(text: str) -> Query:
    """Reads an encoded query. Clauses that cannot be read go to `invalid`; the rest stands."""
    query = Query()
    clauses = iter(text.split("^"))
    for clause in clauses:
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
            _term(query, clause[2:], clauses)
        elif clause.startswith("OR") and query.alternatives[-1]:
            _term(query, clause[2:], clauses)
        else:
            query.alternatives[-1].append([])
            _term(query, clause.removeprefix("OR"), clauses)
    return query


def _term(query: Query, clause: str, following: Iterator[str]) -> None:
    """Adds a clause to the last disjunction; a related list takes the clauses up to its end with it."""
    if not clause:
        return
    term: Term | None = None
    if clause.startswith("RLQUERY"):
        term = _related(clause, list(takewhile(lambda text: text != END_OF_RELATED, following)))
    elif clause.startswith(TEXT_SEARCH):
        term = TextSearch(tuple(clause.removeprefix(TEXT_SEARCH).split()))
    elif found := JOIN.fullmatch(clause):
        term = Join(found[1], found[2], found[3], found[4], parse(found[5]))
    elif found := CONDITION.fullmatch(clause):
        term = Condition(found[1], SYNONYMS.get(found[2], found[2]), found[3])
    if term is None:
        query.invalid.append(clause)
    else:
        query.alternatives[-1][-1].append(term)


def _related(clause: str, inner: list[str]) -> Related | None:
    found = RELATED.fullmatch(clause)
    if found is None:
        return None
    first = [found[6]] if found[6] and found[6] != MANY_TO_MANY else []
    return Related(
        found[1], found[2], found[3], int(found[4]), int(found[5] or found[4]), parse("^".join(first + inner))
    )
